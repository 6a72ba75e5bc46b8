//! The pipe and the inbox under loom (`loom_tests.rs`): a handle in one thread, a session in another.

mod enders;
mod marks;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use zmtp::Message;

use super::tests::{Socket, incoming, message, notes, texts};
use super::*;
use crate::loom_tests::{block_on, check};
use crate::pipe::{Inbox, PipeEnd, PipeEvent};
use crate::sync::thread;

/// Waits as a socket's handle does: tries again with each note.
pub(crate) fn wait<E: PipeEnd, T>(
    inbox: &Inbox<E>,
    mut attempt: impl FnMut(bool) -> Option<T>,
) -> T {
    let mut told = true;
    block_on(poll_fn(|cx| {
        loop {
            // One load when there is nothing, as in `Core::read_events`.
            if inbox.has_events() {
                told |= !notes(inbox).is_empty();
            }
            if let Some(done) = attempt(std::mem::take(&mut told)) {
                return Poll::Ready(done);
            }
            if inbox.park(cx.waker()) {
                return Poll::Pending;
            }
        }
    }))
}

/// Sends as a strategy does: a pipe that was full is not asked again before a note says so.
fn send(inbox: &Inbox<PipeWriter>, writer: &mut PipeWriter, number: usize) -> Result<(), Refused> {
    wait(inbox, |told| {
        if !told {
            return None;
        }
        match writer.push(&mut message(number)) {
            Err(Refused::Full) => None,
            done => Some(done),
        }
    })
}

/// Receives as a strategy does. `None`: the pipe has ended.
pub(crate) fn receive(inbox: &Inbox<PipeReader>, reader: &mut PipeReader) -> Option<Message> {
    wait(inbox, |told| {
        if !told {
            return None;
        }
        match reader.pop() {
            Popped::Message(message) => Some(Some(message)),
            Popped::Ended => Some(None),
            Popped::Empty => None,
            Popped::Mark(_) => panic!("nobody has a name"),
        }
    })
}

/// Writes what the socket sends until it has gone, one message after the other, and says what. `done` counts them.
fn write_all(session: &mut SessionPipe, done: &AtomicUsize) -> Vec<String> {
    let mut written = Vec::new();
    while let Some(batch) = block_on(poll_fn(|cx| session.outgoing.poll_next(cx))) {
        for text in texts(batch) {
            written.push(text);
            done.fetch_add(1, Ordering::SeqCst);
            session.outgoing.written(1, 0, 1, None);
        }
    }
    written
}

/// Nothing is lost, doubled or overtaken, the mark holds, and both sides are woken, however the writer that waits for
/// room and the session that waits for messages meet; the last message before the goodbye is delivered.
///
/// Seen to fail: `LaneState::release` without its `unpark`; `PipeWriter::pushed` that tells nobody; `release` that
/// sets `free` to the mark; `poll_take` that looks for the writer's end before the queue.
#[test]
fn what_is_sent_is_taken_in_order_to_the_last_message() {
    for hwm in [1, 2] {
        check(move || {
            let socket = Socket::new(hwm);
            let mut session = socket.pipe();
            let (mut writer, reader) = socket.ends();
            let done = Arc::<AtomicUsize>::default();
            let session = {
                let done = done.clone();
                thread::spawn(move || write_all(&mut session, &done))
            };
            for number in 0..4 {
                assert_eq!(send(&socket.writers, &mut writer, number), Ok(()));
                let queued = number + 1 - done.load(Ordering::SeqCst);
                assert!(queued <= hwm, "more than the mark allows");
            }
            drop((writer, reader));
            assert_eq!(session.join().unwrap(), ["0", "1", "2", "3"]);
        });
    }
}

