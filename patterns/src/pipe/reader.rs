//! The socket's receiving end of a pipe: what routing strategies read from.

use std::sync::Arc;

use zmtp::{Batch, Message};

use super::counters::Counters;
use super::ends::{Drive, Wakeup, deliver};
use super::inbox::PipeEnd;
use super::lane::Lane;
use super::left::Left;
use super::peers::{Author, Mark, PeerMark, PeerName};
use super::queue::Queue;
use super::session_end::{A_STREAM, SMALL};
use super::taking::Oldest;
use super::{Linger, Origin, PipeId, PipeWriter};
use crate::coop::note_heard;
use crate::peer::Peer;
use crate::routing_id::{Identity, RoutingId};
use crate::sync::BriefGuard;

/// Messages of one batch behind which more is looked for at once: they are a stream. (Models have fewer.)
const MANY: usize = if cfg!(purezmq_loom) { 2 } else { A_STREAM };

/// Bytes of a buffer that an idle pipe keeps: what a lone small message takes, which need not be allocated for each.
const KEEP: usize = 64;

/// What a pipe has for the socket.
pub(crate) enum Popped<T = Message> {
    /// The oldest message.
    Message(T),
    /// The peer came or left, after the last message and before the next.
    Mark(PeerMark),
    /// Nothing now. The pipe's id comes as an event when there is something.
    Empty,
    /// Nothing ever more.
    Ended,
}

/// The socket's receiving end of a pipe.
pub(crate) struct PipeReader {
    pub(super) id: PipeId,
    pub(super) origin: Origin,
    pub(super) lane: Arc<Lane>,
    /// The other direction: it ends with this one. `None`: it has ended, and what is left here does without it.
    pub(super) outgoing: Option<Arc<Lane>>,
    pub(super) linger: Arc<Linger>,
    /// The batch that messages are popped from, without a lock.
    pub(super) batch: Batch,
    /// Where messages are counted that were popped since the lane was last told.
    pub(super) counters: Arc<Counters>,
    /// Tell the lane after so many.
    pub(super) report_at: usize,
    /// The batch had many messages when it was taken.
    pub(super) had_many: bool,
    /// The batch had a few small messages of another socket's, which pushes each by itself: the two go in step, and meet at
    /// the lock.
    pub(super) in_step: bool,
    /// The batch was one message, and all there was: the pipe was asked at once to say when there is more.
    pub(super) waits: bool,
    /// The connection at the other end when the reader found nothing last: it goes there when something has come.
    pub(super) known: Option<Arc<dyn Drive>>,
    /// Who sends, for a socket that names its peers.
    pub(super) peer: Option<RoutingId>,
    /// What was looked at, and is not taken yet.
    pub(super) news: Option<Box<PeerMark>>,
    /// What keeps the name for what was sent under it.
    pub(super) name: Option<Arc<dyn PeerName>>,
    /// The name by which the application was told that the peer came.
    pub(super) told: Option<Box<RoutingId>>,
    /// Who has sent what is popped.
    pub(super) author: Author,
}

