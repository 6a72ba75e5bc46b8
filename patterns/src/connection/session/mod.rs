//! A session: one connection's life, from the greeting to its end.
//!
//! `listen` makes one for every accepted connection, `dial` one after the other for a connecting endpoint.
//! A session owns the stream and the [`Engine`], is lent a pipe, and knows neither a protocol nor a socket type. Both
//! directions are driven by one `poll` on one task (`driver.rs` says who else may send):
//!
//! ```text
//!   pipe.outgoing ── take a batch ──► Engine::encode ─── one vectored write ──► stream
//!   pipe.incoming ◄─ whole messages ─ Engine::handle_input ◄──── one read ──── stream
//! ```
//!
//! A turn moves at most one batch each way, and a poll takes a limited number of turns, so that neither direction
//! starves the other, and a busy connection starves neither its runtime nor its heartbeats.
//!
//! ```text
//! handshake.rs  greeting, security, who the peer is
//! traffic.rs    both directions
//! hearing.rs    whether a peer that was quiet is still there, and what one has left that takes nothing more
//! timers.rs     lingering, heartbeats, peers that take nothing
//! draining.rs   who takes no new work
//! ending.rs     what was not sent, and the farewell
//! lending.rs    the stream, in the hands of a thread that waits
//! cut.rs        what becomes of it when its task goes
//! ```

mod cut;
mod draining;
mod ending;
mod handshake;
mod hearing;
mod lending;
#[cfg(test)]
mod tests;
mod timers;
mod traffic;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use zmtp::{Batch, Connection, Engine, Raw};

pub(crate) use self::ending::AFTER_LINGER;
use self::timers::Stall;
use super::admission::Toll;
use super::driver;
use super::flow::Flow;
use super::guard::ConnectionGuard;
use crate::monitor::DisconnectReason;
use crate::peer::Peer;
use crate::pipe::{Origin, PipeId, SessionPipe};
use crate::routing_id::RoutingId;
use crate::rules::Protocol;
use crate::state::{Shared, is_subscription};
use crate::transport::{ByteStream, Stream};

/// A connection, between two streams of bytes and messages.
pub(crate) struct Session {
    stream: Stream,
    engine: Box<dyn Engine>,
    /// Taken from the pipe and not yet written whole.
    batch: Batch,
    /// Taken from the pipe with `batch`, and to be encrypted after it. Most connections never have one.
    rest: Option<Box<Batch>>,
    /// So many messages of `batch` are what the connection begins with: they have not come from the pipe.
    first: usize,
    /// `batch` is encoded, or a message of it is partly written: nothing else may come between.
    mid_batch: bool,
    /// The peer has been told why its handshake has failed.
    is_explained: bool,
    /// Messages have been sent.
    has_sent: bool,
    /// Messages have been sent since the last look whether the connection is idle.
    has_sent_lately: bool,
    /// The last read took less than it might have: there is no more, unless the stream says so.
    has_read_all: bool,
    /// None came close before the next message: of a large one, the head may go first.
    next_is_lone: bool,
    /// Buffers for sending are kept.
    keeps_buffers: bool,
    /// When to look again; set while buffers are kept.
    idle_check: Option<Instant>,
    /// The peer was listened for, or heard, at this time or later.
    heard: Instant,
    /// What is written to a peer that has gone would have another way.
    listens: bool,
    /// Nobody else comes while the peer is there.
    is_alone: bool,
    /// Nothing can be sent any more, and why: what the peer has left is still taken.
    mute: Option<Box<DisconnectReason>>,
    /// How long that waits for room, while it does.
    patience: Option<Pin<Box<Sleep>>>,
    /// Until when, if not to its end.
    hears_until: Option<Instant>,
    /// Bytes read in this poll.
    read: usize,
    /// Where `exchange` reads to.
    scratch: Vec<u8>,
    /// The next moment at which something has to be done without being asked.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whose connection it is, if it encrypts: the number of the process.
    process: Option<u32>,
    /// The stream has been told of large payloads, or is not to be.
    expects_large: bool,
    /// How long the peer may take nothing of what is to be written.
    write_timeout: Option<Duration>,
    /// The stream takes nothing.
    stall: Option<Stall>,
    /// The stream took nothing when it was last asked.
    is_blocked: bool,
    /// What the peer gets, others get, too.
    is_one_of_many: bool,
    /// As whom the peer wanted to come in, whom the authenticator has refused.
    refused: Option<Box<str>>,
    /// What counts the bytes of an accepted connection's handshake.
    toll: Option<Box<Toll>>,
    draining: draining::Draining,
    /// How many of what has come last came alone.
    lone: lending::Lone,
    /// What is woken by what comes, if that is not the task.
    arrival: Option<Waker>,
}