/// The same the other way: the session that waits for room, the handle that waits for messages.
///
/// Seen to fail: `IncomingEnd::push` without its `unpark`; `poll_room` that does not set `parked`; `Inbox::notify`
/// that does not store the flag, or wakes nobody; `Inbox::park` that does not look for notes.
#[test]
fn what_comes_is_received_in_order_to_the_last_message() {
    check(|| {
        let socket = Socket::new(2);
        let mut session = socket.pipe();
        let (_writer, mut reader) = socket.ends();
        let session = thread::spawn(move || {
            let mut next = 0;
            while next < 3 {
                let room = block_on(poll_fn(|cx| session.incoming.poll_room(cx)));
                assert!(room <= 2, "more than the mark allows");
                let until = 3.min(next + room);
                session.incoming.push(incoming(next..until));
                next = until;
            }
        });
        for number in 0..3 {
            let received = receive(&socket.readers, &mut reader);
            assert_eq!(received, Some(message(number)));
        }
        assert_eq!(receive(&socket.readers, &mut reader), None);
        session.join().unwrap();
    });
}

/// A handle that waits for room, or for a message, hears that the session has gone.
///
/// Seen to fail: `Drop for IncomingEnd` that does not send its notice.
#[test]
fn a_waiting_handle_hears_that_the_peer_has_gone() {
    check(|| {
        let socket = Socket::new(1);
        let mut session = socket.pipe();
        let (mut writer, mut reader) = socket.ends();
        let session = thread::spawn(move || {
            session.incoming.push(incoming(0..1));
            drop(session);
        });
        assert_eq!(receive(&socket.readers, &mut reader), Some(message(0)));
        assert_eq!(receive(&socket.readers, &mut reader), None);
        while send(&socket.writers, &mut writer, 0).is_ok() {}
        session.join().unwrap();
    });
}

/// The reading half goes while the writing half sends: the session comes to its end though the writer stays, and what
/// the writer was let to queue is written or counted.
///
/// Seen to fail: `Drop for PipeReader` that leaves the other direction as it is.
#[test]
fn a_session_ends_when_the_reading_half_goes() {
    check(|| {
        let socket = Socket::new(2);
        let mut session = socket.pipe();
        let (mut writer, reader) = socket.ends();
        let session = thread::spawn(move || {
            let written = write_all(&mut session, &AtomicUsize::new(0));
            drop(session);
            written.len() as u64
        });
        let reading = thread::spawn(move || drop(reader));
        let queued = (0..2)
            .filter(|number| writer.push(&mut message(*number)).is_ok())
            .count();
        let written = session.join().unwrap();
        reading.join().unwrap();
        assert_eq!(written + socket.stats.dropped().unsent, queued as u64);
        drop(writer);
    });
}

/// A session without a connection hears that its socket has gone.
///
/// Seen to fail: `poll_closing` that does not remember its task.
#[test]
fn a_session_without_a_connection_hears_that_the_socket_has_gone() {
    check(|| {
        let socket = Socket::new(1);
        let mut session = socket.pipe();
        let (mut writer, _reader) = socket.ends();
        let session = thread::spawn(move || {
            block_on(poll_fn(|cx| session.outgoing.poll_closing(cx)));
            session.outgoing.unsent()
        });
        assert_eq!(writer.push(&mut message(0)), Ok(()));
        drop(writer);
        assert_eq!(session.join().unwrap(), 1);
    });
}

/// A hiccup: the connection ends with one message lost and others unsent; the next one sends those, in order and once,
/// while the writer goes on.
///
/// Seen to fail: `restore` that puts the batch behind the queue; `lost` that releases nothing.
#[test]
fn after_a_hiccup_the_unsent_messages_come_first_and_once() {
    for hwm in [1, 2] {
        check(move || hiccup(hwm));
    }
}

fn hiccup(hwm: usize) {
    let socket = Socket::new(hwm);
    let mut session = socket.pipe();
    let (mut writer, reader) = socket.ends();
    let session = thread::spawn(move || {
        let Some(mut batch) = block_on(poll_fn(|cx| session.outgoing.poll_next(cx))) else {
            panic!("the socket sends first");
        };
        // One message is on its way when the connection breaks.
        let partly = batch.len();
        batch.advance(1);
        let lost = batch.discard_partial();
        assert_eq!((lost, batch.len()), (1, partly - 1));
        session.outgoing.lost(lost);
        session.outgoing.restore(batch);
        write_all(&mut session, &AtomicUsize::default())
    });
    for number in 0..3 {
        assert_eq!(send(&socket.writers, &mut writer, number), Ok(()));
    }
    drop((writer, reader));
    assert_eq!(session.join().unwrap(), ["1", "2"]);
}

