//! What a lane does about its limits: bytes, age, conflation, and peers that are too slow. Out of the way of the
//! messages of lanes that have none but the HWM, which `lane.rs` keeps.

use std::collections::VecDeque;

use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::PipeWriter;
use super::byte_budget::{Bounds, Limits, Queued};
use super::ends::Notice;
use super::lane::{BATCH, EvictReason, LaneState, close_at, latest, together};
use super::last_value::Waiting;

impl LaneState {
    /// The open batch is large enough, and the next messages go to another one; or there are bounds to be checked.
    #[cold]
    pub(super) fn batch_grown(&mut self) {
        if self.latest.is_some() {
            let mut open = std::mem::take(&mut self.open);
            self.keep_latest(&mut open);
            self.open = open;
            return;
        }
        let mut most_bytes = usize::MAX;
        if let Some(bounds) = &mut self.bounds {
            self.full.extend(bounds.stamp(&mut self.open));
            most_bytes = bounds.batch_bytes();
        }
        let is_large = self.open.buffered() >= BATCH || self.open.byte_len() >= most_bytes;
        // Where only the newest message counts, there is one, in the open batch.
        if is_large && !self.conflate {
            // The next one is going to be as large: growing step by step would cost more.
            let closed = self.closed(self.open.buffered());
            self.full.push_back(closed);
        }
        self.check_bytes();
    }

    /// Messages came whose topics count: they take the places of older ones.
    pub(super) fn keep_latest(&mut self, batch: &mut Batch) {
        let Some(latest) = &mut self.latest else {
            return;
        };
        let (mut conflated, mut refused) = (0, 0);
        loop {
            let before = batch.byte_len();
            let Some(message) = batch.pop() else {
                break;
            };
            let new = Waiting {
                message,
                expires: self.bounds.as_ref().and_then(|bounds| bounds.expires()),
                bytes: before - batch.byte_len(),
            };
            if let Some(bounds) = &mut self.bounds {
                bounds.hold(new.bytes);
            }
            let dropped = match latest.put(new) {
                Ok(None) => continue,
                Ok(Some(old)) => {
                    conflated += 1;
                    old
                }
                Err(new) => {
                    refused += 1;
                    new
                }
            };
            if let Some(bounds) = &mut self.bounds {
                bounds.let_go(dropped.bytes);
            }
        }
        self.tally.conflated.add(conflated);
        self.tally.full.add(refused);
        self.release(conflated + refused);
        self.check_bytes();
    }

    /// Withholds the room that there is when there are too many bytes.
    pub(super) fn check_bytes(&mut self) {
        if let Some(bounds) = &mut self.bounds
            && bounds.withheld.is_none()
            && bounds.is_full(&self.open)
        {
            bounds.withheld = Some(std::mem::take(&mut self.free));
        }
    }

    /// Drops what has waited for too long. There may be word for the writer that there is room.
    pub(super) fn expire(&mut self) -> Option<Notice<PipeWriter>> {
        let bounds = self.bounds.as_mut()?;
        bounds.ttl?;
        let now = Instant::now();
        let is_over = |expires: Option<Instant>| expires.is_some_and(|expires| expires <= now);
        let mut expired = 0;
        self.full.retain(|queued| {
            if !is_over(queued.expires) {
                return true;
            }
            expired += queued.batch.len();
            bounds.let_go(queued.batch.byte_len());
            false
        });
        if let Some(latest) = &mut self.latest {
            let (messages, bytes) = latest.expire(is_over);
            expired += messages;
            bounds.let_go(bytes);
        }
        if is_over(bounds.open_expires()) {
            expired += self.open.len();
            self.open.clear();
        }
        self.tally.expired.add(expired);
        self.release(expired)
    }

    /// Drops the oldest messages until there is room, or lets one in beyond the limits if all are in the reader's
    /// hands.
    pub(super) fn drop_oldest(&mut self) {
        while self.free == 0 {
            let at = self.full.iter().position(|one| !one.batch.is_empty());
            let batch = match at {
                Some(at) => &mut self.full[at].batch,
                None => &mut self.open,
            };
            let before = batch.byte_len();
            if batch.pop().is_none() {
                self.over += 1;
                self.free = 1;
                return;
            }
            let dropped = before - batch.byte_len();
            self.tally.full.add(1);
            if let Some(at) = at.filter(|at| self.full[*at].batch.is_empty()) {
                self.full.remove(at);
            }
            if let Some(bounds) = &mut self.bounds {
                if at.is_some() {
                    bounds.let_go(dropped);
                }
                if !bounds.is_full(&self.open) {
                    self.free += bounds.withheld.take().unwrap_or_default();
                }
            }
            self.release(1);
        }
    }

