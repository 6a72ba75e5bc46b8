//! What an application makes of a STREAM: bytes of peers that come and go, and messages out of them. A peer's bytes come
//! between its beginning and its end, and what of a message has come when it ends is of no other peer; nor is anything that
//! a hostile one sends.

use purezmq::{Message, SocketType};
use rand::Rng;

use super::{Actor, Stage};
use crate::hostile::{self, Noise};
use crate::letter;
use crate::plan::Part;
use crate::sockets::{BEGINS, Whom};

impl Actor {
    /// Bytes of a peer; or none, which tell of its beginning, or of its end.
    pub(super) fn take_bytes(&mut self, from: Option<Whom>, message: &Message) {
        let (Some(from), Some(piece)) = (from, message.first()) else {
            return self.fail("bytes came, and from nobody");
        };
        if piece.is_empty() {
            let begins = message.iter().nth(1) == Some(BEGINS.as_bytes());
            let was_so = match begins {
                true => self.streams.insert(from.clone(), Talk::default()).is_some(),
                false => self.streams.remove(&from).is_none(),
            };
            self.note("peer", begins.into(), &format!("hears of {from:?}"));
            if was_so {
                self.fail(format_args!(
                    "{from:?} begins or ends, and had done so before"
                ));
            }
            return;
        }
        self.received += 1;
        let Some(talk) = self.streams.get_mut(&from) else {
            return self.fail(format_args!("bytes of {from:?} came, which is not there"));
        };
        match talk.hear(piece) {
            Err(why) => self.fail(why),
            Ok(Heard::Noise) => {
                if self.rng.random_ratio(1, 4) {
                    self.close_peer(&from);
                }
            }
            Ok(Heard::Letters(letters)) => {
                for letter in letters {
                    self.take_letter(&from, &letter);
                }
            }
        }
    }

    fn take_letter(&mut self, from: &Whom, letter: &Message) {
        if letter.byte_len() == 0 {
            // Somebody looks who is there.
            return;
        }
        if hostile::stamp_of(letter).is_none() {
            self.read(letter, None);
        }
        if self.plan.part == Part::Echo {
            let echo = letter::framed(letter);
            self.echoes.push_back((Some(from.clone()), echo));
        }
    }

    /// Whether it answers before it reads more: somebody may ask for more than it can send.
    pub(super) fn has_enough_to_answer(&self) -> bool {
        let is_bytes = self.plan.kind == SocketType::Stream;
        is_bytes && self.stage() == Stage::Chaos && self.echoes.len() >= 50
    }

    /// What is for a peer of a STREAM has no room now. Who has asked without reading the answers does not hold up others
    /// when all is well.
    pub(super) fn put_back(&mut self, to: Option<Whom>, echo: Message) {
        let talk = to.as_ref().and_then(|to| self.streams.get(to));
        match talk.is_some_and(Talk::is_hostile) {
            true if self.stage() > Stage::Chaos => self.echoes.retain(|(other, _)| *other != to),
            true => self.echoes.push_back((to, echo)),
            false => self.echoes.push_front((to, echo)),
        }
    }

    /// Finds out who has gone that it was not told of: bytes that are none go to whoever is there.
    pub(super) async fn forget_missed(&mut self) {
        if !std::mem::take(&mut self.may_miss) {
            return;
        }
        for peer in self.streams.keys().cloned().collect::<Vec<_>>() {
            let nothing = Message::from(b"\0\0\0\0".as_slice());
            let sent = self.socket().send(Some(&peer), nothing).await;
            match sent {
                Ok(()) => self.accepted += 1,
                Err(_) => drop(self.streams.remove(&peer)),
            }
        }
    }

    /// Closes one of its connections.
    pub(super) fn close_someone(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.streams.len());
        if let Some(peer) = self.streams.keys().nth(at).cloned() {
            self.close_peer(&peer);
        }
    }

    /// Closes a connection, if it has been accepted: one that was made would not come back.
    fn close_peer(&mut self, peer: &Whom) {
        if self.plan.connects.is_empty() {
            self.note("close peer", 0, "closes a connection");
            // It may have gone already.
            let _ = self.socket().try_send(Some(peer), Message::from(""));
        }
    }
}

/// What has come of a peer.
#[derive(Default)]
pub(super) struct Talk {
    /// What of a message has come.
    bytes: Vec<u8>,
    noise: Option<Noise>,
    /// Whose its questions are, and how many have come.
    asks: Option<((u8, u32), u32)>,
}

enum Heard {
    Letters(Vec<Message>),
    Noise,
}

impl Talk {
    fn is_hostile(&self) -> bool {
        self.noise.is_some() || self.asks.is_some()
    }

    /// Takes more bytes. An error: they are not this peer's.
    fn hear(&mut self, piece: &[u8]) -> Result<Heard, String> {
        if let Some(noise) = &mut self.noise {
            return match noise.goes_on(piece) {
                true => Ok(Heard::Noise),
                false => Err(format!("{noise:?} goes on with other bytes")),
            };
        }
        self.bytes.extend(piece);
        let mut letters = Vec::new();
        loop {
            match letter::cut(&mut self.bytes) {
                Ok(None) => return Ok(Heard::Letters(letters)),
                Ok(Some(letter)) => {
                    self.note(&letter)?;
                    letters.push(letter);
                }
                Err(_) if letters.is_empty() && Noise::may_begin(&self.bytes) => {
                    return Ok(Heard::Noise);
                }
                Err(why) => {
                    let noise = Noise::begins(&self.bytes).filter(|_| letters.is_empty());
                    let noise = self.noise.insert(noise.ok_or(why)?);
                    return match noise.goes_on(&std::mem::take(&mut self.bytes)) {
                        true => Ok(Heard::Noise),
                        false => Err(format!("{noise:?} begins with other bytes")),
                    };
                }
            }
        }
    }

    /// Checks whose a message is: a hostile peer's come one after the other.
    fn note(&mut self, letter: &Message) -> Result<(), String> {
        let stamp = hostile::stamp_of(letter).and_then(|stamp| stamp.number());
        match (stamp, &mut self.asks) {
            (None, None) => Ok(()),
            (Some((from, 0)), asks @ None) => {
                *asks = Some((from, 1));
                Ok(())
            }
            (Some((from, number)), Some((its, due))) if from == *its && number == *due => {
                *due += 1;
                Ok(())
            }
            (stamp, asks) => Err(format!("of {asks:?} came {stamp:?}")),
        }
    }
}
