//! The queue of a lane: batches of messages, and the credit that the high-water mark leaves.
//!
//! The messages in the queue and those that the reader has taken and is not done with never exceed the high-water mark;
//! `free` is what is left of it. All calls are made under the lane's lock (`lane.rs`). What a queue does beyond that is
//! its [`Policy`].

use std::collections::VecDeque;
use std::ptr;
use std::sync::{Arc, Weak};

use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::byte_budget::ByteBudget;
use super::counters::Counters;
use super::drain::Drain;
use super::ends::{Drive, End, Holder, Wakeup};
use super::evict::EvictReason;
use super::limits::Sides;
use super::peers::Peers;
use super::policy::Policy;
use super::queued::{BY_REFERENCE, Queued};
use super::spares::Spares;
use super::{Deadline, PipeReader, PipeWriter};
use crate::routing_id::Identity;

/// Bytes in the buffer of a batch that begin another one, unless its stream knows better: just under the largest segment of
/// a TCP stream, which is what one write carries best, and small enough for the buffer to be kept.
pub(super) const BATCH: usize = 60 * 1024;

/// The most that a stream may want for that: twice as much is the largest buffer that is kept.
const LARGEST_BATCH: usize = 128 * 1024;

/// A size of batches as a lane keeps it, of which there are many.
fn in_kib(bytes: usize) -> u8 {
    u8::try_from(bytes / 1024).unwrap_or(u8::MAX)
}

/// [`BY_REFERENCE`] where no system is called: between two sockets of one context.
const BY_REFERENCE_INPROC: usize = 512;

/// What both ends of a lane share.
///
/// What a push looks at comes first, and together: a publisher pushes to a thousand lanes for each message, and
/// waits for memory at each.
#[repr(C)]
pub(super) struct Queue {
    /// How many messages may still come: the HWM less those in the queue and those that the reader
    /// has taken and not yet done with. Nothing once the reader has gone.
    pub(super) free: usize,
    /// Bytes of the open batch that call for `batch_grown`, which moves it on: none if each message has to be looked at.
    pub(super) look_at: usize,
    /// From how many bytes on payloads join the batch by reference.
    pub(super) by_reference: usize,
    pub(super) reader: End<PipeReader>,
    /// Messages that the reader is done with beyond whole halves of the HWM.
    pub(super) beyond_half: usize,
    /// The batch that new messages go to. Younger than all of `full`.
    pub(super) open: Batch,
    /// What `free` is when nothing is there.
    pub(super) hwm: usize,
    /// Messages that were let in beyond the HWM: what the reader is done with pays for them first. While the peer is
    /// being evicted, what its session has in its hands: then there is nothing else.
    pub(super) over: usize,
    /// Batches before the open one, oldest first. An empty one stands for a mark of `peers`.
    pub(super) full: VecDeque<Queued>,
    /// How many bytes are there, and may be.
    pub(super) budget: ByteBudget,
    /// What the queue does beside counting, if anything.
    pub(super) policy: Option<Box<Policy>>,
    /// When the reader's connection looks whether it is to end: another one may have its name still.
    pub(super) ends_at: Option<Instant>,
    /// Who reads, and who has been given the batch that was taken last.
    pub(super) identity: Identity,
    pub(super) given: Identity,
    pub(super) limits: Sides,
    /// Who sends what is in the queue.
    pub(super) peers: Peers,
    pub(super) writer: End<PipeWriter>,
    pub(super) spares: Spares,
    /// Of an inproc pipe: the messages in the next batch that are counted already, since the connection began with them.
    pub(super) began: usize,
    /// Messages, and bytes, written since the session's task was last at rest.
    pub(super) written_in_run: (usize, usize),
    /// The connection at the session's end, if there is one now.
    pub(super) drive: Option<Weak<dyn Drive>>,
    /// Until when the session may go on sending, once the writer is gone.
    pub(super) linger: Deadline,
    /// Since when a subscriber has taken nothing, while it does.
    pub(super) stalled: Option<Instant>,
    pub(super) counters: Arc<Counters>,
    // What is small stands together: there is a pair of lanes for each peer.
    /// Counts the tasks that have had the session's end one after the other.
    pub(super) tenant: u32,
    /// KiB in the buffer of a batch that begin another one.
    batch: u8,
    pub(super) drain: Drain,
    /// The writer wants the reader gone.
    pub(super) evicted: Option<EvictReason>,
    /// The reader's connection is to end. What is queued stays.
    pub(super) is_ending: bool,
    /// Somebody else reads than the writer knows.
    pub(super) is_strange: bool,
    /// Nobody takes what comes: it is thrown away.
    pub(super) discards: bool,
    /// For a lane of subscriptions only: a connection is there to be told about changes.
    /// Without one they are not queued, since the next one begins with the whole set.
    pub(super) live: bool,
    /// The next message that finds the session at rest is sent by the caller.
    pub(super) drive_next: bool,
    /// A run of a few messages is a stream for the session already.
    pub(super) streams_soon: bool,
}

