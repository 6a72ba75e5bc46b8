//! The wire vectors, each run whole and byte by byte against [`purezmq_zmtp::Connection`].
//!
//! `wire-vectors.json` holds bytes captured from libzmq or derived from the RFCs, with the
//! reaction to implement. Every vector is either run as what it is, or named in one of the lists
//! below with the reason why this crate can only check its outer form; the counts are asserted,
//! so none is skipped silently.

#[cfg(feature = "curve")]
mod curve;
mod peer;
mod plain;
mod reactions;
mod udp;
mod zws;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use purezmq_zmtp::wire::frame::Header;
use purezmq_zmtp::wire::greeting::{self, Greeting};
use purezmq_zmtp::{Batch, Engine, Error, Heartbeat, Incompatible, Message, SocketType, Version};
use serde::Deserialize;

use self::peer::{GREETING, GREETING_3_0, Peer, SIGNATURE, hex, wire};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    category: String,
    /// What the bytes are; the text of Z85.
    #[cfg_attr(not(feature = "curve"), expect(dead_code))]
    meaning: String,
    hex: String,
    expect: Option<String>,
    socket: Option<String>,
    #[serde(default)]
    steps: Vec<String>,
    observed: Option<Observed>,
}

#[derive(Deserialize)]
struct Observed {
    delivered: Option<Vec<Vec<String>>>,
}

/// How much of a vector this crate can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Checked {
    /// All of it.
    Fully,
    /// The socket, not the connection, judges envelopes and groups: the connection must deliver
    /// the messages whole.
    MessagesOfSocket,
    /// Before there is a connection: the upgrade to WebSocket, of which this crate has the subprotocols' names.
    NothingOfHttp,
    /// Not on the wire: monitor events, the form of an address.
    NothingOfApplication,
    /// CURVE, in a build without it.
    NothingOfCurve,
}

#[test]
fn every_vector_whole_and_byte_by_byte() {
    let file: File = serde_json::from_str(include_str!("../wire-vectors.json")).unwrap();
    let mut counts = BTreeMap::new();
    for vector in &file.vectors {
        let whole = check(vector, usize::MAX);
        assert_eq!(whole, check(vector, 1), "{}", vector.name);
        assert_eq!(whole, check(vector, 3), "{}", vector.name);
        *counts.entry(whole).or_insert(0) += 1;
    }
    // Without CURVE, its vectors are known and left alone.
    let of_curve = counts.remove(&Checked::NothingOfCurve).unwrap_or(0);
    assert_eq!(of_curve == 0, cfg!(feature = "curve"));
    *counts.entry(Checked::Fully).or_insert(0) += of_curve;
    let expected = BTreeMap::from([
        (Checked::Fully, 208),
        (Checked::MessagesOfSocket, 11),
        (Checked::NothingOfHttp, 2),
        (Checked::NothingOfApplication, 2),
    ]);
    assert_eq!(file.vectors.len(), 223);
    assert_eq!(counts, expected);
}

fn check(vector: &Vector, step: usize) -> Checked {
    let bytes = hex(&vector.hex);
    let of_curve =
        matches!(&vector.category[..], "curve" | "z85") || vector.name.starts_with("bad-curve");
    if of_curve && cfg!(not(feature = "curve")) {
        return Checked::NothingOfCurve;
    }
    match vector.category.as_str() {
        "greeting" => check_greeting(vector, &bytes, step),
        "null-handshake" => check_null_handshake(vector, &bytes, step),
        "frames" => check_frames(vector, &bytes, step),
        "pubsub" => check_pubsub(vector, &bytes, step),
        "heartbeat" => check_heartbeat(vector, &bytes, step),
        "zmtp2" | "zmtp1" => check_old_versions(vector, &bytes, step),
        "radio-dish" => check_radio_dish(vector, &bytes, step),
        "malformed" | "lenient" => return reactions::check(vector, step),
        "plain" => plain::check(vector, &bytes, step),
        #[cfg(feature = "curve")]
        "curve" => curve::check(vector, &bytes, step),
        #[cfg(feature = "curve")]
        "z85" => curve::check_z85(vector, &bytes),
        "udp" => return udp::check(vector, &bytes),
        "zws" => return zws::check(vector, &bytes, step),
        "monitor" => return Checked::NothingOfApplication,
        other => panic!("unknown category {other}"),
    }
    Checked::Fully
}

