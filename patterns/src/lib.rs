//! ZeroMQ in pure Rust, on tokio.
//!
//! A socket sends and receives whole messages to and from any number of peers. It binds and connects to
//! endpoints; connections come, go and come back by themselves in the background. A
//! [book](https://github.com/purezmq/purezmq/blob/main/book/src/index.md) answers how to do what, and what to do when nothing
//! comes.
//!
//! # Sockets
//!
//! What a socket does with several peers, or with none, is its type:
//!
#![doc = include_str!("sockets/table.md")]
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use purezmq::{PullSocket, PushSocket};
//!
//! let mut sink = PullSocket::new();
//! let endpoint = sink.bind("tcp://127.0.0.1:*").await?;
//!
//! let mut source = PushSocket::new();
//! source.connect(&endpoint)?;
//! source.send(["a message", "of two frames"]).await?;
//!
//! let message = sink.recv().await?;
//! assert_eq!(message.iter().last(), Some(&b"of two frames"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # From the application down
//!
//! A [`socket::Socket`] is a core with the routing strategies of its type ([`sockets`]); they choose a pipe, at whose
//! other end a session moves batches of messages between the pipe and a byte stream, through the protocol of [`zmtp`].
//!
//! Sockets belong to one task at a time (`&mut self`), can be sent to another thread, and need no lock.
//! Their sessions run as tasks of the tokio runtime in which `bind` or `connect` was called, and end with it: what is
//! kept beyond a runtime (in a `static`, or by a library that has one of its own) connects again, or is of a
//! [`Context::with_io_threads`]. Calls that would wait for an endpoint that went with its runtime fail, and say so. What
//! is logged of all of this, [`logs`] says.
//!
//! # The end of a program
//!
//! What sockets have sent that are dropped leaves within their linger time, also when `main` returns: the end of a runtime
//! waits for that, but no longer than a second. To wait for as long as it takes, and to hear what was left, `close` a
//! socket, or with [`Context::close`] all there are, wherever they are held.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(rustdoc::private_intra_doc_links)]

pub mod blocking;
pub mod capability;
mod connection;
pub mod context;
mod coop;
mod core;
pub mod endpoint;
pub mod error;
#[cfg(feature = "expose")]
pub mod expose;
mod groups;
mod inproc;
mod io_threads;
pub mod logs;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod monitor;
#[macro_use]
pub mod options;
mod peer;
mod peer_address;
mod pipe;
mod proxy;
pub mod requester;
mod rng;
mod routing;
mod routing_id;
pub mod rules;
mod runtime;
mod sealed;
pub mod security;
#[cfg(feature = "serde")]
mod serde_impls;
#[cfg(feature = "tower")]
pub mod serve;
#[cfg(purezmq_simulation)]
#[doc(hidden)]
pub mod simulation;
pub mod socket;
pub mod sockets;
mod state;
pub mod stats;
mod sync;
#[cfg(feature = "opentelemetry")]
pub mod trace_context;
mod transport;

pub use context::Context;
pub use endpoint::{Endpoint, EndpointError, ToEndpoint};
pub use error::{
    BindError, CloseReport, ConnectError, ConnectFailure, ContextReport, DatagramError,
    DisconnectError, EndpointGone, GoneReason, GroupError, LeftAtPeer, OptionError, RecvError,
    ReserveError, SendError, UnbindError,
};
pub use monitor::{DisconnectReason, LibzmqEvent, Monitor, MonitorEvent, MonitorEventKind};
pub use peer::Peer;
pub use peer_address::{PeerAddress, PeerAddressError, PeerProcess};
pub use proxy::{Broker, BrokerHandle, BrokerStatistics};
pub use proxy::{Proxy, ProxyEnd, ProxyHandle, ProxyStatistics, ProxyTraffic, proxy};
pub use requester::{RequestError, Requester};
pub use routing_id::{PeerId, RoutingId};
pub use rules::{Capability, Rules};
/// The library behind `tls+tcp://`, whose configurations the options `tls_server` and `tls_client` take.
#[cfg(feature = "tls")]
pub use rustls;
pub use security::PeerSelector;
pub use socket::{AnySocket, SharedSender, Socket};
pub use sockets::all::*;
pub use sockets::{
    Addressed, Datagram, DatagramSend, Grouped, Routed, RouterEvent, StreamEvent, StreamSend,
    Subscriber, XPubEvent,
};
#[cfg(purezmq_simulation)]
#[doc(hidden)]
pub use transport::simulated::Network;
#[cfg(purezmq_simulation)]
#[doc(hidden)]
pub use transport::{Acceptor, ByteStream, Stream};
pub use transport::{OpenListener, TRANSPORTS, open_stream};
#[cfg(feature = "ws")]
pub use transport::{WsUpgrade, WsUpgrades};
pub use zmtp;
pub use zmtp::{Frame, Message, NotConverted, SocketType};

/// The documents' code, compiled and run as the code of these comments is.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/options.md")]
    struct Options;
    #[doc = include_str!("../../docs/reliability.md")]
    struct Reliability;
}
