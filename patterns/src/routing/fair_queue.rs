//! Fair queue: one message from each pipe that has one, in turn (R-ALL-12). Used by every socket that receives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use rustc_hash::FxHashMap;
use zmtp::{Batch, Envelope, Message};

use super::{RecvStrategy, Refusal};
use crate::peer::Peer;
use crate::pipe::PipeEnd;
use crate::pipe::{Origin, PeerMark, PipeId, PipeReader, Popped};
use crate::routing_id::{Identity, RoutingId};

/// Messages thrown away in one call.
const MOST_DISCARDED: usize = 10_000;

/// No place in `readable`.
const ELSEWHERE: usize = usize::MAX;

/// Whose message was the last one, after the pipes have changed places.
#[derive(Default)]
enum Before {
    #[default]
    Nobody,
    /// The pipe is still there.
    Pipe(PipeId),
    /// It is gone.
    Gone(Option<Arc<Peer>>),
}

/// While something is to be had from connections that have ended.
struct Leavings {
    /// Younger ones than the one whose turn it is.
    ended: VecDeque<Box<PipeReader>>,
    /// Those that may still bring something: they wait.
    #[allow(clippy::vec_box)] // It moves from here to `readable` and back.
    living: Vec<Box<PipeReader>>,
}

/// Turns over the readable pipes. What ended connections have left comes first, oldest end first: so a peer that
/// connects again is not heard before it has been heard out. Empty ones stand aside until they have something; the ends
/// of pipes are boxed, since an idle connection goes back and forth with each message.
#[derive(Default)]
pub struct FairQueue {
    #[allow(clippy::vec_box)] // It moves from here to `empty` and back.
    readable: Vec<Box<PipeReader>>,
    /// If there are any, `readable` is the pipe of the connection that has ended first, alone.
    leavings: Option<Box<Leavings>>,
    empty: FxHashMap<PipeId, Box<PipeReader>>,
    /// Whose turn it is, in `readable`.
    turn: usize,
    /// Who had it last: whose message was the last one. `ELSEWHERE` if that one is not there any more.
    last: usize,
    /// And then, who or where it is.
    before: Before,
}

impl FairQueue {
    /// The next message, if the one whose turn it is has it at hand and it is a single frame.
    #[inline(always)]
    pub(crate) fn try_fast(&mut self) -> Option<Message> {
        self.try_fast_if(|_| true)
    }

    /// `try_fast` for a message whose first frame is wanted.
    #[inline(always)]
    pub(crate) fn try_fast_if(
        &mut self,
        wanted: impl FnOnce(&PipeReader) -> bool,
    ) -> Option<Message> {
        let reader = self.readable.get_mut(self.turn)?;
        if !wanted(reader) {
            return None;
        }
        let message = reader.pop_at_hand()?;
        self.pass_on();
        Some(message)
    }

    /// Takes the next message. What is told of named peers is passed over.
    pub(crate) fn recv(&mut self) -> Option<Message> {
        loop {
            if let Ok(message) = self.recv_with(Batch::pop)? {
                return Some(message);
            }
        }
    }

    /// Takes the next message. Pending: there is none now.
    pub(crate) fn poll_recv(&mut self) -> Poll<Result<Message, Refusal>> {
        match self.recv() {
            Some(message) => Poll::Ready(Ok(message)),
            None => Poll::Pending,
        }
    }

    /// Takes the next message, or what comes before it that is told of a named peer.
    pub(crate) fn recv_or_mark(&mut self) -> Option<Result<Message, PeerMark>> {
        self.recv_with(Batch::pop)
    }

    /// The next message, divided into envelope and body, with the pipe that it came from. No body: the message
    /// was malformed.
    pub(crate) fn recv_enveloped(
        &mut self,
        envelope: &mut Envelope,
    ) -> Option<(PipeId, Option<Message>)> {
        loop {
            // Nobody who uses envelopes names its peers.
            if let Ok(body) = self.recv_with(|batch| batch.pop_enveloped(envelope))? {
                return Some((self.readable.get(self.last)?.id(), body));
            }
        }
    }

