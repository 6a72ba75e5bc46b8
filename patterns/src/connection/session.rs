//! A session: one connection's life, from the greeting to its end.
//!
//! `listen` makes one for every accepted connection, `dial` one after the other for a connecting endpoint.
//! A session owns the stream and the [`Engine`], is lent a pipe, and knows neither a protocol nor a socket type. Both
//! directions are driven by one `poll` on one task (`link` says who else may send):
//!
//! ```text
//!   pipe.outgoing ── take a batch ──► Engine::encode ─── one vectored write ──► stream
//!   pipe.incoming ◄─ whole messages ─ Engine::handle_input ◄──── one read ──── stream
//! ```
//!
//! A turn moves at most one batch each way, and a poll takes at most [`TURNS`] turns, so that neither
//! direction starves the other, and a busy connection starves neither its runtime nor its heartbeats.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::io::poll_read_buf;
use tokio_util::sync::CancellationToken;
use zmtp::{Batch, Connection, Engine, Event, PeerInfo};

use super::driver;
use crate::coop::yield_to_others;
use crate::monitor::DisconnectReason;
use crate::peer::Peer;
use crate::peer_address::PeerAddress;
use crate::pipe::{Deadline, EvictReason, SessionPipe, Taken};
use crate::state::{Config, Shared, is_subscription};
use crate::transport::Stream;

/// Batches moved in each direction before other tasks get a turn.
const TURNS: usize = 16;

/// Bytes read before other tasks get a turn: about what a core's own cache holds, so that an application on
/// the same thread finds its messages there, and gives their memory back before more is needed.
const READ_BUDGET: usize = 256 * 1024;

/// Pieces of one vectored write.
const SLICES: usize = 64;

/// How long nothing is sent before the buffers for sending are let go.
const IDLE: Duration = Duration::from_secs(1);

/// How long an ended session waits for the peer to see that it ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection, between two streams of bytes and messages.
pub(crate) struct Session {
    stream: Stream,
    engine: Box<dyn Engine>,
    /// Taken from the pipe and not yet written whole.
    batch: Batch,
    /// Taken from the pipe with `batch`, and to be encrypted after it.
    rest: Option<Batch>,
    /// So many messages of `batch` are what the connection begins with: they have not come from the pipe.
    hello: usize,
    /// `batch` is encrypted, or a part of it is written: nothing else may come between.
    mid_batch: bool,
    /// Messages have been sent.
    has_sent: bool,
    /// Messages have been sent since the last look whether the connection is idle.
    has_sent_lately: bool,
    /// When to look again; set while buffers are kept.
    idle_check: Option<Instant>,
    /// Bytes read in this poll.
    read: usize,
    /// Where `exchange` reads to.
    scratch: Vec<u8>,
    /// The next moment at which something has to be done without being asked.
    timer: Option<Pin<Box<Sleep>>>,
    /// The stream has been told of large payloads, or is not to be.
    expects_large: bool,
    /// How long the peer may take nothing of what is to be written.
    write_timeout: Option<Duration>,
    /// The stream takes nothing.
    stall: Option<Stall>,
}

/// A stream that takes nothing.
struct Stall {
    /// When that has lasted too long.
    ends: Instant,
    /// The timer knows.
    is_timed: bool,
}

/// What a turn in one direction came to.
pub(super) enum Turn {
    Moved,
    Finished,
}

impl Session {
    /// Boxed, as are the futures below that a connection needs only at its beginning or its end: what remains
    /// is what each idle connection costs, thousands of times.
    pub(crate) fn new(stream: Stream, shared: &Shared) -> Box<Self> {
        Box::new(Session {
            stream,
            engine: Box::new(Connection::new(config(shared), Instant::now().into_std())),
            batch: Batch::new(),
            rest: None,
            hello: 0,
            mid_batch: false,
            has_sent: false,
            has_sent_lately: false,
            idle_check: None,
            read: 0,
            scratch: Vec::new(),
            timer: None,
            expects_large: shared.config.options.send_buffer.is_some(),
            write_timeout: shared
                .config
                .options
                .write_timeout
                .filter(|_| !shared.config.options.no_drop),
            stall: None,
        })
    }

