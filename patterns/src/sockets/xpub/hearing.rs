//! What an XPUB hears: subscriptions, messages, and that peers have gone, each in its turn. Called by its pattern, before
//! it sends and when it receives.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::Instant;
use zmtp::{Frame, Message};

use super::XPub;
use crate::core::Core;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Limits, PipeId};
use crate::routing::{DepartureKind, FanOut, RecvStrategy};
use crate::routing_id::Identity;
use crate::sockets::publisher::SUBSCRIPTIONS;
use crate::state::{StatsRegistry, subscription_message, take_subscriptions};

/// How many messages an application sends, while as many notices wait as are kept, before it is taken for one that
/// does not receive. A proxy moves 256 messages in one direction before it asks the other.
const PATIENCE: usize = 1000;

/// For how long it does so, if it has received before: a half that receives may wait for its thread meanwhile.
const A_WHILE: Duration = Duration::from_secs(1);

/// What the peers say.
#[derive(Default)]
pub struct Hearing {
    /// What the application receives next.
    pub(super) heard: Waiting,
    /// Who has sent what was received last.
    pub(super) sender: Option<Arc<Peer>>,
    /// The peer whose notice was received last ([R-XPUB-5]).
    ///
    /// [R-XPUB-5]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-xpub-5
    pub(super) last: Option<Place>,
    /// With `manual_last_value`: the peer whose subscription was received last, and who alone gets what is sent next.
    pub(super) only: Option<Place>,
    /// The application has tried to receive, and not long ago.
    pub(super) is_read: bool,
    /// How often it has used the socket, since it last tried to receive, while as much waited as is kept.
    unread_uses: usize,
    /// When that had become many.
    unread_since: Option<Instant>,
    /// How many frames were heard while there was somebody who has left.
    heard_meanwhile: usize,
    /// With `manual`: what each peer has asked for.
    wishes: FxHashMap<Place, Wishes>,
    /// What those who are there have asked for, all together: topics, and their length.
    all_wishes: (usize, usize),
}

/// What a peer has asked for.
#[derive(Default)]
struct Wishes {
    topics: BTreeSet<Box<[u8]>>,
    /// The length of all of them.
    bytes: usize,
    /// The peer has gone, or has to go.
    ended: bool,
}

/// Notices and messages that wait for the application.
#[derive(Default)]
pub(super) struct Waiting {
    queue: VecDeque<Heard>,
    /// What their messages take.
    bytes: usize,
}

/// How much of them is kept when the application does not receive.
#[derive(Clone, Copy)]
pub(super) struct Most {
    messages: usize,
    bytes: usize,
}

/// A pipe, who was at its other end, and through which of the connections that had something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) pipe: PipeId,
    pub(super) identity: Identity,
    /// As [`FanOut::coming`] counts them.
    pub(super) coming: u32,
}

/// A notice or message.
pub(super) struct Heard {
    pub(super) kind: Kind,
    pub(super) from: Place,
    /// `None`: a notice of ours, about a peer that has gone.
    pub(super) sender: Option<Arc<Peer>>,
    /// As libzmq has it.
    pub(super) message: Message,
}

/// What was heard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Subscribed,
    Unsubscribed,
    /// A topic was unsubscribed by a peer's departure.
    Departed,
    Message,
}

/// Hears who wants what, before something is sent.
pub(super) fn hear_first(core: &mut Core<XPub>) {
    let limit = most_kept(core);
    let is_patient = core.state.is_patient(limit);
    let mut done = 0;
    while done < SUBSCRIPTIONS {
        if is_patient && core.state.heard.is_full(limit) {
            break;
        }
        // One that has more than one notice in it is kept whole.
        let limit = if is_patient { Most::ALL } else { limit };
        match hear(core, limit, SUBSCRIPTIONS - done) {
            Some(work) => done += work,
            None => break,
        }
    }
    if done > 0 {
        core.goes_on(done);
        core.shared.state.tidy();
    }
}

/// Takes the next that was heard. Pending: nothing was.
pub(super) fn next(core: &mut Core<XPub>) -> Poll<Heard> {
    core.state.is_read = true;
    core.state.unread_uses = 0;
    core.state.unread_since = None;
    loop {
        if let Some(heard) = core.state.heard.pop() {
            let options = &core.shared.config.options;
            if is_manual(options) && heard.kind != Kind::Message {
                let asks = (heard.kind != Kind::Departed).then_some(heard.from);
                core.state.last = asks;
                let alone = heard.kind == Kind::Subscribed && options.manual_last_value;
                core.state.only = asks.filter(|_| alone);
            }
            core.state.sender.clone_from(&heard.sender);
            return Poll::Ready(heard);
        }
        let goes_on = match hear(core, Most::ALL, SUBSCRIPTIONS) {
            Some(work) => core.goes_on(work),
            None => false,
        };
        if !goes_on && core.state.heard.is_empty() {
            return Poll::Pending;
        }
    }
}

