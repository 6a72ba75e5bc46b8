//! What a session has written, or could not write, of what it has taken. Called by `connection/session/traffic.rs`.

use std::task::Waker;

use zmtp::Batch;

use super::ends::deliver;
use super::queue::Queue;
use super::session_end::OutgoingEnd;

/// What is left when a batch is written.
pub(crate) struct Written {
    /// There is no more.
    pub(crate) is_all: bool,
    /// Buffers worth a timer are kept.
    pub(crate) keeps_buffers: bool,
}

impl OutgoingEnd {
    /// Notes what has been written; `taken` of the messages came from here, and others may take their place. A batch
    /// that is written whole is given back, for its buffer.
    pub(crate) fn written(
        &mut self,
        messages: usize,
        bytes: usize,
        taken: usize,
        done: Option<&mut Batch>,
    ) {
        let mut lane = self.lane.lock();
        lane.note_written(messages, bytes, done);
        let wakeup = lane.release(taken);
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Does so for a batch that is written whole. If there is no more, it parks, as [`poll_take`](Self::poll_take) would that
    /// finds nothing, and the lane need not be looked at once more.
    pub(crate) fn written_whole(
        &mut self,
        messages: usize,
        bytes: usize,
        taken: usize,
        done: &mut Batch,
        task: &Waker,
    ) -> Written {
        let mut lane = self.lane.lock();
        lane.note_written(messages, bytes, Some(done));
        let wakeup = lane.release(taken);
        let is_all = lane.is_at_rest();
        if is_all {
            lane.reader.set_task(task);
            lane.reader.parked = true;
        }
        let keeps_buffers = lane.keeps_buffers();
        drop(lane);
        deliver(wakeup, self.id);
        Written {
            is_all,
            keeps_buffers,
        }
    }

    /// Counts messages that were taken and went down with their connection.
    pub(crate) fn lost(&mut self, messages: usize) {
        let mut lane = self.lane.lock();
        lane.counters.lost.add(messages);
        lane.settle();
        let wakeup = lane.release(messages);
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Counts messages of the batch in hand that could not be sent, though the next ones may be.
    pub(crate) fn failed(&mut self, messages: usize) {
        let mut lane = self.lane.lock();
        lane.counters.lost.add(messages);
        let wakeup = lane.release(messages);
        drop(lane);
        deliver(wakeup, self.id);
    }

    /// Puts whole messages that were taken and not sent back to the front, for the next connection.
    pub(crate) fn restore(&mut self, batch: Batch) {
        let wakeup = self.lane.lock().put_back(batch);
        deliver(wakeup, self.id);
    }
}

impl Queue {
    fn note_written(&mut self, messages: usize, bytes: usize, done: Option<&mut Batch>) {
        self.take_up();
        self.counters.add_traffic(messages, bytes);
        self.written_in_run.0 += messages;
        self.written_in_run.1 += bytes;
        if let Some(batch) = done {
            self.settle();
            self.give_back(batch);
        }
    }

    /// Returns whether there is nothing to be taken, and nothing to be told of the end.
    fn is_at_rest(&self) -> bool {
        self.is_all_taken() && !self.is_ending
    }

    /// Returns whether there is nothing to be taken, though the writer is there.
    pub(super) fn is_all_taken(&self) -> bool {
        let is_empty = self.full.is_empty() && self.open.is_empty() && self.policy.is_none();
        is_empty && !self.writer.gone
    }
}
