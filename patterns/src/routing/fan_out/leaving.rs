//! Peers that go, or are expelled: what they have subscribed to is taken off in portions, since it may be millions, and
//! all that is published waits for it.

use std::collections::hash_set::IntoIter;

use super::{FanOut, Subscriber};
use crate::logs;
use crate::pipe::{EvictReason, PipeEnd, PipeId};
use crate::routing::give_back;
use crate::routing::prefix_trie::{NodeId, PrefixTrie};
use crate::routing_id::Identity;

/// Topics that may be moved at once: what a portion is, a few times.
const MOST_MOVED: usize = 4000;

/// A peer whose subscriptions are still to be taken off. Nobody has its slot meanwhile.
pub(super) struct Departing {
    departure: Departure,
    slot: u32,
    topics: IntoIter<NodeId>,
}

/// Who has gone, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) pipe: PipeId,
    pub(crate) identity: Identity,
    /// As [`FanOut::coming`] was.
    pub(crate) coming: u32,
    pub(crate) kind: DepartureKind,
}

/// How a peer has gone: that says until when something of it may still be unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DepartureKind {
    /// Its pipe has ended.
    Left,
    /// Somebody else has come to its pipe.
    Succeeded,
    /// All of it was heard, though its pipe is there, or will not be: it begins anew, or is expelled.
    Heard,
}

impl FanOut {
    /// Keeps those who go until `take_off` is called for them, for a socket that tells of it.
    pub(crate) fn tell_departures(&mut self) {
        self.tells = true;
    }

    /// The peer that went first, of those whose subscriptions are to be taken off.
    pub(crate) fn departing(&self) -> Option<Departure> {
        Some(self.departing.front()?.departure)
    }

    /// Takes at most so many subscriptions of the peer off that went first, and says of each whether nobody has it now.
    /// Returns how much work that was.
    pub(crate) fn take_off(&mut self, most: usize, mut taken: impl FnMut(&[u8], bool)) -> usize {
        let Some(first) = self.departing.front_mut() else {
            return 0;
        };
        let slot = first.slot;
        let portion: Vec<NodeId> = first.topics.by_ref().take(most).collect();
        if first.topics.len() == 0 {
            self.departing.pop_front();
            self.free.push(slot);
        }
        let work = 1 + portion.len();
        for id in portion {
            let topic = self.tells.then(|| self.topics.topic(id));
            let last = self.leave(id, slot);
            if let Some(topic) = topic {
                taken(&topic, last);
            }
        }
        self.compact();
        self.give_back();
        work
    }

    /// Gives the memory back of topics that have gone, though others lie behind them, if these are few.
    #[inline]
    pub(super) fn compact(&mut self) {
        let is_worth_it = self.topics.is_sparse() && self.all_topics <= MOST_MOVED;
        // Those who are going know where their topics are.
        if is_worth_it && self.departing.is_empty() {
            self.move_topics();
        }
    }

    #[cold]
    fn move_topics(&mut self) {
        let mut topics = PrefixTrie::default();
        for (slot, subscriber) in (0..).zip(&mut self.subscribers) {
            let Some(subscriber) = subscriber else {
                continue;
            };
            for id in std::mem::take(&mut subscriber.topics) {
                let moved = topics.insert(&self.topics.topic(id));
                let slots: &mut super::Slots = topics.value_mut(moved);
                // In order, since they come so.
                slots.push(slot);
                subscriber.topics.insert(moved);
            }
        }
        self.topics = topics;
    }

    /// A peer has subscribed to too much: its subscriptions go, and its connection.
    #[cold]
    pub(super) fn expel(&mut self, slot: u32, why: EvictReason) {
        let Some(mut subscriber) = self.subscribers[slot as usize].take() else {
            return;
        };
        subscriber.excessive = true;
        let pipe = subscriber.writer.id();
        self.expelled = Some(pipe);
        let stays = subscriber.writer.evict(why);
        let identity = subscriber.writer.identity();
        self.depart(slot, &mut subscriber, identity, DepartureKind::Heard);
        self.slots.remove(&pipe);
        if stays {
            // The same pipe may lead to another peer later.
            self.place(pipe, subscriber);
        } else {
            self.origins.remove(&subscriber.writer);
            // Connections tell of it themselves.
            tracing::warn!(target: logs::CONNECTION, socket = self.name, "a subscriber is disconnected: it has subscribed to too much");
        }
    }

