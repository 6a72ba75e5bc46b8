//! ByPeer: a message to one given pipe, or nowhere. Used by REP, whose reply goes to the asker, and by
//! ROUTER, which sends by name.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use zmtp::Message;

use super::SendStrategy;
use crate::pipe::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter, Refused};
use crate::routing_id::RoutingId;

/// The pipes by their ids, and those that have names by these.
#[derive(Default)]
pub struct ByPeer {
    pipes: FxHashMap<PipeId, Addressee>,
    names: HashMap<RoutingId, PipeId>,
}

struct Addressee {
    writer: PipeWriter,
    name: Option<RoutingId>,
}

/// Why a message did not go to its addressee. It is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Nobody has this name.
    Unknown,
    /// The pipe is full.
    Full,
}

impl ByPeer {
    /// Queues the message to the pipe.
    pub(crate) fn send(&mut self, to: PipeId, message: &mut Message) -> Result<(), Undelivered> {
        self.send_with(to, |writer| writer.push(message))
    }

    /// `send`, with `push` to queue the message.
    pub(crate) fn send_with(
        &mut self,
        to: PipeId,
        push: impl FnOnce(&mut PipeWriter) -> Result<(), Refused>,
    ) -> Result<(), Undelivered> {
        let Some(addressee) = self.pipes.get_mut(&to) else {
            return Err(Undelivered::Unknown);
        };
        match push(&mut addressee.writer) {
            Ok(()) => Ok(()),
            Err(Refused::Full) => Err(Undelivered::Full),
            Err(Refused::Gone) => {
                self.remove(to);
                Err(Undelivered::Unknown)
            }
        }
    }

    /// Queues the message to the peer of this name.
    pub(crate) fn send_to(&mut self, to: &[u8], message: &mut Message) -> Result<(), Undelivered> {
        match self.names.get(to) {
            Some(&pipe) => self.send(pipe, message),
            None => Err(Undelivered::Unknown),
        }
    }

    /// A message to the peer of this name was dropped because its pipe is full.
    pub(crate) fn count_dropped(&self, to: &[u8]) {
        if let Some(pipe) = self.names.get(to) {
            self.count_dropped_by(*pipe);
        }
    }

    /// A message to the pipe was dropped because it is full.
    pub(crate) fn count_dropped_by(&self, to: PipeId) {
        if let Some(addressee) = self.pipes.get(&to) {
            addressee.writer.count_dropped();
        }
    }

    /// The names of all peers that have one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &RoutingId> {
        self.names.keys()
    }

    fn remove(&mut self, id: PipeId) {
        let name = self.pipes.remove(&id).and_then(|addressee| addressee.name);
        self.forget(name, id);
    }

    fn forget(&mut self, name: Option<RoutingId>, id: PipeId) {
        if let Some(name) = name
            && self.names.get(&name) == Some(&id)
        {
            self.names.remove(&name);
        }
    }
}

impl SendStrategy for ByPeer {
    fn attach(&mut self, writer: PipeWriter) {
        let id = writer.id();
        self.pipes.insert(id, Addressee { writer, name: None });
    }

    fn changed(&mut self, id: PipeId) {
        let addressee = self.pipes.get(&id);
        if addressee.is_some_and(|addressee| addressee.writer.is_spent()) {
            self.remove(id);
        }
    }

    fn named(&mut self, id: PipeId, name: RoutingId) {
        let Some(addressee) = self.pipes.get_mut(&id) else {
            return;
        };
        let before = addressee.name.replace(name.clone());
        self.forget(before, id);
        // Whoever had the name before ends: its connection is closed once what was sent to it is through.
        if let Some(old) = self.names.insert(name, id) {
            self.pipes.remove(&old);
        }
    }

    fn detach(&mut self, origin: Origin) {
        let pipes = &mut self.pipes;
        pipes.retain(|_, addressee| addressee.writer.origin() != origin);
        self.names.retain(|_, pipe| pipes.contains_key(pipe));
    }
}
