#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! This crate re-exports two others, and is the only one to depend on: the sockets on tokio (the modules
//! below) and the wire protocol without I/O ([`zmtp`], for those who build something else with it).

#[cfg(feature = "tls")]
pub use patterns::rustls;
pub use patterns::{
    BindError, Closed, ConnectError, ConnectFailure, Context, DealerSocket, DisconnectError,
    DisconnectReason, Endpoint, EndpointError, Frame, LibzmqEvent, Message, Monitor, MonitorEvent,
    MonitorEventKind, Notice, OpenListener, OptionError, PairSocket, Peer, PeerAddress, Proxy,
    ProxyEnd, ProxyHandle, ProxyStatistics, ProxyTraffic, PubSocket, PullSocket, PushSocket,
    RecvError, RepSocket, ReqSocket, ReserveError, Routed, RouterSocket, RoutingId, SendError,
    SharedSender, SocketType, SubSocket, ToEndpoint, TryRecvError, TrySendError, UnbindError,
    XPubSocket, XSubSocket, proxy,
};
pub use patterns::{blocking, context, endpoint, error, monitor, options, security, socket, stats};
pub use zmtp;
