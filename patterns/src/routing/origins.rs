//! Which pipes came from which endpoint: letting go of one endpoint costs the same however many others there are.

use crate::groups::Groups;
use crate::pipe::{Origin, PipeEnd, PipeId};

/// The pipes that a strategy has, by the endpoints that they came from.
#[derive(Default)]
pub(super) struct Origins(Groups<Origin, PipeId>);

impl Origins {
    /// Notes a pipe that comes.
    pub(super) fn insert(&mut self, end: &impl PipeEnd) {
        self.0.insert(end.origin(), end.id());
    }

    /// Forgets a pipe that goes.
    pub(super) fn remove(&mut self, end: &impl PipeEnd) {
        self.0.remove(end.origin(), end.id());
    }

    /// Iterates over the pipes of an endpoint.
    pub(super) fn of(&self, origin: Origin) -> impl Iterator<Item = PipeId> {
        self.0.of(origin)
    }

    /// Takes the pipes of an endpoint, which goes.
    pub(super) fn take(&mut self, origin: Origin) -> impl Iterator<Item = PipeId> + use<> {
        self.0.take(origin)
    }
}
