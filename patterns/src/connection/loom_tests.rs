//! The link and the limiter under loom (`loom_tests.rs`). In place of a session and its stream there is a list of what was
//! written.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::oneshot::error::TryRecvError;
use zmtp::{Batch, Message};

use super::Turn;
use super::admission::ConnectionLimiter;
use super::driver::tests::{Counted, Counts};
use super::driver::{self, Driver};
use super::flow::Flow;
use super::watch::{self, Bell, Watch};
use crate::loom_tests::{block_on, check, check_within};
use crate::monitor::DisconnectReason;
use crate::options::Options;
use crate::peer_address::PeerAddress;
use crate::pipe::loom_tests::{receive, wait};
use crate::pipe::tests::Socket;
use crate::pipe::{Drive, PipeReader, Popped, Refused, SessionPipe, Taken};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{AtomicWaker, Mutex, thread};

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

/// A peer that says something now and then.
#[derive(Default)]
struct Peer {
    said: Mutex<VecDeque<Message>>,
    hearer: AtomicWaker,
}

impl Peer {
    fn say(&self, message: Message) {
        self.said.lock().push_back(message);
        self.hearer.wake();
    }
}

#[derive(Default)]
struct Wire {
    gate: Option<Arc<Gate>>,
    batch: Batch,
    written: Vec<Message>,
    /// Opened when so many are written.
    all: (usize, Arc<Gate>),
    /// What is to come, once the gate is open.
    coming: VecDeque<Message>,
    arrival: Option<Arc<Gate>>,
    /// What comes of a peer, how many messages have, and what is opened when so many have.
    peer: Arc<Peer>,
    heard: usize,
    all_heard: (usize, Arc<Gate>),
    /// Who is woken by that, if not the task.
    hearer: Option<Waker>,
}

impl Wire {
    fn poll_receive(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Poll<()> {
        let room = ready!(pipe.incoming.poll_room(cx));
        if let Some(arrival) = &self.arrival {
            ready!(arrival.poll(cx));
        }
        let come = room.min(self.coming.len());
        if come > 0 {
            pipe.incoming.push(self.coming.drain(..come).collect());
            return Poll::Ready(());
        }
        let hearer = self.hearer.as_ref().unwrap_or(cx.waker());
        self.peer.hearer.register(hearer);
        let Some(said) = self.peer.said.lock().pop_front() else {
            return Poll::Pending;
        };
        pipe.incoming.push([said].into_iter().collect());
        self.heard += 1;
        if self.heard == self.all_heard.0 {
            self.all_heard.1.open();
        }
        Poll::Ready(())
    }
}

impl Flow for Wire {
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        loop {
            let sent = match self.poll_send(pipe, cx) {
                Poll::Ready(Ok(Turn::Finished) | Err(_)) => return Poll::Ready(Ok(())),
                sent => sent,
            };
            let is_all_sent = matches!(sent, Poll::Pending | Poll::Ready(Ok(Turn::MovedAll)));
            if is_all_sent && self.poll_receive(pipe, cx).is_pending() {
                pipe.outgoing.rest();
                return Poll::Pending;
            }
        }
    }

    fn bring(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        while self.poll_receive(pipe, cx).is_ready() {}
        Some(true)
    }

    fn hear_by(&mut self, waker: Option<Waker>) -> bool {
        self.hearer = waker;
        true
    }

    fn hear(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        self.bring(pipe, cx)?;
        pipe.outgoing.rest_again();
        Some(true)
    }

    fn poll_send(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Turn>> {
        if self.batch.is_empty()
            && let Taken::Finished = ready!(pipe.outgoing.poll_take(&mut self.batch, cx))
        {
            return Poll::Ready(Ok(Turn::Finished));
        }
        if let Some(gate) = &self.gate {
            ready!(gate.poll(cx));
        }
        let mut batch = std::mem::take(&mut self.batch);
        let messages = batch.len();
        self.written.extend(std::iter::from_fn(|| batch.pop()));
        let (done, task) = (&mut batch, cx.waker());
        let is_all = pipe
            .outgoing
            .written_whole(messages, 0, messages, done, task)
            .is_all;
        if self.written.len() == self.all.0 {
            self.all.1.open();
        }
        Poll::Ready(Ok(if is_all { Turn::MovedAll } else { Turn::Moved }))
    }

    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        let sent = self.poll_send(pipe, cx);
        pipe.outgoing.rest();
        match sent {
            Poll::Ready(Ok(Turn::Moved | Turn::MovedAll)) => Some(true),
            Poll::Pending => Some(false),
            Poll::Ready(_) => None,
        }
    }
}

fn text(number: usize) -> Message {
    Message::from(number.to_string())
}

