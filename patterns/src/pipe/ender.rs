//! Ending a connection from outside, and keeping what is queued: for `disconnect_peer` (`state/connections.rs`), and for
//! one whose name another has taken for good (`state/peer_names.rs`).

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::ends::{Wakeup, deliver};
use super::lane::Lane;
use super::session_end::{OutgoingEnd, SessionPipe};
use super::view::LaneView;
use super::{PipeId, PipeReader};
use crate::routing_id::RoutingId;

/// The way to end the connection that a pipe has now.
#[derive(Debug)]
pub(crate) struct Ender {
    id: PipeId,
    outgoing: Weak<Lane>,
    incoming: Weak<Lane>,
}

/// What has to be told of a connection that is to end, once nothing is locked.
#[must_use]
pub(crate) struct Ending {
    id: PipeId,
    wakeup: Option<Wakeup<PipeReader>>,
}

impl SessionPipe {
    /// Returns what ends the connection that begins now.
    pub(crate) fn ender(&self) -> Ender {
        Ender {
            id: self.id(),
            outgoing: Arc::downgrade(&self.outgoing.lane),
            incoming: Arc::downgrade(&self.incoming.lane),
        }
    }

    /// Returns whether the connection has to end by now, since another one has had its name for long enough. If not, it
    /// is to look again when it may have to, if ever.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let name = self.incoming.lane.lock().peers.name.clone();
        let mut queue = self.outgoing.lane.lock();
        // Under the lock: whoever takes the name a moment later says so a moment later.
        let ends_at = name.as_ref().and_then(|name| name.ends_at());
        let is_over = ends_at.is_some_and(|end| end <= now);
        queue.ends_at = ends_at.filter(|_| !is_over);
        is_over
    }
}

impl LaneView {
    /// Has the connection that it leads to look at that time whether it is to end. Between two sockets of one context there
    /// is none.
    pub(crate) fn end_at(&self, id: PipeId, time: Instant) {
        let Some(lane) = self.upgrade() else {
            return;
        };
        let mut queue = lane.lock();
        queue.ends_at = Some(time);
        let wakeup = queue
            .reader
            .is_session()
            .then(|| queue.reader.notify_closed());
        drop(queue);
        deliver(wakeup.flatten(), id);
    }
}

impl Ender {
    /// Returns the name by which the socket knows the peer, if it names its peers.
    pub(crate) fn name(&self) -> Option<RoutingId> {
        let lane = self.incoming.upgrade()?;
        let name = lane.lock().peers.name();
        name.filter(|name| !name.is_empty())
    }

    /// Has the connection end. `None`: it has ended.
    pub(crate) fn end(&self) -> Option<Ending> {
        let lane = self.outgoing.upgrade()?;
        let mut queue = lane.lock();
        if std::mem::replace(&mut queue.is_ending, true) {
            return None;
        }
        Some(Ending {
            id: self.id,
            wakeup: queue.reader.notify_closed(),
        })
    }
}

impl Ending {
    /// Wakes the connection's task. Only without a lock.
    pub(crate) fn tell(self) {
        deliver(self.wakeup, self.id);
    }
}

impl OutgoingEnd {
    /// Returns whether the connection was asked to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.lane.lock().is_ending
    }

    /// Lets the pipe have another connection, once nobody can end the one before any more.
    pub(crate) fn begin_again(&mut self) {
        let mut queue = self.lane.lock();
        queue.is_ending = false;
        queue.ends_at = None;
    }
}
