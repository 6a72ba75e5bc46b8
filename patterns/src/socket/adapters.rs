//! A socket as a stream or a sink, and the permit for one message.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::Core;
use super::traits::{Feeding, Flowing, Polled};
use crate::error::{RecvError, ReserveError, SendError, TrySendError};
use crate::routing::{RecvStrategy, SendStrategy};

/// The messages of a socket as a [`Stream`]: made by the socket's `stream` or `into_stream`.
///
/// It never ends. An error, a `recv_timeout` that passed, does not end it either. It holds no message: whatever
/// is dropped when, nothing is lost.
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
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct Messages<S> {
    socket: S,
    state: Polled,
}

impl<S> Messages<S> {
    pub(crate) fn new(socket: S) -> Self {
        Messages {
            socket,
            state: Polled::default(),
        }
    }

    /// The socket.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

impl<S: Flowing> Stream for Messages<S> {
    type Item = Result<S::Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.socket.poll_recv(cx, &mut this.state).map(Some)
    }
}

/// A [`Sink`] that sends what it is given: made by the socket's `sink` or `into_sink`.
///
/// It holds one message at most, and only between `start_send` and the next call, when the socket had no room for
/// it. Flushed means: queued by the socket, as after `send`.
#[must_use = "sinks do nothing unless they are polled"]
pub struct MessageSink<S: Feeding> {
    socket: S,
    waiting: Option<S::Sent>,
    state: Polled,
}

impl<S: Feeding + std::fmt::Debug> std::fmt::Debug for MessageSink<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageSink")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl<S: Feeding> MessageSink<S> {
    pub(crate) fn new(socket: S) -> Self {
        MessageSink {
            socket,
            waiting: None,
            state: Polled::default(),
        }
    }

    /// The socket, and the message that it had no room for, if there is one.
    pub fn into_inner(self) -> (S, Option<S::Sent>) {
        (self.socket, self.waiting)
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.socket
            .poll_send(cx, &mut self.waiting, &mut self.state)
    }
}

impl<S, T> Sink<T> for MessageSink<S>
where
    S: Feeding,
    T: Into<S::Sent>,
    S::Sent: Unpin,
{
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        this.socket.poll_room(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: T) -> Result<(), SendError> {
        let this = self.get_mut();
        this.waiting = Some(message.into());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_waiting(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_waiting(cx)
    }
}

/// Room for one message: made by the socket's `reserve`.
#[derive(Debug)]
#[must_use = "a permit sends nothing by itself"]
pub struct Permit<'a, S> {
    socket: &'a mut S,
}

impl<'a, S: Feeding> Permit<'a, S> {
    pub(crate) fn new(socket: &'a mut S) -> Self {
        Permit { socket }
    }

    /// Queues the message, without waiting.
    ///
    /// # Errors
    ///
    /// The message has no frames; or the peer with the room has gone meanwhile, and no other has any. The
    /// message comes back.
    pub fn send(self, message: impl Into<S::Sent>) -> Result<(), TrySendError> {
        self.socket.try_send(message)
    }
}

/// Waits until a peer has room, as long as a `send` would.
pub(crate) async fn reserve<S: SendStrategy, R: RecvStrategy>(
    core: &mut Core<S, R>,
) -> Result<(), ReserveError> {
    let mut state = Polled::default();
    poll_fn(|cx| state.poll_room(core, cx)).await
}
