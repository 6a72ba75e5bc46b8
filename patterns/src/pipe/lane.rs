//! The lane: one direction of a pipe, with what both of its ends share under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::bounds::{Bounds, Limits, Queued};
use super::latest::{Latest, Waiting};
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
    pub(super) full: VecDeque<Queued>,
    /// Bytes in the buffer of the open batch that call for `batch_grown`: all of them if there are bounds.
    pub(super) close_at: usize,
    /// Limits beside the HWM.
    pub(super) bounds: Option<Box<Bounds>>,
    /// What waits, if only the newest message of each topic does. Then `open` is empty, and `full` has what is not to
    /// be conflated.
    pub(super) latest: Option<Box<Latest>>,
    /// What the writer and the reader allow, where both are sockets or will be.
    limits: (Option<Limits>, Option<Limits>),
    /// The reader is too slow for the writer, which wants it gone.
    pub(super) unwanted: bool,
    pub(super) news: VecDeque<News>,
    /// Messages that were let in beyond the HWM: what the reader is done with pays for them first.
    pub(super) over: usize,
    /// From how many bytes on payloads join the batch by reference.
    pub(super) by_reference: usize,
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
                unwanted: false,
                free: hwm,
                hwm,
                over: 0,
                conflate: all.conflate,
                by_reference,
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
        lane.put_first(first.into());
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
    pub(crate) fn queued(&self, id: PipeId) -> usize {
        let Some(lane) = self.lane.upgrade() else {
            return 0;
        };
        let mut lane = lane.lock();
        let notice = lane.expire();
        let queued = lane.queued();
        drop(lane);
        send(notice, id);
        queued
    }

    /// The HWM of one of its sides changes.
    pub(crate) fn set_hwm(&self, id: PipeId, of_writer: bool, hwm: usize) {
        if let Some(lane) = self.lane.upgrade() {
            let notice = lane.lock().set_hwm(of_writer, hwm);
            send(notice, id);
        }
    }

    /// The name by which the writer is known.
    pub(crate) fn writer(&self) -> Option<RoutingId> {
        let lane = self.lane.upgrade()?;
        let lane = lane.lock();
        lane.place.as_ref().map(|place| place.name().clone())
    }
}

/// The limits of a lane: its sides' together, or of the side that has some.
fn together(limits: (Option<Limits>, Option<Limits>)) -> Limits {
    match limits {
        (Some(writer), Some(reader)) => Limits::joined(writer, reader),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Limits::default(),
    }
}

fn close_at(bounds: Option<&Bounds>, limits: &Limits) -> usize {
    if bounds.is_some() || limits.by_topic {
        0
    } else {
        BATCH
    }
}