    /// Greets the peer until messages may flow.
    pub(crate) async fn handshake(
        &mut self,
        shared: &Shared,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        let handshake = self.shake_hands(shared, peer);
        let result = match shared.config.options.handshake_timeout {
            None => Box::pin(handshake).await,
            Some(limit) => Box::pin(timeout(limit, handshake))
                .await
                .unwrap_or(Err(DisconnectReason::HandshakeTimeout(limit))),
        };
        if let Err(reason) = &result {
            self.explain(reason).await;
        }
        result
    }

    async fn shake_hands(
        &mut self,
        shared: &Shared,
        peer: &PeerAddress,
    ) -> Result<PeerInfo, DisconnectReason> {
        #[cfg(feature = "tls")]
        Box::pin(self.stream.open()).await?;
        loop {
            match std::future::poll_fn(|cx| self.poll_handshake(cx)).await? {
                Event::Ready(info) => return Ok(info),
                Event::Authenticate(credentials) => {
                    // The peer is not read from before that is decided.
                    let Config { rules, options } = &*shared.config;
                    let authority = &shared.state.authority;
                    let decision = authority.decide(options, rules.socket_type, peer, credentials);
                    let answer = Box::pin(decision).await;
                    let now = Instant::now().into_std();
                    self.engine.authenticated(answer, now)?;
                }
                _ => {}
            }
        }
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, DisconnectReason>> {
        loop {
            // Not being able to write yet is no reason not to read.
            if let Poll::Ready(Err(error)) = self.poll_control(cx) {
                return Poll::Ready(Err(error.into()));
            }
            if let Some(event) = self.engine.poll_event() {
                return Poll::Ready(Ok(event));
            }
            #[cfg(feature = "tls")]
            self.stream.push_out(cx)?;
            ready!(self.poll_read(cx, 0))?;
        }
    }

    /// Who the peer is, after the handshake.
    pub(crate) fn peer(&self, address: PeerAddress, info: &PeerInfo) -> Arc<Peer> {
        #[cfg_attr(not(feature = "tls"), expect(unused_mut))]
        let mut peer = Peer::new(address, info);
        #[cfg(feature = "tls")]
        {
            peer.certificate = self.stream.certificate();
        }
        Arc::new(peer)
    }

    /// Moves messages until the socket is done with the peer (`Ok`) or the connection ends.
    pub(crate) async fn run(
        mut self: Box<Self>,
        shared: &Shared,
        mut pipe: SessionPipe,
        ended: &CancellationToken,
    ) -> (SessionPipe, DisconnectReason) {
        if !pipe.is_attached() {
            let reason = Box::pin(self.turn_away(shared, &mut pipe, ended)).await;
            return (pipe, reason);
        }
        shared.begin(|hello| {
            if shared.state.subscriptions.is_some() {
                pipe.outgoing.begin_live(is_subscription);
            }
            self.hello = hello.len();
            self.batch = hello;
        });
        let (mut session, mut pipe, result) = driver::run(self, pipe).await;
        session.return_batch(shared, &mut pipe);
        pipe.peer_left(shared.config.options.notify);
        let reason = match (result, pipe.outgoing.unwanted()) {
            (Ok(()), Some(why)) => {
                pipe.outgoing.clear_eviction();
                why.into()
            }
            (Ok(()), None) => {
                Box::pin(session.farewell()).await;
                DisconnectReason::Local
            }
            (Err(reason), _) => {
                session.explain(&reason).await;
                reason
            }
        };
        (pipe, reason)
    }

    /// Serves a peer that the socket has no place for: PAIR closes the connection, ROUTER leaves it open
    /// and hears nothing (R-PAIR-1, R-ROUTER-3).
    async fn turn_away(
        &mut self,
        shared: &Shared,
        pipe: &mut SessionPipe,
        ended: &CancellationToken,
    ) -> DisconnectReason {
        if shared.is_exclusive() {
            return DisconnectReason::Occupied;
        }
        let ignored = std::future::poll_fn(|cx| self.poll_traffic(pipe, cx));
        match ended.run_until_cancelled(ignored).await {
            Some(Err(reason)) => reason,
            Some(Ok(())) | None => DisconnectReason::Local,
        }
    }

    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        self.read = 0;
        for _ in 0..TURNS {
            let sent = self.poll_send(pipe, cx)?;
            if let Poll::Ready(Turn::Finished) = sent {
                return Poll::Ready(Ok(()));
            }
            let received = self.poll_receive(pipe, cx)?;
            if sent.is_pending() && received.is_pending() {
                #[cfg(feature = "tls")]
                self.stream.push_out(cx)?;
                return self.poll_timer(pipe, cx);
            }
            if self.read >= READ_BUDGET {
                break;
            }
        }
        // A busy connection has deadlines, too.
        if let Poll::Ready(ended) = self.poll_timer(pipe, cx) {
            return Poll::Ready(ended);
        }
        yield_to_others(cx);
        Poll::Pending
    }

