//! `send` and `recv` of every socket: calls that are mostly served at once, and otherwise wait.
//!
//! The first attempt is code that the compiler puts where the application awaits the call, so that a message
//! is not moved from function to function on its way; each move costs as much as encoding a small message.
//! What comes after a failed attempt is one function that is not inlined. A call that waits holds nothing
//! but its place: dropped, it has done nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;
use zmtp::Message;

use super::Core;
use crate::error::{RecvError, ReserveError, SendError};
use crate::routing::{RecvStrategy, SendStrategy};

/// Where a socket's messages come from.
pub(crate) trait Source<S: SendStrategy, R: RecvStrategy>: Unpin {
    /// What the application gets.
    type Item;
    /// The next one, or none now.
    fn take(&mut self, core: &mut Core<S, R>) -> Option<Self::Item>;
    /// The same for what is quickly taken; with none, `take` has the say.
    #[inline(always)]
    fn at_hand(&mut self, _: &mut Core<S, R>) -> Option<Self::Item> {
        None
    }
}

/// Where a socket's messages go to.
pub(crate) trait Way<S: SendStrategy, R: RecvStrategy>: Unpin {
    /// Queues the message. `false`: not now, and it is untouched.
    fn send(&mut self, core: &mut Core<S, R>, message: &mut Message) -> bool;
    /// The same for what is quickly done; when it says no, `send` has the say.
    #[inline(always)]
    fn send_at_once(&mut self, _: &mut Core<S, R>, _: &mut Message) -> bool {
        false
    }
}

/// A closure as a source.
pub(crate) fn source<S: SendStrategy, R: RecvStrategy, T, F>(take: F) -> F
where
    F: FnMut(&mut Core<S, R>) -> Option<T>,
{
    take
}

/// A closure as a way.
pub(crate) fn way<S: SendStrategy, R: RecvStrategy, F>(send: F) -> F
where
    F: FnMut(&mut Core<S, R>, &mut Message) -> bool,
{
    send
}

impl<S: SendStrategy, R: RecvStrategy, T, F> Source<S, R> for F
where
    F: FnMut(&mut Core<S, R>) -> Option<T> + Unpin,
{
    type Item = T;

    fn take(&mut self, core: &mut Core<S, R>) -> Option<T> {
        self(core)
    }
}

impl<S: SendStrategy, R: RecvStrategy, F> Way<S, R> for F
where
    F: FnMut(&mut Core<S, R>, &mut Message) -> bool + Unpin,
{
    fn send(&mut self, core: &mut Core<S, R>, message: &mut Message) -> bool {
        self(core, message)
    }
}

/// How long a call waits.
#[derive(Default)]
pub(super) enum Patience {
    /// The first attempt is still to be made.
    #[default]
    Fresh,
    /// It waits, for ever or until the time-out.
    Waiting(Option<Pin<Box<Sleep>>>),
}

impl Patience {
    /// Ready when the time-out has passed. The first call begins to wait.
    fn poll<S: SendStrategy, R: RecvStrategy>(
        &mut self,
        cx: &mut Context<'_>,
        core: &Core<S, R>,
        timeout: Option<Duration>,
    ) -> Poll<()> {
        if let Patience::Fresh = self {
            *self = Patience::Waiting(timeout.map(|time| Box::pin(core.timer(time))));
        }
        match self {
            Patience::Waiting(Some(timer)) => timer.as_mut().poll(cx),
            Patience::Waiting(None) | Patience::Fresh => Poll::Pending,
        }
    }
}

/// A `recv`.
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Receiving<'a, S: SendStrategy, R: RecvStrategy, W> {
    pub(super) core: &'a mut Core<S, R>,
    pub(super) source: W,
    pub(super) patience: Patience,
}

impl<S: SendStrategy, R: RecvStrategy, W: Source<S, R>> Future for Receiving<'_, S, R, W> {
    type Output = Result<W::Item, RecvError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Patience::Fresh = this.patience
            && this.core.is_fresh()
            && !this.core.shared.state.readers.has_notes()
            && let Some(item) = this.source.at_hand(this.core)
        {
            return Poll::Ready(Ok(item));
        }
        this.poll_on(cx)
    }
}

impl<S: SendStrategy, R: RecvStrategy, W: Source<S, R>> Receiving<'_, S, R, W> {
    #[inline(never)]
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<W::Item, RecvError>> {
        let source = &mut self.source;
        if let Poll::Ready(item) = self.core.poll_recv(cx, |core| source.take(core)) {
            return Poll::Ready(Ok(item));
        }
        let timeout = self.core.shared.config.options.recv_timeout;
        ready!(self.patience.poll(cx, self.core, timeout));
        Poll::Ready(Err(RecvError::Timeout))
    }
}