impl PipeReader {
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Ends the connection, and keeps what it has brought.
    pub(crate) fn conclude(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.close_writer(self.id, &self.linger);
        }
    }

    /// Has its session tell nobody any more of what comes, nor of its end: this end is about to be dropped.
    pub(crate) fn hush(&self) {
        let mut lane = self.lane.lock();
        let holder = lane.writer.is_session().then(|| lane.reader.let_go());
        drop(lane);
        drop(holder);
    }

    /// Lets go of the other direction, if its session has ended and it is never asked whom it was given to. The writer
    /// hears of that end by itself.
    pub(super) fn let_go_of_outgoing(&mut self) {
        let lane = self.lane.lock();
        let is_asked = self.author.is_one_of_several || lane.peers.are_several();
        let may_go = lane.writer.is_session() && !is_asked;
        drop(lane);
        if may_go {
            self.outgoing
                .take_if(|outgoing| outgoing.lock().reader.gone);
        }
    }

    /// Returns whether nothing comes any more, but for what has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.lane.lock().writer.gone
    }

    /// Returns the name of whoever sent the message that was popped last.
    pub(crate) fn peer(&self) -> Option<&RoutingId> {
        self.peer.as_ref()
    }

    /// Returns the name by which the application was told that the peer came, if it was, and not yet that it has left.
    pub(crate) fn told(&self) -> Option<&RoutingId> {
        self.told.as_deref()
    }

    /// Returns who has sent the message that was popped last, as far as it matters for answers.
    #[inline]
    pub(crate) fn identity(&self) -> Identity {
        self.author.identity
    }

    /// Looks up the name: another connection has taken it.
    pub(crate) fn rename(&mut self) {
        if let Some(name) = &self.name {
            self.peer = Some(name.name());
        }
    }

    /// Returns whether the newest message to the peer was given to whoever has sent what was popped last.
    pub(crate) fn was_given(&self) -> bool {
        if !self.author.is_one_of_several {
            return true;
        }
        self.outgoing.as_ref().is_some_and(|outgoing| {
            let lane = outgoing.lock();
            lane.given == self.author.identity && lane.is_empty()
        })
    }

    /// Returns whether a peer whose place another has taken has left something that is not popped yet.
    pub(crate) fn is_behind(&self, identity: Identity) -> bool {
        if !self.batch.is_empty() {
            return self.author.identity == identity;
        }
        let lane = self.lane.lock();
        let is_mark = lane.full.front().is_some_and(|one| one.batch.is_empty());
        lane.peers.has_another() && !is_mark
    }

    /// Returns who has sent the message that was popped last. `None`: none was.
    pub(crate) fn sender(&self) -> Option<Arc<Peer>> {
        self.author.peer.clone()
    }

    /// Returns the connection that the pipe ends at, if there is one now.
    pub(crate) fn connection(&self) -> Option<Arc<dyn Drive>> {
        self.lane.lock().connection()
    }

    /// Takes the oldest message, if it is at hand and a single frame.
    #[inline(always)]
    pub(crate) fn pop_at_hand(&mut self) -> Option<Message> {
        if let Some(message) = self.batch.pop_inline() {
            self.count();
            return Some(message);
        }
        if let Some(payload) = self.batch.pop_boxed() {
            self.count();
            return Some(Message::boxed(payload));
        }
        let payload = self.batch.pop_large()?;
        self.count();
        Some(Message::shared(payload))
    }

    /// Returns the first frame of the message that `pop_at_hand` would take.
    #[inline]
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.batch.front()
    }

    #[inline(always)]
    fn count(&mut self) {
        if self.counters.popped.add_one() >= self.report_at {
            self.report();
        }
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Popped {
        self.pop_with(&mut Batch::pop)
    }

    /// Takes the oldest message, as `take` takes it off its batch.
    pub(crate) fn pop_with<T>(
        &mut self,
        take: &mut impl FnMut(&mut Batch) -> Option<T>,
    ) -> Popped<T> {
        loop {
            if let Some(message) = take(&mut self.batch) {
                if !self.waits {
                    self.count();
                }
                return Popped::Message(message);
            }
            if let Some(nothing) = self.refill(true) {
                return nothing;
            }
        }
    }

    /// Returns whether there is something to take now, that stays where it is. `None`: nor ever more.
    pub(crate) fn look(&mut self) -> Option<bool> {
        loop {
            if !self.batch.is_empty() || self.news.is_some() {
                return Some(true);
            }
            match self.refill::<()>(false) {
                None | Some(Popped::Message(())) => {}
                // Nothing but the name, which is noted.
                Some(Popped::Mark(PeerMark::Joined { tell: false, .. })) => {}
                Some(Popped::Mark(mark)) => self.news = Some(Box::new(mark)),
                Some(Popped::Empty) => return Some(false),
                Some(Popped::Ended) => return None,
            }
        }
    }

    /// Throws away what is waiting, which nobody reads, but not what comes meanwhile.
    pub(crate) fn discard(&mut self) {
        let batches = self.lane.lock().full.len() + 1;
        for _ in 0..=batches {
            self.counters.popped.add(self.batch.len());
            self.counters.unread.add(self.batch.len());
            self.batch.clear();
            if let Some(Popped::Empty | Popped::Ended) = self.refill::<()>(false) {
                return;
            }
        }
    }

    /// Returns whether the last message was all there was, and the pipe's id comes as an event when there is more.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Returns whether something has come at the stream since it has looked.
    #[inline]
    pub(crate) fn has_arrived(&self) -> bool {
        self.lane.has_arrived()
    }

    /// Says that it looks by itself whether something has come, when it waits.
    #[inline]
    pub(crate) fn stay(&self) {
        self.lane.stay();
    }

    /// Takes the next batch, whose first message is going to be `popped`. `Some`: there is something else, or nothing.
    fn refill<T>(&mut self, popped: bool) -> Option<Popped<T>> {
        note_heard();
        if let Some(mark) = self.news.take() {
            return Some(Popped::Mark(*mark));
        }
        let had_many = std::mem::take(&mut self.had_many);
        self.waits = false;
        let has_arrived = self.lane.take_arrival();
        if has_arrived && let Some(connection) = &self.known {
            connection.hear();
        }
        let mut lane = match std::mem::take(&mut self.in_step) {
            true => self.lane.lock_in_step(),
            false => self.lane.lock(),
        };
        let expired = lane.expire();
        lane.settle();
        let mut wakeup = lane.release(self.counters.popped.take()).or(expired);
        if had_many && lane.full.is_empty() && lane.open.is_empty() {
            // More has come, likely.
            lane = bring(&self.lane, lane, wakeup.take(), self.id);
        }
        self.report_at = lane.hwm - lane.hwm / 2;
        let (mut old, mut left) = (None, None);
        let nothing = match lane.take_into(&mut self.batch) {
            Oldest::Mark => lane.take_mark().and_then(|mark| match mark {
                Mark::Sender(peer) => {
                    lane.peers.next_sender = Some(peer);
                    None
                }
                Mark::Joined { name, tell } => {
                    self.author.meet(&mut lane.peers);
                    let peer = name.name();
                    old = self.name.replace(name);
                    self.told = tell.then(|| Box::new(peer.clone()));
                    self.peer = Some(peer.clone());
                    Some(Popped::Mark(PeerMark::Joined { name: peer, tell }))
                }
                Mark::Words(words) => {
                    self.author.meet(&mut lane.peers);
                    // It pays for the place that it gives back when it is popped.
                    lane.fill(1);
                    let mut batch = Batch::new();
                    batch.push_owned(*words, usize::MAX);
                    batch.begin_popping();
                    self.batch = batch;
                    None
                }
                Mark::Renewed => {
                    self.author.meet(&mut lane.peers);
                    Some(Popped::Mark(PeerMark::Renewed))
                }
                Mark::Left => {
                    self.author.meet(&mut lane.peers);
                    if let Some(told) = self.told.take() {
                        self.peer = Some(*told);
                    }
                    Some(Popped::Mark(PeerMark::Left))
                }
            }),
            Oldest::Batch => {
                let batch = &mut self.batch;
                batch.begin_popping();
                self.author.meet(&mut lane.peers);
                let (messages, bytes) = (batch.len(), batch.byte_len());
                let is_inproc = !lane.writer.is_session();
                // Of an inproc pipe, nothing in between has counted them.
                if is_inproc && std::mem::take(&mut lane.began) == 0 {
                    lane.counters.add_traffic(messages, bytes);
                }
                self.in_step =
                    is_inproc && (2..A_STREAM).contains(&messages) && bytes <= messages * SMALL;
                if lane.looks_at_batch(batch) {
                    // The writer hears at once that the batch is done with.
                    self.report_at = self.report_at.min(messages);
                }
                self.had_many = messages >= MANY;
                // Who has gone to the stream for one message waits for the next one, too.
                if popped && has_arrived && messages == 1 && lane.is_all_taken() {
                    lane.reader.parked = true;
                    self.lane.listen();
                    left = lane.know(&mut self.known);
                    self.waits = true;
                    wakeup = lane.release(1).or(wakeup);
                }
                None
            }
            Oldest::Nothing if lane.writer.gone => Some(Popped::Ended),
            Oldest::Nothing => {
                lane.reader.parked = true;
                self.lane.listen();
                left = lane.know(&mut self.known);
                if self.batch.spare() > KEEP {
                    // An idle pipe keeps next to no buffer.
                    self.batch = Batch::new();
                }
                Some(Popped::Empty)
            }
        };
        drop(lane);
        // They may free a name and end a connection, and are dropped without the lock.
        drop((old, left));
        deliver(wakeup, self.id);
        nothing
    }

    #[cold]
    fn report(&mut self) {
        let mut lane = self.lane.lock();
        if self.batch.is_empty() {
            lane.settle();
        }
        if let Some(wakeup) = lane.release(self.counters.popped.take()) {
            drop(bring(&self.lane, lane, Some(wakeup), self.id));
        }
    }
}

