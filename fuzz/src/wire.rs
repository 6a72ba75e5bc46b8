//! The grammar: greeting, frames, commands.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use zmtp::mechanism::Config as Mechanism;
use zmtp::wire::command::{Command, CommandError, MAX_CONTEXT};
use zmtp::wire::frame::{self, Header};
use zmtp::wire::greeting::{self, Greeting, Peer};
use zmtp::{
    Config, Connection, Engine, Error, Event, Heartbeat, Message, Metadata, SocketType, Version,
};

use crate::curve;
use crate::input::{Cuts, Input};
use crate::observe::{ANSWERS, Watched, encoded, observe};

/// A 3.1 peer's greeting.
pub(crate) fn greeting_of(mechanism: &str, minor: u8) -> Vec<u8> {
    let mut out = BytesMut::new();
    greeting::put_signature(&mut out, 0);
    out.extend_from_slice(&[greeting::MAJOR]);
    let rest = Greeting {
        major: greeting::MAJOR,
        minor,
        mechanism: greeting::pad_mechanism(mechanism),
        as_server: false,
    };
    rest.put_rest(&mut out);
    out.to_vec()
}

/// The bytes with which a peer of a version gets to traffic. Nobody asks for its socket type.
fn opening(version: Version) -> Vec<u8> {
    match version {
        Version::V1_0 => b"\x01\0".to_vec(),
        Version::V2_0 => b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x07\0\0".to_vec(),
        Version::V3_0 => [&greeting_of("NULL", 0)[..], b"\x04\x06\x05READY"].concat(),
        _ => [&greeting_of("NULL", 1)[..], b"\x04\x06\x05READY"].concat(),
    }
}

const VERSIONS: [Version; 4] = [Version::V3_1, Version::V3_0, Version::V2_0, Version::V1_0];

/// A configuration whose limits are small enough to be met, or the default ones.
pub(crate) fn config(kind: SocketType, small: bool) -> Config {
    let mut config = Config::new(kind);
    if small {
        config.limits.max_frame = 1000;
        config.limits.max_message = 1500;
        config.limits.max_frames = 5;
        config.limits.max_handshake = 200;
        config.limits.max_command = 100;
    }
    config
}

/// First bytes: who is it, and in which version?
pub(crate) fn greeting(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.pick(&SocketType::ALL);
    let mechanism = input.pick(&[0, 1, 2, 3, 4]);
    let (small, ask, seed) = (input.flag(), input.flag(), input.byte());
    let bytes = input.rest();

    let mut known = Peer::Unknown;
    for end in 0..bytes.len().min(greeting::GREETING) {
        let peer = greeting::identify(&bytes[..end]);
        assert!(
            peer == known || matches!(known, Peer::Unknown | Peer::Versioned),
            "{known:?} became {peer:?}"
        );
        known = peer;
    }
    if let Some(whole) = bytes.first_chunk() {
        let parsed = Greeting::parse(whole);
        let mut out = BytesMut::from(&whole[..11]);
        parsed.put_rest(&mut out);
        assert_eq!(Greeting::parse(out[..].try_into().unwrap()), parsed);
    }
    observe(
        || {
            let mut config = config(kind, small);
            (config.mechanism, config.random) = match mechanism {
                0 => (Mechanism::Null, config.random),
                1 => (
                    Mechanism::plain_client("joe", "secret").unwrap(),
                    config.random,
                ),
                2 => (Mechanism::PlainServer, config.random),
                3 => (curve::client_side(), curve::client_draws()),
                _ => (curve::server_side(), curve::server_draws()),
            };
            config.authenticate = ask;
            config
        },
        Ok(()),
        bytes,
        seed,
    );
}

