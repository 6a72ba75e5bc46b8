//! XPUB (RFC 29): a publisher that hears what is subscribed to.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use zmtp::Message;

use super::call::{source, way};
use super::pubsub::SUBSCRIPTIONS;
use super::traits::{knows_last_peer, receives_from, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{
    ConflatesTopics, HearsSubscriptions, Matches, Options, PassesSubscriptions, Publishes,
    Receives, Sends,
};
use crate::peer::Peer;
use crate::pipe::PipeId;
use crate::routing::{FairQueue, FanOut, RecvStrategy};
use crate::state::StatsRegistry;
use crate::state::{is_subscription, subscription_message, take_subscriptions};

type XPubCore = Core<FanOut, FairQueue>;

/// Sends each message to all peers that subscribed to it, and receives their subscriptions as messages:
/// `01` and the topic for a new one, `00` and the topic for one that ends (RFC 29).
///
/// Told are the first subscription to a topic and the end of the last one, also by a peer that goes;
/// `verbose` and `verboser` tell more. With `manual`, the application decides what a peer gets. Other
/// messages of XSUB peers are received as they are. It sends as [`PubSocket`](crate::PubSocket) does. See
/// [`XSubSocket`](crate::XSubSocket) for an example.
///
/// Peers are heard whenever the socket is used. An application that sends and does not receive finds at most
/// `recv_hwm` notices and messages waiting; more are not kept, and [`missed`](Self::missed) counts them. The
/// subscriptions themselves are always followed. With `manual`, where a notice that is lost is a subscription
/// that never takes effect, the peers are not heard beyond that, and wait.
pub struct XPubSocket {
    core: XPubCore,
    hearing: Hearing,
}

common_methods!(XPubSocket, XPub);
impl Sends for XPubSocket {}
impl ConflatesTopics for XPubSocket {}
impl Receives for XPubSocket {}
impl Publishes for XPubSocket {}
impl Matches for XPubSocket {}
impl HearsSubscriptions for XPubSocket {}
impl PassesSubscriptions for XPubSocket {}
sends!(XPubSocket, |this| this.core, {
    let hearing = &mut this.hearing;
    way(move |core, message| hearing.send(core, message))
});
receives_from!(XPubSocket, Message, |this| this.core, {
    let hearing = &mut this.hearing;
    source(move |core| hearing.take(core))
});
knows_last_peer!(XPubSocket, |this| this.hearing.sender.clone());

impl XPubSocket {
    fn from_core(mut core: XPubCore) -> Self {
        core.sender.tell_departures();
        XPubSocket {
            core,
            hearing: Hearing::default(),
        }
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
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let hearing = &mut self.hearing;
        self.core
            .send(
                message.into(),
                way(|core, message| hearing.send(core, message)),
            )
            .await
    }

    /// The same without waiting or yielding.
    ///
    /// # Errors
    ///
    /// The message has no frames; or, with `no_drop`, a subscriber has no room. The message comes back, and
    /// has gone to nobody.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let hearing = &mut self.hearing;
        self.core.try_send(
            message.into(),
            way(|core, message| hearing.send(core, message)),
        )
    }

    /// The next notice or message; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken nothing.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Message, RecvError>> {
        let hearing = &mut self.hearing;
        self.core.recv(source(|core| hearing.take(core)))
    }

    /// The next notice or message, if one is there.
    ///
    /// # Errors
    ///
    /// Nothing is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        let hearing = &mut self.hearing;
        self.core.try_recv(source(|core| hearing.take(core)))
    }

    /// Of a `manual` socket: subscribes the peer whose notice was received last to `topic`, which may be
    /// another one than it asked for. `false`: there is no such peer (any more).
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.core.read_notes();
        let peer = self.hearing.last;
        peer.and_then(|peer| self.core.sender.subscribe(peer, topic.as_ref()))
            .is_some()
    }

    /// Of a `manual` socket: takes a subscription from the peer whose notice was received last. `false`:
    /// there is no such peer (any more).
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.core.read_notes();
        let peer = self.hearing.last;
        peer.and_then(|peer| self.core.sender.unsubscribe(peer, topic.as_ref()))
            .is_some()
    }

    /// Waits until that many peers have subscribed to something: what is sent then reaches them. Notices are
    /// kept for [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has changed nothing.
    pub async fn wait_for_subscribers(&mut self, count: usize) {
        poll_fn(|cx| self.poll_subscribers(cx, count)).await;
    }

    pub(super) fn poll_subscribers(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<()> {
        let hearing = &mut self.hearing;
        self.core.poll_recv(cx, |core| {
            while hearing.hear(core, most_kept(core)) {}
            (core.sender.subscribed() >= count).then_some(())
        })
    }

    /// Whether something has been heard for `recv`.
    pub(super) fn has_heard(&self) -> bool {
        !self.hearing.heard.is_empty()
    }

    /// Peers with a subscription, as far as they have been heard.
    pub fn subscriber_count(&mut self) -> usize {
        self.hear_all().subscribed()
    }

    /// Distinct topics that somebody has subscribed to.
    pub fn topics_count(&mut self) -> usize {
        self.hear_all().topics()
    }

    fn hear_all(&mut self) -> &FanOut {
        self.core.read_notes();
        let limit = most_kept(&self.core);
        while self.hearing.hear(&mut self.core, limit) {}
        &self.core.sender
    }

    /// How often a message was dropped because a subscriber's pipe was full: once for each subscriber that
    /// missed it.
    pub fn dropped(&self) -> u64 {
        self.core.shared.state.stats.dropped().full
    }

    /// Notices and messages of peers that were not kept, because the application sent and did not receive.
    pub fn missed(&self) -> u64 {
        self.core.shared.state.stats.unheard.get()
    }
}