/// Among those who wait for a name. Given up when dropped.
struct PlaceInLine<'a> {
    shared: &'a Shared,
    pipe: PipeId,
    name: Option<&'a RoutingId>,
}

impl Drop for PlaceInLine<'_> {
    fn drop(&mut self) {
        if let (Some(names), Some(name)) = (&self.shared.state.peer_names, self.name) {
            names.stop_waiting(self.pipe, name);
        }
    }
}

/// What a turn in one direction came to.
pub(super) enum Turn {
    Moved,
    /// Moved, and there is no more now: whoever has more wakes the task.
    MovedAll,
    Finished,
}

impl Session {
    /// Makes a session of a stream. It is boxed, as are the futures below that a connection needs only at its beginning
    /// or its end: what remains is what each idle connection costs, thousands of times.
    pub(crate) fn new(stream: Stream, shared: &Shared) -> Box<Self> {
        let now = Instant::now();
        Box::new(Session {
            stream,
            engine: engine(shared, now),
            batch: Batch::new(),
            rest: None,
            first: 0,
            mid_batch: false,
            is_explained: false,
            has_sent: false,
            has_sent_lately: false,
            has_read_all: false,
            next_is_lone: false,
            keeps_buffers: false,
            idle_check: None,
            heard: now,
            listens: !shared.config.rules.publishes,
            is_alone: shared.is_exclusive(),
            mute: None,
            patience: None,
            hears_until: None,
            read: 0,
            scratch: Vec::new(),
            timer: None,
            process: shared.config.options.security.encrypts().then(process_id),
            expects_large: shared.config.options.send_buffer.is_some(),
            write_timeout: shared
                .config
                .options
                .write_timeout
                .filter(|_| !shared.config.options.no_drop),
            stall: None,
            is_blocked: false,
            is_one_of_many: shared.config.rules.publishes,
            refused: None,
            toll: None,
            draining: draining::Draining::default(),
            lone: lending::Lone::default(),
            arrival: None,
        })
    }

    /// Returns whether this is a process that was forked from the one whose connection this is: what both encrypt would
    /// have the same numbers, and who reads along could take one from the other. So such a process neither sends nor reads.
    fn is_inherited(&self) -> bool {
        self.process.is_some_and(|process| process != process_id())
    }

    /// Moves messages until the socket is done with the peer (`Ok`) or the connection ends. It begins here, and not in the
    /// future: arguments stay in that beside what is made of them, for as long as the connection is there.
    pub(crate) fn run(
        mut self: Box<Self>,
        guard: &ConnectionGuard,
        mut pipe: SessionPipe,
    ) -> impl Future<Output = (SessionPipe, DisconnectReason)> + Send {
        let shared = &guard.shared;
        self.begin_drain(shared, &pipe);
        pipe.outgoing.set_batch_size(self.stream.batch());
        pipe.outgoing.set_streams_soon(self.is_tcp());
        if pipe.outgoing.is_ending() {
            // Unwanted before it was known.
            pipe.peer_left(shared.config.tells_of_peers());
            return Either::Left(std::future::ready((pipe, DisconnectReason::ByRequest)));
        }
        shared.begin(|first| {
            if shared.state.subscriptions.is_some() {
                pipe.outgoing.begin_live(is_subscription);
            }
            self.first = first.len();
            self.batch = first;
        });
        Either::Right(self.go_on(guard, pipe))
    }

    /// Goes on doing so. What is done at the end has room of its own, when it comes to that.
    fn go_on(
        self: Box<Self>,
        guard: &ConnectionGuard,
        pipe: SessionPipe,
    ) -> impl Future<Output = (SessionPipe, DisconnectReason)> + Send {
        let cut = |session: Box<Self>, pipe| session.cut_short(pipe, guard);
        let driving = driver::run(self, pipe, cut);
        async move {
            let ending = {
                let (mut session, pipe, result) = driving.await;
                session.end_lending();
                Box::pin(session.end(guard, pipe, result))
            };
            ending.await
        }
    }

