//! The session's ends of a pipe.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::ends::{Drive, Wakeup, deliver, name_receiver};
use super::evict::EvictReason;
use super::lane::Lane;
use super::outstanding::Outstanding;
use super::peers::{Mark, PeerName};
use super::policy::look_every;
use super::queue::Queue;
use super::reader::PipeReader;
use super::taking::Oldest;
use super::{Deadline, LaneCounts, Party, PipeId};
use crate::coop::note_stream;
use crate::peer::Peer;
use crate::routing_id::RoutingId;

/// Messages written in one run of the session's task that are a stream: others follow the next one closely, and it goes
/// with them. Alone, it would cost a system call, and wake the peer for one message. So many taken by a reader at once are
/// one as well.
pub(super) const A_STREAM: usize = 64;

/// Bytes of a stream's messages, on average, up to which they are small: what threads do for each other counts for more than
/// what is copied.
pub(super) const SMALL: usize = 512;

/// The same over tcp, where a write and the wake-up of the peer cost more than over ipc. There, a run of a few messages of so
/// many bytes is a stream, too: a program that makes each message itself is interrupted that soon by the thread that sends.
const SMALL_OVER_TCP: usize = 16 * 1024;
const A_SHORT_STREAM: (usize, usize) = (8, 8 * 1024);

/// The session's end of a pipe: both directions.
pub(crate) struct SessionPipe {
    pub(crate) outgoing: OutgoingEnd,
    pub(crate) incoming: IncomingEnd,
    pub(super) attached: bool,
    /// The pipe outlives its connections, and the peer keeps its name between them.
    pub(super) lasting: bool,
}

impl SessionPipe {
    /// Lets the socket's handle drive the connection from here on.
    pub(crate) fn offer(&mut self, connection: &Weak<impl Drive + 'static>) {
        self.outgoing.lane.lock().drive = Some(connection.clone());
        self.incoming.lane.lock().drive = Some(connection.clone());
    }

    /// Takes the connection away from the socket's handle: it is over.
    pub(crate) fn withdraw(&mut self) {
        self.incoming.lane.lock().drive = None;
        self.incoming.set_lends(false);
        let mut lane = self.outgoing.lane.lock();
        lane.drive = None;
        lane.drive_next = false;
    }

    pub(crate) fn id(&self) -> PipeId {
        self.outgoing.id
    }

    /// Returns what gives the pipe's messages up, should the pipe go down with its task.
    pub(crate) fn outstanding(&self) -> Outstanding {
        Outstanding {
            id: self.outgoing.id,
            tenant: self.outgoing.lane.lock().tenant,
            lane: self.outgoing.lane.clone(),
        }
    }

    /// Gives the pipe to another task: who has been given its `outstanding` before has nothing more to do with it.
    pub(crate) fn hand_over(&self) {
        self.outgoing.lane.lock().tenant += 1;
    }

    /// Gives the socket its ends, which it finds in its inboxes.
    pub(crate) fn attach(&mut self, party: &Party<'_>) {
        self.attached = true;
        let lanes = (self.outgoing.lane.clone(), self.incoming.lane.clone());
        party.attach(self.id(), lanes, self.name());
    }

    /// Returns what has come by a pipe that no socket was given: nobody will read it.
    pub(crate) fn ignored(&self) -> LaneCounts {
        let lane = self.incoming.lane.lock();
        let mut dropped = lane.counters.dropped_of_receiver();
        dropped.unread += lane.queued() as u64;
        LaneCounts {
            traffic: lane.counters.traffic(),
            queued: 0,
            dropped,
        }
    }

    /// Lets the pipe serve one connection after the other.
    pub(crate) fn set_lasting(&mut self) {
        self.lasting = true;
    }

    /// Ends a connection: others may have the peer's name, and with `tell`, the socket hears of it.
    pub(crate) fn peer_left(&self, tell: bool) {
        let mut lane = self.incoming.lane.lock();
        let was_known = lane.peers.name.is_some();
        let given_up = if self.lasting {
            None
        } else {
            lane.peers.name.take()
        };
        drop(lane);
        // Before it is told: who hears of it may count on the name.
        if let Some(name) = given_up {
            name.leave();
        }
        if !tell || !was_known {
            return;
        }
        let mut lane = self.incoming.lane.lock();
        lane.mark(Mark::Left, false);
        let wakeup = lane.reader.unpark();
        drop(lane);
        deliver(wakeup, self.id());
    }

