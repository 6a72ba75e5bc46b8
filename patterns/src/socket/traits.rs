//! What sockets have in common, as traits: for code that works with any of them, and for what is written once over
//! all of them: streams and sinks (`adapters.rs`), shared senders (`shared_sender.rs`), the blocking sockets
//! (`../blocking.rs`), the proxy (`../proxy.rs`).
//!
//! Each socket has the same calls as methods of its own; nobody needs a trait to use one.

use std::sync::Arc;
use std::task::{Context, Poll};

pub(crate) use super::call::Polled;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, Closed, RecvError, SendError, TryRecvError, TrySendError, UnbindError,
};
use crate::options::sealed::Sealed;
use crate::peer::Peer;

/// A socket, of whatever type: what waits in its life.
pub trait Socket: Sealed + Sized {
    /// Listens at an endpoint; see [`PullSocket::bind`](crate::PullSocket::bind).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not bound anything.
    fn bind(
        &mut self,
        endpoint: impl ToEndpoint,
    ) -> impl Future<Output = Result<Endpoint, BindError>>;

    /// Stops listening at an endpoint; see [`PullSocket::unbind`](crate::PullSocket::unbind).
    ///
    /// # Cancel safety
    ///
    /// The endpoint goes also if the future is dropped once it has been polled.
    fn unbind(
        &mut self,
        endpoint: impl ToEndpoint,
    ) -> impl Future<Output = Result<(), UnbindError>>;

    /// Closes the socket; see [`PullSocket::close`](crate::PullSocket::close).
    ///
    /// # Cancel safety
    ///
    /// The socket is closed by the first poll.
    fn close(self) -> impl Future<Output = Closed>;
}

/// A socket, or a half, that receives.
pub trait SocketRecv: Sealed {
    /// What it receives: a message, or for ROUTER one with its peer's name.
    type Received;

    /// The next message; waits while there is none.
    ///
    /// # Errors
    ///
    /// As the socket's own `recv`.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    fn recv(&mut self) -> impl Future<Output = Result<Self::Received, RecvError>>;

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// As the socket's own `try_recv`.
    fn try_recv(&mut self) -> Result<Self::Received, TryRecvError>;

    /// Who has sent the message that was received last; see [`PullSocket::last_peer`](crate::PullSocket::last_peer).
    fn last_peer(&self) -> Option<Arc<Peer>>;
}

/// A socket, or a half, that sends.
pub trait SocketSend: Sealed {
    /// What it sends: a message, or for ROUTER one with its peer's name.
    type Sent;

    /// Sends a message; waits where the socket's type waits.
    ///
    /// # Errors
    ///
    /// As the socket's own `send`. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message.
    fn send(
        &mut self,
        message: impl Into<Self::Sent>,
    ) -> impl Future<Output = Result<(), SendError>>;

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As the socket's own `try_send`. The message comes back.
    fn try_send(&mut self, message: impl Into<Self::Sent>) -> Result<(), TrySendError>;
}

/// A receiving socket without turns: all but REQ and REP.
pub trait Flowing: SocketRecv + Unpin {
    /// `recv`, polled.
    #[doc(hidden)]
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut Polled,
    ) -> Poll<Result<Self::Received, RecvError>>;

    /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end of
    /// `buffer`. Waits while there is none. Says how many.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    fn recv_many(
        &mut self,
        buffer: &mut Vec<Self::Received>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>>;
}

/// A sending socket without turns: all but REQ and REP.
pub trait Feeding: SocketSend + Unpin {
    /// `send`, polled: takes the message when it is done with it.
    #[doc(hidden)]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Self::Sent>,
        state: &mut Polled,
    ) -> Poll<Result<(), SendError>>;

    /// Ready when the next message need not wait, for sockets that wait for any peer; at once for others.
    #[doc(hidden)]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A socket that can be divided into halves.
pub trait Splits: Sealed + Sized {
    /// The sending half.
    type Sender: Sealed;
    /// The receiving half.
    type Receiver: Sealed;

    /// Divides the socket into its two directions.
    fn split(self) -> (Self::Sender, Self::Receiver);

    /// The whole socket again.
    ///
    /// # Errors
    ///
    /// The halves belong to two different sockets. They come back.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    fn reunite(
        sender: Self::Sender,
        receiver: Self::Receiver,
    ) -> Result<Self, super::ReuniteError<Self::Sender, Self::Receiver>>;
}

/// Writes it for a socket that has both calls.
macro_rules! splits {
    ($socket:ident, $sender:ident, $receiver:ident) => {
        impl $crate::socket::Splits for $socket {
            type Sender = $sender;
            type Receiver = $receiver;

            fn split(self) -> ($sender, $receiver) {
                $socket::split(self)
            }

            fn reunite(
                sender: $sender,
                receiver: $receiver,
            ) -> Result<$socket, $crate::socket::ReuniteError<$sender, $receiver>> {
                sender.reunite(receiver)
            }
        }
    };
}
pub(crate) use splits;

