//! Queues in which a newer message takes the place of an older one. Where only the newest counts, it is in the open batch
//! ([R-CONF-1]); where the newest of each topic counts, they wait in the policy (`policy/last_value.rs`).
//!
//! [R-CONF-1]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conf-1

use zmtp::Batch;

use super::PipeWriter;
use super::ends::Wakeup;
use super::policy::Keep;
use super::queue::Queue;
use super::queued::Queued;

impl Queue {
    /// Returns whether only the newest message counts.
    pub(super) fn conflates(&self) -> bool {
        matches!(&self.policy, Some(policy) if matches!(policy.keep, Keep::Newest))
    }

    /// Returns whether only the newest message of each topic counts.
    pub(super) fn is_by_topic(&self) -> bool {
        matches!(&self.policy, Some(policy) if matches!(policy.keep, Keep::NewestOfTopic(_)))
    }

    /// Makes room in a full queue whose policy lets newer messages take the places of older ones. Returns whether there
    /// is some.
    #[cold]
    pub(super) fn make_room(&mut self) -> bool {
        if self.reader.gone || self.is_shut() {
            return false;
        }
        let Some(policy) = &mut self.policy else {
            return false;
        };
        match &mut policy.keep {
            Keep::All => return false,
            Keep::NewestOfTopic(values) => {
                values.let_one_beyond();
                self.over += 1;
            }
            Keep::Newest if self.open.is_empty() => {
                // The one before is in the reader's hands.
                self.over += 1;
            }
            Keep::Newest => {
                self.open.clear();
                self.counters.conflated.add(1);
            }
        }
        self.free = 1;
        true
    }

    /// Adds a batch that a session brings to a queue with a policy.
    #[cold]
    pub(super) fn append_by_policy(&mut self, mut batch: Batch) {
        if self.conflates() {
            self.replace_by_newest(&mut batch);
        }
        self.fill(batch.len());
        if self.is_by_topic() {
            self.keep_last_values(&mut batch);
            return;
        }
        if let Err(batch) = self.open.append(batch) {
            let before = std::mem::replace(&mut self.open, batch);
            let before = self.close(before);
            self.full.push_back(before);
        }
        self.check_bytes();
    }

    /// Puts whole messages that were taken and not sent back to the front. Returns what to tell the writer, if there is room
    /// again: newer messages may have taken their places.
    pub(super) fn put_back(&mut self, batch: Batch) -> Option<Wakeup<PipeWriter>> {
        self.settle();
        if batch.is_empty() {
            return None;
        }
        if self.evicted.is_some() {
            self.counters.full.add(batch.len());
            return self.release(batch.len());
        }
        let mut expires = None;
        if let Some(policy) = &mut self.policy {
            expires = policy.ttl.as_ref().and_then(|ttl| ttl.taken_expires);
            match &mut policy.keep {
                Keep::All => {}
                Keep::Newest if self.open.is_empty() => {
                    self.open = batch;
                    return None;
                }
                Keep::Newest => {
                    // There is a newer one.
                    self.counters.conflated.add(batch.len());
                    return self.release(batch.len());
                }
                Keep::NewestOfTopic(values) => {
                    let (stale, bytes) = values.put_back(batch, expires);
                    self.budget.hold(bytes);
                    self.counters.conflated.add(stale);
                    return self.release(stale);
                }
            }
        }
        self.put_first(Queued { batch, expires });
        None
    }

    /// Lets only the newest message count from now on.
    pub(super) fn conflate(&mut self) {
        let before = self.queued();
        self.renew_limits();
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
    pub(super) fn replace_by_newest(&mut self, batch: &mut Batch) {
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

    /// Lets messages take the places of older ones of their topics.
    pub(super) fn keep_last_values(&mut self, batch: &mut Batch) {
        let Some(policy) = &mut self.policy else {
            return;
        };
        let kept = policy.keep_last_values(batch);
        self.budget.hold(kept.came);
        self.budget.let_go(kept.dropped);
        self.counters.conflated.add(kept.conflated);
        self.counters.full.add(kept.refused);
        // Not more than what came has filled: there is no more room than before.
        let _ = self.release(kept.conflated + kept.refused);
        self.check_bytes();
    }

    /// Closes what waits, if only the newest message of each topic does.
    pub(super) fn close_last_values(&mut self) {
        if let Some(closed) = self.take_last_values() {
            self.full.push_back(closed);
        }
    }

    /// Takes what waits, if only the newest message of each topic does.
    #[cold]
    pub(super) fn take_last_values(&mut self) -> Option<Queued> {
        let values = self.policy.as_mut()?.last_values()?;
        values.take(self.spares.take().unwrap_or_default())
    }
}
