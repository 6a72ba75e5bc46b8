//! XPUB (RFC 29): a publisher that hears what is subscribed to.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use zmtp::Message;

use super::publisher::SUBSCRIPTIONS;
use crate::core::{Access, Core, Joint, Pattern, Refusal};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::PipeId;
use crate::routing::{Departure, FairQueue, FanOut, RecvStrategy};
use crate::socket::{Direction, RecvHalf, SendHalf, Socket, SubscribesFor};
use crate::state::{StatsRegistry, parse_subscription, subscription_message, take_subscriptions};

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
/// Peers are heard whenever the socket is used. When `recv_hwm` notices and messages wait for an application that also
/// receives, the peers wait, too, until it has received some: no notice is lost, and what is subscribed to takes effect
/// in its turn. Who sends 1,000 messages without trying to receive, and for a second if it has received before, is taken
/// for one that never will: then all subscriptions are followed at once, no more than `recv_hwm` notices are kept, and
/// [`missed`](Socket::missed) counts the others. With `manual`, where a notice that is lost is a subscription
/// that never takes effect, the peers are not heard beyond that, and wait.
pub type XPubSocket = Socket<XPub>;

/// How many messages an application sends, while as many notices wait as are kept, before it is taken for one that
/// does not receive. A proxy moves 256 messages in one direction before it asks the other.
const PATIENCE: usize = 1000;

/// For how long it does so, if it has received before: a half that receives may wait for its thread meanwhile.
const A_WHILE: Duration = Duration::from_secs(1);

/// What the peers say.
#[derive(Default)]
pub struct Hearing {
    /// What the application receives next.
    heard: VecDeque<Heard>,
    /// Who has sent what was received last.
    sender: Option<Arc<Peer>>,
    /// Peers that have gone, in order, of which the application has not been told: what they said comes first.
    departed: VecDeque<Departure>,
    /// The peer whose notice was received last (R-XPUB-5).
    last: Option<PipeId>,
    /// With `manual_last_value`: the peer whose subscription was received last, and who alone gets what is sent next.
    only: Option<PipeId>,
    /// The application has tried to receive, and not long ago.
    is_read: bool,
    /// How often it has used the socket, since it last tried to receive, while as much waited as is kept.
    unread_uses: usize,
    /// When that had become many.
    unread_since: Option<Instant>,
    /// With `manual`: what each peer has asked for.
    wishes: HashMap<PipeId, BTreeSet<Box<[u8]>>>,
}

/// A notice or message.
struct Heard {
    /// The peer, if it is a notice.
    notice_of: Option<PipeId>,
    /// `None`: a notice of ours, about a peer that has gone.
    sender: Option<Arc<Peer>>,
    message: Message,
}

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
        let limit = most_kept(core);
        let is_patient = core.state.is_patient(limit);
        for _ in 0..SUBSCRIPTIONS {
            if is_patient && core.state.heard.len() >= limit {
                break;
            }
            // One that has more than one notice in it is kept whole.
            let limit = if is_patient { usize::MAX } else { limit };
            if !hear(core, limit) {
                break;
            }
        }
        let only = core.state.only.filter(|&peer| core.sender.has(peer));
        let sent = core.publish(message, only);
        if sent.is_ready() && core.state.only.take().is_some() {
            core.state.last = None;
        }
        sent
    }

    /// Takes the next that was heard.
    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        core.state.is_read = true;
        core.state.unread_uses = 0;
        core.state.unread_since = None;
        loop {
            if let Some(heard) = core.state.heard.pop_front() {
                let options = &core.shared.config.options;
                if is_manual(options)
                    && let Some((begins, _)) = heard.message.first().and_then(parse_subscription)
                {
                    core.state.last = heard.notice_of;
                    let alone = begins && options.manual_last_value;
                    core.state.only = heard.notice_of.filter(|_| alone);
                }
                core.state.sender = heard.sender;
                return Poll::Ready(Ok(heard.message));
            }
            if !hear(core, usize::MAX) && core.state.heard.is_empty() {
                return Poll::Pending;
            }
        }
    }

    fn last_peer(core: &Core<Self>) -> Option<Arc<Peer>> {
        core.state.sender.clone()
    }

    fn subscribe(core: &mut Core<Self>, subscribe: bool, topic: &[u8]) -> bool {
        core.read_events();
        let done = core.state.last.and_then(|peer| match subscribe {
            true => core.sender.subscribe(peer, topic),
            false => core.sender.unsubscribe(peer, topic),
        });
        done.is_some()
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        core.read_events();
        let mut limit = most_kept(core);
        // Counting is about all that came: it is heard, also beyond what is kept of it.
        if core.state.is_read && core.state.is_patient(limit) && !is_manual(core.options()) {
            limit = usize::MAX;
        }
        while hear(core, limit) {}
        (core.sender.subscribed(), core.sender.topics())
    }

    fn has_heard(core: &Core<Self>) -> bool {
        !core.state.heard.is_empty()
    }
}

