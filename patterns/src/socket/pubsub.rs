//! The publish-subscribe pattern (RFC 29): PUB broadcasts, SUB listens to the topics that it chose.

use zmtp::Message;

use super::call::{Source, way};
use super::traits::{receives, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Conflates, ConflatesTopics, Matches, Publishes, Receives, Sends};
use crate::routing::{Everyone, FairQueue, FanOut, PrefixTrie, RecvStrategy};
use crate::state::{SubscriptionSet, parse_subscription};

/// Sends each message to all peers that subscribed to it (RFC 29).
///
/// A peer gets a message if one of its subscriptions is a prefix of the first frame. A publisher never waits
/// for a subscriber, unless it does `no_drop`: one whose pipe is full misses the message, which
/// [`dropped`](Self::dropped) counts. A message that nobody subscribed to is gone; so a subscriber that has
/// just connected misses what was sent before its subscription arrived.
/// [`wait_for_subscribers`](Self::wait_for_subscribers) waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{PubSocket, SubSocket};
///
/// let mut station = PubSocket::new();
/// let endpoint = station.bind("tcp://127.0.0.1:*").await?;
/// let mut listener = SubSocket::new();
/// listener.subscribe("weather.");
/// listener.connect(&endpoint)?;
///
/// station.wait_for_subscribers(1).await;
/// station.send("weather.rome sunny").await?;
/// assert_eq!(listener.recv().await?, "weather.rome sunny");
/// # Ok(())
/// # }
/// ```
pub struct PubSocket {
    core: Core<FanOut, FairQueue>,
}

common_methods!(PubSocket, Pub);
impl Sends for PubSocket {}
impl ConflatesTopics for PubSocket {}
impl Publishes for PubSocket {}
impl Matches for PubSocket {}
impl Conflates for PubSocket {}
sends!(PubSocket, |this| this.core, way(fan_out));

/// Subscription messages that a publisher reads before it sends the next message: a flood of them must not
/// keep it from publishing.
pub(super) const SUBSCRIPTIONS: usize = 1000;

impl PubSocket {
    fn from_core(core: Core<FanOut, FairQueue>) -> Self {
        PubSocket { core }
    }

    /// Queues a message for every peer that subscribed to it. Never waits for a peer, unless the socket does
    /// `no_drop`; now and then it yields to the runtime once.
    ///
    /// # Errors
    ///
    /// The message has no frames; or, with `no_drop`, a subscriber had no room within `send_timeout`. The
    /// message comes back, and has gone to nobody.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message to anyone.
    #[inline]
    pub fn send(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.core.send(message.into(), fan_out)
    }

    /// The same without waiting or yielding.
    ///
    /// # Errors
    ///
    /// The message has no frames; or, with `no_drop`, a subscriber has no room. The message comes back, and
    /// has gone to nobody.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.core.try_send(message.into(), fan_out)
    }

    /// Waits until that many peers have subscribed to something: what is sent then reaches them.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has changed nothing.
    pub async fn wait_for_subscribers(&mut self, count: usize) {
        self.core
            .wait_to_recv(|core| {
                while read_subscription(core) {}
                (core.sender.subscribed() >= count).then_some(())
            })
            .await;
    }

    /// Peers with a subscription, as far as they have been heard.
    pub fn subscriber_count(&mut self) -> usize {
        self.read_subscriptions().subscribed()
    }

    /// Distinct topics that somebody has subscribed to.
    pub fn topics_count(&mut self) -> usize {
        self.read_subscriptions().topics()
    }

    fn read_subscriptions(&mut self) -> &FanOut {
        self.core.read_notes();
        while read_subscription(&mut self.core) {}
        &self.core.sender
    }

    /// How often a message was dropped because a subscriber's pipe was full: once for each subscriber that
    /// missed it.
    pub fn dropped(&self) -> u64 {
        self.core.shared.state.stats.dropped().full
    }
}

fn fan_out(core: &mut Core<FanOut, FairQueue>, message: &mut Message) -> bool {
    for _ in 0..SUBSCRIPTIONS {
        if !read_subscription(core) {
            break;
        }
    }
    core.publish(message, None)
}