fn check_greeting(vector: &Vector, bytes: &[u8], step: usize) {
    let mut peer = Peer::new(SocketType::Pull, step);
    match vector.name.as_str() {
        "greeting-part1-signature" => assert_eq!(peer.sent(), bytes),
        "greeting-part1-signature-id3" => {
            // libzmq says the length for every type, also for those that announce no identity.
            for kind in SocketType::ALL {
                let mut peer = Peer::with(kind, step, |config| config.routing_id = "id1".into());
                assert_eq!(peer.sent(), bytes, "{kind}");
            }
        }
        "greeting-part2-major" => {
            peer.sent();
            peer.feed(&hex(SIGNATURE)).unwrap();
            assert_eq!(peer.sent(), bytes);
        }
        "greeting-part3-null" => {
            peer.feed(&hex(SIGNATURE)).unwrap();
            peer.sent();
            peer.feed(&[3]).unwrap();
            assert_eq!(peer.sent(), bytes);
        }
        "greeting-part3-plain-server" | "greeting-part3-curve-server" => {
            let mut whole = hex(SIGNATURE);
            whole.push(3);
            whole.extend_from_slice(bytes);
            let greeting = Greeting::parse(whole[..].try_into().unwrap());
            let name = if vector.name.contains("plain") {
                "PLAIN"
            } else {
                "CURVE"
            };
            assert_eq!(greeting.mechanism, greeting::pad_mechanism(name));
            assert!(!greeting.as_server);
            let mut out = BytesMut::new();
            greeting.put_rest(&mut out);
            assert_eq!(out, bytes);
        }
        "greeting-full-3.1-curve-server" => {
            assert!(Greeting::parse(bytes.try_into().unwrap()).as_server);
            assert!(matches!(
                peer.feed(bytes),
                Err(Error::Incompatible(Incompatible::Mechanism { .. }))
            ));
        }
        name => {
            peer.feed(bytes).unwrap();
            let info = peer.shake_hands("PUSH");
            let minor = if name == "greeting-full-3.0-null" {
                Version::V3_0
            } else {
                Version::V3_1
            };
            assert_eq!(info.version, Some(minor), "{name}");
        }
    }
}

fn check_null_handshake(vector: &Vector, bytes: &[u8], step: usize) {
    let name = vector.name.strip_prefix("ready-");
    match (vector.name.as_str(), name) {
        ("ready-with-x-property", _) => {
            let mut pull = Peer::new(SocketType::Pull, step);
            pull.feed(&hex(GREETING)).unwrap();
            pull.feed(bytes).unwrap();
            assert_eq!(pull.info().properties.get("X-Foo"), Some(&b"bar"[..]));
            let mut push = Peer::with(SocketType::Push, step, |config| {
                config.metadata.push("X-Foo", "bar").unwrap();
            });
            push.feed(&hex(GREETING)).unwrap();
            assert_eq!(&push.sent()[64..], bytes);
        }
        ("ready-long-frame-form", _) => {
            let mut pull = Peer::new(SocketType::Pull, step);
            pull.feed(&hex(GREETING)).unwrap();
            pull.feed(bytes).unwrap();
            assert_eq!(pull.info().socket_type, Some(SocketType::Push));
        }
        (_, Some(name)) => {
            let (name, id) = match name.strip_suffix("-id1") {
                Some(name) => (name, "id1"),
                None => (name, ""),
            };
            let kind: SocketType = name.to_uppercase().parse().unwrap();
            let mut own = Peer::with(kind, step, |config| config.routing_id = id.into());
            own.feed(&hex(GREETING)).unwrap();
            assert_eq!(&own.sent()[64..], bytes, "{}", vector.name);
            // And as input, to a socket of some legal type.
            let other = SocketType::ALL
                .into_iter()
                .find(|other| kind.accepts(*other));
            let mut other = Peer::new(other.unwrap(), step);
            other.feed(&hex(GREETING)).unwrap();
            other.feed(bytes).unwrap();
            let info = other.info();
            assert_eq!(info.socket_type, Some(kind));
            assert_eq!(info.routing_id, id);
        }
        (name, None) => {
            let mut pull = Peer::new(SocketType::Pull, step);
            pull.feed(&hex(GREETING)).unwrap();
            let error = pull.feed(bytes).unwrap_err();
            let reason = name["error-".len()..][..3].to_owned();
            assert_eq!(error, Error::Refused { reason });
        }
    }
}

