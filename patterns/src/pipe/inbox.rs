//! A socket's inbox: what its sessions tell it between two calls of the application.
//!
//! Sessions run as tasks of their own, while the routing state of a socket belongs to its handle alone
//! and is never locked. So sessions do not touch that state: they leave an event here (a new pipe, a pipe
//! whose state changed), and the handle reads the events when it is called next, before it routes.
//! An atomic flag keeps the empty case to one load.
//!
//! There are two inboxes a socket, one for the writers and one for the readers of its pipes, so that its
//! two directions can be driven from two tasks.
//!
//! What nobody reads is not kept: a pipe that the handle has not seen vanishes when its peer has left nothing, or
//! nothing that means anything without it, or more than is kept; and when the handle of a half has gone, its pipes
//! rest here, where what comes through them is thrown away.
//!
//! Lock order: an inbox may look into a pipe while it is locked, a pipe never into an inbox.

use std::collections::VecDeque;
use std::task::Waker;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::pipe::{Left, Origin, PipeId};
use crate::routing_id::{Identity, RoutingId};
use crate::rules::OfDeparted;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Pipes that have vanished are swept out of the events from so many on.
const SWEEP: usize = 16;

/// The socket's end of a pipe, as far as the inbox has to know it.
pub(crate) trait PipeEnd {
    /// Names the pipe.
    fn id(&self) -> PipeId;
    /// Names the endpoint that it came from.
    fn origin(&self) -> Origin;
    /// Returns whether the other side has left and nothing is to be had from this end any more.
    fn is_spent(&self) -> bool;
    /// Returns what is to be had from this end when the other side has left, which takes little memory from then on.
    fn left(&mut self) -> Left {
        Left::default()
    }
    /// Returns whether nothing is to be had from this end but single frames of which this is true.
    fn has_only(&self, _: fn(&[u8]) -> bool) -> bool {
        false
    }
    /// Hears that nobody uses this end any more.
    fn abandon(&mut self) {}
}

/// What a socket is told of one of its pipes. What is told once a connection is in boxes, so that what is told once a
/// batch is small.
pub(crate) enum PipeEvent<E> {
    /// A pipe begins.
    Attached(Box<E>),
    /// A pipe that the socket had parked can be tried again.
    Changed(PipeId),
    /// The other side of a pipe has gone.
    Ended(PipeId),
    /// The peer at the other end is known by this name from now on. Only senders have use for it.
    Named(PipeId, Box<RoutingId>),
    /// Who is at the other end has changed. Only senders have use for it.
    Met(PipeId, Identity),
    /// Another connection has taken the name under which messages of this pipe have come. Only receivers have use for
    /// it.
    Renamed(PipeId),
    /// The other half of the socket has let go of an endpoint.
    Detached(Origin),
    /// The other half of the socket has changed the options. The state has them.
    Configured,
    /// Whoever waits looks whether anything is left to wait for: a task of an endpoint has ended that was not told
    /// to, or the socket drains.
    Look,
    /// Stands where a pipe was that has vanished.
    Nothing,
}

// Each is copied several times on its way.
const _: () = assert!(size_of::<PipeEvent<()>>() <= 24);

impl<E> PipeEvent<E> {
    /// Returns the pipe that it is about, if the socket has been given that before.
    fn about(&self) -> Option<PipeId> {
        match self {
            PipeEvent::Changed(id)
            | PipeEvent::Ended(id)
            | PipeEvent::Named(id, _)
            | PipeEvent::Met(id, _)
            | PipeEvent::Renamed(id) => Some(*id),
            PipeEvent::Attached(_)
            | PipeEvent::Detached(_)
            | PipeEvent::Configured
            | PipeEvent::Look
            | PipeEvent::Nothing => None,
        }
    }
}

/// Events from many sessions to one socket handle.
pub(crate) struct Inbox<E> {
    /// Something is in `state`, or the inbox is shut. Set and cleared under the lock, read without it.
    unread: AtomicBool,
    of_departed: OfDeparted,
    /// What is a subscription, or the end of one.
    is_subscription: fn(&[u8]) -> bool,
    state: Mutex<State<E>>,
}

struct State<E> {
    events: VecDeque<PipeEvent<E>>,
    /// Where in `events` the pipes are that the handle has not seen.
    unseen: FxHashMap<PipeId, usize>,
    /// Those of them that have vanished, of which `events` may still tell.
    vanished: FxHashSet<PipeId>,
    /// What those of them have left that have ended, and how much may be.
    left: Left,
    most_left: Left,
    /// Of these one counts: the half that reads them may rest for long.
    configured: bool,
    look: bool,
    /// The handle's task, while it waits.
    waiting: Option<Waker>,
    /// Whoever watches the socket from outside: woken by every event, and stays.
    watching: Option<Waker>,
    /// The handle is gone, and the socket is not: pipes rest here.
    abandoned: bool,
    /// The socket is gone, or has ended under its handle: events are dropped.
    closed: bool,
}

