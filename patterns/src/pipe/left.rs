//! What is left in a lane when its writer has gone; and lanes that nobody takes anything from, where what comes is thrown
//! away.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};

use zmtp::Batch;

use super::PipeReader;
use super::byte_budget::ByteBudget;
use super::ends::deliver;
use super::queue::Queue;
use crate::options::Options;

/// Bytes that a pipe costs of which something is left, beside that.
const OVERHEAD: usize = 4 * 1024;

/// Batches below this are copied when their sender has gone: each may hold a read buffer of up to 256 KiB.
const COPIED_BELOW: usize = 64 * 1024;

/// Messages of a peer that has gone that are looked at: what the default HWM lets wait.
const MOST_SEEN: usize = 1000;

/// What peers that have gone have left, or may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Left {
    /// The most there may be if there is no limit.
    pub(crate) const UNLIMITED: Left = Left {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    /// Returns what peers that have gone may leave, all together.
    pub(crate) fn most(options: &Options) -> Left {
        Left {
            messages: options.departed_hwm.unwrap_or(usize::MAX),
            bytes: options.departed_hwm_bytes.unwrap_or(usize::MAX),
        }
    }

    /// Adds what another one has left, unless that makes it more than `most`: then `false`. What one has left alone is
    /// always kept.
    pub(crate) fn keep(&mut self, more: Left, most: Left) -> bool {
        let mut all = *self;
        all += more;
        let exceeds = all.messages > most.messages || all.bytes > most.bytes;
        if exceeds && *self != Left::default() {
            return false;
        }
        *self = all;
        true
    }
}