    /// The next message, as `take` takes it off its batch, or news.
    fn recv_with<T>(
        &mut self,
        mut take: impl FnMut(&mut Batch) -> Option<T>,
    ) -> Option<Result<T, PeerMark>> {
        loop {
            if self.turn >= self.readable.len() {
                self.turn = 0;
            }
            match self.readable.get_mut(self.turn)?.pop_with(&mut take) {
                Popped::Message(message) => {
                    self.pass_on();
                    return Some(Ok(message));
                }
                Popped::Mark(news) => {
                    self.pass_on();
                    return Some(Err(news));
                }
                Popped::Empty => self.stand_aside(),
                Popped::Ended => self.end_turn(),
            }
        }
    }

    /// The pipe whose turn it is has nothing. The one that takes its place in `readable` has the turn.
    fn stand_aside(&mut self) {
        self.settle_last();
        let reader = self.readable.swap_remove(self.turn);
        self.empty.insert(reader.id(), reader);
    }

    /// The pipe whose turn it is has ended.
    fn end_turn(&mut self) {
        self.settle_last();
        let reader = self.readable.swap_remove(self.turn);
        self.before.forget(&reader);
        self.end_leaving();
    }

    /// Returns the first frame of the message that is next, if `has_next`, and as far as that is seen without taking it.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.readable.get(self.turn)?.front()
    }

    #[inline]
    fn pass_on(&mut self) {
        self.last = self.turn;
        self.turn += 1;
        if self.turn >= self.readable.len() {
            self.turn = 0;
        }
    }

    /// Returns whether a pipe may have something. `false` is certain, and soon told.
    #[inline(always)]
    pub(crate) fn may_have(&self) -> bool {
        !self.readable.is_empty()
    }

    /// `recv`, with the pipe that the message came from.
    pub(crate) fn recv_from(&mut self) -> Option<(PipeId, Message)> {
        let message = self.recv()?;
        Some((self.readable.get(self.last)?.id(), message))
    }

    /// The pipes are about to change places: remembers whose message was the last one.
    fn settle_last(&mut self) {
        if let Some(reader) = self.readable.get(self.last) {
            self.before = Before::Pipe(reader.id());
            self.last = ELSEWHERE;
        }
    }

    /// Has what a connection left that has ended taken before all else, but for what others left before.
    #[cold]
    fn begin_leaving(&mut self, reader: Box<PipeReader>) {
        if let Some(leavings) = &mut self.leavings {
            leavings.ended.push_back(reader);
            return;
        }
        self.settle_last();
        let living = std::mem::replace(&mut self.readable, vec![reader]);
        self.leavings = Some(Box::new(Leavings {
            ended: VecDeque::new(),
            living,
        }));
    }

    /// Goes on when what one has left is taken.
    #[inline]
    fn end_leaving(&mut self) {
        if !self.readable.is_empty() {
            return;
        }
        let Some(leavings) = &mut self.leavings else {
            return;
        };
        match leavings.ended.pop_front() {
            Some(next) => self.readable.push(next),
            None => {
                self.readable = std::mem::take(&mut leavings.living);
                self.leavings = None;
            }
        }
    }

    /// The readable pipes that may still bring something.
    #[allow(clippy::vec_box)] // As they are.
    fn living(&mut self) -> &mut Vec<Box<PipeReader>> {
        match &mut self.leavings {
            Some(leavings) => &mut leavings.living,
            None => &mut self.readable,
        }
    }

    /// Who has sent the last message.
    pub(crate) fn last_identity(&self) -> Identity {
        let last = self.readable.get(self.last);
        last.map_or(Identity::ANY, |reader| reader.identity())
    }

    /// Whether who has sent the last message had been given the newest message to its pipe.
    pub(crate) fn last_was_given(&self) -> bool {
        let last = self.readable.get(self.last);
        last.is_some_and(|reader| reader.was_given())
    }

    /// Whether a pipe still has something of a peer whose place another one has taken.
    pub(crate) fn is_behind(&self, id: PipeId, identity: Identity) -> bool {
        let reader = self.readers().find(|reader| reader.id() == id);
        reader.is_some_and(|reader| reader.is_behind(identity))
    }

    /// The name of the peer that the last `recv` was about.
    pub(crate) fn last_name(&self) -> Option<&RoutingId> {
        self.readable.get(self.last)?.peer()
    }

    /// Throws away what is waiting (R-REQ-6), and says how much that was. Peers that never stop sending do not keep
    /// it busy for ever.
    pub(crate) fn discard_waiting(&mut self) -> usize {
        (0..MOST_DISCARDED)
            .take_while(|_| self.recv().is_some())
            .count()
    }

    /// Throws away what else the pipe holds that the last message came from.
    #[cold]
    pub(crate) fn discard_rest(&mut self) {
        if let Some(reader) = self.readable.get_mut(self.last) {
            reader.discard();
        }
    }

    /// Whether the pipe may still give messages.
    pub(crate) fn has(&self, id: PipeId) -> bool {
        self.empty.contains_key(&id) || self.readers().any(|reader| reader.id() == id)
    }
}

