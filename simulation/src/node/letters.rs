//! What an application writes: to whom, how large, on which topic, and for how many.

use purezmq::SocketType;
use rand::Rng;

use super::{Actor, Letter, TOPICS};
use crate::book::Spread;
use crate::letter::{self, Name};
use crate::plan::Part;
use crate::sockets::Whom;

impl Actor {
    /// One of its peers, if it knows any.
    pub(super) fn someone(&mut self) -> Option<Whom> {
        let all: Vec<Whom> = match self.plan.kind {
            SocketType::Stream => self.streams.keys().cloned().collect(),
            _ if self.numbers.is_empty() => self.socket().peers(),
            _ => self.numbers.values().cloned().collect(),
        };
        (!all.is_empty()).then(|| all[self.rng.random_range(0..all.len())].clone())
    }

    /// The message that could not be sent yet, or a new one.
    pub(super) fn letter(&mut self, is_wild: bool) -> Letter {
        let mut letter = match self.unsent.take() {
            Some(letter) => letter,
            None => self.write(is_wild),
        };
        if self.learns_whom() {
            letter.to = self.someone();
        }
        letter
    }

    /// How many are to receive a message that is sent now.
    pub(super) fn due(&self, topic: &str) -> usize {
        match self.plan.kind {
            SocketType::Pub | SocketType::XPub | SocketType::Radio => {
                let topics = self.shared.topics.lock();
                let is_exact = self.plan.kind == SocketType::Radio;
                let is_for = |one: &&str| topic == *one || (!is_exact && topic.starts_with(one));
                let wants = |peer: &&u8| {
                    let its = topics.get(peer);
                    its.is_some_and(|its| its.iter().any(is_for))
                };
                self.plan.peers.iter().filter(wants).count()
            }
            SocketType::XSub => self.plan.peers.len(),
            _ if self.plan.part == Part::Asker => 2,
            _ => 1,
        }
    }

    /// A new message; large, now and then, if it is a wild one.
    pub(super) fn write(&mut self, is_wild: bool) -> Letter {
        let name = Name {
            host: self.plan.host,
            life: self.life,
            number: self.written,
        };
        self.written += 1;
        let topic = match self.is_publisher() {
            true => TOPICS[self.rng.random_range(0..TOPICS.len())],
            false => "",
        };
        let drawn = if self.rng.random() {
            1
        } else {
            self.rng.random_range(1..=4)
        };
        let frames = match self.plan.kind {
            SocketType::Scatter
            | SocketType::Client
            | SocketType::Channel
            | SocketType::Radio
            | SocketType::Peer
            | SocketType::Stream => 1,
            _ => drawn,
        };
        let sizes: Vec<usize> = (0..frames).map(|_| self.size(is_wild)).collect();
        let mut message = letter::write(name, &sizes, &mut self.rng);
        if self.plan.delimits {
            message.push_front("");
        }
        if self.is_publisher() {
            message.push_front(topic);
        }
        if self.plan.kind == SocketType::Stream {
            message = letter::framed(&message);
        }
        let to = (self.plan.kind == SocketType::Router).then(|| {
            let peer = self.plan.peers[self.rng.random_range(0..self.plan.peers.len())];
            Whom::Name(format!("host {peer}").as_str().into())
        });
        let spread = match self.plan.kind {
            SocketType::Pub | SocketType::XPub | SocketType::XSub | SocketType::Radio => {
                Spread::All
            }
            _ => Spread::One,
        };
        self.shared.book.write(name, spread);
        let numbers = [name.host.into(), name.number.into(), frames as u64];
        self.shared.world.note("write", numbers, || {
            format!("{name}, {frames} frames, topic {topic:?}")
        });
        Letter {
            name,
            to,
            message,
            topic,
        }
    }

    pub(super) fn size(&mut self, is_wild: bool) -> usize {
        if is_wild && self.plan.large && self.rng.random_ratio(1, 6) {
            return self.rng.random_range(5000..=60_000);
        }
        match self.rng.random_range(0..200) {
            0 if is_wild && !self.plan.small => self.rng.random_range(50_000..=300_000),
            1..4 if is_wild && !self.plan.small => self.rng.random_range(3000..=20_000),
            4..20 if is_wild => self.rng.random_range(100..=1000),
            20..100 => self.rng.random_range(0..=3),
            _ => self.rng.random_range(0..=80),
        }
    }
}
