//! A socket's inbox: what its sessions tell it between two calls of the application.
//!
//! Sessions run as tasks of their own, while the routing state of a socket belongs to its handle alone
//! and is never locked. So sessions do not touch that state: they leave a note here (a new pipe, a pipe
//! whose state changed), and the handle reads the notes when it is called next, before it routes.
//! An atomic flag keeps the empty case to one load.
//!
//! There are two inboxes a socket, one for the writers and one for the readers of its pipes, so that its
//! two directions can be driven from two tasks.
//!
//! Lock order: an inbox may look into a pipe while it is locked, a pipe never into an inbox.

use std::collections::VecDeque;
use std::task::Waker;

use crate::options::Options;
use crate::pipe::{Origin, PipeId};
use crate::routing_id::RoutingId;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The socket's end of a pipe, as far as the inbox has to know it.
pub(crate) trait PipeEnd {
    /// Names the pipe.
    fn id(&self) -> PipeId;
    /// The other side has left and nothing is to be had from this end any more.
    fn is_spent(&self) -> bool;
}

/// A note to the socket.
pub(crate) enum PipeEvent<E> {
    /// A pipe begins.
    Attached(E),
    /// A pipe that the socket had parked can be tried again, or has ended.
    Changed(PipeId),
    /// The peer at the other end is known by this name from now on. Only senders have use for it.
    Named(PipeId, RoutingId),
    /// The other half of the socket has let go of an endpoint.
    Detached(Origin),
    /// The other half of the socket has changed the options.
    Configured(Box<Options>),
}

impl<E> PipeEvent<E> {
    /// Whether it is about a pipe that the socket has been given.
    fn is_about(&self, id: PipeId) -> bool {
        match self {
            PipeEvent::Attached(_) | PipeEvent::Detached(_) | PipeEvent::Configured(_) => false,
            PipeEvent::Changed(pipe) | PipeEvent::Named(pipe, _) => *pipe == id,
        }
    }
}

/// Notes from many sessions to one socket handle.
pub(crate) struct Inbox<E> {
    /// Something is in `state.notes`. Set and cleared under the lock, read without it.
    unread: AtomicBool,
    /// What a peer has sent is of no use once it has gone.
    forgets: bool,
    state: Mutex<State<E>>,
}

struct State<E> {
    notes: VecDeque<PipeEvent<E>>,
    /// The handle's task, while it waits.
    waiting: Option<Waker>,
    /// The handle is gone: notes are dropped.
    closed: bool,
}

impl<E: PipeEnd> Inbox<E> {
    pub(crate) fn new() -> Self {
        Inbox {
            unread: AtomicBool::new(false),
            forgets: false,
            state: Mutex::new(State {
                notes: VecDeque::new(),
                waiting: None,
                closed: false,
            }),
        }
    }

    /// The inbox of a socket that has no use for what a peer sent that has gone: of a publisher, which hears of
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

    /// Leaves a note and wakes the handle if it waits.
    pub(crate) fn post(&self, note: PipeEvent<E>) {
        let mut state = self.lock();
        if state.closed {
            drop(state); // the note may own a pipe's end, which takes the pipe's lock when it is dropped
            return;
        }
        if let PipeEvent::Configured(_) = note {
            // Only the newest counts: the half that reads this may rest for long.
            let is_older = |one: &PipeEvent<E>| matches!(one, PipeEvent::Configured(_));
            state.notes.retain(|one| !is_older(one));
        }
        state.notes.push_back(note);
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
            .notes
            .iter()
            .position(|note| matches!(note, PipeEvent::Attached(end) if end.id() == id));
        if let Some(at) = unseen {
            let spent = self.forgets
                || matches!(&state.notes[at], PipeEvent::Attached(end) if end.is_spent());
            if spent {
                let end = state.notes.remove(at);
                state.notes.retain(|note| !note.is_about(id));
                drop(state);
                drop(end);
            }
            return;
        }
        state.notes.push_back(PipeEvent::Changed(id));
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

    /// Whether there are notes to read.
    #[inline]
    pub(crate) fn has_notes(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    /// Fills `read`, which is empty, with all notes, oldest first. Its buffer is used for those to come.
    pub(crate) fn take(&self, read: &mut VecDeque<PipeEvent<E>>) {
        debug_assert!(read.is_empty());
        let mut state = self.lock();
        self.unread.store(false, Ordering::Release);
        std::mem::swap(&mut state.notes, read);
    }

    /// Registers the handle's task to be woken by the next note. `false`: there are notes already.
    pub(crate) fn park(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if !state.notes.is_empty() {
            return false;
        }
        match &mut state.waiting {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// The handle goes: what is in here is dropped, and so is all that comes.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting = None;
        let notes = std::mem::take(&mut state.notes);
        drop(state);
        drop(notes);
    }
}
