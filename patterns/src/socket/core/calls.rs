//! Sending and receiving: a call tries, waits for the next note, and now and then lets others have their turn.

use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::Sleep;
use zmtp::Message;

use super::Core;
use crate::coop::yield_to_others;
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::pipe::{Inbox, PipeEnd};
use crate::pipe::{PipeId, PipeReader, look_every};
use crate::routing::{FanOut, RecvStrategy, SendStrategy};
use crate::socket::call::{Patience, Receiving, Sending, Source, Way};
use crate::state::Shared;

/// Copies of a message that are as much work as another call.
const COPIES_A_CALL: usize = 256;

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    /// `send` of a socket.
    #[inline(always)]
    pub(crate) fn send<W: Way<S, R>>(
        &mut self,
        message: Message,
        way: W,
    ) -> impl Future<Output = Result<(), SendError>> {
        Sending {
            message,
            core: self,
            way,
            patience: Patience::Fresh,
        }
    }

    /// `try_send` of a socket.
    #[inline]
    pub(crate) fn try_send(
        &mut self,
        mut message: Message,
        mut way: impl Way<S, R>,
    ) -> Result<(), TrySendError> {
        if message.is_empty() {
            return Err(TrySendError::NoFrames(message));
        }
        self.read_notes();
        if way.send(self, &mut message) {
            Ok(())
        } else {
            Err(TrySendError::Full(message))
        }
    }

    /// `recv` of a socket.
    #[inline(always)]
    pub(crate) fn recv<W: Source<S, R>>(
        &mut self,
        source: W,
    ) -> impl Future<Output = Result<W::Item, RecvError>> {
        Receiving {
            core: self,
            source,
            patience: Patience::Fresh,
        }
    }

    /// `try_recv` of a socket.
    #[inline]
    pub(crate) fn try_recv<W: Source<S, R>>(
        &mut self,
        mut source: W,
    ) -> Result<W::Item, TryRecvError> {
        self.read_notes();
        source.take(self).ok_or(TryRecvError::Empty)
    }

    /// Lets `take` try each time a pipe may have become readable, until it succeeds.
    pub(crate) async fn wait_to_recv<T>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        std::future::poll_fn(|cx| self.poll_recv(cx, &mut take)).await
    }

    /// Lets `route` try, and again each time a pipe may have become writable.
    pub(in crate::socket) fn poll_send<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut route: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        let sent = self.poll(cx, |shared| &shared.state.writers, None, &mut route);
        match self.shared.config.options.send_ttl {
            Some(ttl) if sent.is_pending() => self.poll_expiring(cx, ttl, route),
            _ => sent,
        }
    }

    /// Lets `route` try now and then, because messages that expire make room.
    #[cold]
    fn poll_expiring<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        ttl: Duration,
        mut route: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        loop {
            let mut timer = match self.expiry.take() {
                Some(timer) => timer,
                None => Box::pin(self.timer(look_every(ttl))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                self.expiry = Some(timer);
                return Poll::Pending;
            }
            self.read_notes();
            if let Some(done) = route(self) {
                return Poll::Ready(done);
            }
        }
    }

    /// Lets `take` try, and again each time a pipe may have become readable.
    pub(in crate::socket) fn poll_recv<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        take: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        let patience = self.shared.config.options.busy_poll;
        self.poll(cx, |shared| &shared.state.readers, patience, take)
    }

    fn poll<E: PipeEnd, T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        inbox: impl Fn(&Shared) -> &Inbox<E>,
        busy_poll: Option<Duration>,
        mut attempt: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        ready!(self.poll_yield(cx));
        loop {
            self.read_notes();
            if let Some(done) = attempt(self) {
                return Poll::Ready(done);
            }
            if let Some(patience) = busy_poll
                && let Some(done) = self.busy_poll(patience, &mut attempt)
            {
                return Poll::Ready(done);
            }
            if inbox(&self.shared).park(cx.waker()) {
                self.busy = 0;
                return Poll::Pending;
            }
        }
    }

    /// Drives the connections from here for a while, instead of sleeping until one of them has something.
    #[cold]
    fn busy_poll<T>(
        &mut self,
        patience: Duration,
        attempt: &mut impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let start = Instant::now();
        while start.elapsed() < patience {
            let mut moved = false;
            for connection in self.receiver.readers().filter_map(PipeReader::connection) {
                moved |= connection.exchange();
            }
            if moved || self.shared.state.readers.has_notes() {
                self.read_notes();
                if let Some(done) = attempt(self) {
                    return Some(done);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Ready when a message can be sent without waiting, to a socket whose peers hold it back.
    pub(in crate::socket) fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_send(cx, |core| core.sender.has_room().then_some(()))
    }

    /// Counts what a call has served beyond the first message.
    pub(in crate::socket) fn served(&mut self, messages: usize) {
        self.busy += messages.saturating_sub(1);
    }

    /// A timer for a call. It belongs to the socket's runtime, whatever executor polls it.
    pub(in crate::socket) fn timer(&self, time: Duration) -> Sleep {
        let runtime = self
            .life
            .context
            .runtime(self.shared.config.options.affinity);
        let _inside = runtime.as_ref().map(Handle::enter);
        tokio::time::sleep(time)
    }

    /// Whether the call may be served without yielding first.
    #[inline]
    pub(in crate::socket) fn is_fresh(&mut self) -> bool {
        self.busy += 1;
        self.busy <= self.stamina
    }

    /// Yields once, before anything is done, when the application has been busy for long.
    fn poll_yield(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.busy <= self.stamina {
            return Poll::Ready(());
        }
        self.busy = 0;
        let pipes = self.sender.pipes().max(self.receiver.pipes());
        self.stamina = S::BUSY * pipes.clamp(1, S::SHARES);
        yield_to_others(cx);
        Poll::Pending
    }
}

impl<R: RecvStrategy> Core<FanOut, R> {
    /// Gives a message to all who want it, or to `only` one of them, and counts what that was. `false`: not now.
    pub(in crate::socket) fn publish(
        &mut self,
        message: &mut Message,
        only: Option<PipeId>,
    ) -> bool {
        let sent = self.sender.send(message, only);
        self.busy += self.sender.copies() / COPIES_A_CALL;
        sent
    }
}
