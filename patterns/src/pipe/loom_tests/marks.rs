//! Marks that one thread changes while another writes and a third reads. A run with overflow checks aborts where a
//! counter wraps.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;

use super::super::queue::Queue;
use super::*;
use crate::loom_tests::check_within;

/// Messages that go through the lane.
const MESSAGES: usize = 3;

/// Has another thread change the socket's marks.
fn change(socket: &Arc<Socket>, hwm: usize) -> thread::JoinHandle<()> {
    let socket = socket.clone();
    thread::spawn(move || socket.stats.set_hwms(hwm, hwm))
}

/// The mark holds again, and all of it is room: nothing is there.
fn assert_as_new(queue: &Queue, hwm: usize) {
    let hwm = if hwm == 0 { usize::MAX } else { hwm };
    assert_eq!((queue.queued(), queue.over), (0, 0));
    assert_eq!(queue.free + queue.budget.withheld(), hwm);
    assert_eq!(queue.budget.held(), 0);
}

/// Takes all that is sent until the writer has gone, one batch after the other, and says how many messages.
fn take_all(session: &mut SessionPipe) -> usize {
    let mut taken = 0;
    while let Some(mut batch) = block_on(poll_fn(|cx| session.outgoing.poll_next(cx))) {
        let messages = batch.len();
        while batch.pop().is_some() {}
        session
            .outgoing
            .written(messages, 0, messages, Some(&mut batch));
        taken += messages;
    }
    taken
}

/// A message of 20 MiB, two of which are more than the bytes of a mark of a thousand, and four more than those of two
/// thousand. Its memory is never touched.
fn large(_: usize) -> Message {
    static LARGE: OnceLock<Bytes> = OnceLock::new();
    let payload = LARGE.get_or_init(|| Bytes::from(vec![0; 20 << 20]));
    Message::from(payload.clone())
}

fn sent_under(limits: Limits, after: usize, make: fn(usize) -> Message) {
    let socket = Arc::new(Socket::with(limits));
    let mut session = socket.pipe();
    let (mut writer, reader) = socket.ends();
    let lane = writer.lane.clone();
    let session = thread::spawn(move || (take_all(&mut session), session));
    let changing = change(&socket, after);
    for number in 0..MESSAGES {
        let sent = wait(&socket.writers, |told| {
            if !told {
                return None;
            }
            match writer.push(&mut make(number)) {
                Err(Refused::Full) => None,
                done => Some(done),
            }
        });
        assert_eq!(sent, Ok(()));
    }
    changing.join().unwrap();
    drop((writer, reader));
    let (taken, _session) = session.join().unwrap();
    assert_eq!(taken, MESSAGES);
    assert_as_new(&lane.lock(), after);
}

/// Whoever waits for room hears of a higher mark, though nobody takes anything.
///
/// Seen to fail: `Queue::set_hwm` that wakes nobody.
#[test]
fn who_waits_for_room_hears_of_a_higher_mark() {
    check_within(2, || {
        let socket = Arc::new(Socket::new(1));
        let mut session = socket.pipe();
        let (mut writer, _reader) = socket.ends();
        let session = thread::spawn(move || {
            for number in 0..2 {
                block_on(poll_fn(|cx| session.incoming.poll_room(cx)));
                session.incoming.push(incoming(number..number + 1));
            }
            session
        });
        let changing = change(&socket, 2);
        for number in 0..2 {
            assert_eq!(send(&socket.writers, &mut writer, number), Ok(()));
        }
        changing.join().unwrap();
        session.join().unwrap();
    });
}

/// Whatever the mark was meanwhile, it holds when the lane is empty: by messages, by bytes, by the bytes that a mark is
/// worth, and with a time to live.
///
/// Seen to fail: `Queue::set_hwm` that leaves `over` as it is.
#[test]
fn a_mark_that_changes_while_another_thread_sends_holds_again() {
    let by_messages = Limits::default();
    let by_bytes = Limits {
        bytes: Some(1),
        ..by_messages
    };
    let with_ttl = Limits {
        ttl: Some(Duration::from_secs(3600)),
        ..by_messages
    };
    for (limits, hwm, after) in [
        (by_messages, 1, 2),
        (by_messages, 2, 1),
        (by_messages, 0, 1),
        (by_bytes, 2, 1),
        (with_ttl, 1, 2),
    ] {
        let limits = Limits { hwm, ..limits };
        check_within(2, move || sent_under(limits, after, message));
    }
    let worth = Limits {
        hwm: 1000,
        ..by_messages
    };
    check_within(2, move || sent_under(worth, 2000, large));
}