impl<E: PipeEnd> Inbox<E> {
    pub(crate) fn new() -> Self {
        Inbox {
            unread: AtomicBool::new(false),
            of_departed: OfDeparted::All,
            is_subscription: |_| false,
            state: Mutex::new(State {
                events: VecDeque::new(),
                unseen: FxHashMap::default(),
                vanished: FxHashSet::default(),
                left: Left::default(),
                most_left: Left::UNLIMITED,
                configured: false,
                look: false,
                waiting: None,
                watching: None,
                abandoned: false,
                closed: false,
            }),
        }
    }

    /// Makes an inbox that keeps this of peers that have gone. A publisher's would be filled otherwise by subscribers
    /// that come and go while it does nothing, or faster than it looks.
    pub(crate) fn keeping(of_departed: OfDeparted, is_subscription: fn(&[u8]) -> bool) -> Self {
        Inbox {
            of_departed,
            is_subscription,
            ..Inbox::new()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock()
    }

    /// Limits what peers may leave that come and go before the handle looks.
    pub(crate) fn limit_left(&self, most: Left) {
        self.lock().most_left = most;
    }

    /// Leaves an event and wakes the handle if it waits. Returns whether it does.
    pub(crate) fn post(&self, event: PipeEvent<E>) -> bool {
        let mut state = self.lock();
        if state.abandoned || state.closed {
            let is_closed = state.closed;
            drop(state); // the event may own a pipe's end, which takes the pipe's lock when it is dropped
            if let PipeEvent::Attached(end) = event
                && !is_closed
            {
                self.lay_to_rest(end);
            }
            return false;
        }
        match event {
            PipeEvent::Configured => state.configured = true,
            PipeEvent::Look => state.look = true,
            event => state.push(event),
        }
        self.notify(state)
    }

    /// Tells that a pipe has ended. A pipe that the handle has never seen and that holds nothing for it
    /// vanishes without a trace, so that peers which come and go do not fill the inbox of an idle socket.
    pub(crate) fn closed(&self, id: PipeId) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if let Some(&at) = state.unseen.get(&id) {
            let end = state.end(at, |end| self.is_of_use(end));
            drop(state);
            drop(end);
            return;
        }
        if state.abandoned {
            return;
        }
        state.events.push_back(PipeEvent::Ended(id));
        self.notify(state);
    }

    /// Returns whether what is to be had from an end whose other side has gone is of use.
    fn is_of_use(&self, end: &E) -> bool {
        match self.of_departed {
            OfDeparted::All => true,
            OfDeparted::Messages => !end.has_only(self.is_subscription),
            OfDeparted::Nothing => false,
        }
    }

    /// Wakes the handle if it waits: it looks by itself what there is. Returns whether it does.
    pub(crate) fn call(&self) -> bool {
        wake_from(self.lock())
    }

    fn notify(&self, state: MutexGuard<'_, State<E>>) -> bool {
        self.unread.store(true, Ordering::Release);
        wake_from(state)
    }

    /// Has a waker woken by every event from now on, and by the end of the socket; at once, if there are events.
    /// `None`: no longer.
    pub(crate) fn watch(&self, waker: Option<Waker>) {
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.watching, waker);
        let now = state.watching.clone().filter(|_| self.has_events());
        drop(state);
        drop(old);
        wake([now, None]);
    }

    /// Returns whether there are events to read.
    #[inline]
    pub(crate) fn has_events(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    /// Has `has_events` say so until they are taken next, though there may be none.
    pub(crate) fn call_again(&self) {
        self.unread.store(true, Ordering::Release);
    }

    /// Fills `read`, which is empty, with all events, oldest first. Its buffer is used for those to come. Returns
    /// `true` if the inbox is shut.
    pub(crate) fn take(&self, read: &mut VecDeque<PipeEvent<E>>) -> bool {
        debug_assert!(read.is_empty());
        if !self.has_events() {
            return false;
        }
        let mut state = self.lock();
        // Of one that is shut, each call hears.
        self.unread.store(state.closed, Ordering::Release);
        std::mem::swap(&mut state.events, read);
        // One look at all that is rare.
        let is_plain = state.unseen.is_empty() & state.vanished.is_empty();
        if !(is_plain & !state.configured & !state.look) {
            state.take_rest(read);
        }
        state.closed
    }

    /// Registers the handle's task to be woken by the next event. Returns `false` if there are events already.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if !state.events.is_empty() || state.configured || state.look || state.closed {
            return false;
        }
        match &mut state.waiting {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Takes the pipes of a handle that has gone. They rest here as long as their connections last, with those to come.
    pub(crate) fn abandon(&self, ends: impl IntoIterator<Item = E>) {
        let mut state = self.lock();
        state.abandoned = true;
        state.waiting = None;
        (state.configured, state.look) = (false, false);
        let (unseen, vanished) = (
            std::mem::take(&mut state.unseen),
            std::mem::take(&mut state.vanished),
        );
        let events = std::mem::take(&mut state.events);
        drop(state);
        drop((unseen, vanished));
        for event in events {
            if let PipeEvent::Attached(end) = event {
                self.lay_to_rest(end);
            }
        }
        for end in ends {
            self.lay_to_rest(Box::new(end));
        }
    }

    /// Keeps the end of a pipe that nobody uses, for as long as its connection lasts.
    fn lay_to_rest(&self, mut end: Box<E>) {
        end.abandon();
        let mut state = self.lock();
        // Who goes from here on finds it.
        if state.closed || end.is_spent() {
            drop(state);
            return;
        }
        state.push(PipeEvent::Attached(end));
    }

    /// Has the handle let go of an endpoint's pipes. If it has gone, they rest here and are dropped: without them, the
    /// connections end.
    pub(crate) fn detach(&self, origin: Origin) {
        self.post(PipeEvent::Detached(origin));
        let mut state = self.lock();
        if !state.abandoned {
            return;
        }
        let (gone, stay): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut state.events)
            .into_iter()
            .partition(|event| matches!(event, PipeEvent::Attached(end) if end.origin() == origin));
        state.events = stay;
        state.index();
        drop(state);
        drop(gone);
    }

    /// Drops what is in here, and all that comes: the handle goes.
    pub(crate) fn close(&self) {
        drop(self.end());
    }

    /// Does so under a handle that stays, which is woken, and hears of it with each call.
    pub(crate) fn shut(&self) {
        let wakers = self.end();
        wake(wakers);
    }

    fn end(&self) -> [Option<Waker>; 2] {
        let mut state = self.lock();
        state.closed = true;
        self.unread.store(true, Ordering::Release);
        let wakers = state.wakers();
        let events = std::mem::take(&mut state.events);
        let (unseen, vanished) = (
            std::mem::take(&mut state.unseen),
            std::mem::take(&mut state.vanished),
        );
        drop(state);
        drop((events, unseen, vanished));
        wakers
    }
}

