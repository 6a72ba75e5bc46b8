//! What a queue does about messages that are too old, and about too many bytes.

use tokio::time::Instant;

use super::PipeWriter;
use super::ends::Wakeup;
use super::policy::Ttl;
use super::queue::Queue;

impl Queue {
    /// Drops what has waited for too long. Returns what to tell the writer, if there is room again.
    #[must_use = "who waits for the room is told nowhere else"]
    #[inline]
    pub(super) fn expire(&mut self) -> Option<Wakeup<PipeWriter>> {
        match &self.policy {
            Some(policy) if policy.ttl.is_some() => self.drop_expired(),
            _ => None,
        }
    }

    #[cold]
    fn drop_expired(&mut self) -> Option<Wakeup<PipeWriter>> {
        let policy = self.policy.as_mut()?;
        let now = Instant::now();
        let is_over = |expires: Option<Instant>| expires.is_some_and(|expires| expires <= now);
        let mut expired = 0;
        let mut bytes = 0;
        self.full.retain(|queued| {
            if !is_over(queued.expires) {
                return true;
            }
            expired += queued.batch.len();
            bytes += queued.batch.byte_len();
            false
        });
        if let Some(values) = policy.last_values() {
            let dropped = values.expire(is_over);
            expired += dropped.0;
            bytes += dropped.1;
        }
        self.budget.let_go(bytes);
        if is_over(policy.ttl.as_ref().and_then(Ttl::open_expires)) {
            expired += self.open.len();
            self.open.clear();
        }
        self.counters.expired.add(expired);
        self.release(expired)
    }

    /// Withholds the room that there is when there are too many bytes.
    #[inline]
    pub(super) fn check_bytes(&mut self) {
        self.budget.check(&mut self.free, &self.open);
    }
}
