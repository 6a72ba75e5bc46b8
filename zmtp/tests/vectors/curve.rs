//! The vectors of CURVE, made with fixed keys and nonces, which the connection is given in place of random ones; and
//! those of Z85.

use std::collections::VecDeque;
use std::sync::Mutex;

use purezmq_zmtp::mechanism::{self, KeyPair, SecretKey, z85};
use purezmq_zmtp::{Batch, Engine, Error, Message, Random, SocketType, Violation};

use super::Vector;
use super::peer::{Peer, hex, wire};

const CURVE: &str = "ff00000000000000007f030143555256450000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn check_z85(vector: &Vector, bytes: &[u8]) {
    let text = z85::encode(bytes).unwrap();
    assert_eq!(vector.meaning, format!("Z85 text: {text}"));
    assert_eq!(z85::decode(&text).unwrap()[..], *bytes);
}

fn secret(digit: u8) -> SecretKey {
    [digit; 32].into()
}

fn server_keys() -> KeyPair {
    secret(0x11).into()
}

fn curve_server() -> mechanism::Config {
    mechanism::Config::CurveServer {
        keys: server_keys(),
    }
}

fn client_config() -> mechanism::Config {
    mechanism::Config::CurveClient {
        keys: secret(0x22).into(),
        server: *server_keys().public(),
    }
}

/// Gives the next of `draws` each time: the digit that it is filled with.
fn draws(digits: &[u8]) -> Random {
    let digits = Mutex::new(VecDeque::from(digits.to_vec()));
    Random::new(move |bytes| bytes.fill(digits.lock().unwrap().pop_front().unwrap()))
}

/// c' and the vouch's nonce.
fn client(kind: SocketType, step: usize) -> Peer {
    Peer::with(kind, step, |config| {
        config.mechanism = client_config();
        config.random = draws(&[0x44, 0x56]);
    })
}

/// s', the cookie's key and nonce, and WELCOME's nonce.
fn server(kind: SocketType, step: usize) -> Peer {
    Peer::with(kind, step, |config| {
        config.mechanism = curve_server();
        config.random = draws(&[0x33, 0x55, 0x4b, 0x57]);
        // The vectors are single frames out of a connection.
        config.curve_gaps = true;
    })
}

/// What each side sends: HELLO, WELCOME, INITIATE, READY; and both sides.
fn shake_hands(client: &mut Peer, server: &mut Peer) -> [Vec<u8>; 4] {
    client.feed(&hex(CURVE)).unwrap();
    server.feed(&hex(CURVE)).unwrap();
    server.sent();
    let hello = client.sent()[64..].to_vec();
    server.feed(&hello).unwrap();
    let welcome = server.sent().to_vec();
    client.feed(&welcome).unwrap();
    let initiate = client.sent().to_vec();
    server.feed(&initiate).unwrap();
    let ready = server.sent().to_vec();
    client.feed(&ready).unwrap();
    client.info();
    server.info();
    [hello, welcome, initiate, ready]
}

fn sealed(peer: &mut Peer, message: impl Into<Message>) -> Vec<u8> {
    let mut batch = Batch::new();
    batch.push(&message.into(), usize::MAX);
    peer.connection.encode(&mut batch);
    wire(&batch)
}

pub(super) fn check(vector: &Vector, bytes: &[u8], step: usize) {
    let mut client = client(SocketType::Push, step);
    let mut server = server(SocketType::Pull, step);
    if vector.name == "curve-error-400" {
        client.feed(&hex(CURVE)).unwrap();
        let error = client.feed(bytes).unwrap_err();
        let reason = "400".to_owned();
        assert_eq!(error, Error::Refused { reason });
        return;
    }
    if vector.name.ends_with("subscribe") {
        server = self::server(SocketType::XPub, step);
        client = self::client(SocketType::Sub, step);
    }
    let commands = shake_hands(&mut client, &mut server);
    let command = match vector.name.as_str() {
        "curve-hello" => 0,
        "curve-welcome" => 1,
        "curve-initiate-push" => 2,
        "curve-ready-pull" => 3,
        _ => return check_traffic(vector, bytes, client, server),
    };
    assert_eq!(commands[command], bytes);
}

