//! The pipe: two bounded one-way message queues between one socket and one peer.
//!
//! ```text
//!   socket handle                                session (or the socket at the other end of an inproc pipe)
//!   PipeWriter ── push ──► [ lane: batch, HWM ] ── take ──► OutgoingEnd  ──► stream
//!   PipeReader ◄── pop ─── [ lane: batch, HWM ] ◄─ push ─── IncomingEnd  ◄── stream
//! ```
//!
//! A lane carries [`Batch`]es: whole messages in wire form. `push` encodes a message straight into the
//! lane's open batch; whoever reads takes the batch out whole, so the lock is taken once per message by
//! the one who has single messages and once per batch by the other. All concurrency between a socket and
//! its sessions is in this file and in `inbox.rs`.
//!
//! **High-water mark.** A lane counts the messages in its queue and those that its reader has taken but
//! not yet done with (written to the stream, or handed to the application). Their sum never exceeds the
//! HWM: the batch in a session's hands counts. A writer that finds the lane full is *parked* and told when
//! no more than HWM - (HWM + 1) / 2 messages are left, as libzmq's low-water rule has it (R-HWM-7).
//!
//! **Ends.** Each end is told when the other one goes. What a socket has queued outlives its
//! `PipeWriter`: the session goes on sending until the lane is empty or the linger time is over. What a
//! session has delivered outlives its `IncomingEnd`: the socket reads it to the end.
//!
//! **News.** For a socket that names its peers, a lane says between which messages a peer came and left.
//!
//! **Conflation.** A lane in that mode holds one message, and a newer one takes its place (R-CONF-1).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use zmtp::{Batch, Message};

use crate::inbox::{Inbox, Note, PipeEnd};
use crate::routing_id::RoutingId;
use crate::socket::Place;

/// Bytes in the buffer of a batch that begin another one: just under the largest segment of a TCP stream, which
/// is what one write carries best, and small enough for the buffer to be kept.
const BATCH: usize = 60 * 1024;

/// Capacity of a buffer that is kept for another batch. Fresh memory costs a page fault for every 4 KiB.
const KEEP: usize = 256 * 1024;

/// Buffers kept.
const SPARES: usize = 16;

/// Names a pipe within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PipeId(u64);

impl PipeId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        PipeId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Names the bind or connect call that a pipe came from, so that unbind and disconnect find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(pub(crate) u32);

/// A socket's linger time, shared with its pipes: read when a pipe's writer is dropped.
#[derive(Debug)]
pub(crate) struct Linger(AtomicU64);

const FOR_EVER: u64 = u64::MAX;

impl Linger {
    pub(crate) fn new(time: Option<Duration>) -> Self {
        let linger = Linger(AtomicU64::new(0));
        linger.set(time);
        linger
    }

    /// `None`: for ever.
    pub(crate) fn set(&self, time: Option<Duration>) {
        let millis = time.map_or(FOR_EVER, |time| {
            u64::try_from(time.as_millis()).unwrap_or(FOR_EVER)
        });
        self.0.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            FOR_EVER => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }
}

/// When lingering ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    At(Instant),
}

impl Deadline {
    fn after(time: Option<Duration>) -> Self {
        // A time beyond what the clock can tell is never reached either.
        match time.map(|time| Instant::now().checked_add(time)) {
            Some(Some(end)) => Deadline::At(end),
            Some(None) | None => Deadline::Never,
        }
    }
}

// ---------------------------------------------------------------- the lane

/// One direction of a pipe.
struct Lane {
    state: Mutex<LaneState>,
}