/// Sends messages through a link that is driven in a thread of its own. They are all written while the socket is
/// there: its end would wake the task.
fn send_all(messages: usize, gate: Option<Arc<Gate>>, between: impl FnOnce(&PipeReader)) {
    let socket = Socket::new(10);
    let pipe = socket.pipe();
    let (mut writer, reader) = socket.ends();
    let all = Arc::<Gate>::default();
    let wire = Box::new(Wire {
        gate,
        all: (messages, all.clone()),
        ..Wire::default()
    });
    let task = thread::spawn(move || block_on(driver::run(wire, pipe, |_, _| {})).0.written);
    writer.push(&mut text(0)).unwrap();
    between(&reader);
    for number in 1..messages {
        writer.push(&mut text(number)).unwrap();
    }
    block_on(poll_fn(|cx| all.poll(cx)));
    drop((writer, reader));
    let expected: Vec<_> = (0..messages).map(text).collect();
    assert_eq!(task.join().unwrap(), expected);
}

/// Whoever drives the session, sender or task, each message is written once, in order.
///
/// Seen to fail: `Link::driven` that says `true` when the task has the lock; `PipeWriter::wake_reader` that tells
/// nobody when there is no connection to drive.
#[test]
fn each_message_is_written_once_whoever_drives() {
    check(|| send_all(3, None, |_| {}));
}

/// A sender that drives and finds the stream full leaves the rest to the task, which the stream wakes.
///
/// Seen to fail: `Link::driven` with a waker that does nothing in place of the task's.
#[test]
fn the_stream_wakes_the_task_whoever_found_it_full() {
    check_within(2, || {
        let gate = Arc::<Gate>::default();
        let opener = {
            let gate = gate.clone();
            thread::spawn(move || gate.open())
        };
        send_all(2, Some(gate), |_| {});
        opener.join().unwrap();
    });
}

/// A receiver that drives the session (`busy_poll`) while its task does takes nothing from it.
///
/// Seen to fail: `Link::driven` with a waker that does nothing in place of the task's.
#[test]
fn a_receiver_that_drives_leaves_the_task_awake() {
    check(|| {
        send_all(2, None, |reader| {
            if let Some(connection) = reader.connection() {
                connection.exchange();
            }
        });
    });
}

/// A sender that finds its pipe full and drives the session itself sends each message once, in order, and hears of the room
/// that the task makes meanwhile.
#[test]
fn a_sender_that_would_wait_drives_or_hears_of_room() {
    check(|| {
        let socket = Socket::new(1);
        let pipe = socket.pipe();
        let (mut writer, reader) = socket.ends();
        let all = Arc::<Gate>::default();
        let wire = Box::new(Wire {
            all: (3, all.clone()),
            ..Wire::default()
        });
        let task = thread::spawn(move || block_on(driver::run(wire, pipe, |_, _| {})).0.written);
        for number in 0..3 {
            let sent = wait(&socket.writers, |told| {
                if !told {
                    return None;
                }
                match writer.push(&mut text(number)) {
                    Err(Refused::Full) => {
                        writer.relieve();
                        None
                    }
                    done => Some(done),
                }
            });
            assert_eq!(sent, Ok(()));
        }
        block_on(poll_fn(|cx| all.poll(cx)));
        drop((writer, reader));
        let expected: Vec<_> = (0..3).map(text).collect();
        assert_eq!(task.join().unwrap(), expected);
    });
}

/// A reader in the middle of a stream, which has the session bring what has come, gets each message once, in order, and
/// hears of what the task brings.
#[test]
fn a_reader_of_a_stream_brings_or_hears_of_what_has_come() {
    check_within(2, || {
        let socket = Socket::new(2);
        let pipe = socket.pipe();
        let (writer, mut reader) = socket.ends();
        let arrival = Arc::<Gate>::default();
        let wire = Box::new(Wire {
            coming: (0..5).map(text).collect(),
            arrival: Some(arrival.clone()),
            ..Wire::default()
        });
        let task = thread::spawn(move || {
            drop(block_on(driver::run(wire, pipe, |_, _| {})));
        });
        arrival.open();
        for number in 0..5 {
            assert_eq!(receive(&socket.readers, &mut reader), Some(text(number)));
        }
        drop((writer, reader));
        task.join().unwrap();
    });
}

/// A socket that has sent a message by itself, and waits for what its peer says `times` times: then `after` what the peer has
/// said that often is received. The peer says one thing more.
fn hear(times: usize, after: impl FnOnce(&Socket, PipeReader, &Gate)) {
    let socket = Socket::new(10);
    let pipe = socket.pipe();
    let (writer, mut reader) = socket.ends();
    let (peer, all) = (Arc::<Peer>::default(), Arc::<Gate>::default());
    let wire = Box::new(Wire {
        peer: peer.clone(),
        all_heard: (times + 1, all.clone()),
        ..Wire::default()
    });
    let driver = Driver::begin(wire, pipe);
    // What the task sees to first is no part of this.
    assert!(
        driver
            .poll(
                &mut Watch::default(),
                &mut Context::from_waker(Waker::noop())
            )
            .is_pending()
    );
    driver.drive();
    let task = thread::spawn(move || drop(block_on(driver.run(|_, _| {}))));
    let talking = thread::spawn(move || {
        for number in 0..=times {
            peer.say(text(number));
        }
    });
    for number in 0..times {
        assert_eq!(receive(&socket.readers, &mut reader), Some(text(number)));
    }
    after(&socket, reader, &all);
    talking.join().unwrap();
    drop(writer);
    task.join().unwrap();
}