/// Returns how much of what peers say is kept when the application does not receive: as much as of one peer.
pub(super) fn most_kept(core: &Core<XPub>) -> Most {
    let options = &core.shared.config.options;
    let one_peer = Limits {
        hwm: options.recv_hwm,
        bytes: options.recv_hwm_bytes,
        ..Limits::default()
    };
    Most {
        messages: one_peer.messages(),
        bytes: one_peer.most_bytes().unwrap_or(usize::MAX),
    }
}

pub(super) fn is_manual(options: &Options) -> bool {
    options.manual || options.manual_last_value
}

/// Hears who has gone: such peers take their subscriptions back ([R-XPUB-3]), each once, when all that they said is heard;
/// at most so many at a time. Returns how much work that was; `None`: there is none.
///
/// [R-XPUB-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-xpub-3
fn hear_departures(core: &mut Core<XPub>, limit: Most, most: usize) -> Option<usize> {
    let departure = core.sender.departing()?;
    let place = Place {
        pipe: departure.pipe,
        identity: departure.identity,
        coming: departure.coming,
    };
    let is_unheard = match departure.kind {
        DepartureKind::Left => core.receiver.has(place.pipe),
        DepartureKind::Succeeded => core.receiver.is_behind(place.pipe, place.identity),
        DepartureKind::Heard => false,
    };
    if is_unheard {
        return None;
    }
    let state = &mut core.state;
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    if !is_manual(options) {
        return Some(core.sender.take_off(most, |topic, last| {
            if last || options.verboser {
                state.keep(stats, Heard::departure(place, topic), limit);
            }
        }));
    }
    state.end_wishes(place);
    let Some(wishes) = state.wishes.get_mut(&place) else {
        return Some(core.sender.take_off(most, |_, _| {}));
    };
    let mut work = 1;
    while work < most
        && let Some(topic) = wishes.topics.pop_first()
    {
        keep(
            &mut state.heard,
            stats,
            Heard::departure(place, &topic),
            limit,
        );
        work += 1;
    }
    if wishes.topics.is_empty() {
        state.wishes.remove(&place);
    }
    Some(work)
}