struct LaneState {
    /// How many messages may still come: the HWM less those in the queue and those that the reader
    /// has taken and not yet done with. Nothing once the reader has gone.
    free: usize,
    /// What `free` is when nothing is there.
    hwm: usize,
    /// The batch that new messages go to. Younger than all of `full`.
    open: Batch,
    /// Batches before it, oldest first. An empty one stands for the oldest of `news`.
    full: VecDeque<Batch>,
    news: VecDeque<News>,
    /// Messages that were let in beyond the HWM: what the reader is done with pays for them first.
    over: usize,
    /// Only the newest message counts.
    conflate: bool,
    /// The writer's place among the reader's peers: given up when the writer goes.
    place: Option<Place>,
    writer: End<PipeWriter>,
    reader: End<PipeReader>,
    /// Empty batches whose buffers are to be used again.
    spares: Vec<Batch>,
    /// For a lane of subscriptions only: a connection is there to be told about changes.
    /// Without one they are not queued, since the next one begins with the whole set.
    live: bool,
    /// Until when the session may go on sending, once the writer is gone.
    linger: Deadline,
    /// The connection at the session's end, if there is one now.
    drive: Option<Weak<dyn Drive>>,
    /// The next message that finds the session at rest is sent by the caller.
    drive_next: bool,
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
struct End<E> {
    gone: bool,
    /// This end found nothing to do and waits to be told.
    parked: bool,
    at: At<E>,
}

/// Who sits at an end.
enum At<E> {
    /// A session, with its task's waker.
    Session(Option<Waker>),
    /// A socket.
    Socket(Arc<Inbox<E>>),
    /// Nobody yet: an inproc pipe whose peer has not bound.
    Nobody,
}

/// What has to be told to an end once the lane is unlocked.
enum Notice<E> {
    /// A parked session has something to do.
    Wake(Waker),
    /// A parked pipe of a socket can be tried again.
    Changed(Arc<Inbox<E>>),
    /// The other end of a socket's pipe has gone.
    Ended(Arc<Inbox<E>>),
}

impl<E: PipeEnd> Notice<E> {
    fn send(self, id: PipeId) {
        match self {
            Notice::Wake(waker) => waker.wake(),
            Notice::Changed(inbox) => inbox.post(Note::Changed(id)),
            Notice::Ended(inbox) => inbox.ended(id),
        }
    }
}

impl<E: PipeEnd> End<E> {
    fn new(at: At<E>) -> Self {
        End {
            gone: false,
            parked: false,
            at,
        }
    }

    #[inline]
    fn unpark(&mut self) -> Option<Notice<E>> {
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
    fn remember(&mut self, waker: &Waker) {
        if let At::Session(old) = &mut self.at {
            match old {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// The other end goes: this one has to know, parked or not.
    fn bereave(&self) -> Option<Notice<E>> {
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
    /// A connection began: its peer goes by this name.
    Came(RoutingId),
    /// The connection ended.
    Left,
}

fn limit(hwm: usize) -> usize {
    if hwm == 0 { usize::MAX } else { hwm }
}

impl Lane {
    fn new(
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
                drive: None,
                drive_next: false,
            }),
        })
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock()
    }

    /// Puts what a connection begins with in front of the queue, beyond the HWM.
    fn begin(&self, id: PipeId, first: Batch) {
        let mut lane = self.lock();
        lane.live = true;
        if first.is_empty() {
            return;
        }
        lane.over += first.len();
        lane.full.push_front(first);
        let notice = lane.reader.unpark();
        drop(lane);
        if let Some(notice) = notice {
            notice.send(id);
        }
    }

    /// The writer is known by a name from here on. `ahead`: for what is queued already, too.
    fn introduce(&self, id: PipeId, place: Place, ahead: bool) {
        let mut lane = self.lock();
        lane.tell(News::Came(place.name().clone()), ahead);
        let old = lane.place.replace(place);
        let notice = lane.reader.unpark();
        drop(lane);
        drop(old);
        if let Some(notice) = notice {
            notice.send(id);
        }
    }
}

/// Tells a socket's sending end who it sends to.
fn name_receiver(id: PipeId, outgoing: &Lane, name: RoutingId) {
    let inbox = match &outgoing.lock().writer.at {
        At::Socket(inbox) => inbox.clone(),
        At::Session(_) | At::Nobody => return,
    };
    inbox.post(Note::Named(id, name));
}

impl LaneState {
    /// The oldest batch, now in the reader's hands.
    fn take(&mut self) -> Option<Batch> {
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
    fn close_batch(&mut self) {
        if self.conflate {
            return; // There is one message, in the open batch.
        }
        let spare = self.spares.pop().unwrap_or_default();
        let closed = std::mem::replace(&mut self.open, spare);
        self.full.push_back(closed);
    }

    /// Whether there are no messages, nor word of a peer that left.
    fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.full.iter().all(Batch::is_empty)
            && !self.news.contains(&News::Left)
    }