    /// Drops all that is queued, and takes nothing until `clear_eviction`. Says what was dropped.
    pub(super) fn evict(&mut self, why: EvictReason) -> (VecDeque<Queued>, Batch) {
        let full = std::mem::take(&mut self.full);
        let open = std::mem::take(&mut self.open);
        let dropped = full.iter().map(|one| one.batch.len()).sum::<usize>() + open.len();
        self.tally.full.add(dropped);
        self.unwanted = Some(why);
        self.free = 0;
        self.writer.parked = true;
        (full, open)
    }

    /// The unwanted peer is gone, with all that was on its way to it: what follows is for another one.
    pub(super) fn clear_eviction(&mut self) -> Option<Notice<PipeWriter>> {
        self.unwanted = None;
        self.free = self.hwm;
        self.over = 0;
        self.bounds = Bounds::new(together(self.limits));
        self.writer.unpark()
    }

    /// The writer's limits are others now, or the reader's. There may be word for the writer that there is room.
    pub(super) fn set_hwm(&mut self, of_writer: bool, hwm: usize) -> Option<Notice<PipeWriter>> {
        let limits = if of_writer {
            &mut self.limits.0
        } else {
            &mut self.limits.1
        };
        limits.as_mut()?.hwm = hwm;
        let hwm = together(self.limits).hwm();
        if self.reader.gone || self.conflate || self.unwanted.is_some() {
            self.hwm = if self.conflate { self.hwm } else { hwm };
            return None;
        }
        let used = self.queued();
        self.hwm = hwm;
        self.over = used.saturating_sub(hwm);
        self.set_free(hwm.saturating_sub(used));
        // A raised mark is room at once, not only once the queue is low.
        if self.free > 0 {
            return self.writer.unpark();
        }
        None
    }

    pub(super) fn set_free(&mut self, free: usize) {
        match self
            .bounds
            .as_mut()
            .and_then(|bounds| bounds.withheld.as_mut())
        {
            Some(withheld) => *withheld = free,
            None => self.free = free,
        }
    }

    /// An inproc pipe has both of its sides, and their limits together (R-HWM-4). Nothing has been taken yet.
    pub(super) fn join(&mut self, of_writer: bool, limits: Limits) {
        let used = self.queued();
        if of_writer {
            self.limits.0 = Some(limits);
        } else {
            self.limits.1 = Some(limits);
        }
        let all = together(self.limits);
        if self.reader.gone {
            return;
        }
        // What has been queued by now is of this moment for the new bounds.
        let mut bounds = Bounds::new(all);
        if let Some(bounds) = &mut bounds {
            for queued in &self.full {
                bounds.hold(queued.batch.byte_len());
            }
            if !self.open.is_empty() {
                bounds.open_now();
            }
        }
        self.close_at = close_at(bounds.as_deref(), &all);
        self.bounds = bounds;
        if self.conflate {
            return;
        }
        if all.conflate {
            self.conflate();
            return;
        }
        self.hwm = all.hwm();
        self.over = used.saturating_sub(self.hwm);
        self.free = self.hwm.saturating_sub(used);
        if self.latest.is_none() && all.by_topic {
            self.latest = latest(&all);
            self.close_open();
            for mut queued in std::mem::take(&mut self.full) {
                if queued.batch.is_empty() {
                    // It stands for a mark.
                    self.full.push_back(queued);
                    continue;
                }
                if let Some(bounds) = &mut self.bounds {
                    bounds.let_go(queued.batch.byte_len());
                }
                self.keep_latest(&mut queued.batch);
            }
        }
        self.check_bytes();
    }

    /// From now on, only the newest message counts.
    pub(super) fn conflate(&mut self) {
        self.conflate = true;
        let before = self.queued();
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
        self.tally.conflated.add(before - self.open.len());
        self.hwm = 1;
        self.over = 0;
        self.free = 1 - self.open.len();
    }

    /// Throws away what is queued that `is_stale` says is of no use to the next connection.
    pub(super) fn sift(&mut self, is_stale: impl Fn(&Message) -> bool) {
        self.close_open();
        let mut stale = 0;
        for mut queued in std::mem::take(&mut self.full) {
            let before = queued.batch.byte_len();
            let mut kept = Batch::new();
            while let Some(message) = queued.batch.pop() {
                if is_stale(&message) {
                    stale += 1;
                } else {
                    kept.push_owned(message, self.by_reference);
                }
            }
            if let Some(bounds) = &mut self.bounds {
                bounds.let_go(before - kept.byte_len());
            }
            if !kept.is_empty() {
                let expires = queued.expires;
                self.full.push_back(Queued {
                    batch: kept,
                    expires,
                });
            }
        }
        // The writer is not told: whoever is full of subscriptions sends none.
        self.release(stale);
    }
}
