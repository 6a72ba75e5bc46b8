//! CURVE: a peer that knows all keys and random numbers of the connection under test, and can so put anything at all
//! into boxes that open. The keys and numbers are those of the wire vectors, which are this module's seeds.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crypto_box::aead::Aead;
use crypto_box::{Nonce, SalsaBox};
use zmtp::mechanism::{Config as Mechanism, KeyPair, SecretKey};
use zmtp::{Connection, Engine, Event, Message, Random, SocketType};

use crate::input::{Cuts, Input};
use crate::observe::{ANSWERS, Watched, encoded, observe};
use crate::wire::{command, config, greeting_of};

fn secret(digit: u8) -> SecretKey {
    [digit; 32].into()
}

fn keys(digit: u8) -> KeyPair {
    secret(digit).into()
}

/// The client: c is 22..., its server's s 11....
pub(crate) fn client_side() -> Mechanism {
    static SIDE: OnceLock<Mechanism> = OnceLock::new();
    SIDE.get_or_init(|| Mechanism::curve_client(keys(0x22), *keys(0x11).public()))
        .clone()
}

/// The server.
pub(crate) fn server_side() -> Mechanism {
    static SIDE: OnceLock<Mechanism> = OnceLock::new();
    SIDE.get_or_init(|| Mechanism::curve_server(keys(0x11)))
        .clone()
}

/// Gives the next of `digits` each time, and the last one for ever.
fn draws(digits: &[u8]) -> Random {
    let digits = Mutex::new(VecDeque::from(digits.to_vec()));
    Random::new(move |bytes| {
        let mut digits = digits.lock().unwrap();
        let digit = digits.pop_front().unwrap_or(0x99);
        bytes.fill(digit);
    })
}

/// c' and the vouch's nonce.
pub(crate) fn client_draws() -> Random {
    draws(&[0x44, 0x56])
}

/// s', the cookie's key and nonce, and WELCOME's nonce.
pub(crate) fn server_draws() -> Random {
    draws(&[0x33, 0x55, 0x4b, 0x57])
}

/// What the peer of the connection under test needs: boxes between each side's permanent and transient keys, and the
/// commands of an undisturbed handshake.
struct Peer {
    /// Between C' and S.
    hello: SalsaBox,
    /// Between C' and S'.
    traffic: SalsaBox,
    /// HELLO, WELCOME, INITIATE and READY, as frames.
    genuine: [Vec<u8>; 4],
}

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let salsa = |public: u8, secret: u8| {
            let public = *keys(public).public().as_bytes();
            SalsaBox::new(&public.into(), &[secret; 32].into())
        };
        let (client, server) = (SocketType::Push, SocketType::Pull);
        Peer {
            hello: salsa(0x11, 0x44),
            traffic: salsa(0x33, 0x44),
            genuine: shake_hands(client, server).2,
        }
    })
}

/// A whole handshake: both sides, and what they said after their greetings.
fn shake_hands(client: SocketType, server: SocketType) -> (Connection, Connection, [Vec<u8>; 4]) {
    let now = Instant::now();
    let make = |kind, mechanism, random| {
        let mut config = config(kind, false);
        config.mechanism = mechanism;
        config.random = random;
        let mut connection = Connection::new(config, now);
        connection.feed(&greeting_of("CURVE", 1), now).unwrap();
        connection
    };
    let mut server = make(server, server_side(), server_draws());
    let mut client = make(client, client_side(), client_draws());
    server.control().clear();
    let hello = client.control().split()[64..].to_vec();
    server.feed(&hello, now).unwrap();
    let welcome = server.control().split().to_vec();
    client.feed(&welcome, now).unwrap();
    let initiate = client.control().split().to_vec();
    server.feed(&initiate, now).unwrap();
    let ready = server.control().split().to_vec();
    client.feed(&ready, now).unwrap();
    assert!(client.is_ready() && server.is_ready());
    for connection in [&mut client, &mut server] {
        assert!(matches!(connection.poll_event(), Some(Event::Ready(_))));
    }
    (client, server, [hello, welcome, initiate, ready])
}

