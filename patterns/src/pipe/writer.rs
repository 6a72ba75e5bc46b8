//! The socket's sending end of a pipe: what routing strategies write to.

use std::sync::Arc;

use zmtp::{Batch, Envelope, Message};

use super::counters::Counters;
use super::ends::{Drive, deliver};
use super::evict::EvictReason;
use super::inbox::PipeEnd;
use super::lane::Lane;
use super::queue::Queue;
use super::stalled::shares;
use super::{Linger, Origin, PipeId};
use crate::routing_id::Identity;
use crate::sync::BriefGuard;

/// Why a message did not go into a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The HWM is reached. The pipe's id comes as an event when there is room again.
    Full,
    /// The peer is gone for good.
    Gone,
    /// Somebody else has come in the place of the peer that it is meant for. An event says so, too.
    Strange,
}

/// The socket's sending end of a pipe.
pub(crate) struct PipeWriter {
    pub(super) id: PipeId,
    pub(super) origin: Origin,
    pub(super) lane: Arc<Lane>,
    /// The connection at the other end when it was found at rest last.
    pub(super) known: Option<Arc<dyn Drive>>,
    pub(super) linger: Arc<Linger>,
    pub(super) counters: Arc<Counters>,
    /// Who is at the other end, as the socket knows.
    pub(super) identity: Identity,
}

impl PipeWriter {
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns who is at the other end.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Knows who is at the other end from here on.
    pub(crate) fn meet(&mut self, identity: Identity) {
        self.identity = identity;
        self.lane.lock().acknowledge(identity);
    }

    /// Counts a message that was dropped because the pipe is full.
    pub(crate) fn count_dropped(&self) {
        self.counters.missed.add(1);
    }

    /// Queues a message. What is left in it after success means nothing; a refused one is untouched.
    #[inline(always)]
    pub(crate) fn push(&mut self, message: &mut Message) -> Result<(), Refused> {
        self.put(|batch, by_reference| batch.push_from(message, by_reference))
    }

    /// Queues a message with an envelope around it.
    pub(crate) fn push_enveloped(
        &mut self,
        envelope: &Envelope,
        message: &mut Message,
    ) -> Result<(), Refused> {
        self.put(|batch, by_reference| batch.push_enveloped(envelope, message, by_reference))
    }

