//! Two connections in memory under a fake clock: who may talk to whom, versions, heartbeats,
//! limits, and reading in pieces of any size.

mod heartbeat;
mod limits;

use std::io::IoSlice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use purezmq_zmtp::{
    Batch, Config, Connection, Engine, Error, Event, Heartbeat, Incompatible, LimitExceeded,
    Message, Now, PeerInfo, Silence, SocketType, Version, Violation,
};

const SECOND: Duration = Duration::from_secs(1);

struct Pair {
    a: Connection,
    b: Connection,
    now: Instant,
}

impl Pair {
    fn new(a: Config, b: Config) -> Self {
        let now = Instant::now();
        Self {
            a: Connection::new(a, now),
            b: Connection::new(b, now),
            now,
        }
    }

    fn of(a: SocketType, b: SocketType) -> Self {
        Self::new(Config::new(a), Config::new(b))
    }

    /// Carries control bytes both ways until both are silent.
    fn exchange(&mut self) -> Result<(), Error> {
        loop {
            let to_b = self.a.control().split();
            let to_a = self.b.control().split();
            self.a.control_written(self.now);
            self.b.control_written(self.now);
            if to_a.is_empty() && to_b.is_empty() {
                return Ok(());
            }
            self.b.feed(&to_b, self.now)?;
            self.a.feed(&to_a, self.now)?;
        }
    }

    fn ready(a: SocketType, b: SocketType) -> Self {
        let mut pair = Self::of(a, b);
        pair.exchange().unwrap();
        assert!(pair.a.is_ready() && pair.b.is_ready());
        pair
    }
}

fn info(connection: &mut Connection) -> PeerInfo {
    match connection.poll_event() {
        Some(Event::Ready(info)) => info,
        other => panic!("{other:?}"),
    }
}

fn wire(batch: &Batch) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); 4096];
    let used = batch.io_slices(&mut slices);
    let bytes: Vec<u8> = slices[..used].iter().flat_map(|s| s.to_vec()).collect();
    assert_eq!(bytes.len(), batch.byte_len());
    bytes
}

fn batch_of(messages: &[Message], by_reference_from: usize) -> Batch {
    let mut batch = Batch::new();
    for message in messages {
        batch.push(message, by_reference_from);
    }
    batch
}

fn pop_all(mut batch: Batch) -> Vec<Message> {
    std::iter::from_fn(|| batch.pop()).collect()
}

#[test]
fn every_pair_of_socket_types_gets_together_exactly_when_the_standard_allows() {
    for a in SocketType::ALL {
        for b in SocketType::ALL {
            let mut pair = Pair::of(a, b);
            let result = pair.exchange();
            if a.accepts(b) {
                result.unwrap();
                assert_eq!(info(&mut pair.a).socket_type, Some(b));
                assert_eq!(info(&mut pair.b).socket_type, Some(a));
            } else {
                let error = result.unwrap_err();
                assert_eq!(
                    error,
                    Error::Incompatible(Incompatible::SocketType {
                        peer: a.name().into(),
                        local: b,
                    })
                );
                // The refused side, not yet through itself, learns the reason and stays away.
                let _ = pair.b.control().split();
                assert!(pair.b.explain(&error));
                let reply = pair.b.control().split();
                let refused = pair.a.feed(&reply, pair.now).unwrap_err();
                assert!(
                    matches!(&refused, Error::Refused { reason } if reason == "Invalid socket type")
                );
            }
        }
    }
}

#[test]
fn routing_ids_and_own_properties_reach_the_peer() {
    let mut dealer = Config::new(SocketType::Dealer);
    dealer.routing_id = "me".into();
    dealer.metadata.push("X-Color", "blue").unwrap();
    let mut pair = Pair::new(dealer, Config::new(SocketType::Router));
    pair.exchange().unwrap();
    let peer = info(&mut pair.b);
    assert_eq!(peer.routing_id, "me");
    assert_eq!(peer.properties.get("x-color"), Some(&b"blue"[..]));
    assert_eq!(peer.version, Some(Version::V3_1));
    assert_eq!(peer.mechanism, "NULL");
    assert!(info(&mut pair.a).routing_id.is_empty());
}