    /// Writes control bytes, or one batch.
    fn poll_send(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Turn>> {
        if !self.mid_batch {
            ready!(self.poll_control(cx))?;
            if self.batch.is_empty() {
                self.batch = match self.rest.take() {
                    Some(rest) => rest,
                    None => match ready!(pipe.outgoing.poll_take(cx)) {
                        Taken::Finished => return Poll::Ready(Ok(Turn::Finished)),
                        Taken::Batch(batch) => batch,
                    },
                };
            }
            if self.rest.is_none() {
                self.rest = self.engine.divide(&mut self.batch);
            }
            self.engine.encode(&mut self.batch);
            // What is encrypted is numbered: nothing that is numbered later may go before it.
            self.mid_batch = self.batch.is_encoded();
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let segment = self.stream.segment();
        let pieces = self.batch.io_slices_within(segment, &mut slices);
        let written = match &slices[..pieces] {
            // What most batches are; the system has less to do for it.
            [only] => Pin::new(&mut self.stream).poll_write(cx, only),
            several => {
                if !self.expects_large
                    && several.iter().map(|slice| slice.len()).sum::<usize>() > segment
                {
                    self.expects_large = true;
                    self.stream.expect_large();
                }
                Pin::new(&mut self.stream).poll_write_vectored(cx, several)
            }
        };
        let written = ready!(self.watch(written))?;
        let messages = self.batch.advance(written);
        self.has_sent = true;
        self.has_sent_lately = true;
        self.mid_batch = !self.batch.is_empty();
        let taken = if self.hello == 0 { messages } else { 0 };
        self.hello -= messages - taken;
        let done = (!self.mid_batch).then(|| {
            self.engine.reclaim(&mut self.batch);
            std::mem::take(&mut self.batch)
        });
        let done = done.filter(|_| self.rest.is_none());
        pipe.outgoing.written(messages, written, taken, done);
        Poll::Ready(Ok(Turn::Moved))
    }

    /// Writes what the protocol has to say for itself.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.engine.control().has_remaining() {
            let control = self.engine.control();
            let written = Pin::new(&mut self.stream).poll_write(cx, control);
            let written = ready!(self.watch(written))?;
            self.engine.control().advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at what came of a write: for how long has the stream taken nothing? Writing nothing is an error.
    fn watch(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(_) => self.stall = None,
            Poll::Pending if self.stall.is_none() => {
                self.stall = self.write_timeout.map(|limit| Stall {
                    ends: Instant::now() + limit,
                    is_timed: false,
                });
            }
            Poll::Pending => {}
        }
        written
    }

    /// Hands over what has been read, and reads only when there is room for it.
    fn poll_receive(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Turn, DisconnectReason>> {
        let room = ready!(pipe.incoming.poll_room(cx));
        let result = if self.engine.input_pending() {
            let now = Instant::now().into_std();
            self.engine.handle_input(now, room).map_err(Into::into)
        } else {
            ready!(self.poll_read(cx, room))
        };
        // Messages before an error were whole and stay so.
        pipe.incoming.push(self.engine.take_messages());
        Poll::Ready(result.map(|()| Turn::Moved))
    }

    /// Reads once, and takes up to `room` messages from what has come.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Result<(), DisconnectReason>> {
        let mut buffer = self.engine.read_buffer();
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut buffer))?;
        if read == 0 {
            return Poll::Ready(Err(DisconnectReason::Peer));
        }
        self.read += read;
        let now = Instant::now().into_std();
        Poll::Ready(self.engine.handle_input(now, room).map_err(Into::into))
    }

    /// Moves what can be moved now in both directions, for a caller that asks again and again. `None`: there
    /// is something that the task has to see to.
    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        let mut moved = false;
        while let Poll::Ready(turn) = self.poll_send(pipe, cx) {
            match turn {
                Ok(Turn::Moved) => moved = true,
                Ok(Turn::Finished) | Err(_) => return None,
            }
        }
        if self.needs_timer() {
            return None;
        }
        let room = pipe.incoming.room();
        if room == 0 {
            return Some(moved);
        }
        if !self.engine.input_pending() {
            let mut buffer = self.engine.read_buffer();
            match self
                .stream
                .read_now(&mut self.scratch, buffer.remaining_mut())
            {
                Ok([]) => return None,
                Ok(read) => buffer.put_slice(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(moved),
                Err(_) => return None,
            }
        }
        let now = Instant::now().into_std();
        let result = self.engine.handle_input(now, room);
        pipe.incoming.push(self.engine.take_messages());
        let is_quiet = self.mid_batch || matches!(self.poll_control(cx), Poll::Ready(Ok(())));
        // The peer answers: what is sent next may go out from here again.
        pipe.outgoing.rest();
        (result.is_ok() && is_quiet && !self.needs_timer()).then_some(true)
    }

    /// The stream has begun to take nothing, and only the task can see to the time.
    fn needs_timer(&self) -> bool {
        self.stall.as_ref().is_some_and(|stall| !stall.is_timed)
    }

    /// What is to be done without being asked, and when? Ready when the time to linger is over.
    fn poll_timer(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        loop {
            let Some((linger, keeps_buffers)) = pipe.outgoing.rest() else {
                return Poll::Ready(Ok(()));
            };
            let linger = match linger {
                Some(Deadline::At(end)) => Some(end),
                Some(Deadline::Never) | None => None,
            };
            if keeps_buffers && self.idle_check.is_none() {
                self.idle_check = Some(Instant::now() + IDLE);
            }
            let protocol = self.engine.next_timeout().map(Instant::from_std);
            let stall = self.stall.as_mut().map(|stall| {
                stall.is_timed = true;
                stall.ends
            });
            let Some(next) = [linger, protocol, self.idle_check, stall]
                .into_iter()
                .flatten()
                .min()
            else {
                return Poll::Pending;
            };
            let timer = match &mut self.timer {
                Some(timer) => {
                    if timer.deadline() != next {
                        timer.as_mut().reset(next);
                    }
                    timer
                }
                none => none.insert(Box::pin(sleep_until(next))),
            };
            ready!(timer.as_mut().poll(cx));
            if linger.is_some_and(|end| end <= next) {
                return Poll::Ready(Ok(()));
            }
            let now = Instant::now();
            if stall.is_some_and(|end| end <= now) {
                let limit = self.write_timeout.unwrap_or_default();
                return Poll::Ready(Err(DisconnectReason::WriteTimeout(limit)));
            }
            if self.idle_check.is_some_and(|due| due <= now) {
                self.idle_check = None;
                if !std::mem::take(&mut self.has_sent_lately) {
                    pipe.outgoing.shrink();
                }
            }
            self.engine.handle_timeout(now.into_std())?;
            if !self.mid_batch
                && let Poll::Ready(Err(error)) = self.poll_control(cx)
            {
                return Poll::Ready(Err(error.into()));
            }
        }
    }

    /// The connection is over: whole messages that were not sent go back to the pipe, for the next one.
    /// The one that was partly sent is lost (at most once).
    fn return_batch(&mut self, shared: &Shared, pipe: &mut SessionPipe) {
        let mut batch = std::mem::take(&mut self.batch);
        let rest = self.rest.take();
        if shared.state.subscriptions.is_some() {
            pipe.outgoing.end_live();
        }
        if self.hello > 0 {
            // The next connection begins with it, too.
            return;
        }
        let lost = batch.discard_partial();
        batch.restore();
        pipe.outgoing.lost(lost);
        if let Some(rest) = rest {
            pipe.outgoing.restore(rest);
        }
        pipe.outgoing.restore(batch);
    }

    /// Last words to a peer at fault or refused, if the protocol has any, as far as they go out without waiting.
    async fn explain(&mut self, reason: &DisconnectReason) {
        let DisconnectReason::Protocol(error) = reason else {
            return;
        };
        if self.mid_batch || !self.engine.explain(error) {
            return;
        }
        let _ = std::future::poll_fn(|cx| Poll::Ready(self.poll_control(cx))).await;
    }

    /// Ends the stream so that the peer gets all of it. Closing a TCP socket in which unread bytes lie
    /// resets the connection, and the peer may lose what it has not read yet: so what still comes is
    /// read and thrown away until the peer closes, too, but not for long.
    async fn farewell(&mut self) {
        let owes_an_end = self.has_sent || self.stream.says_goodbye();
        if !owes_an_end || self.stream.shutdown().await.is_err() {
            return;
        }
        let mut scrap = [0; 1024];
        let drained =
            async { while matches!(self.stream.read(&mut scrap).await, Ok(read) if read > 0) {} };
        let _ = timeout(FAREWELL, drained).await;
    }
}

