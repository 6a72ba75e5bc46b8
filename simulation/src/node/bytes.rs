//! What an application makes of a STREAM: bytes of peers that come and go, and messages out of them. A peer's bytes come
//! between its beginning and its end, and what of a message has come when it ends is of no other peer.

use purezmq::{Message, RoutingId};
use rand::Rng;

use super::Actor;
use crate::letter;
use crate::plan::Part;
use crate::sockets::BEGINS;

impl Actor {
    /// Bytes of a peer; or none, which tell of its beginning, or of its end.
    pub(super) fn take_bytes(&mut self, from: Option<RoutingId>, message: &Message) {
        let (Some(from), Some(piece)) = (from, message.first()) else {
            return self.fail("bytes came, and from nobody");
        };
        if piece.is_empty() {
            let begins = message.iter().nth(1) == Some(BEGINS.as_bytes());
            let was_so = match begins {
                true => self.streams.insert(from.clone(), Vec::new()).is_some(),
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
        let Some(bytes) = self.streams.get_mut(&from) else {
            return self.fail(format_args!("bytes of {from:?} came, which is not there"));
        };
        bytes.extend(piece);
        loop {
            let bytes = self.streams.get_mut(&from);
            match bytes.map(letter::cut) {
                // Somebody looks who is there.
                Some(Ok(Some(letter))) if letter.byte_len() == 0 => {}
                Some(Ok(Some(letter))) => {
                    self.read(&letter, None);
                    if self.plan.part == Part::Echo {
                        let echo = letter::framed(&letter);
                        self.echoes.push_back((Some(from.clone()), echo));
                    }
                }
                Some(Err(why)) => return self.fail(why),
                Some(Ok(None)) | None => return,
            }
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

    /// Closes one of its connections, if it has accepted them: one that it has made would not come back.
    pub(super) fn close_someone(&mut self) {
        if !self.plan.connects.is_empty() || self.streams.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.streams.len());
        let peer = self.streams.keys().nth(at).cloned();
        self.note("close peer", at as u64, "closes a connection");
        // It may have gone already.
        let _ = self.socket().try_send(peer.as_ref(), Message::from(""));
    }
}