/// Hears who has gone, or one message. Returns how much work that was; `None`: nobody has said anything.
pub(super) fn hear(core: &mut Core<XPub>, limit: Most, most: usize) -> Option<usize> {
    if core.sender.departing().is_some_and(|one| {
        // What was said before somebody left is heard before that: a topic that is taken over is not given up first.
        one.kind != DepartureKind::Left || core.state.heard_meanwhile >= SUBSCRIPTIONS
    }) && let Some(work) = hear_departures(core, limit, most)
    {
        return Some(work);
    }
    let is_manual = is_manual(&core.shared.config.options);
    if is_manual && core.state.heard.is_full(limit) {
        return None;
    }
    let Some((from, message)) = core.receiver.recv_or_renewal() else {
        core.state.heard_meanwhile = 0;
        return hear_departures(core, limit, most);
    };
    let Some(message) = message else {
        core.sender.renew(from);
        return Some(1);
    };
    let work = message.len();
    core.state.heard_meanwhile = match core.sender.departing() {
        Some(_) => core.state.heard_meanwhile + work,
        None => 0,
    };
    let identity = core.receiver.last_identity();
    let heard_from = core.receiver.last_sender();
    let mut is_there = core.sender.is_there(from, identity);
    if !is_there {
        // It may have come a moment ago, in the place of another one.
        core.read_events();
        is_there = core.sender.is_there(from, identity);
    }
    let place = Place {
        pipe: from,
        identity,
        coming: core.sender.coming(from),
    };
    let state = &mut core.state;
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    // One message may have several notices in it.
    let limit = if is_manual { Most::ALL } else { limit };
    let sender = &mut core.sender;
    let rest = take_subscriptions(message, options.only_first_subscribe, |is_new, topic| {
        let tell = if !is_there {
            // It has gone before it was heard: nothing begins, and nothing ends.
            false
        } else if is_manual {
            state.wish(sender, place, is_new, topic)
        } else if is_new {
            let change = sender.subscribe(from, topic).unwrap_or_default();
            // Who is told of each end is told of each begin once: an XSUB behind a proxy counts them.
            change.own && (change.alone || options.verboser) || options.verbose
        } else {
            // One that was nobody's is told, too (R-XPUB-4). One that is another's is not this peer's to take back.
            let change = sender.unsubscribe(from, topic).unwrap_or_default();
            change.alone || (change.own && options.verboser)
        };
        if tell {
            let kind = match is_new {
                true => Kind::Subscribed,
                false => Kind::Unsubscribed,
            };
            let heard = Heard {
                kind,
                from: place,
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
            kind: Kind::Message,
            from: place,
            sender: heard_from,
            message: rest,
        };
        state.keep(stats, heard, limit);
    }
    Some(work)
}

impl Place {
    /// Whether it is still this peer, through the same connection.
    pub(super) fn is_there(&self, sender: &FanOut) -> bool {
        sender.is_there(self.pipe, self.identity) && sender.coming(self.pipe) == self.coming
    }
}

impl Most {
    pub(super) const ALL: Most = Most {
        messages: usize::MAX,
        bytes: usize::MAX,
    };
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn is_full(&self, limit: Most) -> bool {
        self.queue.len() >= limit.messages || self.bytes >= limit.bytes
    }

    fn push(&mut self, heard: Heard) {
        self.bytes += heard.size();
        self.queue.push_back(heard);
    }

    fn pop(&mut self) -> Option<Heard> {
        let heard = self.queue.pop_front()?;
        self.bytes -= heard.size();
        Some(heard)
    }
}

impl Heard {
    /// Returns what its message takes: empty frames take something, too.
    fn size(&self) -> usize {
        self.message.byte_len() + self.message.len() * size_of::<Frame>()
    }

    fn departure(from: Place, topic: &[u8]) -> Self {
        Heard {
            kind: Kind::Departed,
            from,
            sender: None,
            message: subscription_message(false, topic),
        }
    }
}

impl Hearing {
    /// Says whether an application that has not received for a while is still waited for.
    pub(super) fn is_patient(&mut self, limit: Most) -> bool {
        if self.heard.is_full(limit) {
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

    /// Notes what a peer asks for, or takes back, as far as it may ask for more. Returns whether the application is told:
    /// not of what is taken back without having been asked for, which may be another's.
    fn wish(&mut self, sender: &mut FanOut, from: Place, is_new: bool, topic: &[u8]) -> bool {
        let all = &mut self.all_wishes;
        let wishes = self.wishes.entry(from).or_default();
        if !is_new {
            let was_there = !wishes.ended && wishes.topics.remove(topic);
            if was_there {
                wishes.bytes -= topic.len();
                *all = (all.0 - 1, all.1 - topic.len());
            }
            return was_there;
        }
        if wishes.topics.contains(topic) {
            return true;
        }
        if wishes.ended || sender.is_excessive(from.pipe) {
            return false;
        }
        let has = (wishes.topics.len(), wishes.bytes);
        if let Some(why) = sender.is_too_much(has, topic.len()) {
            self.end_wishes(from);
            sender.expel_peer(from.pipe, why);
            return false;
        }
        if let Some(why) = sender.is_too_much_for_all(*all, topic.len()) {
            let others = self.wishes.iter().filter(|(_, wishes)| !wishes.ended);
            let greediest = others.max_by_key(|(_, wishes)| wishes.topics.len());
            let greediest = greediest.map_or(from, |(peer, _)| *peer);
            self.end_wishes(greediest);
            sender.expel_peer(greediest.pipe, why);
            if greediest == from {
                return false;
            }
        }
        self.all_wishes.0 += 1;
        self.all_wishes.1 += topic.len();
        let wishes = self.wishes.entry(from).or_default();
        wishes.bytes += topic.len();
        wishes.topics.insert(topic.into());
        true
    }

    /// Counts what a peer has asked for no more: it has gone, or has to go.
    fn end_wishes(&mut self, peer: Place) {
        if let Some(wishes) = self.wishes.get_mut(&peer)
            && !std::mem::replace(&mut wishes.ended, true)
        {
            self.all_wishes.0 -= wishes.topics.len();
            self.all_wishes.1 -= wishes.bytes;
        }
    }

    fn keep(&mut self, stats: &StatsRegistry, heard: Heard, limit: Most) {
        keep(&mut self.heard, stats, heard, limit);
    }
}

fn keep(kept: &mut Waiting, stats: &StatsRegistry, heard: Heard, limit: Most) {
    if kept.is_full(limit) {
        stats.unheard.add(1);
    } else {
        kept.push(heard);
    }
}
