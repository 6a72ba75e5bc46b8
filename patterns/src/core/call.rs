//! `send` and `recv` of every socket: calls that are mostly served at once, and otherwise wait.
//!
//! The first attempt is code that the compiler puts where the application awaits the call, so that a message
//! is not moved from function to function on its way; each move costs as much as encoding a small message.
//! What comes after a failed attempt is one function that is not inlined. A call that waits holds nothing
//! but its place: dropped, it has done nothing.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::calls::Spin;
use super::pattern::{recv_error, send_error};
use super::{Access, Core, Outgoing, Pattern, Refusal};
use crate::coop::yield_to_others;
use crate::error::{RecvError, ReserveError, SendError};
use crate::peer::Peer;
use crate::routing::RecvStrategy;

/// How long a call waits: the state of one that is polled.
#[derive(Debug, Default)]
pub(crate) enum CallTimeout {
    /// The first attempt is still to be made.
    #[default]
    Fresh,
    /// It waits for as long as it takes.
    Endless,
    /// It waits until the time-out.
    Until(Pin<Box<Sleep>>),
    /// It does not wait: the time-out is zero, and others have had their turn.
    Over,
}

impl CallTimeout {
    /// Makes the state of a call that knows no time-out.
    pub(crate) fn endless() -> Self {
        CallTimeout::Endless
    }

    /// Says how long this poll may ask the connections themselves, for a socket with `busy_poll`.
    fn spin(&self, busy_poll: Duration, timeout: Option<Duration>) -> Spin {
        let most = match self {
            CallTimeout::Fresh => timeout,
            CallTimeout::Endless | CallTimeout::Until(_) => None,
            CallTimeout::Over => Some(Duration::ZERO),
        };
        Spin::new(busy_poll, most, matches!(self, CallTimeout::Fresh))
    }

    /// Becomes ready when the time-out has passed. The first call begins to wait. With a time-out of zero it yields
    /// once, since an application that asks again and again would keep its connections from ever having something.
    fn poll<P: Pattern>(
        &mut self,
        cx: &mut Context<'_>,
        core: &Core<P>,
        timeout: Option<Duration>,
    ) -> Poll<()> {
        if let CallTimeout::Fresh = self {
            if timeout == Some(Duration::ZERO) {
                *self = CallTimeout::Over;
                yield_to_others(cx);
                return Poll::Pending;
            }
            *self = match timeout {
                Some(time) => CallTimeout::Until(Box::pin(core.timer(time))),
                None => CallTimeout::Endless,
            };
        }
        match self {
            CallTimeout::Until(timer) => timer.as_mut().poll(cx),
            CallTimeout::Endless | CallTimeout::Fresh => Poll::Pending,
            CallTimeout::Over => Poll::Ready(()),
        }
    }
}

/// What is received by one call.
pub(crate) trait RecvOp<P: Pattern>: Unpin {
    type Item;
    /// Takes it. Pending: there is nothing now.
    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<Self::Item, Refusal>>;
    /// Takes it where that is quickly done.
    #[inline(always)]
    fn try_fast(&mut self, _: &mut Core<P>) -> Option<Self::Item> {
        None
    }
}

/// One message, or event.
pub(crate) struct One;

impl<P: Pattern> RecvOp<P> for One {
    type Item = P::Received;

    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<P::Received, Refusal>> {
        received(core)
    }

    #[inline(always)]
    fn try_fast(&mut self, core: &mut Core<P>) -> Option<P::Received> {
        P::try_fast_recv(core)
    }
}

/// As many as there are, up to a limit.
pub(crate) struct Many<'a, T> {
    pub(crate) buffer: &'a mut Vec<T>,
    pub(crate) limit: usize,
}

impl<P: Pattern, T> RecvOp<P> for Many<'_, T>
where
    P::Received: Into<T>,
{
    /// How many.
    type Item = usize;

    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<usize, Refusal>> {
        let before = self.buffer.len();
        while self.buffer.len() - before < self.limit {
            match P::try_fast_recv(core) {
                Some(item) => self.buffer.push(item.into()),
                None => match received(core) {
                    Poll::Ready(Ok(item)) => self.buffer.push(item.into()),
                    Poll::Ready(Err(refusal)) if self.buffer.len() == before => {
                        return Poll::Ready(Err(refusal));
                    }
                    _ => break,
                },
            }
        }
        let count = self.buffer.len() - before;
        core.count_served(count);
        if count == 0 && self.limit > 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(count))
    }
}