    /// Lets a peer begin anew, which has come through another connection: what it has subscribed to goes.
    pub(crate) fn renew(&mut self, peer: PipeId) {
        if let Some(&slot) = self.slots.get(&peer)
            && let Some(subscriber) = &self.subscribers[slot as usize]
        {
            let identity = subscriber.writer.identity();
            self.begin_anew(slot, identity, DepartureKind::Heard);
        }
    }

    /// Somebody else has come in a peer's place, or it has come again.
    #[cold]
    pub(super) fn begin_anew(&mut self, slot: u32, before: Identity, kind: DepartureKind) {
        let Some(mut subscriber) = self.subscribers[slot as usize].take() else {
            return;
        };
        self.depart(slot, &mut subscriber, before, kind);
        // What another one has done, or it did itself through a former connection, is over.
        subscriber.excessive = false;
        subscriber.coming = subscriber.coming.wrapping_add(1);
        self.place(subscriber.writer.id(), subscriber);
    }

    /// Says whether a peer has been expelled, and its connection is being closed.
    pub(crate) fn is_excessive(&self, peer: PipeId) -> bool {
        let slot = self.slots.get(&peer);
        let subscriber = slot.and_then(|slot| self.subscribers[*slot as usize].as_ref());
        subscriber.is_some_and(|subscriber| subscriber.excessive)
    }

    /// Expels a peer by its pipe.
    pub(crate) fn expel_peer(&mut self, peer: PipeId, why: EvictReason) {
        if let Some(&slot) = self.slots.get(&peer) {
            self.expel(slot, why);
        }
    }

