//! What connections have to tell: pipes that come, go, or have something again.

use std::collections::VecDeque;

use super::{Core, Direction, Pattern};
use crate::core::endpoint_table::EndpointTable;
use crate::options::Options;
use crate::pipe::{Inbox, PipeEvent};
use crate::pipe::{PipeReader, PipeWriter};
use crate::routing::{RecvStrategy, SendStrategy};

/// What events are read into. Empty; kept for the buffers.
#[derive(Default)]
pub(super) struct Events {
    writers: VecDeque<PipeEvent<PipeWriter>>,
    readers: VecDeque<PipeEvent<PipeReader>>,
}

impl<P: Pattern> Core<P> {
    /// Returns whether there is news of pipes to send to.
    #[inline]
    pub(super) fn has_write_events(&self) -> bool {
        self.writers.has_events()
    }

    /// Returns whether there is news of pipes to receive from.
    #[inline]
    pub(crate) fn has_read_events(&self) -> bool {
        self.readers.has_events()
    }

    /// Reads what the connections have to tell. Returns `true` if the socket has ended with its context: its calls fail.
    #[inline]
    pub(crate) fn read_events(&mut self) -> bool {
        (self.has_write_events() || self.has_read_events()) && self.read_all_events()
    }

    /// Has the next call come by here, though nothing has happened: something is left to be done.
    pub(crate) fn come_again(&self) {
        self.readers.call_again();
    }

    #[cold]
    fn read_all_events(&mut self) -> bool {
        let read = self.events.read(
            &self.table,
            (&self.writers, &self.readers),
            &mut self.sender,
            &mut self.receiver,
        );
        match read {
            Some(Told::Configured) => {
                if let Some(options) = self.shared.state.changed() {
                    self.take_options(options);
                }
            }
            Some(Told::Ended) => {
                // What is left in the pipes is counted.
                self.sender = P::Send::default();
                self.receiver = P::Recv::default();
                return true;
            }
            None => {}
        }
        self.shared.state.tidy();
        false
    }

    /// Has the other half of a divided socket take on changed options.
    pub(super) fn tell_other_half(&self, options: &Options) {
        let state = &self.shared.state;
        match self.direction {
            Direction::Both => {}
            Direction::Send => {
                state.note_changed(options);
                state.readers.post(PipeEvent::Configured);
            }
            Direction::Recv => {
                state.note_changed(options);
                state.writers.post(PipeEvent::Configured);
            }
        }
    }
}

/// What is for the core itself among the events.
pub(super) enum Told {
    /// The other half has changed the options.
    Configured,
    /// The socket has ended with its context.
    Ended,
}

impl Events {
    /// Tells the strategies what the connections have to tell. Returns what is for the core.
    pub(super) fn read(
        &mut self,
        table: &EndpointTable,
        (writers, readers): (&Inbox<PipeWriter>, &Inbox<PipeReader>),
        sender: &mut impl SendStrategy,
        receiver: &mut impl RecvStrategy,
    ) -> Option<Told> {
        let mut configured = None;
        // A pipe's writer is posted before its reader: so whoever has the reader's event finds the writer's, too, and no
        // message of a peer is read that the sender does not know yet.
        let has_ended = readers.take(&mut self.readers) | writers.take(&mut self.writers);
        if has_ended {
            self.readers.clear();
            self.writers.clear();
            return Some(Told::Ended);
        }
        // Mostly there is one: to drain the queue would take longer.
        while let Some(event) = self.writers.pop_front() {
            match event {
                PipeEvent::Attached(writer) if table.knows(writer.origin()) => {
                    sender.attach(*writer)
                }
                // The endpoint went while the pipe came: its session ends when it sees this end drop.
                PipeEvent::Attached(_) => {}
                PipeEvent::Changed(id) => sender.changed(id),
                PipeEvent::Ended(id) => sender.ended(id),
                PipeEvent::Named(id, name) => sender.named(id, *name),
                PipeEvent::Met(id, identity) => sender.met(id, identity),
                PipeEvent::Detached(origin) => sender.detach(origin),
                PipeEvent::Configured => configured = Some(Told::Configured),
                // Whoever waits looks when it finds nothing.
                PipeEvent::Look | PipeEvent::Nothing | PipeEvent::Renamed(_) => {}
            }
        }
        while let Some(event) = self.readers.pop_front() {
            match event {
                PipeEvent::Attached(reader) if table.knows(reader.origin()) => {
                    receiver.attach(*reader)
                }
                // Who stops listening still reads what has come.
                PipeEvent::Attached(reader) if reader.origin().is_bound() => {
                    reader.conclude();
                    receiver.attach(*reader);
                }
                PipeEvent::Attached(_)
                | PipeEvent::Named(..)
                | PipeEvent::Met(..)
                | PipeEvent::Look
                | PipeEvent::Nothing => {}
                PipeEvent::Renamed(id) => receiver.renamed(id),
                PipeEvent::Changed(id) => receiver.changed(id),
                PipeEvent::Ended(id) => receiver.ended(id),
                PipeEvent::Detached(origin) => receiver.let_go(origin),
                PipeEvent::Configured => configured = Some(Told::Configured),
            }
        }
        configured
    }
}
