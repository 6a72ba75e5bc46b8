//! What a socket, or half, does that sends.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::{Direction, MessageSink, Permit, SendSide, SharedSender, Socket};
use crate::capability::{Reserves, Sends as CanSend, Streams};
use crate::core::call::{CallTimeout, Sending};
use crate::core::{Access, IntoSent, Pattern, Refusal};
use crate::error::{ReserveError, SendError};

impl<P: CanSend, D: SendSide> Socket<P, D> {
    /// Sends a message. Where it goes, and whether this waits for a peer that can take it, is the socket's
    /// [type](crate#sockets). A socket that never waits still yields to the runtime now and then.
    ///
    /// # Errors
    ///
    /// `send_timeout` passed, the message has no frames, or the pattern does not allow it: it is not the socket's turn
    /// (REQ, REP), no peer has the routing id (ROUTER with `mandatory`). The message comes back, and has gone to nobody.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message. To keep the message, use [`try_send`](Self::try_send).
    #[inline]
    pub fn send(&mut self, message: impl IntoSent<P::Sent>) -> Sending<'_, P, D::Handle<P>> {
        Sending::<P, _>::new(&mut self.handle, message.into_sent())
    }

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); instead of waiting, [`SendError::Full`].
    pub fn try_send(&mut self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        let message = message.into_sent();
        self.handle.with(|core| core.try_send(message))
    }
}

impl<P: Streams + CanSend, D: SendSide> Socket<P, D> {
    /// Returns a [`Sink`](futures_sink::Sink) for messages.
    pub fn sink(&mut self) -> MessageSink<P, D, &mut Self> {
        MessageSink::new(self)
    }

    /// Makes it a [`Sink`](futures_sink::Sink) with the socket in it.
    pub fn into_sink(self) -> MessageSink<P, D> {
        MessageSink::new(self)
    }

    /// Makes it a sender that can be cloned, for many tasks.
    pub fn into_shared(self) -> SharedSender<P, D> {
        SharedSender::new(self)
    }
}

impl<P: Reserves + CanSend, D: SendSide> Socket<P, D> {
    /// Waits until a peer has room for a message, and holds the socket for that message. So a `send` that
    /// may be cancelled need not have its message at hand.
    ///
    /// # Errors
    ///
    /// `send_timeout` passed, or every endpoint of the socket is gone.
    ///
    /// # Cancel safety
    ///
    /// A dropped future, or permit, has done nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{PullSocket, PushSocket};
    ///
    /// let mut pull = PullSocket::new();
    /// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
    /// let mut push = PushSocket::new();
    /// push.connect(&endpoint)?;
    /// let permit = push.reserve().await?;
    /// permit.send("made only now")?;
    /// assert_eq!(pull.recv().await?, "made only now");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reserve(&mut self) -> Result<Permit<'_, P, D>, ReserveError> {
        let mut timeout = CallTimeout::default();
        poll_fn(|cx| self.poll_reserve(cx, &mut timeout)).await?;
        Ok(Permit::new(self))
    }
}

impl<P: Pattern, D: Direction> Socket<P, D> {
    /// Polls a `send` that begins with a new `timeout`. The message is taken when it is done with.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<P::Sent>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), SendError>> {
        let Some(item) = message else {
            return Poll::Ready(Ok(()));
        };
        let sent = self.handle.poll(cx, |core, cx| {
            core.count_call(timeout);
            core.poll_send_call(cx, item, timeout)
        });
        if sent.is_ready() {
            *message = None;
            *timeout = CallTimeout::Fresh;
        }
        sent
    }

    /// Sends a message if that needs no waiting. Pending: it would, and the message is still there.
    pub(crate) fn send_now(
        &mut self,
        message: &mut Option<P::Sent>,
    ) -> Poll<Result<(), SendError>> {
        match message {
            Some(item) => self.handle.with(|core| core.send_now(item)),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Polls a `reserve` that begins with a new `timeout`.
    pub(crate) fn poll_reserve(
        &mut self,
        cx: &mut Context<'_>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), ReserveError>> {
        let room = self
            .handle
            .poll(cx, |core, cx| core.poll_reserve(cx, timeout));
        if room.is_ready() {
            *timeout = CallTimeout::Fresh;
        }
        room
    }

    /// Becomes ready when the time of a `send` is over that is not polled yet.
    pub(crate) fn poll_send_timeout(
        &mut self,
        cx: &mut Context<'_>,
        timeout: &mut CallTimeout,
    ) -> Poll<()> {
        self.handle
            .poll(cx, |core, cx| core.poll_send_timeout(cx, timeout))
    }

    /// Becomes ready when the next message need not wait, for sockets that wait for any peer; at once for others. An error:
    /// nothing is left that could take it.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.handle.poll(cx, |core, cx| core.poll_room(cx))
    }
}