fn boxed(salsa: &SalsaBox, prefix: &[u8], nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let nonce: [u8; 24] = [prefix, nonce].concat().try_into().unwrap();
    salsa.encrypt(&Nonce::from(nonce), text).unwrap()
}

/// The body of an undisturbed command behind its name.
fn genuine(which: usize) -> &'static [u8] {
    let frame = &peer().genuine[which];
    let header = zmtp::wire::frame::Header::parse(frame).unwrap();
    zmtp::wire::command::split_name(&frame[header.size..])
        .unwrap()
        .1
}

/// A box that opens, with `text` in it, in the command that a client sends.
fn forged_by_client(op: u8, counter: u8, text: &[u8]) -> Vec<u8> {
    let counter = u64::from(counter).to_be_bytes();
    let Peer { hello, traffic, .. } = peer();
    match op {
        0 => {
            let body = boxed(hello, b"CurveZMQHELLO---", &counter, text);
            let clear = &genuine(0)[..2 + 72 + 32];
            command(b"HELLO", &[clear, &counter, &body].concat())
        }
        1 => initiate(&counter, text),
        // With the client's key, nonce and vouch, and any property list.
        2 => initiate(
            &counter,
            &[&opened_initiate()[..32 + 16 + 80], text].concat(),
        ),
        _ => {
            let body = boxed(traffic, b"CurveZMQMESSAGEC", &counter, text);
            message(&counter, &body)
        }
    }
}

fn initiate(counter: &[u8; 8], text: &[u8]) -> Vec<u8> {
    let body = boxed(&peer().traffic, b"CurveZMQINITIATE", counter, text);
    let cookie = &genuine(2)[..96];
    command(b"INITIATE", &[cookie, counter, &body].concat())
}

/// What is in the undisturbed INITIATE's box.
fn opened_initiate() -> &'static [u8] {
    static OPENED: OnceLock<Vec<u8>> = OnceLock::new();
    OPENED.get_or_init(|| {
        let (clear, body) = genuine(2).split_at(96 + 8);
        let nonce: [u8; 24] = [b"CurveZMQINITIATE", &clear[96..]]
            .concat()
            .try_into()
            .unwrap();
        peer().traffic.decrypt(&Nonce::from(nonce), body).unwrap()
    })
}

/// The same by a server.
fn forged_by_server(op: u8, counter: u8, text: &[u8]) -> Vec<u8> {
    let long = [counter; 16];
    let counter = u64::from(counter).to_be_bytes();
    let Peer { hello, traffic, .. } = peer();
    match op {
        0 | 1 => command(
            b"WELCOME",
            &[&long[..], &boxed(hello, b"WELCOME-", &long, text)].concat(),
        ),
        2 => {
            let body = boxed(traffic, b"CurveZMQREADY---", &counter, text);
            command(b"READY", &[&counter[..], &body].concat())
        }
        _ => {
            let body = boxed(traffic, b"CurveZMQMESSAGES", &counter, text);
            message(&counter, &body)
        }
    }
}

fn message(counter: &[u8; 8], body: &[u8]) -> Vec<u8> {
    let mut frame = command(b"MESSAGE", &[counter, body].concat());
    frame[0] &= !zmtp::wire::frame::COMMAND;
    frame
}

/// A client whose server may do anything.
pub(crate) fn client(data: &[u8]) {
    one_side(data, false);
}

/// A server whose client may do anything.
pub(crate) fn server(data: &[u8]) {
    one_side(data, true);
}

