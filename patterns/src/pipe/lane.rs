//! The lane: one direction of a pipe, with what both of its ends share under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use zmtp::Batch;

use super::byte_budget::{Bounds, Limits, Queued};
use super::ends::{At, Drive, End, Notice, send};
use super::last_value::Latest;
use super::tally::Tally;
use super::{Deadline, Linger, PipeId, PipeReader, PipeWriter};
use crate::peer::Peer;
use crate::routing_id::RoutingId;
use crate::sync::{Mutex, MutexGuard};

/// Bytes in the buffer of a batch that begin another one: just under the largest segment of a TCP stream, which
/// is what one write carries best, and small enough for the buffer to be kept.
pub(super) const BATCH: usize = 60 * 1024;

/// Capacity of a buffer that is kept for another batch. Fresh memory costs a page fault for every 4 KiB.
const KEEP: usize = 256 * 1024;

/// Payloads of at least this many bytes are not copied into a batch but join it by reference: from here on, a
/// piece more to write costs the system less than the copy costs us.
pub(crate) const BY_REFERENCE: usize = 4096;

/// The same where no system is called: between two sockets of one context.
const BY_REFERENCE_INPROC: usize = 512;

/// Buffers kept.
const SPARES: usize = 16;

/// Bytes that may be kept for good. Looking after them takes a timer, and each sleep of a thread that has one
/// costs more than that of one that has none: a fifteenth of a round trip.
const NEGLIGIBLE: usize = 4096;

/// A peer's name in a socket that names its peers. Dropped, it is free for another one.
pub(crate) trait PeerName: Send {
    /// Returns the name.
    fn name(&self) -> &RoutingId;
}

/// Why a socket wants a peer gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvictReason {
    /// It does not keep up.
    Slow,
    /// It has subscribed to more than `max_subscriptions` allows.
    Topics,
    /// It has subscribed to more than `max_subscription_bytes` allows.
    TopicBytes,
}

/// One direction of a pipe.
pub(super) struct Lane {
    pub(super) state: Mutex<LaneState>,
}

/// What a push looks at comes first, and together: a publisher pushes to a thousand lanes for each message, and
/// waits for memory at each.
#[repr(C)]
pub(super) struct LaneState {
    /// How many messages may still come: the HWM less those in the queue and those that the reader
    /// has taken and not yet done with. Nothing once the reader has gone.
    pub(super) free: usize,
    /// Bytes in the buffer of the open batch that call for `batch_grown`: all of them if there are bounds.
    pub(super) close_at: usize,
    /// From how many bytes on payloads join the batch by reference.
    pub(super) by_reference: usize,
    pub(super) reader: End<PipeReader>,
    /// The batch that new messages go to. Younger than all of `full`.
    pub(super) open: Batch,
    /// What `free` is when nothing is there.
    pub(super) hwm: usize,
    /// Batches before it, oldest first. An empty one stands for the oldest of `marks`.
    pub(super) full: VecDeque<Queued>,
    /// Limits beside the HWM.
    pub(super) bounds: Option<Box<Bounds>>,
    /// What waits, if only the newest message of each topic does. Then `open` is empty, and `full` has what is not to
    /// be conflated.
    pub(super) latest: Option<Box<Latest>>,
    /// What the writer and the reader allow, where both are sockets or will be.
    pub(super) limits: (Option<Limits>, Option<Limits>),
    /// The writer wants the reader gone.
    pub(super) unwanted: Option<EvictReason>,
    pub(super) marks: VecDeque<Mark>,
    /// Who has sent the batch that the reader took last.
    pub(super) sender: Option<Arc<Peer>>,
    /// Who sends what the reader takes next, if that is somebody else.
    pub(super) next_sender: Option<Arc<Peer>>,
    /// Messages that were let in beyond the HWM: what the reader is done with pays for them first.
    pub(super) over: usize,
    /// Only the newest message counts.
    pub(super) conflate: bool,
    /// The name by which the reader's socket knows the writer: given up when the writer goes.
    pub(super) name: Option<Box<dyn PeerName>>,
    /// The reader's application has been told that the writer came, and wants to hear that it goes.
    pub(super) told: bool,
    pub(super) writer: End<PipeWriter>,
    /// Empty batches whose buffers are to be used again.
    pub(super) spares: Vec<Batch>,
    /// For a lane of subscriptions only: a connection is there to be told about changes.
    /// Without one they are not queued, since the next one begins with the whole set.
    pub(super) live: bool,
    /// Until when the session may go on sending, once the writer is gone.
    pub(super) linger: Deadline,
    pub(super) tally: Arc<Tally>,
    /// The connection at the session's end, if there is one now.
    pub(super) drive: Option<Weak<dyn Drive>>,
    /// The next message that finds the session at rest is sent by the caller.
    pub(super) drive_next: bool,
}