    /// Puts news behind what is queued, or before it.
    fn tell(&mut self, news: News, ahead: bool) {
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
    fn release(&mut self, messages: usize) -> Option<Notice<PipeWriter>> {
        let paid = self.over.min(messages);
        self.over -= paid;
        self.free += messages - paid;
        if self.writer.parked && self.free >= self.hwm - self.hwm / 2 {
            return self.writer.unpark();
        }
        None
    }

    fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        if self.spares.len() < SPARES && (1..=KEEP).contains(&batch.spare()) {
            self.spares.push(batch);
        }
    }

    fn raise_hwm(&mut self, hwm: usize) {
        if !self.conflate {
            self.free += hwm - self.hwm;
            self.hwm = hwm;
        }
    }

    /// From now on, only the newest message counts. Nothing has been taken yet.
    fn conflate_if(&mut self, on: bool) {
        if !on || self.conflate {
            return;
        }
        self.conflate = true;
        if self.open.is_empty() {
            self.open = self.full.pop_back().unwrap_or_default();
        }
        self.full.clear();
        let queued = self.open.len();
        self.open.truncate_front(queued.saturating_sub(1));
        self.hwm = 1;
        self.over = 0;
        self.free = 1 - self.open.len();
    }

    /// Throws away what is queued that `is_stale` says is of no use to the next connection.
    fn sift(&mut self, is_stale: impl Fn(&Message) -> bool) {
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
    fn bereave_writer(&mut self) -> (VecDeque<Batch>, Batch, Option<Notice<PipeWriter>>) {
        self.reader.gone = true;
        self.free = 0;
        (
            std::mem::take(&mut self.full),
            std::mem::take(&mut self.open),
            self.writer.bereave(),
        )
    }
}

// ---------------------------------------------------------------- the socket's ends

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
    id: PipeId,
    origin: Origin,
    lane: Arc<Lane>,
    linger: Arc<Linger>,
}

impl PipeWriter {
    /// Payloads of at least this many bytes travel by reference, smaller ones are copied into the batch.
    pub(crate) const BY_REFERENCE: usize = 4096;

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Queues a message. What is left in it after success means nothing; a refused one is untouched.
    #[inline]
    pub(crate) fn push(&mut self, message: &mut Message) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free == 0 {
            Self::make_room(&mut lane)?;
        }
        lane.free -= 1;
        lane.open.push_from(message, Self::BY_REFERENCE);
        if lane.open.buffered() >= BATCH {
            lane.close_batch();
        }
        self.pushed(lane);
        Ok(())
    }

    /// Queues a message that is encoded already: the bytes are shared among all who get it.
    #[inline]
    pub(crate) fn push_encoded(&mut self, message: &Batch) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free == 0 {
            Self::make_room(&mut lane)?;
        }
        lane.free -= 1;
        lane.open.extend_from(message);
        if lane.open.buffered() >= BATCH {
            lane.close_batch();
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
            lane.open.push(message, Self::BY_REFERENCE);
            self.pushed(lane);
        }
    }

    /// Whether `push` would take a message. If it would not, the pipe's id comes as a note when it would.
    pub(crate) fn check_room(&mut self) -> Result<(), Refused> {
        let mut lane = self.lane.lock();
        if lane.free > 0 || (lane.conflate && !lane.reader.gone) {
            return Ok(());
        }
        Err(Self::refuse(&mut lane))
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
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }

