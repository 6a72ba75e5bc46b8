//! A lane seen from outside: what a socket's statistics ask of it (`state/stats_registry.rs`).

use std::sync::{Arc, Weak};

use super::PipeId;
use super::ends::send;
use super::lane::Lane;
use super::tally::Tally;
use crate::routing_id::RoutingId;

/// Where a socket's pipes are written down when they are made.
pub(crate) trait PipeRegistry {
    /// Adds a pipe.
    fn add(&self, id: PipeId, outgoing: LaneView, incoming: LaneView);
}

/// A lane as the registry sees it, also when it is gone.
#[derive(Debug)]
pub(crate) struct LaneView {
    lane: Weak<Lane>,
    pub(crate) tally: Arc<Tally>,
}

impl LaneView {
    pub(super) fn of(lane: &Arc<Lane>) -> Self {
        LaneView {
            lane: Arc::downgrade(lane),
            tally: lane.lock().tally.clone(),
        }
    }

    /// Whether anybody has one of its ends.
    pub(crate) fn is_there(&self) -> bool {
        self.lane.strong_count() > 0
    }

    /// Whether its reader is there.
    pub(crate) fn is_read(&self) -> bool {
        let lane = self.lane.upgrade();
        lane.is_some_and(|lane| !lane.lock().reader.gone)
    }

    /// Messages in the queue, and those that the reader has taken and is not done with.
    pub(crate) fn queued(&self, id: PipeId) -> usize {
        let Some(lane) = self.lane.upgrade() else {
            return 0;
        };
        let mut lane = lane.lock();
        let notice = lane.expire();
        let queued = lane.queued();
        drop(lane);
        send(notice, id);
        queued
    }

    /// The HWM of one of its sides changes.
    pub(crate) fn set_hwm(&self, id: PipeId, of_writer: bool, hwm: usize) {
        if let Some(lane) = self.lane.upgrade() {
            let notice = lane.lock().set_hwm(of_writer, hwm);
            send(notice, id);
        }
    }

    /// The name by which the writer is known.
    pub(crate) fn writer(&self) -> Option<RoutingId> {
        let lane = self.lane.upgrade()?;
        let lane = lane.lock();
        lane.name.as_ref().map(|claim| claim.name().clone())
    }
}
