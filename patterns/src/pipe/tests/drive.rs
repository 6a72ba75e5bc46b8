//! Which messages their sender writes itself, at a session whose task is at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::{Socket, message, take};
use crate::pipe::{Drive, SessionPipe};

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
    while let Some(batch) = take(session) {
        let messages = batch.len();
        session.outgoing.written(messages, 0, messages, Some(batch));
        written += messages;
    }
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(session.outgoing.poll_take(&mut cx), Poll::Pending));
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
