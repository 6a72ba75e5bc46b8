//! Absent: the direction that a half of a socket does not have.

use std::sync::Arc;

use super::{RecvStrategy, SendStrategy};
use crate::peer::Peer;
use crate::pipe::{Origin, PipeId, PipeReader, PipeWriter};

/// Gets no pipes: a half reads the inbox of its own direction only.
#[derive(Default)]
pub(crate) struct Absent;

impl SendStrategy for Absent {
    const ABSENT: bool = true;
    fn attach(&mut self, _: PipeWriter) {}
    fn changed(&mut self, _: PipeId) {}
    fn detach(&mut self, _: Origin) {}
}

impl RecvStrategy for Absent {
    const ABSENT: bool = true;
    fn attach(&mut self, _: PipeReader) {}
    fn changed(&mut self, _: PipeId) {}
    fn detach(&mut self, _: Origin) {}
    fn last_sender(&self) -> Option<Arc<Peer>> {
        None
    }
    fn readers(&self) -> impl Iterator<Item = &PipeReader> {
        std::iter::empty()
    }
}