fn check_frames(vector: &Vector, bytes: &[u8], step: usize) {
    let mut pull = Peer::ready(SocketType::Pull, "PUSH", step);
    pull.feed(bytes).unwrap();
    let mut messages = pull.messages();
    match vector.name.as_str() {
        "frame-short-more" => {
            assert!(messages.is_empty());
            pull.feed(&hex("000162")).unwrap();
            assert_eq!(pull.messages(), [Message::from(["a", "b"])]);
        }
        "frame-long-nonminimal" => assert_eq!(messages, [Message::from("abc")]),
        _ => {
            // What we would send for the same message is the same bytes.
            assert_eq!(messages.len(), 1);
            let message = messages.pop().unwrap();
            for by_reference_from in [0, usize::MAX] {
                let mut batch = Batch::new();
                batch.push(&message, by_reference_from);
                assert_eq!(wire(&batch), bytes, "{}", vector.name);
            }
        }
    }
}

fn check_pubsub(vector: &Vector, bytes: &[u8], step: usize) {
    let long = |n: usize| vec![b'z'; n];
    let emitted = |greeting: &str, first: u8, topic: &[u8]| {
        let mut sub = Peer::new(SocketType::Sub, step);
        sub.feed(&hex(greeting)).unwrap();
        if greeting.len() == 2 * 64 {
            sub.shake_hands("PUB");
        } else {
            sub.info();
        }
        let mut batch = Batch::new();
        batch.push(&Message::from([&[first], topic].concat()), usize::MAX);
        sub.connection.encode(&mut batch);
        let out = wire(&batch);
        assert_eq!(batch.advance(out.len() - 1), 0);
        assert_eq!(batch.advance(1), 1);
        out
    };
    let received = |greeting: &str| {
        let mut xpub = Peer::new(SocketType::XPub, step);
        xpub.feed(&hex(greeting)).unwrap();
        xpub.shake_hands("SUB");
        xpub.feed(bytes).unwrap();
        xpub.messages()
    };
    match vector.name.as_str() {
        "subscribe-3.1" => assert_eq!(emitted(GREETING, 1, b"A"), bytes),
        "cancel-3.1" => assert_eq!(emitted(GREETING, 0, b"A"), bytes),
        "subscribe-3.1-empty" => assert_eq!(emitted(GREETING, 1, b""), bytes),
        "cancel-3.1-empty" => assert_eq!(emitted(GREETING, 0, b""), bytes),
        "subscribe-3.1-245" => assert_eq!(emitted(GREETING, 1, &long(245)), bytes),
        "subscribe-3.1-246" => assert_eq!(emitted(GREETING, 1, &long(246)), bytes),
        "subscribe-3.0" => assert_eq!(emitted(GREETING_3_0, 1, b"A"), bytes),
        "cancel-3.0" => assert_eq!(emitted(GREETING_3_0, 0, b"A"), bytes),
        "subscribe-1.0" => assert_eq!(emitted("0100", 1, b"A"), bytes),
        "cancel-1.0" => assert_eq!(emitted("0100", 0, b"A"), bytes),
        "subscribe-3.0-255-libzmq-bug" => {
            assert_eq!(vector.expect.as_deref(), Some("do-not-emit"));
            let legal = emitted(GREETING_3_0, 1, &long(255));
            assert_ne!(legal, bytes);
            let header = Header::parse(&legal).unwrap();
            assert_eq!((header.size, header.len), (9, 256));
            assert_eq!(legal[9..], bytes[9..]);
        }
        "xsub-app-message-01B" => {
            // We emit the command instead; publishers must take both.
            assert_eq!(received(GREETING), [Message::from([1, b'B'])]);
        }
        "xpub-accepts-msg-form-3.1" => {
            assert_eq!(received(GREETING), [Message::from([1, b'A'])]);
        }
        "xpub-accepts-cmd-form-3.0" => {
            assert_eq!(received(GREETING_3_0), [Message::from([1, b'A'])]);
        }
        name => panic!("no check for {name}"),
    }
    if vector.name.contains("-3.1") && vector.name != "xpub-accepts-msg-form-3.1" {
        let first = u8::from(vector.name.starts_with("subscribe"));
        let [message] = &received(GREETING)[..] else {
            panic!("{}", vector.name)
        };
        assert_eq!(message.payload()[0], first);
    }
}