#[test]
fn the_oldest_accepted_version_is_enforced() {
    let mut config = Config::new(SocketType::Pull);
    config.min_version = Version::V3_0;
    for old in [
        &b"\x01\x00"[..],
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x01",
        b"\xff\0\0\0\0\0\0\0\x01\x7f\0",
    ] {
        let now = Instant::now();
        let mut pull = Connection::new(config.clone(), now);
        let error = pull.feed(old, now).unwrap_err();
        assert!(matches!(
            error,
            Error::Incompatible(Incompatible::Version {
                needed: Version::V3_0,
                ..
            })
        ));
        // And it stays that way.
        assert_eq!(pull.feed(b"more", now).unwrap_err(), error);
        assert_eq!(pull.next_timeout(), None);
    }
}

#[test]
fn publishers_take_an_unversioned_peer_to_want_everything() {
    for kind in [SocketType::Pub, SocketType::XPub] {
        let now = Instant::now();
        let mut publisher = Connection::new(Config::new(kind), now);
        publisher.feed(b"\x01\x00", now).unwrap();
        assert!(publisher.is_ready());
        assert_eq!(pop_all(publisher.take_messages()), [Message::from([1_u8])]);
        // Not so with 2.0, whose subscribers do subscribe.
        let mut publisher = Connection::new(Config::new(kind), now);
        publisher
            .feed(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02\0\0", now)
            .unwrap();
        assert!(publisher.is_ready());
        assert!(publisher.take_messages().is_empty());
    }
}

#[test]
fn a_1_0_peer_gets_1_0_frames_and_their_messages_count_when_written() {
    let now = Instant::now();
    let mut push = Connection::new(Config::new(SocketType::Push), now);
    push.feed(b"\x01\x00", now).unwrap();
    let messages = [
        Message::from(["a", "b"]),
        Message::from(vec![b'x'; 300]),
        Message::from(""),
    ];
    let mut batch = batch_of(&messages, 64);
    push.encode(&mut batch);
    assert!(batch.is_encoded());
    let bytes = wire(&batch);
    assert_eq!(bytes[..6], *b"\x02\x01a\x02\x00b");
    assert_eq!(bytes[6..16], *b"\xff\0\0\0\0\0\0\x01\x2d\0");
    assert_eq!(bytes[bytes.len() - 2..], *b"\x01\x00");
    assert_eq!(batch.advance(5), 0);
    assert_eq!(batch.len(), 3);
    assert_eq!(batch.advance(2), 1);
    assert_eq!(batch.advance(bytes.len() - 7), 2);
    assert!(batch.is_empty());
    // Read by the other side of such a connection.
    let mut pull = Connection::new(Config::new(SocketType::Pull), now);
    pull.feed(b"\x03\x00id", now).unwrap();
    pull.feed(&bytes, now).unwrap();
    assert_eq!(info(&mut pull).routing_id, "id");
    assert_eq!(pop_all(pull.take_messages()), messages);
}

#[test]
fn subscriptions_travel_as_commands_and_arrive_as_messages() {
    let mut pair = Pair::ready(SocketType::XSub, SocketType::XPub);
    let messages = [
        Message::from([&[1_u8][..], b"news"].concat()),
        Message::from([0_u8]),
        Message::from("upstream"),
        Message::from([&[1_u8][..], b"two frames"]),
        Message::from(""),
        Message::from([&[1_u8][..], &[b'l'; 70_000]].concat()),
    ];
    let mut batch = batch_of(&messages, usize::MAX);
    pair.a.encode(&mut batch);
    let bytes = wire(&batch);
    assert!(bytes.starts_with(b"\x04\x0e\x09SUBSCRIBEnews\x04\x07\x06CANCEL\x00\x08upstream"));
    for step in [1, 7, 100_000] {
        for part in bytes.chunks(step) {
            pair.b.feed(part, pair.now).unwrap();
        }
        assert_eq!(pop_all(pair.b.take_messages()), messages);
    }
}

#[test]
fn commands_between_messages_and_within_them_never_show() {
    let ping = b"\x04\x07\x04PING\0\0";
    let body = vec![b'z'; 40_000];
    let long = Message::from([&b"a"[..], &body, b"c"]);
    let mut frames = Vec::new();
    for (flags, payload) in [(1, &b"a"[..]), (1, &body), (0, b"c")] {
        let mut frame = BytesMut::new();
        purezmq_zmtp::wire::frame::put_header(&mut frame, flags, payload.len());
        frame.put_slice(payload);
        frames.push(frame);
    }
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.extend_from_slice(b"\x00\x02hi");
        bytes.extend_from_slice(ping);
        for frame in &frames {
            bytes.extend_from_slice(frame);
            bytes.extend_from_slice(ping);
        }
        bytes.extend_from_slice(b"\x00\x02ho");
    }
    let expected: Vec<Message> = (0..3)
        .flat_map(|_| [Message::from("hi"), long.clone(), Message::from("ho")])
        .collect();
    for step in [1, 2, 5, 1000, 30_000, 1_000_000] {
        let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
        // All joined into one batch by `feed`...
        for part in bytes.chunks(step) {
            pair.b.feed(part, pair.now).unwrap();
        }
        assert_eq!(pop_all(pair.b.take_messages()), expected, "{step}");
        assert_eq!(pair.b.control().len(), 12 * 7);
        // ...and in the turns of a session, with a small budget.
        let mut got = Vec::new();
        read(&mut pair.b, pair.now, &bytes, step, 2, |batch| {
            assert!(batch.len() <= 2);
            got.extend(pop_all(batch));
        });
        assert_eq!(got, expected, "{step}");
    }
}

