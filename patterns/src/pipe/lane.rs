//! The lane: one direction of a pipe, with what both of its ends share under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};
use zmtp::{Batch, Message};

use super::tally::Tally;
use super::{Deadline, PipeId, PipeReader, PipeWriter};
use crate::inbox::{Inbox, Note, PipeEnd};
use crate::routing_id::RoutingId;
use crate::socket::Place;

/// Bytes in the buffer of a batch that begin another one: just under the largest segment of a TCP stream, which
/// is what one write carries best, and small enough for the buffer to be kept.
pub(super) const BATCH: usize = 60 * 1024;

/// Capacity of a buffer that is kept for another batch. Fresh memory costs a page fault for every 4 KiB.
const KEEP: usize = 256 * 1024;

/// Buffers kept.
const SPARES: usize = 16;

/// Bytes that may be kept for good. Looking after them takes a timer, and each sleep of a thread that has one
/// costs more than that of one that has none: a fifteenth of a round trip.
const NEGLIGIBLE: usize = 4096;

/// One direction of a pipe.
pub(super) struct Lane {
    pub(super) state: Mutex<LaneState>,
}

pub(super) struct LaneState {
    /// How many messages may still come: the HWM less those in the queue and those that the reader
    /// has taken and not yet done with. Nothing once the reader has gone.
    pub(super) free: usize,
    /// What `free` is when nothing is there.
    pub(super) hwm: usize,
    /// The batch that new messages go to. Younger than all of `full`.
    pub(super) open: Batch,
    /// Batches before it, oldest first. An empty one stands for the oldest of `news`.
    pub(super) full: VecDeque<Batch>,
    pub(super) news: VecDeque<News>,
    /// Messages that were let in beyond the HWM: what the reader is done with pays for them first.
    pub(super) over: usize,
    /// Only the newest message counts.
    pub(super) conflate: bool,
    /// The writer's place among the reader's peers: given up when the writer goes.
    pub(super) place: Option<Place>,
    pub(super) writer: End<PipeWriter>,
    pub(super) reader: End<PipeReader>,
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

/// A connection that a socket's handle can drive itself, instead of waking the connection's task.
pub(crate) trait Drive: Send + Sync {
    /// Sends what is queued, as far as it goes without waiting. `false`: the task has to be woken.
    fn drive(&self) -> bool;
    /// Sends what is queued and takes what has come, without asking the runtime what is ready. Says
    /// whether anything moved.
    fn exchange(&self) -> bool;
}

/// What a lane knows of one of its ends.
pub(super) struct End<E> {
    pub(super) gone: bool,
    /// This end found nothing to do and waits to be told.
    pub(super) parked: bool,
    pub(super) at: At<E>,
}

/// Who sits at an end.
pub(super) enum At<E> {
    /// A session, with its task's waker.
    Session(Option<Waker>),
    /// A socket.
    Socket(Arc<Inbox<E>>),
    /// Nobody yet: an inproc pipe whose peer has not bound.
    Nobody,
}

/// What has to be told to an end once the lane is unlocked.
pub(super) enum Notice<E> {
    /// A parked session has something to do.
    Wake(Waker),
    /// A parked pipe of a socket can be tried again.
    Changed(Arc<Inbox<E>>),
    /// The other end of a socket's pipe has gone.
    Ended(Arc<Inbox<E>>),
}

/// Tells what has to be told, if there is anything. Only without the lane's lock.
pub(super) fn send<E: PipeEnd>(notice: Option<Notice<E>>, id: PipeId) {
    match notice {
        None => {}
        Some(Notice::Wake(waker)) => waker.wake(),
        Some(Notice::Changed(inbox)) => inbox.post(Note::Changed(id)),
        Some(Notice::Ended(inbox)) => inbox.ended(id),
    }
}

impl<E: PipeEnd> End<E> {
    pub(super) fn new(at: At<E>) -> Self {
        End {
            gone: false,
            parked: false,
            at,
        }
    }

    #[inline]
    pub(super) fn unpark(&mut self) -> Option<Notice<E>> {
        if !self.parked {
            return None;
        }
        self.parked = false;
        match &self.at {
            At::Session(waker) => waker.clone().map(Notice::Wake),
            At::Socket(inbox) => Some(Notice::Changed(inbox.clone())),
            At::Nobody => None,
        }
    }