fn check_heartbeat(vector: &Vector, bytes: &[u8], step: usize) {
    let answer = |ping: &[u8]| {
        let mut pull = Peer::ready(SocketType::Pull, "PUSH", step);
        pull.feed(ping).unwrap();
        assert!(pull.messages().is_empty());
        pull.sent()
    };
    let asked = |ttl: u64| {
        let mut pull = Peer::with(SocketType::Pull, step, |config| {
            let mut heartbeat = Heartbeat::every(Duration::from_secs(1));
            heartbeat.ttl = Duration::from_millis(ttl);
            config.heartbeat = Some(heartbeat);
        });
        pull.feed(&hex(GREETING)).unwrap();
        pull.shake_hands("PUSH");
        pull.sent();
        pull.now += Duration::from_secs(1);
        pull.connection.handle_timeout(pull.now).unwrap();
        pull.sent()
    };
    match vector.name.as_str() {
        "ping-ttl0" => assert_eq!(asked(0), bytes),
        "ping-ttl2s" => assert_eq!(asked(2000), bytes),
        "pong-empty" => assert_eq!(answer(&hex("04070450494e470000")), bytes),
        "ping-context" => assert_eq!(answer(bytes), hex("040904504f4e4763747831")),
        "pong-context" => assert_eq!(answer(&hex("040b0450494e47000063747831")), bytes),
        "pong-context16-truncated" => {
            let ping = b"\x04\x1b\x04PING\0\x000123456789abcdefGHIJ";
            assert_eq!(answer(ping), bytes);
        }
        name => panic!("no check for {name}"),
    }
    if vector.name.starts_with("pong") {
        assert!(answer(bytes).is_empty(), "a PONG needs no answer");
    }
}

fn check_old_versions(vector: &Vector, bytes: &[u8], step: usize) {
    let reply = |kind: SocketType, id: &'static str, theirs: &str| {
        let mut peer = Peer::with(kind, step, |config| config.routing_id = id.into());
        peer.feed(&hex(theirs)).unwrap();
        peer.sent()
    };
    let delivered = |kind: SocketType| {
        let mut peer = Peer::new(kind, step);
        peer.feed(bytes).unwrap();
        let info = peer.info();
        assert_eq!(info.socket_type, None);
        (info.version, info.routing_id, peer.messages())
    };
    let v2_push = "ff00000000000000017f0108";
    match vector.name.as_str() {
        "v2.0-reply-pull" => assert_eq!(reply(SocketType::Pull, "", v2_push), bytes),
        "v2.0-reply-router-id" => {
            let dealer = "ff00000000000000017f0105";
            assert_eq!(reply(SocketType::Router, "rt", dealer), bytes);
        }
        "v2.0-peer-push" => {
            let (version, id, messages) = delivered(SocketType::Pull);
            assert_eq!((version, &id[..]), (Some(Version::V2_0), &b""[..]));
            assert_eq!(messages, [Message::from("hi")]);
        }
        "v1.0-reply-anon" => assert_eq!(reply(SocketType::Pull, "", "0100"), bytes),
        "v1.0-reply-id" => assert_eq!(reply(SocketType::Pull, "me", "0100"), bytes),
        "v1.0-peer-anon-msg" => {
            let (version, id, messages) = delivered(SocketType::Pull);
            assert_eq!((version, &id[..]), (Some(Version::V1_0), &b""[..]));
            assert_eq!(messages, [Message::from("hi")]);
        }
        "v1.0-peer-ident-multipart" => {
            let (_, id, messages) = delivered(SocketType::Router);
            assert_eq!(id, "abc");
            assert_eq!(messages, [Message::from(["hi", "!"])]);
        }
        "v1.0-rev0-reply" => {
            let rev0 = "ff00000000000000017f0008";
            assert_eq!(reply(SocketType::Pull, "", rev0), bytes);
        }
        name => panic!("no check for {name}"),
    }
}

fn check_radio_dish(vector: &Vector, bytes: &[u8], step: usize) {
    let first = match vector.name.as_str() {
        "join" => 1,
        "leave" => 0,
        "radio-message" => {
            let mut dish = Peer::ready(SocketType::Dish, "RADIO", step);
            dish.feed(bytes).unwrap();
            assert_eq!(dish.messages(), [Message::from(["grp", "body"])]);
            return;
        }
        name => panic!("no check for {name}"),
    };
    let message = Message::from([&[first], &b"grp"[..]].concat());
    let mut dish = Peer::ready(SocketType::Dish, "RADIO", step);
    let mut batch = Batch::new();
    batch.push(&message, usize::MAX);
    dish.connection.encode(&mut batch);
    assert_eq!(wire(&batch), bytes);
    let mut radio = Peer::ready(SocketType::Radio, "DISH", step);
    radio.feed(bytes).unwrap();
    assert_eq!(radio.messages(), [message]);
}
