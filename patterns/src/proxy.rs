//! The proxy: two sockets joined, so that what one receives the other sends (libzmq's `zmq_proxy` and
//! `zmq_proxy_steerable`).
//!
//! ```text
//!   clients ──► frontend ──► backend ──► workers        capture gets a copy of everything
//!           ◄──          ◄──         ◄──                control steers, and so does the handle
//! ```
//!
//! A message is taken only when there is room for it on the other side, and goes on at once; a burst of them is
//! moved in one direction before the other has its turn, so that they meet again in one write. Frames are passed
//! on as they are, large ones by reference.

mod broker;
mod end;
mod steering;

use std::future::poll_fn;
use std::task::{Context, Poll};

use zmtp::Message;

pub use broker::{Broker, BrokerHandle, BrokerStatistics};
pub use end::ProxyEnd;
use steering::{Command, Meter, State};
pub use steering::{ProxyHandle, ProxyStatistics, ProxyTraffic};

use crate::blocking;
use crate::coop::yield_to_others;
use crate::rules::Capability;
use crate::socket::ErasedSocket;

/// Messages that are moved in one direction before the other has its turn.
const BURST: usize = 256;

/// Turns before the task yields.
const TURNS: usize = 16;

/// Joins two sockets until it is dropped: ROUTER and DEALER for requests, XSUB and XPUB (or SUB and PUB) for
/// publications, PULL and PUSH for pipelines, or any two others. The sockets may be borrowed, `&mut`. More is in
/// [`Proxy`].
///
/// # Cancel safety
///
/// A dropped future has lost no message, except if a `mandatory` ROUTER or a PUB with `no_drop` had no room
/// for the one in hand; [`Proxy::run`] keeps that one, too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket, proxy};
///
/// let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
/// let front = clients.bind("tcp://127.0.0.1:*").await?;
/// let back = workers.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(proxy(clients, workers));
///
/// let mut worker = RepSocket::new();
/// worker.connect(&back)?;
/// let mut client = ReqSocket::new();
/// client.connect(&front)?;
/// client.send("question").await?;
/// assert_eq!(worker.recv().await?, "question");
/// worker.send("answer").await?;
/// assert_eq!(client.recv().await?, "answer");
/// # Ok(())
/// # }
/// ```
pub async fn proxy(frontend: impl ProxyEnd, backend: impl ProxyEnd) {
    Proxy::new(frontend, backend).run().await;
}

/// A proxy with its sockets, that can be captured, steered, stopped and run again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{Proxy, PullSocket, PushSocket};
///
/// let (mut source, mut sink) = (PushSocket::new(), PullSocket::new());
/// let (mut pull, mut push) = (PullSocket::new(), PushSocket::new());
/// source.connect(pull.bind("tcp://127.0.0.1:*").await?)?;
/// sink.connect(push.bind("tcp://127.0.0.1:*").await?)?;
///
/// let mut streamer = Proxy::new(pull, push);
/// let handle = streamer.handle();
/// let running = tokio::spawn(async move {
///     streamer.run().await;
///     streamer.into_parts()
/// });
/// source.send("work").await?;
/// assert_eq!(sink.recv().await?, "work");
/// assert_eq!(handle.statistics().frontend.messages_in, 1);
/// handle.terminate();
/// let (_pull, _push) = running.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy<F, B, C = (), S = ()> {
    frontend: F,
    backend: B,
    capture: C,
    control: S,
    /// What has been taken from one side and has no room on the other.
    to_frontend: Option<Message>,
    to_backend: Option<Message>,
    /// An answer that the control socket has no room for.
    answer: Option<Message>,
    /// The sockets have been told to drain.
    drains: bool,
    handle: ProxyHandle,
}

impl<F: ProxyEnd, B: ProxyEnd> Proxy<F, B> {
    /// A proxy of two sockets. It moves nothing before it runs.
    pub fn new(frontend: F, backend: B) -> Self {
        Proxy {
            frontend,
            backend,
            capture: (),
            control: (),
            to_frontend: None,
            to_backend: None,
            answer: None,
            drains: false,
            handle: ProxyHandle::default(),
        }
    }
}