fn latest(limits: &Limits) -> Option<Box<Latest>> {
    (limits.by_topic && !limits.conflate).then(Box::default)
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
    fn closed(&mut self, room: usize) -> Queued {
        let next = self.spares.pop();
        let next = next.unwrap_or_else(|| Batch::with_capacity(room));
        let closed = std::mem::replace(&mut self.open, next);
        match &mut self.bounds {
            None => closed.into(),
            Some(bounds) => bounds.closed(closed),
        }
    }

    /// The open batch is large enough, and the next messages go to another one; or there are bounds to be checked.
    #[cold]
    pub(super) fn batch_grown(&mut self) {
        if self.latest.is_some() {
            let mut open = std::mem::take(&mut self.open);
            self.keep_latest(&mut open);
            self.open = open;
            return;
        }
        let mut most_bytes = usize::MAX;
        if let Some(bounds) = &mut self.bounds {
            self.full.extend(bounds.stamp(&mut self.open));
            most_bytes = bounds.batch_bytes();
        }
        let is_large = self.open.buffered() >= BATCH || self.open.byte_len() >= most_bytes;
        // Where only the newest message counts, there is one, in the open batch.
        if is_large && !self.conflate {
            // The next one is going to be as large: growing step by step would cost more.
            let closed = self.closed(self.open.buffered());
            self.full.push_back(closed);
        }
        self.check_bytes();
    }

    /// Messages came whose topics count: they take the places of older ones.
    pub(super) fn keep_latest(&mut self, batch: &mut Batch) {
        let Some(latest) = &mut self.latest else {
            return;
        };
        let (mut conflated, mut refused) = (0, 0);
        loop {
            let before = batch.byte_len();
            let Some(message) = batch.pop() else {
                break;
            };
            let new = Waiting {
                message,
                expires: self.bounds.as_ref().and_then(|bounds| bounds.expires()),
                bytes: before - batch.byte_len(),
            };
            if let Some(bounds) = &mut self.bounds {
                bounds.hold(new.bytes);
            }
            let dropped = match latest.put(new) {
                Ok(None) => continue,
                Ok(Some(old)) => {
                    conflated += 1;
                    old
                }
                Err(new) => {
                    refused += 1;
                    new
                }
            };
            if let Some(bounds) = &mut self.bounds {
                bounds.let_go(dropped.bytes);
            }
        }
        self.tally.conflated.add(conflated);
        self.tally.full.add(refused);
        self.release(conflated + refused);
        self.check_bytes();
    }

    /// Withholds the room that there is when there are too many bytes.
    pub(super) fn check_bytes(&mut self) {
        if let Some(bounds) = &mut self.bounds
            && bounds.withheld.is_none()
            && bounds.is_full(&self.open)
        {
            bounds.withheld = Some(std::mem::take(&mut self.free));
        }
    }

    /// Drops what has waited for too long. There may be word for the writer that there is room.
    pub(super) fn expire(&mut self) -> Option<Notice<PipeWriter>> {
        let bounds = self.bounds.as_mut()?;
        bounds.ttl?;
        let now = Instant::now();
        let is_over = |expires: Option<Instant>| expires.is_some_and(|expires| expires <= now);
        let mut expired = 0;
        self.full.retain(|queued| {
            if !is_over(queued.expires) {
                return true;
            }
            expired += queued.batch.len();
            bounds.let_go(queued.batch.byte_len());
            false
        });
        if let Some(latest) = &mut self.latest {
            let (messages, bytes) = latest.expire(is_over);
            expired += messages;
            bounds.let_go(bytes);
        }
        if is_over(bounds.open_expires()) {
            expired += self.open.len();
            self.open.clear();
        }
        self.tally.expired.add(expired);
        self.release(expired)
    }

    /// Drops the oldest messages until there is room, or lets one in beyond the limits if all are in the reader's
    /// hands.
    pub(super) fn drop_oldest(&mut self) {
        while self.free == 0 {
            let at = self.full.iter().position(|one| !one.batch.is_empty());
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
            self.tally.full.add(1);
            if let Some(at) = at.filter(|at| self.full[*at].batch.is_empty()) {
                self.full.remove(at);
            }
            if let Some(bounds) = &mut self.bounds {
                if at.is_some() {
                    bounds.let_go(dropped);
                }
                if !bounds.is_full(&self.open) {
                    self.free += bounds.withheld.take().unwrap_or_default();
                }
            }
            self.release(1);
        }
    }

    /// Drops all that is queued, and takes nothing until `forgive`. Says what was dropped.
    pub(super) fn disown(&mut self) -> (VecDeque<Queued>, Batch) {
        let full = std::mem::take(&mut self.full);
        let open = std::mem::take(&mut self.open);
        let dropped = full.iter().map(|one| one.batch.len()).sum::<usize>() + open.len();
        self.tally.full.add(dropped);
        self.unwanted = true;
        self.free = 0;
        self.writer.parked = true;
        (full, open)
    }

    /// The unwanted peer is gone, with all that was on its way to it: what follows is for another one.
    pub(super) fn forgive(&mut self) -> Option<Notice<PipeWriter>> {
        self.unwanted = false;
        self.free = self.hwm;
        self.over = 0;
        self.bounds = Bounds::new(together(self.limits));
        self.writer.unpark()
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

    /// The reader is done with the batch that it took.
    pub(super) fn settle(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            bounds.settle();
        }
    }

    /// The writer's limits are others now, or the reader's. There may be word for the writer that there is room.
    pub(super) fn set_hwm(&mut self, of_writer: bool, hwm: usize) -> Option<Notice<PipeWriter>> {
        let limits = if of_writer {
            &mut self.limits.0
        } else {
            &mut self.limits.1
        };
        limits.as_mut()?.hwm = hwm;
        let hwm = together(self.limits).hwm();
        if self.reader.gone || self.conflate || self.unwanted {
            self.hwm = if self.conflate { self.hwm } else { hwm };
            return None;
        }
        let used = self.queued();
        self.hwm = hwm;
        self.over = used.saturating_sub(hwm);
        self.set_free(hwm.saturating_sub(used));
        // A raised mark is room at once, not only once the queue is low.
        if self.free > 0 {
            return self.writer.unpark();
        }
        None
    }

    fn set_free(&mut self, free: usize) {
        match self
            .bounds
            .as_mut()
            .and_then(|bounds| bounds.withheld.as_mut())
        {
            Some(withheld) => *withheld = free,
            None => self.free = free,
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
        if self.reader.gone || self.unwanted {
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
            && !self.news.contains(&News::Left)
    }

    /// Puts news behind what is queued, or before it.
    pub(super) fn tell(&mut self, news: News, ahead: bool) {
        if ahead {
            self.full.push_front(Batch::new().into());
            self.news.push_front(news);
            return;
        }
        self.close_open();
        self.full.push_back(Batch::new().into());
        self.news.push_back(news);
    }

    /// The reader is done with `messages` of what it took.
    #[inline]
    pub(super) fn release(&mut self, messages: usize) -> Option<Notice<PipeWriter>> {
        if self.unwanted {
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
            self.spares.push(batch);
        }
    }

    /// An inproc pipe has both of its sides, and their limits together (R-HWM-4). Nothing has been taken yet.
    pub(super) fn join(&mut self, of_writer: bool, limits: Limits) {
        let used = self.queued();
        if of_writer {
            self.limits.0 = Some(limits);
        } else {
            self.limits.1 = Some(limits);
        }
        let all = together(self.limits);
        if self.reader.gone {
            return;
        }
        // What has been queued by now is of this moment for the new bounds.
        let mut bounds = Bounds::new(all);
        if let Some(bounds) = &mut bounds {
            for queued in &self.full {
                bounds.hold(queued.batch.byte_len());
            }
            if !self.open.is_empty() {
                bounds.open_now();
            }
        }
        self.close_at = close_at(bounds.as_deref(), &all);
        self.bounds = bounds;
        if self.conflate {
            return;
        }
        if all.conflate {
            self.conflate();
            return;
        }
        self.hwm = all.hwm();
        self.over = used.saturating_sub(self.hwm);
        self.free = self.hwm.saturating_sub(used);
        if self.latest.is_none() && all.by_topic {
            self.latest = latest(&all);
            self.close_open();
            for mut queued in std::mem::take(&mut self.full) {
                if let Some(bounds) = &mut self.bounds {
                    bounds.let_go(queued.batch.byte_len());
                }
                self.keep_latest(&mut queued.batch);
            }
        }
        self.check_bytes();
    }

    /// From now on, only the newest message counts.
    fn conflate(&mut self) {
        self.conflate = true;
        let before = self.queued();
        if self.open.is_empty() {
            self.open = self
                .full
                .pop_back()
                .map(|queued| queued.batch)
                .unwrap_or_default();
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
        self.close_open();
        let mut stale = 0;
        for mut queued in std::mem::take(&mut self.full) {
            let before = queued.batch.byte_len();
            let mut kept = Batch::new();
            while let Some(message) = queued.batch.pop() {
                if is_stale(&message) {
                    stale += 1;
                } else {
                    kept.push_owned(message, self.by_reference);
                }
            }
            if let Some(bounds) = &mut self.bounds {
                bounds.let_go(before - kept.byte_len());
            }
            if !kept.is_empty() {
                let expires = queued.expires;
                self.full.push_back(Queued {
                    batch: kept,
                    expires,
                });
            }
        }
        // The writer is not told: whoever is full of subscriptions sends none.
        self.release(stale);
    }

    /// The reader goes: what is queued is handed out to be dropped, and nothing more may come.
    pub(super) fn bereave_writer(
        &mut self,
    ) -> (VecDeque<Queued>, Batch, Option<Notice<PipeWriter>>) {
        self.tally.left.add(self.queued());
        self.reader.gone = true;
        self.free = 0;
        self.bounds = None;
        self.latest = None;
        (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
            self.writer.bereave(),
        )
    }
}
