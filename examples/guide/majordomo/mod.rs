//! Majordomo: services by name, behind a broker (RFC 7).
//!
//! ```text
//!   Client ── service, body ──► broker ── client, body ──► serve(): the worker's side
//!          ◄──                         ◄── READY, reply, heartbeats ──
//! ```

mod client;
mod frames;
mod worker;

use std::time::Duration;

pub use client::Client;
pub use frames::{ServiceMessage, WorkerMessage, split_address};
pub use worker::serve;

/// What is wrong with a request, a reply or a socket.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How often a worker and a broker say that they live, unless told otherwise.
pub const HEARTBEAT: Duration = Duration::from_millis(2500);

/// After how many heartbeats in which nothing was heard the other one is taken for dead.
pub const LIVENESS: u32 = 3;
