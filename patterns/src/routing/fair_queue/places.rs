//! Where the pipes of a fair queue are: among those that may have something, empty, or leaving.

use std::collections::BTreeMap;

use super::{Before, ELSEWHERE, FairQueue, Leavings, Place};
use crate::pipe::PipeEnd;
use crate::pipe::{PipeId, PipeReader};
use crate::routing::give_back;

impl FairQueue {
    /// The pipe whose turn it is has nothing. The one that takes its place in `readable` has the turn.
    pub(super) fn stand_aside(&mut self) {
        if self.is_alone() {
            return self.rest();
        }
        let reader = self.take_readable(self.turn);
        if let Some(place) = self.places.get_mut(&reader.id()) {
            *place = Place::Empty(reader);
        }
    }

    /// Returns whether the pipe whose turn it is is the only one.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.places.len() == 1 && self.leavings.is_none()
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
        self.rests = false;
        self.settle_last();
        let reader = self.readable.swap_remove(at);
        if let Some(moved) = self.readable.get(at) {
            self.places.insert(moved.id(), Place::Readable(at));
        }
        reader
    }

    /// Adds a pipe that may have something.
    pub(super) fn push_living(&mut self, reader: Box<PipeReader>) {
        self.rests = false;
        let (id, living) = (reader.id(), self.living());
        let place = Place::Readable(living.len());
        living.push(reader);
        self.places.insert(id, place);
    }

    /// Takes a pipe out that has not ended, if it is one.
    pub(super) fn take_living(&mut self, id: PipeId) -> Option<Box<PipeReader>> {
        let place = self.places.get_mut(&id)?;
        match place {
            Place::Leaving(_) => None,
            Place::Empty(_) => match self.places.remove(&id)? {
                Place::Empty(reader) => Some(reader),
                Place::Readable(_) | Place::Leaving(_) => None,
            },
            &mut Place::Readable(at) if self.leavings.is_none() => Some(self.take_readable(at)),
            &mut Place::Readable(at) => {
                let living = self.living();
                let reader = living.swap_remove(at);
                if let Some(moved) = living.get(at).map(|moved| moved.id()) {
                    self.places.insert(moved, Place::Readable(at));
                }
                Some(reader)
            }
        }
    }

    /// A pipe goes; who was at its other end is remembered if that matters.
    pub(super) fn forget(&mut self, reader: &PipeReader) {
        self.places.remove(&reader.id());
        give_back(&mut self.places);
        self.origins.remove(reader);
        self.before.forget(reader);
        self.kept.forget(reader);
    }

    /// Has what a connection left that has ended taken before all else, but for what others left before. Nothing, or too
    /// much: then the pipe goes.
    #[cold]
    pub(super) fn begin_leaving(&mut self, mut reader: Box<PipeReader>) {
        self.rests = false;
        let Some(left) = self.leftovers.keep(&mut reader) else {
            return self.forget(&reader);
        };
        let id = reader.id();
        let number = match &mut self.leavings {
            Some(leavings) => {
                leavings.newest += 1;
                leavings.ended.insert(leavings.newest, (reader, left));
                leavings.newest
            }
            None => {
                self.settle_last();
                let living = std::mem::replace(&mut self.readable, vec![reader]);
                self.leavings = Some(Box::new(Leavings {
                    left,
                    ended: BTreeMap::new(),
                    newest: 0,
                    living,
                }));
                0
            }
        };
        self.places.insert(id, Place::Leaving(number));
    }

    /// Drops a pipe that has ended, with what is left in it.
    #[cold]
    pub(super) fn stop_leaving(&mut self, id: PipeId) {
        let (Some(&Place::Leaving(number)), Some(leavings)) =
            (self.places.get(&id), &mut self.leavings)
        else {
            return;
        };
        if let Some((reader, left)) = leavings.ended.remove(&number) {
            self.leftovers.give_back(left);
            return self.forget(&reader);
        }
        // It is its turn.
        let reader = self.take_readable(0);
        self.forget(&reader);
        self.end_leaving();
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
        match leavings.ended.pop_first() {
            Some((_, (next, left))) => {
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

    /// The end of a pipe.
    pub(super) fn find(&self, id: PipeId) -> Option<&PipeReader> {
        let leavings = self.leavings.as_deref();
        let reader = match self.places.get(&id)? {
            Place::Empty(reader) => Some(reader),
            Place::Readable(at) => leavings.map_or(&self.readable, |one| &one.living).get(*at),
            Place::Leaving(number) => match leavings?.ended.get(number) {
                Some((reader, _)) => Some(reader),
                None => self.readable.first(),
            },
        };
        reader.map(AsRef::as_ref)
    }

    /// `find`, to change it.
    pub(super) fn find_mut(&mut self, id: PipeId) -> Option<&mut PipeReader> {
        let leavings = self.leavings.as_deref_mut();
        let reader = match (self.places.get_mut(&id)?, leavings) {
            (Place::Empty(reader), _) => Some(reader),
            (Place::Readable(at), None) => self.readable.get_mut(*at),
            (Place::Readable(at), Some(leavings)) => leavings.living.get_mut(*at),
            (Place::Leaving(_), None) => None,
            (Place::Leaving(number), Some(leavings)) => match leavings.ended.get_mut(number) {
                Some((reader, _)) => Some(reader),
                None => self.readable.first_mut(),
            },
        };
        reader.map(AsMut::as_mut)
    }
}
