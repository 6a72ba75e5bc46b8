//! What the sessions have to tell: pipes that come, go, or have something again.

use std::collections::VecDeque;

use super::Core;
use crate::pipe::PipeEvent;
use crate::pipe::{PipeReader, PipeWriter};
use crate::routing::{RecvStrategy, SendStrategy};
use crate::socket::endpoint_table::EndpointTable;
use crate::state::Shared;

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    /// Reads what the sessions have to tell.
    #[inline]
    pub(crate) fn read_notes(&mut self) {
        if (!S::ABSENT && self.shared.state.writers.has_notes())
            || (!R::ABSENT && self.shared.state.readers.has_notes())
        {
            self.read_all_notes();
        }
    }

    #[cold]
    fn read_all_notes(&mut self) {
        self.notes.read(
            &self.life,
            &self.shared,
            &mut self.sender,
            &mut self.receiver,
        );
    }
}

/// What notes are read into. Empty; kept for the buffers.
#[derive(Default)]
pub(super) struct Notes {
    writers: VecDeque<PipeEvent<PipeWriter>>,
    readers: VecDeque<PipeEvent<PipeReader>>,
}

impl Notes {
    /// Tells the strategies what the sessions have to tell.
    pub(super) fn read<S: SendStrategy, R: RecvStrategy>(
        &mut self,
        life: &EndpointTable,
        shared: &Shared,
        sender: &mut S,
        receiver: &mut R,
    ) {
        // A pipe's writer is posted before its reader: so whoever has the reader's note finds the writer's, too, and no
        // word of a peer is read that the sender does not know yet.
        if !R::ABSENT {
            shared.state.readers.take(&mut self.readers);
        }
        if !S::ABSENT {
            shared.state.writers.take(&mut self.writers);
            for note in self.writers.drain(..) {
                match note {
                    PipeEvent::Attached(writer) if life.knows(writer.origin()) => {
                        sender.attach(writer)
                    }
                    // The endpoint went while the pipe came: its session ends when it sees this end drop.
                    PipeEvent::Attached(_) => {}
                    PipeEvent::Changed(id) => sender.changed(id),
                    PipeEvent::Named(id, name) => sender.named(id, name),
                    PipeEvent::Detached(origin) => sender.detach(origin),
                }
            }
        }
        if !R::ABSENT {
            for note in self.readers.drain(..) {
                match note {
                    PipeEvent::Attached(reader) if life.knows(reader.origin()) => {
                        receiver.attach(reader);
                    }
                    PipeEvent::Attached(_) => {}
                    PipeEvent::Changed(id) => receiver.changed(id),
                    PipeEvent::Named(..) => {}
                    PipeEvent::Detached(origin) => receiver.detach(origin),
                }
            }
        }
    }
}
