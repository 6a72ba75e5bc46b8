//! A limit of bytes. A lane takes messages while it holds less than that, so one message may reach beyond. Then it
//! withholds the room that the HWM leaves, and gives it back when no more than half of the limit is left.

use zmtp::Batch;

/// The bytes of a lane that has a limit.
#[derive(Debug)]
pub(in crate::pipe) struct ByteBudget {
    limit: usize,
    /// Bytes of all closed batches, those in the reader's hands included.
    held: usize,
    /// Bytes that the reader has taken.
    in_hands: usize,
    /// The room for messages that there will be once there is room for bytes.
    pub(in crate::pipe) withheld: Option<usize>,
}

impl ByteBudget {
    pub(super) fn new(limit: usize) -> Self {
        ByteBudget {
            limit,
            held: 0,
            in_hands: 0,
            withheld: None,
        }
    }

    /// Returns the bytes of an open batch that close it, so that the limit is checked in steps.
    pub(super) fn batch_bytes(&self) -> usize {
        self.limit / 8
    }

    /// Adds the bytes of a closed batch.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Takes off the bytes of closed batches that are gone without having been taken.
    pub(in crate::pipe) fn let_go(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Notes that the reader takes a closed batch.
    pub(super) fn take(&mut self, bytes: usize) {
        self.in_hands += bytes;
    }

    /// Notes that the reader is done with what it took.
    pub(super) fn settle(&mut self) {
        let done = std::mem::take(&mut self.in_hands);
        self.let_go(done);
    }

    /// Returns whether the limit is reached.
    pub(in crate::pipe) fn is_full(&self, open: &Batch) -> bool {
        self.held.saturating_add(open.byte_len()) >= self.limit
    }

    /// Returns whether the lane may take messages again.
    fn is_low(&self, open: &Batch) -> bool {
        self.held.saturating_add(open.byte_len()) <= self.limit / 2
    }

    /// Keeps back the room that the lane has got, or gives all of it.
    pub(in crate::pipe) fn ration(&mut self, free: &mut usize, open: &Batch) {
        if let Some(withheld) = &mut self.withheld {
            *withheld += std::mem::take(free);
            if self.is_low(open) {
                *free = self.withheld.take().unwrap_or_default();
            }
        }
    }
}
