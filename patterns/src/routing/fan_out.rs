//! Fan-out: a copy to every peer that subscribed to a prefix of the first frame (R-PUB-1). Used by PUB.
//!
//! A message is matched once and encoded once; each pipe gets the same bytes, large payloads by
//! reference. A peer whose pipe is full misses the message (R-PUB-3): it is counted, and costs the others
//! and the publisher nothing until its pipe has room again.

use std::collections::{HashMap, HashSet};

use zmtp::{Batch, Message};

use super::SendStrategy;
use super::subscriptions::{NodeId, PrefixTrie};
use crate::inbox::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter, Refused};

/// The subscribers and what they subscribed to.
#[derive(Default)]
pub(crate) struct FanOut {
    /// By slot number, which the trie's values hold.
    subscribers: Vec<Option<Subscriber>>,
    slots: HashMap<PipeId, u32>,
    free: Vec<u32>,
    topics: PrefixTrie<Slots>,
    /// The slots that match the message in hand. Kept for its buffer.
    matching: Vec<u32>,
    /// The message in hand, encoded. Kept for its buffer.
    encoded: Batch,
    /// Counts the messages, so that a subscriber with several matching topics is seen once.
    turn: u64,
    dropped: u64,
}

/// The subscribers of a topic, in order.
type Slots = Vec<u32>;

struct Subscriber {
    writer: PipeWriter,
    topics: HashSet<NodeId>,
    /// The pipe is full; its next note says that it isn't.
    mute: bool,
    /// The last message that matched.
    turn: u64,
}

impl FanOut {
    /// Sends the message to all whose subscriptions match. Never refuses.
    pub(crate) fn send(&mut self, message: &mut Message) {
        self.turn += 1;
        self.matching.clear();
        let (turn, subscribers) = (self.turn, &mut self.subscribers);
        let matching = &mut self.matching;
        self.topics
            .for_each_prefix(message.first().unwrap_or_default(), |slots| {
                for &slot in slots {
                    if let Some(subscriber) = &mut subscribers[slot as usize]
                        && subscriber.turn != turn
                    {
                        subscriber.turn = turn;
                        matching.push(slot);
                    }
                }
            });
        match self.matching[..] {
            [] => {}
            [only] => self.offer(only, |writer| writer.push(message)),
            _ => {
                let mut encoded = std::mem::take(&mut self.encoded);
                encoded.push_from(message, PipeWriter::BY_REFERENCE);
                for number in 0..self.matching.len() {
                    self.offer(self.matching[number], |writer| {
                        writer.push_encoded(&encoded)
                    });
                }
                encoded.clear();
                self.encoded = encoded;
            }
        }
    }

    /// Offers the message to one subscriber. What does not fit is dropped for this one alone.
    #[inline]
    fn offer(&mut self, slot: u32, push: impl FnOnce(&mut PipeWriter) -> Result<(), Refused>) {
        let Some(subscriber) = &mut self.subscribers[slot as usize] else {
            return;
        };
        if subscriber.mute {
            self.dropped += 1;
            return;
        }
        match push(&mut subscriber.writer) {
            Ok(()) => {}
            Err(Refused::Full) => {
                subscriber.mute = true;
                self.dropped += 1;
            }
            Err(Refused::Gone) => self.remove(slot),
        }
    }

    /// Takes a peer's message: `01 topic` subscribes it, `00 topic` unsubscribes it, others mean nothing (R-PUB-7).
    pub(crate) fn on_message(&mut self, from: PipeId, message: &Message) {
        let Some(&slot) = self.slots.get(&from) else {
            return;
        };
        match message.first() {
            Some([1, topic @ ..]) => self.subscribe(slot, topic),
            Some([0, topic @ ..]) => self.unsubscribe(slot, topic),
            _ => {}
        }
    }

    fn subscribe(&mut self, slot: u32, topic: &[u8]) {
        let Some(subscriber) = &mut self.subscribers[slot as usize] else {
            return;
        };
        let id = self.topics.insert(topic);
        if subscriber.topics.insert(id) {
            let slots = self.topics.value_mut(id);
            let place = slots.partition_point(|&other| other < slot);
            slots.insert(place, slot);
        }
    }

    fn unsubscribe(&mut self, slot: u32, topic: &[u8]) {
        if let Some(subscriber) = &mut self.subscribers[slot as usize]
            && let Some(id) = self.topics.find(topic)
            && subscriber.topics.remove(&id)
        {
            self.leave(id, slot);
        }
    }

    /// Takes a subscriber off a topic's list, and the topic with the last one.
    fn leave(&mut self, id: NodeId, slot: u32) {
        let slots = self.topics.value_mut(id);
        if let Ok(place) = slots.binary_search(&slot) {
            slots.remove(place);
        }
        if slots.is_empty() {
            self.topics.remove(id);
        }
    }

    fn remove(&mut self, slot: u32) {
        if let Some(subscriber) = self.subscribers[slot as usize].take() {
            self.slots.remove(&subscriber.writer.id());
            self.free.push(slot);
            for id in subscriber.topics {
                self.leave(id, slot);
            }
        }
    }

    /// How often a message was dropped because a subscriber's pipe was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl SendStrategy for FanOut {
    fn attach(&mut self, writer: PipeWriter) {
        let id = writer.id();
        let subscriber = Some(Subscriber {
            writer,
            topics: HashSet::new(),
            mute: false,
            turn: 0,
        });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.subscribers[slot as usize] = subscriber;
                slot
            }
            None => {
                self.subscribers.push(subscriber);
                u32::try_from(self.subscribers.len() - 1)
                    .expect("2^32 connections do not fit into memory")
            }
        };
        self.slots.insert(id, slot);
    }

    fn changed(&mut self, id: PipeId) {
        let Some(&slot) = self.slots.get(&id) else {
            return;
        };
        if let Some(subscriber) = &mut self.subscribers[slot as usize] {
            subscriber.mute = false;
            if subscriber.writer.is_spent() {
                self.remove(slot);
            }
        }
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
