//! Routing strategies: which pipe a message goes to, and which pipe the next one comes from.
//!
//! A strategy belongs to one socket handle and is never locked. It gets its pipes, and the events of those that it has,
//! from the socket's inboxes, which the core reads before every call. A socket type is a pair of strategies and a
//! twist (`sockets/`); what it does when no pipe can take or give a message (the mute state) follows from the strategy.

mod broadcast;
mod by_peer;
mod encode_once;
mod exclusive;
mod fair_queue;
mod fan_out;
mod leftovers;
mod load_balance;
mod origins;
mod prefix_trie;
mod row;
mod unread;

pub(crate) use broadcast::Broadcast;
pub(crate) use by_peer::ByPeer;
pub(crate) use by_peer::Undelivered;
pub(crate) use exclusive::{ExclusiveReceiver, ExclusiveSender};
pub(crate) use fair_queue::FairQueue;
pub(crate) use fan_out::{DepartureKind, FanOut};
pub(crate) use load_balance::LoadBalance;
pub(crate) use prefix_trie::PrefixTrie;
pub(crate) use unread::Unread;

use std::sync::Arc;

use crate::error::{DatagramError, EndpointGone, GroupError};
use crate::groups::give_back;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Origin, PipeId, PipeReader, PipeWriter};
use crate::routing_id::{Identity, RoutingId};

/// What every sending strategy does with the pipes it is given.
pub(crate) trait SendStrategy: Default + Send + 'static {
    /// Calls for each pipe that are served without waiting before the task yields once, so that an application
    /// that is always busy leaves its runtime time for the sessions. As many as the default HWM lets into a pipe.
    const BUDGET: usize = 1000;
    /// The most pipes that count for that: when they take turns, each gets a share of the calls, and its session
    /// a batch worth a system call.
    const SHARES: usize = 8;

    /// Takes on the socket's options, at its beginning and whenever they are changed.
    fn set_options(&mut self, _options: &Options) {}
    /// Returns whether a message could be sent now. If not, an event comes when it could. Strategies that drop
    /// messages always can.
    fn has_room(&mut self) -> bool {
        true
    }
    /// Counts the pipes that take turns, or get copies.
    fn pipes(&self) -> usize {
        1
    }
    /// Returns the pipe in which what was sent last waits for somebody's turn, as far as that is soon told.
    fn unread(&mut self) -> Option<&PipeWriter> {
        None
    }
    /// Says how many calls more are served than the budget before the task yields: no pipe has got much since it did last.
    fn calls_more(&mut self) -> usize {
        0
    }
    /// Adds a pipe.
    fn attach(&mut self, writer: PipeWriter);
    /// Looks at a pipe that was full and has room again.
    fn changed(&mut self, id: PipeId);
    /// Drops a pipe whose reader has gone, if it has.
    fn ended(&mut self, id: PipeId);
    /// Knows the peer at the other end of a pipe by this name from now on.
    fn named(&mut self, _id: PipeId, _name: RoutingId) {}
    /// Knows who is at the other end of a pipe from now on: what is meant for somebody else does not go there.
    fn met(&mut self, _id: PipeId, _identity: Identity) {}
    /// Drops the pipes of an endpoint: without their writers, the sessions linger and end.
    fn detach(&mut self, origin: Origin);
    /// Gives all of its pipes up.
    fn into_writers(self) -> impl Iterator<Item = PipeWriter>;
}

/// What every receiving strategy does with the pipes it is given.
pub(crate) trait RecvStrategy: Default + Send + 'static {
    /// Takes on the socket's options, at its beginning and whenever they are changed.
    fn set_options(&mut self, _options: &Options) {}
    /// Counts the pipes that take turns.
    fn pipes(&self) -> usize {
        1
    }
    /// Adds a pipe.
    fn attach(&mut self, reader: PipeReader);
    /// Looks at a pipe that was empty and has messages again.
    fn changed(&mut self, id: PipeId);
    /// Looks at a pipe whose writer has gone: it goes, too, unless something is left in it.
    fn ended(&mut self, id: PipeId);
    /// Looks at the name of a pipe's peer: another connection has taken it.
    fn renamed(&mut self, _id: PipeId) {}
    /// Drops the pipes of an endpoint, with what they hold.
    fn detach(&mut self, origin: Origin);
    /// Begins to let go of the pipes of an endpoint: nobody is told any more of those that are to be dropped.
    fn begin_letting_go(&self, origin: Origin) {
        if !origin.is_bound() {
            self.readers_of(origin).for_each(PipeReader::hush);
        }
    }
    /// Lets go of the pipes of an endpoint. What came through a bound one is still to be had.
    fn let_go(&mut self, origin: Origin) {
        if !origin.is_bound() {
            return self.detach(origin);
        }
        self.readers_of(origin).for_each(PipeReader::conclude);
    }
    /// Returns whether something is to be had now. It stays where it is.
    fn has_next(&mut self) -> bool;
    /// Returns who has sent the message that was received last; `None` if none was.
    fn last_sender(&self) -> Option<Arc<Peer>>;
    /// Keeps in mind who that is, before a call that may take messages and give none.
    fn keep_last(&mut self) {}
    /// Returns to what was kept in mind: the call has given none.
    fn resume_last(&mut self) {}
    /// Iterates over the pipes of an endpoint.
    fn readers_of(&self, origin: Origin) -> impl Iterator<Item = &PipeReader>;
    /// Iterates over all pipes.
    fn readers(&self) -> impl Iterator<Item = &PipeReader>;
    /// Gives all of its pipes up.
    fn into_readers(self) -> impl Iterator<Item = PipeReader>;
}

/// Why a socket does not do what it was asked for, and never will as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not its turn.
    State(&'static str),
    /// No peer has the routing id.
    Unroutable,
    /// Its type takes single frames only.
    Multipart,
    /// There can be no such group.
    Group(GroupError),
    /// It cannot be a datagram.
    Datagram(DatagramError),
    /// Its type cannot.
    Unsupported,
    /// All of its endpoints are gone.
    Gone(Arc<EndpointGone>),
    /// It drains, and nothing more comes.
    Drained,
    /// Its context is closed.
    ContextClosed,
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests;
