//! What a lane counts, for its socket's statistics (`state/stats_registry.rs`), where it outlives the lane.

use crate::stats::{Dropped, Traffic};
use crate::sync::atomic::{AtomicU64, Ordering};

/// The counters of one lane.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages and bytes that crossed the connection.
    messages: Count,
    bytes: Count,
    /// Dropped because the lane was full: by the writer, which does not take the lock for it.
    pub(super) missed: Count,
    /// The same, counted under the lane's lock, as are all that follow.
    pub(super) full: Count,
    pub(super) expired: Count,
    pub(super) conflated: Count,
    pub(super) lost: Count,
    /// In the queue when the reader went: unsent.
    pub(super) left: Count,
    /// Received, and not taken by the application when it went.
    pub(super) unread: Count,
    /// Received where nothing is ever taken.
    pub(super) discarded: Count,
    /// Popped by the application, and still in `Queue::queued`: the lane has not been told. Last, since it changes with
    /// each message, on the reader's thread.
    pub(super) popped: Count,
}

/// A number that one thread at a time adds to, and any may read: no locked instruction is needed.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(super) fn add(&self, more: usize) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before + more as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds one, and returns the sum.
    #[inline(always)]
    pub(super) fn add_one(&self) -> usize {
        let sum = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(sum, Ordering::Relaxed);
        sum as usize // Messages are counted by `usize` everywhere.
    }

    /// Begins anew, and returns what was counted.
    pub(super) fn take(&self) -> usize {
        let sum = self.0.load(Ordering::Relaxed);
        self.0.store(0, Ordering::Relaxed);
        sum as usize
    }
}

impl Counters {
    /// Adds what has crossed the connection.
    pub(super) fn add_traffic(&self, messages: usize, bytes: usize) {
        self.messages.add(messages);
        self.bytes.add(bytes);
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            messages: self.messages.get(),
            bytes: self.bytes.get(),
        }
    }

    /// Returns how many messages were in the queue when the reader went.
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.left.get()).unwrap_or(usize::MAX)
    }

    /// Returns how many messages the application has popped that the lane has not been told of.
    pub(super) fn popped(&self) -> usize {
        usize::try_from(self.popped.get()).unwrap_or(usize::MAX)
    }

    /// Returns what was dropped, as the one who sends sees it.
    pub(crate) fn dropped_of_sender(&self) -> Dropped {
        Dropped {
            full: self.missed.get() + self.full.get(),
            expired: self.expired.get(),
            conflated: self.conflated.get(),
            lost: self.lost.get(),
            unsent: self.left.get(),
            ..Dropped::default()
        }
    }

    /// Returns what was dropped, as the one who receives sees it.
    pub(crate) fn dropped_of_receiver(&self) -> Dropped {
        Dropped {
            conflated: self.conflated.get(),
            unread: self.unread.get(),
            discarded: self.discarded.get(),
            ..Dropped::default()
        }
    }
}
