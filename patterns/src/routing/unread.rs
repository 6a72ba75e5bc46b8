//! Unread: nothing is received. What peers send all the same is thrown away as it comes. Used by PUSH and SCATTER.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::RecvStrategy;
use super::origins::Origins;
use crate::peer::Peer;
use crate::pipe::{Origin, PipeEnd, PipeId, PipeReader};

/// The pipes, for as long as their connections last.
#[derive(Default)]
pub struct Unread {
    /// In boxes: of many that were there together, the table stays.
    readers: FxHashMap<PipeId, Box<PipeReader>>,
    origins: Origins,
}

impl RecvStrategy for Unread {
    fn pipes(&self) -> usize {
        self.readers.len()
    }

    fn readers(&self) -> impl Iterator<Item = &PipeReader> {
        self.readers.values().map(AsRef::as_ref)
    }

    fn readers_of(&self, origin: Origin) -> impl Iterator<Item = &PipeReader> {
        let pipes = self.origins.of(origin);
        pipes.filter_map(|id| self.readers.get(&id).map(AsRef::as_ref))
    }

    fn into_readers(self) -> impl Iterator<Item = PipeReader> {
        self.readers.into_values().map(|reader| *reader)
    }

    fn attach(&mut self, mut reader: PipeReader) {
        reader.throw_away();
        if !reader.has_ended() {
            self.origins.insert(&reader);
            self.readers.insert(reader.id(), Box::new(reader));
        }
    }

    fn changed(&mut self, _: PipeId) {}

    fn ended(&mut self, id: PipeId) {
        if let Some(reader) = self.readers.remove(&id) {
            self.origins.remove(&*reader);
        }
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            self.readers.remove(&id);
        }
    }

    fn has_next(&mut self) -> bool {
        false
    }

    fn last_sender(&self) -> Option<Arc<Peer>> {
        None
    }
}