/// Reads a message of a subscriber, if there is one. What is no subscription means nothing (R-PUB-7).
fn read_subscription(core: &mut Core<FanOut, FairQueue>) -> bool {
    let Some((from, message)) = core.receiver.recv_from() else {
        return false;
    };
    for frame in &message {
        match parse_subscription(frame) {
            Some((true, topic)) => core.sender.subscribe(from, topic),
            Some((false, topic)) => core.sender.unsubscribe(from, topic),
            None => None,
        };
    }
    if core.sender.is_expelled(from) {
        core.receiver.discard_rest();
    }
    true
}

/// Receives the messages that it subscribed to from all of its peers, one from each in turn (RFC 29).
///
/// Without a subscription nothing comes. Subscriptions hold for all publishers, present and future, and
/// every new connection begins with them: they survive a reconnection. See [`PubSocket`] for an example.
pub struct SubSocket {
    core: Core<Everyone, FairQueue>,
    /// The same topics as the sessions have, for the filter on receive (R-SUB-4): a publisher may send more
    /// than was asked for, and sends for a while what is not wanted any more. The value counts.
    topics: PrefixTrie<usize>,
}

common_methods!(SubSocket, Sub);
impl Receives for SubSocket {}
impl ConflatesTopics for SubSocket {}
impl Matches for SubSocket {}
impl Conflates for SubSocket {}
receives!(SubSocket, Message, |this| this.core, Wanted(&this.topics));

impl SubSocket {
    fn from_core(core: Core<Everyone, FairQueue>) -> Self {
        SubSocket {
            core,
            topics: PrefixTrie::default(),
        }
    }

    /// Subscribes to all messages whose first frame begins with `topic`; the empty topic means all.
    /// Subscriptions are counted: one that was made twice has to be taken back twice.
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) {
        let topic = topic.as_ref();
        let id = self.topics.insert(topic);
        *self.topics.value_mut(id) += 1;
        subscribe(&mut self.core, topic);
    }

    /// Takes a subscription back. `false`: there was none.
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        let topic = topic.as_ref();
        let Some(id) = self.topics.find(topic) else {
            return false;
        };
        let count = self.topics.value_mut(id);
        *count -= 1;
        if *count == 0 {
            self.topics.remove(id);
        }
        unsubscribe(&mut self.core, topic)
    }

    /// Distinct topics subscribed to.
    pub fn topics_count(&self) -> usize {
        self.topics.len()
    }

    /// The next message; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Message, RecvError>> {
        self.core.recv(Wanted(&self.topics))
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.core.try_recv(Wanted(&self.topics))
    }
}

/// What was subscribed to.
struct Wanted<'a>(&'a PrefixTrie<usize>);

impl Source<Everyone, FairQueue> for Wanted<'_> {
    type Item = Message;

    fn take(&mut self, core: &mut Core<Everyone, FairQueue>) -> Option<Message> {
        let invert = core.shared.config.options.invert_matching;
        loop {
            let message = core.receiver.recv()?;
            if self.0.matches(message.first().unwrap_or_default()) != invert {
                return Some(message);
            }
            core.shared.state.stats.discarded.add(1);
        }
    }

    #[inline(always)]
    fn at_hand(&mut self, core: &mut Core<Everyone, FairQueue>) -> Option<Message> {
        let invert = core.shared.config.options.invert_matching;
        core.receiver.at_hand_if(|reader| {
            reader
                .front()
                .is_some_and(|topic| self.0.matches(topic) != invert)
        })
    }
}

/// Subscribes a socket at all of its publishers, those to come included.
pub(super) fn subscribe<R: RecvStrategy>(core: &mut Core<Everyone, R>, topic: &[u8]) {
    let (interest, everyone) = interest(core);
    interest.subscribe(topic, |change| everyone.tell(change));
}

/// Takes a subscription back. `false`: there was none.
pub(super) fn unsubscribe<R: RecvStrategy>(core: &mut Core<Everyone, R>, topic: &[u8]) -> bool {
    let (interest, everyone) = interest(core);
    interest.unsubscribe(topic, |change| everyone.tell(change))
}

/// What the sessions know of the subscriptions, and the way to tell them.
fn interest<R: RecvStrategy>(core: &mut Core<Everyone, R>) -> (&SubscriptionSet, &mut Everyone) {
    core.read_notes();
    let interest = core.shared.state.subscriptions.as_ref();
    (
        interest.expect("made for every socket that subscribes"),
        &mut core.sender,
    )
}
