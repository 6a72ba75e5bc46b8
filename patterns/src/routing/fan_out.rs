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
mod offering;
mod whole;

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use zmtp::Batch;

use self::leaving::Departing;
pub(crate) use self::leaving::DepartureKind;
use self::offering::Share;
use super::SendStrategy;
use super::origins::Origins;
use super::prefix_trie::{NodeId, PrefixTrie};
use crate::options::{Options, SlowSubscriber};
use crate::pipe::{EvictReason, Origin, PipeEnd, PipeId, PipeWriter};
use crate::routing_id::Identity;

/// The subscribers and what they subscribed to.
#[derive(Default)]
pub struct FanOut {
    /// By slot number, which the trie's values hold.
    subscribers: Vec<Option<Subscriber>>,
    slots: FxHashMap<PipeId, u32>,
    origins: Origins,
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
    share: Share,
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
    /// How many copies it was given, as [`Share`] counts them.
    given: u64,
    /// The pipe is full; its next event says that it isn't.
    mute: bool,
    /// It has subscribed to too much, and its connection is being closed.
    excessive: bool,
    /// As [`FanOut::coming`] says.
    coming: u32,
    writer: PipeWriter,
    topics: FxHashSet<NodeId>,
    /// The length of all of them.
    topic_bytes: usize,
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
    /// Whether this peer is at the other end of the pipe now.
    pub(crate) fn is_there(&self, pipe: PipeId, identity: Identity) -> bool {
        let slot = self.slots.get(&pipe);
        let subscriber = slot.and_then(|&slot| self.subscribers[slot as usize].as_ref());
        subscriber.is_some_and(|one| one.writer.identity() == identity)
    }

    /// Returns how often somebody has begun anew at the other end of the pipe: what was said before is of a former connection.
    pub(crate) fn coming(&self, pipe: PipeId) -> u32 {
        let slot = self.slots.get(&pipe);
        let subscriber = slot.and_then(|&slot| self.subscribers[slot as usize].as_ref());
        subscriber.map_or(0, |one| one.coming)
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

    fn pipes(&self) -> usize {
        self.slots.len()
    }

    fn unread(&mut self) -> Option<&PipeWriter> {
        let last = *self.matching.last()?;
        let subscriber = self.subscribers.get(last as usize)?.as_ref()?;
        Some(&subscriber.writer).filter(|one| one.has_unread())
    }

    fn set_options(&mut self, options: &Options) {
        self.share.set_options(options);
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
            coming: 0,
            mute: false,
            turn: 0,
            given: 0,
        };
        self.origins.insert(&subscriber.writer);
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
            self.give_back();
        }
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        let subscribers = self.subscribers.into_iter().flatten();
        subscribers.map(|subscriber| subscriber.writer)
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            self.ended(id);
        }
    }

    fn calls_more(&mut self) -> usize {
        let last = self.matching.last();
        let last = last.and_then(|slot| self.subscribers[*slot as usize].as_ref());
        let has_batch = last.is_some_and(|one| one.writer.has_batch());
        self.share.calls_more(self.turn, has_batch)
    }
}