/// A publisher that wants a slow peer gone reaches its session, and what is dropped meanwhile is counted, whoever
/// drops it.
///
/// Seen to fail: `rest` that does not look whether the peer is wanted; one counter for what the writer counts without
/// the lock and what the session counts under it.
#[test]
fn an_unwanted_peer_is_closed_and_each_message_for_it_is_counted() {
    check(|| {
        let socket = Socket::new(1);
        let mut session = socket.pipe();
        session.offer(&std::sync::Weak::<NobodyDrives>::new());
        let (mut writer, _reader) = socket.ends();
        assert_eq!(writer.push(&mut message(0)), Ok(()));
        let taken = block_on(poll_fn(|cx| session.outgoing.poll_next(cx)));
        let Some(batch) = taken else {
            panic!("there is a message");
        };
        let session = thread::spawn(move || {
            // The stream takes nothing.
            block_on(poll_fn(|cx| {
                assert!(session.outgoing.poll_closing(cx).is_pending());
                match session.outgoing.rest() {
                    None => Poll::Ready(()),
                    Some(_) => Poll::Pending,
                }
            }));
            session.outgoing.restore(batch);
            session
        });
        assert_eq!(writer.push(&mut message(1)), Err(Refused::Full));
        writer.count_dropped();
        assert!(writer.evict(EvictReason::Slow));
        writer.count_dropped();
        let session = session.join().unwrap();
        assert_eq!(socket.stats.dropped().full, 3);
        drop(session);
    });
}

struct NobodyDrives;

impl Drive for NobodyDrives {
    fn drive(&self) -> bool {
        false
    }

    fn exchange(&self) -> bool {
        false
    }
}

/// A peer that comes, says something and goes is read, or leaves nothing behind: whenever the handle looks.
///
/// Seen to fail: `Inbox::ended` that takes every pipe away that was not seen.
#[test]
fn what_a_peer_said_before_it_went_is_read() {
    check(|| {
        let socket = Arc::new(Socket::new(1));
        let peer = {
            let socket = socket.clone();
            thread::spawn(move || {
                let mut session = socket.pipe();
                session.incoming.push(incoming(0..1));
            })
        };
        let mut reader = block_on(poll_fn(|cx| {
            loop {
                for note in notes(&socket.readers) {
                    if let PipeEvent::Attached(reader) = note {
                        return Poll::Ready(*reader);
                    }
                }
                if socket.readers.park(cx.waker()) {
                    return Poll::Pending;
                }
            }
        }));
        assert_eq!(receive(&socket.readers, &mut reader), Some(message(0)));
        assert_eq!(receive(&socket.readers, &mut reader), None);
        peer.join().unwrap();
    });
}

/// Nothing is put behind the last word to a peer that drains, however a sender meets it.
///
/// Seen to fail: `Queue::hold_back` that does not shut the lane.
#[test]
fn nothing_follows_the_last_word_to_a_peer_that_drains() {
    check(|| {
        let socket = Socket::new(2);
        let mut session = socket.pipe();
        let (mut writer, _reader) = socket.ends();
        let session = thread::spawn(move || {
            session.peer_drains();
            let mut sent = 0;
            while session.outgoing.unsent() > 0 {
                let taken = block_on(poll_fn(|cx| session.outgoing.poll_next(cx)));
                let Some(batch) = taken else {
                    panic!("there is a message");
                };
                session.outgoing.written(batch.len(), 0, batch.len(), None);
                sent += batch.len();
            }
            // Here it is said. The pipe stays for the next connection.
            (session, sent)
        });
        let taken = usize::from(writer.push(&mut message(0)).is_ok());
        let (session, sent) = session.join().unwrap();
        assert_eq!(sent, taken);
        assert_eq!(session.outgoing.unsent(), 0);
        assert_eq!(writer.push(&mut message(1)), Err(Refused::Full));
    });
}
