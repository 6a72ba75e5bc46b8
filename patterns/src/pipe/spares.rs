//! Empty batches whose buffers are used again: fresh memory costs a page fault for every 4 KiB.

use zmtp::Batch;

/// Capacity of a buffer that is kept for another batch.
const KEEP: usize = 256 * 1024;

/// Buffers kept.
const SPARES: usize = 16;

/// Bytes that may be kept for good. Looking after them takes a timer, and each sleep of a thread that has one
/// costs more than that of one that has none: a fifteenth of a round trip.
const NEGLIGIBLE: usize = 4096;

/// The spare batches of a lane.
#[derive(Debug, Default)]
pub(super) struct Spares(Vec<Batch>);

impl Spares {
    /// Takes one, if there is one.
    pub(super) fn take(&mut self) -> Option<Batch> {
        self.0.pop()
    }

    /// Keeps an empty batch, for its buffer.
    pub(super) fn put(&mut self, batch: Batch) {
        if self.0.len() < SPARES && (1..=KEEP).contains(&batch.spare()) {
            if self.0.capacity() == 0 {
                // Most lanes never need more.
                self.0.reserve_exact(1);
            }
            self.0.push(batch);
        }
    }

    /// Returns whether this one, which is done with, does to follow the open batch: it has a buffer, or none is kept.
    pub(super) fn may_follow(&self, done: &Batch) -> bool {
        let spare = done.spare();
        (spare > 0 || self.0.is_empty()) && spare <= KEEP
    }

    /// Returns whether an idle connection should let go of them, and of the buffer of the open batch.
    pub(super) fn are_worth_a_timer(&self, open: &Batch) -> bool {
        let kept = self.0.iter().map(Batch::spare).sum::<usize>();
        kept + open.spare() > NEGLIGIBLE
    }

    /// Lets go of all.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}
