//! Memory of messages, used again: called by `message.rs`, where C makes a message and where one is dropped.
//!
//! Of two threads that are joined by inproc, one asks the allocator for what the other one gives back, and both wait there for
//! the same lock: for messages of 512 bytes and more, which are not copied on their way, that is most of what they cost. So a
//! few blocks that are done with are kept for the next message of the same size.
//!
//! They are kept by where they lie: an allocator has a heap for each thread, or for a few, so threads that have nothing to do
//! with each other do not meet here either. Nobody waits here: if another thread is at it, the allocator is asked.

use std::alloc::{Layout, alloc};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{Content, Msg, ROOM};
use crate::errno::{ENOMEM, Errno, Result};

/// The size of the smallest block that is kept. What is smaller is copied into a pipe, and does not change threads.
const SMALLEST: usize = 512;

/// The most bytes that are kept of a heap.
const MOST: usize = 4 << 20;

/// And the most blocks. Who looks for faults of memory sees them only if each block is the allocator's.
const BLOCKS: usize = if cfg!(any(miri, purezmq_no_reuse)) {
    0
} else {
    16
};

/// How many heaps are told apart, and how large they are with GNU's allocator.
const HEAPS: usize = 16;
const HEAP: u32 = (64usize << 20).trailing_zeros();

/// What is kept of one heap: on lines of the processor's cache of its own.
#[repr(align(128))]
struct Heap {
    kept: Mutex<Kept>,
    /// So many blocks: who finds none takes no lock.
    count: AtomicUsize,
}

struct Kept {
    /// Empty, each with room for exactly as much as it was made for. What came last is in the processor's cache.
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

static FREE: [Heap; HEAPS] = [const {
    Heap {
        kept: Mutex::new(Kept {
            blocks: Vec::new(),
            bytes: 0,
        }),
        count: AtomicUsize::new(0),
    }
}; HEAPS];

thread_local! {
    /// Where the memory lies that this thread gets.
    static HOME: Cell<usize> = const { Cell::new(0) };
}

/// Returns which heap an address is taken to lie in.
fn heap(block: *const u8) -> usize {
    (block.addr() >> HEAP) % HEAPS
}

/// Asks for memory that C is to fill: so many bytes, at least one.
#[inline(always)]
pub(super) fn unfilled(size: usize) -> Result<Vec<u8>> {
    if let Some(block) = take(size) {
        return Ok(block);
    }
    let none = Errno(ENOMEM);
    let layout = Layout::array::<u8>(size).map_err(|_| none)?;
    // Zeros would cost more than all the rest of a large message.
    // SAFETY: it is not of no size.
    let data = unsafe { alloc(layout) };
    if data.is_null() {
        // What cannot be had is an error of the call's.
        return Err(none);
    }
    // SAFETY: so many bytes were allocated as a vector allocates them; it has none of them yet.
    let memory = unsafe { Vec::from_raw_parts(data, 0, size) };
    note_new(&memory);
    Ok(memory)
}

/// Takes an empty block of exactly so many bytes, if one is kept.
fn take(size: usize) -> Option<Vec<u8>> {
    if size < SMALLEST {
        return None;
    }
    let heap = &FREE[HOME.try_with(Cell::get).ok()?];
    if heap.count.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let mut kept = heap.kept.try_lock()?;
    let at = kept.blocks.iter().rposition(|one| one.capacity() == size)?;
    let block = kept.blocks.remove(at);
    kept.bytes -= size;
    heap.count.store(kept.blocks.len(), Ordering::Relaxed);
    Some(block)
}

/// Notes where the allocator has put a new block of this thread's.
fn note_new(block: &Vec<u8>) {
    if block.capacity() >= SMALLEST {
        let _ = HOME.try_with(|home| home.set(heap(block.as_ptr())));
    }
}

/// Keeps a block that nobody uses any more, if there is room.
fn keep(mut block: Vec<u8>) {
    block.clear();
    let size = block.capacity();
    if !(SMALLEST..=MOST).contains(&size) {
        return;
    }
    let heap = &FREE[heap(block.as_ptr())];
    let Some(mut kept) = heap.kept.try_lock() else {
        return;
    };
    let has_room = |kept: &Kept| kept.blocks.len() < BLOCKS && kept.bytes + size <= MOST;
    // Another size is not asked for any more, as it seems.
    let old = kept.blocks.first().map_or(size, Vec::capacity) != size && !has_room(&kept);
    let old = old.then(|| kept.blocks.remove(0));
    kept.bytes -= old.as_ref().map_or(0, Vec::capacity);
    let refused = match has_room(&kept) {
        true => {
            kept.bytes += size;
            kept.blocks.push(block);
            None
        }
        false => Some(block),
    };
    heap.count.store(kept.blocks.len(), Ordering::Relaxed);
    // Under no lock of ours: the allocator has its own.
    drop(kept);
    drop((old, refused));
}

impl Msg {
    /// Lets go of memory. A block that another thread of this process has made for a message is kept for its next one. (Of a
    /// connection's messages the reader keeps the memory, and most are a piece of it.)
    #[inline(never)]
    pub(super) fn let_go(&mut self) {
        let content = std::mem::replace(&mut self.content, Content::Inline(0, [0; ROOM]));
        if self.source().is_some() {
            return;
        }
        let block = match content {
            Content::Own(memory) if memory.len() >= SMALLEST => Vec::from(memory),
            Content::Shared(memory) if memory.len() >= SMALLEST && memory.is_unique() => {
                Vec::from(memory)
            }
            _ => return,
        };
        if block.capacity() == block.len() {
            keep(block);
        }
    }
}

#[cfg(all(test, not(any(miri, purezmq_no_reuse))))]
mod tests {
    use super::*;

    /// Tests of this file take turns: what is kept is the process's.
    static TURN: Mutex<()> = Mutex::new(());

    fn kept() -> usize {
        FREE.iter().map(|heap| heap.kept.lock().bytes).sum()
    }

    fn new(size: usize) -> Vec<u8> {
        let block = Vec::with_capacity(size);
        note_new(&block);
        block
    }

    #[test]
    fn a_block_is_used_again_for_its_own_size_alone() {
        let _turn = TURN.lock();
        let block = new(100_000);
        let place = block.as_ptr();
        keep(block);
        assert!(take(99_999).is_none() && take(100_001).is_none());
        let again = take(100_000).expect("it was kept");
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(take(100_000).is_none(), "there was one");
    }

    #[test]
    fn what_is_kept_is_bounded_and_makes_room_for_another_size() {
        let _turn = TURN.lock();
        let blocks: Vec<_> = (0..100).map(|_| new(1 << 20)).collect();
        blocks.into_iter().for_each(keep);
        assert!(kept() <= HEAPS * MOST, "{}", kept());
        for _ in 0..100 {
            keep(new(2000));
        }
        assert!(take(2000).is_some());
        while take(2000).is_some() || take(1 << 20).is_some() {}
        keep(new(MOST + 1));
        assert!(take(MOST + 1).is_none(), "larger than all that is kept");
        keep(new(SMALLEST - 1));
        assert!(take(SMALLEST - 1).is_none());
    }
}
