//! The monitor: what happens to a socket's connections, as events that an application or a test can wait for.
//!
//! Sessions, dialling and listening emit events ([`events`]); each [`Monitor`] gets all of them from the
//! moment it was made. A monitor that is not read loses the oldest events and is told how many: it never
//! holds up a session, and holds a bounded number of events. The events are those of libzmq's
//! `zmq_socket_monitor` (man page of that name), with the reasons spelled out; [`libzmq`] has their numbers.
//! As in libzmq, inproc has none: there are no connections.

mod events;
mod libzmq;
mod record;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError as Lagged;
use zmtp::SocketType;

use crate::endpoint::Endpoint;
use crate::error::{ConnectFailure, EndpointGone, GoneReason, ZapError};
use crate::peer_address::PeerAddress;
use crate::routing_id::RoutingId;

pub(crate) use events::{Events, Subject};
pub use libzmq::LibzmqEvent;
pub(crate) use record::EndpointRecord;

/// Something happened to one of the socket's endpoints or connections.
///
/// What is not known (yet) is `None`: an endpoint has no peer, and a peer is known by its address when its
/// connection stands, and by the rest when its handshake is through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MonitorEvent {
    /// What happened.
    pub kind: MonitorEventKind,
    /// The endpoint that was bound or connected, as `bind` returned it or `connect` was given it. `None`
    /// for what happens to the monitor itself: [`MonitorEventKind::Missed`] and [`MonitorEventKind::Stopped`].
    pub endpoint: Option<Endpoint>,
    /// Where this end of the connection is, or listens.
    pub local: Option<Endpoint>,
    /// Where the other end is, or is to be. The connecting end of an `ipc` connection is nowhere.
    pub remote: Option<Endpoint>,
    /// Who is at the other end, as the system tells it.
    pub peer: Option<PeerAddress>,
    /// The peer's routing id: for ROUTER the one by which the socket knows it, made up if need be; for all
    /// others what the peer calls itself, if it does.
    pub routing_id: Option<RoutingId>,
    /// The peer's socket type, if it told. Peers that speak ZMTP 1.0 or 2.0 do not.
    pub socket_type: Option<SocketType>,
    /// The user that the server's authentication handler took the peer for. `None` without authentication.
    pub user_id: Option<Arc<str>>,
    /// As whom a peer wanted to come in that the authenticator has refused: `user "joe"`, or `key` and the CURVE key in
    /// Z85. The name is escaped, and cut after 64 bytes. `None` for all others.
    pub refused: Option<Arc<str>>,
    /// What the socket is called (option `name`).
    pub socket: Option<Arc<str>>,
    /// The system's number of the connection's or the listener's socket, for telling connections apart:
    /// numbers are used again. `None` on systems that number sockets in another way.
    pub fd: Option<i32>,
}

/// What happened.
///
/// A connection is `Accepted` or `Connected`, then either `HandshakeSucceeded` or `HandshakeFailed`, and in the
/// end, in all cases, `Disconnected`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MonitorEventKind {
    /// The socket is bound: peers can connect.
    Listening,
    /// The socket could not be bound. `bind` has said so, too.
    BindFailed(Arc<io::Error>),
    /// A peer connected; the handshake follows.
    Accepted,
    /// A connection could not be accepted; the listener pauses a little and goes on.
    AcceptFailed(Arc<io::Error>),
    /// An address of the peer has been asked for a TCP connection, and the answer is still to come.
    ConnectDelayed,
    /// The connection to the peer stands; the handshake follows.
    Connected,
    /// The peer could not be reached.
    ConnectFailed(ConnectFailure),
    /// The connection will be tried again.
    ConnectRetried {
        /// After this time.
        delay: Duration,
    },
    /// The peer speaks ZMTP and fits: messages can flow.
    HandshakeSucceeded,
    /// The peer's routing id is another connection's, which this ROUTER has: it is not heard, nor sent to, until that one
    /// has gone. Then `LetIn` follows, or `Disconnected` before that.
    Ignored,
    /// A peer that was ignored has its routing id now; what it has sent meanwhile is received.
    LetIn,
    /// The peer has taken its routing id from another connection, which goes by a made-up one from here on, and
    /// ends by `handover_limit` (`handover`).
    HandedOver,
    /// The connection ends before messages could flow; `Disconnected` follows.
    HandshakeFailed(DisconnectReason),
    /// The connection has ended, after the handshake or before it was through.
    Disconnected(DisconnectReason),
    /// The endpoint is gone, though the socket has not let go of it: its runtime has ended, the peer refused for good, or
    /// reconnecting is off. `Closed` follows. Binding or connecting makes it anew.
    Gone(Arc<EndpointGone>),
    /// The listener, or the connecting side's effort, has ended for good.
    Closed,
    /// The listener has ended, and has left its file or directory behind: what `ipc://*` made for itself
    /// could not be removed.
    CloseFailed(Arc<io::Error>),
    /// This monitor was read too slowly and lost so many events.
    Missed(u64),
    /// The last event: the socket and all of its connections are gone.
    Stopped,
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The socket was closed, or the endpoint unbound or disconnected, here.
    #[error("ended by this side")]
    Local,
    /// `disconnect_peer` was called here.
    #[error("ended by this side, which asked for it by name")]
    ByRequest,
    /// The peer closed the connection.
    #[error("closed by the peer")]
    Peer,
    /// The connection broke.
    #[error("connection broken: {0}")]
    Io(Arc<io::Error>),
    /// The peer broke the protocol, does not fit, refused this side, or fell silent.
    #[error(transparent)]
    Protocol(zmtp::Error),
    /// The ZAP handler has gone, or its reply is malformed: nobody has decided about the peer.
    #[error(transparent)]
    Zap(ZapError),
    /// TLS failed: the peer speaks none, has no certificate that is trusted here, does not trust this side's, or
    /// what came was damaged.
    #[cfg(feature = "tls")]
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// This is a PAIR socket, and has a peer already.
    #[error("this socket has its one peer already")]
    Occupied,
    /// The peer's routing id was another user's, or came with another key, before (`tied_names`).
    #[error("the routing id is another user's")]
    NameTied,
    /// Another connection has had the peer's routing id for as long as `handover_limit` says.
    #[error("another connection has taken the routing id")]
    NameTaken,
    /// The peer did not keep up, and this publisher disconnects slow subscribers.
    #[error("slow subscriber")]
    SlowSubscriber,
    /// The peer has subscribed to more than this option of the publisher allows.
    #[error("more subscriptions than {option} allows")]
    TooManySubscriptions {
        /// `max_subscriptions` or `max_subscription_bytes`.
        option: &'static str,
    },
    /// The peer is not where this option of the listening socket lets peers come from.
    #[error("kept out by {option}")]
    KeptOut {
        /// `accept_networks`, or of a process `accept_users`, which stands for `accept_groups` and `accept_processes`, too.
        option: &'static str,
    },
    /// There are too many connections, as this option of the listening socket has it.
    #[error("more connections than {option} allows")]
    TooManyConnections {
        /// `max_connections`, `max_connections_per_address`, `max_handshakes`, or `max_all_handshake_bytes`.
        option: &'static str,
    },
    /// There was something to write, and for as long as `write_timeout` says the peer has taken nothing of it.
    #[error("write timeout: the peer has taken nothing for {} ms", .0.as_millis())]
    WriteTimeout(Duration),
    /// The handshake took longer than `handshake_timeout`.
    #[error("handshake timeout: not done within {} ms", .0.as_millis())]
    HandshakeTimeout(Duration),
    /// The task that served the connection was cut short.
    #[error("cut short: {0}")]
    TaskEnded(GoneReason),
}

