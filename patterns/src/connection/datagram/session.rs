//! A datagram session: moves messages between a pipe and a mailbox, one datagram each.
//!
//! It is driven as a session is that has a stream (`driver.rs`), and in the same turns. But a datagram that cannot be sent,
//! or is no message, ends nothing: it is counted, and the next one is another matter.
//!
//! ```text
//!   pipe.outgoing ── take a batch ──► Form::datagrams ── one system call each ──► mailbox
//!   pipe.incoming ◄─ a batch of what has come ◄─ Form::read ◄─ one system call each ── mailbox
//! ```
//!
//! Locks, allocations and looks at the clock are for batches, not for datagrams.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use zmtp::Batch;
use zmtp::datagram::{Form, LARGEST_READ};

use crate::connection::Turn;
use crate::connection::flow::Flow;
use crate::coop::yield_to_others;
use crate::monitor::DisconnectReason;
use crate::pipe::{Deadline, SessionPipe, Taken};
use crate::state::{Shared, State};
use crate::transport::Mailbox;

/// Batches moved in each direction before other tasks get a turn.
const TURNS: usize = 16;

/// Datagrams of one batch, each way.
const AT_ONCE: usize = 128;

/// Bytes received before other tasks get a turn, as with streams.
const READ_BUDGET: usize = 256 * 1024;

/// The most room that is made for a batch before anything has come.
const MOST_AHEAD: usize = 64 * 1024;

/// How long nothing is sent before the buffers for sending are let go.
const IDLE: Duration = Duration::from_secs(1);

/// How long to wait after the system could not say what has come, for a reason that may last.
const PAUSE: Duration = Duration::from_millis(10);

