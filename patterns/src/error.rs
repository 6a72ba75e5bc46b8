//! What the application gets back when a call on a socket fails, by call.
//!
//! Caller mistakes (a wrong endpoint, an option out of range, the wrong turn) are told from the
//! environment's faults (an address in use) and from states that pass (a full pipe, a timeout).
//! A connection that fails later is no error of any call: it goes to the monitor, as
//! [`ConnectFailure`], and the session dials again. Every failed send hands the message back.

mod datagram;
mod gone;
mod group;
mod option;
mod report;
mod zap;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;
use zmtp::{Message, SocketType};

use crate::endpoint::{Endpoint, EndpointError};
use crate::routing_id::RoutingId;

pub use datagram::DatagramError;
pub use gone::{EndpointGone, GoneReason};
pub use group::GroupError;
pub use option::OptionError;
pub use report::{CloseReport, ContextReport, LeftAtPeer};
pub use zap::ZapError;

/// Has an error show its text when it is debugged, too: that is what `unwrap` and a `main` print.
macro_rules! debug_as_text {
    ($($error:ty)*) => {$(
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_text! {
    EndpointError BindError ConnectError UnbindError DisconnectError SendError ReserveError RecvError OptionError
    GroupError
}

/// `bind` failed; the socket is as it was before.
#[derive(Error)]
#[non_exhaustive]
pub enum BindError {
    /// The endpoint's text is wrong, or it is of a kind that cannot be bound. Correct it.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Another socket listens there. Stop it, or bind elsewhere (`tcp://host:*` lets the system
    /// choose a free port).
    #[error("cannot bind {endpoint}: the address is in use")]
    AddressInUse {
        /// Where it was to listen.
        endpoint: Endpoint,
    },
    /// The socket asks nobody who they are, the address can be reached from other machines, and the socket has
    /// `require_authentication`. Set the option `security`, or a `zap_domain` and the context's authenticator.
    #[error("will not listen at {endpoint}: everybody who can reach it could come in")]
    Unauthenticated {
        /// Where it was to listen.
        endpoint: Endpoint,
    },
    /// The socket has no configuration for TLS. Set the option `tls_server`.
    #[error("cannot bind {endpoint}: the socket has no `tls_server`")]
    NoTls {
        /// Where it was to listen.
        endpoint: Endpoint,
    },
    /// The address, interface or host name is none of this machine's.
    #[error("cannot bind {endpoint}: {reason}")]
    AddressNotAvailable {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// What was looked for, and did not exist.
        reason: String,
    },
    /// There is no running tokio runtime, which the listener needs.
    #[error(
        "cannot bind {endpoint}: no tokio runtime is running here (call it from an async fn of one)"
    )]
    NoRuntime {
        /// Where it was to listen.
        endpoint: Endpoint,
    },
    /// The runtime that is running here was built without timers or I/O, which the listener needs. Build it with
    /// `enable_all`, or use [`Context::with_io_threads`](crate::Context::with_io_threads).
    #[error(
        "cannot bind {endpoint}: the tokio runtime here has no {lacks}: build it with `enable_all`"
    )]
    RuntimeLacks {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// What it has not: `timers` or `I/O`.
        lacks: &'static str,
    },
    /// A DGRAM socket is bound once, and this one is already. Unbind it first.
    #[error("cannot bind {endpoint}: this socket is bound already")]
    Occupied {
        /// Where it was to be bound.
        endpoint: Endpoint,
    },
    /// The socket's context has been [closed](crate::Context::close).
    #[error("cannot bind {endpoint}: the socket's context is closed")]
    ContextClosed {
        /// Where it was to listen.
        endpoint: Endpoint,
    },
    /// The operating system refused for another reason: permissions, a missing directory, too
    /// many open files, an option that it does not support.
    #[error("cannot bind {endpoint}: {source}")]
    Io {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// The system's answer.
        source: io::Error,
    },
}