/// The same the other way: the session that waits for room brings what there was room for when it looked.
///
/// Seen to fail: `Queue::fill` that takes all of it out of `free`.
#[test]
fn a_mark_that_changes_while_a_peer_sends_holds_again() {
    for (before, after) in [(1, 2), (2, 1), (0, 1)] {
        check_within(2, move || received_under(before, after));
    }
}

fn received_under(before: usize, after: usize) {
    let socket = Arc::new(Socket::new(before));
    let mut session = socket.pipe();
    let (_writer, mut reader) = socket.ends();
    let session = thread::spawn(move || {
        let mut next = 0;
        while next < MESSAGES {
            let room = block_on(poll_fn(|cx| session.incoming.poll_room(cx)));
            let until = MESSAGES.min(next.saturating_add(room));
            session.incoming.push(incoming(next..until));
            next = until;
        }
        session
    });
    let changing = change(&socket, after);
    for number in 0..MESSAGES {
        let received = receive(&socket.readers, &mut reader);
        assert_eq!(received, Some(message(number)));
    }
    changing.join().unwrap();
    let session = session.join().unwrap();
    // What is popped is paid for when the reader looks again.
    assert!(matches!(reader.pop(), Popped::Empty));
    assert_as_new(&reader.lane.lock(), after);
    let room = session.incoming.room();
    assert_eq!(room, if after == 0 { usize::MAX } else { after });
}

/// Where newer messages take the places of older ones, each is taken, or counted as what became of it.
///
/// Seen to fail: `Queue::keep_last_values` that releases nothing.
#[test]
fn a_mark_that_changes_over_last_values_holds_again_and_each_message_is_counted() {
    for (hwm, after) in [(1, 2), (2, 1), (1, 0)] {
        check_within(2, move || {
            let socket = Arc::new(Socket::with(Limits {
                hwm,
                by_topic: true,
                ..Limits::default()
            }));
            let mut session = socket.pipe();
            let (mut writer, reader) = socket.ends();
            let lane = writer.lane.clone();
            let session = thread::spawn(move || (take_all(&mut session), session));
            let changing = change(&socket, after);
            let mut accepted = 0;
            for topic in [0, 1, 0] {
                accepted += usize::from(writer.push(&mut message(topic)).is_ok());
            }
            changing.join().unwrap();
            drop((writer, reader));
            let (taken, _session) = session.join().unwrap();
            let dropped = socket.stats.dropped();
            let counted = dropped.conflated + dropped.full;
            assert_eq!(accepted as u64, taken as u64 + counted);
            assert_as_new(&lane.lock(), after);
        });
    }
}

/// A publisher that drops the oldest messages of a slow peer is let in beyond the mark where all of them are in the
/// session's hands, whatever the mark becomes before it sends.
///
/// Seen to fail: `ByteBudget::set_free` that leaves the room that was given so.
#[test]
fn a_mark_that_changes_while_the_oldest_messages_are_dropped_holds_again() {
    for bytes in [None, Some(1)] {
        for (hwm, after) in [(1, 2), (2, 1)] {
            check(move || {
                let limits = Limits {
                    hwm,
                    bytes,
                    ..Limits::default()
                };
                let socket = Arc::new(Socket::with(limits));
                let mut session = socket.pipe();
                let (mut writer, reader) = socket.ends();
                let lane = writer.lane.clone();
                let session = thread::spawn(move || (take_all(&mut session), session));
                let changing = change(&socket, after);
                let mut accepted = 0;
                for number in 0..2 {
                    let mut sent = writer.push(&mut message(number));
                    if sent.is_err() {
                        writer.drop_oldest();
                        sent = writer.push(&mut message(number));
                    }
                    accepted += usize::from(sent.is_ok());
                }
                changing.join().unwrap();
                drop((writer, reader));
                let (taken, _session) = session.join().unwrap();
                let full = socket.stats.dropped().full;
                assert_eq!(accepted as u64, taken as u64 + full);
                assert_as_new(&lane.lock(), after);
            });
        }
    }
}