/// What a socket hears of its peer, between the messages before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerMark {
    /// A connection began: its peer goes by this name. `tell`: the application is to hear of it.
    Joined { name: RoutingId, tell: bool },
    /// The connection ended.
    Left,
}

/// What stands between two messages.
#[derive(Debug)]
pub(super) enum Mark {
    Peer(PeerMark),
    /// What follows is sent by somebody else.
    Changed(Arc<Peer>),
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("queued", &self.lock().queued())
            .finish_non_exhaustive()
    }
}

impl Lane {
    /// `limits` are the writer's and the reader's.
    pub(super) fn new(
        limits: (Option<Limits>, Option<Limits>),
        writer: At<PipeWriter>,
        reader: At<PipeReader>,
    ) -> Arc<Self> {
        let all = together(limits);
        let hwm = all.hwm();
        let bounds = Bounds::new(all);
        let to_session = matches!(writer, At::Session(_)) || matches!(reader, At::Session(_));
        let by_reference = if to_session {
            BY_REFERENCE
        } else {
            BY_REFERENCE_INPROC
        };
        Arc::new(Lane {
            state: Mutex::new(LaneState {
                close_at: close_at(bounds.as_deref(), &all),
                bounds,
                latest: latest(&all),
                limits,
                unwanted: None,
                free: hwm,
                hwm,
                over: 0,
                conflate: all.conflate,
                by_reference,
                marks: VecDeque::new(),
                sender: None,
                next_sender: None,
                name: None,
                told: false,
                open: Batch::new(),
                full: VecDeque::new(),
                writer: End::new(writer),
                reader: End::new(reader),
                spares: Vec::new(),
                live: false,
                linger: Deadline::Never,
                tally: Arc::default(),
                drive: None,
                drive_next: false,
            }),
        })
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock()
    }

    /// Puts what a connection begins with in front of the queue, beyond the HWM.
    pub(super) fn begin(&self, id: PipeId, first: Batch) {
        let mut lane = self.lock();
        lane.live = true;
        if first.is_empty() {
            return;
        }
        lane.over += first.len();
        lane.put_first(first.into());
        let notice = lane.reader.unpark();
        drop(lane);
        send(notice, id);
    }

    /// A connection begins: its peer sends what comes from here on. Nothing is to be noted if it is who it was.
    pub(super) fn meet(&self, peer: Arc<Peer>) {
        let mut lane = self.lock();
        let newest = lane.marks.iter().rev().find_map(|mark| match mark {
            Mark::Changed(peer) => Some(peer),
            Mark::Peer(_) => None,
        });
        let before = newest
            .or(lane.next_sender.as_ref())
            .or(lane.sender.as_ref());
        if before == Some(&peer) {
            return;
        }
        if before.is_none() {
            lane.next_sender = Some(peer);
            return;
        }
        // A message of one peer does not take the place of another's.
        lane.close_latest();
        lane.close_open();
        let nothing_since = lane.full.back().is_some_and(|last| last.batch.is_empty());
        match lane.marks.back_mut() {
            // Peers that come and go and say nothing leave nothing behind.
            Some(Mark::Changed(last)) if nothing_since => *last = peer,
            _ => lane.mark(Mark::Changed(peer), false),
        }
    }

