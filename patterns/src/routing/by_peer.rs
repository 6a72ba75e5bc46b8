//! ByPeer: a message to one given pipe, or nowhere. Used by REP, whose reply goes to the asker, and by
//! ROUTER, which sends by name.

use std::collections::HashMap;

use rustc_hash::{FxHashMap, FxHashSet};
use zmtp::Message;

use super::origins::Origins;
use super::{SendStrategy, give_back};
use crate::pipe::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter, Refused};
use crate::routing_id::{Identity, RoutingId};

/// The pipes by their ids, and those that have names by these.
#[derive(Default)]
pub struct ByPeer {
    pipes: FxHashMap<PipeId, Addressee>,
    names: HashMap<RoutingId, Named>,
    origins: Origins,
    /// Those that take no new work, since it was last asked for them.
    draining: FxHashSet<PipeId>,
}

/// Who has a name.
#[derive(Clone, Copy)]
struct Named {
    pipe: PipeId,
    identity: Identity,
}

struct Addressee {
    writer: PipeWriter,
    name: Option<RoutingId>,
    /// A made-up one that it had for a while: answers to what came under it still go there.
    alias: Option<RoutingId>,
}

/// Why a message did not go to its addressee. It is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Nobody has this name, or somebody else.
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
            Err(Refused::Strange) => Err(Undelivered::Unknown),
            Err(Refused::Gone) => {
                self.remove(to);
                Err(Undelivered::Unknown)
            }
        }
    }

    /// Queues a message with `push` to this peer, if it is still at the other end of the pipe.
    pub(crate) fn answer(
        &mut self,
        (pipe, identity): (PipeId, Identity),
        push: impl FnOnce(&mut PipeWriter) -> Result<(), Refused>,
    ) -> Result<(), Undelivered> {
        let addressee = self.pipes.get(&pipe);
        if addressee.is_some_and(|one| one.writer.identity() != identity) {
            return Err(Undelivered::Unknown);
        }
        self.send_with(pipe, push)
    }

    /// Queues the message to the peer of this name: to the one whose it was when the name was learned, or who has come
    /// back as the same.
    pub(crate) fn send_to(
        &mut self,
        to: &RoutingId,
        message: &mut Message,
    ) -> Result<(), Undelivered> {
        match self.names.get(to) {
            Some(&Named { pipe, identity }) if [Identity::ANY, identity].contains(&to.whose()) => {
                self.send(pipe, message)
            }
            _ => Err(Undelivered::Unknown),
        }
    }

    /// A message to the peer of this name was dropped because its pipe is full.
    pub(crate) fn count_dropped(&self, to: &[u8]) {
        if let Some(named) = self.names.get(to) {
            self.count_dropped_by(named.pipe);
        }
    }

    /// A message to the pipe was dropped because it is full.
    pub(crate) fn count_dropped_by(&self, to: PipeId) {
        if let Some(addressee) = self.pipes.get(&to) {
            addressee.writer.count_dropped();
        }
    }

    /// Whether the peer of this name takes no new work. `None`: there is no such peer.
    pub(crate) fn is_drained_to(&self, to: &[u8]) -> Option<bool> {
        let addressee = self.pipes.get(&self.names.get(to)?.pipe)?;
        Some(addressee.writer.is_drained_to())
    }

    /// Whether the peer of this name would be given a message now. `None`: there is no such peer.
    pub(crate) fn has_room_for(&mut self, to: &[u8]) -> Option<bool> {
        let pipe = self.names.get(to)?.pipe;
        match self.send_with(pipe, PipeWriter::check_room) {
            Ok(()) => Some(true),
            Err(Undelivered::Full) => Some(false),
            Err(Undelivered::Unknown) => None,
        }
    }

    /// Whether any peer that has a name would be given a message now.
    pub(crate) fn has_room_anywhere(&mut self) -> bool {
        let named = self.pipes.values_mut().filter(|one| one.name.is_some());
        let mut writers = named.map(|addressee| &mut addressee.writer);
        writers.any(|writer| writer.check_room().is_ok())
    }

    /// The names of all peers that have one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &RoutingId> {
        let all = self.pipes.values();
        all.filter_map(|addressee| addressee.name.as_ref())
    }

    /// The peers that have said that they take no new work, each once or more.
    pub(crate) fn take_draining(&mut self) -> Vec<RoutingId> {
        if self.draining.is_empty() {
            return Vec::new();
        }
        let draining = std::mem::take(&mut self.draining);
        let names = draining
            .iter()
            .filter_map(|id| self.pipes.get(id)?.name.clone());
        names.collect()
    }

    /// Lets go of the peer of this name: its connection is closed once what was sent to it is through. `false`: there is no
    /// such peer.
    pub(crate) fn dismiss(&mut self, peer: &[u8]) -> bool {
        let named = self.names.get(peer).copied();
        if let Some(named) = named {
            self.remove(named.pipe);
        }
        named.is_some()
    }

    fn remove(&mut self, id: PipeId) {
        self.draining.remove(&id);
        if let Some(addressee) = self.pipes.remove(&id) {
            self.origins.remove(&addressee.writer);
            self.forget(addressee.name, id);
            self.forget(addressee.alias, id);
            give_back(&mut self.pipes);
            give_back(&mut self.names);
        }
    }

    fn forget(&mut self, name: Option<RoutingId>, id: PipeId) {
        if let Some(name) = name
            && self.names.get(&name).is_some_and(|one| one.pipe == id)
        {
            self.names.remove(&name);
        }
    }
}