impl Queue {
    /// Returns an empty queue between two ends.
    pub(super) fn new(
        limits: Sides,
        writer: Holder<PipeWriter>,
        reader: Holder<PipeReader>,
    ) -> Self {
        let all = limits.together();
        let to_session =
            matches!(writer, Holder::Session(_)) || matches!(reader, Holder::Session(_));
        let mut queue = Queue {
            free: all.messages(),
            look_at: 0,
            by_reference: if to_session {
                BY_REFERENCE
            } else {
                BY_REFERENCE_INPROC
            },
            reader: End::new(reader),
            beyond_half: 0,
            open: Batch::new(),
            hwm: all.messages(),
            over: 0,
            full: VecDeque::new(),
            budget: ByteBudget::new(all.most_bytes()),
            policy: Policy::new(&all),
            evicted: None,
            is_ending: false,
            ends_at: None,
            is_strange: false,
            identity: Identity::ANY,
            given: Identity::ANY,
            discards: false,
            limits,
            peers: Peers::default(),
            writer: End::new(writer),
            spares: Spares::default(),
            live: false,
            began: 0,
            drive_next: false,
            written_in_run: (0, 0),
            streams_soon: false,
            drive: None,
            linger: Deadline::Never,
            stalled: None,
            tenant: 0,
            batch: in_kib(BATCH),
            counters: Arc::default(),
            drain: Drain::default(),
        };
        queue.look_again();
        queue
    }

    /// Returns the connection at the session's end, if there is one now.
    pub(super) fn connection(&self) -> Option<Arc<dyn Drive>> {
        self.drive.as_ref().and_then(Weak::upgrade)
    }

    /// Has an end know that connection. Returns the one that it knew, which is not dropped under the lock.
    #[inline]
    pub(super) fn know(&self, known: &mut Option<Arc<dyn Drive>>) -> Option<Arc<dyn Drive>> {
        let is_known = match (known.as_ref(), &self.drive) {
            (Some(known), Some(now)) => ptr::addr_eq(Arc::as_ptr(known), now.as_ptr()),
            (known, now) => known.is_none() && now.is_none(),
        };
        if is_known {
            return None;
        }
        std::mem::replace(known, self.connection())
    }

    // ---- in

    /// Returns whether each message has to be looked at.
    fn looks_at_messages(&self) -> bool {
        let policy = self.policy.as_deref();
        self.budget.looks_at_messages() || policy.is_some_and(Policy::looks_at_messages)
    }

    /// Returns whether it matters when the reader is done with such a batch.
    pub(super) fn looks_at_batch(&self, batch: &Batch) -> bool {
        self.budget.looks_at_batch(batch) || self.has_ttl()
    }

    fn has_ttl(&self) -> bool {
        matches!(&self.policy, Some(policy) if policy.ttl.is_some())
    }

    /// Decides when the open batch is looked at again: as soon as its buffer may be full, if what follows is small, and
    /// later if nearly all of it is by reference.
    pub(super) fn look_again(&mut self) {
        let (bytes, buffered) = (self.open.byte_len(), self.open.buffered());
        let room = self.batch_size().saturating_sub(buffered);
        self.look_at = if self.looks_at_messages() || self.discards {
            0
        } else if bytes / 16 > buffered {
            bytes + room.max(self.budget.step())
        } else {
            bytes + room
        };
        self.look_at = self.look_at.min(bytes.saturating_add(self.until_shared()));
    }

    /// Returns how many bytes in its buffer close a batch.
    pub(super) fn batch_size(&self) -> usize {
        usize::from(self.batch) * 1024
    }