    /// Has the socket read this behind what has come, as if the peer had sent it: the connection has ended.
    pub(crate) fn say(&self, words: Message) {
        let mut lane = self.incoming.lane.lock();
        if lane.reader.gone {
            return;
        }
        lane.mark_words(Box::new(words));
        let wakeup = lane.reader.unpark();
        drop(lane);
        deliver(wakeup, self.id());
    }

    /// Ends the direction to the peer, which takes nothing any more: what is queued is unsent, and the writer hears of it. A
    /// pipe that serves one connection after the other keeps it for the next one: then `false`.
    pub(crate) fn end_outgoing(&mut self) -> bool {
        if !self.lasting {
            self.outgoing.end();
        }
        !self.lasting
    }

    /// Has the socket hear where the messages of the next connection begin.
    pub(crate) fn mark_next(&mut self) {
        self.incoming.renews = self.lasting;
    }

    /// Returns the name by which the peer is known so far.
    pub(crate) fn name(&self) -> Option<RoutingId> {
        self.incoming.lane.lock().peers.name()
    }

    /// Begins a connection, whose peer this is. `is_addressed`: what is sent is for the peer that it is sent to, and for no
    /// other one that comes in its place.
    pub(crate) fn set_peer(&self, peer: &Arc<Peer>, is_addressed: bool) {
        self.incoming.lane.set_sender(peer.clone());
        self.outgoing
            .lane
            .set_receiver(self.id(), peer.identity, is_addressed);
    }

    /// Gives the peer the name by which the socket knows it from here on. `tell`: and the application hears of it.
    /// A pipe that has waited for the name has messages already: those come under it, too.
    pub(crate) fn set_name(&self, claim: Arc<dyn PeerName>, tell: bool) {
        name_receiver(self.id(), &self.outgoing.lane, claim.name());
        let ahead = !self.attached && !self.lasting;
        self.incoming.lane.set_name(self.id(), claim, tell, ahead);
    }
}

/// Where a session takes what the socket sends.
pub(crate) struct OutgoingEnd {
    pub(super) id: PipeId,
    pub(super) lane: Arc<Lane>,
}

/// What a session has to know that goes to rest.
pub(crate) struct Rest {
    /// Until when what is queued may still be sent, when the socket is gone.
    pub(crate) linger: Option<Deadline>,
    /// When to look whether the connection is to end.
    pub(crate) ends_at: Option<Instant>,
    /// Buffers worth a timer are kept.
    pub(crate) keeps_buffers: bool,
    /// The socket takes no new work.
    pub(crate) drains: bool,
    /// The next message is sent by its sender.
    pub(crate) next_is_lone: bool,
}

/// What the socket has for the session.
pub(crate) enum Taken {
    /// The oldest batch, which is in the session's hands now.
    Batch,
    /// The socket is gone and everything it sent is taken, or the connection was asked to end.
    Finished,
}

impl OutgoingEnd {
    /// Has a batch closed when it has so many bytes, or as many as in a lane of which nothing is known.
    pub(crate) fn set_batch_size(&mut self, bytes: Option<usize>) {
        self.lane.lock().set_batch_size(bytes.unwrap_or_default());
    }

    /// Takes the oldest batch in place of an empty one; parks when there is none.
    pub(crate) fn poll_take(&mut self, batch: &mut Batch, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut lane = self.lane.lock();
        lane.reader.set_task(cx.waker());
        if lane.is_ending {
            return Poll::Ready(Taken::Finished);
        }
        let wakeup = lane.expire();
        let taken = match lane.take_into(batch) {
            Oldest::Nothing if lane.writer.gone => Poll::Ready(Taken::Finished),
            Oldest::Nothing => {
                lane.reader.parked = true;
                Poll::Pending
            }
            Oldest::Batch | Oldest::Mark => {
                lane.given = lane.identity;
                Poll::Ready(Taken::Batch)
            }
        };
        drop(lane);
        deliver(wakeup, self.id);
        taken
    }