fn one_side(data: &[u8], is_server: bool) {
    let mut input = Input::new(data);
    let kind = input.pick(&SocketType::ALL);
    let answer = input.pick(&ANSWERS);
    let (small, ask, seed) = (input.flag(), input.flag(), input.byte());
    let mut bytes = greeting_of("CURVE", 1);
    let raw = input.flag();
    let forge = if is_server {
        forged_by_client
    } else {
        forged_by_server
    };
    // The genuine commands of the other side, in turn.
    let mut turns = if is_server { [0, 2] } else { [1, 3] }.into_iter();
    while !raw && !input.is_empty() {
        let op = input.byte();
        match op % 8 {
            0 | 1 => {
                if let Some(turn) = turns.next() {
                    bytes.extend_from_slice(&peer().genuine[turn]);
                }
            }
            2 => bytes.extend_from_slice(input.piece()),
            op => {
                let counter = input.byte();
                bytes.extend_from_slice(&forge(op - 3, counter, input.piece()));
            }
        }
    }
    bytes.extend_from_slice(input.rest());
    let seen = observe(
        || {
            let mut config = config(kind, small);
            (config.mechanism, config.random) = if is_server {
                (server_side(), server_draws())
            } else {
                (client_side(), client_draws())
            };
            config.authenticate = ask;
            config
        },
        answer,
        &bytes,
        seed,
    );
    let ready = seen
        .events
        .iter()
        .any(|event| matches!(event, Event::Ready(_)));
    assert!(
        ready || seen.messages.is_empty(),
        "messages before the handshake"
    );
    if ready && ask && is_server {
        let asked = seen
            .events
            .iter()
            .any(|event| matches!(event, Event::Authenticate(_)));
        assert!(asked && answer.is_ok(), "nobody let the peer in");
    }
}

/// Traffic under CURVE. First messages that were sealed by the other side and are changed on their way: what arrives is
/// made of frames that were sent, in their order. Then anything in boxes that open.
pub(crate) fn sealed(data: &[u8]) {
    let mut input = Input::new(data);
    let now = Instant::now();
    let (mut client, server, _) = shake_hands(SocketType::Dealer, SocketType::Router);
    let (edits, seed) = (input.byte() % 4, input.byte());
    let edits: Vec<_> = (0..edits)
        .map(|_| (input.word(), input.byte(), input.byte()))
        .collect();
    let mut messages = Vec::new();
    for _ in 0..input.byte() % 16 {
        let mut message = Message::new();
        for _ in 0..=input.byte() % 3 {
            let piece = input.piece();
            // Some are large enough for a buffer of their own.
            let times = if input.byte() == 7 { 200 } else { 1 };
            message.push_back(piece.repeat(times));
        }
        messages.push(message);
    }
    let genuine = encoded(&mut client, &messages);
    let mut bytes = genuine.clone();
    for (at, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(at) % bytes.len();
        match kind % 4 {
            0 => bytes[at] ^= 1 << (byte % 8),
            1 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
            2 => bytes.extend_from_within(at..(at + usize::from(byte)).min(bytes.len())),
            _ => bytes.insert(at, byte),
        }
    }
    let mut watched = Watched::over(server);
    watched.give(&bytes, &mut Cuts::new(seed), 1 + usize::from(seed), now);
    let seen = &watched.seen;
    // Frames that are left out whole go unnoticed, as RFC 26 has it: a nonce must be above the last one, no more.
    let mut sent = messages.iter().flatten();
    for frame in seen.messages.iter().flatten() {
        assert!(
            sent.any(|candidate| candidate == frame),
            "something else than was sent"
        );
    }
    if bytes == genuine {
        assert_eq!(seen.messages, messages);
        assert_eq!(seen.end, None);
    }
    let opening = [
        &greeting_of("CURVE", 1)[..],
        &peer().genuine[0],
        &peer().genuine[2],
    ]
    .concat();
    let mut bytes = opening;
    let mut counter = 3;
    while !input.is_empty() {
        let op = input.byte();
        let text = input.piece();
        let text = [text, &text.repeat(if op & 16 == 0 { 0 } else { 100 })].concat();
        bytes.extend_from_slice(&forged_by_client(3, counter, &text));
        counter = counter.saturating_add(op % 8);
    }
    observe(
        || {
            let mut config = config(SocketType::XPub, seed & 2 == 2);
            (config.mechanism, config.random) = (server_side(), server_draws());
            // The opening is longer than the small limit.
            config.limits.max_handshake = 1000;
            config
        },
        Ok(()),
        &bytes,
        seed,
    );
}
