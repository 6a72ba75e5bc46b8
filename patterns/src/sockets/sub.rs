//! SUB (RFC 29): listens to the topics that it chose.

use std::task::Poll;

use zmtp::Message;

use super::{is_wanted_next, work_of};
use crate::core::{Core, Pattern, Refusal};
use crate::routing::{Broadcast, FairQueue, PrefixTrie};
use crate::socket::Socket;

/// The pattern of [`SubSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Sub;

/// Receives the messages that it subscribed to from all of its peers, one from each in turn (RFC 29).
///
/// Without a subscription nothing comes. Subscriptions hold for all publishers, present and future, and
/// every new connection begins with them: they survive a reconnection. See [`PubSocket`](crate::PubSocket) for an
/// example.
pub type SubSocket = Socket<Sub>;

impl Pattern for Sub {
    type Sent = Message;
    type Received = Message;
    type Send = Broadcast;
    type Recv = FairQueue;
    /// The same topics as the sessions have, for the filter on receive ([R-SUB-4]): a publisher may send more
    /// than was asked for, and sends for a while what is not wanted any more. The value counts.
    ///
    /// [R-SUB-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-sub-4
    type State = PrefixTrie<usize>;
    type Half = Core<Self>;

    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        let invert = core.shared.config.options.invert_matching;
        while let Some(message) = core.receiver.recv() {
            if core.state.matches(message.first().unwrap_or_default()) != invert {
                return Poll::Ready(Ok(message));
            }
            core.shared.state.stats.discarded.add(1);
            if !core.goes_on(work_of(&message)) {
                break;
            }
        }
        Poll::Pending
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        let invert = core.shared.config.options.invert_matching;
        is_wanted_next(core, |topics, topic| topics.matches(topic) != invert)
    }

    #[inline(always)]
    fn try_fast_recv(core: &mut Core<Self>) -> Option<Message> {
        let invert = core.shared.config.options.invert_matching;
        let topics = &core.state;
        core.receiver.try_fast_if(|reader| {
            reader
                .front()
                .is_some_and(|topic| topics.matches(topic) != invert)
        })
    }

    fn subscribe(core: &mut Core<Self>, subscribe: bool, topic: &[u8]) -> bool {
        let topics = &mut core.state;
        if subscribe {
            let id = topics.insert(topic);
            *topics.value_mut(id) += 1;
        } else {
            let Some(id) = topics.find(topic) else {
                return false;
            };
            let count = topics.value_mut(id);
            *count -= 1;
            if *count == 0 {
                topics.remove(id);
            }
        }
        core.change_subscription(subscribe, topic)
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        (0, core.state.len())
    }
}