    /// Has so many bytes do so, as far as that is sensible.
    pub(super) fn set_batch_size(&mut self, bytes: usize) {
        self.batch = in_kib(bytes.clamp(BATCH, LARGEST_BATCH));
    }

    /// Closes the open batch when it is large enough, and shows the policy each message.
    #[cold]
    pub(super) fn batch_grown(&mut self) {
        if self.discards {
            return self.discard_open();
        }
        self.share_if_stalled();
        if self.is_by_topic() {
            let mut open = std::mem::take(&mut self.open);
            self.keep_last_values(&mut open);
            self.open = open;
            return;
        }
        if let Some(policy) = &mut self.policy
            && let Some(older) = policy.stamp(&mut self.open)
        {
            self.budget.hold(older.batch.byte_len());
            self.full.push_back(older);
        }
        let is_large = self.open.buffered() >= self.batch_size()
            || self.open.byte_len() >= self.budget.batch_bytes();
        // Where only the newest message counts, there is one, in the open batch.
        if is_large && !self.conflates() {
            // The next one is going to be as large: growing step by step would cost more.
            let closed = self.take_open(self.open.buffered());
            self.full.push_back(closed);
        } else {
            self.look_again();
        }
        self.check_bytes();
    }

    /// Adds a batch that a session brings.
    pub(super) fn append(&mut self, batch: Batch) {
        self.counters.add_traffic(batch.len(), batch.byte_len());
        if self.policy.is_some() {
            self.append_by_policy(batch);
            return;
        }
        self.fill(batch.len());
        if let Err(batch) = self.open.append(batch) {
            let before = std::mem::replace(&mut self.open, batch);
            self.budget.hold(before.byte_len());
            self.full.push_back(before.into());
        }
        self.check_bytes();
    }

    /// Counts messages that come, also beyond the HWM: what a session brings may be more than there is room for, if the
    /// mark was lowered meanwhile, or the protocol makes messages of its own.
    pub(super) fn fill(&mut self, messages: usize) {
        let within = self.free.min(messages);
        self.free -= within;
        self.over += messages - within;
    }

    /// Adds one message, whatever the HWM, that does not expire.
    pub(super) fn push_change(&mut self, message: &Message) {
        self.fill(1);
        if self.has_ttl() {
            self.close_open();
            let mut change = Batch::new();
            change.push(message, BY_REFERENCE);
            self.budget.hold(change.byte_len());
            self.full.push_back(change.into());
        } else {
            self.open.push(message, BY_REFERENCE);
        }
    }

    /// Puts a batch in front of all others.
    pub(super) fn put_first(&mut self, queued: Queued) {
        self.budget.hold(queued.batch.byte_len());
        self.full.push_front(queued);
    }

    /// Puts a batch behind the marks that stand in front of all messages.
    pub(super) fn put_begin(&mut self, batch: Batch) {
        self.budget.hold(batch.byte_len());
        let is_mark = |queued: &&Queued| queued.batch.is_empty();
        let at = self.full.iter().take_while(is_mark).count();
        self.full.insert(at, batch.into());
    }

    /// Closes the open batch if there is something in it, so that what follows is apart.
    pub(super) fn close_open(&mut self) {
        if !self.open.is_empty() {
            let closed = self.take_open(0);
            self.full.push_back(closed);
        }
    }

    /// Takes the open batch, which is closed. The next one begins with room for so many bytes, or more.
    pub(super) fn take_open(&mut self, room: usize) -> Queued {
        let next = self.spares.take();
        let next = next.unwrap_or_else(|| Batch::with_capacity(room));
        let closed = std::mem::replace(&mut self.open, next);
        self.look_again();
        self.close(closed)
    }

    pub(super) fn close(&mut self, batch: Batch) -> Queued {
        self.budget.hold(batch.byte_len());
        match &mut self.policy {
            None => batch.into(),
            Some(policy) => policy.closed(batch),
        }
    }

    // ---- out

    /// Notes that the reader is done with the batch that it took.
    #[inline]
    pub(super) fn settle(&mut self) {
        self.budget.settle();
    }