fn check_traffic(vector: &Vector, bytes: &[u8], mut client: Peer, mut server: Peer) {
    match vector.name.as_str() {
        "curve-message-client-3" => {
            assert_eq!(sealed(&mut client, "hello"), bytes);
            server.feed(bytes).unwrap();
            assert_eq!(server.messages(), ["hello"]);
        }
        "curve-message-server-2" => {
            assert_eq!(sealed(&mut server, "world"), bytes);
            client.feed(bytes).unwrap();
            assert_eq!(client.messages(), ["world"]);
        }
        "curve-message-more" => {
            sealed(&mut client, "third");
            let whole = sealed(&mut client, ["part1", "rest"]);
            assert!(whole.starts_with(bytes));
            server.feed(bytes).unwrap();
            assert!(server.messages().is_empty());
            server.feed(&whole[bytes.len()..]).unwrap();
            assert_eq!(server.messages(), [Message::from(["part1", "rest"])]);
        }
        "curve-message-subscribe" => {
            for _ in 3..5 {
                sealed(&mut client, "not a subscription");
            }
            assert_eq!(sealed(&mut client, &[1, b'A'][..]), bytes);
            server.feed(bytes).unwrap();
            assert_eq!(server.messages(), [Message::from([1, b'A'])]);
        }
        "curve-message-ping" => {
            server.feed(bytes).unwrap();
            assert!(server.messages().is_empty());
            let pong = server.sent();
            // Name, counter, tag and flags around the PONG.
            assert_eq!(pong.len(), 2 + 33 + 5);
            assert_eq!(pong[2..10], *b"\x07MESSAGE");
            client.feed(&pong).unwrap();
            assert!(client.messages().is_empty());
        }
        "curve-message-outer-command-bit" => {
            server.feed(bytes).unwrap();
            assert_eq!(server.messages().len(), 1);
            let ours = sealed(&mut client, "x");
            assert_eq!(ours[0], 0, "libzmq drops what has the bit");
        }
        name => panic!("no check for {name}"),
    }
}

/// Malformed CURVE: what comes of it, with the error that says so.
pub(super) fn check_malformed(vector: &Vector, step: usize) {
    let name = vector.name.as_str();
    if vector.steps.is_empty() {
        return check_malformed_traffic(name, &hex(&vector.hex), step);
    }
    let mut peer = Peer::with(SocketType::Pull, step, |config| {
        config.mechanism = curve_server();
    });
    let mut result = Ok(());
    for bytes in &vector.steps {
        result = peer.feed(&hex(bytes));
    }
    let expected = match name {
        "bad-curve-empty-cmd" => Violation::MalformedCommand,
        "bad-curve-hello-notcmd" => Violation::UnexpectedCommand("READY".into()),
        "bad-curve-hello-short" | "bad-curve-hello-badver" => Violation::Malformed("HELLO"),
        "bad-curve-hello-badbox" => Violation::Box,
        name => panic!("no check for {name}"),
    };
    assert_eq!(result, Err(expected.into()), "{name}");
    assert!(!peer.connection.is_ready());
}

fn check_malformed_traffic(name: &str, bytes: &[u8], step: usize) {
    let mut client = client(SocketType::Push, step);
    let mut server = server(SocketType::Pull, step);
    shake_hands(&mut client, &mut server);
    let before = sealed(&mut client, "before");
    server.feed(&before).unwrap();
    let error = server.feed(bytes).unwrap_err();
    let expected = match name {
        "bad-curve-nonce-reuse" => Violation::Nonce,
        "bad-curve-message-too-short" => Violation::Malformed("MESSAGE"),
        "bad-curve-message-badbox" => Violation::Box,
        "bad-curve-plain-frame-in-traffic" => Violation::Unsealed,
        name => panic!("no check for {name}"),
    };
    assert_eq!(error, Error::Violation(expected), "{name}");
    assert_eq!(
        server.messages(),
        ["before"],
        "what came before it was whole"
    );
}
