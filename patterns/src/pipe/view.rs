//! A lane seen from outside: what a socket's statistics ask of it (`state/stats_registry.rs`).

use std::sync::{Arc, Weak};

use super::Linger;
use super::PipeId;
use super::counters::Counters;
use super::ends::{Drive, Holder, deliver};
use super::lane::Lane;
use super::limits::Side;
use super::queue::Queue;
use crate::routing_id::RoutingId;
use crate::stats::{Dropped, Traffic};
use crate::sync::atomic::{Ordering, fence};

/// Where a socket's pipes are written down when they are made.
pub(crate) trait PipeRegistry {
    /// Adds a pipe.
    fn add(&self, id: PipeId, outgoing: LaneView, incoming: LaneView);
}

/// The numbers of a lane, as one of its ends sees them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneCounts {
    pub(crate) traffic: Traffic,
    pub(crate) queued: usize,
    pub(crate) dropped: Dropped,
}

/// A lane as the registry sees it, also when it is gone.
#[derive(Debug)]
pub(crate) struct LaneView {
    lane: Weak<Lane>,
    counters: Arc<Counters>,
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

    /// Gives the memory of the lane back if it is gone. What it has counted stays.
    pub(crate) fn let_go(&mut self) {
        if !self.is_there() {
            // What its last holder has counted is seen from here on.
            fence(Ordering::Acquire);
            self.lane = Weak::new();
        }
    }

    /// Returns the connection that it leads to, if there is one now.
    pub(crate) fn connection(&self) -> Option<Arc<dyn Drive>> {
        let lane = self.lane.upgrade()?;
        lane.lock().connection()
    }

    /// Returns whether its reader is there.
    pub(crate) fn is_read(&self) -> bool {
        let lane = self.lane.upgrade();
        lane.is_some_and(|lane| !lane.lock().reader.gone)
    }

    /// Returns what its writer sees of it.
    pub(crate) fn sent(&self, id: PipeId) -> LaneCounts {
        self.look(id, Queue::unsent, Counters::dropped_of_sender)
    }

    /// Returns what its reader sees of it.
    pub(crate) fn received(&self, id: PipeId) -> LaneCounts {
        let unread = |lane: &Queue| lane.queued().saturating_sub(lane.counters.popped());
        self.look(id, unread, Counters::dropped_of_receiver)
    }

    /// Looks at all of its numbers at one moment: each message is in one of them.
    fn look(
        &self,
        id: PipeId,
        queued: impl FnOnce(&Queue) -> usize,
        dropped: impl FnOnce(&Counters) -> Dropped,
    ) -> LaneCounts {
        let counters = &self.counters;
        let Some(lane) = self.lane.upgrade() else {
            // What its last holder has counted is seen from here on.
            fence(Ordering::Acquire);
            return LaneCounts {
                traffic: counters.traffic(),
                queued: 0,
                dropped: dropped(counters),
            };
        };
        let mut lane = lane.lock();
        let wakeup = lane.expire();
        let counts = LaneCounts {
            traffic: counters.traffic(),
            queued: queued(&lane),
            dropped: dropped(counters),
        };
        drop(lane);
        deliver(wakeup, id);
        counts
    }

    /// Returns how many of its messages wait for a session to send them, and for somebody to bind the inproc name that it
    /// leads to.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let Some(lane) = self.lane.upgrade() else {
            return (0, 0);
        };
        let lane = lane.lock();
        match lane.reader.holder {
            Holder::Session(_) => (lane.unsent(), 0),
            Holder::Nobody => (0, lane.unsent()),
            Holder::Socket(_) => (0, 0),
        }
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
    pub(crate) fn done(&self) -> u64 {
        let Some(lane) = self.lane.upgrade() else {
            return self.counters.traffic().messages;
        };
        let lane = lane.lock();
        let came = lane.counters.traffic().messages;
        came.saturating_sub(lane.queued() as u64)
    }

    /// Ends it for its writer, which may stay: what is queued is still sent for the time of `linger`, or for what is left of
    /// the time that it had already if that is less.
    pub(crate) fn hurry(&self, id: PipeId, linger: &Linger) {
        if let Some(lane) = self.lane.upgrade() {
            lane.hurry(id, linger);
        }
    }

    /// Returns whether it is of an inproc pipe that is there.
    pub(crate) fn is_inproc(&self) -> bool {
        self.lane.upgrade().is_some_and(|lane| {
            let lane = lane.lock();
            !lane.reader.is_session() && !lane.writer.is_session()
        })
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
