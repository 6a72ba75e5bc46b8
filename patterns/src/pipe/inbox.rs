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
//! Lock order: an inbox may look into a pipe while it is locked, a pipe never into an inbox.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::task::Waker;

use crate::options::Options;
use crate::pipe::{Origin, PipeId};
use crate::routing_id::{Identity, RoutingId};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The socket's end of a pipe, as far as the inbox has to know it.
pub(crate) trait PipeEnd {
    /// Names the pipe.
    fn id(&self) -> PipeId;
    /// Returns whether the other side has left and nothing is to be had from this end any more.
    fn is_spent(&self) -> bool;
}

/// What a socket is told of one of its pipes.
pub(crate) enum PipeEvent<E> {
    /// A pipe begins.
    Attached(E),
    /// A pipe that the socket had parked can be tried again, or has ended.
    Changed(PipeId),
    /// The peer at the other end is known by this name from now on. Only senders have use for it.
    Named(PipeId, RoutingId),
    /// Who is at the other end has changed. Only senders have use for it.
    Met(PipeId, Identity),
    /// Another connection has taken the name under which messages of this pipe have come. Only receivers have use for it.
    Renamed(PipeId),
    /// The other half of the socket has let go of an endpoint.
    Detached(Origin),
    /// The other half of the socket has changed the options.
    Configured(Box<Options>),
    /// Whoever waits looks whether anything is left to wait for: a task of an endpoint has ended that was not told to, or
    /// the socket drains.
    Look,
}

impl<E> PipeEvent<E> {
    /// Returns whether it is about a pipe that the socket has been given.
    fn is_about(&self, id: PipeId) -> bool {
        match self {
            PipeEvent::Attached(_)
            | PipeEvent::Detached(_)
            | PipeEvent::Configured(_)
            | PipeEvent::Look => false,
            PipeEvent::Changed(pipe)
            | PipeEvent::Named(pipe, _)
            | PipeEvent::Met(pipe, _)
            | PipeEvent::Renamed(pipe) => *pipe == id,
        }
    }
}

/// Events from many sessions to one socket handle.
pub(crate) struct Inbox<E> {
    /// Something is in `state.events`. Set and cleared under the lock, read without it.
    unread: AtomicBool,
    /// What a peer has sent is of no use once it has gone.
    forgets: bool,
    state: Mutex<State<E>>,
}

struct State<E> {
    events: VecDeque<PipeEvent<E>>,
    /// The handle's task, while it waits.
    waiting: Option<Waker>,
    /// The handle is gone: events are dropped.
    closed: bool,
}

impl<E: PipeEnd> Inbox<E> {
    pub(crate) fn new() -> Self {
        Inbox {
            unread: AtomicBool::new(false),
            forgets: false,
            state: Mutex::new(State {
                events: VecDeque::new(),
                waiting: None,
                closed: false,
            }),
        }
    }

    /// Makes the inbox of a socket that has no use for what a peer sent that has gone: of a publisher, which hears of
    /// subscriptions only. Otherwise subscribers that come and go would fill it while nothing is published.
    pub(crate) fn forgetting() -> Self {
        Inbox {
            forgets: true,
            ..Inbox::new()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock()
    }

    /// Leaves an event and wakes the handle if it waits.
    pub(crate) fn post(&self, event: PipeEvent<E>) {
        let mut state = self.lock();
        if state.closed {
            drop(state); // the event may own a pipe's end, which takes the pipe's lock when it is dropped
            return;
        }
        // Only the newest counts: the half that reads this may rest for long.
        if let PipeEvent::Configured(_) | PipeEvent::Look = event {
            let kind = discriminant(&event);
            state.events.retain(|one| discriminant(one) != kind);
        }
        state.events.push_back(event);
        self.notify(state);
    }

    /// Tells that a pipe has ended. A pipe that the handle has never seen and that holds nothing for it
    /// vanishes without a trace, so that peers which come and go do not fill the inbox of an idle socket.
    pub(crate) fn closed(&self, id: PipeId) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let unseen = state
            .events
            .iter()
            .position(|event| matches!(event, PipeEvent::Attached(end) if end.id() == id));
        if let Some(at) = unseen {
            let spent = self.forgets
                || matches!(&state.events[at], PipeEvent::Attached(end) if end.is_spent());
            if spent {
                let end = state.events.remove(at);
                state.events.retain(|event| !event.is_about(id));
                drop(state);
                drop(end);
            }
            return;
        }
        state.events.push_back(PipeEvent::Changed(id));
        self.notify(state);
    }

    fn notify(&self, mut state: MutexGuard<'_, State<E>>) {
        self.unread.store(true, Ordering::Release);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Returns whether there are events to read.
    #[inline]
    pub(crate) fn has_events(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    /// Fills `read`, which is empty, with all events, oldest first. Its buffer is used for those to come.
    pub(crate) fn take(&self, read: &mut VecDeque<PipeEvent<E>>) {
        debug_assert!(read.is_empty());
        let mut state = self.lock();
        self.unread.store(false, Ordering::Release);
        std::mem::swap(&mut state.events, read);
    }

    /// Registers the handle's task to be woken by the next event. Returns `false` if there are events already.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if !state.events.is_empty() {
            return false;
        }
        match &mut state.waiting {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Drops what is in here, and all that comes: the handle goes.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting = None;
        let events = std::mem::take(&mut state.events);
        drop(state);
        drop(events);
    }
}
