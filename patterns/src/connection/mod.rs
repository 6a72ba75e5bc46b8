//! Connections: what the tasks of an endpoint do, from the first attempt to the last byte.
//!
//! ```text
//! listen.rs     accepts, and gives each connection a session and a pipe of its own
//! dial.rs       connects, and connects again
//! guard.rs      says what is to be said when a task of an endpoint goes, whatever ended it
//! handover.rs   what goes on when its runtime ends
//! session/      one connection's life, from the greeting to its end
//! datagram/     endpoints without connections
//! driver.rs     who drives a session: its task, or a handle
//! flow.rs       what it drives
//! alarm.rs      what wakes that task, and the call that waits for an answer
//! watch.rs      how the task is spared that for what calls take
//! admission.rs  how many connections a listener takes
//! backoff.rs    how long to wait between two attempts
//! ```

mod admission;
mod alarm;
mod backoff;
pub(crate) mod datagram;
mod dial;
mod driver;
mod filter;
mod flow;
mod guard;
mod handover;
mod listen;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
mod session;
mod watch;

pub(crate) use dial::dial;
pub(crate) use guard::EndpointGuard;
pub(crate) use listen::{Listening, listen};
pub(crate) use session::AFTER_LINGER;
use session::{Session, Turn};
