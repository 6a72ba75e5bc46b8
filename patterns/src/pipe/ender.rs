//! Ending a connection from outside, and keeping what is queued: for `disconnect_peer` (`state/connections.rs`).

use std::sync::{Arc, Weak};

use super::ends::{Wakeup, deliver};
use super::lane::Lane;
use super::session_end::{OutgoingEnd, SessionPipe};
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
        self.lane.lock().is_ending = false;
    }
}
