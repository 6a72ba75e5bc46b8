//! The monitor: what happens to a socket's connections, as events that an application or a test can wait for.
//!
//! Sessions, dialling and listening emit events; each [`Monitor`] gets all of them from the moment it was
//! made. A monitor that is not read loses the oldest events and is told how many: it never holds up a
//! session. The events are those of libzmq's `zmq_socket_monitor`, with the reasons spelled out.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::Stream;
use tokio::sync::broadcast;

use crate::endpoint::Endpoint;
use crate::error::ConnectFailure;
use crate::transport::PeerAddress;

/// Events that a monitor may lag behind before it loses the oldest.
const CAPACITY: usize = 1024;

/// Something happened to one of the socket's endpoints or connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MonitorEvent {
    /// The endpoint that was bound or connected; `None` only for [`MonitorEventKind::Missed`].
    pub endpoint: Option<Endpoint>,
    /// The peer, once there is one.
    pub peer: Option<PeerAddress>,
    /// What happened.
    pub kind: MonitorEventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MonitorEventKind {
    /// The socket is bound: peers can connect.
    Listening,
    /// A peer connected; the handshake follows.
    Accepted,
    /// A connection could not be accepted; the listener pauses a little and goes on.
    AcceptFailed(Arc<io::Error>),
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
    /// The connection ended before messages could flow.
    HandshakeFailed(DisconnectReason),
    /// The connection ended after the handshake.
    Disconnected(DisconnectReason),
    /// The listener, or the connecting side's effort, has ended for good.
    Closed,
    /// This monitor was read too slowly and lost so many events.
    Missed(u64),
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The socket was closed, or the endpoint unbound or disconnected, here.
    #[error("ended by this side")]
    Local,
    /// The peer closed the connection.
    #[error("closed by the peer")]
    Peer,
    /// The connection broke.
    #[error("connection broken: {0}")]
    Io(Arc<io::Error>),
    /// The peer broke the protocol, does not fit, refused this side, or fell silent.
    #[error(transparent)]
    Protocol(zmtp::Error),
    /// This is a PAIR socket, and has a peer already.
    #[error("this PAIR socket has a peer already")]
    Occupied,
    /// The handshake took longer than `handshake_timeout`.
    #[error("no handshake within {} ms", .0.as_millis())]
    HandshakeTimeout(Duration),
}

impl From<io::Error> for DisconnectReason {
    fn from(error: io::Error) -> Self {
        DisconnectReason::Io(Arc::new(error))
    }
}

impl From<zmtp::Error> for DisconnectReason {
    fn from(error: zmtp::Error) -> Self {
        DisconnectReason::Protocol(error)
    }
}

/// Reads a socket's events. Made by the sockets' `monitor`.
#[derive(Debug)]
pub struct Monitor {
    events: broadcast::Receiver<MonitorEvent>,
}

impl Monitor {
    /// The next event; `None` when the socket and all of its connections are gone.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no event.
    pub async fn recv(&mut self) -> Option<MonitorEvent> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Closed) => None,
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(MonitorEvent {
                endpoint: None,
                peer: None,
                kind: MonitorEventKind::Missed(missed),
            }),
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = MonitorEvent> + Send {
        futures::stream::unfold(self, |mut monitor| async move {
            monitor.recv().await.map(|event| (event, monitor))
        })
    }
}

/// Where a socket's tasks put their events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Made by the first monitor: without one, events cost nothing.
    sender: OnceLock<broadcast::Sender<MonitorEvent>>,
}

impl Events {
    pub(crate) fn monitor(&self) -> Monitor {
        let sender = self.sender.get_or_init(|| broadcast::Sender::new(CAPACITY));
        Monitor {
            events: sender.subscribe(),
        }
    }

    pub(crate) fn emit(
        &self,
        endpoint: &Endpoint,
        peer: Option<&PeerAddress>,
        kind: MonitorEventKind,
    ) {
        tracing::debug!(%endpoint, peer = ?peer, event = ?kind);
        if let Some(sender) = self.sender.get() {
            // An error only says that nobody listens now.
            let _ = sender.send(MonitorEvent {
                endpoint: Some(endpoint.clone()),
                peer: peer.cloned(),
                kind,
            });
        }
    }
}
