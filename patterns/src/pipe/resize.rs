//! Limits that change: a high-water mark that the application sets anew, and an inproc pipe that gets its second side.

use super::PipeWriter;
use super::byte_budget::ByteBudget;
use super::ends::Wakeup;
use super::limits::{Limits, Side};
use super::policy::Policy;
use super::queue::Queue;

impl Queue {
    /// Changes the high-water mark of one side. Returns what to tell the writer, if there is room now.
    pub(super) fn set_hwm(&mut self, side: Side, hwm: usize) -> Option<Wakeup<PipeWriter>> {
        self.limits.of(side)?.hwm = hwm;
        if self.conflates() {
            return None;
        }
        let hwm = self.limits.together().messages();
        if self.reader.gone || self.is_shut() {
            self.hwm = hwm;
            return None;
        }
        let used = self.queued();
        self.hwm = hwm;
        self.over = used.saturating_sub(hwm);
        self.budget
            .set_free(&mut self.free, hwm.saturating_sub(used));
        // What the mark is worth in bytes has changed with it.
        self.budget.set_limit(self.limits.together().most_bytes());
        self.budget.give(&mut self.free, &self.open);
        // A raised mark is room at once, not only once the queue is low.
        if self.free > 0 {
            return self.writer.unpark();
        }
        None
    }

    /// Begins with policy and bytes as the limits have them, and nothing in either.
    pub(super) fn renew_limits(&mut self) {
        let all = self.limits.together();
        self.policy = Policy::new(&all);
        self.budget = ByteBudget::new(all.most_bytes());
    }

    /// Adds the limits of the second side to those of the first ([R-HWM-4]): of an inproc pipe, from which nothing has
    /// been taken yet.
    ///
    /// [R-HWM-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-hwm-4
    pub(super) fn join(&mut self, side: Side, limits: Limits) {
        let used = self.queued();
        let (conflated, by_topic) = (self.conflates(), self.is_by_topic());
        self.limits.set(side, limits);
        let all = self.limits.together();
        if self.reader.gone {
            return;
        }
        if all.conflate && !conflated {
            self.close_last_values();
            self.conflate();
            if let Some(policy) = &mut self.policy {
                policy.begin_with(&self.open);
            }
            self.look_again();
            return;
        }
        let mut policy = Policy::new(&all);
        if let (Some(new), Some(old)) = (&mut policy, &mut self.policy) {
            new.go_on_from(old);
        }
        if let Some(policy) = &mut policy {
            // What has been queued by now is of this moment for the new limits.
            policy.begin_with(&self.open);
        }
        self.policy = policy;
        self.budget = ByteBudget::new(all.most_bytes());
        for queued in &self.full {
            self.budget.hold(queued.batch.byte_len());
        }
        if let Some(values) = self.policy.as_mut().and_then(|policy| policy.last_values()) {
            self.budget.hold(values.bytes());
        }
        self.look_again();
        if conflated {
            return;
        }
        self.hwm = all.messages();
        self.over = used.saturating_sub(self.hwm);
        self.free = self.hwm.saturating_sub(used);
        if !by_topic && self.is_by_topic() {
            self.close_open();
            for mut queued in std::mem::take(&mut self.full) {
                if queued.batch.is_empty() {
                    // It stands for a mark.
                    self.full.push_back(queued);
                    continue;
                }
                self.budget.let_go(queued.batch.byte_len());
                self.keep_last_values(&mut queued.batch);
            }
        }
        self.check_bytes();
    }
}
