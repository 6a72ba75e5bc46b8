//! The emitting side of monitors: what a socket's tasks know about the endpoint or connection that they serve,
//! and where they put their events. Used by `connection/` and by the core of a socket.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tracing::Span;
use tracing::field::{Empty, debug, display};
use zmtp::{PeerInfo, SocketType};

use super::record::{EndpointRecord, Loudness, Side};
use super::{Monitor, MonitorEvent, MonitorEventKind};
use crate::endpoint::Endpoint;
use crate::logs;
use crate::peer_address::PeerAddress;
use crate::routing_id::RoutingId;
use crate::sync::Mutex;

/// Events that a monitor may lag behind before it loses the oldest.
const CAPACITY: usize = 1024;

/// What events are about: an endpoint, and a connection if there is one. One for each endpoint and each
/// connection; an event is made from it only when somebody monitors.
#[derive(Clone)]
pub(crate) struct Subject {
    endpoint: Endpoint,
    side: Side,
    fd: Option<i32>,
    connection: Option<Connection>,
    /// What is kept of the endpoint's failures.
    record: Arc<EndpointRecord>,
}

#[derive(Clone)]
struct Connection {
    peer: PeerAddress,
    /// Of a TCP connection.
    local: Option<SocketAddr>,
    routing_id: Option<RoutingId>,
    socket_type: Option<SocketType>,
    user_id: Option<Arc<str>>,
    /// As whom a peer wanted to come in that was refused.
    refused: Option<Arc<str>>,
    /// The handshake is through.
    greeted: bool,
    /// For who follows connections by spans.
    span: Option<Arc<Span>>,
}

impl Subject {
    /// Begins to tell of an endpoint that is to be bound.
    pub(crate) fn unbound(endpoint: &Endpoint) -> Self {
        Subject {
            endpoint: endpoint.clone(),
            side: Side::Bound,
            fd: None,
            connection: None,
            record: Arc::default(),
        }
    }

    /// Begins to tell of a listener at an endpoint, whose number is `fd`.
    pub(crate) fn listener(endpoint: &Endpoint, fd: Option<i32>) -> Self {
        Subject {
            fd,
            ..Subject::unbound(endpoint)
        }
    }

    /// Begins to tell of an endpoint that is to be connected.
    pub(crate) fn connecting(endpoint: &Endpoint) -> Self {
        Subject {
            side: Side::Connecting,
            ..Subject::unbound(endpoint)
        }
    }