impl AddAssign for Left {
    fn add_assign(&mut self, more: Self) {
        self.messages = self.messages.saturating_add(more.messages);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl SubAssign for Left {
    fn sub_assign(&mut self, less: Self) {
        self.messages = self.messages.saturating_sub(less.messages);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

impl PipeReader {
    /// Returns what is left to be taken from a pipe whose writer has gone, in as little memory as it takes. `None`:
    /// nothing is.
    pub(crate) fn left(&mut self) -> Option<Left> {
        compact(&mut self.batch);
        let mut left = self.left_in_lane();
        if !self.batch.is_empty() || self.news.is_some() {
            let left = left.get_or_insert_default();
            left.messages = left.messages.max(self.batch.len());
            left.bytes = left.bytes.max(OVERHEAD + self.batch.byte_len());
        }
        left
    }

    /// The same of what has not been taken out of the lane.
    pub(super) fn left_in_lane(&mut self) -> Option<Left> {
        self.let_go_of_outgoing();
        let mut lane = self.lane.lock();
        if lane.is_empty() {
            return None;
        }
        for queued in &mut lane.full {
            compact(&mut queued.batch);
        }
        compact(&mut lane.open);
        lane.full.shrink_to_fit();
        lane.peers.shrink();
        Some(Left {
            messages: lane.queued().saturating_sub(self.counters.popped()),
            bytes: OVERHEAD
                .saturating_add(lane.budget.held())
                .saturating_add(lane.open.byte_len()),
        })
    }

    /// Returns whether nothing waits in the lane but single frames of which this is true. Where there are many, nobody
    /// looks.
    pub(super) fn lane_has_only(&self, is_so: fn(&[u8]) -> bool) -> bool {
        let lane = self.lane.lock();
        if lane.policy.is_some() || lane.peers.has_departure() || lane.queued() > MOST_SEEN {
            return false;
        }
        let closed = lane.full.iter().map(|queued| &queued.batch);
        let mut frames = closed.chain([&lane.open]).flat_map(Batch::frames);
        frames.all(|(frame, more)| !more && is_so(frame))
    }

    /// Throws away what is there, and all that comes: nobody takes it.
    pub(crate) fn throw_away(&mut self) {
        let unread = std::mem::take(&mut self.batch);
        let mut lane = self.lane.lock();
        if lane.discards {
            return;
        }
        if !lane.writer.is_session() {
            lane.counters.unread.add(unread.len());
        }
        let dropped = lane.discard();
        let wakeup = lane.writer.unpark();
        drop(lane);
        drop((unread, dropped));
        deliver(wakeup, self.id);
    }
}

/// Copies a small batch, which may hold a large buffer.
fn compact(batch: &mut Batch) {
    if batch.is_empty() || batch.byte_len() >= COPIED_BELOW {
        return;
    }
    let mut old = std::mem::take(batch);
    let mut copy = Batch::with_capacity(old.byte_len());
    while let Some(message) = old.pop() {
        copy.push_owned(message, usize::MAX);
    }
    *batch = copy;
}

impl Queue {
    /// Throws away all that is queued, and from now on what comes. Returns it, to be dropped without the lock.
    pub(super) fn discard(&mut self) -> (VecDeque<super::queued::Queued>, Batch) {
        let popped = self.counters.popped.take();
        if self.writer.is_session() {
            self.counters
                .unread
                .add(self.queued().saturating_sub(popped));
        } else {
            // By inproc, what is still in the queue is the writer's, and unsent.
            self.counters.left.add(self.unsent());
        }
        self.discards = true;
        self.peers.forget_marks();
        self.policy = None;
        self.budget = ByteBudget::new(None);
        self.free = self.hwm;
        self.over = 0;
        self.began = 0;
        let dropped = (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
        );
        self.look_again();
        dropped
    }

    /// Throws away a batch that a session brings where nobody takes it.
    pub(super) fn throw_away(&mut self, batch: &Batch) {
        self.counters.add_traffic(batch.len(), batch.byte_len());
        self.counters.discarded.add(batch.len());
    }

    /// Throws away what the socket at the other end of an inproc pipe has pushed.
    pub(super) fn discard_open(&mut self) {
        let thrown = self.open.len();
        self.counters.add_traffic(thrown, self.open.byte_len());
        self.counters.discarded.add(thrown);
        self.open.clear();
        self.free = self.hwm;
        self.over = 0;
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::super::tests::{Socket, incoming, message, notes};
    use super::super::{PipeEnd, PipeEvent, Popped};
    use super::*;

    /// Whatever the mark becomes while a session is about to bring what there was room for, it is counted exactly.
    #[test]
    fn a_mark_that_is_lowered_while_a_peer_sends_is_right_again_when_that_is_taken() {
        for (before, after) in [(10, 1), (10, 9), (1, 10), (10, 0), (0, 3), (3, 1)] {
            let socket = Socket::new(before);
            let mut session = socket.pipe();
            let (_writer, mut reader) = socket.ends();
            let room = session.incoming.room().min(10);
            socket.stats.set_hwms(after, after);
            session.incoming.push(incoming(0..room));
            assert_eq!(reader.lane.lock().queued(), room, "{before} {after}");
            for number in 0..room {
                let Popped::Message(popped) = reader.pop() else {
                    panic!("what came is there");
                };
                assert_eq!(popped, message(number));
            }
            assert!(matches!(reader.pop(), Popped::Empty));
            let queue = reader.lane.lock();
            assert_eq!((queue.queued(), queue.over), (0, 0), "{before} {after}");
            assert_eq!(queue.free, queue.hwm);
        }
    }

    /// A session brings more than there is room for: what the protocol says in a peer's place comes beyond the mark.
    #[test]
    fn what_comes_beyond_the_mark_is_paid_for_before_there_is_room() {
        let socket = Socket::new(2);
        let mut session = socket.pipe();
        let (_writer, mut reader) = socket.ends();
        session.incoming.push(incoming(0..5));
        assert_eq!(session.incoming.room(), 0);
        for _ in 0..5 {
            assert!(matches!(reader.pop(), Popped::Message(_)));
        }
        assert!(matches!(reader.pop(), Popped::Empty));
        assert_eq!(session.incoming.room(), 2);
    }

    #[test]
    fn what_is_thrown_away_is_counted_and_holds_nothing_up() {
        let socket = Socket::new(3);
        let mut session = socket.pipe();
        let (_writer, mut reader) = socket.ends();
        session.incoming.push(incoming(0..3));
        assert_eq!(session.incoming.room(), 0);
        reader.throw_away();
        assert_eq!(session.incoming.room(), usize::MAX);
        session.incoming.push(incoming(3..10));
        assert_eq!(reader.lane.lock().queued(), 0);
        assert!(matches!(reader.pop(), Popped::Empty));
        let dropped = socket.stats.dropped();
        assert_eq!((dropped.unread, dropped.discarded), (3, 7));
        drop(session);
        assert!(reader.is_spent());
    }

    #[test]
    fn what_peers_have_left_unseen_is_bounded_all_together() {
        let socket = Socket::new(10);
        socket.readers.limit_left(Left {
            messages: 25,
            bytes: usize::MAX,
        });
        for _ in 0..100 {
            let mut session = socket.pipe();
            session.incoming.push(incoming(0..10));
        }
        let mut kept = 0;
        for event in notes(&socket.readers) {
            kept += usize::from(matches!(event, PipeEvent::Attached(_)));
        }
        assert_eq!(kept, 2);
        assert_eq!(socket.stats.dropped().unread, 980 + 20);
    }

    #[test]
    fn the_pipes_of_a_handle_that_has_gone_vanish_with_their_connections() {
        let socket = Socket::new(10);
        let mut sessions: Vec<_> = (0..3).map(|_| socket.pipe()).collect();
        let readers = notes(&socket.readers).into_iter();
        let readers = readers.filter_map(|event| match event {
            PipeEvent::Attached(reader) => Some(*reader),
            _ => None,
        });
        drop(sessions.pop());
        socket.readers.abandon(readers.collect::<Vec<_>>());
        sessions.push(socket.pipe());
        for session in &mut sessions {
            session.incoming.push(incoming(0..10));
            assert_eq!(session.incoming.room(), usize::MAX);
        }
        let dropped = socket.stats.dropped();
        assert_eq!((dropped.unread, dropped.discarded), (0, 30));
        drop(sessions);
        assert!(notes(&socket.readers).is_empty());
    }
}