/// What a peer says is received once, in order, whether the call that waits for it takes it or the task, which are woken both.
///
/// Seen to fail: `Driver::hear` that notes only afterwards that it looks.
#[test]
fn what_a_peer_says_is_received_once_whoever_takes_it() {
    check_within(2, || {
        hear(1, |socket, mut reader, _| {
            assert_eq!(receive(&socket.readers, &mut reader), Some(text(1)));
        });
    });
}

/// What a peer says is taken, though the call that waits for it is kept and not polled any more.
#[test]
fn what_a_peer_says_is_taken_though_nobody_polls_the_call() {
    check_within(2, || {
        hear(1, |socket, mut reader, all| {
            if let Popped::Empty = reader.pop() {
                socket.readers.park(Waker::noop());
            }
            block_on(poll_fn(|cx| all.poll(cx)));
        });
    });
}

/// While a watch lasts, the task is not woken for what a call is woken for. What comes just as it ends is taken all the same,
/// though that call is kept and not polled any more.
///
/// Seen to fail: `Driver::poll` that looks whether the watch has ended behind what has come.
#[test]
fn what_comes_when_a_watch_ends_is_the_tasks() {
    check(|| {
        let bell = Arc::<Bell>::default();
        *watch::NEXT.lock() = Some(bell.clone());
        let (socket, counts, stream) = (Socket::new(1), Arc::<Counts>::default(), Arc::default());
        let session = Box::new(Counted(counts.clone(), Arc::clone(&stream)));
        let driver = Driver::begin(session, socket.pipe());
        let (_writer, mut reader) = socket.ends();
        let arrival = stream.lock().take().expect("it hears by a waker");
        let mut watch = Watch::default();
        let mut waits = || {
            assert!(matches!(reader.pop(), Popped::Empty));
            reader.stay();
        };
        let mut poll = |cx: &mut Context<'_>| {
            drop(driver.poll(&mut watch, cx));
            (counts.looked(), watch.lasts())
        };
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(poll(&mut cx), (1, false), "it begins");
        driver.drive();
        waits();
        arrival.wake_by_ref();
        waits();
        assert_eq!(poll(&mut cx), (1, true), "it was woken in vain");
        assert!(socket.readers.park(Waker::noop()));
        let arriving = thread::spawn(move || arrival.wake());
        let ringing = thread::spawn(move || bell.ring());
        block_on(poll_fn(|cx| match poll(cx) {
            (2, false) => Poll::Ready(()),
            _ => Poll::Pending,
        }));
        arriving.join().unwrap();
        ringing.join().unwrap();
    });
}

/// No more come in than may, and those who leave make room, however they meet.
///
/// Seen to fail: `ConnectionLimiter::enter` that compares under another lock than it counts.
#[test]
fn no_more_come_in_than_may() {
    check(|| {
        let limiter = ConnectionLimiter::new(&Options {
            max_connections: Some(1),
            ..Options::default()
        });
        let peer = PeerAddress::from(std::net::SocketAddr::from(([10, 0, 0, 1], 1)));
        let inside = Arc::new(AtomicBool::new(false));
        let visit = move |limiter: &Arc<ConnectionLimiter>, inside: &AtomicBool| {
            let Ok((permit, _lost)) = limiter.enter(&peer) else {
                return;
            };
            assert!(!inside.swap(true, Ordering::Relaxed), "two are in");
            inside.store(false, Ordering::Relaxed);
            drop(permit);
        };
        let other = {
            let (limiter, inside, visit) = (limiter.clone(), inside.clone(), visit.clone());
            thread::spawn(move || visit(&limiter, &inside))
        };
        visit(&limiter, &inside);
        other.join().unwrap();
        let peer = PeerAddress::from(std::net::SocketAddr::from(([10, 0, 0, 2], 1)));
        assert!(limiter.enter(&peer).is_ok(), "all have left");
    });
}

/// Of two that come to a limiter at which one may shake hands, the later one takes the place of the other, which hears it.
///
/// Seen to fail: `ConnectionLimiter::enter` that makes no room.
#[test]
fn a_newcomer_takes_the_place_of_a_handshake_that_is_not_through() {
    check(|| {
        let limiter = ConnectionLimiter::new(&Options {
            max_handshakes: Some(1),
            ..Options::default()
        });
        let enter = |limiter: &Arc<ConnectionLimiter>| {
            let peer = PeerAddress::from(std::net::SocketAddr::from(([10, 0, 0, 1], 1)));
            limiter.enter(&peer).ok().unwrap()
        };
        let other = {
            let limiter = limiter.clone();
            thread::spawn(move || enter(&limiter))
        };
        let (_pass, mut lost) = enter(&limiter);
        let (_other, mut other_lost) = other.join().unwrap();
        let lost = [lost.try_recv(), other_lost.try_recv()];
        let stays = |lost: &&Result<&str, TryRecvError>| **lost == Err(TryRecvError::Empty);
        assert_eq!(lost.iter().filter(stays).count(), 1);
    });
}