/// A `send`. The message is at the front, so that a move of the whole reads its words as they were written:
/// a processor stalls when it reads across the bounds of recent writes.
#[must_use = "futures do nothing unless they are awaited"]
#[repr(C)]
pub(super) struct Sending<'a, S: SendStrategy, R: RecvStrategy, W> {
    pub(super) message: Message,
    pub(super) core: &'a mut Core<S, R>,
    pub(super) way: W,
    pub(super) patience: Patience,
}

impl<S: SendStrategy, R: RecvStrategy, W: Way<S, R>> Future for Sending<'_, S, R, W> {
    type Output = Result<(), SendError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Patience::Fresh = this.patience
            && this.core.is_fresh()
            && !this.core.shared.state.writers.has_notes()
            && !this.message.is_empty()
            && this.way.send_at_once(this.core, &mut this.message)
        {
            return Poll::Ready(Ok(()));
        }
        this.poll_on(cx)
    }
}

impl<S: SendStrategy, R: RecvStrategy, W: Way<S, R>> Sending<'_, S, R, W> {
    #[inline(never)]
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let (message, way) = (&mut self.message, &mut self.way);
        if message.is_empty() {
            return Poll::Ready(Err(SendError::NoFrames(std::mem::take(message))));
        }
        let sent = self
            .core
            .poll_send(cx, |core| way.send(core, message).then_some(()));
        if sent.is_ready() {
            return Poll::Ready(Ok(()));
        }
        let timeout = self.core.shared.config.options.send_timeout;
        ready!(self.patience.poll(cx, self.core, timeout));
        Poll::Ready(Err(SendError::Timeout(std::mem::take(message))))
    }
}

/// A source that gives as many as there are, up to a limit.
pub(super) struct Many<'a, W, T> {
    pub(super) source: W,
    pub(super) buffer: &'a mut Vec<T>,
    pub(super) limit: usize,
}

impl<S: SendStrategy, R: RecvStrategy, W: Source<S, R>> Source<S, R> for Many<'_, W, W::Item> {
    /// How many.
    type Item = usize;

    fn take(&mut self, core: &mut Core<S, R>) -> Option<usize> {
        let before = self.buffer.len();
        while self.buffer.len() - before < self.limit {
            let next = self.source.at_hand(core);
            match next.or_else(|| self.source.take(core)) {
                Some(item) => self.buffer.push(item),
                None => break,
            }
        }
        let count = self.buffer.len() - before;
        core.served(count);
        (count > 0 || self.limit == 0).then_some(count)
    }
}

/// The state of a call that is polled, and not awaited.
#[derive(Default)]
pub struct Polled(Patience);

impl std::fmt::Debug for Polled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Polled").finish_non_exhaustive()
    }
}

impl Polled {
    /// Of a call that knows no time-out.
    pub(crate) fn endless() -> Self {
        Polled(Patience::Waiting(None))
    }

    /// Ready when a message can be sent, or when the time for it is over.
    pub(super) fn poll_room<S: SendStrategy, R: RecvStrategy>(
        &mut self,
        core: &mut Core<S, R>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReserveError>> {
        if core.poll_room(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let timeout = core.shared.config.options.send_timeout;
        self.0.poll(cx, core, timeout).map(|()| Err(ReserveError))
    }
}

/// Polls a `recv` that begins with `state` anew.
pub(super) fn poll_recv<S: SendStrategy, R: RecvStrategy, W: Source<S, R>>(
    core: &mut Core<S, R>,
    source: W,
    cx: &mut Context<'_>,
    state: &mut Polled,
) -> Poll<Result<W::Item, RecvError>> {
    let patience = std::mem::take(&mut state.0);
    let mut call = Receiving {
        core,
        source,
        patience,
    };
    let polled = Pin::new(&mut call).poll(cx);
    if polled.is_pending() {
        state.0 = call.patience;
    }
    polled
}

/// Polls a `send` that begins with `state` anew. The message is taken when it is done.
pub(super) fn poll_send<S: SendStrategy, R: RecvStrategy, W: Way<S, R>>(
    core: &mut Core<S, R>,
    way: W,
    cx: &mut Context<'_>,
    message: &mut Option<Message>,
    state: &mut Polled,
) -> Poll<Result<(), SendError>> {
    let Some(taken) = message.take() else {
        return Poll::Ready(Ok(()));
    };
    let mut call = Sending {
        message: taken,
        core,
        way,
        patience: std::mem::take(&mut state.0),
    };
    let polled = Pin::new(&mut call).poll(cx);
    if polled.is_pending() {
        *message = Some(call.message);
        state.0 = call.patience;
    }
    polled
}
