//! A limit of bytes. A lane takes messages while it holds less than that, so one message may reach beyond. Then it
//! withholds the room that the HWM leaves, and gives it back when no more than half of the limit is left.
//!
//! Bytes are counted by batch. Under a large limit the open batch is looked at every [`BATCH`] bytes or more, so that
//! messages cost nothing; under a small one, after each message.

use zmtp::Batch;

use super::queue::BATCH;

/// Limits from here on are large.
const LARGE: usize = 16 * BATCH;

/// Bytes that close an open batch at most: what is written of a batch counts until all of it is. Smaller batches cost: at
/// 4 MiB, messages of 1 MiB were a twentieth slower than without a limit, since writes end where batches do.
const MOST_OF_BATCH: usize = 16 * 1024 * 1024;

/// The bytes of a lane.
#[derive(Debug)]
pub(super) struct ByteBudget {
    /// The largest number if there is no limit.
    limit: usize,
    /// Bytes of all closed batches, those in the reader's hands included.
    held: usize,
    /// Bytes that the reader has taken.
    in_hands: usize,
    /// The room for messages that there will be once there is room for bytes, or the reader takes messages again.
    withheld: Option<usize>,
    /// The reader takes no more, however few there are.
    is_held_back: bool,
}

impl ByteBudget {
    pub(super) fn new(limit: Option<usize>) -> Self {
        ByteBudget {
            limit: limit.unwrap_or(usize::MAX),
            held: 0,
            in_hands: 0,
            withheld: None,
            is_held_back: false,
        }
    }

    /// Changes the limit.
    pub(super) fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit.unwrap_or(usize::MAX);
    }

    /// Returns whether the open batch has to be looked at after each message.
    pub(super) fn looks_at_messages(&self) -> bool {
        self.limit < LARGE
    }

    /// Returns whether the writer has to hear at once that the reader is done with such a batch.
    pub(super) fn looks_at_batch(&self, batch: &Batch) -> bool {
        self.looks_at_messages() || batch.byte_len() >= self.limit / 16
    }

    /// Returns the bytes that may come, by reference, before the limit is checked again.
    pub(super) fn step(&self) -> usize {
        (self.limit / 16).min(8 * BATCH)
    }

    /// Returns the bytes of an open batch that close it: while one half of what the limit allows is written, there is room
    /// for the other.
    pub(super) fn batch_bytes(&self) -> usize {
        (self.limit / 2).min(MOST_OF_BATCH)
    }

    /// Adds the bytes of a closed batch.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Returns the bytes of all closed batches, those in the reader's hands included.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes off the bytes of closed batches that are gone without having been taken.
    pub(super) fn let_go(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Notes that the reader takes a closed batch.
    pub(super) fn take(&mut self, bytes: usize) {
        self.in_hands += bytes;
    }

    /// Notes that the reader is done with what it took.
    #[inline]
    pub(super) fn settle(&mut self) {
        let done = std::mem::take(&mut self.in_hands);
        self.let_go(done);
    }

    /// Returns whether the limit is reached.
    fn is_full(&self, open: &Batch) -> bool {
        self.is_held_back || self.held.saturating_add(open.byte_len()) >= self.limit
    }

    /// Returns whether the lane may take messages again.
    fn is_low(&self, open: &Batch) -> bool {
        !self.is_held_back && self.held.saturating_add(open.byte_len()) <= self.limit / 2
    }

    /// Keeps back all room, that which is yet to come included.
    pub(super) fn hold_back(&mut self, free: &mut usize) {
        self.is_held_back = true;
        self.withheld.get_or_insert_default();
        self.ration(free, &Batch::new());
    }

    /// Lets the limits decide again.
    pub(super) fn reopen(&mut self, free: &mut usize, open: &Batch) {
        self.is_held_back = false;
        self.give(free, open);
    }

    pub(super) fn is_held_back(&self) -> bool {
        self.is_held_back
    }

    /// Returns the room for messages that is kept back because there are too many bytes.
    pub(super) fn withheld(&self) -> usize {
        self.withheld.unwrap_or_default()
    }

    /// Keeps back the room that there is when there are too many bytes.
    #[inline]
    pub(super) fn check(&mut self, free: &mut usize, open: &Batch) {
        if self.withheld.is_none() && self.is_full(open) {
            self.withheld = Some(std::mem::take(free));
        }
    }

    /// Keeps back the room that the lane has got, or gives all of it.
    #[inline]
    pub(super) fn ration(&mut self, free: &mut usize, open: &Batch) {
        if let Some(withheld) = &mut self.withheld {
            *withheld += std::mem::take(free);
            if self.is_low(open) {
                *free = self.withheld.take().unwrap_or_default();
            }
        }
    }

    /// Gives the room that is kept back as soon as the limit is not reached.
    pub(super) fn give(&mut self, free: &mut usize, open: &Batch) {
        if !self.is_full(open) {
            *free += self.withheld.take().unwrap_or_default();
        }
    }

    /// Puts room where it belongs: among what is kept back, if any is. What was let in beyond that is not any more.
    pub(super) fn set_free(&mut self, free: &mut usize, room: usize) {
        *free = match &mut self.withheld {
            Some(withheld) => {
                *withheld = room;
                0
            }
            None => room,
        };
    }
}
