//! [`BufferPool`]: read buffers that are handed out and come back. Used by the decoder.
//!
//! A buffer that was read into becomes the payload of messages, and is free again when the application has
//! dropped them all. Keeping a handle on it lets the decoder use its memory again: fresh memory costs a page
//! fault for every 4 KiB, which at large messages is more than all the rest of receiving them. A buffer that does not
//! come back though what came later has been taken tells [`Keeping`] that the application keeps messages.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use bytes::BytesMut;

use crate::keeping::Keeping;

/// Bounds the buffers that are kept in view, in bytes, without those whose messages wait for the application: these are
/// there anyway.
const MOST: usize = 4 * 1024 * 1024;

/// Bounds all buffers that are kept in view, in bytes.
const MOST_IN_VIEW: usize = 64 * 1024 * 1024;

/// Bounds how many of the newest buffers are looked at for one that is free: what was used last is still in the
/// processor's cache.
const NEWEST: usize = 2;

/// Bounds how many buffers are looked at for one that is free, if none of the newest is: those that were not looked at for
/// longest are the likeliest.
const LOOKS: usize = 4;

/// Bounds how often a buffer is looked at in vain before it is given up.
const MOST_IN_VAIN: usize = 16;

/// Keeps in view buffers that were handed out, each with the size of its allocation.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    buffers: VecDeque<Handle>,
    bytes: usize,
    /// Which one is looked at next, wherever it is.
    next: usize,
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
        // A buffer much larger than its use would be held by little.
        let fitting = need..=need.max(size).saturating_mul(4);
        self.look_at_next(keeping);
        if let Some(free) = self.take_newest(&fitting, keeping) {
            self.bytes -= free.size;
            return Some((free.buffer, free.size));
        }
        for _ in 0..self.buffers.len().min(LOOKS) {
            let Some(mut handle) = self.buffers.pop_front() else {
                break;
            };
            let fits = fitting.contains(&handle.size);
            match handle.look(keeping) {
                Contents::Gone if fits => {
                    self.bytes -= handle.size;
                    return Some((handle.buffer, handle.size));
                }
                Contents::Held => {
                    keeping.note_held();
                    self.bytes -= handle.size;
                    continue;
                }
                Contents::Waiting => {
                    // What came later waits as well.
                    self.buffers.push_front(handle);
                    break;
                }
                Contents::Gone | Contents::There => {}
            }
            // To the end, or out of view, so that what is held for long, or is of no use, hides no others.
            handle.in_vain += 1;
            if handle.in_vain == MOST_IN_VAIN {
                self.bytes -= handle.size;
            } else {
                self.buffers.push_back(handle);
            }
        }
        None
    }

    /// Returns the newest buffer that is free, if it is among the last few.
    fn take_newest(
        &mut self,
        fitting: &RangeInclusive<usize>,
        keeping: &mut Keeping,
    ) -> Option<Handle> {
        let count = self.buffers.len();
        let mut found = None;
        for at in (count.saturating_sub(NEWEST)..count).rev() {
            match self.buffers[at].look(keeping) {
                Contents::Gone if found.is_none() && fitting.contains(&self.buffers[at].size) => {
                    found = self.buffers.remove(at);
                }
                Contents::Held => self.note_held(at, keeping),
                _ => {}
            }
        }
        found
    }

    /// Looks at one buffer after the other, one a call: those that are held may lie behind others that nobody needs.
    fn look_at_next(&mut self, keeping: &mut Keeping) {
        self.next = if self.next < self.buffers.len() {
            self.next
        } else {
            0
        };
        let Some(handle) = self.buffers.get_mut(self.next) else {
            return;
        };
        if let Contents::Held = handle.look(keeping) {
            self.note_held(self.next, keeping);
        } else {
            self.next += 1;
        }
    }

    /// Puts one out of view whose contents the application keeps.
    fn note_held(&mut self, at: usize, keeping: &mut Keeping) {
        if let Some(held) = self.buffers.remove(at) {
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
        self.buffers.push_back(Handle {
            buffer,
            size,
            chunk,
            in_vain: 0,
        });
        while self.bytes > MOST
            && let Some(mut handle) = self.buffers.pop_front()
        {
            match handle.look(keeping) {
                Contents::Held => keeping.note_held(),
                Contents::Waiting if self.bytes <= MOST_IN_VIEW => {
                    self.buffers.push_front(handle);
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
        let mut old = std::mem::take(self).buffers;
        old.iter_mut()
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
        assert!(pool.buffers.len() <= 8 * LOOKS, "{}", pool.buffers.len());
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
        assert_eq!((pool.buffers.len(), pool.bytes), (4, MOST));
        pool.give(
            BytesMut::with_capacity(1 << 26),
            1 << 26,
            None,
            &mut keeping,
        );
        assert!(pool.buffers.is_empty());
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
        assert_eq!(pool.buffers.len(), 100, "they are there anyway");
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
