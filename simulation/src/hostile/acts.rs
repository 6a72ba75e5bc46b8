//! What a hostile peer says in one visit: the bytes, drawn by its target's type.

use std::time::Duration;

use purezmq::SocketType;
use rand::Rng;
use rand::rngs::SmallRng;

use super::wire::{
    GREETING, Role, announcement, commands, greeting, membership, message, property, subscription,
    unfinished,
};
use super::{Hostile, Stamp, Who};
use crate::plan::one_of;

/// What is said, and how.
pub(super) struct Script {
    pub(super) act: Act,
    pub(super) bytes: Vec<u8>,
    /// What it subscribes to.
    pub(super) topics: Vec<Vec<u8>>,
    /// It reads what it is told.
    pub(super) reads: bool,
    /// How long it is there when all is said.
    pub(super) stays: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A handshake that stops at some byte.
    Cut,
    /// One with other bytes in it.
    Garbage,
    /// One with properties, many or long.
    Properties,
    /// Messages that are thrown away, or that the application receives.
    Flood,
    /// Subscriptions that are not taken off, and ends of what was not subscribed to.
    Subscribe,
    /// Questions, under a name that may be another's.
    Ask,
    /// A message that does not end, or is announced to be as long as can be.
    Unfinished,
}

impl Hostile {
    /// Who it says it is this time.
    pub(super) fn draw_who(&self, rng: &mut SmallRng) -> Who {
        let user = one_of(rng, &["joe", "mallory", "mallory"]);
        let is_user = self.role == Role::PlainClient;
        let mut names = vec![None, Some(format!("host {}", self.host))];
        let taken = self.honest.iter().map(|(_, who)| who.name.clone());
        // Where names decide who is answered, they are worth more.
        let times = if self.is_echo { 3 } else { 1 };
        names.extend(std::iter::repeat_n(taken, times).flatten());
        let name = names.swap_remove(rng.random_range(0..names.len()));
        // When all is well, nobody's name is taken.
        let takes = !self.stays || name.as_ref() == Some(&format!("host {}", self.host));
        Who {
            user: is_user.then(|| user.to_owned()),
            name: name.filter(|_| takes),
        }
    }

