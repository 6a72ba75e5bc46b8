//! Handshakes in the clear, NULL and PLAIN: greeting, then whatever a peer may send.

use zmtp::mechanism::Config as Mechanism;
use zmtp::{Event, SocketType};

use crate::input::Input;
use crate::observe::{ANSWERS, observe};
use crate::wire::{command, command_round_trip, config, greeting_of};

/// NULL, whose two sides are the same, with and without somebody who decides.
pub(crate) fn null(data: &[u8]) {
    clear(data, &Mechanism::Null);
}

/// PLAIN's client.
pub(crate) fn plain_client(data: &[u8]) {
    clear(data, &Mechanism::plain_client("joe", "secret").unwrap());
}

/// PLAIN's server.
pub(crate) fn plain_server(data: &[u8]) {
    clear(data, &Mechanism::PlainServer);
}

fn clear(data: &[u8], mechanism: &Mechanism) {
    let mut input = Input::new(data);
    let kind = input.pick(&SocketType::ALL);
    let answer = input.pick(&ANSWERS);
    let (small, ask, minor, seed) = (input.flag(), input.flag(), input.flag(), input.byte());
    let mut bytes = greeting_of(mechanism.name(), u8::from(minor));
    // Whole commands, which random bytes seldom are, and bytes as they come.
    if input.flag() {
        while !input.is_empty() {
            let name: &[u8] = input.pick(&[
                b"READY",
                b"HELLO",
                b"WELCOME",
                b"INITIATE",
                b"ERROR",
                b"PING",
                b"SUBSCRIBE",
            ]);
            let data = input.piece();
            bytes.extend_from_slice(&command(name, data));
            command_round_trip(data);
        }
    } else {
        bytes.extend_from_slice(input.rest());
    }
    let seen = observe(
        || {
            let mut config = config(kind, small);
            config.mechanism = mechanism.clone();
            config.authenticate = ask;
            config
        },
        answer,
        &bytes,
        seed,
    );
    let asked = seen
        .events
        .iter()
        .any(|event| matches!(event, Event::Authenticate(_)));
    let ready = seen
        .events
        .iter()
        .any(|event| matches!(event, Event::Ready(_)));
    let asks = ask && !matches!(mechanism, Mechanism::PlainClient(_))
        || matches!(mechanism, Mechanism::PlainServer);
    assert!(
        !ready || !asks || asked && answer.is_ok(),
        "nobody let the peer in"
    );
    assert!(
        ready || seen.messages.is_empty(),
        "messages before the handshake"
    );
}
