//! Conflation: a queue in this mode holds one message, in its open batch, and a newer one takes its place (R-CONF-1).

use zmtp::Batch;

use super::Policy;
use crate::pipe::queue::{Queue, Queued};

impl Queue {
    /// Lets only the newest message count from now on.
    pub(in crate::pipe) fn conflate(&mut self) {
        let before = self.queued();
        self.policy = Policy::new(&self.limits.together());
        let newest = |queued: &Queued| !queued.batch.is_empty();
        if self.open.is_empty()
            && let Some(at) = self.full.iter().rposition(newest)
            && let Some(newest) = self.full.remove(at)
        {
            self.open = newest.batch;
        }
        // What stands for marks stays.
        self.full.retain(|queued| queued.batch.is_empty());
        let queued = self.open.len();
        self.open.truncate_front(queued.saturating_sub(1));
        self.counters.conflated.add(before - self.open.len());
        self.hwm = 1;
        self.over = 0;
        self.free = 1 - self.open.len();
    }

    /// Keeps the newest message of a batch that a session brings, in place of all that is queued.
    pub(in crate::pipe) fn replace_by_newest(&mut self, batch: &mut Batch) {
        let older = batch.len() - 1;
        batch.truncate_front(older);
        // What the reader has taken is counted by `over` or not at all: there is always room here.
        let replaced = std::mem::take(&mut self.open).len() + self.drop_closed();
        self.counters.conflated.add(older + replaced);
        self.free += replaced;
        self.over += usize::from(self.free == 0);
    }

    /// Drops what was queued before another peer came, since a newer message takes its place. Returns how many.
    fn drop_closed(&mut self) -> usize {
        let dropped = self.full.iter().map(|queued| queued.batch.len()).sum();
        if dropped > 0 {
            self.full.retain(|queued| queued.batch.is_empty());
        }
        dropped
    }
}