impl DisconnectReason {
    /// Returns whether this side ended the connection because of what the peer did.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            DisconnectReason::Protocol(error) => {
                !matches!(error, zmtp::Error::Refused { .. } | zmtp::Error::Silent(_))
            }
            #[cfg(feature = "tls")]
            DisconnectReason::Tls(error) => !matches!(error, rustls::Error::AlertReceived(_)),
            DisconnectReason::Occupied
            | DisconnectReason::NameTied
            | DisconnectReason::SlowSubscriber
            | DisconnectReason::TooManySubscriptions { .. }
            | DisconnectReason::TooManyConnections { .. }
            | DisconnectReason::KeptOut { .. }
            | DisconnectReason::HandshakeTimeout(_)
            | DisconnectReason::Zap(_)
            | DisconnectReason::WriteTimeout(_) => true,
            DisconnectReason::Local
            | DisconnectReason::ByRequest
            | DisconnectReason::NameTaken
            | DisconnectReason::Peer
            | DisconnectReason::Io(_)
            | DisconnectReason::TaskEnded(_) => false,
        }
    }
}

impl From<io::Error> for DisconnectReason {
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(tls) = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<rustls::Error>())
        {
            return DisconnectReason::Tls(tls.clone());
        }
        DisconnectReason::Io(Arc::new(error))
    }
}

impl From<zmtp::Error> for DisconnectReason {
    fn from(error: zmtp::Error) -> Self {
        DisconnectReason::Protocol(error)
    }
}

impl MonitorEvent {
    /// Makes an event about the monitor itself.
    fn own(kind: MonitorEventKind) -> Self {
        MonitorEvent {
            kind,
            endpoint: None,
            local: None,
            remote: None,
            peer: None,
            routing_id: None,
            socket_type: None,
            user_id: None,
            refused: None,
            socket: None,
            fd: None,
        }
    }

    /// Returns why the connection ended, for the two events that tell.
    pub fn reason(&self) -> Option<&DisconnectReason> {
        match &self.kind {
            MonitorEventKind::HandshakeFailed(reason) | MonitorEventKind::Disconnected(reason) => {
                Some(reason)
            }
            _ => None,
        }
    }
}

/// Reads a socket's events. Made by the sockets' `monitor`.
///
/// It is a [`Stream`], too. A monitor that lags behind by more than 1024 events loses the oldest, and reads
/// [`MonitorEventKind::Missed`] in their place; the last event is [`MonitorEventKind::Stopped`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::StreamExt;
/// use purezmq::{MonitorEventKind, PullSocket};
///
/// let mut pull = PullSocket::new();
/// let monitor = pull.monitor();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// pull.close().await;
///
/// let events: Vec<_> = monitor.collect().await;
/// assert!(matches!(events[0].kind, MonitorEventKind::Listening));
/// assert_eq!(events[0].local, Some(endpoint));
/// assert!(matches!(events[1].kind, MonitorEventKind::Closed));
/// assert!(matches!(events[2].kind, MonitorEventKind::Stopped));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Monitor {
    events: BroadcastStream<Arc<MonitorEvent>>,
    stopped: bool,
}

impl Monitor {
    /// Returns the next event; `None` when the last one has been read.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no event.
    pub async fn recv(&mut self) -> Option<MonitorEvent> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Monitor {
    type Item = MonitorEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MonitorEvent>> {
        if self.stopped {
            return Poll::Ready(None);
        }
        let event = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
            Some(Ok(event)) => Arc::unwrap_or_clone(event),
            Some(Err(Lagged::Lagged(missed))) => {
                MonitorEvent::own(MonitorEventKind::Missed(missed))
            }
            None => {
                self.stopped = true;
                MonitorEvent::own(MonitorEventKind::Stopped)
            }
        };
        Poll::Ready(Some(event))
    }
}
