//! Where the pipes of a fair queue are: among those that may have something, empty, or leaving.

use std::collections::VecDeque;

use super::{Before, ELSEWHERE, FairQueue, Leavings, Place};
use crate::pipe::PipeEnd;
use crate::pipe::{PipeId, PipeReader};
use crate::routing::RecvStrategy;

impl FairQueue {
    /// The pipe whose turn it is has nothing. The one that takes its place in `readable` has the turn.
    pub(super) fn stand_aside(&mut self) {
        let reader = self.take_readable(self.turn);
        if let Some(place) = self.places.get_mut(&reader.id()) {
            *place = Place::Empty(reader);
        }
    }

    /// The pipe whose turn it is has ended.
    pub(super) fn end_turn(&mut self) {
        let reader = self.take_readable(self.turn);
        self.forget(&reader);
        self.end_leaving();
    }

    /// The pipes are about to change places: remembers whose message was the last one.
    pub(super) fn settle_last(&mut self) {
        if let Some(reader) = self.readable.get(self.last) {
            self.before = Before::Pipe(reader.id());
            self.last = ELSEWHERE;
        }
    }

    /// Takes a pipe out of `readable`, where the last one takes its place.
    pub(super) fn take_readable(&mut self, at: usize) -> Box<PipeReader> {
        self.settle_last();
        let reader = self.readable.swap_remove(at);
        if let Some(moved) = self.readable.get(at) {
            self.places.insert(moved.id(), Place::Readable(at));
        }
        reader
    }

    /// Adds a pipe that may have something.
    pub(super) fn push_living(&mut self, reader: Box<PipeReader>) {
        let (id, living) = (reader.id(), self.living());
        let place = Place::Readable(living.len());
        living.push(reader);
        self.places.insert(id, place);
    }

    /// A pipe goes; who was at its other end is remembered if that matters.
    pub(super) fn forget(&mut self, reader: &PipeReader) {
        self.places.remove(&reader.id());
        self.before.forget(reader);
        self.kept.forget(reader);
    }

    /// Has what a connection left that has ended taken before all else, but for what others left before. Nothing, or too
    /// much: then the pipe goes.
    #[cold]
    pub(super) fn begin_leaving(&mut self, mut reader: Box<PipeReader>) {
        let Some(left) = self.leftovers.keep(&mut reader) else {
            return self.forget(&reader);
        };
        self.places.insert(reader.id(), Place::Leaving);
        if let Some(leavings) = &mut self.leavings {
            leavings.ended.push_back((reader, left));
            return;
        }
        self.settle_last();
        let living = std::mem::replace(&mut self.readable, vec![reader]);
        self.leavings = Some(Box::new(Leavings {
            left,
            ended: VecDeque::new(),
            living,
        }));
    }

    /// Goes on when what one has left is taken.
    #[inline]
    pub(super) fn end_leaving(&mut self) {
        if !self.readable.is_empty() {
            return;
        }
        let Some(leavings) = &mut self.leavings else {
            return;
        };
        self.leftovers.give_back(leavings.left);
        match leavings.ended.pop_front() {
            Some((next, left)) => {
                self.readable.push(next);
                leavings.left = left;
            }
            None => {
                self.readable = std::mem::take(&mut leavings.living);
                self.leavings = None;
            }
        }
    }

    /// The readable pipes that may still bring something.
    #[allow(clippy::vec_box)] // As they are.
    pub(super) fn living(&mut self) -> &mut Vec<Box<PipeReader>> {
        match &mut self.leavings {
            Some(leavings) => &mut leavings.living,
            None => &mut self.readable,
        }
    }

    /// Notes where the pipes are that are not empty, after many have gone.
    pub(super) fn place_anew(&mut self) {
        let (living, leaving): (_, &[_]) = match &self.leavings {
            Some(leavings) => (&leavings.living, &self.readable),
            None => (&self.readable, &[]),
        };
        for (at, reader) in living.iter().enumerate() {
            self.places.insert(reader.id(), Place::Readable(at));
        }
        let waiting = self.leavings.iter().flat_map(|one| &one.ended);
        for reader in waiting.map(|(reader, _)| reader).chain(leaving) {
            self.places.insert(reader.id(), Place::Leaving);
        }
    }

    /// The end of a pipe.
    pub(super) fn find(&self, id: PipeId) -> Option<&PipeReader> {
        match self.places.get(&id)? {
            Place::Empty(reader) => Some(reader),
            Place::Readable(at) => {
                let leavings = self.leavings.as_ref();
                let living = leavings.map_or(&self.readable, |one| &one.living);
                living.get(*at).map(AsRef::as_ref)
            }
            Place::Leaving => self.readers().find(|reader| reader.id() == id),
        }
    }
}
