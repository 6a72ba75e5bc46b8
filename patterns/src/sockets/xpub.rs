//! XPUB (RFC 29): a publisher that hears what is subscribed to.
//!
//! ```text
//! hearing.rs   what peers say, and that they have gone, in order
//! events.rs    notices told apart, and messages to one peer
//! ```

mod events;
mod hearing;

use std::sync::Arc;
use std::task::Poll;

use zmtp::Message;

pub use self::events::{Subscriber, XPubEvent};
use self::hearing::{Hearing, Most, Place, hear, hear_first, is_manual, most_kept, next};
use super::publisher::SUBSCRIPTIONS;
use crate::core::{Access, Core, Joint, Pattern, Refusal};
use crate::peer::Peer;
use crate::routing::{FairQueue, FanOut};
use crate::socket::{Direction, RecvHalf, SendHalf, Socket, SubscribesFor};

/// The pattern of [`XPubSocket`].
#[derive(Clone, Copy, Debug)]
pub struct XPub;

/// Sends each message to all peers that subscribed to it, and receives their subscriptions as messages:
/// `01` and the topic for a new one, `00` and the topic for one that ends (RFC 29).
///
/// Told are the first subscription to a topic and the end of the last one, also by a peer that goes;
/// `verbose` and `verboser` tell more. With `manual`, the application decides what a peer gets. Other
/// messages of XSUB peers are received as they are. It sends as [`PubSocket`](crate::PubSocket) does. See
/// [`XSubSocket`](crate::XSubSocket) for an example.
///
/// Peers are heard whenever the socket is used. When as many notices and messages wait for an application that also
/// receives as `recv_hwm` and `recv_hwm_bytes` allow, the peers wait, too, until it has received some: no notice is lost,
/// and what is subscribed to takes effect in its turn. Who sends 1,000 messages without trying to receive, and for a second
/// if it has received before, is taken for one that never will: then all subscriptions are followed at once, no more than
/// that is kept, and [`missed`](Socket::missed) counts the others. With `manual`, where a notice that is lost is a
/// subscription that never takes effect, the peers are not heard beyond that, and wait.
pub type XPubSocket = Socket<XPub>;

impl SubscribesFor<XPub> for SendHalf {}
impl SubscribesFor<XPub> for RecvHalf {}

impl Pattern for XPub {
    type Sent = Message;
    type Received = Message;
    type Send = FanOut;
    type Recv = FairQueue;
    type State = Hearing;
    /// Who sends has to hear the subscriptions, which the other half gives to the application.
    type Half = Joint<Self>;

    fn opened(core: &mut Core<Self>) {
        core.sender.tell_departures();
    }

    /// Sends a message, after hearing who wants it.
    fn send(core: &mut Core<Self>, message: &mut Message) -> Poll<Result<(), Refusal>> {
        hear_first(core);
        let is_there = |place: &Place| place.is_there(&core.sender);
        let only = core.state.only.filter(is_there).map(|place| place.pipe);
        let sent = core.publish(message, only);
        if sent.is_ready() && core.state.only.take().is_some() {
            core.state.last = None;
        }
        sent
    }

    /// Takes the next that was heard.
    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        next(core).map(|heard| Ok(heard.message))
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        while core.state.heard.is_empty()
            && let Some(work) = hear(core, Most::ALL, SUBSCRIPTIONS)
        {
            if !core.goes_on(work) {
                break;
            }
        }
        !core.state.heard.is_empty()
    }

    fn last_peer(core: &Core<Self>) -> Option<Arc<Peer>> {
        core.state.sender.clone()
    }

    fn subscribe(core: &mut Core<Self>, subscribe: bool, topic: &[u8]) -> bool {
        core.read_events();
        let is_there = |place: &Place| place.is_there(&core.sender);
        let last = core.state.last.filter(is_there);
        let done = last.and_then(|Place { pipe, .. }| match subscribe {
            true => core.sender.subscribe(pipe, topic),
            false => core.sender.unsubscribe(pipe, topic),
        });
        done.is_some()
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        let mut limit = most_kept(core);
        // Counting is about all that came: it is heard, also beyond what is kept of it.
        if core.state.is_read && core.state.is_patient(limit) && !is_manual(core.options()) {
            limit = Most::ALL;
        }
        while let Some(work) = hear(core, limit, SUBSCRIPTIONS) {
            if !core.goes_on(work) {
                break;
            }
        }
        (core.sender.subscribed(), core.sender.topics())
    }

    fn heard(core: &Core<Self>) -> usize {
        core.state.heard.len()
    }
}

impl<D: Direction> Socket<XPub, D> {
    /// Counts notices and messages of peers that were not kept, because the application sent and did not receive.
    pub fn missed(&self) -> u64 {
        self.handle
            .peek(|core| core.shared.state.stats.unheard.get())
    }
}
