//! The same with CURVE (RFC 25, 26). The rules of its boxes are in `mechanism/curve/tests.rs`.

use purezmq_zmtp::mechanism::{self, KeyPair};
use purezmq_zmtp::{Heartbeat, LimitExceeded, Version, Violation};

use super::*;

impl Pair {
    fn ready(configs: (Config, Config)) -> (Self, PeerInfo) {
        let asks = configs.1.authenticate || configs.1.mechanism.name() == "PLAIN";
        let mut pair = Self::new(configs);
        if asks {
            pair.asked();
            pair.answer(Ok(Admission::default())).unwrap();
        }
        pair.exchange().unwrap();
        assert!(pair.client.is_ready() && pair.server.is_ready());
        let info = info(&mut pair.server);
        (pair, info)
    }
}

fn curve(client: SocketType, server: SocketType) -> (Config, Config) {
    let keys = KeyPair::generate();
    let mut client = Config::new(client);
    client.mechanism = mechanism::Config::CurveClient {
        keys: KeyPair::generate(),
        server: *keys.public(),
    };
    let mut server = Config::new(server);
    server.mechanism = mechanism::Config::CurveServer { keys };
    (client, server)
}

#[test]
fn curve_says_ready_only_after_the_decision() {
    let (client, mut server) = curve(SocketType::Push, SocketType::Pull);
    server.authenticate = true;
    let mechanism::Config::CurveClient { keys, .. } = client.mechanism.clone() else {
        unreachable!()
    };
    let mut pair = Pair::new((client, server));
    assert_eq!(pair.asked(), Credentials::Curve(*keys.public()));
    assert!(pair.server.control().is_empty());
    assert!(!pair.client.is_ready() && !pair.server.is_ready());
    pair.answer(Ok(Admission::default())).unwrap();
    assert_eq!(&pair.server.control()[3..8], b"READY");
    pair.exchange().unwrap();
    assert_eq!(info(&mut pair.client).mechanism, "CURVE");
    assert_eq!(info(&mut pair.server).mechanism, "CURVE");
}

#[test]
fn a_refused_peer_hears_the_status_and_does_not_come_back() {
    for configs in [plain, curve] {
        for refusal in [Refusal::Denied, Refusal::Internal] {
            let mut configs = configs(SocketType::Push, SocketType::Pull);
            configs.1.authenticate = true;
            let mut pair = Pair::new(configs);
            pair.asked();
            assert_eq!(pair.answer(Err(refusal)), Err(Error::Denied(refusal)));
            let error = pair.exchange().unwrap_err();
            let reason = refusal.status().to_string();
            assert_eq!(error, Error::Refused { reason });
            // Nothing helps any more.
            let late = pair.answer(Ok(Admission::default()));
            assert_eq!(late, Err(Error::Denied(refusal)));
        }
    }
}

#[test]
fn mechanisms_that_differ_do_not_meet() {
    let (plain_client, plain_server) = plain(SocketType::Push, SocketType::Pull);
    let (curve_client, curve_server) = curve(SocketType::Push, SocketType::Pull);
    let null = |kind| Config::new(kind);
    for (client, server) in [
        (plain_client.clone(), curve_server.clone()),
        (curve_client.clone(), plain_server.clone()),
        (null(SocketType::Push), curve_server),
        (null(SocketType::Push), plain_server),
        (plain_client, null(SocketType::Pull)),
        (curve_client, null(SocketType::Pull)),
    ] {
        let error = Pair::new((client, server)).exchange().unwrap_err();
        assert!(matches!(error, Error::Incompatible(_)), "{error:?}");
    }
}

#[test]
fn all_messages_pass_under_curve_however_the_bytes_are_cut() {
    let messages = sample();
    for step in [7_000_000, 65_536, 1000, 17] {
        let (mut pair, _) = Pair::ready(curve(SocketType::Push, SocketType::Pull));
        let mut batch = batch_of(&messages);
        pair.client.encode(&mut batch);
        let bytes = wire(&batch);
        assert!(!bytes.windows(8).any(|window| window == [b'x'; 8]));
        let mut got = Vec::new();
        for part in bytes.chunks(step) {
            pair.server.feed(part, pair.now).unwrap();
            got.extend(pop_all(pair.server.take_messages()));
        }
        assert_eq!(got, messages, "{step}");
    }
}