    /// Does what there is to do when nothing is moved any more, and says why that is.
    async fn end(
        self: Box<Self>,
        guard: &ConnectionGuard,
        pipe: SessionPipe,
        result: Result<(), DisconnectReason>,
    ) -> (SessionPipe, DisconnectReason) {
        let shared = &guard.shared;
        let cut = |session: Box<Self>, pipe| session.cut_short(pipe, guard);
        let (mut session, mut pipe) = (self, pipe);
        if shared.config.rules.speaks == Protocol::Raw
            && matches!(result, Err(DisconnectReason::Peer))
        {
            (session, pipe) = Box::pin(session.answer_last(pipe, cut)).await;
        }
        let (evicted, is_ending) = (pipe.outgoing.evicted(), pipe.outgoing.is_ending());
        let is_last = result.is_ok() && evicted.is_none() && !is_ending;
        session.return_batch(shared, &mut pipe, is_last);
        // Of an end that the application wants it needs no word.
        if (result.is_err() || evicted.is_some())
            && let Some(words) = shared.config.words(guard.origin.is_bound())
        {
            pipe.say(words);
        }
        pipe.peer_left(shared.config.tells_of_peers());
        if shared.config.rules.publishes {
            pipe.mark_next();
        }
        let reason = match (result, evicted) {
            (Ok(()), Some(why)) => {
                pipe.outgoing.clear_eviction();
                why.into()
            }
            (Ok(()), None) if is_ending => DisconnectReason::ByRequest,
            (Ok(()), None) => {
                let linger = pipe.outgoing.linger();
                Box::pin(session.farewell(linger)).await;
                DisconnectReason::Local
            }
            (Err(reason), evicted) => {
                if evicted.is_some() {
                    // It went by itself meanwhile.
                    pipe.outgoing.clear_eviction();
                }
                session.explain(&reason).await;
                if let DisconnectReason::NameTaken = reason {
                    Box::pin(session.farewell(None)).await;
                }
                reason
            }
        };
        (pipe, reason)
    }

    /// Serves a peer whose name another one has: the connection stays open, and is not heard until the name is free
    /// ([R-ROUTER-3]). What the peer has sent until then is in its pipe.
    ///
    /// [R-ROUTER-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-3
    pub(super) async fn wait_for_name(
        &mut self,
        shared: &Shared,
        pipe: &mut SessionPipe,
        (origin, peer): (Origin, &Arc<Peer>),
        ended: &CancellationToken,
    ) -> Result<(), DisconnectReason> {
        let _place = PlaceInLine {
            shared,
            pipe: pipe.id(),
            name: peer.routing_id.as_ref(),
        };
        let place = std::future::poll_fn(|cx| {
            match shared.poll_admit(pipe, origin, peer, cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(DisconnectReason::NameTied)),
                Poll::Pending => {}
            }
            // Nothing is sent to it: that this is done means that it is unwanted, or that there is no socket any more.
            let reason = match self.poll_traffic(pipe, cx) {
                Poll::Ready(Err(reason)) => reason,
                Poll::Ready(Ok(())) if pipe.outgoing.is_ending() => DisconnectReason::ByRequest,
                Poll::Ready(Ok(())) => DisconnectReason::Local,
                Poll::Pending => ready!(self.poll_unseen_end(pipe, cx)),
            };
            Poll::Ready(Err(reason))
        });
        let placed = ended.run_until_cancelled(place).await;
        self.patience = None;
        let placed = placed.unwrap_or(Err(DisconnectReason::Local));
        if placed.is_err() {
            shared.state.stats.add_ignored(pipe.ignored());
        }
        placed
    }
}

/// Returns the number of this process.
#[cfg(not(test))]
fn process_id() -> u32 {
    std::process::id()
}

/// Returns the number of this process, or of what a test takes it for.
#[cfg(test)]
fn process_id() -> u32 {
    tests::process_id()
}

/// Makes the engine of a connection that begins now.
fn engine(shared: &Shared, now: Instant) -> Box<dyn Engine> {
    match shared.config.rules.speaks {
        Protocol::Zmtp => Box::new(Connection::new(shared.config.zmtp(), now.into_std())),
        Protocol::Raw => Box::new(Raw::new(shared.config.raw())),
    }
}