    /// Begins a connection: changes of the subscriptions are queued from now on. Those before are not for
    /// this connection, which begins with the whole set.
    pub(crate) fn begin_live(&mut self, is_change: impl Fn(&Message) -> bool) {
        let mut lane = self.lane.lock();
        lane.live = true;
        let wakeup = lane.sift(is_change);
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Ends a connection: changes of the subscriptions are not queued until the next one begins, and those that are
    /// queued are for nobody.
    pub(crate) fn end_live(&mut self, is_change: impl Fn(&Message) -> bool) {
        let mut lane = self.lane.lock();
        lane.live = false;
        let wakeup = lane.sift(is_change);
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Says whether a run of a few messages is a stream already, since a write is dear.
    pub(crate) fn set_streams_soon(&mut self, streams_soon: bool) {
        self.lane.lock().streams_soon = streams_soon;
    }

    /// Lets the next message be sent by its sender: the session's task goes to rest. But not the next one of a stream.
    /// `None`: the socket wants the connection closed.
    pub(crate) fn rest(&mut self) -> Option<Rest> {
        let mut lane = self.lane.lock();
        let is_stream = lane.end_run();
        let is_wanted = lane.evicted.is_none() && !lane.is_ending;
        is_wanted.then(|| Rest {
            linger: lane.deadline(),
            ends_at: lane.ends_at,
            keeps_buffers: lane.keeps_buffers(),
            drains: lane.drain.writer_drains,
            next_is_lone: !is_stream,
        })
    }

    /// Does so for a session whose task is at rest already, and is woken when there is anything to know.
    pub(crate) fn rest_again(&self) {
        self.lane.note_rest();
    }

    /// Returns why the socket wants the peer gone, if it does.
    pub(crate) fn evicted(&self) -> Option<EvictReason> {
        self.lane.lock().evicted
    }

    /// Takes messages again: the connection to the evicted peer is closed, and what follows is for another one.
    pub(crate) fn clear_eviction(&mut self) {
        let mut lane = self.lane.lock();
        let wakeup = lane.clear_eviction();
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Drops what has waited for too long. Returns how soon to look again, if messages have a time to live.
    pub(crate) fn expire(&mut self) -> Option<Duration> {
        let mut lane = self.lane.lock();
        let policy = lane.policy.as_ref();
        let ttl = policy.and_then(|policy| policy.ttl.as_ref().map(|ttl| ttl.time));
        let wakeup = lane.expire();
        drop(lane);
        deliver(wakeup, self.id);
        ttl.map(look_every)
    }

    /// Lets go of the buffers that are kept: nothing has been sent for a while.
    pub(crate) fn shrink(&mut self) {
        let mut lane = self.lane.lock();
        lane.spares.clear();
        lane.open.shrink_to(0);
    }

    /// Returns until when what is queued may still be sent, when the socket is gone. `None`: it is not.
    pub(crate) fn linger(&self) -> Option<Deadline> {
        self.lane.lock().deadline()
    }

    /// Waits until the socket is gone: for a session that has no connection to send to, or one that takes nothing yet.
    pub(crate) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lane = self.lane.lock();
        lane.reader.set_task(cx.waker());
        if lane.writer.gone {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Returns how many messages are queued for the peer or in the session's hands.
    pub(crate) fn unsent(&self) -> usize {
        self.lane.lock().queued()
    }

    /// Returns whether the writer waits for room.
    pub(crate) fn is_awaited(&self) -> bool {
        self.lane.lock().writer.parked
    }

    /// Ends the direction, if it has not ended before.
    fn end(&mut self) {
        let mut lane = self.lane.lock();
        if lane.reader.gone {
            // The writer has been told, and told again would keep it in mind.
            return;
        }
        let (full, open, wakeup) = lane.close_reader();
        drop(lane);
        drop((full, open));
        deliver(wakeup, self.id);
    }
}

impl Queue {
    /// Ends a run of the session: the next message is sent by its sender, unless it follows a stream. Returns whether it does.
    pub(super) fn end_run(&mut self) -> bool {
        let (messages, bytes) = std::mem::take(&mut self.written_in_run);
        let (few, some) = A_SHORT_STREAM;
        let is_short = self.streams_soon && messages >= few && bytes >= some;
        let is_stream = messages >= A_STREAM || is_short;
        self.drive_next = !is_stream;
        let small = match self.streams_soon {
            true => SMALL_OVER_TCP,
            false => SMALL,
        };
        if is_stream && bytes <= messages * small {
            note_stream();
        }
        is_stream
    }
}

#[cfg(test)]
impl OutgoingEnd {
    /// Takes the oldest batch, or finds that there will be none.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        let mut batch = Batch::new();
        self.poll_take(&mut batch, cx).map(|taken| match taken {
            Taken::Batch => Some(batch),
            Taken::Finished => None,
        })
    }
}

impl Drop for OutgoingEnd {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a socket will be told.
type Held = Option<Wakeup<PipeReader>>;

/// Where a session puts what the peer sends.
pub(crate) struct IncomingEnd {
    pub(super) id: PipeId,
    pub(super) lane: Arc<Lane>,
    /// What comes next is marked as that of another connection.
    pub(super) renews: bool,
    /// The socket is told when this ends, and what.
    pub(super) held: Option<Held>,
    /// Messages that may be pushed, if those are many.
    pub(super) credit: u32,
    /// The reader has asked for what is pushed now, and looks.
    pub(super) is_asked: bool,
}

impl IncomingEnd {
    /// Tells the socket of what is pushed from here on when [`tell`](Self::tell) comes, and not with each batch.
    pub(crate) fn hold(&mut self) {
        self.held = Some(None);
    }

    /// Tells the socket of what has been pushed meanwhile.
    pub(crate) fn tell(&mut self) {
        deliver(self.held.take().flatten(), self.id);
    }

    /// Says whether the reader asks for what is pushed from here on, and looks: it need not be told.
    pub(crate) fn set_asked(&mut self, is_asked: bool) {
        self.is_asked = is_asked;
    }

    /// Returns how many messages may be pushed for certain, if they are many. 0: it has to be asked.
    pub(crate) fn credit(&self) -> usize {
        self.credit as usize
    }

    /// Returns how many messages may be pushed now.
    pub(crate) fn room(&self) -> usize {
        self.lane.lock().room()
    }

    /// Returns how many messages may be pushed now; parks when none.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let mut lane = self.lane.lock();
        match lane.room() {
            0 => {
                lane.writer.set_task(cx.waker());
                lane.writer.parked = true;
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }

    /// Waits until the application has taken all that has come and asks for more, or does not read any more; not at all if
    /// nothing has come. Who waits hears of each batch that is taken.
    pub(crate) fn poll_heard_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lane = self.lane.lock();
        let has_said_nothing = lane.counters.traffic().messages == 0;
        let is_heard_out = lane.queued() == 0 && (lane.reader.parked || has_said_nothing);
        if is_heard_out || lane.reader.gone || lane.discards {
            return Poll::Ready(());
        }
        lane.writer.set_task(cx.waker());
        lane.writer.parked = true;
        Poll::Pending
    }

    /// Hands whole messages to the socket.
    pub(crate) fn push(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut lane = self.lane.lock();
        if lane.discards {
            return lane.throw_away(&batch);
        }
        if lane.reader.gone {
            // What is queued for the peer is still being sent, and the peer sends on.
            lane.counters.add_traffic(batch.len(), batch.byte_len());
            lane.counters.unread.add(batch.len());
            return;
        }
        if std::mem::take(&mut self.renews) {
            lane.mark(Mark::Renewed, false);
        }
        lane.append(batch);
        self.credit = u32::try_from(lane.credit()).unwrap_or(u32::MAX);
        let wakeup = if self.is_asked {
            lane.reader.parked = false;
            None
        } else {
            lane.reader.unpark()
        };
        drop(lane);
        match &mut self.held {
            Some(held) => *held = wakeup.or(held.take()),
            None => deliver(wakeup, self.id),
        }
    }
}

impl Drop for IncomingEnd {
    fn drop(&mut self) {
        let mut lane = self.lane.lock();
        lane.writer.gone = true;
        let wakeup = lane.reader.notify_closed();
        Lane::part(lane, wakeup, self.id);
    }
}