impl BindError {
    /// What the system had against it, for the monitor. `None`: it is the caller's mistake.
    pub(crate) fn cause(&self) -> Option<io::Error> {
        Some(match self {
            BindError::Endpoint(_)
            | BindError::Unauthenticated { .. }
            | BindError::NoTls { .. }
            | BindError::NoRuntime { .. }
            | BindError::RuntimeLacks { .. }
            | BindError::Occupied { .. }
            | BindError::ContextClosed { .. } => return None,
            BindError::AddressInUse { .. } => io::ErrorKind::AddrInUse.into(),
            BindError::AddressNotAvailable { reason, .. } => {
                io::Error::new(io::ErrorKind::AddrNotAvailable, reason.clone())
            }
            BindError::Io { source, .. } => match source.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => io::Error::new(source.kind(), source.to_string()),
            },
        })
    }
}

/// `connect` was called with something that can never work. Whether the peer is there is not
/// decided by `connect`: the session goes on trying, and the monitor tells.
#[derive(Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint's text is wrong, or it is a wildcard. Correct it.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no running tokio runtime, which the session needs, or it has ended.
    #[error(
        "cannot connect to {endpoint}: no tokio runtime is running here (call it from within one)"
    )]
    NoRuntime {
        /// The peer.
        endpoint: Endpoint,
    },
    /// The runtime that is running here was built without timers or I/O, which the session needs. Build it with
    /// `enable_all`, or use [`Context::with_io_threads`](crate::Context::with_io_threads).
    #[error(
        "cannot connect to {endpoint}: the tokio runtime here has no {lacks}: build it with `enable_all`"
    )]
    RuntimeLacks {
        /// The peer.
        endpoint: Endpoint,
        /// What it has not: `timers` or `I/O`.
        lacks: &'static str,
    },
    /// The socket has no configuration for TLS (option `tls_client`), or the host cannot stand in a certificate
    /// (option `tls_server_name`).
    #[error(
        "cannot connect to {endpoint}: the socket needs `tls_client`, and a server name that can be verified"
    )]
    NoTls {
        /// The peer.
        endpoint: Endpoint,
    },
    /// `connect_as` was given a routing id that another peer has, or will have. Choose another one.
    #[error("cannot connect: the routing id {name:?} is in use")]
    RoutingIdInUse {
        /// The name that the peer was to have.
        name: RoutingId,
    },
    /// A PAIR or CHANNEL socket has one peer, and this one has it already, or waits for it at another endpoint.
    #[error("cannot connect to {endpoint}: this socket has its one peer already")]
    Occupied {
        /// The peer that it was to have.
        endpoint: Endpoint,
    },
    /// Sockets of this type know no peers by numbers. Only an [`AnySocket`](crate::AnySocket) can be asked to.
    #[error("cannot connect to {endpoint}: a {socket_type} socket knows no peers by numbers")]
    Unsupported {
        /// The peer that was to have a number.
        endpoint: Endpoint,
        /// The socket's type.
        socket_type: SocketType,
    },
    /// The socket's context has been [closed](crate::Context::close).
    #[error("cannot connect to {endpoint}: the socket's context is closed")]
    ContextClosed {
        /// The peer.
        endpoint: Endpoint,
    },
}

/// One attempt to reach a peer failed; the session tries again unless reconnecting is off.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// A host name or interface could not be resolved, now. It is looked up again at each
    /// attempt.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// The host of the endpoint.
        host: String,
        /// The resolver's answer.
        reason: String,
    },
    /// The peer, or the network on the way to it, refused. If a name has several addresses, this
    /// is the last one's failure.
    #[error("cannot reach {address}: {source}")]
    Io {
        /// The address that was tried.
        address: String,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// There was no answer within `connect_timeout`.
    #[error("no answer from {address} within {} ms", .after.as_millis())]
    TimedOut {
        /// The address that was tried.
        address: String,
        /// The limit that passed.
        after: Duration,
    },
    /// The system chose the peer's port as this end's own, and the connection met itself. It
    /// means that nobody listens there.
    #[error("nobody listens at {address}: the connection met itself")]
    SelfConnected {
        /// The address that was tried.
        address: SocketAddr,
    },
    /// The proxy cannot, or will not, connect to the peer.
    #[error("the proxy at {address} does not connect: {reason}")]
    Proxy {
        /// The proxy.
        address: SocketAddr,
        /// Its answer.
        reason: String,
    },
    /// The transport cannot be dialled on this system.
    #[error("cannot connect to {endpoint}: {reason}")]
    Unsupported {
        /// The peer.
        endpoint: Endpoint,
        /// Why not.
        reason: &'static str,
    },
}

