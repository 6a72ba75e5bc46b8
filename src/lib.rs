#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! This crate re-exports two others, and is the only one to depend on: the sockets on tokio (the modules
//! below) and the wire protocol without I/O ([`zmtp`], for those who build something else with it).

pub use patterns::{
    BindError, Closed, ConnectError, ConnectFailure, Context, DisconnectError, DisconnectReason,
    Endpoint, EndpointError, Frame, Message, Monitor, MonitorEvent, MonitorEventKind, OptionError,
    PeerAddress, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, SendError,
    SocketType, SubSocket, ToEndpoint, TryRecvError, TrySendError, UnbindError,
};
pub use patterns::{context, endpoint, error, monitor, options, socket};
pub use zmtp;
