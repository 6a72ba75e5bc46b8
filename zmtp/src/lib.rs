//! The ZeroMQ wire protocol ZMTP (RFC 37), versions 3.1, 3.0, 2.0 and 1.0, without I/O.
//!
//! Bytes and times go in, messages, bytes and the next deadline come out: there is no socket,
//! task or clock in here, so the same code serves every runtime and every protocol rule can be
//! tested in memory.
//!
//! | layer | modules |
//! |---|---|
//! | one connection's life: greeting, handshake, traffic, heartbeats | [`connection`] |
//! | security handshakes | [`mechanism`] |
//! | whole messages in wire form | [`batch`] |
//! | what applications see | [`message`], [`socket_type`], [`error`] |
//! | grammar | [`wire`] |

pub mod batch;
pub mod connection;
pub mod error;
pub mod mechanism;
pub mod message;
pub mod socket_type;
pub mod wire;

pub use batch::Batch;
pub use connection::{Config, Connection, Event, Heartbeat, Limits, PeerInfo, Version};
pub use error::{Error, Incompatible, LimitExceeded, Silence, Violation};
pub use message::{Frame, Message};
pub use socket_type::{SocketType, UnknownSocketType};
pub use wire::metadata::Metadata;
