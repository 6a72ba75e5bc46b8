//! Batches that change hands: the reader, a session or a socket, takes the oldest one, and gives it back for its buffer
//! when it is done with it. Called by `reader.rs` and `session_end.rs`, under the lane's lock.

use zmtp::Batch;

use super::queue::Queue;

/// What was the oldest in a queue.
pub(super) enum Oldest {
    Batch,
    /// A mark of `peers`.
    Mark,
    Nothing,
}

impl Queue {
    /// Takes the oldest batch.
    fn take(&mut self) -> Option<Batch> {
        let oldest = match self.full.pop_front() {
            Some(oldest) => oldest,
            None if !self.open.is_empty() => self.take_open(0),
            None if self.policy.is_some() => self.take_last_values()?,
            None => return None,
        };
        self.budget.take(oldest.batch.byte_len());
        if let Some(policy) = &mut self.policy {
            policy.take(&oldest);
        }
        Some(oldest.batch)
    }

    /// Takes the oldest batch, which is in the reader's hands then, in place of one that is done with.
    pub(super) fn take_into(&mut self, hands: &mut Batch) -> Oldest {
        if self.exchange(hands) {
            return Oldest::Batch;
        }
        match self.take() {
            None => Oldest::Nothing,
            Some(mark) if mark.is_empty() => Oldest::Mark,
            Some(batch) => {
                self.give_back(&mut std::mem::replace(hands, batch));
                Oldest::Batch
            }
        }
    }

    /// Exchanges the open batch for one that is done with, if it is all there is: then nothing else has to be moved, which
    /// is most of the work for a batch of one message. Returns whether it has.
    fn exchange(&mut self, done: &mut Batch) -> bool {
        if self.open.is_empty() || !self.full.is_empty() || self.policy.is_some() {
            return false;
        }
        done.clear();
        if !self.spares.may_follow(done) {
            return false;
        }
        let bytes = self.open.byte_len();
        self.budget.hold(bytes);
        self.budget.take(bytes);
        std::mem::swap(&mut self.open, done);
        self.look_again();
        true
    }

    /// Keeps a batch that is done with, for its buffer.
    pub(super) fn give_back(&mut self, done: &mut Batch) {
        done.clear();
        if self.open.is_empty() && self.open.spare() == 0 && self.spares.may_follow(done) {
            std::mem::swap(&mut self.open, done);
        } else {
            self.spares.put(std::mem::take(done));
        }
    }

    /// Returns whether an idle connection should let go of the buffers that are kept.
    pub(super) fn keeps_buffers(&self) -> bool {
        self.spares.are_worth_a_timer(&self.open)
    }
}