impl Before {
    /// A pipe goes; who was at its other end is remembered if that matters.
    fn forget(&mut self, reader: &PipeReader) {
        if matches!(self, Before::Pipe(id) if *id == reader.id()) {
            *self = Before::Gone(reader.sender());
        }
    }
}

impl RecvStrategy for FairQueue {
    fn pipes(&self) -> usize {
        let leavings = self.leavings.as_ref();
        let waiting = leavings.map_or(0, |one| one.ended.len() + one.living.len());
        self.readable.len() + waiting + self.empty.len()
    }

    fn readers(&self) -> impl Iterator<Item = &PipeReader> {
        let empty = self.empty.values();
        let leavings = self.leavings.iter();
        let waiting = leavings.flat_map(|one| one.ended.iter().chain(&one.living));
        let readers = self.readable.iter().chain(waiting).chain(empty);
        readers.map(AsRef::as_ref)
    }

    /// Has it be the turn of a pipe that has something.
    fn has_next(&mut self) -> bool {
        loop {
            if self.turn >= self.readable.len() {
                self.turn = 0;
            }
            let Some(reader) = self.readable.get_mut(self.turn) else {
                return false;
            };
            match reader.look() {
                Some(true) => return true,
                Some(false) => self.stand_aside(),
                None => self.end_turn(),
            }
        }
    }

    fn attach(&mut self, reader: PipeReader) {
        let reader = Box::new(reader);
        match reader.has_ended() {
            true => self.begin_leaving(reader),
            false => self.living().push(reader),
        }
    }

    fn changed(&mut self, id: PipeId) {
        if let Some(reader) = self.empty.remove(&id) {
            // Readable or ended: the next receive finds out.
            self.living().push(reader);
        } else if let Some(at) = self.living().iter().position(|one| one.id() == id)
            && self.living()[at].has_ended()
        {
            self.settle_last();
            let reader = self.living().swap_remove(at);
            self.begin_leaving(reader);
        }
    }

    fn renamed(&mut self, id: PipeId) {
        let leavings = self.leavings.iter_mut();
        let waiting = leavings.flat_map(|one| one.ended.iter_mut().chain(&mut one.living));
        let mut readers = self.readable.iter_mut().chain(waiting);
        let reader = match self.empty.get_mut(&id) {
            Some(reader) => Some(reader),
            None => readers.find(|reader| reader.id() == id),
        };
        if let Some(reader) = reader {
            reader.rename();
        }
    }

    fn detach(&mut self, origin: Origin) {
        self.settle_last();
        let before = &mut self.before;
        let mut stays = |reader: &PipeReader| {
            if reader.origin() == origin {
                before.forget(reader);
            }
            reader.origin() != origin
        };
        self.readable.retain(|reader| stays(reader));
        self.empty.retain(|_, reader| stays(reader));
        if let Some(leavings) = &mut self.leavings {
            leavings.ended.retain(|reader| stays(reader));
            leavings.living.retain(|reader| stays(reader));
        }
        self.end_leaving();
    }

    fn last_sender(&self) -> Option<Arc<Peer>> {
        if let Some(reader) = self.readable.get(self.last) {
            return reader.sender();
        }
        match &self.before {
            Before::Nobody => None,
            Before::Pipe(id) => self.readers().find(|reader| reader.id() == *id)?.sender(),
            Before::Gone(peer) => peer.clone(),
        }
    }
}
