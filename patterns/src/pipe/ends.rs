//! The ends of a lane: who holds them, and how they are told.

use std::sync::Arc;
use std::task::Waker;

use socket2::Socket;

use super::PipeId;
use super::lane::Lane;
use crate::pipe::{Inbox, PipeEnd, PipeEvent};
use crate::routing_id::RoutingId;

/// A connection that a socket's handle can drive itself, instead of waking the connection's task.
pub(crate) trait Drive: Send + Sync {
    /// Sends what is queued, as far as it goes without waiting. Returns `false` if the task has to be woken.
    fn drive(&self) -> bool;
    /// Does so for a message that has found the session at rest, unless that is better left to the task.
    fn drive_next(&self) -> bool {
        self.drive()
    }
    /// Sends what is queued where that is sooner done than by the task: who would have to wait for room asks.
    fn relieve(&self) {
        self.drive();
    }
    /// Sends what is queued where nobody else does meanwhile: who holds its thread for long asks.
    fn send_on(&self) {
        self.drive();
    }
    /// Takes what has come, as there is room for it. Returns `false` if the task has to be woken.
    fn bring(&self) -> bool {
        false
    }
    /// Takes what has come, as the task would that is woken by it, unless it has: the reader asks, and looks afterwards.
    fn hear(&self) {}
    /// Lends its stream to a thread that waits for what comes, if that is worth it, or has done so. Returns the socket to wait
    /// for.
    fn lend(&self) -> Option<Arc<Socket>> {
        None
    }
    /// Takes what has come at a stream that is lent. Returns `false` if the task has to be woken.
    fn read_lent(&self) -> bool {
        false
    }
    /// Has a stream taken back that is lent.
    fn want_back(&self) {}
    /// Sends what is queued and takes what has come, without asking the runtime what is ready. Returns whether anything
    /// moved.
    fn exchange(&self) -> bool;
}

/// What a queue knows of one of its ends.
pub(super) struct End<E> {
    pub(super) gone: bool,
    /// This end found nothing to do and waits to be told.
    pub(super) parked: bool,
    pub(super) holder: Holder<E>,
}

/// Who holds an end.
pub(super) enum Holder<E> {
    /// A session, with its task's waker.
    Session(Option<Waker>),
    /// A socket.
    Socket(Arc<Inbox<E>>),
    /// Nobody yet: an inproc pipe whose peer has not bound.
    Nobody,
}

/// What an end has to be told once the lane is unlocked.
pub(super) enum Wakeup<E> {
    /// A parked session has something to do.
    Task(Waker),
    /// A parked pipe of a socket can be tried again.
    Ready(Arc<Inbox<E>>),
    /// The other end of a socket's pipe has gone.
    Closed(Arc<Inbox<E>>),
}

/// Tells an end what it has to be told, if there is anything. Only without the lane's lock.
#[inline]
pub(super) fn deliver<E: PipeEnd>(wakeup: Option<Wakeup<E>>, id: PipeId) {
    if let Some(wakeup) = wakeup {
        wakeup.deliver(id);
    }
}

impl<E: PipeEnd> Wakeup<E> {
    #[inline(never)]
    fn deliver(self, id: PipeId) {
        match self {
            Wakeup::Task(waker) => waker.wake(),
            Wakeup::Ready(inbox) => _ = inbox.post(PipeEvent::Changed(id)),
            Wakeup::Closed(inbox) => inbox.closed(id),
        }
    }
}

impl<E: PipeEnd> End<E> {
    pub(super) fn new(holder: Holder<E>) -> Self {
        End {
            gone: false,
            parked: false,
            holder,
        }
    }

    /// Returns what to tell this end if it is parked, which it is no more then.
    #[inline]
    pub(super) fn unpark(&mut self) -> Option<Wakeup<E>> {
        if !self.parked {
            return None;
        }
        self.parked = false;
        match &self.holder {
            Holder::Session(waker) => waker.clone().map(Wakeup::Task),
            Holder::Socket(inbox) => Some(Wakeup::Ready(inbox.clone())),
            Holder::Nobody => None,
        }
    }

    /// Remembers a session's task: it is woken when it is parked, and when the other end goes.
    pub(super) fn set_task(&mut self, waker: &Waker) {
        if let Holder::Session(old) = &mut self.holder {
            match old {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// Returns what to tell this end when the other one goes, parked or not.
    pub(super) fn notify_closed(&self) -> Option<Wakeup<E>> {
        match &self.holder {
            Holder::Session(waker) => waker.clone().map(Wakeup::Task),
            Holder::Socket(inbox) => Some(Wakeup::Closed(inbox.clone())),
            Holder::Nobody => None,
        }
    }

    /// Returns what to tell this end so that it looks at the lane, parked or not.
    pub(super) fn notify(&self) -> Option<Wakeup<E>> {
        match &self.holder {
            Holder::Session(waker) => waker.clone().map(Wakeup::Task),
            Holder::Socket(inbox) => Some(Wakeup::Ready(inbox.clone())),
            Holder::Nobody => None,
        }
    }

    /// Forgets who holds this end and has dropped it: nobody is told any more. What is returned is dropped without the lane's
    /// lock.
    pub(super) fn let_go(&mut self) -> Holder<E> {
        std::mem::replace(&mut self.holder, Holder::Nobody)
    }

    pub(super) fn is_session(&self) -> bool {
        matches!(self.holder, Holder::Session(_))
    }
}

/// Tells a socket's sending end who it sends to.
pub(super) fn name_receiver(id: PipeId, outgoing: &Lane, name: RoutingId) {
    let inbox = match &outgoing.lock().writer.holder {
        Holder::Socket(inbox) => inbox.clone(),
        Holder::Session(_) | Holder::Nobody => return,
    };
    inbox.post(PipeEvent::Named(id, Box::new(name)));
}