/// A publisher, or the sending half of one, that hears who subscribes.
pub trait Hears: Sealed {
    /// Waits until that many peers have subscribed to something; see
    /// [`PubSocket::wait_for_subscribers`](crate::PubSocket::wait_for_subscribers).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has changed nothing.
    fn wait_for_subscribers(&mut self, count: usize) -> impl Future<Output = ()>;
}

macro_rules! hears {
    ($($publisher:ty),*) => {
        $(impl Hears for $publisher {
            fn wait_for_subscribers(&mut self, count: usize) -> impl Future<Output = ()> {
                <$publisher>::wait_for_subscribers(self, count)
            }
        })*
    };
}
hears!(crate::PubSocket, crate::XPubSocket, super::XPubSender);

// A borrowed socket is one, too.

impl<S: Sealed> Sealed for &mut S {}

impl<S: SocketRecv> SocketRecv for &mut S {
    type Received = S::Received;

    fn recv(&mut self) -> impl Future<Output = Result<S::Received, RecvError>> {
        S::recv(self)
    }

    fn try_recv(&mut self) -> Result<S::Received, TryRecvError> {
        S::try_recv(self)
    }

    fn last_peer(&self) -> Option<Arc<Peer>> {
        S::last_peer(self)
    }
}

impl<S: Flowing> Flowing for &mut S {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut Polled,
    ) -> Poll<Result<S::Received, RecvError>> {
        S::poll_recv(self, cx, state)
    }

    fn recv_many(
        &mut self,
        buffer: &mut Vec<S::Received>,
        limit: usize,
    ) -> impl Future<Output = Result<usize, RecvError>> {
        S::recv_many(self, buffer, limit)
    }
}

impl<S: SocketSend> SocketSend for &mut S {
    type Sent = S::Sent;

    fn send(&mut self, message: impl Into<S::Sent>) -> impl Future<Output = Result<(), SendError>> {
        S::send(self, message)
    }

    fn try_send(&mut self, message: impl Into<S::Sent>) -> Result<(), TrySendError> {
        S::try_send(self, message)
    }
}

impl<S: Feeding> Feeding for &mut S {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<S::Sent>,
        state: &mut Polled,
    ) -> Poll<Result<(), SendError>> {
        S::poll_send(self, cx, message, state)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        S::poll_room(self, cx)
    }
}

/// Writes what a receiving socket has besides `recv` and `try_recv`. `$source` gives its core and its source.
macro_rules! receives {
    ($socket:ident, $item:ty, |$this:ident| $core:expr, $source:expr) => {
        $crate::socket::traits::receives_from!($socket, $item, |$this| $core, $source);
        $crate::socket::traits::knows_last_peer!($socket, |$this| $core.last_peer());
    };
}
pub(crate) use receives;

/// The part of it that does not depend on how the socket remembers its peers.
macro_rules! receives_from {
    ($socket:ident, $item:ty, |$this:ident| $core:expr, $source:expr) => {
        impl $socket {
            /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end
            /// of `buffer`; waits while there is none. Says how many: 0 only if `limit` is 0. Peers take
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
                buffer: &mut Vec<$item>,
                limit: usize,
            ) -> impl Future<Output = Result<usize, $crate::error::RecvError>> {
                let $this = self;
                let source = $source;
                $core.recv($crate::socket::call::Many {
                    source,
                    buffer,
                    limit,
                })
            }

            /// The messages as a [`Stream`](futures_core::Stream) that never ends; see
            /// [`Messages`]($crate::socket::Messages).
            pub fn stream(&mut self) -> $crate::socket::Messages<&mut Self> {
                $crate::socket::Messages::new(self)
            }

            /// The same with the socket in it.
            pub fn into_stream(self) -> $crate::socket::Messages<Self> {
                $crate::socket::Messages::new(self)
            }
        }

        $crate::socket::traits::receives_in_turns!($socket, $item);

        impl $crate::socket::Flowing for $socket {
            fn poll_recv(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
                state: &mut $crate::socket::traits::Polled,
            ) -> ::std::task::Poll<Result<$item, $crate::error::RecvError>> {
                let $this = self;
                let source = $source;
                $crate::socket::call::poll_recv(&mut $core, source, cx, state)
            }

            fn recv_many(
                &mut self,
                buffer: &mut Vec<$item>,
                limit: usize,
            ) -> impl Future<Output = Result<usize, $crate::error::RecvError>> {
                $socket::recv_many(self, buffer, limit)
            }
        }
    };
}
pub(crate) use receives_from;

