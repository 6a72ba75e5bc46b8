//! Fan-out: a copy to every peer that subscribed to a prefix of the first frame ([R-PUB-1]; with `invert`, to the others,
//! [R-PUB-8]), or to all of it. Used by PUB and XPUB, and by RADIO. A message is matched once and encoded once; each pipe gets
//! the same bytes, large payloads by reference. A peer whose pipe is full misses the message ([R-PUB-3], but for [R-PUB-4]):
//! it is counted, and costs the others and the publisher nothing until its pipe has room again.
//!
//! [R-PUB-1]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pub-1
//! [R-PUB-8]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pub-8
//! [R-PUB-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pub-3
//! [R-PUB-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pub-4

mod leaving;
mod whole;

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use zmtp::{Batch, Message};

use self::leaving::Departing;
pub(crate) use self::leaving::DepartureKind;
use super::SendStrategy;
use super::encode_once::EncodeOnce;
use super::prefix_trie::{NodeId, PrefixTrie};
use crate::options::{Options, SlowSubscriber};
use crate::pipe::{EvictReason, Origin, PipeEnd, PipeId, PipeWriter, Refused};
use crate::routing_id::Identity;

/// The subscribers and what they subscribed to.
#[derive(Default)]
pub struct FanOut {
    /// By slot number, which the trie's values hold.
    subscribers: Vec<Option<Subscriber>>,
    slots: FxHashMap<PipeId, u32>,
    free: Vec<u32>,
    topics: PrefixTrie<Slots>,
    /// Peers with a subscription.
    subscribed: usize,
    /// The slots of those that say nothing, and get every message: endpoints of datagrams.
    unasked: Vec<u32>,
    /// The slots that get the message in hand. Kept for its buffer.
    matching: Vec<u32>,
    /// The message in hand, encoded. Kept for its buffer.
    encoded: Batch,
    /// Counts the messages, so that a subscriber with several matching topics is seen once.
    turn: u64,
    /// Nobody may miss a message.
    no_drop: bool,
    slow: SlowSubscriber,
    /// What one subscriber may subscribe to.
    max_topics: Option<usize>,
    max_topic_bytes: Option<usize>,
    /// What all of them have subscribed to, each topic once for each, and may.
    all_topics: usize,
    all_topic_bytes: usize,
    max_all_topics: Option<usize>,
    max_all_topic_bytes: Option<usize>,
    /// Messages have a time to live: a pipe may have room without a word.
    expiring: bool,
    /// Messages go to those who do not match.
    invert: bool,
    /// What the socket is called.
    name: Option<String>,
    /// Who has subscribed to too much since `is_expelled` was asked last.
    expelled: Option<PipeId>,
    /// Those who have gone, and whose subscriptions are to be taken off, oldest first.
    departing: VecDeque<Departing>,
    /// The socket tells of these, also if they had none.
    tells: bool,
}

/// The subscribers of a topic, in order.
type Slots = Vec<u32>;

/// What each matching message looks at comes first, and together.
#[repr(C)]
struct Subscriber {
    /// The last message that matched.
    turn: u64,
    /// The pipe is full; its next event says that it isn't.
    mute: bool,
    /// It has subscribed to too much, and its connection is being closed.
    excessive: bool,
    writer: PipeWriter,
    topics: FxHashSet<NodeId>,
    /// The length of all of them.
    topic_bytes: usize,
}

impl Subscriber {
    /// There is no room for the message in hand. `true`: the subscriber has to go.
    #[cold]
    fn is_full(&mut self, slow: SlowSubscriber, copies: &mut EncodeOnce<'_>) -> bool {
        match slow {
            SlowSubscriber::DropNewest => {
                self.mute = true;
                self.writer.count_dropped();
                false
            }
            SlowSubscriber::DropOldest => {
                self.writer.drop_oldest();
                copies.push(&mut self.writer) == Err(Refused::Gone)
            }
            SlowSubscriber::Disconnect => {
                self.mute = true;
                self.writer.count_dropped();
                !self.writer.evict(EvictReason::Slow)
            }
        }
    }
}

/// What a subscription or its end has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The peer had not subscribed to the topic before, or has until now.
    pub(crate) own: bool,
    /// Nobody else has.
    pub(crate) alone: bool,
}

