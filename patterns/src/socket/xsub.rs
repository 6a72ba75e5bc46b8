//! XSUB (RFC 29): a subscriber that subscribes by messages, as a proxy needs it.

use zmtp::Message;

use super::call::way;
use super::halves::{halves, sending_half};
use super::pipeline::InTurn;
use super::pubsub::{subscribe, unsubscribe};
use super::traits::{receives, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{ConflatesTopics, PassesSubscriptions, Receives, Sends};
use crate::routing::{Everyone, FairQueue, RecvStrategy};
use crate::state::take_subscriptions;

/// Receives what it subscribed to from all of its peers, one from each in turn, and sends to all of them
/// (RFC 29).
///
/// A subscription is a message, `01` and the topic, and so is its end, `00` and the topic: as an
/// [`XPubSocket`](crate::XPubSocket) gives them, which makes the two a proxy. There are methods for it, too.
/// Subscriptions are counted, hold for all publishers, present and future, and survive a reconnection.
/// Unlike SUB, it gives the application all that comes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{XPubSocket, XSubSocket};
///
/// let mut station = XPubSocket::new();
/// let endpoint = station.bind("tcp://127.0.0.1:*").await?;
/// let mut relay = XSubSocket::new();
/// relay.connect(&endpoint)?;
/// relay.send("\x01weather.").await?;
/// relay.send("hello").await?;
///
/// assert_eq!(station.recv().await?, "\x01weather.");
/// assert_eq!(station.recv().await?, "hello");
/// station.send("weather.rome sunny").await?;
/// assert_eq!(relay.recv().await?, "weather.rome sunny");
/// # Ok(())
/// # }
/// ```
pub struct XSubSocket {
    core: Core<Everyone, FairQueue>,
}

common_methods!(XSubSocket, XSub);
impl Sends for XSubSocket {}
impl ConflatesTopics for XSubSocket {}
impl Receives for XSubSocket {}
impl PassesSubscriptions for XSubSocket {}
sends!(XSubSocket, |this| this.core, way(pass));
receives!(XSubSocket, Message, |this| this.core, InTurn);
halves!(
    XSubSocket,
    XSubSender<Everyone>,
    XSubReceiver<FairQueue>,
    Message,
    InTurn
);
sending_half!(XSubSender, XSubSocket, way(pass));

impl XSubSocket {
    fn from_core(core: Core<Everyone, FairQueue>) -> Self {
        XSubSocket { core }
    }

    /// Subscribes to all messages whose first frame begins with `topic`: the same as sending `01` and the
    /// topic.
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) {
        subscribe(&mut self.core, topic.as_ref());
    }

    /// Takes a subscription back: the same as sending `00` and the topic. `false`: there was none.
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        unsubscribe(&mut self.core, topic.as_ref())
    }

    /// Takes a subscription, or its end, or queues a message for all publishers. Never waits for a peer; now
    /// and then it yields to the runtime once. A publisher whose pipe is full misses the message, which
    /// [`dropped`](Self::dropped) counts.
    ///
    /// Each frame that begins with `00` or `01` is about a subscription, and not part of the message, unless
    /// the socket is `only_first_subscribe`.
    ///
    /// # Errors
    ///
    /// The message has no frames. It comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has done nothing.
    #[inline]
    pub fn send(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.core.send(message.into(), pass)
    }

    /// The same without yielding.
    ///
    /// # Errors
    ///
    /// The message has no frames. It comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.core.try_send(message.into(), pass)
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
        self.core.recv(InTurn)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.core.try_recv(InTurn)
    }

    /// Distinct topics subscribed to.
    pub fn topics_count(&self) -> usize {
        self.core
            .shared
            .state
            .subscriptions
            .as_ref()
            .map_or(0, |all| all.len())
    }

    /// How often a message was dropped because a publisher's pipe was full: once for each publisher that
    /// missed it.
    pub fn dropped(&self) -> u64 {
        self.core.shared.state.stats.dropped().full
    }
}

fn pass<R: RecvStrategy>(core: &mut Core<Everyone, R>, message: &mut Message) -> bool {
    let only_first = core.shared.config.options.only_first_subscribe;
    let mut rest = take_subscriptions(std::mem::take(message), only_first, |is_new, topic| {
        if is_new {
            subscribe(core, topic);
        } else {
            unsubscribe(core, topic);
        }
    });
    if !rest.is_empty() {
        core.sender.send(&mut rest);
    }
    true
}

impl XSubSender {
    /// [`XSubSocket::subscribe`].
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) {
        subscribe(&mut self.core, topic.as_ref());
    }

    /// [`XSubSocket::unsubscribe`].
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        unsubscribe(&mut self.core, topic.as_ref())
    }
}
