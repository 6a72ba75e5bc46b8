//! [`BufferPool`]: read buffers that are handed out and come back. Used by the decoder.
//!
//! A buffer that was read into becomes the payload of messages, and is free again when the application has
//! dropped them all. Keeping a handle on it lets the decoder use its memory again: fresh memory costs a page
//! fault for every 4 KiB, which at large messages is more than all the rest of receiving them. A buffer that does not
//! come back though what came later has been taken tells [`Keeping`] that the application keeps messages.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::keeping::Keeping;

/// Bounds the buffers that are kept in view, in bytes, without those whose messages wait for the application: these are
/// there anyway.
const MOST: usize = 4 * 1024 * 1024;

/// Bounds all buffers that are kept in view, in bytes.
const MOST_IN_VIEW: usize = 64 * 1024 * 1024;

/// Counts the buffers that are kept whatever their size while such messages come in a row: the one that the application has,
/// and the one that is read into.
const IN_A_ROW: usize = 2;

/// Counts the reads without a message beyond [`MOST`] that end a row of them.
const READS: u8 = 16;

/// Bounds how many buffers are looked at for one that is free again, and of the free ones for one that fits.
const LOOKS: usize = 4;

/// Bounds how often a buffer is looked at in vain before it is given up.
const MOST_IN_VAIN: usize = 16;

/// Keeps in view buffers that were handed out, each with the size of its allocation.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    /// Those that somebody may still have contents of: what came first is at the front.
    out: VecDeque<Handle>,
    /// Those that nobody has contents of: what was used last, and is in the processor's cache, is at the back.
    free: VecDeque<Handle>,
    bytes: usize,
    /// Which of those that are out is looked at next, wherever it is.
    next: usize,
    /// Reads since a buffer beyond the bound was given, as far as they are counted.
    reads: u8,
}

#[derive(Debug)]
struct Handle {
    buffer: BytesMut,
    size: usize,
    /// The number of the chunk that it was, if it was one.
    chunk: Option<usize>,
    /// How often it was looked at in vain.
    in_vain: usize,
}

/// What has become of a buffer's contents.
enum Contents {
    Gone,
    /// Nobody has taken them yet.
    Waiting,
    /// The application keeps some of them.
    Held,
    /// They are there, and that is all that can be said.
    There,
}

impl Handle {
    fn look(&mut self, keeping: &Keeping) -> Contents {
        // All of it comes back, or nothing.
        if self.buffer.try_reclaim(self.size) {
            return Contents::Gone;
        }
        match self.chunk {
            None => Contents::There,
            Some(chunk) if keeping.is_popped(chunk) => Contents::Held,
            Some(_) => Contents::Waiting,
        }
    }
}

impl BufferPool {
    /// Returns an empty buffer with room for `need` bytes, and its size: one whose messages are gone, or a new one
    /// of `size` bytes.
    pub(crate) fn take(
        &mut self,
        need: usize,
        size: usize,
        keeping: &mut Keeping,
    ) -> (BytesMut, usize) {
        self.reuse(need, size, keeping).unwrap_or_else(|| {
            let size = size.max(need);
            (BytesMut::with_capacity(size), size)
        })
    }

    /// Returns an empty buffer with room for `need` bytes, and not much more than for `size`, and its size: one whose
    /// messages are gone, if there is one.
    pub(crate) fn reuse(
        &mut self,
        need: usize,
        size: usize,
        keeping: &mut Keeping,
    ) -> Option<(BytesMut, usize)> {
        self.look_at_next(keeping);
        self.take_back(keeping);
        // A buffer much larger than its use would be held by little.
        let fitting = need..=need.max(size).saturating_mul(4);
        let newest = self.free.len().saturating_sub(LOOKS)..self.free.len();
        let Some(at) = newest
            .rev()
            .find(|at| fitting.contains(&self.free[*at].size))
        else {
            // Nobody needs the oldest.
            self.bytes -= self.free.pop_front().map_or(0, |oldest| oldest.size);
            return None;
        };
        let found = self.free.remove(at)?;
        self.bytes -= found.size;
        Some((found.buffer, found.size))
    }

