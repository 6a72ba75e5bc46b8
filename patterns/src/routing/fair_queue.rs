//! Fair queue: one message from each pipe that has one, in turn ([R-ALL-12]). Used by every socket that receives.
//!
//! [R-ALL-12]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-all-12

mod places;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use rustc_hash::FxHashMap;
use zmtp::{Batch, Envelope, Message};

use super::leftovers::Leftovers;
use super::origins::Origins;
use super::{RecvStrategy, Refusal};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::PipeEnd;
use crate::pipe::{Left, Origin, PeerMark, PipeId, PipeReader, Popped};
use crate::routing_id::{Identity, RoutingId};

/// Frames thrown away in one call, or a few more if the last message has them.
const MOST_DISCARDED: usize = 10_000;

/// No place in `readable`.
const ELSEWHERE: usize = usize::MAX;

/// Whose message was the last one, after the pipes have changed places.
#[derive(Clone, Default)]
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
    /// What the one whose turn it is has left.
    left: Left,
    /// Younger ones, numbered as they ended, and the newest number.
    ended: BTreeMap<u64, (Box<PipeReader>, Left)>,
    newest: u64,
    /// Those that may still bring something: they wait.
    #[allow(clippy::vec_box)] // It moves from here to `readable` and back.
    living: Vec<Box<PipeReader>>,
}

/// Where a pipe is.
enum Place {
    /// Among those that may have something and are not known to have ended, here.
    Readable(usize),
    /// It had nothing when it was asked last.
    Empty(Box<PipeReader>),
    /// It has ended, as the one of this number, and something is left in it.
    Leaving(u64),
}