/// Takes the next message. If there is none, but some were thrown away, who sent the last one that was received is still
/// who did.
fn received<P: Pattern>(core: &mut Core<P>) -> Poll<Result<P::Received, Refusal>> {
    core.receiver.keep_last();
    let received = P::recv(core);
    if received.is_pending() {
        core.receiver.resume_last();
    }
    received
}

/// As many as there are, up to a limit, each with who has sent it.
pub(crate) struct ManyFrom<'a, T> {
    pub(crate) buffer: &'a mut Vec<(T, Option<Arc<Peer>>)>,
    pub(crate) limit: usize,
}

impl<P: Pattern, T> RecvOp<P> for ManyFrom<'_, T>
where
    P::Received: Into<T>,
{
    /// How many.
    type Item = usize;

    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<usize, Refusal>> {
        let mut count = 0;
        while count < self.limit {
            match received(core) {
                Poll::Ready(Ok(item)) => self.buffer.push((item.into(), P::last_peer(core))),
                Poll::Ready(Err(refusal)) if count == 0 => return Poll::Ready(Err(refusal)),
                _ => break,
            }
            count += 1;
        }
        core.count_served(count);
        if count == 0 && self.limit > 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(count))
    }
}

/// A `recv`.
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Receiving<'a, P, H, W> {
    handle: &'a mut H,
    op: W,
    timeout: CallTimeout,
    pattern: PhantomData<fn() -> P>,
}

impl<'a, P: Pattern, H: Access<P>, W: RecvOp<P>> Receiving<'a, P, H, W> {
    #[inline(always)]
    pub(crate) fn new(handle: &'a mut H, op: W) -> Self {
        Receiving {
            handle,
            op,
            timeout: CallTimeout::Fresh,
            pattern: PhantomData,
        }
    }

    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Result<W::Item, RecvError>> {
        let (op, timeout) = (&mut self.op, &mut self.timeout);
        self.handle
            .poll(cx, |core, cx| core.poll_recv_call(cx, op, timeout))
    }
}

impl<P: Pattern, H: Access<P>, W: RecvOp<P>> Future for Receiving<'_, P, H, W> {
    type Output = Result<W::Item, RecvError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let CallTimeout::Fresh = this.timeout
            && let Some(core) = this.handle.fast()
            && core.is_within_budget()
            && !core.has_read_events()
            && let Some(item) = this.op.try_fast(core)
        {
            return Poll::Ready(Ok(item));
        }
        this.poll_slow(cx)
    }
}

/// A message on its way into a socket: the future that [`Socket::send`](crate::Socket::send) returns. It has a name, so
/// that the compiler says once, and not for each step of the way, what is wrong with a message.
// The message is at the front, so that a move of the whole reads its words as they were written: a processor stalls when
// it reads across the bounds of recent writes.
#[must_use = "futures do nothing unless they are awaited"]
#[repr(C)]
pub struct Sending<'a, P: Pattern, H> {
    item: P::Sent,
    handle: &'a mut H,
    timeout: CallTimeout,
}

#[allow(private_bounds, reason = "sockets make it")]
impl<'a, P: Pattern, H: Access<P>> Sending<'a, P, H> {
    #[inline(always)]
    pub(crate) fn new(handle: &'a mut H, item: P::Sent) -> Self {
        Sending {
            item: item.settled(),
            handle,
            timeout: CallTimeout::Fresh,
        }
    }

    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let (item, timeout) = (&mut self.item, &mut self.timeout);
        self.handle
            .poll(cx, |core, cx| core.poll_send_call(cx, item, timeout))
    }
}

impl<P: Pattern, H> fmt::Debug for Sending<'_, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}

impl<P: Pattern, H: Access<P>> Future for Sending<'_, P, H> {
    type Output = Result<(), SendError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let CallTimeout::Fresh = this.timeout
            && let Some(core) = this.handle.fast()
            && core.is_within_budget()
            && !core.has_write_events()
            && !this.item.is_empty()
            && P::try_fast_send(core, &mut this.item)
        {
            return Poll::Ready(Ok(()));
        }
        this.poll_slow(cx)
    }
}

impl<P: Pattern> Core<P> {
    /// Counts a call that is polled for the first time, and has not been counted by an attempt in the application's loop:
    /// those of an `AnySocket`, a stream and a sink.
    pub(crate) fn count_call(&mut self, timeout: &CallTimeout) {
        if let CallTimeout::Fresh = timeout {
            self.turn.add(1);
        }
    }