/// So much of what peers say is kept when the application does not receive.
fn most_kept(core: &XPubCore) -> usize {
    match core.shared.config.options.recv_hwm {
        0 => usize::MAX,
        hwm => hwm,
    }
}

fn is_manual(options: &Options) -> bool {
    options.manual || options.manual_last_value
}

/// A notice or message.
struct Heard {
    /// The peer, if it is a notice.
    notice_of: Option<PipeId>,
    /// `None`: a notice of ours, about a peer that has gone.
    sender: Option<Arc<Peer>>,
    message: Message,
}

/// What the peers say.
#[derive(Default)]
struct Hearing {
    /// What the application receives next.
    heard: VecDeque<Heard>,
    /// Who has sent what was received last.
    sender: Option<Arc<Peer>>,
    /// The peer whose notice was received last (R-XPUB-5).
    last: Option<PipeId>,
    /// With `manual`: what each peer has asked for.
    wishes: HashMap<PipeId, BTreeSet<Box<[u8]>>>,
}

impl Heard {
    fn departure(topic: &[u8]) -> Self {
        Heard {
            notice_of: None,
            sender: None,
            message: subscription_message(false, topic),
        }
    }
}

impl Hearing {
    /// Sends a message, after hearing who wants it.
    fn send(&mut self, core: &mut XPubCore, message: &mut Message) -> bool {
        for _ in 0..SUBSCRIPTIONS {
            if !self.hear(core, most_kept(core)) {
                break;
            }
        }
        let only = self
            .last
            .filter(|_| core.shared.config.options.manual_last_value);
        let sent = core.publish(message, only);
        if sent && only.is_some() {
            self.last = None;
        }
        sent
    }

    /// The next that was heard.
    fn take(&mut self, core: &mut XPubCore) -> Option<Message> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                if is_manual(&core.shared.config.options) && is_subscription(&heard.message) {
                    self.last = heard.notice_of;
                }
                self.sender = heard.sender;
                return Some(heard.message);
            }
            if !self.hear(core, usize::MAX) && self.heard.is_empty() {
                return None;
            }
        }
    }

    /// Hears one message, and who has gone. `false`: nobody has said anything.
    fn hear(&mut self, core: &mut XPubCore, limit: usize) -> bool {
        self.hear_departures(core, limit);
        let is_manual = is_manual(&core.shared.config.options);
        if is_manual && self.heard.len() >= limit {
            return false;
        }
        // One message may have several notices in it.
        let limit = if is_manual { usize::MAX } else { limit };
        let Some((from, message)) = core.receiver.recv_from() else {
            return false;
        };
        let heard_from = core.receiver.last_sender();
        let options = &core.shared.config.options;
        let rest = take_subscriptions(message, options.only_first_subscribe, |is_new, topic| {
            let sender = &mut core.sender;
            let tell = if !sender.has(from) {
                // It has gone before it was heard: nothing begins, and nothing ends.
                false
            } else if is_manual {
                self.wish(from, is_new, topic);
                true
            } else if is_new {
                sender.subscribe(from, topic) == Some(true) || options.verbose || options.verboser
            } else {
                // One that was never there is told, too (R-XPUB-4).
                sender.unsubscribe(from, topic) == Some(true) || options.verboser
            };
            if tell {
                let heard = Heard {
                    notice_of: Some(from),
                    sender: heard_from.clone(),
                    message: subscription_message(is_new, topic),
                };
                self.keep(&core.shared.state.stats, heard, limit);
            }
        });
        if core.sender.is_expelled(from) {
            core.receiver.discard_rest();
        }
        if !rest.is_empty() {
            let heard = Heard {
                notice_of: None,
                sender: heard_from,
                message: rest,
            };
            self.keep(&core.shared.state.stats, heard, limit);
        }
        true
    }

    /// Peers that have gone take their subscriptions back (R-XPUB-3).
    fn hear_departures(&mut self, core: &mut XPubCore, limit: usize) {
        while let Some(departure) = core.sender.next_departure() {
            let options = &core.shared.config.options;
            if is_manual(options) {
                for topic in self.wishes.remove(&departure.pipe).unwrap_or_default() {
                    self.keep(&core.shared.state.stats, Heard::departure(&topic), limit);
                }
                continue;
            }
            for (topic, last) in departure.topics {
                if last || options.verboser {
                    self.keep(&core.shared.state.stats, Heard::departure(&topic), limit);
                }
            }
        }
    }

    fn wish(&mut self, from: PipeId, is_new: bool, topic: &[u8]) {
        let wishes = self.wishes.entry(from).or_default();
        if is_new {
            wishes.insert(topic.into());
        } else {
            wishes.remove(topic);
        }
    }

    fn keep(&mut self, ledger: &StatsRegistry, heard: Heard, limit: usize) {
        if self.heard.len() < limit {
            self.heard.push_back(heard);
        } else {
            ledger.unheard.add(1);
        }
    }
}
