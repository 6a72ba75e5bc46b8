//! What the sessions have to tell: pipes that come, go, or have something again.

use std::collections::VecDeque;

use super::Core;
use crate::inbox::Note;
use crate::pipe::{PipeReader, PipeWriter};
use crate::routing::{RecvStrategy, SendStrategy};
use crate::socket::Shared;
use crate::socket::life::Life;

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    /// Reads what the sessions have to tell.
    #[inline]
    pub(crate) fn read_notes(&mut self) {
        if (!S::ABSENT && self.shared.writers.has_notes())
            || (!R::ABSENT && self.shared.readers.has_notes())
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
    writers: VecDeque<Note<PipeWriter>>,
    readers: VecDeque<Note<PipeReader>>,
}

impl Notes {
    /// Tells the strategies what the sessions have to tell.
    pub(super) fn read<S: SendStrategy, R: RecvStrategy>(
        &mut self,
        life: &Life,
        shared: &Shared,
        sender: &mut S,
        receiver: &mut R,
    ) {
        // A pipe's writer is posted before its reader: so whoever has the reader's note finds the writer's, too, and no
        // word of a peer is read that the sender does not know yet.
        if !R::ABSENT {
            shared.readers.take(&mut self.readers);
        }
        if !S::ABSENT {
            shared.writers.take(&mut self.writers);
            for note in self.writers.drain(..) {
                match note {
                    Note::Attached(writer) if life.knows(writer.origin()) => sender.attach(writer),
                    // The endpoint went while the pipe came: its session ends when it sees this end drop.
                    Note::Attached(_) => {}
                    Note::Changed(id) => sender.changed(id),
                    Note::Named(id, name) => sender.named(id, name),
                    Note::Detached(origin) => sender.detach(origin),
                }
            }
        }
        if !R::ABSENT {
            for note in self.readers.drain(..) {
                match note {
                    Note::Attached(reader) if life.knows(reader.origin()) => {
                        receiver.attach(reader);
                    }
                    Note::Attached(_) => {}
                    Note::Changed(id) => receiver.changed(id),
                    Note::Named(..) => {}
                    Note::Detached(origin) => receiver.detach(origin),
                }
            }
        }
    }
}