impl<F: ProxyEnd, B: ProxyEnd, S: ProxyEnd> Proxy<F, B, (), S> {
    /// Sends a copy of every message, in both directions, to a PUB, PUSH, DEALER or PAIR. One that has no room
    /// holds the proxy up; a PUB never does.
    pub fn capture<C: ProxyEnd>(self, capture: C) -> Proxy<F, B, C, S> {
        Proxy {
            frontend: self.frontend,
            backend: self.backend,
            capture,
            control: self.control,
            to_frontend: self.to_frontend,
            to_backend: self.to_backend,
            answer: self.answer,
            drains: self.drains,
            handle: self.handle,
        }
    }
}

impl<F: ProxyEnd, B: ProxyEnd, C: ProxyEnd> Proxy<F, B, C, ()> {
    /// Takes commands from a socket, as `zmq_proxy_steerable` does: `PAUSE`, `RESUME`, `TERMINATE` and `STATISTICS`.
    /// The answer to the last is eight frames of eight bytes in this machine's order: messages in, bytes in,
    /// messages out, bytes out, of the frontend and then of the backend. A REP answers the others with an empty
    /// frame. Messages that are no command mean nothing.
    pub fn control<S: ProxyEnd>(self, control: S) -> Proxy<F, B, C, S> {
        Proxy {
            frontend: self.frontend,
            backend: self.backend,
            capture: self.capture,
            control,
            to_frontend: self.to_frontend,
            to_backend: self.to_backend,
            answer: self.answer,
            drains: self.drains,
            handle: self.handle,
        }
    }
}

impl<F: ProxyEnd, B: ProxyEnd, C: ProxyEnd, S: ProxyEnd> Proxy<F, B, C, S> {
    /// A handle that steers the proxy from anywhere. Cheap to clone.
    pub fn handle(&self) -> ProxyHandle {
        self.handle.clone()
    }

    /// Moves messages until the proxy is told to terminate, or has been drained, or the context of one of its two sockets is
    /// closed. It can be run again then.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has lost no message; run it again to go on.
    pub async fn run(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// The same, blocking this thread. For sockets whose connections run on I/O threads: of
    /// [`blocking`](crate::blocking) or of a [`Context::with_io_threads`](crate::Context::with_io_threads).
    ///
    /// ```
    /// use purezmq::Proxy;
    /// use purezmq::blocking::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
    /// let front = clients.bind("tcp://127.0.0.1:*")?;
    /// let back = workers.bind("tcp://127.0.0.1:*")?;
    /// let mut broker = Proxy::new(clients, workers);
    /// let handle = broker.handle();
    /// let thread = std::thread::spawn(move || broker.run_blocking());
    ///
    /// let (mut worker, mut client) = (RepSocket::new(), ReqSocket::new());
    /// worker.connect(&back)?;
    /// client.connect(&front)?;
    /// client.send("question")?;
    /// assert_eq!(worker.recv()?, "question");
    /// handle.terminate();
    /// thread.join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_blocking(&mut self) {
        blocking::wait(self.run());
    }

    /// The sockets. Drops the message in hand, if there is one: see [`proxy`].
    pub fn into_parts(self) -> (F, B) {
        (self.frontend, self.backend)
    }

    /// Has the sockets drain, if they do not yet. `false`: the limit is over.
    fn begin_drain(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.handle.limit();
        let begins = !std::mem::replace(&mut self.drains, true);
        let (front, back) = (self.frontend.end(), self.backend.end());
        let subscribes = |end: &&mut dyn ErasedSocket| end.rules().subscribes;
        // Work comes to the frontend, publications to whoever subscribes.
        let back = back.filter(subscribes);
        let takes_work = match back {
            Some(back) => Some(back),
            None => front,
        };
        let Some(socket) = takes_work else {
            return true;
        };
        if begins {
            socket.drain(limit);
        }
        socket.poll_drain_limit(cx).is_pending()
    }