    /// The lane is full: one that conflates gives up what it has, others refuse.
    #[cold]
    fn make_room(lane: &mut LaneState) -> Result<(), Refused> {
        if !lane.conflate || lane.reader.gone {
            return Err(Self::refuse(lane));
        }
        if lane.open.is_empty() {
            // The one before is in the reader's hands.
            lane.over += 1;
        } else {
            lane.open.clear();
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
        let mut lane = self.lane.lock();
        lane.writer.gone = true;
        lane.linger = Deadline::after(self.linger.get());
        let place = lane.place.take();
        let notice = lane.reader.bereave();
        drop(lane);
        drop(place);
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }
}

/// What a pipe has for the socket.
pub(crate) enum Popped {
    /// The oldest message.
    Message(Message),
    /// The peer came or left, after the last message and before the next.
    News(News),
    /// Nothing now. The pipe's id comes as a note when there is something.
    Empty,
    /// Nothing ever more.
    Ended,
}

/// The socket's receiving end of a pipe.
pub(crate) struct PipeReader {
    id: PipeId,
    origin: Origin,
    lane: Arc<Lane>,
    /// The batch that messages are popped from, without a lock.
    batch: Batch,
    /// Messages popped since the lane was last told.
    popped: usize,
    /// Tell the lane after so many.
    report_at: usize,
    /// Who sends, for a socket that names its peers.
    peer: Option<RoutingId>,
}

impl PipeReader {
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The name of whoever sent the message that was popped last.
    pub(crate) fn peer(&self) -> Option<&RoutingId> {
        self.peer.as_ref()
    }

    /// The connection that the pipe ends at, if there is one now.
    pub(crate) fn connection(&self) -> Option<Arc<dyn Drive>> {
        self.lane.lock().drive.as_ref().and_then(Weak::upgrade)
    }

    /// The oldest message.
    #[inline]
    pub(crate) fn pop(&mut self) -> Popped {
        loop {
            if let Some(message) = self.batch.pop() {
                self.popped += 1;
                if self.popped >= self.report_at {
                    self.report();
                }
                return Popped::Message(message);
            }
            if let Some(nothing) = self.refill() {
                return nothing;
            }
        }
    }

