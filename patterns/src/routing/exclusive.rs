//! Exclusive: one peer at a time. Used by PAIR.
//!
//! The socket's peer names (`state/peer_names.rs`) let in one pipe after the other, so that a new one says that the one
//! before has lost its peer. What that peer has sent is still read, to the end and first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use zmtp::Message;

use super::leftovers::Leftovers;
use super::{RecvStrategy, Refusal, SendStrategy};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::PipeEnd;
use crate::pipe::{Left, Origin, PipeId, PipeReader, PipeWriter, Popped, Refused};

/// The way to the peer.
#[derive(Default)]
pub struct ExclusiveSender {
    writer: Option<PipeWriter>,
}

impl ExclusiveSender {
    /// Queues the message to the peer. `false`: there is none, or its pipe is full (mute), and the message is
    /// untouched.
    #[inline]
    pub(crate) fn try_fast_send(&mut self, message: &mut Message) -> bool {
        let Some(writer) = &mut self.writer else {
            return false;
        };
        match writer.push(message) {
            Ok(()) => true,
            Err(Refused::Full | Refused::Strange) => false,
            Err(Refused::Gone) => {
                self.writer = None;
                false
            }
        }
    }

    /// Does the same as an attempt. Pending: not now.
    pub(crate) fn poll_send(&mut self, message: &mut Message) -> Poll<Result<(), Refusal>> {
        match self.try_fast_send(message) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

impl SendStrategy for ExclusiveSender {
    fn unread(&mut self) -> Option<&PipeWriter> {
        self.writer.as_ref().filter(|one| one.has_unread())
    }

    fn has_room(&mut self) -> bool {
        let room = self.writer.as_mut().map(PipeWriter::check_room);
        if room == Some(Err(Refused::Gone)) {
            self.writer = None;
        }
        room == Some(Ok(()))
    }

    fn attach(&mut self, writer: PipeWriter) {
        self.writer = Some(writer);
    }

    fn changed(&mut self, _: PipeId) {}

    fn ended(&mut self, id: PipeId) {
        self.writer.take_if(|writer| writer.id() == id);
    }

    fn detach(&mut self, origin: Origin) {
        self.writer.take_if(|writer| writer.origin() == origin);
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        self.writer.into_iter()
    }
}

/// What comes from the peer, after what its predecessors have left.
#[derive(Default)]
pub struct ExclusiveReceiver {
    /// Each with what is kept of it, if it has ended.
    readers: VecDeque<(PipeReader, Left)>,
    /// Who has sent the last message, if that was none of `readers`.
    before: Option<Arc<Peer>>,
    leftovers: Leftovers,
}

impl ExclusiveReceiver {
    /// The next message, if it is at hand and a single frame.
    #[inline(always)]
    pub(crate) fn try_fast(&mut self) -> Option<Message> {
        self.readers.front_mut()?.0.pop_at_hand()
    }

    /// Takes the next message. Pending: there is none now.
    pub(crate) fn poll_recv(&mut self) -> Poll<Result<Message, Refusal>> {
        while let Some((reader, _)) = self.readers.front_mut() {
            match reader.pop() {
                Popped::Message(message) => return Poll::Ready(Ok(message)),
                Popped::Mark(_) => {}
                Popped::Empty => break,
                Popped::Ended => self.remove(0),
            }
        }
        Poll::Pending
    }

    fn remove(&mut self, at: usize) {
        if at == 0 {
            self.before = self.last_sender();
        }
        if let Some((_, left)) = self.readers.remove(at) {
            self.leftovers.give_back(left);
        }
    }
}

impl RecvStrategy for ExclusiveReceiver {
    fn set_options(&mut self, options: &Options) {
        self.leftovers.set_options(options);
    }

    fn readers(&self) -> impl Iterator<Item = &PipeReader> {
        self.readers.iter().map(|(reader, _)| reader)
    }

    fn readers_of(&self, origin: Origin) -> impl Iterator<Item = &PipeReader> {
        self.readers().filter(move |one| one.origin() == origin)
    }

    fn into_readers(self) -> impl Iterator<Item = PipeReader> {
        self.readers.into_iter().map(|(reader, _)| reader)
    }

    fn has_next(&mut self) -> bool {
        while let Some((reader, _)) = self.readers.front_mut() {
            if let Some(has_next) = reader.look() {
                return has_next;
            }
            self.remove(0);
        }
        false
    }

    fn attach(&mut self, reader: PipeReader) {
        let (id, has_ended) = (reader.id(), reader.has_ended());
        self.readers.push_back((reader, Left::default()));
        if has_ended {
            self.ended(id);
        }
    }

    /// The next receive finds out.
    fn changed(&mut self, _: PipeId) {}

    fn ended(&mut self, id: PipeId) {
        // Mostly the last one: there is one peer at a time.
        let Some(at) = self.readers.iter().rposition(|(one, _)| one.id() == id) else {
            return;
        };
        let (reader, kept) = &mut self.readers[at];
        if *kept != Left::default() {
            return;
        }
        match self.leftovers.keep(reader) {
            Some(left) => *kept = left,
            None => self.remove(at),
        }
    }

    fn detach(&mut self, origin: Origin) {
        self.before = self.last_sender();
        let leftovers = &mut self.leftovers;
        self.readers.retain(|(reader, left)| {
            let stays = reader.origin() != origin;
            if !stays {
                leftovers.give_back(*left);
            }
            stays
        });
    }

    fn last_sender(&self) -> Option<Arc<Peer>> {
        let front = self.readers.front().and_then(|(front, _)| front.sender());
        front.or_else(|| self.before.clone())
    }
}