    /// What it says in a visit with this number.
    pub(super) fn draw_script(&self, rng: &mut SmallRng, who: &Who, visit: u32) -> Script {
        let is_radio = self.kind == SocketType::Radio;
        let publishes = is_radio || matches!(self.kind, SocketType::Pub | SocketType::XPub);
        let act = match rng.random_range(0..12) {
            _ if self.role == Role::Curve => one_of(rng, &[Act::Cut, Act::Garbage]),
            0 | 1 => Act::Cut,
            2 => Act::Garbage,
            3 => Act::Properties,
            4 if !self.stays => Act::Unfinished,
            5.. if self.is_echo => one_of(rng, &[Act::Ask, Act::Ask, Act::Flood]),
            5.. if publishes => one_of(rng, &[Act::Subscribe, Act::Subscribe, Act::Flood]),
            _ => Act::Flood,
        };
        let mut bytes = greeting(self.role);
        let properties = self.properties(rng, who, act == Act::Properties);
        bytes.extend(commands(
            self.role,
            who.user.as_deref().unwrap_or_default(),
            &properties,
        ));
        let stamp = |asks| Stamp {
            asks,
            from: (self.host, visit),
            who: who.to_string(),
        };
        let mut topics = Vec::new();
        match act {
            Act::Cut => bytes.truncate(rng.random_range(0..=bytes.len())),
            Act::Garbage => {
                // The greeting is as it is: of older versions the tap knows nothing.
                let from = rng.random_range(GREETING..bytes.len());
                let to = (from + rng.random_range(1..40)).min(bytes.len());
                bytes[from..to]
                    .iter_mut()
                    .for_each(|byte| *byte = rng.random());
            }
            Act::Properties => {}
            Act::Unfinished if rng.random() => {
                bytes.extend(unfinished(&stamp(false).bytes()));
                let length = one_of(rng, &[1 << 20, 1 << 33, 1 << 46]);
                bytes.extend(announcement(length));
                bytes.extend([7; 30]);
            }
            Act::Unfinished => {
                for _ in 0..one_of(rng, &[1, 100, 2000]) {
                    bytes.extend(unfinished(&stamp(false).bytes()));
                }
            }
            Act::Flood => {
                let most = if self.stays { 20 } else { 400 };
                let junk = stamp(false).bytes();
                for _ in 0..one_of(rng, &[1, 10, most]) {
                    bytes.extend(self.junk(rng, &junk));
                }
            }
            Act::Ask => {
                let question = stamp(true).bytes();
                for _ in 0..one_of(rng, &[1, 3, 10]) {
                    bytes.extend(match self.kind {
                        SocketType::Server | SocketType::Peer => message(&[&question]),
                        _ => message(&[b"", &question]),
                    });
                }
            }
            Act::Subscribe => {
                let most = one_of(rng, &[1, 30, 300]);
                for number in 0..most {
                    let topic = match rng.random_range(0..4) {
                        0 => one_of(rng, &[0, 1, 2, 3, 4]),
                        _ => 5 + number,
                    };
                    let own = || format!("hostile {topic}");
                    let topic = self.topics.get(topic).cloned().unwrap_or_else(own);
                    let begins = rng.random_ratio(4, 5);
                    let as_command = rng.random();
                    bytes.extend(match is_radio && as_command {
                        true => membership(begins, topic.as_bytes()),
                        false => subscription(begins, topic.as_bytes(), as_command),
                    });
                    if begins {
                        topics.push(topic.into_bytes());
                    }
                }
            }
        }
        if act == Act::Ask && rng.random() {
            // Somebody else comes for the answer.
            return Script {
                act,
                bytes,
                topics,
                reads: false,
                stays: Duration::from_millis(5),
            };
        }
        Script {
            act,
            bytes,
            topics,
            reads: self.stays || rng.random_ratio(2, 3),
            stays: Duration::from_millis(one_of(rng, &[0, 1, 30, 600])),
        }
    }

    /// The properties of its handshake.
    fn properties(&self, rng: &mut SmallRng, who: &Who, many: bool) -> Vec<u8> {
        let mut kind = one_of(rng, &self.own_kinds).name();
        if rng.random_ratio(1, 20) {
            kind = one_of(rng, &["PAIR", "PUSH", "SUB", "NONSENSE"]);
        }
        let mut properties = property("Socket-Type", kind.as_bytes());
        if let Some(name) = &who.name {
            properties.extend(property("Identity", name.as_bytes()));
        }
        if many {
            let value = vec![b'v'; one_of(rng, &[0, 10, 300, 20_000])];
            for number in 0..one_of(rng, &[1, 16, 17, 200, 3000]) {
                properties.extend(property(&format!("X-{number}"), &value));
                if properties.len() > 100_000 {
                    break;
                }
            }
        }
        properties
    }

    /// One message that is thrown away, or at least asks for nothing.
    fn junk(&self, rng: &mut SmallRng, junk: &[u8]) -> Vec<u8> {
        match self.kind {
            SocketType::Sub | SocketType::XSub | SocketType::Dish => {
                let topic = one_of(rng, &["zz", "zzz", "a"]);
                // Relays pass on what somebody has subscribed to.
                let topic = if self.honest.is_empty() { "zz" } else { topic };
                message(&[topic.as_bytes(), junk])
            }
            SocketType::Rep => match rng.random_range(0..3) {
                0 => message(&[junk]),
                1 => message(&[b"x", junk, b"y"]),
                _ => message(&[&[7; 500], junk]),
            },
            SocketType::Req => match rng.random_range(0..3) {
                0 => message(&[junk]),
                1 => message(&[b"", junk]),
                _ => message(&[b"1234", b"", junk]),
            },
            SocketType::Gather | SocketType::Scatter => message(&[junk]),
            _ => match rng.random_range(0..3) {
                0 => message(&[junk, &[7; 300]]),
                1 => message(&[junk, b"", b""]),
                _ => message(&[junk]),
            },
        }
    }
}
