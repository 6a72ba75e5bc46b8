//! The ZeroMQ wire protocol ZMTP (RFC 37), versions 3.1, 3.0, 2.0 and 1.0, without I/O.
//!
//! Bytes and times (and, for CURVE, random numbers) go in, messages, bytes and the next deadline come out: there is no socket,
//! task or clock in here, so the same code serves every runtime and every protocol rule can be
//! tested in memory.
//!
//! | layer | modules |
//! |---|---|
//! | one connection's life: greeting, handshake, traffic, heartbeats | [`engine`] |
//! | bytes as they were read to whole messages | `decoder` |
//! | datagrams to whole messages, and back | [`datagram`] |
//! | security handshakes, encryption, keys | [`mechanism`] |
//! | whole messages in wire form | [`batch`], [`envelope`] |
//! | what can go wrong, and how much is too much | [`error`], [`limits`] |
//! | what applications see | [`message`], [`socket_type`], [`version`] |
//! | grammar | [`wire`] |
//! | memory and random numbers | `buffer_pool`, [`random`] |
//!
//! Each layer uses those below it in this table, and no other: `tests/floors.rs` sees to it.
//!
//! # Example
//!
//! Two connections in memory. In a program, a session carries the bytes over a stream.
//!
//! ```
//! use std::io::IoSlice;
//! use std::time::Instant;
//! use purezmq_zmtp::{Batch, Config, Connection, Engine, Event, Message, SocketType};
//!
//! let now = Instant::now();
//! let mut req = Connection::new(Config::new(SocketType::Req), now);
//! let mut rep = Connection::new(Config::new(SocketType::Rep), now);
//!
//! // Greeting and handshake.
//! while !(req.is_ready() && rep.is_ready()) {
//!     let bytes = req.control().split();
//!     rep.feed(&bytes, now)?;
//!     let bytes = rep.control().split();
//!     req.feed(&bytes, now)?;
//! }
//! let Some(Event::Ready(peer)) = rep.poll_event() else {
//!     panic!("just got ready");
//! };
//! assert_eq!(peer.socket_type, Some(SocketType::Req));
//!
//! // A request: an empty delimiter frame, then the body.
//! let mut batch = Batch::new();
//! batch.push(&Message::from(["", "hello"]), usize::MAX);
//! req.encode(&mut batch);
//! while !batch.is_empty() {
//!     let mut slices = [IoSlice::new(&[]); 8];
//!     let used = batch.io_slices(&mut slices);
//!     let mut written = 0;
//!     for slice in &slices[..used] {
//!         rep.feed(slice, now)?;
//!         written += slice.len();
//!     }
//!     batch.advance(written);
//! }
//! let request = rep.take_messages().pop().unwrap();
//! assert_eq!(request, Message::from(["", "hello"]));
//! # Ok::<(), purezmq_zmtp::Error>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod batch;
mod buffer_pool;
pub mod datagram;
mod decoder;
pub mod engine;
pub mod envelope;
pub mod error;
mod keeping;
pub mod limits;
pub mod mechanism;
pub mod message;
pub mod random;
#[cfg(feature = "serde")]
#[doc(hidden)]
pub mod serde_impls;
pub mod socket_type;
pub mod version;
pub mod wire;
pub mod zws;

pub use batch::Batch;
pub use engine::{Config, Connection, Engine, Event, Heartbeat, Now, PeerInfo, Raw, RawConfig};
pub use envelope::Envelope;
pub use error::{Error, Incompatible, LimitExceeded, Silence, Violation};
pub use limits::Limits;
pub use message::{Frame, Message, NotConverted};
pub use random::Random;
pub use socket_type::{SocketType, UnknownSocketType};
pub use version::Version;
pub use wire::metadata::Metadata;