    /// The writer goes: what it has sent may still be sent on for the time of `linger`. Does nothing if it has gone
    /// before.
    pub(super) fn leave(&self, id: PipeId, linger: &Linger) {
        let mut lane = self.lock();
        if lane.writer.gone {
            return;
        }
        lane.writer.gone = true;
        lane.linger = Deadline::after(linger.get());
        let name = lane.name.take();
        if lane.told && !lane.reader.gone {
            // Of an inproc pipe: sessions tell it themselves.
            lane.mark(Mark::Peer(PeerMark::Left), false);
        }
        let notice = lane.reader.notify_closed();
        drop(lane);
        drop(name);
        send(notice, id);
    }

    /// The writer is known by a name from here on. `ahead`: for what is queued already, too.
    pub(super) fn introduce(&self, id: PipeId, claim: Box<dyn PeerName>, tell: bool, ahead: bool) {
        let mut lane = self.lock();
        let name = claim.name().clone();
        lane.mark(Mark::Peer(PeerMark::Joined { name, tell }), ahead);
        lane.told = tell;
        let old = lane.name.replace(claim);
        let notice = lane.reader.unpark();
        drop(lane);
        drop(old);
        send(notice, id);
    }
}

/// The limits of a lane: its sides' together, or of the side that has some.
pub(super) fn together(limits: (Option<Limits>, Option<Limits>)) -> Limits {
    match limits {
        (Some(writer), Some(reader)) => Limits::joined(writer, reader),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Limits::default(),
    }
}

pub(super) fn close_at(bounds: Option<&Bounds>, limits: &Limits) -> usize {
    if bounds.is_some() || limits.by_topic {
        0
    } else {
        BATCH
    }
}

pub(super) fn latest(limits: &Limits) -> Option<Box<Latest>> {
    (limits.by_topic && !limits.conflate).then(Box::default)
}

