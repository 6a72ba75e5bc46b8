//! The socket's call that waits for what comes through a pipe, as the connection's stream knows it.

use std::sync::Arc;

use super::PipeId;
use super::ends::deliver;
use super::lane::Lane;
use super::session_end::IncomingEnd;

/// The call that waits, whenever there is one.
pub(crate) struct Caller {
    id: PipeId,
    lane: Arc<Lane>,
}

impl IncomingEnd {
    /// Returns who waits for what comes.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            id: self.id,
            lane: self.lane.clone(),
        }
    }
}

impl Caller {
    /// Has it take what has come at the stream ([`Drive::hear`](super::Drive::hear)).
    pub(crate) fn call(&self) {
        let mut lane = self.lane.lock();
        let wakeup = lane.reader.unpark();
        lane.has_arrived |= wakeup.is_some();
        drop(lane);
        deliver(wakeup, self.id);
    }
}
