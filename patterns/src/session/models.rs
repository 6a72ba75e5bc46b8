//! The link and the door under loom (`models.rs`). In place of a session and its stream there is a list of what was
//! written.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use zmtp::{Batch, Message};

use super::door::Door;
use super::link::{self, Flow};
use super::{DisconnectReason, Turn};
use crate::models::{block_on, check};
use crate::options::Options;
use crate::pipe::tests::Socket;
use crate::pipe::{PipeWriter, SessionPipe, Taken};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{AtomicWaker, thread};
use crate::transport::PeerAddress;

/// A stream that takes nothing until it is opened.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    task: AtomicWaker,
}

impl Gate {
    fn open(&self) {
        self.open.store(true, Ordering::Release);
        self.task.wake();
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.task.register(cx.waker());
        if self.open.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[derive(Default)]
struct Wire {
    gate: Option<Arc<Gate>>,
    batch: Batch,
    written: Vec<Message>,
}

impl Flow for Wire {
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        loop {
            match self.poll_send(pipe, cx) {
                Poll::Ready(Ok(Turn::Moved)) => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    pipe.outgoing.rest();
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_send(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Turn>> {
        if self.batch.is_empty() {
            match ready!(pipe.outgoing.poll_take(cx)) {
                Taken::Finished => return Poll::Ready(Ok(Turn::Finished)),
                Taken::Batch(batch) => self.batch = batch,
            }
        }
        if let Some(gate) = &self.gate {
            ready!(gate.poll(cx));
        }
        let mut batch = std::mem::take(&mut self.batch);
        let messages = batch.len();
        self.written.extend(std::iter::from_fn(|| batch.pop()));
        pipe.outgoing.written(messages, 0, messages, None);
        Poll::Ready(Ok(Turn::Moved))
    }

    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        let sent = self.poll_send(pipe, cx);
        pipe.outgoing.rest();
        match sent {
            Poll::Ready(Ok(Turn::Moved)) => Some(true),
            Poll::Pending => Some(false),
            Poll::Ready(_) => None,
        }
    }
}

fn texts(numbers: std::ops::Range<usize>) -> Vec<Message> {
    numbers
        .map(|number| Message::from(number.to_string()))
        .collect()
}

/// A link in a thread of its own, and the socket's writer. What was written is the thread's result.
fn linked(wire: Wire) -> (PipeWriter, thread::JoinHandle<Vec<Message>>) {
    let socket = Socket::new(10);
    let pipe = socket.pipe();
    let (writer, _) = socket.ends();
    let task = thread::spawn(move || block_on(link::run(Box::new(wire), pipe)).0.written);
    (writer, task)
}

/// Whoever drives the session, sender or task, each message is written once, in order, and the task hears the end.
///
/// Seen to fail: `Link::driven` that says `true` when the task has the lock; `PipeWriter::wake_reader` that tells
/// nobody when there is no connection to drive.
#[test]
fn each_message_is_written_once_whoever_drives() {
    check(|| {
        let (mut writer, task) = linked(Wire::default());
        for mut message in texts(0..3) {
            writer.push(&mut message).unwrap();
        }
        drop(writer);
        assert_eq!(task.join().unwrap(), texts(0..3));
    });
}

/// A sender that drives and finds the stream full leaves the rest to the task, which the stream wakes.
///
/// Seen to fail: `Link::driven` with a waker that does nothing in place of the task's.
#[test]
fn the_stream_wakes_the_task_whoever_found_it_full() {
    check(|| {
        let gate = Arc::<Gate>::default();
        let (mut writer, task) = linked(Wire {
            gate: Some(gate.clone()),
            ..Wire::default()
        });
        let opener = thread::spawn(move || gate.open());
        for mut message in texts(0..2) {
            writer.push(&mut message).unwrap();
        }
        drop(writer);
        opener.join().unwrap();
        assert_eq!(task.join().unwrap(), texts(0..2));
    });
}

/// A receiver that drives the session (`busy_poll`) while its task does.
///
/// Seen to fail: `Link::driven` that forgets to wake the task when the task has to look.
#[test]
fn a_receiver_that_drives_takes_nothing_from_the_task() {
    check(|| {
        let socket = Socket::new(10);
        let pipe = socket.pipe();
        let (mut writer, reader) = socket.ends();
        let task =
            thread::spawn(move || block_on(link::run(Box::<Wire>::default(), pipe)).0.written);
        writer.push(&mut texts(0..1)[0]).unwrap();
        if let Some(connection) = reader.connection() {
            connection.exchange();
        }
        writer.push(&mut texts(1..2)[0]).unwrap();
        drop((writer, reader));
        assert_eq!(task.join().unwrap(), texts(0..2));
    });
}

/// No more come in than may, and those who leave make room, however they meet.
///
/// Seen to fail: `Door::enter` that counts under another lock than it compares.
#[test]
fn no_more_come_in_than_may() {
    check(|| {
        let door = Door::new(&Options {
            max_connections: Some(1),
            ..Options::default()
        });
        let peer = PeerAddress::Tcp(([10, 0, 0, 1], 1).into());
        let inside = Arc::new(AtomicBool::new(false));
        let visit = move |door: &Arc<Door>, inside: &AtomicBool| {
            let Ok((pass, _lost)) = door.enter(&peer) else {
                return;
            };
            assert!(!inside.swap(true, Ordering::Relaxed), "two are in");
            inside.store(false, Ordering::Relaxed);
            drop(pass);
        };
        let other = {
            let (door, inside, visit) = (door.clone(), inside.clone(), visit.clone());
            thread::spawn(move || visit(&door, &inside))
        };
        visit(&door, &inside);
        other.join().unwrap();
        let peer = PeerAddress::Tcp(([10, 0, 0, 2], 1).into());
        assert!(door.enter(&peer).is_ok(), "all have left");
    });
}

/// A handshake that is through is not ended for a newcomer's sake; one that isn't is, and hears it.
///
/// Seen to fail: `Door::enter` that takes the newcomer itself.
#[test]
fn a_newcomer_takes_the_place_of_a_handshake_that_is_not_through() {
    check(|| {
        let door = Door::new(&Options {
            max_handshakes: Some(1),
            ..Options::default()
        });
        let enter = |door: &Arc<Door>| {
            let peer = PeerAddress::Tcp(([10, 0, 0, 1], 1).into());
            door.enter(&peer).ok().unwrap()
        };
        let (first, first_lost) = enter(&door);
        let newcomer = {
            let door = door.clone();
            thread::spawn(move || enter(&door))
        };
        first.greeted();
        let (_newcomer, mut newcomer_lost) = newcomer.join().unwrap();
        let empty = tokio::sync::oneshot::error::TryRecvError::Empty;
        assert_eq!(newcomer_lost.try_recv(), Err(empty));
        // Its place is given up by either: nobody is left to be told.
        assert!(block_on(first_lost).is_err());
    });
}