/// Between a mailbox and a pipe.
pub(super) struct DatagramSession {
    mailbox: Arc<dyn Mailbox>,
    form: Form,
    state: Arc<State>,
    /// It takes what comes.
    hears: bool,
    /// The largest datagram that is taken.
    most: usize,
    /// Taken from the pipe, and not all sent.
    batch: Batch,
    /// Where datagrams are received; made for the first one.
    buffer: Vec<u8>,
    /// How long the last batch was that was received.
    expected: usize,
    /// Bytes received in this poll.
    read: usize,
    has_sent_lately: bool,
    /// When to look again whether it has; set while buffers are kept.
    idle_check: Option<Instant>,
    /// When to receive again.
    pause: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl DatagramSession {
    pub(super) fn new(mailbox: Arc<dyn Mailbox>, form: Form, hears: bool, shared: &Shared) -> Self {
        shared.state.stats.open_mailbox(&mailbox);
        let options = &shared.config.options;
        DatagramSession {
            mailbox,
            form,
            state: shared.state.clone(),
            hears,
            most: options.max_message_size.unwrap_or(usize::MAX),
            batch: Batch::new(),
            buffer: Vec::new(),
            expected: 0,
            read: 0,
            has_sent_lately: false,
            idle_check: None,
            pause: None,
            timer: None,
        }
    }

    /// Takes nothing more of what comes.
    pub(super) fn stop_hearing(&mut self) {
        self.hears = false;
    }

    /// Sends what is queued, as far as the system takes it at once. Returns whether nothing is left.
    pub(super) fn send_now(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(Ok(Turn::Moved)) = self.poll_send(pipe, cx) {}
        pipe.outgoing.unsent() == 0
    }

    /// Gives back what was not sent: the pipe counts it.
    pub(super) fn give_back(&mut self, pipe: &mut SessionPipe) {
        pipe.outgoing.restore(std::mem::take(&mut self.batch));
    }

    /// Receives one batch, as far as there is room for it.
    fn poll_receive(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Poll<Turn> {
        if !self.hears || self.pause.is_some() {
            return Poll::Pending;
        }
        // While there is none, what comes is the system's to keep, or to lose.
        let room = ready!(pipe.incoming.poll_room(cx));
        match ready!(self.mailbox.poll_readable(cx)) {
            Ok(()) => self.receive(pipe, room),
            Err(_) => self.pause = Some(Instant::now() + PAUSE),
        }
        Poll::Ready(Turn::Moved)
    }

    /// Takes what has come, up to `room` messages.
    fn receive(&mut self, pipe: &mut SessionPipe, room: usize) {
        if self.buffer.is_empty() {
            self.buffer.resize(LARGEST_READ, 0);
        }
        let mut batch = Batch::with_capacity(self.expected);
        let mut discarded = 0;
        for _ in 0..room.min(AT_ONCE) {
            match self.mailbox.try_recv(&mut self.buffer) {
                Ok((length, from)) => {
                    self.read += length;
                    let datagram = &self.buffer[..length];
                    if length > self.most || self.form.read(datagram, from, &mut batch).is_err() {
                        discarded += 1;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    // What was sent before has found nobody, as some systems tell here.
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::Interrupted => {}
                    _ => {
                        self.pause = Some(Instant::now() + PAUSE);
                        break;
                    }
                },
            }
        }
        if discarded > 0 {
            self.state.stats.discarded.add(discarded);
        }
        if !batch.is_empty() {
            self.expected = batch.byte_len().min(MOST_AHEAD);
            pipe.incoming.push(batch);
        }
    }

    /// Does what has to be done without being asked, and sets the timer for the next. Ready when the time to linger is over.
    fn poll_timer(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        loop {
            let Some(rest) = pipe.outgoing.rest() else {
                if pipe.outgoing.evicted().is_none() {
                    return Poll::Ready(Ok(()));
                }
                // There is nobody to be sent away: what was queued is dropped and counted, and it goes on.
                pipe.outgoing.clear_eviction();
                continue;
            };
            let linger = match rest.linger {
                Some(Deadline::At(end)) => Some(end),
                Some(Deadline::Never) | None => None,
            };
            if rest.keeps_buffers && self.idle_check.is_none() {
                self.idle_check = Some(Instant::now() + IDLE);
            }
            let times = [linger, self.idle_check, self.pause];
            let Some(next) = times.into_iter().flatten().min() else {
                return Poll::Pending;
            };
            ready!(self.poll_until(next, cx));
            let now = Instant::now();
            if linger.is_some_and(|end| end <= now) {
                return Poll::Ready(Ok(()));
            }
            if self.idle_check.is_some_and(|due| due <= now) {
                self.idle_check = None;
                if !std::mem::take(&mut self.has_sent_lately) {
                    pipe.outgoing.shrink();
                }
            }
            if self.pause.is_some_and(|end| end <= now) {
                self.pause = None;
                // It has not asked the system since.
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Waits until then. There is one timer.
    fn poll_until(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.deadline() != time {
                    timer.as_mut().reset(time);
                }
                timer
            }
            none => none.insert(Box::pin(sleep_until(time))),
        };
        timer.as_mut().poll(cx)
    }
}

impl Flow for DatagramSession {
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        self.read = 0;
        for _ in 0..TURNS {
            let sent = match self.poll_send(pipe, cx) {
                Poll::Ready(Ok(Turn::Finished)) if pipe.outgoing.evicted().is_none() => {
                    return Poll::Ready(Ok(()));
                }
                sent => sent,
            };
            let received = self.poll_receive(pipe, cx);
            if sent.is_pending() && received.is_pending() {
                return self.poll_timer(pipe, cx);
            }
            if self.read >= READ_BUDGET {
                break;
            }
        }
        // A busy one lingers no longer than others.
        if let Poll::Ready(ended) = self.poll_timer(pipe, cx) {
            return Poll::Ready(ended);
        }
        yield_to_others(cx);
        Poll::Pending
    }

    /// Sends the next of what is queued, each datagram by itself. Never an error: what cannot be sent is lost, and counted.
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
        let (mut sent, mut lost, mut bytes) = (0, 0, 0);
        let mut is_full = false;
        for datagram in self.form.datagrams(&self.batch).take(AT_ONCE) {
            let Some(datagram) = datagram else {
                lost += 1;
                continue;
            };
            let mut pieces = [IoSlice::new(&[]); 3];
            let used = datagram.pieces(&mut pieces);
            match self.mailbox.try_send(&pieces[..used], datagram.to()) {
                Ok(()) => {
                    sent += 1;
                    bytes += datagram.size();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    is_full = true;
                    break;
                }
                Err(_) => lost += 1,
            }
        }
        let passed = sent + lost;
        if passed > 0 {
            self.has_sent_lately = true;
            if passed < self.batch.len() {
                self.batch.truncate_front(passed);
            } else {
                self.batch.clear();
            }
            if lost > 0 {
                pipe.outgoing.failed(lost);
            }
            let is_done = self.batch.is_empty();
            let done = is_done.then_some(&mut self.batch);
            pipe.outgoing.written(sent, bytes, sent, done);
            return Poll::Ready(Ok(Turn::Moved));
        }
        debug_assert!(is_full, "a batch that is not empty has something to send");
        // An error would be one of the next datagram.
        ready!(self.mailbox.poll_writable(cx)).ok();
        Poll::Ready(Ok(Turn::Moved))
    }

    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        let mut moved = false;
        while let Poll::Ready(turn) = self.poll_send(pipe, cx) {
            match turn {
                Ok(Turn::Moved | Turn::MovedAll) => moved = true,
                Ok(Turn::Finished) | Err(_) => return None,
            }
        }
        if let Poll::Ready(Turn::Moved) = self.poll_receive(pipe, cx) {
            moved = true;
        }
        pipe.outgoing.rest();
        Some(moved)
    }
}

/// The mailbox is closed with it, unless the statistics are asked at this very moment.
impl Drop for DatagramSession {
    fn drop(&mut self) {
        self.state.stats.close_mailbox(&self.mailbox);
    }
}
