//! Which messages their sender writes itself, at a session whose task is at rest.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use zmtp::Message;

use super::{Socket, fill, incoming, message, notes, take};
use crate::pipe::{Drive, Popped, SessionPipe};

/// Counts how often it is driven, and leaves the work to the task.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Drive for Counted {
    fn drive(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }

    fn exchange(&self) -> bool {
        false
    }
}

/// Runs the session's task until it is at rest, and returns how many messages it has written.
fn run(session: &mut SessionPipe) -> usize {
    let mut written = 0;
    while let Some(mut batch) = take(session) {
        let messages = batch.len();
        session
            .outgoing
            .written(messages, 0, messages, Some(&mut batch));
        written += messages;
    }
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(session.outgoing.poll_next(&mut cx), Poll::Pending));
    assert!(session.outgoing.rest().is_some());
    written
}

#[test]
fn one_message_a_run_is_sent_by_its_sender_and_none_behind_a_stream() {
    let socket = Socket::new(0);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    let connection = Arc::new(Counted::default());
    session.offer(&Arc::downgrade(&connection));
    let driven = || connection.0.swap(0, Ordering::Relaxed);
    let mut push = |messages: usize| {
        for _ in 0..messages {
            writer.push(&mut message(0)).unwrap();
        }
        driven()
    };
    run(&mut session);

    assert_eq!(push(1), 1, "a lone message");
    assert_eq!(push(5), 0, "those that follow closely");
    assert_eq!(run(&mut session), 6);
    assert_eq!(push(100), 1, "a few were written");
    assert_eq!(run(&mut session), 100);
    assert_eq!(push(1), 0, "behind a stream");
    assert_eq!(run(&mut session), 1);
    assert_eq!(push(1), 1, "a lone message again");
}

/// Has the session do at once what it is asked for.
struct Willing {
    session: Mutex<SessionPipe>,
    /// Messages that come with each call.
    coming: usize,
    calls: AtomicUsize,
}

impl Willing {
    fn of(session: SessionPipe, coming: usize) -> Arc<Self> {
        let willing = Arc::new(Willing {
            session: Mutex::new(session),
            coming,
            calls: AtomicUsize::new(0),
        });
        let mut session = willing.session.lock().unwrap();
        session.offer(&Arc::downgrade(&willing));
        drop(session);
        willing
    }
}

impl Drive for Willing {
    fn drive(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        run(&mut self.session.lock().unwrap());
        true
    }

    fn bring(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut session = self.session.lock().unwrap();
        session.incoming.push(incoming(0..self.coming));
        true
    }

    fn hear(&self) {
        self.session.lock().unwrap().incoming.set_asked(true);
        self.bring();
        self.session.lock().unwrap().incoming.set_asked(false);
    }

    fn exchange(&self) -> bool {
        false
    }
}

#[test]
fn who_would_wait_for_room_has_the_connection_send_first() {
    // A stream, so that no message is sent by itself.
    let socket = Socket::new(100);
    let session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    let connection = Willing::of(session, 0);
    assert_eq!(fill(&mut writer, 0), 100);
    writer.relieve();
    assert_eq!(connection.calls.load(Ordering::Relaxed), 1);
    assert_eq!(notes(&socket.writers).len(), 1, "there is room");
    assert_eq!(fill(&mut writer, 0), 100);
}

#[test]
fn who_finds_no_room_either_way_hears_when_there_is() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    assert_eq!(fill(&mut writer, 0), 10);
    writer.relieve();
    let connection = Arc::new(Counted::default());
    session.offer(&Arc::downgrade(&connection));
    writer.relieve();
    assert!(notes(&socket.writers).is_empty());
    assert_eq!(run(&mut session), 10);
    assert_eq!(notes(&socket.writers).len(), 1);
}

#[test]
fn a_reader_looks_for_more_behind_a_stream_and_not_behind_a_few() {
    for (messages, calls) in [(63, 0), (64, 1)] {
        let socket = Socket::new(0);
        let mut session = socket.pipe();
        let (_writer, mut reader) = socket.ends();
        session.incoming.push(incoming(0..messages));
        let connection = Willing::of(session, 2);
        let mut read = 0;
        while let Popped::Message(_) = reader.pop() {
            read += 1;
        }
        assert_eq!(connection.calls.load(Ordering::Relaxed), calls);
        assert_eq!(read, messages + 2 * calls);
    }
}