    /// Remembers a session's task: it is woken when it is parked, and when the other end goes.
    pub(super) fn remember(&mut self, waker: &Waker) {
        if let At::Session(old) = &mut self.at {
            match old {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// The other end goes: this one has to know, parked or not.
    pub(super) fn bereave(&self) -> Option<Notice<E>> {
        match &self.at {
            At::Session(waker) => waker.clone().map(Notice::Wake),
            At::Socket(inbox) => Some(Notice::Ended(inbox.clone())),
            At::Nobody => None,
        }
    }
}

/// What a socket hears of its peer, between the messages before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A connection began: its peer goes by this name. `tell`: the application is to hear of it.
    Came { name: RoutingId, tell: bool },
    /// The connection ended.
    Left,
}

pub(super) fn limit(hwm: usize) -> usize {
    if hwm == 0 { usize::MAX } else { hwm }
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
        hwm: usize,
        conflate: bool,
        writer: At<PipeWriter>,
        reader: At<PipeReader>,
    ) -> Arc<Self> {
        let hwm = if conflate { 1 } else { limit(hwm) };
        Arc::new(Lane {
            state: Mutex::new(LaneState {
                free: hwm,
                hwm,
                over: 0,
                conflate,
                news: VecDeque::new(),
                place: None,
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
        lane.full.push_front(first);
        let notice = lane.reader.unpark();
        drop(lane);
        send(notice, id);
    }

    /// The writer is known by a name from here on. `ahead`: for what is queued already, too.
    pub(super) fn introduce(&self, id: PipeId, place: Place, tell: bool, ahead: bool) {
        let mut lane = self.lock();
        let name = place.name().clone();
        lane.tell(News::Came { name, tell }, ahead);
        let old = lane.place.replace(place);
        let notice = lane.reader.unpark();
        drop(lane);
        drop(old);
        send(notice, id);
    }
}

/// A lane as the ledger sees it, also when it is gone.
#[derive(Debug)]
pub(crate) struct LaneView {
    lane: Weak<Lane>,
    pub(crate) tally: Arc<Tally>,
}

impl LaneView {
    pub(super) fn of(lane: &Arc<Lane>) -> Self {
        LaneView {
            lane: Arc::downgrade(lane),
            tally: lane.lock().tally.clone(),
        }
    }

    /// Whether anybody has one of its ends.
    pub(crate) fn is_there(&self) -> bool {
        self.lane.strong_count() > 0
    }

    /// Whether its reader is there.
    pub(crate) fn is_read(&self) -> bool {
        let lane = self.lane.upgrade();
        lane.is_some_and(|lane| !lane.lock().reader.gone)
    }

    /// Messages in the queue, and those that the reader has taken and is not done with.
    pub(crate) fn queued(&self) -> usize {
        let lane = self.lane.upgrade();
        lane.map_or(0, |lane| lane.lock().queued())
    }

    /// The name by which the writer is known.
    pub(crate) fn writer(&self) -> Option<RoutingId> {
        let lane = self.lane.upgrade()?;
        let lane = lane.lock();
        lane.place.as_ref().map(|place| place.name().clone())
    }
}

/// Tells a socket's sending end who it sends to.
pub(super) fn name_receiver(id: PipeId, outgoing: &Lane, name: RoutingId) {
    let inbox = match &outgoing.lock().writer.at {
        At::Socket(inbox) => inbox.clone(),
        At::Session(_) | At::Nobody => return,
    };
    inbox.post(Note::Named(id, name));
}

impl LaneState {
    /// The oldest batch, now in the reader's hands.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if let Some(batch) = self.full.pop_front() {
            return Some(batch);
        }
        if self.open.is_empty() {
            return None;
        }
        let spare = self.spares.pop().unwrap_or_default();
        Some(std::mem::replace(&mut self.open, spare))
    }

    /// The open batch is large enough: the next messages go to another one.
    #[cold]
    pub(super) fn close_batch(&mut self) {
        if self.conflate {
            return; // There is one message, in the open batch.
        }
        // The next one is going to be as large: growing step by step would cost more.
        let size = self.open.buffered();
        let next = self.spares.pop();
        let next = next.unwrap_or_else(|| Batch::with_capacity(size));
        let closed = std::mem::replace(&mut self.open, next);
        self.full.push_back(closed);
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
        if self.reader.gone {
            return 0;
        }
        self.hwm - self.free + self.over
    }

    /// Until when what is queued may still be sent, when the writer is gone. `None`: it is not.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.writer.gone.then_some(self.linger)
    }

    /// Whether there are no messages, nor word of a peer that left.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.full.iter().all(Batch::is_empty)
            && !self.news.contains(&News::Left)
    }

    /// Puts news behind what is queued, or before it.
    pub(super) fn tell(&mut self, news: News, ahead: bool) {
        if ahead {
            self.full.push_front(Batch::new());
            self.news.push_front(news);
            return;
        }
        if !self.open.is_empty() {
            let before = std::mem::take(&mut self.open);
            self.full.push_back(before);
        }
        self.full.push_back(Batch::new());
        self.news.push_back(news);
    }

    /// The reader is done with `messages` of what it took.
    #[inline]
    pub(super) fn release(&mut self, messages: usize) -> Option<Notice<PipeWriter>> {
        let paid = self.over.min(messages);
        self.over -= paid;
        self.free += messages - paid;
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
            self.spares.push(batch);
        }
    }

    pub(super) fn raise_hwm(&mut self, hwm: usize) {
        if !self.conflate {
            self.free += hwm - self.hwm;
            self.hwm = hwm;
        }
    }

    /// From now on, only the newest message counts. Nothing has been taken yet.
    pub(super) fn conflate_if(&mut self, on: bool) {
        if !on || self.conflate {
            return;
        }
        self.conflate = true;
        let before = self.queued();
        if self.open.is_empty() {
            self.open = self.full.pop_back().unwrap_or_default();
        }
        self.full.clear();
        let queued = self.open.len();
        self.open.truncate_front(queued.saturating_sub(1));
        self.tally.conflated.add(before - self.open.len());
        self.hwm = 1;
        self.over = 0;
        self.free = 1 - self.open.len();
    }

    /// Throws away what is queued that `is_stale` says is of no use to the next connection.
    pub(super) fn sift(&mut self, is_stale: impl Fn(&Message) -> bool) {
        let mut queue = std::mem::take(&mut self.full);
        queue.push_back(std::mem::take(&mut self.open));
        let mut stale = 0;
        for mut batch in queue {
            while let Some(message) = batch.pop() {
                if is_stale(&message) {
                    stale += 1;
                } else {
                    self.open.push_owned(message, PipeWriter::BY_REFERENCE);
                }
            }
        }
        let paid = self.over.min(stale);
        self.over -= paid;
        self.free += stale - paid;
    }

    /// The reader goes: what is queued is handed out to be dropped, and nothing more may come.
    pub(super) fn bereave_writer(
        &mut self,
    ) -> (VecDeque<Batch>, Batch, Option<Notice<PipeWriter>>) {
        self.tally.left.add(self.queued());
        self.reader.gone = true;
        self.free = 0;
        (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
            self.writer.bereave(),
        )
    }
}
