//! The socket's ends of a pipe: what routing strategies write to and read from.

use std::sync::{Arc, Weak};

use zmtp::{Batch, Envelope, Message};

use super::ends::{At, Drive, send};
use super::lane::{BY_REFERENCE, EvictReason, Lane, LaneState, Mark, PeerMark};
use super::tally::Tally;
use super::{Linger, Origin, PipeId};
use crate::peer::Peer;
use crate::pipe::PipeEnd;
use crate::routing_id::RoutingId;
use crate::sync::MutexGuard;

/// Why a message did not go into a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The HWM is reached. The pipe's id comes as a note when there is room again.
    Full,
    /// The peer is gone for good.
    Gone,
}

/// The socket's sending end of a pipe.
pub(crate) struct PipeWriter {
    pub(super) id: PipeId,
    pub(super) origin: Origin,
    pub(super) lane: Arc<Lane>,
    pub(super) linger: Arc<Linger>,
    pub(super) tally: Arc<Tally>,
}

impl PipeWriter {
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// A message was dropped because the pipe is full.
    pub(crate) fn count_dropped(&self) {
        self.tally.missed.add(1);
    }

    /// Queues a message. What is left in it after success means nothing; a refused one is untouched.
    #[inline(always)]
    pub(crate) fn push(&mut self, message: &mut Message) -> Result<(), Refused> {
        self.put(|batch, by_reference| batch.push_from(message, by_reference))
    }

    /// `push` with an envelope around the message.
    pub(crate) fn push_enveloped(
        &mut self,
        envelope: &Envelope,
        message: &mut Message,
    ) -> Result<(), Refused> {
        self.put(|batch, by_reference| batch.push_enveloped(envelope, message, by_reference))
    }

    /// Queues a message that is encoded already: the bytes are shared among all who get it.
    #[inline]
    pub(crate) fn push_encoded(&mut self, message: &Batch) -> Result<(), Refused> {
        self.put(|batch, _| batch.extend_from(message))
    }