impl LaneState {
    /// The oldest batch, now in the reader's hands.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let oldest = match self.full.pop_front() {
            Some(oldest) => oldest,
            None if let Some(latest) = &mut self.latest => {
                latest.take(self.spares.pop().unwrap_or_default())?
            }
            None if self.open.is_empty() => return None,
            None => self.closed(0),
        };
        if let Some(bounds) = &mut self.bounds {
            bounds.take(&oldest);
        }
        Some(oldest.batch)
    }

    /// The open batch, which is closed. The next one begins with room for so many bytes, or more.
    pub(super) fn closed(&mut self, room: usize) -> Queued {
        let next = self.spares.pop();
        let next = next.unwrap_or_else(|| Batch::with_capacity(room));
        let closed = std::mem::replace(&mut self.open, next);
        match &mut self.bounds {
            None => closed.into(),
            Some(bounds) => bounds.closed(closed),
        }
    }

    /// Puts a batch in front of all others.
    pub(super) fn put_first(&mut self, queued: Queued) {
        if let Some(bounds) = &mut self.bounds {
            bounds.hold(queued.batch.byte_len());
        }
        self.full.push_front(queued);
    }

    /// Closes the open batch if there is something in it, so that what follows is apart.
    pub(super) fn close_open(&mut self) {
        if !self.open.is_empty() {
            let closed = self.closed(0);
            self.full.push_back(closed);
        }
    }

    /// Closes what waits, if only the newest message of each topic does.
    fn close_latest(&mut self) {
        if let Some(latest) = &mut self.latest
            && let Some(closed) = latest.take(self.spares.pop().unwrap_or_default())
        {
            self.full.push_back(closed);
        }
    }

    /// Drops what was queued before another peer came, since a newer message takes its place. Says how many.
    pub(super) fn drop_closed(&mut self) -> usize {
        let dropped = self.full.iter().map(|queued| queued.batch.len()).sum();
        if dropped > 0 {
            self.full.retain(|queued| queued.batch.is_empty());
        }
        dropped
    }

    /// What is taken now is by whoever sends it.
    pub(super) fn note_sender(&mut self) {
        if self.next_sender.is_some() {
            self.sender = self.next_sender.take();
        }
    }

    /// The reader is done with the batch that it took.
    pub(super) fn settle(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            bounds.settle();
        }
    }

    /// How many messages a session may bring now.
    pub(super) fn room(&self) -> usize {
        // When nobody reads any more, the connection goes on until its outgoing lane ends it, and what
        // comes is thrown away by `push`. Where a message takes the place of another, there is always room.
        if self.reader.gone || self.conflate {
            usize::MAX
        } else {
            self.free
        }
    }

    /// Messages in the queue, and those that the reader has taken and is not done with.
    pub(super) fn queued(&self) -> usize {
        if self.reader.gone || self.unwanted.is_some() {
            return 0;
        }
        let withheld = self.bounds.as_ref().and_then(|bounds| bounds.withheld);
        self.hwm - self.free - withheld.unwrap_or_default() + self.over
    }

    /// Until when what is queued may still be sent, when the writer is gone. `None`: it is not.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.writer.gone.then_some(self.linger)
    }

    /// Whether there are no messages, nor word of a peer that left.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.latest.as_ref().is_none_or(|latest| latest.is_empty())
            && self.full.iter().all(|queued| queued.batch.is_empty())
            && !self.has_word_of_leaving()
    }

    fn has_word_of_leaving(&self) -> bool {
        let left = |mark: &Mark| matches!(mark, Mark::Peer(PeerMark::Left));
        self.marks.iter().any(left)
    }

    /// Puts a mark behind what is queued, or before it.
    pub(super) fn mark(&mut self, mark: Mark, ahead: bool) {
        if ahead {
            self.full.push_front(Batch::new().into());
            self.marks.push_front(mark);
            return;
        }
        self.close_open();
        self.full.push_back(Batch::new().into());
        self.marks.push_back(mark);
    }

    /// The mark that stands where the reader is. Few lanes ever have another, so their memory is given back.
    pub(super) fn take_mark(&mut self) -> Option<Mark> {
        let mark = self.marks.pop_front();
        if self.marks.is_empty() {
            self.marks = VecDeque::new();
        }
        if self.full.is_empty() {
            self.full = VecDeque::new();
        }
        mark
    }

    /// The reader is done with `messages` of what it took.
    #[inline]
    pub(super) fn release(&mut self, messages: usize) -> Option<Notice<PipeWriter>> {
        if self.unwanted.is_some() {
            return None;
        }
        let paid = self.over.min(messages);
        self.over -= paid;
        self.free += messages - paid;
        if let Some(bounds) = &mut self.bounds
            && let Some(withheld) = &mut bounds.withheld
        {
            *withheld += std::mem::take(&mut self.free);
            if bounds.is_low(&self.open) {
                self.free = bounds.withheld.take().unwrap_or_default();
            }
        }
        if self.writer.parked && self.free >= self.hwm - self.hwm / 2 {
            return self.writer.unpark();
        }
        None
    }

    /// Whether buffers are kept that an idle connection should let go of.
    pub(super) fn keeps_buffers(&self) -> bool {
        self.spares.iter().map(Batch::spare).sum::<usize>() > NEGLIGIBLE
    }

    pub(super) fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        if self.spares.len() < SPARES && (1..=KEEP).contains(&batch.spare()) {
            if self.spares.capacity() == 0 {
                // Most lanes never need more.
                self.spares.reserve_exact(1);
            }
            self.spares.push(batch);
        }
    }

    /// The reader goes: what is queued is handed out to be dropped, and nothing more may come.
    pub(super) fn close_reader(&mut self) -> (VecDeque<Queued>, Batch, Option<Notice<PipeWriter>>) {
        self.tally.left.add(self.queued());
        self.reader.gone = true;
        self.free = 0;
        self.bounds = None;
        self.latest = None;
        (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
            self.writer.notify_closed(),
        )
    }
}
