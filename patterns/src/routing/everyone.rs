//! Everyone: word of the subscriptions to every peer. Used by SUB, whose only messages to its peers they
//! are. Also keeps the writers of a socket that never sends (PULL), so that its sessions live as long as it.

use zmtp::Message;

use super::SendStrategy;
use crate::inbox::PipeEnd;
use crate::pipe::{Origin, PipeId, PipeWriter};

/// All pipes of the socket.
#[derive(Default)]
pub(crate) struct Everyone {
    pipes: Vec<PipeWriter>,
}

impl Everyone {
    /// Tells a change of the subscriptions to every live connection. The others begin with the whole set.
    pub(crate) fn tell(&mut self, change: &Message) {
        for writer in &mut self.pipes {
            writer.push_if_live(change);
        }
    }
}

impl SendStrategy for Everyone {
    fn attach(&mut self, writer: PipeWriter) {
        self.pipes.push(writer);
    }

    fn changed(&mut self, id: PipeId) {
        self.pipes
            .retain(|writer| writer.id() != id || !writer.is_spent());
    }

    fn detach(&mut self, origin: Origin) {
        self.pipes.retain(|writer| writer.origin() != origin);
    }
}
