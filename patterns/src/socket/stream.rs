//! A socket as a stream or a sink, and the permit for one message.

use std::borrow::BorrowMut;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use zmtp::Message;

use super::{Direction, RecvSide, SendSide, Socket, Whole};
use crate::capability::{Receives as CanRecv, Sends as CanSend};
use crate::core::call::CallTimeout;
use crate::core::{IntoSent, Pattern};
use crate::error::{RecvError, ReserveError, SendError};
use crate::peer::Peer;

/// The messages of a socket as a [`Stream`]: made by the socket's `stream` or `into_stream`.
///
/// It ends only when the socket has been [drained](Socket::drain). An error, a `recv_timeout` that passed, does not end it either. It holds no message: whatever
/// is dropped when, nothing is lost. `recv_timeout` is counted from the first poll that waits for the message; whoever
/// polls again after an error waits anew.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::{SinkExt, StreamExt};
/// use purezmq::{Message, PullSocket, PushSocket};
///
/// let mut pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let mut push = PushSocket::new();
/// push.connect(&endpoint)?;
/// push.sink().send(Message::from("by a sink")).await?;
/// let message = pull.stream().next().await.expect("streams of sockets never end")?;
/// assert_eq!(message, "by a sink");
/// # Ok(())
/// # }
/// ```
#[must_use = "streams do nothing unless they are polled"]
pub struct Messages<P: Pattern, D: Direction = Whole, S = Socket<P, D>> {
    socket: S,
    timeout: CallTimeout,
    pattern: PhantomData<fn() -> (P, D)>,
}

impl<P: Pattern, D: Direction, S> Messages<P, D, S> {
    pub(crate) fn new(socket: S) -> Self {
        Messages {
            socket,
            timeout: CallTimeout::default(),
            pattern: PhantomData,
        }
    }

    /// Returns the socket.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

impl<P: CanRecv, D: RecvSide, S: BorrowMut<Socket<P, D>>> Messages<P, D, S> {
    /// Returns who has sent the message that the stream has given last: [`Socket::last_peer`].
    pub fn last_peer(&self) -> Option<Arc<Peer>> {
        self.socket.borrow().last_peer()
    }
}

impl<P: Pattern, D: Direction, S: BorrowMut<Socket<P, D>> + Unpin> Stream for Messages<P, D, S> {
    type Item = Result<P::Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let socket = this.socket.borrow_mut();
        let received = socket.poll_recv(cx, &mut this.timeout);
        received.map(|received| match received {
            Err(RecvError::Drained) => None,
            received => Some(received),
        })
    }
}

impl<P: Pattern, D: Direction, S: fmt::Debug> fmt::Debug for Messages<P, D, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.socket).finish()
    }
}

/// A [`Sink`] that sends what it is given: made by the socket's `sink` or `into_sink`.
///
/// It holds one message at most, and only between `start_send` and the next call, when the socket had no room for
/// it. Flushed means: queued by the socket, as after `send`. `send_timeout` is counted from the first poll that waits for
/// room; passed, it is an error, with the message if the sink had one, and whoever polls again waits anew.
#[must_use = "sinks do nothing unless they are polled"]
pub struct MessageSink<P: Pattern, D: Direction = Whole, S = Socket<P, D>> {
    socket: S,
    waiting: Option<P::Sent>,
    timeout: CallTimeout,
    pattern: PhantomData<fn() -> D>,
}

impl<P: Pattern, D: Direction, S> MessageSink<P, D, S> {
    pub(crate) fn new(socket: S) -> Self {
        MessageSink {
            socket,
            waiting: None,
            timeout: CallTimeout::default(),
            pattern: PhantomData,
        }
    }

    /// Returns the socket, and the message that it had no room for, if there is one.
    pub fn into_inner(self) -> (S, Option<P::Sent>) {
        (self.socket, self.waiting)
    }
}

impl<P: Pattern, D: Direction, S: BorrowMut<Socket<P, D>>> MessageSink<P, D, S> {
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let socket = self.socket.borrow_mut();
        socket.poll_send(cx, &mut self.waiting, &mut self.timeout)
    }
}

impl<P, D, S, T> Sink<T> for MessageSink<P, D, S>
where
    P: Pattern,
    D: Direction,
    S: BorrowMut<Socket<P, D>> + Unpin,
    T: Into<P::Sent>,
{
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        let room = this.socket.borrow_mut().poll_reserve(cx, &mut this.timeout);
        room.map(|room| match room {
            Err(ReserveError::Timeout) => Err(SendError::Timeout(Message::new())),
            // If nothing is left that could take the message, the message's own call says so, and hands it back.
            Ok(()) | Err(ReserveError::Gone(_) | ReserveError::ContextClosed) => Ok(()),
        })
    }

    fn start_send(self: Pin<&mut Self>, message: T) -> Result<(), SendError> {
        self.get_mut().waiting = Some(message.into());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_waiting(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_waiting(cx)
    }
}

impl<P: Pattern, D: Direction, S: fmt::Debug> fmt::Debug for MessageSink<P, D, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageSink").field(&self.socket).finish()
    }
}

/// Room for one message: made by the socket's `reserve`.
#[derive(Debug)]
#[must_use = "a permit sends nothing by itself"]
pub struct Permit<'a, P: Pattern, D: Direction = Whole> {
    socket: &'a mut Socket<P, D>,
}

impl<'a, P: CanSend, D: SendSide> Permit<'a, P, D> {
    pub(crate) fn new(socket: &'a mut Socket<P, D>) -> Self {
        Permit { socket }
    }

    /// Queues the message, without waiting.
    ///
    /// # Errors
    ///
    /// The message has no frames; or the peer with the room has gone meanwhile, and no other has any. The
    /// message comes back.
    pub fn send(self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        self.socket.try_send(message)
    }
}
