//! The wire vectors, each run whole and byte by byte against [`purezmq_zmtp::Connection`].
//!
//! `wire-vectors.json` holds bytes captured from libzmq or derived from the RFCs, with the
//! reaction to implement. Every vector is either run as what it is, or named in one of the lists
//! below with the reason why this crate can only check its outer form; the counts are asserted,
//! so none is skipped silently.

#[path = "vectors/security.rs"]
mod security;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use purezmq_zmtp::mechanism::z85;
use purezmq_zmtp::wire::command::Command;
use purezmq_zmtp::wire::frame::Header;
use purezmq_zmtp::wire::greeting::{self, Greeting};
use purezmq_zmtp::{
    Batch, Config, Connection, Engine, Error, Event, Heartbeat, Incompatible, Message, PeerInfo,
    Silence, SocketType, Version,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    category: String,
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
    /// Not ZMTP over a stream: UDP datagrams.
    NothingOfUdp,
    /// Not ZMTP over a stream: WebSocket framing.
    NothingOfWebSocket,
    /// Not on the wire: monitor events.
    NothingOfApplication,
}

#[test]
fn every_vector_whole_and_byte_by_byte() {
    let file: File = serde_json::from_str(include_str!("wire-vectors.json")).unwrap();
    let mut counts = BTreeMap::new();
    for vector in &file.vectors {
        let whole = check(vector, usize::MAX);
        assert_eq!(whole, check(vector, 1), "{}", vector.name);
        assert_eq!(whole, check(vector, 3), "{}", vector.name);
        *counts.entry(whole).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([
        (Checked::Fully, 194),
        (Checked::MessagesOfSocket, 11),
        (Checked::NothingOfUdp, 5),
        (Checked::NothingOfWebSocket, 7),
        (Checked::NothingOfApplication, 1),
    ]);
    assert_eq!(file.vectors.len(), 218);
    assert_eq!(counts, expected);
}

fn check(vector: &Vector, step: usize) -> Checked {
    let bytes = hex(&vector.hex);
    match vector.category.as_str() {
        "greeting" => check_greeting(vector, &bytes, step),
        "null-handshake" => check_null_handshake(vector, &bytes, step),
        "frames" => check_frames(vector, &bytes, step),
        "pubsub" => check_pubsub(vector, &bytes, step),
        "heartbeat" => check_heartbeat(vector, &bytes, step),
        "zmtp2" | "zmtp1" => check_old_versions(vector, &bytes, step),
        "radio-dish" => check_radio_dish(vector, &bytes, step),
        "malformed" | "lenient" => return check_reaction(vector, step),
        "plain" => security::check_plain(vector, &bytes, step),
        "curve" => security::check_curve(vector, &bytes, step),
        "z85" => {
            let text = z85::encode(&bytes).unwrap();
            assert_eq!(vector.meaning, format!("Z85 text: {text}"));
            assert_eq!(z85::decode(&text).unwrap()[..], bytes);
        }
        "udp" => return Checked::NothingOfUdp,
        "zws" => return Checked::NothingOfWebSocket,
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

/// Where we do otherwise than `expect` says, by a decision recorded in the vector's own meaning
/// or in the standard: name, and what we do.
const OVERRIDES: [(&str, Reaction); 8] = [
    // libzmq takes a browser for a ZMTP 1.0 peer, and its request for messages.
    ("bad-greet-sig-garbage", Reaction::Close),
    // A wrong type under a lower-case name, which libzmq does not recognise and the RFC does.
    ("bad-hs-lower-propname", Reaction::Close),
    // Its sender had our READY on its way; refusing helps nobody.
    ("bad-pipelined-msg-after-ready", Reaction::Deliver(&["hi"])),
    // libzmq answers with bytes from its own memory.
    ("bad-ping-short-nottl", Reaction::Deliver(&["x"])),
    ("bad-ping-short-1", Reaction::Deliver(&["x"])),
    // libzmq computes in 16 bits and closes after 64 ms.
    ("bad-ping-ttl-656ds-wrap", Reaction::CloseAfter(65_600)),
    // libzmq delivers the command's body as a message.
    ("bad-sub-to-pull", Reaction::Deliver(&["x"])),
    // libzmq's DISH closes on any command.
    ("bad-dish-ping", Reaction::Deliver(&[])),
];

#[derive(Clone, Copy, Debug)]
enum Reaction {
    Close,
    CloseAfter(u64),
    Deliver(&'static [&'static str]),
}

fn check_reaction(vector: &Vector, step: usize) -> Checked {
    let name = vector.name.as_str();
    if name.starts_with("bad-plain") || name.starts_with("bad-curve") {
        security::check_malformed(vector, step);
        return Checked::Fully;
    }
    let kind: SocketType = vector.socket.as_ref().unwrap().parse().unwrap();
    let mut peer = Peer::with(kind, step, |config| {
        if name.starts_with("bad-tr-maxmsg") {
            config.limits.max_frame = if name.ends_with("-hs") { 20 } else { 30 };
        }
        if name.starts_with("bad-v") && name.ends_with("-reject") {
            // Security was asked for: nothing below 3.0 will do.
            config.mechanism = security::curve_server();
        }
    });
    let mut steps: Vec<Vec<u8>> = vector.steps.iter().map(|step| hex(step)).collect();
    if steps.is_empty() {
        let other = SocketType::ALL
            .into_iter()
            .find(|other| kind.accepts(*other));
        steps = vec![
            hex(GREETING),
            ready(other.unwrap().name()),
            hex(&vector.hex),
        ];
    }
    let result = steps.iter().try_for_each(|bytes| peer.feed(bytes));
    let messages = peer.messages();
    let socket_judges = matches!(
        name,
        "bad-req-unexpected"
            | "bad-req-badenv"
            | "bad-req-4byte"
            | "bad-req-extra-frames"
            | "bad-rep-noenv"
            | "bad-rep-noenv2"
            | "bad-rep-only-delim"
            | "bad-dish-no-group-frame"
            | "bad-dish-three-frames"
            | "bad-dish-group-256"
            | "bad-server-multipart"
    );
    if socket_judges {
        result.unwrap();
        let sent: usize = steps
            .iter()
            .map(|bytes| messages_in(bytes.strip_prefix(&hex(GREETING)[..]).unwrap_or(bytes)))
            .sum();
        assert_eq!(messages.len(), sent, "{name}");
        assert!(!messages.is_empty());
        return Checked::MessagesOfSocket;
    }
    if let Some((_, reaction)) = OVERRIDES.iter().find(|(other, _)| *other == name) {
        match reaction {
            Reaction::Close => assert!(result.is_err(), "{name}"),
            Reaction::CloseAfter(ms) => {
                result.unwrap();
                assert_eq!(peer.closes_after(), Duration::from_millis(*ms), "{name}");
            }
            Reaction::Deliver(expected) => {
                result.unwrap();
                assert_eq!(messages, *expected, "{name}");
                let sent = peer.sent();
                let answered = sent.windows(4).any(|name| name == b"PONG");
                assert_eq!(answered, name == "bad-dish-ping");
            }
        }
        return Checked::Fully;
    }
    let expect = vector.expect.as_deref().unwrap();
    match expect {
        "wait" => {
            result.unwrap();
            assert!(!peer.connection.is_ready() && messages.is_empty(), "{name}");
        }
        "close after ZMQ_HANDSHAKE_IVL" => {
            result.unwrap();
            assert_eq!(peer.closes_after(), Duration::from_secs(30), "{name}");
            let error = peer.connection.handle_timeout(peer.now).unwrap_err();
            assert_eq!(error, Error::Silent(Silence::Handshake));
        }
        "close after 300 ms" => {
            result.unwrap();
            assert_eq!(peer.closes_after(), Duration::from_millis(300), "{name}");
        }
        _ if expect.starts_with("close") => {
            let error = result.expect_err(name);
            if expect.contains("no reconnect") {
                let is_final = matches!(error, Error::Refused { .. } | Error::Incompatible(_));
                assert!(is_final, "{name}");
            }
            let wrong_type = matches!(error, Error::Incompatible(Incompatible::SocketType { .. }));
            assert_eq!(peer.connection.explain(&error), wrong_type, "{name}");
            assert!(messages.is_empty(), "{name}");
        }
        _ if expect.starts_with("accept")
            || expect.starts_with("ignore")
            || expect.starts_with("deliver") =>
        {
            result.unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut info = None;
            if peer.connection.is_ready() {
                info = Some(peer.info());
            }
            let delivered: Vec<Message> = messages
                .into_iter()
                .map(|mut message| {
                    if kind == SocketType::Router {
                        message.push_front(info.as_ref().unwrap().routing_id.clone());
                    }
                    message
                })
                .collect();
            let observed = vector.observed.as_ref().unwrap().delivered.as_ref();
            let expected: Vec<Message> = observed
                .unwrap()
                .iter()
                .map(|frames| frames.iter().map(|frame| hex(frame)).collect())
                .collect();
            assert_eq!(delivered, expected, "{name}");
        }
        other => panic!("{name}: no check for {other:?}"),
    }
    Checked::Fully
}

// ---- one connection under test, fed `step` bytes at a time

const SIGNATURE: &str = "ff00000000000000007f";
const GREETING: &str = "ff00000000000000007f03014e554c4c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
const GREETING_3_0: &str = "ff00000000000000007f03004e554c4c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

struct Peer {
    connection: Connection,
    start: Instant,
    now: Instant,
    step: usize,
}

impl Peer {
    fn new(kind: SocketType, step: usize) -> Self {
        Self::with(kind, step, |_| {})
    }

    fn with(kind: SocketType, step: usize, change: impl FnOnce(&mut Config)) -> Self {
        let now = Instant::now();
        let mut config = Config::new(kind);
        change(&mut config);
        Self {
            connection: Connection::new(config, now),
            start: now,
            now,
            step,
        }
    }

    /// After the handshake with a 3.1 peer of type `other`; its output is dropped.
    fn ready(kind: SocketType, other: &str, step: usize) -> Self {
        let mut peer = Self::new(kind, step);
        peer.feed(&hex(GREETING)).unwrap();
        peer.shake_hands(other);
        peer.sent();
        peer
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for part in bytes.chunks(self.step.min(bytes.len().max(1))) {
            self.connection.feed(part, self.now)?;
        }
        Ok(())
    }

    fn shake_hands(&mut self, other: &str) -> PeerInfo {
        assert!(!self.connection.is_ready());
        self.feed(&ready(other)).unwrap();
        self.info()
    }

    fn info(&mut self) -> PeerInfo {
        assert!(self.connection.is_ready());
        match self.connection.poll_event() {
            Some(Event::Ready(info)) => info,
            other => panic!("{other:?}"),
        }
    }

    fn sent(&mut self) -> BytesMut {
        self.connection.control().split()
    }

    fn messages(&mut self) -> Vec<Message> {
        let mut batch = self.connection.take_messages();
        let len = batch.len();
        let messages: Vec<Message> = std::iter::from_fn(|| batch.pop()).collect();
        assert_eq!(messages.len(), len);
        messages
    }

    /// Lets time pass until the connection ends.
    fn closes_after(&mut self) -> Duration {
        loop {
            self.now = self.connection.next_timeout().expect("never closes");
            if self.connection.handle_timeout(self.now).is_err() {
                return self.now - self.start;
            }
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn ready(kind: &str) -> Vec<u8> {
    let mut properties = purezmq_zmtp::Metadata::new();
    properties.push("Socket-Type", kind.to_owned()).unwrap();
    let mut list = BytesMut::new();
    properties.put(&mut list);
    let mut out = BytesMut::new();
    Command::Ready(&list).put(&mut out);
    out.to_vec()
}

fn wire(batch: &Batch) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let used = batch.io_slices(&mut slices);
    let bytes: Vec<u8> = slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    assert_eq!(bytes.len(), batch.byte_len());
    bytes
}

/// The number of messages in whole 3.x frames.
fn messages_in(mut bytes: &[u8]) -> usize {
    let mut messages = 0;
    while let Some(header) = Header::parse(bytes) {
        messages += usize::from(!header.command() && !header.more());
        bytes = &bytes[header.size + header.len as usize..];
    }
    messages
}