/// Who goes to the stream for a message, and finds that it is one, is told of the next without asking once more.
#[test]
fn a_reader_that_has_heard_one_message_waits_for_the_next() {
    for (messages, waits) in [(1, true), (2, false)] {
        let socket = Socket::new(10);
        let session = socket.pipe();
        let caller = session.incoming.caller();
        let (_writer, mut reader) = socket.ends();
        let connection = Willing::of(session, messages);
        caller.call();
        assert!(!socket.readers.has_events(), "nobody waits yet");
        assert!(matches!(reader.pop(), Popped::Empty));
        caller.call();
        caller.call();
        assert_eq!(notes(&socket.readers).len(), 1);
        assert!(matches!(reader.pop(), Popped::Message(_)));
        assert!(!socket.readers.has_events(), "it has asked itself");
        assert_eq!(connection.calls.load(Ordering::Relaxed), 1);
        assert_eq!(reader.waits(), waits);
        let mut session = connection.session.lock().unwrap();
        if waits {
            assert_eq!(session.incoming.room(), 10, "it is taken");
        }
        session.incoming.push(incoming(0..1));
        assert_eq!(notes(&socket.readers).len(), usize::from(waits));
        drop(session);
        assert!(matches!(reader.pop(), Popped::Message(_)));
        assert!(!reader.waits(), "nobody has called");
    }
}

/// A reader that looks for itself needs no event: the call that waits is woken.
#[test]
fn a_reader_that_stays_where_it_is_is_called_without_an_event() {
    let socket = Socket::new(10);
    let session = socket.pipe();
    let caller = session.incoming.caller();
    let (_writer, mut reader) = socket.ends();
    let _connection = Willing::of(session, 1);
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    assert!(matches!(reader.pop(), Popped::Empty));
    reader.stay();
    assert!(socket.readers.park(&Waker::from(woken.clone())));
    caller.call();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(!socket.readers.has_events() && reader.has_arrived());
    assert!(matches!(reader.pop(), Popped::Message(_)));
}

/// A session knows how much it may bring without asking as long as that is half of what there may be.
#[test]
fn a_session_has_credit_while_half_of_the_room_is_left() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (_writer, _reader) = socket.ends();
    let mut credits = Vec::new();
    for messages in [0, 4, 1, 1] {
        session.incoming.push(incoming(0..messages));
        credits.push(session.incoming.credit());
    }
    assert_eq!(credits, [0, 6, 5, 0]);
    assert_eq!(session.incoming.room(), 4);
}

/// Bytes of the next batch, of messages of 1 KiB.
fn first_batch(of: Option<usize>) -> usize {
    let socket = Socket::new(1000);
    let mut session = socket.pipe();
    session.outgoing.set_batch_size(of);
    let (mut writer, _reader) = socket.ends();
    while writer.push(&mut Message::from(vec![0; 1024])).is_ok() {}
    take(&mut session).map_or(0, |batch| batch.byte_len())
}

#[test]
fn a_batch_is_as_large_as_its_stream_wants_within_bounds() {
    let is_about = |of, bytes: usize| {
        let is = first_batch(of);
        assert!((bytes..bytes + 1100).contains(&is), "{of:?}: {is}");
    };
    is_about(None, 60 * 1024);
    is_about(Some(104 * 1024), 104 * 1024);
    is_about(Some(1), 60 * 1024);
    is_about(Some(usize::MAX), 128 * 1024);
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_session_that_has_written_all_waits_without_a_second_look() {
    let socket = Socket::new(10);
    let mut session = socket.pipe();
    let (mut writer, _reader) = socket.ends();
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let task = Waker::from(woken.clone());
    let mut write_next = || {
        let mut batch = take(&mut session).expect("something is queued");
        let messages = batch.len();
        session
            .outgoing
            .written_whole(messages, 0, messages, &mut batch, &task)
            .is_all
    };

    writer.push(&mut message(0)).unwrap();
    assert!(write_next(), "there is no more");
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    writer.push(&mut message(1)).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it waited");
    drop(writer);
    assert!(!write_next(), "its end is to be seen");
}
