//! [`Keeping`]: whether the application keeps messages for longer than it takes to receive what follows them, as the
//! decoder learns from its chunks. Used by the decoder, its pool of buffers, and batches.
//!
//! A message that refers to the chunk it was read in costs no copy, and holds the whole chunk, which may be a hundred
//! times as large. Most applications drop a message before they receive the next one, and lose nothing by that. Of one
//! that keeps messages, chunks do not come back though all that followed was taken off: from then on, messages that are
//! much smaller than their chunk are copied out of it, for so many chunks; then it is tried again without, and if chunks
//! are held once more, sixteen times as many follow by copy. Each try may cost a few chunks that are held.
//!
//! What the two threads tell each other are hints: one that is late costs a copy, or holds one chunk more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Payloads of fewer bytes are always copied when they are popped: that costs no more than slicing them out of the chunk
/// (`benches/batch.rs`). Pipes within one process copy as many on the way in, so what is left there is the sender's own.
pub(crate) const COPY_BELOW: usize = 512;

/// How many times as large as a message the memory may be that it holds.
const MOST_TIMES: usize = 4;

/// Chunks that follow by copy after the first one that was held.
const FIRST_PERIOD: usize = 64;

/// How many times as many follow each time after that.
const LONGER: usize = 16;

/// Chunks that follow by copy at most.
const LAST_PERIOD: usize = 1 << 16;

/// What the decoder knows.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    shared: Arc<Shared>,
    /// The number of the chunk that is read into.
    chunk: usize,
    /// No batch has been cut from that one.
    is_fresh: bool,
    /// For how many more chunks messages are copied.
    left: usize,
    /// For how many they were, the last time.
    period: usize,
    /// Chunks since then of which none was held.
    quiet: usize,
}

/// What the decoder and the batches tell each other.
#[derive(Debug, Default)]
struct Shared {
    /// All chunks before this one are taken off.
    popped: AtomicUsize,
    copies: AtomicBool,
}

/// Stands in the first batch of a chunk. When it is dropped, that batch is taken off, and so is all that came before its
/// chunk.
#[derive(Clone, Debug)]
pub(crate) struct ChunkMark {
    shared: Arc<Shared>,
    chunk: usize,
    size: usize,
}

impl Keeping {
    /// Returns the number of the chunk that is read into.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Begins another chunk.
    pub(crate) fn begin_chunk(&mut self) {
        self.chunk = self.chunk.wrapping_add(1);
        self.is_fresh = true;
        if self.left > 0 {
            self.left -= 1;
            if self.left == 0 {
                self.shared.copies.store(false, Ordering::Relaxed);
            }
        } else if self.quiet < self.period {
            self.quiet += 1;
        } else {
            self.period = 0;
        }
    }

    /// Returns the mark of the chunk that is read into, the first time.
    #[inline]
    pub(crate) fn mark(&mut self, size: usize) -> Option<ChunkMark> {
        std::mem::take(&mut self.is_fresh).then(|| ChunkMark {
            shared: self.shared.clone(),
            chunk: self.chunk,
            size,
        })
    }

    /// Returns whether all messages of a chunk are taken off, and one that came behind them.
    pub(crate) fn is_popped(&self, chunk: usize) -> bool {
        let popped = self.shared.popped.load(Ordering::Relaxed);
        // Numbers begin again at the end.
        popped.wrapping_sub(chunk) as isize > 0
    }

    /// Notes that a chunk is held by messages that the application keeps.
    pub(crate) fn note_held(&mut self) {
        if self.left > 0 {
            return;
        }
        self.period = (LONGER * self.period).clamp(FIRST_PERIOD, LAST_PERIOD);
        self.left = self.period;
        self.quiet = 0;
        self.shared.copies.store(true, Ordering::Relaxed);
    }

    /// Returns below how many bytes payloads are copied out of a chunk of such a size.
    #[inline]
    pub(crate) fn copy_below(&self, size: usize) -> usize {
        if self.left > 0 {
            copy_below(size)
        } else {
            COPY_BELOW
        }
    }
}

fn copy_below(size: usize) -> usize {
    COPY_BELOW.max(size / MOST_TIMES)
}

impl ChunkMark {
    /// Returns below how many bytes payloads are copied, if that has changed since the chunk was read.
    pub(crate) fn copy_below(&self) -> Option<usize> {
        let copies = self.shared.copies.load(Ordering::Relaxed);
        copies.then(|| copy_below(self.size))
    }
}

impl Drop for ChunkMark {
    fn drop(&mut self) {
        self.shared.popped.store(self.chunk, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_popped_when_one_that_came_later_is() {
        let mut keeping = Keeping::default();
        keeping.begin_chunk();
        let first = keeping.chunk();
        drop(keeping.mark(8192));
        assert!(!keeping.is_popped(first));
        assert!(keeping.mark(8192).is_none(), "one mark for each chunk");
        keeping.begin_chunk();
        drop(keeping.mark(8192));
        assert!(keeping.is_popped(first));
        assert!(!keeping.is_popped(keeping.chunk()));
    }

    #[test]
    fn chunks_that_are_held_make_messages_be_copied_for_longer_and_longer() {
        let mut keeping = Keeping::default();
        let second = LONGER * FIRST_PERIOD;
        for period in [FIRST_PERIOD, second, LONGER * second, LAST_PERIOD] {
            keeping.begin_chunk();
            assert_eq!(keeping.copy_below(64 << 10), COPY_BELOW);
            keeping.note_held();
            for _ in 0..period {
                // Those that were held before teach nothing new.
                keeping.note_held();
                assert_eq!(keeping.copy_below(64 << 10), 16 << 10);
                keeping.begin_chunk();
            }
            assert_eq!(keeping.copy_below(64 << 10), COPY_BELOW);
        }
        for _ in 0..=LAST_PERIOD {
            keeping.begin_chunk();
        }
        keeping.note_held();
        assert_eq!(keeping.left, FIRST_PERIOD, "that is over");
    }

    #[test]
    fn a_batch_that_waits_hears_of_it() {
        let mut keeping = Keeping::default();
        keeping.begin_chunk();
        let mark = keeping.mark(64 << 10).unwrap();
        assert_eq!(mark.copy_below(), None);
        keeping.note_held();
        assert_eq!(mark.copy_below(), Some(16 << 10));
    }
}
