//! Routing strategies: which pipe a message goes to, and which pipe the next one comes from.
//!
//! A strategy belongs to one socket handle and is never locked. It gets its pipes, and word of their
//! changes, from the socket's inboxes (`socket/core.rs` reads those before every call). A socket type is
//! a pair of strategies and a twist; what each does when no pipe can take or give a message (the mute
//! state) follows from the strategy.

mod absent;
mod addressed;
mod copies;
mod everyone;
mod exclusive;
mod fair_queue;
mod fan_out;
mod load_balance;
mod subscriptions;

pub(crate) use absent::Absent;
pub(crate) use addressed::{Addressed, Undelivered};
pub(crate) use everyone::Everyone;
pub(crate) use exclusive::{ExclusiveReceiver, ExclusiveSender};
pub(crate) use fair_queue::FairQueue;
pub(crate) use fan_out::FanOut;
pub(crate) use load_balance::LoadBalance;
pub(crate) use subscriptions::PrefixTrie;

use std::sync::Arc;

use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Origin, PipeId, PipeReader, PipeWriter};
use crate::routing_id::RoutingId;

/// What every sending strategy does with the pipes it is given.
pub(crate) trait SendStrategy: Default + Send + 'static {
    /// This is the half of a socket that does not send.
    const ABSENT: bool = false;
    /// Calls for each pipe that are served without waiting before the task yields once, so that an application
    /// that is always busy leaves its runtime time for the sessions. As many as the default HWM lets into a pipe.
    const BUSY: usize = 1000;
    /// The most pipes that count for that: when they take turns, each gets a share of the calls, and its session
    /// a batch worth a system call.
    const SHARES: usize = 8;

    /// The socket's options, at its beginning and whenever they are changed.
    fn set_options(&mut self, _options: &Options) {}
    /// Whether a message could be sent now. If not, a note comes when it could. Those who drop messages always
    /// can.
    fn has_room(&mut self) -> bool {
        true
    }
    /// How many pipes take turns.
    fn pipes(&self) -> usize {
        1
    }
    /// A pipe begins.
    fn attach(&mut self, writer: PipeWriter);
    /// A pipe that was full has room again, or its peer has gone.
    fn changed(&mut self, id: PipeId);
    /// The peer at the other end of a pipe is known by this name from now on.
    fn named(&mut self, _id: PipeId, _name: RoutingId) {}
    /// The pipes of an endpoint go: dropping their writers lets the sessions linger and end.
    fn detach(&mut self, origin: Origin);
}

/// What every receiving strategy does with the pipes it is given.
pub(crate) trait RecvStrategy: Default + Send + 'static {
    /// This is the half of a socket that does not receive.
    const ABSENT: bool = false;
    /// How many pipes take turns.
    fn pipes(&self) -> usize {
        1
    }
    /// A pipe begins.
    fn attach(&mut self, reader: PipeReader);
    /// A pipe that was empty has messages again, or has ended.
    fn changed(&mut self, id: PipeId);
    /// The pipes of an endpoint go, with what they hold.
    fn detach(&mut self, origin: Origin);
    /// Who has sent the message that was received last. `None`: none was.
    fn last_sender(&self) -> Option<Arc<Peer>>;
    /// All pipes.
    fn readers(&self) -> impl Iterator<Item = &PipeReader>;
}