impl ConnectFailure {
    pub(crate) fn io(address: impl ToString, source: io::Error) -> Self {
        ConnectFailure::Io {
            address: address.to_string(),
            source: Arc::new(source),
        }
    }

    /// Whether the peer's system said that nobody listens there.
    pub fn is_refused(&self) -> bool {
        match self {
            ConnectFailure::Io { source, .. } => source.kind() == io::ErrorKind::ConnectionRefused,
            ConnectFailure::SelfConnected { .. } => true,
            _ => false,
        }
    }
}

/// `unbind` found nothing to unbind.
#[derive(Error)]
#[non_exhaustive]
pub enum UnbindError {
    /// The endpoint's text is wrong.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The socket is not bound there. Pass the endpoint that `bind` returned, or the one that it was given: but one
    /// that leaves the port, or the file, to the system (`tcp://host:*`, `ipc://*`) does not name what it was resolved
    /// to.
    #[error("not bound to {endpoint}")]
    NotBound {
        /// The endpoint asked for.
        endpoint: Endpoint,
    },
    /// The socket was bound there until the endpoint's task ended. It is forgotten now.
    #[error("no longer bound: {0}")]
    Gone(Arc<EndpointGone>),
    /// The socket's context has been [closed](crate::Context::close), and with it all endpoints.
    #[error("not bound to {endpoint}: the socket's context is closed")]
    ContextClosed {
        /// The endpoint asked for.
        endpoint: Endpoint,
    },
}

/// `disconnect` found nothing to disconnect.
#[derive(Error)]
#[non_exhaustive]
pub enum DisconnectError {
    /// The endpoint's text is wrong.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The socket is not connected there.
    #[error("not connected to {endpoint}")]
    NotConnected {
        /// The endpoint asked for.
        endpoint: Endpoint,
    },
    /// The socket was connected there until the endpoint's task ended. It is forgotten now.
    #[error("no longer connected: {0}")]
    Gone(Arc<EndpointGone>),
    /// The socket's context has been [closed](crate::Context::close), and with it all endpoints.
    #[error("not connected to {endpoint}: the socket's context is closed")]
    ContextClosed {
        /// The endpoint asked for.
        endpoint: Endpoint,
    },
}

