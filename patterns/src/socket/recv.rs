//! What a socket, or half, does that receives.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Direction, Messages, RecvSide, Socket, SubscribesFor};
use crate::capability::{Publishes, Receives as CanRecv, Streams, Subscribes, TracksTopics};
use crate::core::call::{CallTimeout, Many, ManyFrom, One, Receiving, RecvOp};
use crate::core::{Access, Core, Pattern, Refusal};
use crate::error::RecvError;
use crate::peer::Peer;

impl<P: CanRecv, D: RecvSide> Socket<P, D> {
    /// Receives the next message; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed, or it is not the socket's turn (REQ, REP).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<P::Received, RecvError>> + Send {
        Receiving::<P, _, _>::new(&mut self.handle, One)
    }

    /// Receives the next message, if one is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); instead of waiting, [`RecvError::Empty`].
    pub fn try_recv(&mut self) -> Result<P::Received, RecvError> {
        self.handle.with(|core| core.try_recv(One))
    }

    /// Returns who has sent the message that was received last: user id, address, properties. `None`: no message has
    /// been received. After `recv_many`, that is the last message in the buffer; `recv_many_from` has the peer of each
    /// message, and a [stream](Messages) that of its last.
    ///
    /// It costs nothing until it is called, and is about the message even if the peer has gone meanwhile. What is
    /// received and thrown away, such as what a subscriber has not asked for, changes nothing. In libzmq:
    /// `zmq_msg_gets`.
    pub fn last_peer(&self) -> Option<Arc<Peer>> {
        self.handle.peek(P::last_peer)
    }
}

impl<P: Streams + CanRecv, D: RecvSide> Socket<P, D> {
    /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end
    /// of `buffer`; waits while there is none. Returns how many: 0 only if `limit` is 0. Peers take
    /// turns, as in `recv`, which this is cheaper than.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message, and has not touched the buffer.
    pub fn recv_many(
        &mut self,
        buffer: &mut Vec<P::Received>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> + Send {
        Receiving::<P, _, _>::new(&mut self.handle, Many { buffer, limit })
    }

    /// Receives as `recv_many` does, each message with who has sent it, as [`last_peer`](Self::last_peer) tells it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{PullSocket, PushSocket, SocketType};
    ///
    /// let mut pull = PullSocket::new();
    /// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
    /// let mut push = PushSocket::new();
    /// push.connect(&endpoint)?;
    /// push.send("hello").await?;
    ///
    /// let mut received = Vec::new();
    /// assert_eq!(pull.recv_many_from(&mut received, 100).await?, 1);
    /// let (message, peer) = &received[0];
    /// assert_eq!(message, "hello");
    /// assert_eq!(peer.as_ref().unwrap().socket_type, Some(SocketType::Push));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message, and has not touched the buffer.
    pub fn recv_many_from(
        &mut self,
        buffer: &mut Vec<(P::Received, Option<Arc<Peer>>)>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> + Send {
        Receiving::<P, _, _>::new(&mut self.handle, ManyFrom { buffer, limit })
    }

    /// Returns the messages as a [`Stream`](futures_core::Stream) that ends only when the socket has been
    /// [drained](Self::drain).
    pub fn stream(&mut self) -> Messages<P, D, &mut Self> {
        Messages::new(self)
    }

    /// Makes it a [`Stream`](futures_core::Stream) with the socket in it.
    pub fn into_stream(self) -> Messages<P, D> {
        Messages::new(self)
    }
}

impl<P: Subscribes, D: SubscribesFor<P>> Socket<P, D> {
    /// Subscribes to all messages whose first frame begins with `topic`; the empty topic means all. Subscriptions are
    /// counted: one that was made twice has to be taken back twice. XSUB may also send them as messages.
    ///
    /// An XPUB with `manual` subscribes the peer whose notice was received last, to this topic instead of the one that
    /// it asked for. Returns `false` if there is no such peer (any more).
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.handle
            .with(|core| P::subscribe(core, true, topic.as_ref()))
    }

    /// Takes a subscription back. Returns `false` if there was none, or for an XPUB no such peer.
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.handle
            .with(|core| P::subscribe(core, false, topic.as_ref()))
    }
}

impl<P: TracksTopics, D: Direction> Socket<P, D> {
    /// Counts the distinct topics: those that this subscriber has subscribed to, or that somebody has subscribed to at
    /// this publisher, as far as peers have been heard. In libzmq: `ZMQ_TOPICS_COUNT` (116).
    pub fn topics_count(&mut self) -> usize {
        self.handle.with(Core::subscriptions_now).1
    }
}

impl<P: Publishes, D: Direction> Socket<P, D> {
    /// Waits until that many peers have subscribed to something: what is sent then reaches them. An XPUB keeps the
    /// notices for `recv`.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has changed nothing.
    pub async fn wait_for_subscribers(&mut self, count: usize) {
        poll_fn(|cx| {
            self.handle.poll(cx, |core, cx| {
                let waited =
                    core.poll_recv(cx, None, |core| match P::subscriptions(core).0 >= count {
                        true => Poll::Ready(Ok(())),
                        false => Poll::Pending,
                    });
                match waited {
                    Poll::Ready(Ok(()) | Err(Refusal::ContextClosed)) => Poll::Ready(()),
                    // Also if all endpoints are gone: this call has no error to say it by.
                    Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
                }
            })
        })
        .await;
    }

    /// Counts the peers with a subscription, as far as they have been heard.
    pub fn subscriber_count(&mut self) -> usize {
        self.handle.with(Core::subscriptions_now).0
    }
}

impl<P: Pattern, D: Direction> Socket<P, D> {
    /// Polls a `recv` that begins with a new `timeout`.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<P::Received, RecvError>> {
        self.poll_recv_of(cx, &mut One, timeout)
    }

    /// `poll_recv` of something else than one message.
    pub(crate) fn poll_recv_of<W: RecvOp<P>>(
        &mut self,
        cx: &mut Context<'_>,
        op: &mut W,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<W::Item, RecvError>> {
        let received = self.handle.poll(cx, |core, cx| {
            core.count_call(timeout);
            core.poll_recv_call(cx, op, timeout)
        });
        if received.is_ready() {
            *timeout = CallTimeout::Fresh;
        }
        received
    }
}