impl<D: Direction> Socket<XPub, D> {
    /// Counts notices and messages of peers that were not kept, because the application sent and did not receive.
    pub fn missed(&self) -> u64 {
        self.handle
            .peek(|core| core.shared.state.stats.unheard.get())
    }
}

/// Returns how much of what peers say is kept when the application does not receive.
fn most_kept(core: &Core<XPub>) -> usize {
    match core.shared.config.options.recv_hwm {
        0 => usize::MAX,
        hwm => hwm,
    }
}

fn is_manual(options: &Options) -> bool {
    options.manual || options.manual_last_value
}

/// Hears who has gone: such peers take their subscriptions back (R-XPUB-3), once all that they said is heard.
fn hear_departures(core: &mut Core<XPub>, limit: usize) {
    let state = &mut core.state;
    while let Some(departure) = core.sender.next_departure() {
        state.departed.push_back(departure);
    }
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    while let Some(departure) = state.departed.front() {
        if core.receiver.has(departure.pipe) {
            return;
        }
        if is_manual(options) {
            let wishes = state.wishes.remove(&departure.pipe);
            state.departed.pop_front();
            for topic in wishes.unwrap_or_default() {
                state.keep(stats, Heard::departure(&topic), limit);
            }
            continue;
        }
        let topics = state.departed.pop_front().map(|departure| departure.topics);
        for (topic, last) in topics.unwrap_or_default() {
            if last || options.verboser {
                state.keep(stats, Heard::departure(&topic), limit);
            }
        }
    }
}

/// Hears one message, and who has gone. `false`: nobody has said anything.
fn hear(core: &mut Core<XPub>, limit: usize) -> bool {
    hear_departures(core, limit);
    let state = &mut core.state;
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    let is_manual = is_manual(options);
    if is_manual && state.heard.len() >= limit {
        return false;
    }
    let Some((from, message)) = core.receiver.recv_from() else {
        hear_departures(core, limit);
        return false;
    };
    // One message may have several notices in it.
    let limit = if is_manual { usize::MAX } else { limit };
    let heard_from = core.receiver.last_sender();
    let sender = &mut core.sender;
    let rest = take_subscriptions(message, options.only_first_subscribe, |is_new, topic| {
        let tell = if !sender.has(from) {
            // It has gone before it was heard: nothing begins, and nothing ends.
            false
        } else if is_manual {
            state.wish(from, is_new, topic);
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
            state.keep(stats, heard, limit);
        }
    });
    if sender.is_expelled(from) {
        core.receiver.discard_rest();
    }
    if !rest.is_empty() {
        let heard = Heard {
            notice_of: None,
            sender: heard_from,
            message: rest,
        };
        state.keep(stats, heard, limit);
    }
    true
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
    /// Says whether an application that has not received for a while is still waited for.
    fn is_patient(&mut self, limit: usize) -> bool {
        if self.heard.len() >= limit {
            self.unread_uses += 1;
        }
        if self.unread_uses < PATIENCE {
            return true;
        }
        if self.is_read {
            let since = *self.unread_since.get_or_insert_with(Instant::now);
            self.is_read = since.elapsed() < A_WHILE;
        }
        self.is_read
    }

    fn wish(&mut self, from: PipeId, is_new: bool, topic: &[u8]) {
        let wishes = self.wishes.entry(from).or_default();
        if is_new {
            wishes.insert(topic.into());
        } else {
            wishes.remove(topic);
        }
    }

    fn keep(&mut self, stats: &StatsRegistry, heard: Heard, limit: usize) {
        if self.heard.len() < limit {
            self.heard.push_back(heard);
        } else {
            stats.unheard.add(1);
        }
    }
}