    /// Begins to tell of a connection from or to the endpoint.
    pub(crate) fn connection(
        &self,
        peer: PeerAddress,
        local: Option<SocketAddr>,
        fd: Option<i32>,
    ) -> Self {
        Subject {
            endpoint: self.endpoint.clone(),
            side: self.side,
            fd,
            connection: Some(Connection {
                peer,
                local,
                routing_id: None,
                socket_type: None,
                user_id: None,
                refused: None,
                greeted: false,
                span: None,
            }),
            record: self.record.clone(),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns where the other end of the connection is.
    pub(crate) fn peer(&self) -> Option<&PeerAddress> {
        self.connection.as_ref().map(|one| &one.peer)
    }

    /// Returns what is kept of the endpoint's failures.
    pub(crate) fn record(&self) -> &Arc<EndpointRecord> {
        &self.record
    }

    /// Notes as whom the peer wanted to come in, whom the authenticator has refused.
    pub(crate) fn refused(&mut self, who: Option<Box<str>>) {
        if let Some(connection) = &mut self.connection {
            connection.refused = who.map(Into::into);
        }
    }

    /// Notes that the peer's handshake is through. `name` is by what the socket knows it, where it names its peers.
    pub(crate) fn met(&mut self, info: &PeerInfo, name: Option<RoutingId>) {
        if let Some(connection) = &mut self.connection {
            let announced =
                (!info.routing_id.is_empty()).then(|| RoutingId::from(info.routing_id.clone()));
            connection.routing_id = name.or(announced);
            connection.socket_type = info.socket_type;
            if let Some(span) = &connection.span {
                span.record("routing_id", connection.routing_id.as_ref().map(debug));
                span.record("peer_type", info.socket_type.map(display));
            }
            connection.greeted = true;
            connection.user_id = (!info.user_id.is_empty()).then(|| info.user_id.as_str().into());
        }
    }

    fn event(&self, kind: MonitorEventKind, socket: Option<Arc<str>>) -> MonitorEvent {
        let at = |address| self.endpoint.at(address);
        let connection = self.connection.as_ref();
        let own = connection.and_then(|one| one.local).map(at);
        let theirs = connection.and_then(|one| one.peer.socket_address()).map(at);
        let (local, remote) = match self.side {
            Side::Bound => (own.or_else(|| Some(self.endpoint.clone())), theirs),
            Side::Connecting => (own, theirs.or_else(|| Some(self.endpoint.clone()))),
        };
        MonitorEvent {
            kind,
            endpoint: Some(self.endpoint.clone()),
            local,
            remote,
            peer: connection.map(|one| one.peer.clone()),
            routing_id: connection.and_then(|one| one.routing_id.clone()),
            socket_type: connection.and_then(|one| one.socket_type),
            user_id: connection.and_then(|one| one.user_id.clone()),
            refused: connection.and_then(|one| one.refused.clone()),
            socket,
            fd: self.fd,
        }
    }
}

/// Where a socket's tasks put their events.
#[derive(Debug)]
pub(crate) struct Events {
    /// Made by the first monitor: without one, events cost little.
    sender: OnceLock<broadcast::Sender<Arc<MonitorEvent>>>,
    socket_type: SocketType,
    /// What the socket is called.
    name: Mutex<Option<Arc<str>>>,
}

impl Events {
    pub(crate) fn new(socket_type: SocketType, name: Option<&str>) -> Self {
        Events {
            sender: OnceLock::new(),
            socket_type,
            name: Mutex::new(name.map(Into::into)),
        }
    }

    /// Calls the socket something else.
    pub(crate) fn set_name(&self, name: Option<&str>) {
        *self.name.lock() = name.map(Into::into);
    }

    /// Returns what the socket is called.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.name.lock().clone()
    }

    pub(crate) fn monitor(&self) -> Monitor {
        let sender = self.sender.get_or_init(|| broadcast::Sender::new(CAPACITY));
        Monitor {
            events: BroadcastStream::new(sender.subscribe()),
            stopped: false,
        }
    }

    /// Begins the connection's span, if anybody wants it. It ends with all that is told of the connection.
    pub(crate) fn begin_span(&self, subject: &mut Subject) {
        let endpoint = &subject.endpoint;
        let Some(connection) = subject.connection.as_mut() else {
            return;
        };
        let span = tracing::debug_span!(
            target: logs::CONNECTION,
            "connection",
            socket_type = %self.socket_type,
            socket = self.name().as_deref(),
            %endpoint,
            peer = %connection.peer,
            peer_type = Empty,
            routing_id = Empty,
        );
        connection.span = (!span.is_disabled()).then(|| Arc::new(span));
    }

    pub(crate) fn emit(&self, subject: &Subject, kind: MonitorEventKind) {
        self.log(subject, &kind);
        if let Some(sender) = self.sender.get() {
            // An error only says that nobody listens now.
            let _ = sender.send(Arc::new(subject.event(kind, self.name())));
        }
    }

    /// Notes the event in the endpoint's record, and logs it.
    fn log(&self, subject: &Subject, kind: &MonitorEventKind) {
        let connection = subject.connection.as_ref();
        let greeted = connection.is_some_and(|one| one.greeted);
        // Entered for the line only: nothing that a connection does is slower for it.
        let _inside = connection
            .and_then(|one| one.span.as_deref())
            .map(Span::enter);
        let (loudness, failures) = subject.record.note(kind, subject.side, greeted);
        macro_rules! log {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: logs::CONNECTION,
                    socket_type = %self.socket_type,
                    socket = self.name().as_deref(),
                    endpoint = %subject.endpoint,
                    peer = connection.map(|one| tracing::field::display(&one.peer)),
                    refused = connection.and_then(|one| one.refused.as_deref()),
                    failures,
                    event = ?kind,
                    $message
                )
            };
        }
        match loudness {
            Loudness::Failure => log!(warn, "a connection failed"),
            Loudness::Away => log!(info, "a peer cannot be reached"),
            Loudness::Back => log!(info, "a peer is reached again"),
            Loudness::Plain => log!(debug, "connection event"),
        }
    }
}
