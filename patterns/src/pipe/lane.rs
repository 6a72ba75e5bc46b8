//! The lane: one direction of a pipe, a queue under a lock. Here is what is done under it in more than one step, and who
//! is told afterwards.

use std::sync::Arc;

use zmtp::Batch;

use super::ends::{Holder, Wakeup, deliver};
use super::limits::Sides;
use super::peers::{Mark, PeerName};
use super::queue::Queue;
use super::{Deadline, Linger, PipeEvent, PipeId, PipeReader, PipeWriter};
use crate::peer::Peer;
use crate::routing_id::Identity;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{BriefGuard, BriefMutex};

/// Bytes of a line of the processor's cache.
const LINE: usize = 64;

/// What lies in front of a lane is on other lines than its lock, if the allocator aligns by 16 bytes. Less than to align the
/// lane would take.
const APART: usize = LINE - 16;

/// One direction of a pipe.
#[repr(C)]
pub(super) struct Lane {
    /// It may be that the writer's session lends its stream.
    lends: AtomicBool,
    /// The reader waits for something to come at that session's stream.
    listens: AtomicBool,
    /// It looks by itself whether that has come, and needs no event.
    stays: AtomicBool,
    /// It was told that something has, which lies there still, unless the session's task was sooner.
    has_arrived: AtomicBool,
    /// The reader's session has gone to rest, and the next push is to note that.
    rested: AtomicBool,
    /// The lock, and what a push looks at, share no line with what was allocated before: what a thread has there for itself
    /// would be fought for by two at each message. What comes behind is next to what is seldom used.
    _apart: [u8; APART - 5],
    queue: BriefMutex<Queue>,
}

/// How a reader waits for something to come at the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// An event calls it.
    Aside,
    /// It looks for itself, once its call is polled.
    Here,
}