/// Has the connection take what has come, from here, unless its task is at it: so a reader in the middle of a stream goes
/// on without a detour through another thread. Otherwise the task gets `wakeup`.
#[cold]
fn bring<'a>(
    lane: &'a Lane,
    queue: BriefGuard<'a, Queue>,
    wakeup: Option<Wakeup<PipeWriter>>,
    id: PipeId,
) -> BriefGuard<'a, Queue> {
    let connection = queue.connection();
    drop(queue);
    if !connection.is_some_and(|connection| connection.bring()) {
        deliver(wakeup, id);
    }
    lane.lock()
}

impl PipeEnd for PipeReader {
    fn id(&self) -> PipeId {
        self.id
    }

    fn origin(&self) -> Origin {
        self.origin
    }

    fn is_spent(&self) -> bool {
        let lane = self.lane.lock();
        lane.writer.gone && lane.is_empty()
    }

    fn left(&mut self) -> Left {
        self.left_in_lane().unwrap_or_default()
    }

    fn has_only(&self, is_so: fn(&[u8]) -> bool) -> bool {
        self.lane_has_only(is_so)
    }

    fn abandon(&mut self) {
        self.throw_away();
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut lane = self.lane.lock();
        // The writer is told by what follows.
        let _ = lane.release(self.counters.popped.take());
        if lane.writer.is_session() {
            let unread = lane.queued();
            lane.counters.unread.add(unread);
        } else {
            // What is in hand is received. What is still in the queue is the writer's, and unsent.
            lane.counters.unread.add(self.batch.len());
            let _ = lane.release(self.batch.len());
        }
        let (full, open, wakeup) = lane.close_reader();
        drop(lane);
        drop((full, open));
        deliver(wakeup, self.id);
        // The writer goes with it, or is another half's, which may rest: meanwhile, the peer would send to nobody.
        self.conclude();
        self.linger.note_gone();
    }
}
