//! The socket's call that waits for what comes through a pipe, as the connection's stream knows it.

use std::sync::Arc;

use super::ends::Holder;
use super::lane::{Awaited, Lane};
use super::session_end::IncomingEnd;
use super::{Inbox, PipeEvent, PipeId, PipeReader};

/// The call that waits, whenever there is one.
pub(crate) struct Caller {
    id: PipeId,
    lane: Arc<Lane>,
    /// `None`: the pipe has not been given to a socket.
    inbox: Option<Arc<Inbox<PipeReader>>>,
}

impl IncomingEnd {
    /// Returns who waits for what comes.
    pub(crate) fn caller(&self) -> Caller {
        let inbox = match &self.lane.lock().reader.holder {
            Holder::Socket(inbox) => Some(inbox.clone()),
            Holder::Session(_) | Holder::Nobody => None,
        };
        Caller {
            id: self.id,
            lane: self.lane.clone(),
            inbox,
        }
    }
}

impl Caller {
    /// Has it take what has come at the stream ([`Drive::hear`](super::Drive::hear)). Returns whether there is one that was
    /// woken.
    pub(crate) fn call(&self) -> bool {
        let Some(inbox) = &self.inbox else {
            return false;
        };
        match self.lane.note_arrival() {
            Some(Awaited::Here) => inbox.call(),
            Some(Awaited::Aside) => inbox.post(PipeEvent::Changed(self.id)),
            None => false,
        }
    }
}
