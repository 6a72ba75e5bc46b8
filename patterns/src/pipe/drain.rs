//! Draining, as a lane knows it: its reader takes no new work, and its writer gives it none.
//!
//! The socket that drains asks all of its pipes (`state/stats_registry.rs`). A session tells the peer, and notes what the
//! peer says; the lane to a peer that drains holds back what would wait for any peer. Between two sockets of one context
//! there is nobody to tell: the lane is shut where it is.

use super::ends::{Wakeup, deliver};
use super::queue::Queue;
use super::view::LaneView;
use super::{PipeId, PipeWriter, SessionPipe};
use crate::rules::Work;
use zmtp::Message;

/// What may still come to a reader that takes no new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coming {
    /// No more.
    Nothing,
    /// The writer cannot be told, and sends when it likes.
    Perhaps,
    /// What the writer had sent, or answers.
    More,
}

/// What a lane knows.
pub(super) struct Drain {
    /// What the writer does about a reader that drains.
    pub(super) work: Work,
    /// The reader takes no new work.
    pub(super) reader_drains: bool,
    /// The writer takes none, and its session tells the peer.
    pub(super) writer_drains: bool,
    /// What the reader may still expect, once it has asked.
    pub(super) coming: Coming,
}

impl Default for Drain {
    fn default() -> Self {
        Drain {
            work: Work::Goes,
            reader_drains: false,
            writer_drains: false,
            coming: Coming::More,
        }
    }
}

impl Queue {
    /// Takes no more of what waits for any peer.
    pub(super) fn hold_back(&mut self) {
        self.drain.reader_drains = true;
        if self.drain.work == Work::HeldBack {
            self.budget.hold_back(&mut self.free);
        }
    }

    /// Takes everything again. Returns what to tell the writer, if there is room.
    fn give_again(&mut self) -> Option<Wakeup<PipeWriter>> {
        if !std::mem::take(&mut self.drain.reader_drains) {
            return None;
        }
        self.budget.reopen(&mut self.free, &self.open);
        if self.free > 0 {
            return self.writer.unpark();
        }
        None
    }
}

impl PipeWriter {
    /// Returns whether the peer takes no new work.
    pub(crate) fn is_drained_to(&self) -> bool {
        self.lane.lock().drain.reader_drains
    }
}

impl SessionPipe {
    /// Begins a connection, whose peer takes work unless it says otherwise. `drains`: the socket does not.
    pub(crate) fn begin_drain(&self, drains: bool) {
        let mut lane = self.outgoing.lane.lock();
        lane.drain.writer_drains |= drains;
        let wakeup = lane.give_again();
        drop(lane);
        deliver(wakeup, self.id());
        self.incoming.lane.lock().drain.coming = Coming::More;
    }

    /// Notes that the peer takes no new work, and has whoever sends or receives look.
    pub(crate) fn peer_drains(&self) {
        let mut lane = self.outgoing.lane.lock();
        lane.hold_back();
        let wakeup = lane.writer.notify();
        drop(lane);
        deliver(wakeup, self.id());
        let wakeup = self.incoming.lane.lock().reader.notify();
        deliver(wakeup, self.id());
    }

    /// Notes what may still come, and has the socket look.
    pub(crate) fn set_coming(&self, coming: Coming) {
        let mut lane = self.incoming.lane.lock();
        lane.drain.coming = coming;
        let wakeup = lane.reader.notify();
        drop(lane);
        deliver(wakeup, self.id());
    }
}

impl LaneView {
    /// Lets the other end of a lane that the socket writes to know that the socket takes no new work. Ahead go changes of
    /// the subscriptions.
    pub(crate) fn tell_draining(&self, id: PipeId, changes: &[Message]) {
        let Some(lane) = self.upgrade() else {
            return;
        };
        let mut lane = lane.lock();
        if lane.reader.gone {
            return;
        }
        if lane.live {
            for change in changes {
                lane.push_change(change);
            }
        }
        lane.drain.writer_drains = true;
        lane.reader.parked = false;
        let wakeup = lane.reader.notify();
        drop(lane);
        deliver(wakeup, id);
    }

    /// Has a lane that the socket reads from take no new work, if there is no session to tell the peer.
    pub(crate) fn hold_back(&self, id: PipeId) {
        let Some(lane) = self.upgrade() else {
            return;
        };
        let mut lane = lane.lock();
        if lane.writer.is_session() || lane.writer.gone {
            return;
        }
        lane.hold_back();
        if lane.drain.work != Work::Answers {
            lane.drain.coming = Coming::Nothing;
        }
        let wakeup = lane.writer.notify();
        drop(lane);
        deliver(wakeup, id);
    }

    /// Returns what may still come.
    pub(crate) fn coming(&self) -> Coming {
        let Some(lane) = self.upgrade() else {
            return Coming::Nothing;
        };
        let lane = lane.lock();
        if lane.writer.gone {
            return Coming::Nothing;
        }
        lane.drain.coming
    }
}