impl FanOut {
    /// Sends the message to all whose subscriptions match, or to `only` one of them. `false`: one of them has no
    /// room, and `no_drop` is set; the message is untouched and has gone to nobody.
    pub(crate) fn send(&mut self, message: &mut Message, only: Option<PipeId>) -> bool {
        let pass_over = !self.no_drop && !self.expiring && !self.invert && only.is_none();
        self.find_matching(message.first().unwrap_or_default(), pass_over);
        if let Some(only) = only {
            let only = self.slots.get(&only);
            self.matching.retain(|slot| Some(slot) == only);
        }
        self.send_to_matching(message)
    }

    /// Sends the message to those who were found to get it.
    #[inline(always)]
    fn send_to_matching(&mut self, message: &mut Message) -> bool {
        if self.no_drop && !self.have_room() {
            return false;
        }
        match self.matching[..] {
            [] => return true,
            // Moving the buffer out and back costs as much as the message.
            [only] => {
                self.offer(only, &mut EncodeOnce::Single(message));
                return true;
            }
            _ => {}
        }
        let mut encoded = std::mem::take(&mut self.encoded);
        let mut copies = EncodeOnce::new(message, self.matching.len(), &mut encoded);
        for number in 0..self.matching.len() {
            self.offer(self.matching[number], &mut copies);
        }
        encoded.clear();
        self.encoded = encoded;
        true
    }

    /// Sends the message to one peer, whatever it has subscribed to. `false`: it has no room, and `no_drop` is set; the
    /// message is untouched. `None`: there is no such peer.
    pub(crate) fn send_to(&mut self, to: PipeId, message: &mut Message) -> Option<bool> {
        let slot = *self.slots.get(&to)?;
        let subscriber = self.subscribers[slot as usize].as_mut()?;
        if subscriber.writer.is_spent() {
            self.remove(slot);
            return None;
        }
        self.matching.clear();
        self.matching.push(slot);
        if self.no_drop && !self.have_room() {
            return Some(false);
        }
        self.offer(slot, &mut EncodeOnce::Single(message));
        Some(true)
    }

    /// How many were offered the last message.
    pub(crate) fn copies(&self) -> usize {
        self.matching.len()
    }

    /// Collects the slots of those who are to be offered a message. `pass_over`: who is mute is not, and it is
    /// counted right here, since looking at each of them twice is most of what those cost who never read.
    #[inline]
    fn find_matching(&mut self, text: &[u8], pass_over: bool) {
        self.turn += 1;
        self.matching.clear();
        let (turn, subscribers) = (self.turn, &mut self.subscribers);
        let matching = &mut self.matching;
        self.topics.for_each_prefix(text, |slots| {
            for &slot in slots {
                if let Some(subscriber) = &mut subscribers[slot as usize]
                    && subscriber.turn != turn
                {
                    subscriber.turn = turn;
                    if pass_over && subscriber.mute {
                        subscriber.writer.count_dropped();
                    } else {
                        matching.push(slot);
                    }
                }
            }
        });
        if self.invert {
            let others = self.slots.values().filter(|&&slot| {
                let subscriber = self.subscribers[slot as usize].as_ref();
                subscriber.is_some_and(|subscriber| subscriber.turn != turn)
            });
            self.matching.clear();
            self.matching.extend(others);
        }
    }

    /// Whether all who get the message in hand can take it now.
    fn have_room(&mut self) -> bool {
        self.matching.iter().all(|&slot| {
            let Some(subscriber) = &mut self.subscribers[slot as usize] else {
                return true;
            };
            if !subscriber.mute || self.expiring {
                subscriber.mute = subscriber.writer.check_room() == Err(Refused::Full);
            }
            !subscriber.mute
        })
    }

    /// Offers the message to one subscriber. What does not fit is dropped for this one alone.
    #[inline]
    fn offer(&mut self, slot: u32, copies: &mut EncodeOnce<'_>) {
        let Some(subscriber) = &mut self.subscribers[slot as usize] else {
            return;
        };
        if subscriber.mute && !(self.expiring && subscriber.writer.check_room().is_ok()) {
            subscriber.writer.count_dropped();
            return;
        }
        match copies.push(&mut subscriber.writer) {
            Ok(()) => {}
            Err(Refused::Full) => {
                let gone = subscriber.is_full(self.slow, copies);
                if gone {
                    self.remove(slot);
                }
            }
            Err(Refused::Gone) => self.remove(slot),
            // It was for somebody who is there no more.
            Err(Refused::Strange) => {}
        }
    }