    /// Queues a message that is encoded already: its bytes are copied, or, if the peer takes nothing, those of `shared` are
    /// shared with all others like it.
    #[inline]
    pub(crate) fn push_encoded<'a>(
        &mut self,
        message: &Batch,
        shared: impl FnOnce(usize) -> &'a Batch,
    ) -> Result<(), Refused> {
        self.put(|batch, by_reference| match shares(by_reference) {
            true => batch.extend_from(shared(by_reference)),
            false => batch.extend_from(message),
        })
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
        if lane.open.byte_len() >= lane.look_at {
            lane.batch_grown();
        }
        pushed(&self.lane, lane, &mut self.known, self.id);
        Ok(())
    }

    /// Queues a change of the subscriptions, whatever the HWM, but only for a live connection.
    pub(crate) fn push_if_live(&mut self, message: &Message) {
        let mut lane = self.lane.lock();
        if lane.live && !lane.reader.gone {
            lane.push_change(message);
            pushed(&self.lane, lane, &mut self.known, self.id);
        }
    }

    /// Returns whether `push` would take a message. If it would not, the pipe's id comes as an event when it would.
    pub(crate) fn check_room(&mut self) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free == 0 {
            // Whoever asks needs no event.
            let _ = lane.expire();
        }
        let takes = !lane.reader.gone && !lane.is_strange && !lane.budget.is_held_back();
        if lane.free > 0 || (lane.conflates() && takes) {
            return Ok(());
        }
        Err(Self::refuse(&mut lane))
    }

    /// Returns whether what is queued is enough for a write that is worth its system call.
    pub(crate) fn has_batch(&self) -> bool {
        let lane = self.lane.lock();
        !lane.full.is_empty() || lane.open.byte_len() >= lane.batch_size()
    }

    /// Makes room by dropping the oldest messages, which are counted.
    pub(crate) fn drop_oldest(&mut self) {
        let mut lane = self.lane.lock();
        if !lane.reader.gone {
            lane.drop_oldest();
        }
    }

    /// Takes back what the other end has not taken yet. It is counted nowhere.
    pub(crate) fn withdraw(&mut self) {
        // Nobody waits here for room.
        drop(self.lane.lock().sift(|_| true));
    }

    /// Drops all that is queued, and has the connection closed. What is sent to it is refused until there is another
    /// connection, if one comes to this pipe. Without a connection, nothing happens. `false`: there is no connection to
    /// close, since this is an inproc pipe.
    pub(crate) fn evict(&mut self, why: EvictReason) -> bool {
        let mut lane = self.lane.lock();
        if lane.reader.is_session() && lane.drive.is_none() {
            // Nobody is there to be slow: what is queued is for whoever comes.
            return true;
        }
        let dropped = lane.evict(why);
        if !lane.reader.is_session() {
            return false;
        }
        let wakeup = lane.reader.notify_closed();
        drop(lane);
        drop(dropped);
        deliver(wakeup, self.id);
        true
    }

    /// Returns whether the reader has yet to see what was sent: it is awake, or there is none.
    pub(crate) fn has_unread(&self) -> bool {
        !self.lane.lock().reader.parked
    }

    /// Has the connection of a pipe that was found full send what is queued, from here, unless its task is at it or has a
    /// thread of its own: who would have to wait does that itself, without a detour through the scheduler. An event says if
    /// that has made room.
    #[cold]
    pub(crate) fn relieve(&self) {
        let connection = self.lane.lock().connection();
        if let Some(connection) = connection {
            connection.relieve();
        }
    }

    /// Has the connection send what is queued, from here, if its task waits for this thread.
    #[cold]
    pub(crate) fn send_on(&self) {
        let connection = self.lane.lock().connection();
        if let Some(connection) = connection {
            connection.send_on();
        }
    }

    /// Makes room in a full lane, if messages have expired or newer ones take the places of older ones there.
    #[cold]
    fn make_room(lane: &mut Queue) -> Result<(), Refused> {
        // Whoever asks needs no event.
        let _ = lane.expire();
        if lane.is_strange {
            return Err(Self::refuse(lane));
        }
        if lane.free > 0 || (!lane.budget.is_held_back() && lane.make_room()) {
            Ok(())
        } else {
            Err(Self::refuse(lane))
        }
    }

    fn refuse(lane: &mut Queue) -> Refused {
        if lane.reader.gone {
            Refused::Gone
        } else if lane.is_strange {
            Refused::Strange
        } else {
            lane.writer.parked = true;
            Refused::Full
        }
    }
}

/// Wakes the reader of what was pushed, if it is at rest.
#[inline(always)]
fn pushed(
    lane: &Lane,
    queue: BriefGuard<'_, Queue>,
    known: &mut Option<Arc<dyn Drive>>,
    id: PipeId,
) {
    if queue.reader.parked {
        wake_reader(lane, queue, known, id);
    }
}

/// Wakes the reader, which is at rest. A session whose task has run since the last time is driven from here: the
/// message is on its way when `send` returns, without a detour through the runtime. The messages
/// that follow closely find that used up, and collect in a batch for the task; so do those that follow a stream.
#[cold]
fn wake_reader(
    lane: &Lane,
    mut queue: BriefGuard<'_, Queue>,
    known: &mut Option<Arc<dyn Drive>>,
    id: PipeId,
) {
    if lane.take_rest() {
        queue.end_run();
    }
    if !std::mem::take(&mut queue.drive_next) {
        let wakeup = queue.reader.unpark();
        drop(queue);
        return deliver(wakeup, id);
    }
    queue.reader.parked = false;
    let left = queue.know(known);
    drop(queue);
    // It may end a connection, and is dropped without the lock.
    drop(left);
    let is_driven = known.as_ref().is_some_and(|one| one.drive_next());
    if !is_driven {
        let wakeup = lane.lock().reader.notify();
        deliver(wakeup, id);
    }
}

impl PipeEnd for PipeWriter {
    fn id(&self) -> PipeId {
        self.id
    }

    fn origin(&self) -> Origin {
        self.origin
    }

    fn is_spent(&self) -> bool {
        self.lane.lock().reader.gone
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.lane.let_go_of_writer(self.id, &self.linger);
    }
}