/// Takes what has been noted. What is noted at this very moment may count as the same.
#[inline]
fn take(noted: &AtomicBool) -> bool {
    let was_noted = noted.load(Ordering::Acquire);
    if was_noted {
        noted.store(false, Ordering::Relaxed);
    }
    was_noted
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("queued", &self.lock().queued())
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(
        limits: Sides,
        writer: Holder<PipeWriter>,
        reader: Holder<PipeReader>,
    ) -> Arc<Self> {
        Arc::new(Lane {
            _apart: [0; APART - 5],
            lends: AtomicBool::new(false),
            listens: AtomicBool::new(false),
            stays: AtomicBool::new(false),
            has_arrived: AtomicBool::new(false),
            rested: AtomicBool::new(false),
            queue: BriefMutex::new(Queue::new(limits, writer, reader)),
        })
    }

    /// Notes whether the writer's session may lend its stream: who asks it has to have the lock.
    pub(super) fn set_lends(&self, lends: bool) {
        self.lends.store(lends, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn lends(&self) -> bool {
        self.lends.load(Ordering::Relaxed)
    }

    /// Notes that the reader has found nothing, and waits.
    pub(super) fn listen(&self) {
        self.stays.store(false, Ordering::Relaxed);
        self.listens.store(true, Ordering::Relaxed);
    }

    /// Notes that the reader that waits looks by itself whether something has come.
    pub(super) fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Notes that something has come at the stream. Returns whether the reader has waited for that, and is to be told.
    pub(super) fn note_arrival(&self) -> Option<Awaited> {
        if !take(&self.listens) {
            return None;
        }
        self.has_arrived.store(true, Ordering::Release);
        Some(match self.stays.load(Ordering::Relaxed) {
            true => Awaited::Here,
            false => Awaited::Aside,
        })
    }

    /// Returns whether the reader was told of something that it has not looked for since.
    #[inline]
    pub(super) fn has_arrived(&self) -> bool {
        self.has_arrived.load(Ordering::Acquire)
    }

    /// Returns whether the reader was told of something since the last time.
    #[inline]
    pub(super) fn take_arrival(&self) -> bool {
        take(&self.has_arrived)
    }

    /// Notes that the session which reads has gone to rest, where that is told without the lock.
    pub(super) fn note_rest(&self) {
        self.rested.store(true, Ordering::Relaxed);
    }

    /// Returns whether it has since the last time.
    #[inline]
    pub(super) fn take_rest(&self) -> bool {
        take(&self.rested)
    }

    #[inline]
    pub(super) fn lock(&self) -> BriefGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Locks it for a reader that goes in step with a writer on another thread.
    #[inline]
    pub(super) fn lock_in_step(&self) -> BriefGuard<'_, Queue> {
        self.queue.lock_in_step()
    }

    /// Puts what a connection begins with in front of the queue, behind the word of who begins it, beyond the HWM.
    pub(super) fn begin(&self, id: PipeId, first: Batch) {
        let mut queue = self.lock();
        queue.live = true;
        if first.is_empty() {
            return;
        }
        if queue.discards {
            return queue.throw_away(&first);
        }
        queue.counters.add_traffic(first.len(), first.byte_len());
        queue.began = first.len();
        queue.over += first.len();
        queue.put_begin(first);
        let wakeup = queue.reader.unpark();
        drop(queue);
        deliver(wakeup, id);
    }

    /// Notes who sends what comes from here on.
    pub(super) fn set_sender(&self, peer: Arc<Peer>) {
        self.lock().set_sender(peer);
    }

    /// Ends the lane because the writer goes: what it has sent may still be sent on for the time of `linger`. Does
    /// nothing if it has gone before.
    pub(super) fn close_writer(&self, id: PipeId, linger: &Linger) {
        Self::end_writer(self.lock(), id, linger);
    }

    /// Does so for a writer that is dropped, and hears nothing of the reader's end.
    pub(super) fn let_go_of_writer(&self, id: PipeId, linger: &Linger) {
        let mut queue = self.lock();
        let holder = queue.writer.let_go();
        Self::end_writer(queue, id, linger);
        drop(holder);
    }

    fn end_writer(mut queue: BriefGuard<'_, Queue>, id: PipeId, linger: &Linger) {
        if queue.writer.gone {
            return;
        }
        queue.writer.gone = true;
        queue.linger = Deadline::after(linger.get());
        Self::last_words(&mut queue);
        let wakeup = queue.reader.notify_closed();
        Self::part(queue, wakeup, id);
    }

    /// Does what goes with the end of a writer that went before all of that was known.
    pub(super) fn catch_up(&self, id: PipeId) {
        let mut queue = self.lock();
        if !queue.writer.gone {
            return;
        }
        Self::last_words(&mut queue);
        // It finds the end behind what was sent, all of which is still to be had.
        let wakeup = queue.reader.unpark();
        Self::part(queue, wakeup, id);
    }

    /// Frees the name of a writer that has gone, and then tells the reader: who hears of it may count on the name.
    pub(super) fn part(
        mut queue: BriefGuard<'_, Queue>,
        wakeup: Option<Wakeup<PipeReader>>,
        id: PipeId,
    ) {
        let name = queue.peers.name.take();
        drop(queue);
        if let Some(name) = name {
            name.leave();
        }
        deliver(wakeup, id);
    }

    /// Puts the last words of a writer that has gone behind what it has sent.
    fn last_words(queue: &mut Queue) {
        if let Some(words) = queue.peers.words.take()
            && !queue.reader.gone
        {
            queue.mark_words(words);
        }
        if std::mem::take(&mut queue.peers.is_announced) && !queue.reader.gone {
            // Of an inproc pipe: sessions tell it themselves.
            queue.mark(Mark::Left, false);
        }
    }

    /// Ends the lane whose writer stays, as `close_writer` does. If it had ended before, it lingers for no longer than this.
    pub(super) fn hurry(&self, id: PipeId, linger: &Linger) {
        self.close_writer(id, linger);
        let mut queue = self.lock();
        let deadline = Deadline::after(linger.get());
        if !deadline.is_before(queue.linger) {
            return;
        }
        queue.linger = deadline;
        let wakeup = queue
            .reader
            .is_session()
            .then(|| queue.reader.notify_closed());
        drop(queue);
        deliver(wakeup.flatten(), id);
    }

    /// Gives the writer the name by which the reader knows it. `ahead`: for what is queued already, too.
    pub(super) fn set_name(&self, id: PipeId, name: Arc<dyn PeerName>, tell: bool, ahead: bool) {
        let mut queue = self.lock();
        let joined = Mark::Joined {
            name: name.clone(),
            tell,
        };
        queue.mark(joined, ahead);
        queue.peers.is_announced = tell;
        let old = queue.peers.name.replace(name.clone());
        let wakeup = queue.reader.unpark();
        drop(queue);
        if let Some(old) = old
            && !Arc::ptr_eq(&old, &name)
        {
            old.leave();
        }
        deliver(wakeup, id);
    }

    /// Notes who reads what is queued from here on, and tells the writer. If that is somebody else than before, and
    /// `is_addressed`, what was queued for the one before is dropped, and nothing is taken until the writer knows.
    pub(super) fn set_receiver(&self, id: PipeId, identity: Identity, is_addressed: bool) {
        let mut queue = self.lock();
        if queue.identity == identity {
            return;
        }
        let before = std::mem::replace(&mut queue.identity, identity);
        let given_up = (is_addressed && before != Identity::ANY).then(|| queue.give_up());
        let inbox = match &queue.writer.holder {
            Holder::Socket(inbox) => Some(inbox.clone()),
            Holder::Session(_) | Holder::Nobody => None,
        };
        drop(queue);
        if let Some(inbox) = inbox {
            inbox.post(PipeEvent::Met(id, identity));
        }
        if let Some((full, open, wakeup)) = given_up {
            drop((full, open));
            deliver(wakeup, id);
        }
    }
}