    /// Whether this peer is at the other end of the pipe now.
    pub(crate) fn is_there(&self, pipe: PipeId, identity: Identity) -> bool {
        let slot = self.slots.get(&pipe);
        let subscriber = slot.and_then(|&slot| self.subscribers[slot as usize].as_ref());
        subscriber.is_some_and(|one| one.writer.identity() == identity)
    }

    /// Subscribes a peer to a topic. `None`: there is no such peer.
    pub(crate) fn subscribe(&mut self, peer: PipeId, topic: &[u8]) -> Option<Change> {
        let slot = *self.slots.get(&peer)?;
        let subscriber = self.subscribers[slot as usize].as_ref()?;
        if subscriber.excessive {
            return Some(Change::default());
        }
        let known = self.topics.find(topic);
        if !known.is_some_and(|id| subscriber.topics.contains(&id)) {
            let has = (subscriber.topics.len(), subscriber.topic_bytes);
            if let Some(why) = self.is_too_much(has, topic.len()) {
                self.expel(slot, why);
                return Some(Change::default());
            }
            if !self.make_place(slot, topic.len()) {
                return Some(Change::default());
            }
        }
        let subscriber = self.subscribers[slot as usize].as_mut()?;
        let id = known.unwrap_or_else(|| self.topics.insert(topic));
        let slots = self.topics.value_mut(id);
        let alone = slots.is_empty();
        let own = subscriber.topics.insert(id);
        if own {
            subscriber.topic_bytes += topic.len();
            self.all_topics += 1;
            self.all_topic_bytes += topic.len();
            self.subscribed += usize::from(subscriber.topics.len() == 1);
            let place = slots.partition_point(|&other| other < slot);
            slots.insert(place, slot);
        }
        Some(Change { own, alone })
    }

    /// Says why a peer that has so many topics, of so many bytes, may not have one more of that length, if it may not.
    pub(crate) fn is_too_much(
        &self,
        (topics, bytes): (usize, usize),
        more: usize,
    ) -> Option<EvictReason> {
        if topics >= self.max_topics.unwrap_or(usize::MAX) {
            Some(EvictReason::Topics)
        } else if bytes + more > self.max_topic_bytes.unwrap_or(usize::MAX) {
            Some(EvictReason::TopicBytes)
        } else {
            None
        }
    }

    /// Says why there may not be one more topic of that length beside those of all peers, if there may not.
    pub(crate) fn is_too_much_for_all(
        &self,
        (topics, bytes): (usize, usize),
        more: usize,
    ) -> Option<EvictReason> {
        if topics >= self.max_all_topics.unwrap_or(usize::MAX) {
            Some(EvictReason::AllTopics)
        } else if bytes + more > self.max_all_topic_bytes.unwrap_or(usize::MAX) {
            Some(EvictReason::AllTopicBytes)
        } else {
            None
        }
    }

    /// Makes place for one more topic of that length among all that there may be: whoever has most of them has to go.
    /// `false`: that is the peer itself.
    fn make_place(&mut self, slot: u32, more: usize) -> bool {
        loop {
            let all = (self.all_topics, self.all_topic_bytes);
            let Some(why) = self.is_too_much_for_all(all, more) else {
                return true;
            };
            // Who has nothing makes no place for others.
            let greediest = self
                .greediest(why == EvictReason::AllTopicBytes)
                .filter(|slot| {
                    let subscriber = self.subscribers[*slot as usize].as_ref();
                    subscriber.is_some_and(|subscriber| !subscriber.topics.is_empty())
                });
            let greediest = greediest.unwrap_or(slot);
            self.expel(greediest, why);
            if greediest == slot {
                return false;
            }
        }
    }

