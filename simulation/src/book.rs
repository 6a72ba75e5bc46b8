//! The book of all messages: which were sent, and who has received them. The oracles about single messages are here.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::letter::Name;
use crate::world::World;

/// How messages reach those who receive them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each one receiver.
    One,
    /// Each all who want it.
    All,
    /// Each as many as are asked, since it is sent again.
    Repeated,
}

pub(crate) struct Book {
    world: Arc<World>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    messages: BTreeMap<Name, Entry>,
    /// The ends of the increasing sequences that cover what one socket has received from another.
    order: BTreeMap<Route, Vec<u32>>,
}

/// Sender and receiver, each with its life, and the topic if it matters.
type Route = ((u8, u8), (u8, u8), Option<Vec<u8>>);

struct Entry {
    /// Whether `send` has taken it.
    sent: bool,
    spread: Spread,
    /// It was sent when all was well, to so many.
    due: Option<usize>,
    /// Host and life of those who have received it, and of its sender if it came back.
    receivers: Vec<(u8, u8)>,
}

impl Book {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Book {
            world: world.clone(),
            entries: Mutex::default(),
        })
    }

    /// A message is about to be sent.
    pub(crate) fn write(&self, name: Name, spread: Spread) {
        let entry = Entry {
            sent: false,
            spread,
            due: None,
            receivers: Vec::new(),
        };
        self.entries.lock().messages.insert(name, entry);
    }

    /// `send` has taken a message, which is to reach `due` sockets if anything is said about that.
    pub(crate) fn sent(&self, name: Name, due: Option<usize>) {
        self.world.note("send", numbers(name), || name.to_string());
        if let Some(entry) = self.entries.lock().messages.get_mut(&name) {
            entry.sent = true;
            entry.due = due;
        }
    }

    /// A socket has received a message. `pipes`: from how many of its sender's it may have been. `topic`: order is by
    /// topic.
    pub(crate) fn received(&self, name: Name, by: (u8, u8), pipes: usize, topic: Option<Vec<u8>>) {
        let (host, life) = by;
        self.world.note("receive", numbers(name), || {
            format!("{name} at host {host}, life {life}")
        });
        let mut entries = self.entries.lock();
        let Some(entry) = entries.messages.get_mut(&name) else {
            return self
                .world
                .fail(format!("{name} was never written, and came to host {host}"));
        };
        if !entry.sent {
            self.world.fail(format!(
                "{name} came to host {host}, and its send was given up"
            ));
        }
        let is_back = name.host == host;
        let again = match entry.spread {
            _ if is_back => entry.receivers.contains(&by),
            Spread::All => entry.receivers.iter().any(|(one, _)| *one == host),
            Spread::One => entry.receivers.iter().any(|(one, _)| *one != name.host),
            Spread::Repeated => false,
        };
        if again {
            let before = entry.receivers.clone();
            self.world.fail(format!(
                "{name} came to host {host}, life {life}, and had come to {before:?} before"
            ));
        }
        entry.receivers.push(by);
        if is_back || entry.spread == Spread::Repeated {
            return;
        }
        let piles = entries
            .order
            .entry(((name.host, name.life), by, topic))
            .or_default();
        let fits = piles
            .iter_mut()
            .filter(|last| **last < name.number)
            .max_by_key(|last| **last);
        match fits {
            Some(last) => *last = name.number,
            None => piles.push(name.number),
        }
        // Messages of one pipe are in order. What came through an older one may be received between them.
        if piles.len() > pipes {
            let piles = piles.clone();
            self.world.fail(format!(
                "{name} came to host {host} out of order: {piles:?} through {pipes} pipes"
            ));
        }
    }

    /// A hostile peer has received a message that an honest one may have been to receive.
    pub(crate) fn taken_away(&self, name: Name, by: u8) {
        self.world.note("take away", numbers(name), || {
            format!("{name} by host {by}")
        });
        let mut entries = self.entries.lock();
        let Some(entry) = entries.messages.get_mut(&name) else {
            return self
                .world
                .fail(format!("{name} was never written, and came to host {by}"));
        };
        if !entry.sent {
            self.world.fail(format!(
                "{name} came to host {by}, and its send was given up"
            ));
        }
        if entry.spread == Spread::One {
            if !entry.receivers.is_empty() {
                let before = &entry.receivers;
                self.world.fail(format!(
                    "{name} came to host {by}, and had come to {before:?} before"
                ));
            }
            entry.receivers.push((by, 0));
        }
    }

    /// Messages that were sent when all was well and have not reached all they were to, and how many that are.
    pub(crate) fn missing(&self) -> (usize, Vec<Name>) {
        let entries = self.entries.lock();
        let mut names = Vec::new();
        let mut missing = 0;
        for (name, entry) in &entries.messages {
            let due = entry.due.unwrap_or_default();
            if entry.receivers.len() < due {
                missing += due - entry.receivers.len();
                names.push(*name);
            }
        }
        names.truncate(10);
        (missing, names)
    }

    /// Messages that were taken by `send`, and receptions of messages.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        let sent = entries.messages.values().filter(|entry| entry.sent).count();
        let received = entries
            .messages
            .values()
            .map(|entry| entry.receivers.len())
            .sum();
        (sent, received)
    }
}

fn numbers(name: Name) -> [u64; 3] {
    [name.host.into(), name.life.into(), name.number.into()]
}
