//! The publish-subscribe pattern (RFC 29): PUB broadcasts, SUB listens to the topics that it chose.

use zmtp::Message;

use super::interest::Interest;
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Receives, Sends};
use crate::routing::{Everyone, FairQueue, FanOut, PrefixTrie};

/// Sends each message to all peers that subscribed to it (RFC 29).
///
/// A peer gets a message if one of its subscriptions is a prefix of the first frame. A publisher never waits
/// for a subscriber: one whose pipe is full misses the message, which [`dropped`](Self::dropped) counts. A
/// message that nobody subscribed to is gone; so a subscriber that has just connected misses what was sent
/// before its subscription arrived.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use patterns::{PubSocket, SubSocket};
///
/// let mut station = PubSocket::new();
/// let endpoint = station.bind("tcp://127.0.0.1:*").await?;
/// let mut listener = SubSocket::new();
/// listener.subscribe("weather.");
/// listener.connect(&endpoint)?;
/// let news = loop {
///     station.send("weather.rome sunny").await?;
///     tokio::task::yield_now().await;
///     if let Ok(news) = listener.try_recv() {
///         break news;
///     }
/// };
/// assert_eq!(news, "weather.rome sunny");
/// # Ok(())
/// # }
/// ```
pub struct PubSocket {
    core: Core<FanOut, FairQueue>,
}

common_methods!(PubSocket, Pub);
impl Sends for PubSocket {}

/// Subscription messages that a publisher reads before it sends the next message: a flood of them must not
/// keep it from publishing.
const SUBSCRIPTIONS: usize = 1000;

impl PubSocket {
    fn from_core(core: Core<FanOut, FairQueue>) -> Self {
        PubSocket { core }
    }

    /// Queues a message for every peer that subscribed to it. Never waits for a peer; now and then it
    /// yields to the runtime once.
    ///
    /// # Errors
    ///
    /// The message has no frames. It comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message to anyone.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.core.send(message.into(), fan_out).await
    }

    /// The same without yielding.
    ///
    /// # Errors
    ///
    /// The message has no frames. It comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.core.try_send(message.into(), fan_out)
    }

    /// How often a message was dropped because a subscriber's pipe was full: once for each subscriber that
    /// missed it.
    pub fn dropped(&self) -> u64 {
        self.core.sender.dropped()
    }
}

fn fan_out(core: &mut Core<FanOut, FairQueue>, message: &mut Message) -> bool {
    for _ in 0..SUBSCRIPTIONS {
        let Some((from, message)) = core.receiver.recv() else {
            break;
        };
        core.sender.on_message(from, &message);
    }
    core.sender.send(message);
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
        let (interest, everyone) = self.interest();
        interest.subscribe(topic, |change| everyone.tell(change));
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
        let (interest, everyone) = self.interest();
        interest.unsubscribe(topic, |change| everyone.tell(change))
    }

    /// What the sessions know of the subscriptions, and the way to tell them.
    fn interest(&mut self) -> (&Interest, &mut Everyone) {
        self.core.read_notes();
        let Core { shared, sender, .. } = &mut self.core;
        let interest = shared.interest.as_ref();
        (interest.expect("made for every SUB socket"), sender)
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
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
        let topics = &self.topics;
        self.core.recv(|core| take(core, topics)).await
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        let topics = &self.topics;
        self.core.try_recv(|core| take(core, topics))
    }
}

/// The next message that was subscribed to.
fn take(core: &mut Core<Everyone, FairQueue>, topics: &PrefixTrie<usize>) -> Option<Message> {
    loop {
        let (_, message) = core.receiver.recv()?;
        if topics.matches(message.first().unwrap_or_default()) {
            return Some(message);
        }
    }
}
