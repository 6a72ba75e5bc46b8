//! The ends of a lane: who sits there, and how they are told.

use std::sync::Arc;
use std::task::Waker;

use super::PipeId;
use super::lane::Lane;
use crate::pipe::{Inbox, PipeEnd, PipeEvent};
use crate::routing_id::RoutingId;

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
        Some(Notice::Changed(inbox)) => inbox.post(PipeEvent::Changed(id)),
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
    pub(super) fn notify_closed(&self) -> Option<Notice<E>> {
        match &self.at {
            At::Session(waker) => waker.clone().map(Notice::Wake),
            At::Socket(inbox) => Some(Notice::Ended(inbox.clone())),
            At::Nobody => None,
        }
    }
}

/// Tells a socket's sending end who it sends to.
pub(super) fn name_receiver(id: PipeId, outgoing: &Lane, name: RoutingId) {
    let inbox = match &outgoing.lock().writer.at {
        At::Socket(inbox) => inbox.clone(),
        At::Session(_) | At::Nobody => return,
    };
    inbox.post(PipeEvent::Named(id, name));
}
