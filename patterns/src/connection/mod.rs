//! Connections: what the tasks of an endpoint do, from the first attempt to the last byte.
//!
//! ```text
//! listen.rs     accepts, and gives each connection a session and a pipe of its own
//! dial.rs       connects, and connects again
//! guard.rs      says what is to be said when a task of an endpoint goes, whatever ended it
//! session/      one connection's life, from the greeting to its end
//! driver.rs     who drives a session: its task, or a sender
//! admission.rs  how many connections a listener takes
//! backoff.rs    how long to wait between two attempts
//! ```

mod admission;
mod backoff;
mod dial;
mod driver;
mod guard;
mod listen;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
mod session;

pub(crate) use dial::dial;
pub(crate) use guard::EndpointGuard;
pub(crate) use listen::{Listening, listen};
use session::{Session, Turn};

use crate::monitor::{DisconnectReason, MonitorEventKind, Subject};
use crate::state::Shared;

/// Tells of a connection that ends before its handshake is through, and counts it unless we ended it.
fn tell_failed(shared: &Shared, subject: &Subject, reason: DisconnectReason) {
    let state = &shared.state;
    if !matches!(
        reason,
        DisconnectReason::Local | DisconnectReason::TaskEnded(_)
    ) {
        state.stats.handshake_failures.add(1);
    }
    let failed = MonitorEventKind::HandshakeFailed(reason.clone());
    state.events.emit(subject, failed);
    state
        .events
        .emit(subject, MonitorEventKind::Disconnected(reason));
}

/// Tells of the end of a connection whose handshake was through, and counts it if we expelled the peer.
fn tell_ended(shared: &Shared, subject: &Subject, reason: DisconnectReason) {
    let state = &shared.state;
    state.stats.expelled.add(reason.is_refusal().into());
    state
        .events
        .emit(subject, MonitorEventKind::Disconnected(reason));
}