    /// Polls a `send`. The message is untouched while that is pending, and comes back with an error.
    pub(crate) fn poll_send_call(
        &mut self,
        cx: &mut Context<'_>,
        item: &mut P::Sent,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), SendError>> {
        if let Some(error) = P::refuse_empty(item) {
            return Poll::Ready(error);
        }
        let sent = self.poll_send(cx, |core| P::send(core, item));
        if let Poll::Ready(sent) = sent {
            return Poll::Ready(
                sent.map_err(|refusal| send_error::<P>(refusal, std::mem::take(item))),
            );
        }
        let limit = self.options().send_timeout;
        ready!(timeout.poll(cx, self, limit));
        let (_, message) = std::mem::take(item).into_parts();
        Poll::Ready(Err(SendError::Timeout(message)))
    }

    /// Polls a `recv`.
    pub(crate) fn poll_recv_call<W: RecvOp<P>>(
        &mut self,
        cx: &mut Context<'_>,
        op: &mut W,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<W::Item, RecvError>> {
        let options = self.options();
        let limit = options.recv_timeout;
        let spin = options.busy_poll.map(|time| timeout.spin(time, limit));
        if let Poll::Ready(received) = self.poll_recv(cx, spin, |core| op.take(core)) {
            return Poll::Ready(received.map_err(|refusal| self.not_received(refusal)));
        }
        ready!(timeout.poll(cx, self, limit));
        Poll::Ready(Err(RecvError::Timeout))
    }

    /// Becomes ready when a message can be sent, or when the time for it is over.
    pub(crate) fn poll_reserve(
        &mut self,
        cx: &mut Context<'_>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), ReserveError>> {
        match self.poll_room(cx) {
            Poll::Ready(Err(Refusal::Gone(last))) => {
                return Poll::Ready(Err(ReserveError::Gone(last)));
            }
            Poll::Ready(Err(Refusal::ContextClosed)) => {
                return Poll::Ready(Err(ReserveError::ContextClosed));
            }
            Poll::Ready(_) => return Poll::Ready(Ok(())),
            Poll::Pending => {}
        }
        self.poll_send_timeout(cx, timeout)
            .map(|()| Err(ReserveError::Timeout))
    }

    /// Becomes ready when the time of a `send` is over that waits for something else than its socket.
    pub(crate) fn poll_send_timeout(
        &mut self,
        cx: &mut Context<'_>,
        timeout: &mut CallTimeout,
    ) -> Poll<()> {
        let limit = self.options().send_timeout;
        timeout.poll(cx, self, limit)
    }

    /// Sends without waiting.
    pub(crate) fn try_send(&mut self, mut item: P::Sent) -> Result<(), SendError> {
        match self.send_now(&mut item) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Err(match self.all_gone() {
                Some(last) => send_error::<P>(Refusal::Gone(last), item),
                None => SendError::Full(item.into_parts().1),
            }),
        }
    }

    /// Sends a message if that needs no waiting. Pending: it would, and the message is untouched.
    pub(crate) fn send_now(&mut self, item: &mut P::Sent) -> Poll<Result<(), SendError>> {
        if !self.has_write_events() && !item.is_empty() && P::try_fast_send(self, item) {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = P::refuse_empty(item) {
            return Poll::Ready(error);
        }
        let mut sent = self.try_now(|core| P::send(core, item));
        if sent.is_pending() && self.has_write_events() {
            // The attempt has made room.
            sent = self.try_now(|core| P::send(core, item));
        }
        sent.map_err(|refusal| send_error::<P>(refusal, std::mem::take(item)))
    }

    /// Receives without waiting.
    pub(crate) fn try_recv<W: RecvOp<P>>(&mut self, mut op: W) -> Result<W::Item, RecvError> {
        // Who never stops does not go on beyond the limit of a drain.
        if self.is_beyond_drain() {
            return Err(RecvError::Drained);
        }
        if !self.has_read_events()
            && let Some(item) = op.try_fast(self)
        {
            return Ok(item);
        }
        match self.try_now(|core| op.take(core)) {
            Poll::Ready(received) => received.map_err(recv_error::<P>),
            Poll::Pending => Err(match self.all_gone() {
                Some(last) => self.not_received(Refusal::Gone(last)),
                None if self.is_drained() => RecvError::Drained,
                None => {
                    self.wait_elsewhere();
                    RecvError::Empty
                }
            }),
        }
    }

    /// Makes the error that says why nothing is received.
    fn not_received(&mut self, refusal: Refusal) -> RecvError {
        if let Refusal::Gone(_) = refusal {
            P::bereft(self);
        }
        recv_error::<P>(refusal)
    }
}