    /// Takes back those whose contents are gone, from the oldest on, and the newest.
    fn take_back(&mut self, keeping: &mut Keeping) {
        let mut looks = self.out.len().min(LOOKS);
        while looks > 0
            && let Some(mut handle) = self.out.pop_front()
        {
            match handle.look(keeping) {
                Contents::Gone => self.free.push_back(handle),
                Contents::Held => {
                    keeping.note_held();
                    self.bytes -= handle.size;
                    looks -= 1;
                }
                Contents::Waiting => {
                    // What came later waits as well.
                    self.out.push_front(handle);
                    break;
                }
                Contents::There => {
                    // To the end, or out of view, so that what is held for long hides no others.
                    handle.in_vain += 1;
                    if handle.in_vain == MOST_IN_VAIN {
                        self.bytes -= handle.size;
                    } else {
                        self.out.push_back(handle);
                    }
                    looks -= 1;
                }
            }
        }
        if let Some(mut newest) = self.out.pop_back() {
            match newest.look(keeping) {
                Contents::Gone => self.free.push_back(newest),
                _ => self.out.push_back(newest),
            }
        }
    }

    /// Looks at one buffer after the other, one a call: those that are held may lie behind others that wait.
    fn look_at_next(&mut self, keeping: &mut Keeping) {
        if self.next >= self.out.len() {
            self.next = 0;
        }
        let Some(handle) = self.out.get_mut(self.next) else {
            return;
        };
        if !matches!(handle.look(keeping), Contents::Held) {
            self.next += 1;
        } else if let Some(held) = self.out.remove(self.next) {
            self.bytes -= held.size;
            keeping.note_held();
        }
    }

    /// Keeps a buffer of `size` bytes in view that has been handed out: as a chunk, with its number, or as a body.
    pub(crate) fn give(
        &mut self,
        mut buffer: BytesMut,
        size: usize,
        chunk: Option<usize>,
        keeping: &mut Keeping,
    ) {
        buffer.clear();
        self.bytes += size;
        self.out.push_back(Handle {
            buffer,
            size,
            chunk,
            in_vain: 0,
        });
        if size > MOST {
            self.reads = 0;
        }
        self.bound(IN_A_ROW, keeping);
    }

    /// Counts a read of anything but a large message. After some, a row of very large ones is over.
    #[inline]
    pub(crate) fn count_read(&mut self, keeping: &mut Keeping) {
        if self.bytes > MOST {
            self.reads += 1;
            if self.reads >= READS {
                self.reads = 0;
                self.bound(0, keeping);
            }
        }
    }

    /// Lets go of the oldest beyond the bound, while there are more than `keep`.
    fn bound(&mut self, keep: usize, keeping: &mut Keeping) {
        while self.bytes > MOST
            && self.free.len() + self.out.len() > keep
            && let Some(mut handle) = self.free.pop_front().or_else(|| self.out.pop_front())
        {
            match handle.look(keeping) {
                Contents::Held => keeping.note_held(),
                Contents::Waiting if self.bytes <= MOST_IN_VIEW => {
                    self.out.push_front(handle);
                    break;
                }
                Contents::Gone | Contents::There | Contents::Waiting => {}
            }
            self.bytes -= handle.size;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of all. Returns whether somebody still has contents of a chunk.
    pub(crate) fn clear(&mut self) -> bool {
        let mut out = std::mem::take(self).out;
        out.iter_mut()
            .any(|handle| handle.chunk.is_some() && !handle.buffer.try_reclaim(handle.size))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::keeping::{COPY_BELOW, ChunkMark};

    #[test]
    fn a_buffer_comes_back_when_its_contents_are_gone() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let (mut buffer, size) = pool.take(1000, 64 * 1024, &mut keeping);
        assert_eq!(size, 64 * 1024);
        buffer.extend_from_slice(&[1; 1000]);
        let memory = buffer.as_ptr();
        let contents = buffer.split().freeze();
        pool.give(buffer, size, None, &mut keeping);
        let (other, other_size) = pool.take(1000, 2000, &mut keeping);
        assert_ne!(other.as_ptr(), memory, "its contents are still there");
        pool.give(other, other_size, None, &mut keeping);
        drop(contents);
        let (again, size) = pool.take(60_000, 64 * 1024, &mut keeping);
        assert_eq!(size, 64 * 1024);
        assert!((memory..memory.wrapping_add(size)).contains(&again.as_ptr()));
        assert!(again.capacity() >= 60_000 && again.is_empty());
    }

    #[test]
    fn buffers_that_are_held_for_long_hide_no_others() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let mut held = Vec::new();
        for _ in 0..2 * LOOKS {
            let (mut buffer, size) = pool.take(1000, 1000, &mut keeping);
            buffer.extend_from_slice(&[1; 1000]);
            held.push(buffer.split().freeze());
            pool.give(buffer, size, None, &mut keeping);
        }
        for _ in 0..1000 {
            let (buffer, size) = pool.take(1000, 1000, &mut keeping);
            pool.give(buffer, size, None, &mut keeping);
        }
        assert!(pool.out.len() <= 8 * LOOKS, "{}", pool.out.len());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        for _ in 0..100 {
            pool.give(
                BytesMut::with_capacity(1 << 20),
                1 << 20,
                None,
                &mut keeping,
            );
        }
        assert_eq!((pool.out.len(), pool.bytes), (4, MOST));
        let huge = 1 << 26;
        for _ in 0..3 {
            pool.give(BytesMut::with_capacity(huge), huge, None, &mut keeping);
            assert_eq!(pool.out.len() + pool.free.len(), IN_A_ROW);
        }
        // In a row they are used again; a few reads of anything else end it.
        let (again, _) = pool.reuse(huge, huge, &mut keeping).expect("it is free");
        pool.give(again, huge, None, &mut keeping);
        for _ in 1..READS {
            pool.count_read(&mut keeping);
        }
        assert_eq!(pool.bytes, 2 * huge);
        pool.count_read(&mut keeping);
        assert_eq!((pool.out.len() + pool.free.len(), pool.bytes), (0, 0));
    }

    #[test]
    fn of_several_that_are_free_the_newest_is_used_again() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let buffers: Vec<_> = (0..8)
            .map(|_| pool.take(1000, 1000, &mut keeping).0)
            .collect();
        for buffer in buffers {
            pool.give(buffer, 1000, None, &mut keeping);
        }
        let (first, size) = pool.take(1000, 1000, &mut keeping);
        let memory = first.as_ptr();
        pool.give(first, size, None, &mut keeping);
        for _ in 0..10 {
            let (again, size) = pool.take(1000, 1000, &mut keeping);
            assert_eq!(again.as_ptr(), memory, "it is in the processor's cache");
            pool.give(again, size, None, &mut keeping);
        }
    }