/// Reads as a session does: into the read buffer, up to `step` bytes at a time.
fn read(
    connection: &mut Connection,
    now: Instant,
    mut bytes: &[u8],
    step: usize,
    max_messages: usize,
    mut take: impl FnMut(Batch),
) {
    while !bytes.is_empty() {
        let mut buffer = connection.read_buffer();
        let n = step.min(bytes.len()).min(buffer.remaining_mut());
        assert!(n > 0);
        buffer.put_slice(&bytes[..n]);
        bytes = &bytes[n..];
        loop {
            connection.handle_input(now.into(), max_messages).unwrap();
            take(connection.take_messages());
            if !connection.input_pending() {
                break;
            }
        }
    }
}

#[test]
fn handle_input_stops_at_max_messages() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let messages: Vec<Message> = (0..10_u8).map(|i| Message::from([i])).collect();
    let bytes = wire(&batch_of(&messages, usize::MAX));
    pair.b.read_buffer().put_slice(&bytes);
    for _ in 0..2 {
        pair.b.handle_input(pair.now.into(), 4).unwrap();
        assert_eq!(pair.b.take_messages().len(), 4);
        assert!(pair.b.input_pending());
    }
    pair.b.handle_input(pair.now.into(), 4).unwrap();
    assert_eq!(pair.b.take_messages().len(), 2);
    assert!(!pair.b.input_pending());
}