    /// Takes the next batch. `Some`: there is something else, or nothing.
    fn refill(&mut self) -> Option<Popped> {
        let mut lane = self.lane.lock();
        let notice = lane.release(std::mem::take(&mut self.popped));
        self.report_at = lane.hwm - lane.hwm / 2;
        let nothing = match lane.take() {
            Some(mark) if mark.is_empty() => lane.news.pop_front().map(|news| {
                if let News::Came(name) = &news {
                    self.peer = Some(name.clone());
                }
                Popped::News(news)
            }),
            Some(batch) => {
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
        if let Some(notice) = notice {
            notice.send(self.id);
        }
        nothing
    }

    #[cold]
    fn report(&mut self) {
        let notice = self.lane.lock().release(std::mem::take(&mut self.popped));
        if let Some(notice) = notice {
            notice.send(self.id);
        }
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
        let (full, open, notice) = self.lane.lock().bereave_writer();
        drop((full, open));
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }
}

// ---------------------------------------------------------------- the session's ends

/// The session's end of a pipe: both directions.
pub(crate) struct SessionPipe {
    pub(crate) outgoing: OutgoingEnd,
    pub(crate) incoming: IncomingEnd,
    attached: bool,
    /// The pipe outlives its connections, and the peer keeps its name between them.
    lasting: bool,
}

/// Where a session takes what the socket sends.
pub(crate) struct OutgoingEnd {
    id: PipeId,
    lane: Arc<Lane>,
}

/// What the socket has for the session.
pub(crate) enum Taken {
    /// The oldest batch.
    Batch(Batch),
    /// The socket is gone and everything it sent is taken.
    Finished,
}

impl OutgoingEnd {
    /// Takes the oldest batch; parks when there is none.
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut lane = self.lane.lock();
        lane.reader.remember(cx.waker());
        if let Some(batch) = lane.take() {
            return Poll::Ready(Taken::Batch(batch));
        }
        if lane.writer.gone {
            return Poll::Ready(Taken::Finished);
        }
        lane.reader.parked = true;
        Poll::Pending
    }

    /// `messages` of what was taken are on their way to the peer: others may take their place.
    pub(crate) fn release(&mut self, messages: usize) {
        let notice = self.lane.lock().release(messages);
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }

    /// Gives an empty batch back, for its buffer.
    pub(crate) fn recycle(&mut self, batch: Batch) {
        self.lane.lock().recycle(batch);
    }

    /// Puts whole messages that were taken and not sent back to the front, for the next connection.
    pub(crate) fn restore(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut lane = self.lane.lock();
        if !lane.conflate {
            lane.full.push_front(batch);
        } else if lane.open.is_empty() {
            lane.open = batch;
        } else {
            // There is a newer one.
            lane.release(batch.len());
        }
    }

    /// Begins a connection: changes of the subscriptions are queued from now on. Those before are not for
    /// this connection, which begins with the whole set.
    pub(crate) fn begin_live(&mut self, is_change: impl Fn(&Message) -> bool) {
        let mut lane = self.lane.lock();
        lane.live = true;
        lane.sift(is_change);
    }

    /// Ends a connection: changes of the subscriptions are not queued until the next one begins.
    pub(crate) fn end_live(&mut self) {
        self.lane.lock().live = false;
    }

    /// The session's task goes to rest: the next message may be sent by its sender. Tells until when what
    /// is queued may still be sent, when the socket is gone, and whether buffers are kept.
    pub(crate) fn rest(&mut self) -> (Option<Deadline>, bool) {
        let mut lane = self.lane.lock();
        lane.drive_next = true;
        (
            lane.writer.gone.then_some(lane.linger),
            !lane.spares.is_empty(),
        )
    }

    /// Lets go of the buffers that are kept: nothing has been sent for a while.
    pub(crate) fn shrink(&mut self) {
        let mut lane = self.lane.lock();
        lane.spares = Vec::new();
        lane.open.shrink_to(0);
    }

    /// Until when what is queued may still be sent, when the socket is gone. `None`: it is not.
    pub(crate) fn linger(&self) -> Option<Deadline> {
        let lane = self.lane.lock();
        lane.writer.gone.then_some(lane.linger)
    }

    /// Ready when the socket is gone: for a session that has no connection to send to.
    pub(crate) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lane = self.lane.lock();
        lane.reader.remember(cx.waker());
        if lane.writer.gone {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Messages queued for the peer or in the session's hands.
    pub(crate) fn unsent(&self) -> usize {
        let lane = self.lane.lock();
        lane.hwm - lane.free + lane.over
    }
}

impl Drop for OutgoingEnd {
    fn drop(&mut self) {
        let (full, open, notice) = self.lane.lock().bereave_writer();
        drop((full, open));
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }
}

/// Where a session puts what the peer sends.
pub(crate) struct IncomingEnd {
    id: PipeId,
    lane: Arc<Lane>,
}

impl IncomingEnd {
    /// How many messages may be pushed now.
    pub(crate) fn room(&self) -> usize {
        let lane = self.lane.lock();
        if lane.reader.gone || lane.conflate {
            usize::MAX
        } else {
            lane.free
        }
    }

    /// How many messages may be pushed now; parks when none.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let mut lane = self.lane.lock();
        if lane.reader.gone {
            // Nobody reads any more: the connection goes on until its outgoing lane ends it,
            // and what comes is thrown away by `push`.
            return Poll::Ready(usize::MAX);
        }
        match lane.free {
            _ if lane.conflate => Poll::Ready(usize::MAX),
            0 => {
                lane.writer.remember(cx.waker());
                lane.writer.parked = true;
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }

    /// Hands whole messages to the socket.
    pub(crate) fn push(&mut self, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut lane = self.lane.lock();
        if lane.reader.gone {
            return;
        }
        if lane.conflate {
            batch.truncate_front(batch.len() - 1);
            // What the reader has taken is counted by `over` or not at all: there is always room here.
            let replaced = std::mem::take(&mut lane.open).len();
            lane.free += replaced;
            lane.over += usize::from(lane.free == 0);
        }
        lane.free = lane.free.saturating_sub(batch.len());
        if let Err(batch) = lane.open.append(batch) {
            let before = std::mem::replace(&mut lane.open, batch);
            lane.full.push_back(before);
        }
        let notice = lane.reader.unpark();
        drop(lane);
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }
}

impl Drop for IncomingEnd {
    fn drop(&mut self) {
        let mut lane = self.lane.lock();
        lane.writer.gone = true;
        let place = lane.place.take();
        let notice = lane.reader.bereave();
        drop(lane);
        drop(place);
        if let Some(notice) = notice {
            notice.send(self.id);
        }
    }
}

// ---------------------------------------------------------------- making pipes

/// What a socket brings to a new pipe.
pub(crate) struct Party<'a> {
    pub(crate) writers: &'a Arc<Inbox<PipeWriter>>,
    pub(crate) readers: &'a Arc<Inbox<PipeReader>>,
    pub(crate) linger: &'a Arc<Linger>,
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) conflate: bool,
    pub(crate) origin: Origin,
}

impl Party<'_> {
    /// Hands the socket its ends of a pipe.
    fn attach(&self, id: PipeId, outgoing: Arc<Lane>, incoming: Arc<Lane>) {
        outgoing.lock().writer.at = At::Socket(self.writers.clone());
        incoming.lock().reader.at = At::Socket(self.readers.clone());
        // Writers first: a socket reads both inboxes when the readers' one has a note.
        self.writers.post(Note::Attached(PipeWriter {
            id,
            origin: self.origin,
            lane: outgoing,
            linger: self.linger.clone(),
        }));
        self.readers.post(Note::Attached(PipeReader {
            id,
            origin: self.origin,
            lane: incoming,
            batch: Batch::new(),
            popped: 0,
            report_at: 1,
            peer: None,
        }));
    }
}

/// A pipe between a session and a socket, which gets its ends by [`SessionPipe::attach`]. Without that,
/// the peer is never read beyond the HWM and never hears anything.
pub(crate) fn to_session(party: &Party<'_>) -> SessionPipe {
    let id = PipeId::next();
    let outgoing = Lane::new(
        party.send_hwm,
        party.conflate,
        At::Nobody,
        At::Session(None),
    );
    let incoming = Lane::new(
        party.recv_hwm,
        party.conflate,
        At::Session(None),
        At::Nobody,
    );
    SessionPipe {
        outgoing: OutgoingEnd { id, lane: outgoing },
        incoming: IncomingEnd { id, lane: incoming },
        attached: false,
        lasting: false,
    }
}

impl SessionPipe {
    /// Lets the socket's handle drive the connection from here on.
    pub(crate) fn offer(&mut self, connection: &Weak<impl Drive + 'static>) {
        self.outgoing.lane.lock().drive = Some(connection.clone());
        self.incoming.lane.lock().drive = Some(connection.clone());
    }

