//! Addressed: a message to one given pipe, or nowhere. Used by REP, whose reply goes to the asker.

use std::collections::HashMap;

use zmtp::Message;

use super::SendStrategy;
use crate::inbox::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter};

/// The pipes by their ids.
#[derive(Default)]
pub(crate) struct Addressed {
    pipes: HashMap<PipeId, PipeWriter>,
}

impl Addressed {
    /// Queues the message to the pipe. `false`: the pipe is full or gone, and the message is untouched.
    pub(crate) fn send(&mut self, to: PipeId, message: &mut Message) -> bool {
        self.pipes
            .get_mut(&to)
            .is_some_and(|writer| writer.push(message).is_ok())
    }
}

impl SendStrategy for Addressed {
    fn attach(&mut self, writer: PipeWriter) {
        self.pipes.insert(writer.id(), writer);
    }

    fn changed(&mut self, id: PipeId) {
        if self.pipes.get(&id).is_some_and(PipeWriter::is_spent) {
            self.pipes.remove(&id);
        }
    }

    fn detach(&mut self, origin: Origin) {
        self.pipes.retain(|_, writer| writer.origin() != origin);
    }
}