impl SendStrategy for ByPeer {
    /// The call that yields counts for neither turn, and what is one more than the default HWM would be dropped.
    const BUDGET: usize = 999;

    fn unread(&mut self) -> Option<&PipeWriter> {
        let some = self.pipes.values().take(Self::SHARES);
        some.map(|one| &one.writer).find(|one| one.has_unread())
    }

    fn attach(&mut self, writer: PipeWriter) {
        let id = writer.id();
        self.origins.insert(&writer);
        let addressee = Addressee {
            writer,
            name: None,
            alias: None,
        };
        self.pipes.insert(id, addressee);
    }

    /// The next message finds out whether there is room.
    fn changed(&mut self, id: PipeId) {
        let addressee = self.pipes.get(&id);
        if addressee.is_some_and(|addressee| addressee.writer.is_drained_to()) {
            self.draining.insert(id);
        }
    }

    fn ended(&mut self, id: PipeId) {
        let addressee = self.pipes.get(&id);
        if addressee.is_some_and(|addressee| addressee.writer.is_spent()) {
            self.remove(id);
        }
    }

    fn named(&mut self, id: PipeId, name: RoutingId) {
        let Some(addressee) = self.pipes.get_mut(&id) else {
            return;
        };
        let mut before = addressee.name.replace(name.clone());
        addressee.writer.meet(name.whose());
        let is_alias =
            |one: &RoutingId| one.is_made_up() && one.whose() == name.whose() && *one != name;
        if before.as_ref().is_some_and(is_alias) {
            before = std::mem::replace(&mut addressee.alias, before);
        }
        self.forget(before, id);
        let named = Named {
            pipe: id,
            identity: name.whose(),
        };
        // The key knows whose it is, too, and is not replaced.
        let old = self.names.remove(&name);
        self.names.insert(name.clone(), named);
        if let Some(old) = old
            && let Some(addressee) = self.pipes.get_mut(&old.pipe)
        {
            if addressee.alias.as_ref() == Some(&name) {
                addressee.alias = None;
            } else {
                // Whoever had it, and has no other one, has gone.
                self.remove(old.pipe);
            }
        }
    }

    fn met(&mut self, id: PipeId, identity: Identity) {
        // One that has a name gets another one with the next event: until then, the old one is nobody's.
        if let Some(addressee) = self.pipes.get_mut(&id)
            && addressee.name.is_none()
        {
            addressee.writer.meet(identity);
        }
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            self.remove(id);
        }
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        self.pipes.into_values().map(|addressee| addressee.writer)
    }
}
