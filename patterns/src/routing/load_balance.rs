//! Load balance: each message to the next pipe that has room ([R-ALL-13]). Used by PUSH, REQ and
//! DEALER.
//!
//! [R-ALL-13]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-all-13

use std::task::Poll;

use rustc_hash::FxHashMap;
use zmtp::Message;

use super::origins::Origins;
use super::row::Row;
use super::{Refusal, SendStrategy};
use crate::options::Options;
use crate::pipe::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter, Refused};
use crate::routing_id::Identity;

/// Turns over the writable pipes. Full ones stand aside until they have room.
#[derive(Default)]
pub struct LoadBalance {
    writable: Row<PipeWriter>,
    full: FxHashMap<PipeId, PipeWriter>,
    origins: Origins,
    /// Whose turn it is, in `writable`.
    turn: usize,
    /// Messages have a time to live: a full pipe may have room without a word.
    expiring: bool,
}

impl LoadBalance {
    /// Queues the message to the pipe whose turn it is, if that has room.
    #[inline(always)]
    pub(crate) fn try_fast_send(&mut self, message: &mut Message) -> bool {
        let sent = match self.writable.get_mut(self.turn) {
            Some(writer) => writer.push(message).is_ok(),
            None => false,
        };
        if sent {
            self.pass_on();
        }
        sent
    }

    /// Looks whether messages have expired in the full pipes.
    #[cold]
    fn revive(&mut self) -> bool {
        if self.expiring {
            let has_room = |_: &PipeId, writer: &mut PipeWriter| writer.check_room().is_ok();
            let revived: Vec<_> = self.full.extract_if(has_room).collect();
            for (_, writer) in revived {
                self.writable.push(writer);
            }
        }
        !self.writable.is_empty()
    }

    /// Takes a pipe out, wherever it is.
    fn take(&mut self, id: PipeId) -> Option<PipeWriter> {
        let full = self.full.remove(&id);
        full.or_else(|| self.writable.remove(id))
    }

    #[inline]
    fn pass_on(&mut self) {
        self.turn += 1;
        if self.turn >= self.writable.len() {
            self.turn = 0;
        }
    }

    /// Queues the message to the next writable pipe. Pending: there is none (mute), and the message is untouched.
    pub(crate) fn poll_send(&mut self, message: &mut Message) -> Poll<Result<(), Refusal>> {
        match self.send_with(|writer| writer.push(message)) {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// Queues a message with `push` to the next writable pipe, and names that. `None`: there is none (mute).
    pub(crate) fn send_with(
        &mut self,
        push: impl FnMut(&mut PipeWriter) -> Result<(), Refused>,
    ) -> Option<PipeId> {
        let id = self.find(push)?;
        self.pass_on();
        Some(id)
    }

    /// The next pipe that `attempt` succeeds with, whose turn it is then.
    #[inline]
    fn find(
        &mut self,
        mut attempt: impl FnMut(&mut PipeWriter) -> Result<(), Refused>,
    ) -> Option<PipeId> {
        loop {
            if self.turn >= self.writable.len() {
                self.turn = 0;
            }
            if self.writable.is_empty() && !self.revive() {
                return None;
            }
            let writer = self.writable.get_mut(self.turn)?;
            match attempt(writer) {
                Ok(()) => return Some(writer.id()),
                Err(refused @ (Refused::Full | Refused::Strange)) => {
                    let writer = self.writable.swap_remove(self.turn);
                    let writer = self.full.entry(writer.id()).insert_entry(writer);
                    if refused == Refused::Full {
                        writer.get().relieve();
                    }
                }
                Err(Refused::Gone) => {
                    let writer = self.writable.swap_remove(self.turn);
                    self.origins.remove(&writer);
                }
            }
        }
    }
}

impl SendStrategy for LoadBalance {
    fn pipes(&self) -> usize {
        self.writable.len() + self.full.len()
    }

    fn unread(&mut self) -> Option<&PipeWriter> {
        let last = match self.turn {
            0 => self.writable.len().saturating_sub(1),
            turn => turn - 1,
        };
        let last = self.writable.get_mut(last)?;
        last.has_unread().then_some(last)
    }

    fn set_options(&mut self, options: &Options) {
        self.expiring = options.send_ttl.is_some();
    }

    fn has_room(&mut self) -> bool {
        self.find(PipeWriter::check_room).is_some()
    }

    fn attach(&mut self, writer: PipeWriter) {
        self.origins.insert(&writer);
        self.writable.push(writer);
    }

    fn changed(&mut self, id: PipeId) {
        if let Some(writer) = self.full.remove(&id) {
            // Gone or writable: the next send finds out.
            self.writable.push(writer);
        }
    }

    fn ended(&mut self, id: PipeId) {
        if let Some(writer) = self.take(id) {
            self.origins.remove(&writer);
        }
    }

    fn met(&mut self, id: PipeId, identity: Identity) {
        let writable = self.writable.find(id);
        if let Some(writer) = writable.or_else(|| self.full.get_mut(&id)) {
            writer.meet(identity);
        }
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            self.take(id);
        }
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        let full = self.full.into_values();
        self.writable.into_ends().into_iter().chain(full)
    }
}