    /// Returns whether nothing more comes, and what was asked is answered. `there` and `back_again`: what was moved last.
    fn is_drained(&mut self, there: Moved, back_again: Moved) -> bool {
        if self.to_frontend.is_some() || self.to_backend.is_some() {
            return false;
        }
        let (Some(front), Some(back)) = (self.frontend.end(), self.backend.end()) else {
            return true;
        };
        if back.rules().subscribes {
            return back_again == Moved::Last;
        }
        if there != Moved::Last {
            return false;
        }
        let answers = front.rules().names_peers();
        if !answers || !back.rules().has(Capability::Receives) {
            return true;
        }
        // Of the questions that went with a worker, there is no answer to wait for.
        self.handle.meters().unanswered().min(back.owed()) == 0
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.handle.watch(cx);
        for _ in 0..TURNS {
            let was_told = self.poll_control(cx);
            match self.handle.state() {
                State::Running => {}
                State::Paused if self.has_ended() => return Poll::Ready(()),
                State::Paused => return Poll::Pending,
                State::Draining if self.begin_drain(cx) => {}
                State::Draining | State::Terminating => {
                    self.handle.ended();
                    return Poll::Ready(());
                }
            }
            let (capture, meters) = (&mut self.capture, self.handle.meters());
            let (front, back) = (&mut self.frontend, &mut self.backend);
            let there = forward(
                front,
                back,
                &mut self.to_backend,
                self.drains,
                capture,
                &meters.there(),
                cx,
            );
            let back_again = forward(
                back,
                front,
                &mut self.to_frontend,
                self.drains,
                capture,
                &meters.back(),
                cx,
            );
            if self.has_ended() {
                return Poll::Ready(());
            }
            if there != Moved::Burst && back_again != Moved::Burst && !was_told {
                if self.drains && self.is_drained(there, back_again) {
                    self.handle.ended();
                    return Poll::Ready(());
                }
                return Poll::Pending;
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }

    /// Returns whether one of the two sockets has ended with its context. Looked at when both have been asked: so what ends
    /// after this wakes the task.
    fn has_ended(&mut self) -> bool {
        let ends = [self.frontend.end(), self.backend.end()];
        ends.into_iter().flatten().any(|end| end.has_ended())
    }

    /// Does what the control socket says. Returns whether it may have more to say.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(control) = self.control.end() else {
            return false;
        };
        // One that takes turns waits for an answer to each.
        let answers_all = !control.rules().has(Capability::Streams);
        for _ in 0..BURST {
            if self.answer.is_some() && end::put(control, cx, &mut self.answer).is_pending() {
                return false;
            }
            let Poll::Ready(Some(message)) = end::take(control, cx) else {
                return false;
            };
            let command = Command::read(&message);
            self.answer = command.and_then(|command| self.handle.obey(command));
            if self.answer.is_none() && answers_all {
                self.answer = Some(Message::from(""));
            }
        }
        true
    }
}

/// What a turn in one direction came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// There may be more.
    Burst,
    /// All that there was.
    All,
    /// All that there ever will be: the socket is drained, and itself says so, when it has looked everywhere.
    Last,
    /// There is no room for more.
    NoRoom,
}

/// Moves a burst of messages one way.
fn forward(
    from: &mut impl ProxyEnd,
    to: &mut impl ProxyEnd,
    in_hand: &mut Option<Message>,
    drains: bool,
    capture: &mut impl ProxyEnd,
    (taken, put): &(&Meter, &Meter),
    cx: &mut Context<'_>,
) -> Moved {
    let (Some(from), Some(to)) = (from.end(), to.end()) else {
        return Moved::All;
    };
    let mut capture = capture.end();
    let mut size = in_hand.as_ref().map_or(0, Message::byte_len);
    for _ in 0..BURST {
        if in_hand.is_none() {
            // One that drains has to know whether there is anything, though nobody takes it now.
            if !drains && to.poll_room(cx).is_pending() {
                return Moved::NoRoom;
            }
            if let Some(capture) = &mut capture
                && capture.poll_room(cx).is_pending()
            {
                return Moved::NoRoom;
            }
            let message = match end::take(from, cx) {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => return Moved::Last,
                Poll::Pending => return Moved::All,
            };
            size = message.byte_len();
            taken.add(size);
            if let Some(capture) = &mut capture {
                // There is room, or it has gone this moment: then there is nobody to copy it to.
                let _ = end::put(*capture, cx, &mut Some(message.clone()));
            }
            *in_hand = Some(message);
        }
        if end::put(to, cx, in_hand).is_pending() {
            return Moved::NoRoom;
        }
        put.add(size);
    }
    Moved::Burst
}