/// Frames of traffic, in all versions.
pub(crate) fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.pick(&SocketType::ALL);
    let version = input.pick(&VERSIONS);
    let (small, seed) = (input.flag(), input.byte());
    let bytes = input.rest();
    if let Some(header) = Header::parse(bytes)
        && let Ok(len) = usize::try_from(header.len)
    {
        let mut out = BytesMut::new();
        frame::put_header(&mut out, header.flags & !frame::LONG, len);
        let again = Header::parse(&out).unwrap();
        assert_eq!((again.len, again.more()), (header.len, header.more()));
        assert_eq!(again.size, out.len());
    }
    let opening = opening(version);
    let input = [&opening[..], bytes].concat();
    let seen = observe(|| config(kind, small), Ok(()), &input, seed);
    assert!(matches!(seen.events[..], [Event::Ready(_)]));
    // What was understood is understood again when we write it.
    let now = Instant::now();
    let mut writer = Connection::new(Config::new(SocketType::Pair), now);
    writer.feed(&opening, now).unwrap();
    let written = encoded(&mut writer, &seen.messages);
    let mut reader = Watched::new(Config::new(SocketType::Pull), Ok(()), now);
    reader.give(&opening, &mut Cuts::new(1), 1, now);
    reader.give(&written, &mut Cuts::new(seed), 3, now);
    assert_eq!(reader.finish().messages, seen.messages);
}

/// A command that is parsed, written and parsed is the same, but for contexts that are too long for a PONG.
pub(crate) fn command_round_trip(body: &[u8]) {
    let parsed = match Command::parse(body) {
        Ok(parsed) => parsed,
        Err(CommandError::Name | CommandError::Reason | CommandError::Ttl) => return,
        Err(error) => panic!("{error}"),
    };
    let mut out = BytesMut::new();
    parsed.put(&mut out);
    let header = Header::parse(&out).unwrap();
    assert_eq!(header.flags & !frame::LONG, frame::COMMAND);
    let again = &out[header.size..];
    assert_eq!(again.len() as u64, header.len);
    let expected = match parsed {
        Command::Ping { ttl, context } => Command::Ping {
            ttl,
            context: &context[..context.len().min(MAX_CONTEXT)],
        },
        Command::Pong(context) => Command::Pong(&context[..context.len().min(MAX_CONTEXT)]),
        other => other,
    };
    assert_eq!(Command::parse(again), Ok(expected));
}

/// A command frame of this name.
pub(crate) fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Command::Unknown { name, data }.put(&mut out);
    out.to_vec()
}

/// READY with any property list, then anything.
pub(crate) fn ready(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.pick(&SocketType::ALL);
    let (small, seed, minor) = (input.flag(), input.byte(), input.flag());
    let trailing = input.piece();
    let list = input.rest();
    let parsed = Metadata::parse(list);
    if let Ok(parsed) = &parsed {
        let mut out = BytesMut::new();
        parsed.put(&mut out);
        assert_eq!(Metadata::parse(&out).as_ref(), Ok(parsed));
    }
    command_round_trip(&[b"\x05READY", list].concat());
    let bytes = [
        &greeting_of("NULL", u8::from(minor))[..],
        &command(b"READY", list),
        trailing,
    ]
    .concat();
    let seen = observe(|| config(kind, small), Ok(()), &bytes, seed);
    if let [Event::Ready(info)] = &seen.events[..] {
        assert_eq!(Some(&info.properties), parsed.ok().as_ref());
    } else {
        assert!(seen.end.is_some() && seen.messages.is_empty());
    }
}

/// ERROR at any point of any client's handshake.
pub(crate) fn error(data: &[u8]) {
    let mut input = Input::new(data);
    let (mechanism, form, seed) = (input.pick(&[0, 1, 2]), input.byte(), input.byte());
    let reason = input.rest();
    let bytes = match form % 3 {
        0 => command(b"ERROR", reason),
        1 => {
            let reason = &reason[..reason.len().min(255)];
            let mut out = BytesMut::new();
            Command::Error(reason).put(&mut out);
            out.to_vec()
        }
        _ => [b"\x04", &[reason.len() as u8], reason].concat(),
    };
    command_round_trip(reason);
    let (name, make): (_, fn() -> (Mechanism, zmtp::Random)) = match mechanism {
        0 => ("NULL", || (Mechanism::Null, zmtp::Random::default())),
        1 => ("PLAIN", || {
            let own = Mechanism::plain_client("joe", "secret").unwrap();
            (own, zmtp::Random::default())
        }),
        _ => ("CURVE", || (curve::client_side(), curve::client_draws())),
    };
    let seen = observe(
        || {
            let mut config = Config::new(SocketType::Push);
            (config.mechanism, config.random) = make();
            config
        },
        Ok(()),
        &[&greeting_of(name, 1)[..], &bytes].concat(),
        seed,
    );
    if form % 3 == 1 {
        let reason = &reason[..reason.len().min(255)];
        let reason = String::from_utf8_lossy(reason).into_owned();
        assert_eq!(seen.end, Some(Error::Refused { reason }));
    }
}