/// `send` or `try_send` failed: nothing of the message was sent, and it is handed back.
#[derive(Error)]
#[non_exhaustive]
pub enum SendError {
    /// Of `try_send`: every peer's pipe is full, or there is no peer; `send` would wait. Try later.
    #[error("no peer can take the message now")]
    Full(Message),
    /// Of `send`: no peer could take the message within `send_timeout`. Send it again, or drop it.
    #[error("no peer took the message in time")]
    Timeout(Message),
    /// No peer has this routing id, or another one than it was learned from, and the socket is `mandatory`. Wait until the
    /// peer comes (`notify` tells of it), or give up. Of a SERVER or PEER: no peer has this number, which stands here as the
    /// name that is made of it, a zero and its four bytes. It never comes back: give up.
    #[error("no peer has the routing id {peer:?}")]
    Unroutable {
        /// Who was to get the message.
        peer: RoutingId,
        /// The message.
        message: Message,
    },
    /// The subscriber that an XPUB was to send to has gone. Forget it.
    #[error("the subscriber has gone")]
    SubscriberGone(Message),
    /// It is not this socket's turn to send.
    #[error("this socket cannot send now: {expected}")]
    State {
        /// The message.
        message: Message,
        /// What to do first.
        expected: &'static str,
    },
    /// The message has no frames. A message has one or more; an empty frame is a frame.
    #[error("a message needs at least one frame")]
    NoFrames(Message),
    /// The message has several frames, and sockets of this type send single ones.
    #[error("a message of this socket type has one frame only")]
    Multipart(Message),
    /// Of a RADIO: no group can have the name that the message is for. Choose another one.
    #[error("the message is for no group: {error}")]
    Group {
        /// The message, without the group.
        message: Message,
        /// What is wrong with the name.
        error: GroupError,
    },
    /// Of a RADIO or DGRAM: the message cannot be a datagram.
    #[error("the message cannot be sent: {error}")]
    Datagram {
        /// The message, without the group or the address.
        message: Message,
        /// What is wrong with it.
        error: DatagramError,
    },
    /// Sockets of this type do not send. Only an [`AnySocket`](crate::AnySocket) can be asked to.
    #[error("a {socket_type} socket does not send")]
    Unsupported {
        /// The message.
        message: Message,
        /// The socket's type.
        socket_type: SocketType,
    },
    /// Every endpoint of the socket is gone: nothing is left that could ever take the message. Connect or bind
    /// again.
    #[error("nothing is left that could take the message: {last}")]
    Gone {
        /// The message.
        message: Message,
        /// The endpoint that went last.
        last: Arc<EndpointGone>,
    },
    /// The socket's context has been [closed](crate::Context::close): the socket sends nothing any more.
    #[error("the socket's context is closed")]
    ContextClosed(Message),
}

/// `reserve` failed.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// No peer had room within `send_timeout`. Try again.
    #[error("no peer had room in time")]
    Timeout,
    /// Every endpoint of the socket is gone: nothing is left that could ever take a message. Connect or bind again.
    #[error("nothing is left that could take a message: {0}")]
    Gone(Arc<EndpointGone>),
    /// The socket's context has been [closed](crate::Context::close): the socket sends nothing any more.
    #[error("the socket's context is closed")]
    ContextClosed,
}

impl SendError {
    /// Returns the message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            SendError::Full(message)
            | SendError::Timeout(message)
            | SendError::Unroutable { message, .. }
            | SendError::SubscriberGone(message)
            | SendError::State { message, .. }
            | SendError::NoFrames(message)
            | SendError::Multipart(message)
            | SendError::Group { message, .. }
            | SendError::Datagram { message, .. }
            | SendError::Unsupported { message, .. }
            | SendError::Gone { message, .. }
            | SendError::ContextClosed(message) => message,
        }
    }

    /// Returns whether it may work later without the application doing anything.
    pub fn is_full(&self) -> bool {
        matches!(self, SendError::Full(_) | SendError::Timeout(_))
    }
}

/// `recv` or `try_recv` failed; no message was taken.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Of `try_recv`: no whole message is there; `recv` would wait. Try later.
    #[error("no message is waiting")]
    Empty,
    /// Of `recv`: no message came within `recv_timeout`. Receive again.
    #[error("no message came in time")]
    Timeout,
    /// It is not this socket's turn to receive.
    #[error("this socket cannot receive now: {expected}")]
    State {
        /// What to do first.
        expected: &'static str,
    },
    /// Sockets of this type do not receive. Only an [`AnySocket`](crate::AnySocket) can be asked to.
    #[error("a {socket_type} socket does not receive")]
    Unsupported {
        /// The socket's type.
        socket_type: SocketType,
    },
    /// Every endpoint of the socket is gone, and what came from them has been received: nothing is left that a message
    /// could ever come from. Connect or bind again.
    #[error("nothing is left that a message could come from: {0}")]
    Gone(Arc<EndpointGone>),
    /// The socket [drains](crate::Socket::drain), and what had come has been received, or the limit is over: close it.
    #[error("the socket drains, and nothing more comes")]
    Drained,
    /// The socket's context has been [closed](crate::Context::close): the socket receives nothing any more.
    #[error("the socket's context is closed")]
    ContextClosed,
}

#[cfg(test)]
mod tests;