/// What comes is asked for its time only where that starts or stops a clock.
#[test]
fn the_time_of_input_is_asked_for_where_it_matters() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    const NOW: Now = Now::Ask(|| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Instant::now()
    });
    let mut heartbeat = Config::new(SocketType::Pull);
    heartbeat.heartbeat = Some(Heartbeat::every(SECOND));
    for (config, asks) in [(Config::new(SocketType::Pull), false), (heartbeat, true)] {
        let mut pair = Pair::new(Config::new(SocketType::Push), config);
        pair.exchange().unwrap();
        let message = wire(&batch_of(&[Message::from("small")], usize::MAX));
        pair.b.read_buffer().put_slice(&message);
        let before = ASKED.load(Ordering::Relaxed);
        pair.b.handle_input(NOW, 10).unwrap();
        assert_eq!(pair.b.take_messages().len(), 1);
        assert_eq!(ASKED.load(Ordering::Relaxed) > before, asks);
    }
    // A peer's PING starts the clock of its time to live.
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    pair.b.read_buffer().put_slice(b"\x04\x07\x04PING\x00\x0a");
    let before = Instant::now();
    pair.b.handle_input(NOW, 10).unwrap();
    assert!(
        pair.b
            .next_timeout()
            .is_some_and(|end| end >= before + SECOND)
    );
}

#[test]
fn batches_cut_from_one_chunk_join_without_copying() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let messages: Vec<Message> = (0..100_u8).map(|i| Message::from([i; 60])).collect();
    let bytes = wire(&batch_of(&messages, usize::MAX));
    // Its first chunk is small.
    let many = bytes.repeat(10);
    read(&mut pair.b, pair.now, &many, usize::MAX, 1000, drop);
    let mut joined = Batch::new();
    read(&mut pair.b, pair.now, &bytes[..3000], 500, 3, |batch| {
        joined.append(batch).unwrap();
    });
    let got = pop_all(joined);
    assert_eq!(got, messages[..got.len()]);
    assert_eq!(got.len(), 3000 / 62);
}

#[test]
fn a_large_body_is_read_into_its_own_memory_and_reserved_as_it_comes() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let announced: u64 = 1 << 40;
    let mut header = vec![2];
    header.extend_from_slice(&announced.to_be_bytes());
    pair.b.feed(&header, pair.now).unwrap();
    let mut received = 0;
    for _ in 0..100 {
        let mut buffer = pair.b.read_buffer();
        let room = buffer.remaining_mut();
        assert!(room <= (64 * 1024).max(2 * received), "{room} {received}");
        assert!(room < 1 << 20, "the test need not go that far");
        let n = room.min(10_000);
        buffer.put_bytes(7, n);
        received += n;
        pair.b.handle_input(pair.now.into(), 1).unwrap();
        if received > 300_000 {
            break;
        }
    }
    assert!(pair.b.take_messages().is_empty());
}

#[test]
fn an_idle_connection_gives_its_large_buffers_back() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let bytes = wire(&batch_of(
        &vec![Message::from([1; 30]); 100_000],
        usize::MAX,
    ));
    read(&mut pair.b, pair.now, &bytes, usize::MAX, 1000, |batch| {
        assert_ne!(pop_all(batch).len(), 1001);
    });
    assert!(pair.b.read_buffer().remaining_mut() > 100_000, "grown");
    // Still in use after half a second: nothing happens.
    let first = pair.b.next_timeout().unwrap();
    pair.now += SECOND / 2;
    pair.b.feed(b"\x00\x01x", pair.now).unwrap();
    assert_eq!(pair.b.take_messages().len(), 1);
    pair.b.handle_timeout(first).unwrap();
    assert!(pair.b.read_buffer().remaining_mut() > 100_000);
    let second = pair.b.next_timeout().unwrap();
    assert_eq!(second, pair.now + SECOND);
    pair.b.handle_timeout(second).unwrap();
    assert_eq!(pair.b.next_timeout(), None);
    assert_eq!(pair.b.read_buffer().remaining_mut(), 512);
}

#[test]
fn subscriptions_inside_a_message_end_the_connection() {
    let mut pair = Pair::ready(SocketType::XSub, SocketType::XPub);
    let error = pair
        .b
        .feed(b"\x01\x01a\x04\x0a\x09SUBSCRIBE", pair.now)
        .unwrap_err();
    assert_eq!(error, Violation::SubscriptionInsideMessage.into());
}