    /// The connection is over.
    pub(crate) fn withdraw(&mut self) {
        self.incoming.lane.lock().drive = None;
        let mut lane = self.outgoing.lane.lock();
        lane.drive = None;
        lane.drive_next = false;
    }

    pub(crate) fn id(&self) -> PipeId {
        self.outgoing.id
    }

    /// The socket finds its ends in its inboxes.
    pub(crate) fn attach(&mut self, party: &Party<'_>) {
        self.attached = true;
        let (outgoing, incoming) = (&self.outgoing.lane, &self.incoming.lane);
        party.attach(self.id(), outgoing.clone(), incoming.clone());
        if let Some(name) = self.name() {
            name_receiver(self.id(), outgoing, name);
        }
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.attached
    }

    /// The pipe is to serve one connection after the other.
    pub(crate) fn set_lasting(&mut self) {
        self.lasting = true;
    }

    /// The connection has ended: others may have the peer's name, and with `tell`, the socket hears of it.
    pub(crate) fn peer_left(&self, tell: bool) {
        let lane = &self.incoming.lane;
        let was_known = lane.lock().place.is_some();
        if !self.lasting {
            // Before it is told: who hears of it may count on the name.
            let place = lane.lock().place.take();
            drop(place);
        }
        if !tell || !was_known {
            return;
        }
        let mut lane = lane.lock();
        lane.tell(News::Left, false);
        let notice = lane.reader.unpark();
        drop(lane);
        if let Some(notice) = notice {
            notice.send(self.id());
        }
    }

    /// The name by which the peer is known so far.
    pub(crate) fn name(&self) -> Option<RoutingId> {
        let lane = self.incoming.lane.lock();
        lane.place.as_ref().map(|place| place.name().clone())
    }