    /// Queues the one message that `encode` adds to the batch.
    #[inline(always)]
    fn put(&mut self, encode: impl FnOnce(&mut Batch, usize)) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free == 0 {
            Self::make_room(&mut lane)?;
        }
        lane.free -= 1;
        let by_reference = lane.by_reference;
        encode(&mut lane.open, by_reference);
        if lane.open.buffered() >= lane.close_at {
            lane.batch_grown();
        }
        self.pushed(lane);
        Ok(())
    }

    /// Queues a change of the subscriptions, whatever the HWM, but only for a live connection.
    pub(crate) fn push_if_live(&mut self, message: &Message) {
        let mut lane = self.lane.lock();
        if lane.live && !lane.reader.gone {
            if lane.free == 0 {
                lane.over += 1;
            } else {
                lane.free -= 1;
            }
            if lane.bounds.is_some() {
                // It has no time to live.
                lane.close_open();
                let mut change = Batch::new();
                change.push(message, BY_REFERENCE);
                lane.full.push_back(change.into());
            } else {
                lane.open.push(message, BY_REFERENCE);
            }
            self.pushed(lane);
        }
    }

    /// Whether `push` would take a message. If it would not, the pipe's id comes as a note when it would.
    pub(crate) fn check_room(&mut self) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free == 0 {
            // Whoever asks needs no note.
            lane.expire();
        }
        if lane.free > 0 || (lane.conflate && !lane.reader.gone) {
            return Ok(());
        }
        Err(Self::refuse(&mut lane))
    }

    /// Makes room by dropping the oldest messages, which are counted.
    pub(crate) fn drop_oldest(&mut self) {
        let mut lane = self.lane.lock();
        if !lane.reader.gone {
            lane.drop_oldest();
        }
    }

    /// Drops all that is queued, and has the connection closed. What is sent to it is
    /// refused until there is another connection, if one comes to this pipe. Without a connection, nothing happens. `false`: there is no connection to
    /// close, since this is an inproc pipe.
    pub(crate) fn evict(&mut self, why: EvictReason) -> bool {
        let mut lane = self.lane.lock();
        if matches!(lane.reader.at, At::Session(_)) && lane.drive.is_none() {
            // Nobody is there to be slow: what is queued is for whoever comes.
            return true;
        }
        let dropped = lane.evict(why);
        if !matches!(lane.reader.at, At::Session(_)) {
            return false;
        }
        let notice = lane.reader.notify_closed();
        drop(lane);
        drop(dropped);
        send(notice, self.id);
        true
    }

    #[inline]
    fn pushed(&self, lane: MutexGuard<'_, LaneState>) {
        if lane.reader.parked {
            self.wake_reader(lane);
        }
    }

    /// The reader is at rest. A session whose task has run since the last time is driven from here: the
    /// message is on its way when `send` returns, without a detour through the runtime. The messages
    /// that follow closely find that used up, and collect in a batch for the task.
    #[cold]
    fn wake_reader(&self, mut lane: MutexGuard<'_, LaneState>) {
        let notice = lane.reader.unpark();
        let drive = if std::mem::take(&mut lane.drive_next) {
            lane.drive.as_ref().and_then(Weak::upgrade)
        } else {
            None
        };
        drop(lane);
        if drive.is_some_and(|connection| connection.drive()) {
            return;
        }
        send(notice, self.id);
    }

    /// The lane is full: one that conflates gives up what it has, others refuse.
    #[cold]
    fn make_room(lane: &mut LaneState) -> Result<(), Refused> {
        lane.expire();
        if lane.free > 0 {
            return Ok(());
        }
        if let Some(latest) = &mut lane.latest
            && lane.unwanted.is_none()
        {
            latest.beyond = true;
            lane.over += 1;
            lane.free = 1;
            return Ok(());
        }
        if !lane.conflate || lane.reader.gone {
            return Err(Self::refuse(lane));
        }
        if lane.open.is_empty() {
            // The one before is in the reader's hands.
            lane.over += 1;
        } else {
            lane.open.clear();
            lane.tally.conflated.add(1);
        }
        lane.free = 1;
        Ok(())
    }

    fn refuse(lane: &mut LaneState) -> Refused {
        if lane.reader.gone {
            Refused::Gone
        } else {
            lane.writer.parked = true;
            Refused::Full
        }
    }
}

impl PipeEnd for PipeWriter {
    fn id(&self) -> PipeId {
        self.id
    }

    fn is_spent(&self) -> bool {
        self.lane.lock().reader.gone
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.lane.leave(self.id, &self.linger);
    }
}

/// What a pipe has for the socket.
pub(crate) enum Popped<T = Message> {
    /// The oldest message.
    Message(T),
    /// The peer came or left, after the last message and before the next.
    Mark(PeerMark),
    /// Nothing now. The pipe's id comes as a note when there is something.
    Empty,
    /// Nothing ever more.
    Ended,
}

/// The socket's receiving end of a pipe.
pub(crate) struct PipeReader {
    pub(super) id: PipeId,
    pub(super) origin: Origin,
    pub(super) lane: Arc<Lane>,
    /// The other direction: it ends with this one.
    pub(super) outgoing: Arc<Lane>,
    pub(super) linger: Arc<Linger>,
    /// The batch that messages are popped from, without a lock.
    pub(super) batch: Batch,
    /// Messages popped since the lane was last told.
    pub(super) popped: usize,
    /// Tell the lane after so many.
    pub(super) report_at: usize,
    /// Who sends, for a socket that names its peers.
    pub(super) peer: Option<RoutingId>,
}

impl PipeReader {
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Messages popped that the lane has not been told of.
    pub(crate) fn popped(&self) -> usize {
        self.popped
    }

    /// The name of whoever sent the message that was popped last.
    pub(crate) fn peer(&self) -> Option<&RoutingId> {
        self.peer.as_ref()
    }

    /// Who has sent the message that was popped last. `None`: none was.
    pub(crate) fn sender(&self) -> Option<Arc<Peer>> {
        self.lane.lock().sender.clone()
    }

    /// The connection that the pipe ends at, if there is one now.
    pub(crate) fn connection(&self) -> Option<Arc<dyn Drive>> {
        self.lane.lock().drive.as_ref().and_then(Weak::upgrade)
    }