/// Wakes whoever is to be woken. Returns whether the handle has waited.
fn wake_from<E: PipeEnd>(mut state: MutexGuard<'_, State<E>>) -> bool {
    let wakers = state.wakers();
    drop(state);
    let has_waited = wakers[0].is_some();
    wake(wakers);
    has_waited
}

fn wake([waiting, watching]: [Option<Waker>; 2]) {
    if let Some(waker) = waiting {
        waker.wake();
    }
    if let Some(waker) = watching {
        waker.wake();
    }
}

impl<E: PipeEnd> State<E> {
    /// Returns who is to be woken: the task that waits, and whoever watches.
    fn wakers(&mut self) -> [Option<Waker>; 2] {
        [self.waiting.take(), self.watching.clone()]
    }

    /// Takes what is not among the events, and forgets which pipes are among them.
    #[cold]
    fn take_rest(&mut self, read: &mut VecDeque<PipeEvent<E>>) {
        self.unseen = FxHashMap::default();
        self.vanished = FxHashSet::default();
        self.left = Left::default();
        if std::mem::take(&mut self.configured) {
            read.push_back(PipeEvent::Configured);
        }
        if std::mem::take(&mut self.look) {
            read.push_back(PipeEvent::Look);
        }
    }

    fn push(&mut self, event: PipeEvent<E>) {
        if let PipeEvent::Attached(end) = &event {
            self.unseen.insert(end.id(), self.events.len());
        }
        self.events.push_back(event);
    }

    /// Ends a pipe that the handle has not seen. Returns its end if that is for nobody: nothing is to be had from it,
    /// or nothing is wanted, or others have left too much.
    fn end(&mut self, at: usize, is_of_use: impl Fn(&E) -> bool) -> Option<PipeEvent<E>> {
        let event = self.events.get_mut(at)?;
        let PipeEvent::Attached(end) = event else {
            return None;
        };
        let id = end.id();
        if is_of_use(end) && !end.is_spent() {
            let left = end.left();
            if self.left.keep(left, self.most_left) {
                return None;
            }
        }
        let vanished = std::mem::replace(event, PipeEvent::Nothing);
        self.unseen.remove(&id);
        self.vanished.insert(id);
        while let Some(PipeEvent::Nothing) = self.events.back() {
            self.events.pop_back();
        }
        if self.events.is_empty() {
            self.vanished.clear();
        }
        if self.vanished.len() >= SWEEP && 2 * self.vanished.len() >= self.events.len() {
            self.sweep();
        }
        Some(vanished)
    }

    /// Takes what is about pipes that have vanished out of the events.
    fn sweep(&mut self) {
        let vanished = std::mem::take(&mut self.vanished);
        let is_about_others = |event: &PipeEvent<E>| {
            !matches!(event, PipeEvent::Nothing)
                && event.about().is_none_or(|id| !vanished.contains(&id))
        };
        self.events.retain(is_about_others);
        self.events.shrink_to(2 * self.events.len());
        self.index();
    }

    /// Notes anew where the pipes are.
    fn index(&mut self) {
        self.unseen.clear();
        for (at, event) in self.events.iter().enumerate() {
            if let PipeEvent::Attached(end) = event {
                self.unseen.insert(end.id(), at);
            }
        }
        self.unseen.shrink_to(2 * self.unseen.len());
    }
}