    /// Notes that the reader is done with so many messages of what it took. Returns what to tell the writer, if there is
    /// room again.
    #[must_use = "who waits for the room is told nowhere else"]
    #[inline]
    pub(super) fn release(&mut self, messages: usize) -> Option<Wakeup<PipeWriter>> {
        let paid = self.over.min(messages);
        if self.is_shut() || self.reader.gone {
            self.over -= paid;
            return None;
        }
        self.over -= paid;
        self.free += messages - paid;
        self.budget.ration(&mut self.free, &self.open);
        let half = self.hwm - self.hwm / 2;
        self.beyond_half += messages;
        let is_half = self.beyond_half >= half;
        if is_half {
            self.beyond_half %= half.max(1);
        }
        // At each half of what was ever taken, as in libzmq, and not only when half is free: a reader that takes no more from
        // then on would leave room that nobody knows of.
        if self.writer.parked && (self.free >= half || is_half && self.free > 0) {
            return self.writer.unpark();
        }
        None
    }

    /// Throws away what is queued that `is_stale` says is of no use to whoever reads on. Marks stay. Returns what to tell
    /// the writer, if there is room again.
    pub(super) fn sift(
        &mut self,
        is_stale: impl Fn(&Message) -> bool,
    ) -> Option<Wakeup<PipeWriter>> {
        self.close_open();
        let mut stale = 0;
        for mut queued in std::mem::take(&mut self.full) {
            if queued.batch.is_empty() {
                self.full.push_back(queued);
                continue;
            }
            let before = queued.batch.byte_len();
            let mut kept = Batch::new();
            while let Some(message) = queued.batch.pop() {
                if is_stale(&message) {
                    stale += 1;
                } else {
                    kept.push_owned(message, self.by_reference);
                }
            }
            self.budget.let_go(before - kept.byte_len());
            if !kept.is_empty() {
                let expires = queued.expires;
                self.full.push_back(Queued {
                    batch: kept,
                    expires,
                });
            }
        }
        self.release(stale)
    }

    // ---- what it holds

    /// Returns how many messages a session may bring now.
    pub(super) fn room(&self) -> usize {
        // When nobody reads any more, the connection goes on until its outgoing lane ends it, and what
        // comes is thrown away. Where a message takes the place of another, there is always room.
        if self.reader.gone || self.discards || self.conflates() {
            usize::MAX
        } else {
            self.free
        }
    }

    /// Returns how many messages a session may bring until it asks again, if that is half of what there may be, or more, and
    /// only they take it away.
    pub(super) fn credit(&self) -> usize {
        let half = self.hwm - self.hwm / 2;
        if self.free >= half { self.free } else { 0 }
    }

    /// Returns the messages in the queue, and those that the reader has taken and is not done with.
    pub(super) fn queued(&self) -> usize {
        if self.reader.gone {
            return 0;
        }
        if self.is_shut() {
            return self.over;
        }
        self.hwm - self.free - self.budget.withheld() + self.over
    }

    /// Returns the messages that have not been sent yet. Of an inproc pipe, what its reader has taken is sent, as is what
    /// the connection began with.
    pub(super) fn unsent(&self) -> usize {
        if self.reader.is_session() {
            return self.queued();
        }
        let closed = self.full.iter().map(|queued| queued.batch.len());
        let waiting =
            closed.sum::<usize>() + self.open.len() + self.policy.as_deref().map_or(0, Policy::len);
        waiting.saturating_sub(self.began)
    }

    /// Returns whether there are no messages, nor a mark that says that the peer left.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.policy.as_deref().is_none_or(Policy::is_empty)
            && self.full.iter().all(|queued| queued.batch.is_empty())
            && !self.peers.has_departure()
    }

    // ---- ends

    /// Returns until when what is queued may still be sent, when the writer is gone. `None`: it is not.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.writer.gone.then_some(self.linger)
    }

    /// Ends the queue because the reader goes: what is queued is handed out to be dropped, and nothing more may come.
    pub(super) fn close_reader(&mut self) -> (VecDeque<Queued>, Batch, Option<Wakeup<PipeWriter>>) {
        self.counters
            .left
            .add(self.queued().saturating_sub(self.began));
        self.reader.gone = true;
        self.free = 0;
        self.policy = None;
        self.budget = ByteBudget::new(None);
        (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
            self.writer.notify_closed(),
        )
    }
}