#[test]
fn a_large_batch_is_encoded_in_parts() {
    // Frames by copy and by reference, messages that are larger than a part, and frames that end beyond it.
    let frames =
        |number: usize| (0..=number % 5).map(move |frame| vec![number as u8; frame * 70_000]);
    let messages: Vec<Message> = (0..40).map(|number| frames(number).collect()).collect();
    let largest = 10 * 70_000;
    let (mut pair, _) = Pair::ready(curve(SocketType::Push, SocketType::Pull));
    let mut rest = Some(batch_of(&messages));
    let mut parts = 0;
    let mut got = Vec::new();
    while let Some(mut batch) = rest {
        rest = pair.client.divide(&mut batch);
        assert!(!batch.is_empty() && batch.byte_len() < 256 * 1024 + largest + 100);
        pair.client.encode(&mut batch);
        pair.server.feed(&wire(&batch), pair.now).unwrap();
        got.extend(pop_all(pair.server.take_messages()));
        parts += 1;
    }
    assert_eq!(got, messages);
    assert!(parts > 10, "{parts}");

    // Nothing is to be divided where nothing is encrypted, or little.
    let (mut clear, _) =
        Pair::ready((Config::new(SocketType::Push), Config::new(SocketType::Pull)));
    let mut batch = batch_of(&messages);
    assert!(clear.client.divide(&mut batch).is_none());
    let mut batch = batch_of(&messages[..2]);
    assert!(pair.client.divide(&mut batch).is_none());
    assert_eq!(pop_all(batch), messages[..2]);
}

#[test]
fn what_was_not_written_can_be_sent_on_another_connection() {
    let messages = sample();
    let (mut pair, _) = Pair::ready(curve(SocketType::Push, SocketType::Pull));
    let mut batch = batch_of(&messages);
    pair.client.encode(&mut batch);
    assert!(batch.is_encoded());
    // The first is written, and a part of the second.
    let first = 2 + 33 + 3;
    assert_eq!(batch.advance(first + 1000), 1);
    assert_eq!(batch.discard_partial(), 1);
    batch.restore();
    assert!(!batch.is_encoded());
    assert_eq!(pop_all(batch), messages[2..]);

    let mut batch = batch_of(&messages);
    pair.client.encode(&mut batch);
    batch.restore();
    assert_eq!(pop_all(batch), messages);

    let mut batch = batch_of(&messages);
    pair.client.encode(&mut batch);
    let all = batch.byte_len();
    assert_eq!(batch.advance(all), messages.len());
    pair.client.reclaim(&mut batch);
    assert!(batch.is_empty() && !batch.is_encoded());
    batch.push(&messages[0], usize::MAX);
    assert_eq!(pop_all(batch), messages[..1]);
}

#[test]
fn a_handover_stops_at_so_many_messages_under_curve_too() {
    let (mut pair, _) = Pair::ready(curve(SocketType::Push, SocketType::Pull));
    let messages: Vec<Message> = (0..10).map(|i: i32| i.to_string().into()).collect();
    let mut encrypted = || {
        let mut batch = batch_of(&messages);
        pair.client.encode(&mut batch);
        wire(&batch)
    };
    let (earlier, bytes) = (encrypted(), encrypted());
    // A peer that says much is read from more at once.
    pair.server.feed(&earlier, pair.now).unwrap();
    assert_eq!(pop_all(pair.server.take_messages()), messages);
    use bytes::BufMut;
    let mut buffer = pair.server.read_buffer();
    assert!(buffer.remaining_mut() >= bytes.len());
    buffer.put_slice(&bytes);
    let mut got = Vec::new();
    pair.server.handle_input(pair.now.into(), 3).unwrap();
    loop {
        let batch = pair.server.take_messages();
        assert!(batch.len() <= 3);
        got.extend(pop_all(batch));
        if !pair.server.input_pending() {
            break;
        }
        pair.server.handle_input(pair.now.into(), 3).unwrap();
    }
    assert_eq!(got, messages);
}

#[test]
fn heartbeats_travel_inside_the_encrypted_channel() {
    let (mut client, server) = curve(SocketType::Push, SocketType::Pull);
    client.heartbeat = Some(Heartbeat::every(SECOND));
    let (mut pair, _) = Pair::ready((client, server));
    for _ in 0..5 {
        pair.now += SECOND;
        pair.client.handle_timeout(pair.now).unwrap();
        let ping = pair.client.control().split();
        pair.client.control_written(pair.now);
        assert_eq!(&ping[2..10], b"\x07MESSAGE");
        pair.server.feed(&ping, pair.now).unwrap();
        let pong = pair.server.control().split();
        assert_eq!(&pong[2..10], b"\x07MESSAGE");
        pair.client.feed(&pong, pair.now).unwrap();
        // In between, messages go on.
        assert_eq!(pair.carry(&[Message::from("x")]), ["x"]);
    }
}