/// Subscriptions and cancellations as commands and as messages, between the peers of all versions.
pub(crate) fn subscribe(data: &[u8]) {
    let mut input = Input::new(data);
    let version = input.pick(&VERSIONS);
    let (ours, theirs) = input.pick(&[
        (SocketType::XPub, SocketType::XSub),
        (SocketType::Pub, SocketType::Sub),
        (SocketType::Radio, SocketType::Dish),
    ]);
    let (small, seed) = (input.flag(), input.byte());
    let mut messages = Vec::new();
    let mut raw = Vec::new();
    while !input.is_empty() {
        let op = input.byte();
        let topic = input.piece();
        match op % 4 {
            kind @ (0 | 1) => messages.push(Message::from([&[kind], topic].concat())),
            2 => raw.extend_from_slice(&command(&topic[..topic.len() / 2], topic)),
            _ => raw.extend_from_slice(topic),
        }
        let name: &[u8] = input.pick(&[b"SUBSCRIBE", b"CANCEL", b"JOIN", b"LEAVE"]);
        raw.extend_from_slice(&command(name, topic));
        command_round_trip(topic);
    }
    let opening = opening(version);
    observe(
        || config(ours, small),
        Ok(()),
        &[&opening[..], &raw].concat(),
        seed,
    );
    // What our own subscriber writes in this version is understood as it was meant.
    let now = Instant::now();
    let mut subscriber = Connection::new(Config::new(theirs), now);
    subscriber.feed(&opening, now).unwrap();
    let written = encoded(&mut subscriber, &messages);
    let mut seen = observe(
        || Config::new(ours),
        Ok(()),
        &[&opening[..], &written].concat(),
        seed,
    );
    if version == Version::V1_0 && ours != SocketType::Radio {
        assert_eq!(seen.messages.remove(0), [1], "an old peer wants everything");
    }
    assert_eq!(seen.messages, messages);
    assert_eq!(seen.end, None);
}

/// PING and PONG, and the time that passes.
pub(crate) fn heartbeat(data: &[u8]) {
    let mut input = Input::new(data);
    let mut config = Config::new(input.pick(&SocketType::ALL));
    let millis = |word: u16| Duration::from_millis(u64::from(word));
    if input.flag() {
        config.heartbeat = Some(Heartbeat {
            interval: millis(input.word().max(1)),
            timeout: millis(input.word().max(1)),
            ttl: millis(input.word()),
        });
    }
    let minor = input.flag();
    let seed = input.byte();
    let mut now = Instant::now();
    let mut peer = Watched::new(config, ANSWERS[0], now);
    let version = if minor { Version::V3_1 } else { Version::V3_0 };
    let mut cuts = Cuts::new(seed);
    peer.give(&opening(version), &mut cuts, 1, now);
    while !input.is_empty() && peer.seen.end.is_none() {
        let op = input.byte();
        let bytes = match op % 8 {
            0 => command(b"PING", input.piece()),
            1 => command(b"PONG", input.piece()),
            2 => {
                let mut out = BytesMut::new();
                let ttl = input.word();
                let context = input.piece();
                Command::Ping { ttl, context }.put(&mut out);
                command_round_trip(&out[2..]);
                out.to_vec()
            }
            3 => b"\0\x01x".to_vec(),
            4 => input.piece().to_vec(),
            5 => {
                peer.connection.control().clear();
                continue;
            }
            _ => {
                now += millis(input.word());
                let result = peer.connection.handle_timeout(now);
                peer.note(result);
                // One call does all that is due: a session that waits for the next time never spins.
                if let Some(next) = peer.connection.next_timeout() {
                    assert!(next > now, "due again at once");
                }
                continue;
            }
        };
        peer.give(&bytes, &mut cuts, 2, now);
        assert!(peer.connection.control().len() < 4096, "PONGs pile up");
    }
}
