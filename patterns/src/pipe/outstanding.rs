//! What is outstanding of a pipe whose task is ended from outside: `connection/` holds it and counts it then.

use std::sync::Arc;

use super::PipeId;
use super::ends::deliver;
use super::lane::Lane;

/// What is outstanding of a pipe whose task may go at any moment, and the pipe with it.
pub(crate) struct Outstanding {
    pub(super) id: PipeId,
    /// Whose task that is.
    pub(super) tenant: u32,
    pub(super) lane: Arc<Lane>,
}

impl Outstanding {
    pub(crate) fn id(&self) -> PipeId {
        self.id
    }

    /// Ends the outgoing direction, if it has not ended before, and returns how many messages were left in it.
    pub(crate) fn give_up(self) -> usize {
        let mut lane = self.lane.lock();
        if lane.tenant != self.tenant {
            return 0;
        }
        if lane.reader.gone {
            // The writer has been told, and told again would keep it in mind.
            return lane.counters.left();
        }
        let (full, open, wakeup) = lane.close_reader();
        let left = lane.counters.left();
        drop(lane);
        drop((full, open));
        deliver(wakeup, self.id);
        left
    }

    /// Returns how many messages are queued for the peer or in the session's hands.
    pub(crate) fn queued(&self) -> usize {
        self.lane.lock().queued()
    }
}