/// Writes `last_peer` for a socket, or a half, that receives.
macro_rules! knows_last_peer {
    ($socket:ident, |$this:ident| $last:expr) => {
        impl $socket {
            /// Who has sent the message that was received last: user id, address, properties. `None`: no message has
            /// been received. After `recv_many`, that is the last message in the buffer; for the peer of each
            /// message, receive them one by one.
            ///
            /// It costs nothing until it is called, and is about the message even if the peer has gone meanwhile. Call
            /// it right after receiving: a later call that receives nothing may have passed over messages. In
            /// libzmq: `zmq_msg_gets`.
            pub fn last_peer(&self) -> Option<::std::sync::Arc<$crate::Peer>> {
                let $this = self;
                $last
            }
        }
    };
}
pub(crate) use knows_last_peer;

/// The part of it that sockets with turns have, too.
macro_rules! receives_in_turns {
    ($socket:ident, $item:ty) => {
        impl $crate::socket::SocketRecv for $socket {
            type Received = $item;

            #[inline]
            fn recv(&mut self) -> impl Future<Output = Result<$item, $crate::error::RecvError>> {
                $socket::recv(self)
            }

            fn try_recv(&mut self) -> Result<$item, $crate::error::TryRecvError> {
                $socket::try_recv(self)
            }

            fn last_peer(&self) -> Option<::std::sync::Arc<$crate::Peer>> {
                $socket::last_peer(self)
            }
        }
    };
}
pub(crate) use receives_in_turns;

/// Writes what a sending socket has besides `send` and `try_send`. `$way` leads through its core.
macro_rules! sends {
    ($socket:ident, |$this:ident| $core:expr, $way:expr) => {
        $crate::socket::traits::sinks!($socket, ::zmtp::Message);

        impl $crate::socket::Feeding for $socket {
            fn poll_send(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
                message: &mut Option<::zmtp::Message>,
                state: &mut $crate::socket::traits::Polled,
            ) -> ::std::task::Poll<Result<(), $crate::error::SendError>> {
                let $this = self;
                let way = $way;
                $crate::socket::call::poll_send(&mut $core, way, cx, message, state)
            }

            fn poll_room(&mut self, cx: &mut ::std::task::Context<'_>) -> ::std::task::Poll<()> {
                self.core.poll_room(cx)
            }
        }
    };
}
pub(crate) use sends;

/// The part of it that does not depend on the way.
macro_rules! sinks {
    ($socket:ident, $item:ty) => {
        impl $socket {
            /// A [`Sink`](futures_sink::Sink) for messages; see [`MessageSink`]($crate::socket::MessageSink).
            pub fn sink(&mut self) -> $crate::socket::MessageSink<&mut Self> {
                $crate::socket::MessageSink::new(self)
            }

            /// The same with the socket in it.
            pub fn into_sink(self) -> $crate::socket::MessageSink<Self> {
                $crate::socket::MessageSink::new(self)
            }

            /// A sender that can be cloned, for many tasks; see [`SharedSender`]($crate::socket::SharedSender).
            pub fn into_shared(self) -> $crate::socket::SharedSender<Self> {
                $crate::socket::SharedSender::new(self)
            }
        }

        $crate::socket::traits::sends_in_turns!($socket, $item);
    };
}
pub(crate) use sinks;

/// The part of it that sockets with turns have, too.
macro_rules! sends_in_turns {
    ($socket:ident, $item:ty) => {
        impl $crate::socket::SocketSend for $socket {
            type Sent = $item;

            #[inline]
            fn send(
                &mut self,
                message: impl Into<$item>,
            ) -> impl Future<Output = Result<(), $crate::error::SendError>> {
                $socket::send(self, message)
            }

            fn try_send(
                &mut self,
                message: impl Into<$item>,
            ) -> Result<(), $crate::error::TrySendError> {
                $socket::try_send(self, message)
            }
        }
    };
}
pub(crate) use sends_in_turns;

/// Writes `reserve` for a socket that waits until any peer has room.
macro_rules! reserves {
    ($socket:ident) => {
        impl $socket {
            /// Waits until a peer has room for a message, and holds the socket for that message. So a `send` that
            /// may be cancelled need not have its message at hand.
            ///
            /// # Errors
            ///
            /// `send_timeout` passed.
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
            pub async fn reserve(
                &mut self,
            ) -> Result<$crate::socket::Permit<'_, Self>, $crate::error::ReserveError> {
                $crate::socket::adapters::reserve(&mut self.core).await?;
                Ok($crate::socket::Permit::new(self))
            }
        }
    };
}
pub(crate) use reserves;