    /// Drops a peer.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(mut subscriber) = self.subscribers[slot as usize].take() else {
            return;
        };
        self.slots.remove(&subscriber.writer.id());
        self.origins.remove(&subscriber.writer);
        self.unasked.retain(|one| *one != slot);
        let identity = subscriber.writer.identity();
        self.depart(slot, &mut subscriber, identity, super::DepartureKind::Left);
    }

    /// Lets a peer have no subscriptions any more. Those that it had are still in the trie, under the slot.
    fn depart(
        &mut self,
        slot: u32,
        subscriber: &mut Subscriber,
        identity: Identity,
        kind: DepartureKind,
    ) {
        let topics = std::mem::take(&mut subscriber.topics);
        self.all_topics -= topics.len();
        self.all_topic_bytes -= std::mem::take(&mut subscriber.topic_bytes);
        self.subscribed -= usize::from(!topics.is_empty());
        if topics.is_empty() && !self.tells {
            self.free.push(slot);
            return;
        }
        let pipe = subscriber.writer.id();
        self.departing.push_back(Departing {
            departure: Departure {
                pipe,
                identity,
                coming: subscriber.coming,
                kind,
            },
            slot,
            topics: topics.into_iter(),
        });
    }

    /// Gives the memory back of many that were there, and of all slots when nobody has one. Not while a message is being
    /// given to those who are to have it.
    pub(super) fn give_back(&mut self) {
        give_back(&mut self.slots);
        if self.free.len() == self.subscribers.len() {
            self.matching.clear();
            self.free = Vec::new();
            self.subscribers = Vec::new();
        }
    }

    /// Returns the slot of whoever has subscribed to most.
    pub(super) fn greediest(&self, by_bytes: bool) -> Option<u32> {
        let size = |slot: &u32| {
            let subscriber = self.subscribers[*slot as usize].as_ref();
            subscriber.map(|one| match by_bytes {
                true => one.topic_bytes,
                false => one.topics.len(),
            })
        };
        self.slots.values().copied().max_by_key(size)
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use crate::options::Options;
    use crate::pipe::PipeEnd;
    use crate::pipe::tests::Socket;
    use crate::routing::{FanOut, SendStrategy};

    #[test]
    fn what_a_peer_had_is_taken_off_in_portions_and_its_slot_waits_for_that() {
        for tells in [false, true] {
            let mut fan_out = FanOut::default();
            if tells {
                fan_out.tell_departures();
            }
            let socket = Socket::new(10);
            let _first_session = socket.pipe();
            let (writer, _reader) = socket.ends();
            let first = writer.id();
            fan_out.attach(writer);
            for number in 0..2500 {
                fan_out.subscribe(first, number.to_string().as_bytes());
            }
            assert_eq!((fan_out.subscribed(), fan_out.topics()), (1, 2500));
            fan_out.ended(first);
            assert_eq!((fan_out.subscribed(), fan_out.topics()), (0, 2500));
            // A newcomer has what it asks for, whatever is taken off.
            let _second_session = socket.pipe();
            let (writer, _reader) = socket.ends();
            let second = writer.id();
            fan_out.attach(writer);
            let change = fan_out.subscribe(second, b"7").expect("it is there");
            assert_eq!((change.own, change.alone), (true, false));
            let mut told = Vec::new();
            let mut portions = 0;
            while let Some(departure) = fan_out.departing() {
                assert_eq!(
                    (departure.pipe, departure.kind),
                    (first, super::DepartureKind::Left)
                );
                let work = fan_out.take_off(1000, |topic, last| told.push((topic.to_vec(), last)));
                assert!(work <= 1001);
                portions += 1;
            }
            assert_eq!(portions, 3);
            assert_eq!(told.len(), if tells { 2500 } else { 0 });
            let others = told.iter().filter(|(_, last)| !last);
            assert!(others.eq(told.iter().filter(|(topic, _)| topic == b"7")));
            assert_eq!((fan_out.subscribed(), fan_out.topics()), (1, 1));
        }
    }

    #[test]
    fn one_that_comes_after_one_that_was_expelled_when_it_had_left_is_heard() {
        let mut fan_out = FanOut::default();
        fan_out.set_options(&Options {
            max_subscriptions: Some(1),
            ..Options::default()
        });
        let socket = Socket::new(10);
        let _session = socket.pipe();
        let (writer, _reader) = socket.ends();
        let peer = writer.id();
        fan_out.attach(writer);
        for topic in [b"a", b"b"] {
            fan_out.subscribe(peer, topic);
        }
        assert!(fan_out.is_excessive(peer));
        // There was no connection to be closed, so nothing else tells that another one has come.
        fan_out.renew(peer);
        let change = fan_out.subscribe(peer, b"c").expect("it is there");
        assert!(change.own);
        assert_eq!(fan_out.subscribed(), 1);
    }

    #[test]
    fn one_late_topic_does_not_keep_the_memory_of_many_that_have_gone() {
        const MANY: usize = 20_000;
        for by_leaving in [true, false] {
            let mut fan_out = FanOut::default();
            let sockets = [Socket::new(10), Socket::new(10)];
            let sessions = sockets.each_ref().map(Socket::pipe);
            let mut readers = Vec::new();
            let [first, second] = sockets.each_ref().map(|socket| {
                let (writer, reader) = socket.ends();
                let id = writer.id();
                fan_out.attach(writer);
                readers.push(reader);
                id
            });
            for number in 0..MANY {
                fan_out.subscribe(first, number.to_string().as_bytes());
            }
            for topic in ["7", "late"] {
                fan_out.subscribe(second, topic.as_bytes());
            }
            assert!(fan_out.topics.places() > MANY);
            if by_leaving {
                fan_out.ended(first);
                while fan_out.departing().is_some() {
                    fan_out.take_off(1000, |_, _| {});
                }
            } else {
                for number in 0..MANY {
                    fan_out.unsubscribe(first, number.to_string().as_bytes());
                }
            }
            assert!(fan_out.topics.places() < MANY / 2);
            assert_eq!((fan_out.subscribed(), fan_out.topics()), (1, 2));
            for (text, copies) in [("7", 1), ("later", 1), ("8", 0)] {
                assert!(fan_out.send(&mut text.into(), None));
                assert_eq!(fan_out.copies(), copies, "{text}");
            }
            for topic in ["7", "late"] {
                let change = fan_out.unsubscribe(second, topic.as_bytes()).unwrap();
                assert_eq!((change.own, change.alone), (true, true));
            }
            drop(sessions);
        }
    }

    #[test]
    fn when_all_have_too_much_together_the_one_with_most_goes() {
        let mut fan_out = FanOut::default();
        fan_out.set_options(&Options {
            max_all_subscriptions: Some(10),
            ..Options::default()
        });
        let sockets: Vec<_> = (0..3).map(|_| Socket::new(10)).collect();
        let mut peers = Vec::new();
        let mut sessions = Vec::new();
        for (socket, topics) in sockets.iter().zip([3, 6, 1]) {
            sessions.push(socket.pipe());
            let (writer, reader) = socket.ends();
            let id = writer.id();
            fan_out.attach(writer);
            for number in 0..topics {
                fan_out.subscribe(id, &[number]);
            }
            peers.push((id, reader));
        }
        let change = fan_out.subscribe(peers[2].0, b"one more").expect("there");
        assert_eq!((change.own, change.alone), (true, true));
        assert!(fan_out.is_expelled(peers[1].0));
        let departure = fan_out.departing().expect("one goes");
        let (who, kind) = (departure.pipe, departure.kind);
        assert_eq!((who, kind), (peers[1].0, super::DepartureKind::Heard));
        assert_eq!(fan_out.subscribed(), 2);
    }
}