/// Turns over the readable pipes. What ended connections have left comes first, oldest end first: so a peer that
/// connects again is not heard before it has been heard out; all of them together leave no more than is allowed. Empty
/// ones stand aside until they have something; the ends of pipes are boxed, since an idle connection goes back and forth
/// with each message.
#[derive(Default)]
pub struct FairQueue {
    #[allow(clippy::vec_box)] // It moves from here to `places` and back.
    readable: Vec<Box<PipeReader>>,
    /// If there are any, `readable` is the pipe of the connection that has ended first, alone.
    leavings: Option<Box<Leavings>>,
    places: FxHashMap<PipeId, Place>,
    /// The pipe in `readable` is the only one there is, and had nothing when it was asked last: it need not stand aside.
    rests: bool,
    origins: Origins,
    leftovers: Leftovers,
    /// Whose turn it is, in `readable`.
    turn: usize,
    /// Who had it last: whose message was the last one. `ELSEWHERE` if that one is not there any more.
    last: usize,
    /// And then, who or where it is.
    before: Before,
    /// Who it was before the call that is under way: that may throw messages away, and give none.
    kept: Before,
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
        while !self.is_at_rest() {
            if self.turn >= self.readable.len() {
                self.turn = 0;
            }
            let reader = self.readable.get_mut(self.turn)?;
            match reader.pop_with(&mut take) {
                Popped::Message(message) => {
                    if reader.waits() && self.is_alone() {
                        self.rest();
                    }
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
        None
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
        match self.readable.first() {
            Some(first) => !self.rests || first.has_arrived(),
            None => false,
        }
    }

    /// Has the only pipe stay where it is until it has something.
    fn rest(&mut self) {
        if let Some(only) = self.readable.first() {
            only.stay();
            self.rests = true;
        }
    }

    /// Returns whether the only pipe is known to have nothing.
    #[inline]
    fn is_at_rest(&mut self) -> bool {
        if self.rests && self.may_have() {
            self.rests = false;
        }
        self.rests
    }

    /// `recv`, with the pipe that the message came from. No message stands for the beginning of another connection of
    /// the pipe, whose messages follow.
    pub(crate) fn recv_or_renewal(&mut self) -> Option<(PipeId, Option<Message>)> {
        loop {
            let message = match self.recv_with(Batch::pop)? {
                Ok(message) => Some(message),
                Err(PeerMark::Renewed) => None,
                Err(PeerMark::Joined { .. } | PeerMark::Left) => continue,
            };
            return Some((self.readable.get(self.last)?.id(), message));
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
        self.find(id)
            .is_some_and(|reader| reader.is_behind(identity))
    }

    /// The name of the peer that the last `recv` was about.
    pub(crate) fn last_name(&self) -> Option<&RoutingId> {
        self.readable.get(self.last)?.peer()
    }

    /// The name of the peer that the last `recv` was about, as the application has heard it: also if the name is the next
    /// connection's meanwhile, which the peer's own is made up anew for.
    pub(crate) fn last_told(&self) -> Option<&RoutingId> {
        let reader = self.readable.get(self.last)?;
        reader.told().or_else(|| reader.peer())
    }

    /// Whether the peer that the last `recv` was about has connected to us.
    pub(crate) fn last_is_bound(&self) -> bool {
        let last = self.readable.get(self.last);
        last.is_some_and(|reader| reader.origin().is_bound())
    }

    /// Throws away what is waiting ([R-REQ-6]), and says how much that was. Peers that never stop sending do not keep
    /// it busy for ever.
    ///
    /// [R-REQ-6]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-req-6
    pub(crate) fn discard_waiting(&mut self) -> usize {
        let (mut messages, mut frames) = (0, 0);
        while frames < MOST_DISCARDED
            && let Some(message) = self.recv()
        {
            messages += 1;
            frames += message.len();
        }
        messages
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
        self.places.contains_key(&id)
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
    fn set_options(&mut self, options: &Options) {
        self.leftovers.set_options(options);
    }

    fn pipes(&self) -> usize {
        self.places.len()
    }

    fn readers(&self) -> impl Iterator<Item = &PipeReader> {
        let leavings = self.leavings.iter();
        let waiting = leavings.flat_map(|one| {
            let ended = one.ended.values().map(|(reader, _)| reader);
            ended.chain(&one.living)
        });
        let empty = self.places.values().filter_map(|place| match place {
            Place::Empty(reader) => Some(reader),
            Place::Readable(_) | Place::Leaving(_) => None,
        });
        let readers = self.readable.iter().chain(waiting).chain(empty);
        readers.map(AsRef::as_ref)
    }

    fn readers_of(&self, origin: Origin) -> impl Iterator<Item = &PipeReader> {
        let pipes = self.origins.of(origin);
        pipes.filter_map(|id| self.find(id))
    }

    /// Has it be the turn of a pipe that has something.
    fn has_next(&mut self) -> bool {
        while !self.is_at_rest() {
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
        false
    }

    fn into_readers(self) -> impl Iterator<Item = PipeReader> {
        let leavings = self.leavings.into_iter();
        let waiting = leavings.flat_map(|one| {
            let ended = one.ended.into_values().map(|(reader, _)| reader);
            ended.chain(one.living)
        });
        let empty = self.places.into_values().filter_map(|place| match place {
            Place::Empty(reader) => Some(reader),
            Place::Readable(_) | Place::Leaving(_) => None,
        });
        let readers = self.readable.into_iter().chain(waiting).chain(empty);
        readers.map(|reader| *reader)
    }

    fn attach(&mut self, reader: PipeReader) {
        self.origins.insert(&reader);
        let reader = Box::new(reader);
        match reader.has_ended() {
            true => self.begin_leaving(reader),
            false => self.push_living(reader),
        }
    }

    fn changed(&mut self, id: PipeId) {
        if std::mem::take(&mut self.rests) {
            return;
        }
        let living = match &self.leavings {
            Some(leavings) => leavings.living.len(),
            None => self.readable.len(),
        };
        let Some(place @ Place::Empty(_)) = self.places.get_mut(&id) else {
            return;
        };
        if let Place::Empty(reader) = std::mem::replace(place, Place::Readable(living)) {
            self.living().push(reader);
        }
    }

    fn ended(&mut self, id: PipeId) {
        if let Some(reader) = self.take_living(id) {
            self.begin_leaving(reader);
        }
    }

    fn renamed(&mut self, id: PipeId) {
        if let Some(reader) = self.find_mut(id) {
            reader.rename();
        }
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            match self.take_living(id) {
                Some(reader) => self.forget(&reader),
                None => self.stop_leaving(id),
            }
        }
    }

    fn last_sender(&self) -> Option<Arc<Peer>> {
        if let Some(reader) = self.readable.get(self.last) {
            return reader.sender();
        }
        match &self.before {
            Before::Nobody => None,
            Before::Pipe(id) => self.find(*id)?.sender(),
            Before::Gone(peer) => peer.clone(),
        }
    }

    fn keep_last(&mut self) {
        self.kept = match self.readable.get(self.last) {
            Some(reader) => Before::Pipe(reader.id()),
            None => self.before.clone(),
        };
    }

    fn resume_last(&mut self) {
        self.last = ELSEWHERE;
        self.before = std::mem::take(&mut self.kept);
    }
}