    /// The oldest message, if it is at hand and a single frame.
    #[inline(always)]
    pub(crate) fn pop_at_hand(&mut self) -> Option<Message> {
        if let Some(message) = self.batch.pop_inline() {
            self.count();
            return Some(message);
        }
        if let Some(message) = self.batch.pop_boxed() {
            self.count();
            return Some(message);
        }
        let payload = self.batch.pop_large()?;
        self.count();
        Some(Message::from(payload))
    }

    /// The first frame of the message that `pop_at_hand` would take.
    #[inline]
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.batch.front()
    }

    #[inline(always)]
    fn count(&mut self) {
        self.popped += 1;
        if self.popped >= self.report_at {
            self.report();
        }
    }

    /// The oldest message.
    pub(crate) fn pop(&mut self) -> Popped {
        self.pop_with(&mut Batch::pop)
    }

    /// The oldest message, as `take` takes it off its batch.
    pub(crate) fn pop_with<T>(
        &mut self,
        take: &mut impl FnMut(&mut Batch) -> Option<T>,
    ) -> Popped<T> {
        loop {
            if let Some(message) = take(&mut self.batch) {
                self.count();
                return Popped::Message(message);
            }
            if let Some(nothing) = self.refill() {
                return nothing;
            }
        }
    }

    /// Throws away what is waiting.
    pub(crate) fn discard(&mut self) {
        loop {
            self.popped += self.batch.len();
            self.batch.clear();
            if let Some(Popped::Empty | Popped::Ended) = self.refill::<()>() {
                return;
            }
        }
    }

    /// Takes the next batch. `Some`: there is something else, or nothing.
    fn refill<T>(&mut self) -> Option<Popped<T>> {
        let mut lane = self.lane.lock();
        let expired = lane.expire();
        lane.settle();
        let notice = lane.release(std::mem::take(&mut self.popped)).or(expired);
        self.report_at = lane.hwm - lane.hwm / 2;
        let nothing = match lane.take() {
            Some(mark) if mark.is_empty() => lane.take_mark().and_then(|mark| match mark {
                Mark::Changed(peer) => {
                    lane.next_sender = Some(peer);
                    None
                }
                Mark::Peer(news) => {
                    lane.note_sender();
                    if let PeerMark::Joined { name, .. } = &news {
                        self.peer = Some(name.clone());
                    }
                    Some(Popped::Mark(news))
                }
            }),
            Some(batch) => {
                lane.note_sender();
                if !matches!(lane.writer.at, At::Session(_)) {
                    // Nothing in between has counted them.
                    lane.tally.moved(batch.len(), batch.byte_len());
                }
                if lane.bounds.is_some() {
                    // The writer hears at once that the batch is done with.
                    self.report_at = self.report_at.min(batch.len());
                }
                let done = std::mem::replace(&mut self.batch, batch);
                lane.recycle(done);
                None
            }
            None if lane.writer.gone => Some(Popped::Ended),
            None => {
                lane.reader.parked = true;
                // An idle pipe keeps no buffer.
                self.batch = Batch::new();
                Some(Popped::Empty)
            }
        };
        drop(lane);
        send(notice, self.id);
        nothing
    }

    #[cold]
    fn report(&mut self) {
        let mut lane = self.lane.lock();
        if self.batch.is_empty() {
            lane.settle();
        }
        let notice = lane.release(std::mem::take(&mut self.popped));
        drop(lane);
        send(notice, self.id);
    }
}

impl PipeEnd for PipeReader {
    fn id(&self) -> PipeId {
        self.id
    }

    fn is_spent(&self) -> bool {
        let lane = self.lane.lock();
        lane.writer.gone && lane.is_empty()
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut lane = self.lane.lock();
        // The writer is told by what follows.
        lane.release(std::mem::take(&mut self.popped));
        let (full, open, notice) = lane.close_reader();
        drop(lane);
        drop((full, open));
        send(notice, self.id);
        // The writer goes with it, or is another half's, which may rest: meanwhile, the peer would send to nobody.
        self.outgoing.leave(self.id, &self.linger);
    }
}
