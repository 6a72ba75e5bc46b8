//! What comes of input that is malformed, or that libzmq is lenient with.

use std::time::Duration;

use purezmq_zmtp::{Engine, Error, Incompatible, Message, Silence, SocketType, mechanism};

#[cfg(feature = "curve")]
use super::curve;
use super::peer::{GREETING, Peer, hex, messages_in, ready};
use super::{Checked, Vector, plain};

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

pub(super) fn check(vector: &Vector, step: usize) -> Checked {
    let name = vector.name.as_str();
    if name.starts_with("bad-plain") {
        plain::check_malformed(vector, step);
        return Checked::Fully;
    }
    #[cfg(feature = "curve")]
    if name.starts_with("bad-curve") {
        curve::check_malformed(vector, step);
        return Checked::Fully;
    }
    let kind: SocketType = vector.socket.as_ref().unwrap().parse().unwrap();
    let mut peer = Peer::with(kind, step, |config| {
        if name.starts_with("bad-tr-maxmsg") {
            config.limits.max_frame = if name.ends_with("-hs") { 20 } else { 30 };
        }
        if name.starts_with("bad-v") && name.ends_with("-reject") {
            // Security was asked for: nothing below 3.0 will do.
            config.mechanism = mechanism::Config::PlainServer;
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
            // The type by an ERROR command, the mechanism by the rest of the greeting.
            let is_told = matches!(
                error,
                Error::Incompatible(
                    Incompatible::SocketType { .. } | Incompatible::Mechanism { .. }
                )
            );
            assert_eq!(peer.connection.explain(&error), is_told, "{name}");
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