    #[test]
    fn what_a_burst_has_left_is_not_used_in_turn() {
        const SIZE: usize = 100_000;
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let mut hand_out = |pool: &mut BufferPool| {
            let (mut buffer, size) = pool.take(SIZE, SIZE, &mut keeping);
            buffer.extend_from_slice(&[1; SIZE]);
            let contents = buffer.split().freeze();
            pool.give(buffer, size, None, &mut keeping);
            contents
        };
        let burst: Vec<_> = (0..20).map(|_| hand_out(&mut pool)).collect();
        drop(burst);
        // The application is five buffers behind.
        let mut behind = VecDeque::new();
        let mut used = std::collections::HashSet::new();
        for turn in 0..200 {
            let contents = hand_out(&mut pool);
            if turn >= 100 {
                used.insert(contents.as_ptr());
            }
            behind.push_back(contents);
            if behind.len() > 5 {
                behind.pop_front();
            }
        }
        assert!(used.len() <= 7, "{}", used.len());
    }

    /// Hands a chunk out as the decoder does, and what was read into it.
    fn chunk(pool: &mut BufferPool, keeping: &mut Keeping) -> (Bytes, Option<ChunkMark>) {
        const SIZE: usize = 256 * 1024;
        let (mut buffer, size) = pool.take(SIZE, SIZE, keeping);
        keeping.begin_chunk();
        buffer.extend_from_slice(&[1; SIZE]);
        let contents = buffer.split().freeze();
        pool.give(buffer, size, Some(keeping.chunk()), keeping);
        (contents, keeping.mark(size))
    }

    #[test]
    fn buffers_whose_contents_wait_are_in_view_and_teach_nothing() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let waiting: Vec<_> = (0..100).map(|_| chunk(&mut pool, &mut keeping)).collect();
        assert_eq!(pool.out.len(), 100, "they are there anyway");
        assert_eq!(keeping.copy_below(1 << 20), COPY_BELOW);
        // Taken off, and dropped.
        for (contents, mark) in waiting {
            drop((contents, mark));
        }
        drop(chunk(&mut pool, &mut keeping));
        assert!(pool.bytes() <= MOST, "{}", pool.bytes());
        assert_eq!(keeping.copy_below(1 << 20), COPY_BELOW);
    }

    #[test]
    fn a_buffer_that_is_held_when_later_ones_are_popped_makes_messages_be_copied() {
        let mut pool = BufferPool::default();
        let mut keeping = Keeping::default();
        let (kept, mark) = chunk(&mut pool, &mut keeping);
        drop(mark);
        for _ in 0..2 {
            assert_eq!(keeping.copy_below(1 << 20), COPY_BELOW);
            let (contents, mark) = chunk(&mut pool, &mut keeping);
            drop((contents, mark));
        }
        assert_eq!(keeping.copy_below(1 << 20), 256 * 1024);
        drop(kept);
    }
}
