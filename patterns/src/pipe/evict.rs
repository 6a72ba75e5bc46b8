//! Evicting a peer, giving up what was for one whose place another has taken, and dropping the oldest messages for one that
//! is slow.

use std::collections::VecDeque;

use zmtp::Batch;

use super::PipeWriter;
use super::ends::Wakeup;
use super::queue::Queue;
use super::queued::Queued;
use crate::routing_id::Identity;

/// Why a socket wants a peer gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvictReason {
    /// It does not keep up.
    Slow,
    /// It has subscribed to more than `max_subscriptions` allows.
    Topics,
    /// It has subscribed to more than `max_subscription_bytes` allows.
    TopicBytes,
    /// All peers together have subscribed to more than `max_all_subscriptions` allows, and it to most.
    AllTopics,
    /// The same, and `max_all_subscription_bytes`.
    AllTopicBytes,
}

impl Queue {
    /// Drops all that is queued, and takes nothing until [`Queue::clear_eviction`]. Returns what was dropped, for the
    /// caller to drop without the lock.
    pub(super) fn evict(&mut self, why: EvictReason) -> (VecDeque<Queued>, Batch) {
        let queued = self.queued();
        let (full, open, dropped, uncounted) = self.empty();
        self.counters.full.add(uncounted);
        self.evicted = Some(why);
        self.over = queued.saturating_sub(dropped);
        self.writer.parked = true;
        (full, open)
    }

    /// Takes all out that is queued, so that there is no room. Returns it, how many messages that is, and how many of them are
    /// not counted yet: what an inproc connection begins with is.
    fn empty(&mut self) -> (VecDeque<Queued>, Batch, usize, usize) {
        self.close_last_values();
        let full = std::mem::take(&mut self.full);
        let open = std::mem::take(&mut self.open);
        let dropped = full.iter().map(|one| one.batch.len()).sum::<usize>() + open.len();
        let uncounted = dropped.saturating_sub(std::mem::take(&mut self.began));
        self.free = 0;
        (full, open, dropped, uncounted)
    }

    /// Returns whether nothing is taken: the reader is evicted, or the writer has yet to hear who reads now.
    pub(super) fn is_shut(&self) -> bool {
        self.is_strange || self.evicted.is_some()
    }

    /// Takes messages again: the evicted peer is gone, with all that was on its way to it, and what follows is for
    /// another one.
    pub(super) fn clear_eviction(&mut self) -> Option<Wakeup<PipeWriter>> {
        self.evicted = None;
        self.open_again()
    }

    /// Drops all that is queued for a peer whose place another has taken, and takes nothing until the writer has heard of
    /// it: [`Queue::acknowledge`]. Between two connections, so that the reader has nothing in its hands. Returns what was
    /// dropped, for the caller to drop without the lock, and what to tell a writer that waits.
    pub(super) fn give_up(&mut self) -> (VecDeque<Queued>, Batch, Option<Wakeup<PipeWriter>>) {
        let (full, open, _, uncounted) = self.empty();
        self.counters.left.add(uncounted);
        self.over = 0;
        self.is_strange = true;
        (full, open, self.writer.unpark())
    }

    /// Takes messages again: the writer knows that this is who reads.
    pub(super) fn acknowledge(&mut self, identity: Identity) {
        if self.is_strange && self.identity == identity {
            self.is_strange = false;
            self.open_again();
        }
    }

    /// Takes messages again, if nothing else is in the way: there are none.
    fn open_again(&mut self) -> Option<Wakeup<PipeWriter>> {
        if self.is_shut() || self.reader.gone {
            return None;
        }
        self.free = self.hwm;
        self.over = 0;
        self.renew_limits();
        if self.drain.reader_drains {
            self.hold_back();
        }
        self.look_again();
        if self.free == 0 {
            return None;
        }
        self.writer.unpark()
    }

    /// Drops the oldest messages until there is room, or lets one in beyond the limits if all are in the reader's
    /// hands. What an inproc connection begins with stays.
    pub(super) fn drop_oldest(&mut self) {
        while self.free == 0 {
            let stays = usize::from(self.began > 0);
            let mut filled = (0..self.full.len()).filter(|at| !self.full[*at].batch.is_empty());
            let at = filled.nth(stays);
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
            self.counters.full.add(1);
            if let Some(at) = at.filter(|at| self.full[*at].batch.is_empty()) {
                self.full.remove(at);
            }
            if at.is_some() {
                self.budget.let_go(dropped);
            }
            self.budget.give(&mut self.free, &self.open);
            // Whoever makes the room is who needs it.
            let _ = self.release(1);
        }
    }
}
