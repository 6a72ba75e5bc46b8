//! A lane seen from outside: what a socket's statistics ask of it (`state/stats_registry.rs`).

use std::sync::{Arc, Weak};

use super::PipeId;
use super::counters::Counters;
use super::ends::deliver;
use super::lane::Lane;
use super::limits::Side;
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
    pub(crate) counters: Arc<Counters>,
}

impl LaneView {
    pub(super) fn of(lane: &Arc<Lane>) -> Self {
        LaneView {
            lane: Arc::downgrade(lane),
            counters: lane.lock().counters.clone(),
        }
    }

    pub(super) fn upgrade(&self) -> Option<Arc<Lane>> {
        self.lane.upgrade()
    }

    /// Returns whether anybody has one of its ends.
    pub(crate) fn is_there(&self) -> bool {
        self.lane.strong_count() > 0
    }

    /// Returns whether its reader is there.
    pub(crate) fn is_read(&self) -> bool {
        let lane = self.lane.upgrade();
        lane.is_some_and(|lane| !lane.lock().reader.gone)
    }

    /// Returns the messages in the queue, and those that the reader has taken and is not done with.
    pub(crate) fn queued(&self, id: PipeId) -> usize {
        let Some(lane) = self.lane.upgrade() else {
            return 0;
        };
        let mut lane = lane.lock();
        let wakeup = lane.expire();
        let queued = lane.queued();
        drop(lane);
        deliver(wakeup, id);
        queued
    }

    /// Counts the messages that were put into it, as far as the reader has not refused them.
    pub(crate) fn given(&self) -> u64 {
        let Some(lane) = self.lane.upgrade() else {
            return 0;
        };
        let lane = lane.lock();
        lane.counters.traffic().messages + lane.queued() as u64
    }

    /// Counts the messages that its reader has taken and is done with.
    pub(crate) fn received(&self) -> u64 {
        let Some(lane) = self.lane.upgrade() else {
            return self.counters.traffic().messages;
        };
        let lane = lane.lock();
        let came = lane.counters.traffic().messages;
        came.saturating_sub(lane.queued() as u64)
    }

    /// Changes the HWM of its writer.
    pub(crate) fn set_writer_hwm(&self, id: PipeId, hwm: usize) {
        self.set_hwm(id, Side::Writer, hwm);
    }

    /// Changes the HWM of its reader.
    pub(crate) fn set_reader_hwm(&self, id: PipeId, hwm: usize) {
        self.set_hwm(id, Side::Reader, hwm);
    }

    fn set_hwm(&self, id: PipeId, side: Side, hwm: usize) {
        if let Some(lane) = self.lane.upgrade() {
            let wakeup = lane.lock().set_hwm(side, hwm);
            deliver(wakeup, id);
        }
    }

    /// Returns the name by which the writer is known.
    pub(crate) fn writer(&self) -> Option<RoutingId> {
        let lane = self.lane.upgrade()?;
        let queue = lane.lock();
        queue.peers.name()
    }
}