    /// The peer is known by a name from here on.
    pub(crate) fn introduce(&self, place: Place) {
        name_receiver(self.id(), &self.outgoing.lane, place.name().clone());
        self.incoming.lane.introduce(self.id(), place, false);
    }
}

/// The binder's side of an inproc pipe that waits for the name to be bound.
pub(crate) struct Unbound {
    id: PipeId,
    origin: Origin,
    to_connector: Arc<Lane>,
    to_binder: Arc<Lane>,
    /// The connector's limits: (sending, receiving), 0 for none.
    connector_hwm: (usize, usize),
}

/// A pipe from a socket to an inproc name. Until the name is bound, the connector's own SNDHWM holds (R-HWM-5).
pub(crate) fn to_name(connector: &Party<'_>) -> Unbound {
    let id = PipeId::next();
    let to_binder = Lane::new(
        connector.send_hwm,
        connector.conflate,
        At::Nobody,
        At::Nobody,
    );
    let to_connector = Lane::new(
        connector.recv_hwm,
        connector.conflate,
        At::Nobody,
        At::Nobody,
    );
    connector.attach(id, to_binder.clone(), to_connector.clone());
    Unbound {
        id,
        origin: connector.origin,
        to_connector,
        to_binder,
        connector_hwm: (connector.send_hwm, connector.recv_hwm),
    }
}

impl Unbound {
    /// The name is bound: the pipe's limits become the sums of both sides (R-HWM-4), and the binder gets its ends.
    pub(crate) fn join(self, binder: &Party<'_>) -> Joined {
        let sum = |a: usize, b: usize| if a == 0 || b == 0 { usize::MAX } else { a + b };
        let Unbound {
            id,
            origin: _,
            to_connector,
            to_binder,
            connector_hwm: (send_hwm, recv_hwm),
        } = self;
        {
            let mut lane = to_connector.lock();
            lane.raise_hwm(sum(binder.send_hwm, recv_hwm));
            lane.conflate_if(binder.conflate);
        }
        let writable = {
            let mut lane = to_binder.lock();
            lane.raise_hwm(sum(send_hwm, binder.recv_hwm));
            lane.conflate_if(binder.conflate);
            lane.writer.unpark()
        };
        if let Some(notice) = writable {
            notice.send(id);
        }
        binder.attach(id, to_connector.clone(), to_binder.clone());
        Joined {
            id,
            to_connector,
            to_binder,
        }
    }

    pub(crate) fn id(&self) -> PipeId {
        self.id
    }

    /// The connector's endpoint.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The connector knows whoever binds by this name.
    pub(crate) fn introduce(&self, place: Place) {
        name_receiver(self.id, &self.to_binder, place.name().clone());
        self.to_connector.introduce(self.id, place, true);
    }

    /// One side does not take the other: the pipe ends.
    pub(crate) fn refuse(self) {
        drop((
            OutgoingEnd {
                id: self.id,
                lane: self.to_binder,
            },
            IncomingEnd {
                id: self.id,
                lane: self.to_connector,
            },
        ));
    }

    /// The connector has gone, and nothing waits for whoever binds.
    pub(crate) fn is_abandoned(&self) -> bool {
        let lane = self.to_binder.lock();
        lane.writer.gone && lane.is_empty()
    }
}

/// A joined inproc pipe, on which each side can begin with its subscriptions.
pub(crate) struct Joined {
    id: PipeId,
    to_connector: Arc<Lane>,
    to_binder: Arc<Lane>,
}

impl Joined {
    /// What the connector's first messages to the binder are.
    pub(crate) fn begin_connector(&self, first: Batch) {
        self.to_binder.begin(self.id, first);
    }

    /// What the binder's first messages to the connector are.
    pub(crate) fn begin_binder(&self, first: Batch) {
        self.to_connector.begin(self.id, first);
    }

    /// The binder knows the connector by this name.
    pub(crate) fn introduce_connector(&self, place: Place) {
        name_receiver(self.id, &self.to_connector, place.name().clone());
        self.to_binder.introduce(self.id, place, true);
    }
}

#[cfg(test)]
mod tests;