#[test]
fn subscriptions_travel_inside_the_encrypted_channel() {
    let (mut pair, _) = Pair::ready(curve(SocketType::XSub, SocketType::XPub));
    let messages = [
        Message::from([&[1][..], b"news"].concat()),
        Message::from([0]),
        Message::from("upstream"),
    ];
    assert_eq!(pair.carry(&messages), messages);
}

#[test]
fn subscriptions_to_a_3_0_publisher_are_messages_in_boxes() {
    let (mut client, mut server) = curve(SocketType::Sub, SocketType::XPub);
    client.min_version = Version::V3_0;
    server.min_version = Version::V3_0;
    let mut pair = Pair::new((client, server));
    // The peer says 3.0 where it said 3.1.
    let to_server = pair.client.control().split();
    pair.server.feed(&to_server, pair.now).unwrap();
    let mut to_client = pair.server.control().split();
    pair.client.feed(&to_client[..11], pair.now).unwrap();
    let rest = pair.client.control().split();
    pair.server.feed(&rest, pair.now).unwrap();
    to_client.extend_from_slice(&pair.server.control().split());
    assert_eq!(to_client[11], 1);
    to_client[11] = 0;
    pair.client.feed(&to_client[11..], pair.now).unwrap();
    pair.exchange().unwrap();
    assert_eq!(pair.client.version(), Version::V3_0);
    let mut batch = batch_of(&[Message::from([1, b'A'])]);
    pair.client.encode(&mut batch);
    // Two octets in the box, and its flags.
    assert_eq!(wire(&batch).len(), 2 + 33 + 2);
    pair.server.feed(&wire(&batch), pair.now).unwrap();
    assert_eq!(pop_all(pair.server.take_messages()), [[1, b'A']]);
}

#[test]
fn limits_hold_for_what_is_in_the_boxes() {
    let (client, mut server) = curve(SocketType::Push, SocketType::Pull);
    server.limits.max_frame = 400;
    server.limits.max_message = 500;
    server.limits.max_frames = 3;
    for (message, expected) in [
        (Message::from(vec![0; 400]), None),
        (
            Message::from(vec![0; 401]),
            Some(LimitExceeded::Frame {
                size: 401,
                max: 400,
            }),
        ),
        (
            Message::from([vec![0; 300], vec![0; 300]]),
            Some(LimitExceeded::Message { max: 500 }),
        ),
        (
            Message::from(["a", "b", "c", "d"]),
            Some(LimitExceeded::Frames { max: 3 }),
        ),
    ] {
        let (mut pair, _) = Pair::ready((client.clone(), server.clone()));
        let mut batch = batch_of(&[message]);
        pair.client.encode(&mut batch);
        let result = pair.server.feed(&wire(&batch), pair.now);
        assert_eq!(result, expected.map_or(Ok(()), |limit| Err(limit.into())));
    }
    // What is only announced is refused before it has come.
    let (mut pair, _) = Pair::ready((client, server));
    let result = pair.server.feed(b"\x02\0\0\0\0\0\x01\0\0", pair.now);
    assert!(matches!(
        result,
        Err(Error::Limit(LimitExceeded::Frame { .. }))
    ));
}

#[test]
fn a_frame_in_the_clear_ends_the_connection_and_what_came_before_stays() {
    let (mut pair, _) = Pair::ready(curve(SocketType::Push, SocketType::Pull));
    let mut batch = batch_of(&[Message::from("before")]);
    pair.client.encode(&mut batch);
    let bytes = [&wire(&batch)[..], b"\x00\x05clear"].concat();
    let result = pair.server.feed(&bytes, pair.now);
    assert_eq!(result, Err(Violation::Unsealed.into()));
    assert_eq!(pop_all(pair.server.take_messages()), ["before"]);
}

#[test]
fn a_server_says_so_in_its_greeting() {
    for configs in [plain, curve] {
        let mut pair = Pair::new(configs(SocketType::Push, SocketType::Pull));
        let signature = pair.client.control().split();
        pair.server.feed(&signature, pair.now).unwrap();
        let other = pair.server.control().split();
        pair.client.feed(&other, pair.now).unwrap();
        let rest = pair.client.control().split();
        pair.server.feed(&rest, pair.now).unwrap();
        let greeting = [other, pair.server.control().split()].concat();
        assert_eq!(greeting[32], 1);
        assert_eq!([signature, rest].concat()[32], 0);
    }
}
