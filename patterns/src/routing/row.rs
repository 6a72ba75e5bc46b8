//! Ends of pipes in a row, each found by its id: what happens to one pipe costs the same however many there are.

use rustc_hash::FxHashMap;

use crate::pipe::{PipeEnd, PipeId};

/// Ends that take turns, in no order that matters.
pub(super) struct Row<E> {
    ends: Vec<E>,
    places: FxHashMap<PipeId, usize>,
}

impl<E> Default for Row<E> {
    fn default() -> Self {
        Row {
            ends: Vec::new(),
            places: FxHashMap::default(),
        }
    }
}

impl<E: PipeEnd> Row<E> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut E> {
        self.ends.get_mut(place)
    }

    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.ends.iter_mut()
    }

    /// Returns the end of a pipe, if it is here.
    pub(super) fn find(&mut self, id: PipeId) -> Option<&mut E> {
        self.ends.get_mut(*self.places.get(&id)?)
    }

    /// Adds an end behind the others.
    pub(super) fn push(&mut self, end: E) {
        self.places.insert(end.id(), self.ends.len());
        self.ends.push(end);
    }

    /// Takes an end out; the last one takes its place.
    pub(super) fn swap_remove(&mut self, place: usize) -> E {
        let end = self.ends.swap_remove(place);
        self.places.remove(&end.id());
        if let Some(moved) = self.ends.get(place) {
            self.places.insert(moved.id(), place);
        }
        end
    }

    /// Takes the end of a pipe out, if it is here.
    pub(super) fn remove(&mut self, id: PipeId) -> Option<E> {
        let place = *self.places.get(&id)?;
        Some(self.swap_remove(place))
    }

    /// Takes all of them.
    pub(super) fn into_ends(self) -> Vec<E> {
        self.ends
    }
}
