//! The vectors of WebSocket's framing (RFC 45): what is sent must be the same bytes, and what comes must be the frames that
//! they stand for. The two of HTTP are for who upgrades a connection.

use bytes::BytesMut;
use purezmq_zmtp::wire::command::Command;
use purezmq_zmtp::zws::{Framing, Side, Subprotocol};

use super::{Checked, Vector};

const GREETING: usize = 64;

/// The key of the vectors that are masked.
const KEY: [u8; 4] = [1, 2, 3, 4];

/// READY, as an engine says it and is told.
fn ready(kind: &str) -> Vec<u8> {
    let mut ready = b"\x04\x00\x05READY\x0bSocket-Type".to_vec();
    ready.extend((kind.len() as u32).to_be_bytes());
    ready.extend(kind.bytes());
    ready[1] = ready.len() as u8 - 2;
    ready
}

/// A side of a connection that begins: both greetings are through.
fn greeted(side: Side) -> Framing {
    let subprotocol = Subprotocol::choose("ZWS2.0/NULL", "NULL").expect("a subprotocol");
    let mut framing = Framing::new(side, subprotocol);
    let mut greeting = BytesMut::new();
    framing
        .receive(&mut BytesMut::new(), &mut greeting)
        .unwrap();
    assert_eq!(greeting.len(), GREETING);
    assert_eq!(sent(&mut framing, &[0; GREETING], GREETING), b""[..]);
    framing
}

/// One whose peer has said READY.
fn framing(side: Side) -> Framing {
    let mut framing = greeted(side);
    let other = match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    };
    let ready = ready("PUSH");
    let on_the_wire = sent(&mut greeted(other), &ready, ready.len());
    let came = received(&mut framing, &on_the_wire, on_the_wire.len());
    assert_eq!(came, ready);
    framing
}

/// What goes over the wire for this of ZMTP.
fn sent(framing: &mut Framing, zmtp: &[u8], step: usize) -> BytesMut {
    let mut out = BytesMut::new();
    for part in zmtp.chunks(step.min(zmtp.len())) {
        framing.send(part, || KEY, &mut out);
    }
    out
}

/// What the engine is given for this that has come.
fn received(framing: &mut Framing, bytes: &[u8], step: usize) -> BytesMut {
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    for part in bytes.chunks(step.min(bytes.len())) {
        input.extend_from_slice(part);
        framing.receive(&mut input, &mut out).unwrap();
    }
    assert_eq!(input, b""[..]);
    out
}

pub(super) fn check(vector: &Vector, bytes: &[u8], step: usize) -> Checked {
    let (from, to, zmtp) = match vector.name.as_str() {
        "zws-request-null" | "zws-response-null" => {
            let text = std::str::from_utf8(bytes).unwrap();
            let mut protocols = text.lines().filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                (name == "Sec-WebSocket-Protocol").then_some(value)
            });
            let protocols = protocols.next().expect("a subprotocol");
            let chosen = Subprotocol::choose(protocols, "NULL").expect("one that fits");
            assert_eq!(chosen.name(), "ZWS2.0/NULL");
            if vector.name == "zws-request-null" {
                assert_eq!(Subprotocol::offer("NULL"), protocols);
            }
            return Checked::NothingOfHttp;
        }
        "zws-msg-server" => (Side::Server, Side::Client, b"\x00\x02hi".to_vec()),
        "zws-msg-client-more" => (Side::Client, Side::Server, b"\x01\x01a".to_vec()),
        "zws-ready-client" => (Side::Client, Side::Server, ready("PUSH")),
        "zws-ping-server" => {
            let mut ping = BytesMut::new();
            let context = b"";
            Command::Ping { ttl: 0, context }.put(&mut ping);
            assert_eq!(sent(&mut framing(Side::Server), &ping, step), bytes);
            // It is answered without the engine, and the answer is one to its PING.
            let mut client = framing(Side::Client);
            assert_eq!(received(&mut client, bytes, step), b""[..]);
            let mut pong = BytesMut::new();
            client.put_answers(|| KEY, &mut pong);
            let came = received(&mut framing(Side::Server), &pong, step);
            assert_eq!(Command::parse(&came[2..]), Ok(Command::Pong(b"")));
            return Checked::Fully;
        }
        "zws-sub-server-view" => {
            // The payload alone: a frame round it is one of a client's.
            let frame = [b"\x00\x02", &bytes[1..]].concat();
            let on_the_wire = sent(&mut framing(Side::Client), &frame, step);
            let (header, masked) = on_the_wire.split_at(6);
            assert_eq!(header, [0x82, 0x83, 1, 2, 3, 4]);
            let payload = masked.iter().zip(KEY).map(|(byte, key)| byte ^ key);
            assert_eq!(payload.collect::<Vec<u8>>(), bytes);
            let came = received(&mut framing(Side::Server), &on_the_wire, step);
            assert_eq!(came, frame);
            return Checked::Fully;
        }
        name => panic!("no check for {name}"),
    };
    assert_eq!(
        sent(&mut framing(from), &zmtp, step),
        bytes,
        "{}",
        vector.name
    );
    assert_eq!(
        received(&mut framing(to), bytes, step),
        zmtp,
        "{}",
        vector.name
    );
    Checked::Fully
}