    /// Takes a peer's subscription back. `None`: there is no such peer.
    pub(crate) fn unsubscribe(&mut self, peer: PipeId, topic: &[u8]) -> Option<Change> {
        let slot = *self.slots.get(&peer)?;
        let subscriber = self.subscribers[slot as usize].as_mut()?;
        let Some(id) = self.topics.find(topic) else {
            return Some(Change {
                own: false,
                alone: true,
            });
        };
        if !subscriber.topics.remove(&id) {
            return Some(Change::default());
        }
        subscriber.topic_bytes -= topic.len();
        self.all_topics -= 1;
        self.all_topic_bytes -= topic.len();
        self.subscribed -= usize::from(subscriber.topics.is_empty());
        let alone = self.leave(id, slot);
        self.compact();
        Some(Change { own: true, alone })
    }

    /// Takes a subscriber off a topic's list, and the topic with the last one: then `true`.
    fn leave(&mut self, id: NodeId, slot: u32) -> bool {
        let slots = self.topics.value_mut(id);
        if let Ok(place) = slots.binary_search(&slot) {
            slots.remove(place);
        }
        let last = slots.is_empty();
        if last {
            self.topics.remove(id);
        }
        last
    }

    /// Gives a subscriber a slot, and returns that.
    fn place(&mut self, id: PipeId, subscriber: Subscriber) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.subscribers[slot as usize] = Some(subscriber);
                slot
            }
            None => {
                self.subscribers.push(Some(subscriber));
                u32::try_from(self.subscribers.len() - 1)
                    .expect("2^32 connections do not fit into memory")
            }
        };
        self.slots.insert(id, slot);
        slot
    }

    /// Whether the peer that was heard last is not to be listened to any more.
    #[inline]
    pub(crate) fn is_expelled(&mut self, peer: PipeId) -> bool {
        self.expelled.take() == Some(peer)
    }

    /// Peers with a subscription.
    pub(crate) fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// Distinct topics.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }
}

impl SendStrategy for FanOut {
    /// Half of the default HWM: a publisher that never waits lets its sessions empty their pipes before these
    /// are full.
    const BUDGET: usize = 500;
    /// Each call is for all of them.
    const SHARES: usize = 1;

    fn set_options(&mut self, options: &Options) {
        self.no_drop = options.no_drop;
        self.slow = options.slow_subscriber;
        self.max_topics = options.max_subscriptions;
        self.max_topic_bytes = options.max_subscription_bytes;
        self.max_all_topics = options.max_all_subscriptions;
        self.max_all_topic_bytes = options.max_all_subscription_bytes;
        self.expiring = options.send_ttl.is_some();
        self.invert = options.invert_matching;
        self.name.clone_from(&options.name);
    }

    fn attach(&mut self, writer: PipeWriter) {
        let (id, origin) = (writer.id(), writer.origin());
        let subscriber = Subscriber {
            writer,
            topics: FxHashSet::default(),
            topic_bytes: 0,
            excessive: false,
            mute: false,
            turn: 0,
        };
        let slot = self.place(id, subscriber);
        self.note_unasked(slot, origin);
    }

    fn changed(&mut self, id: PipeId) {
        let Some(&slot) = self.slots.get(&id) else {
            return;
        };
        if let Some(subscriber) = &mut self.subscribers[slot as usize] {
            subscriber.mute = false;
            subscriber.excessive = false;
        }
    }

    /// What the one before has subscribed to ends with it.
    fn met(&mut self, id: PipeId, identity: Identity) {
        let Some(&slot) = self.slots.get(&id) else {
            return;
        };
        let Some(subscriber) = &mut self.subscribers[slot as usize] else {
            return;
        };
        let before = subscriber.writer.identity();
        subscriber.writer.meet(identity);
        if before != identity && before != Identity::ANY {
            subscriber.mute = false;
            self.begin_anew(slot, before, DepartureKind::Succeeded);
        }
    }

    fn ended(&mut self, id: PipeId) {
        if let Some(&slot) = self.slots.get(&id) {
            self.remove(slot);
        }
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        let subscribers = self.subscribers.into_iter().flatten();
        subscribers.map(|subscriber| subscriber.writer)
    }

    fn detach(&mut self, origin: Origin) {
        let of_origin = |subscriber: &Subscriber| subscriber.writer.origin() == origin;
        let slots: Vec<u32> = self
            .slots
            .values()
            .copied()
            .filter(|&slot| {
                self.subscribers[slot as usize]
                    .as_ref()
                    .is_some_and(of_origin)
            })
            .collect();
        for slot in slots {
            self.remove(slot);
        }
    }
}