impl driver::Flow for Session {
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        self.poll_traffic(pipe, cx)
    }

    fn poll_send(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Turn>> {
        self.poll_send(pipe, cx)
    }

    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        self.exchange(pipe, cx)
    }

    fn needs_timer(&self) -> bool {
        self.needs_timer()
    }
}

impl From<EvictReason> for DisconnectReason {
    fn from(why: EvictReason) -> Self {
        let option = match why {
            EvictReason::Slow => return DisconnectReason::Slow,
            EvictReason::Topics => "max_subscriptions",
            EvictReason::TopicBytes => "max_subscription_bytes",
        };
        DisconnectReason::Subscriptions { option }
    }
}

/// How the socket's options look to the protocol.
fn config(shared: &Shared) -> zmtp::Config {
    let options = &shared.config.options;
    let mut config = zmtp::Config::new(shared.config.rules.socket_type);
    config.routing_id = options.routing_id.clone().unwrap_or_default();
    if let Some(limit) = options.max_message_size {
        config.limits.max_message = limit as u64;
    }
    config.limits.max_frames = options.max_frames;
    config.limits.max_handshake = options.max_handshake_size;
    config.limits.max_command = options.max_command_size;
    // The session's own timer covers the handshake.
    config.handshake_timeout = None;
    config.mechanism = options.security.clone();
    config.authenticate = shared.state.authority.asks(options);
    config.heartbeat = options
        .heartbeat()
        .map(|(interval, timeout, ttl)| zmtp::Heartbeat {
            interval,
            timeout,
            ttl,
        });
    config
}
