//! [`BufferPool`]: read buffers that are handed out and come back. Used by the decoder.
//!
//! A buffer that was read into becomes the payload of messages, and is free again when the application has
//! dropped them all. Keeping a handle on it lets the decoder use its memory again: fresh memory costs a page
//! fault for every 4 KiB, which at large messages is more than all the rest of receiving them.

use std::collections::VecDeque;

use bytes::BytesMut;

/// Bounds the buffers that are kept in view, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// Bounds how many buffers are looked at for one that is free: those that were not looked at for longest are the
/// likeliest.
const LOOKS: usize = 4;

/// Bounds how often a buffer is looked at in vain before it is given up.
const MOST_IN_VAIN: usize = 16;

/// Keeps in view buffers that were handed out, each with the size of its allocation.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    buffers: VecDeque<Handle>,
    bytes: usize,
}

#[derive(Debug)]
struct Handle {
    buffer: BytesMut,
    size: usize,
    /// How often it was looked at in vain.
    in_vain: usize,
}

impl BufferPool {
    /// Returns an empty buffer with room for `need` bytes, and its size: one whose messages are gone, or a new one
    /// of `size` bytes.
    pub(crate) fn take(&mut self, need: usize, size: usize) -> (BytesMut, usize) {
        for _ in 0..self.buffers.len().min(LOOKS) {
            let Some(mut handle) = self.buffers.pop_front() else {
                break;
            };
            // A buffer much larger than its use would be held by little.
            let fits = (need..=need.max(size).saturating_mul(4)).contains(&handle.size);
            if fits && handle.buffer.try_reclaim(need) {
                self.bytes -= handle.size;
                return (handle.buffer, handle.size);
            }
            // To the end, or out of view, so that what is held for long, or is of no use, hides no others.
            handle.in_vain += 1;
            if handle.in_vain == MOST_IN_VAIN {
                self.bytes -= handle.size;
            } else {
                self.buffers.push_back(handle);
            }
        }
        let size = size.max(need);
        (BytesMut::with_capacity(size), size)
    }

    /// Keeps a buffer of `size` bytes in view that has been handed out.
    pub(crate) fn give(&mut self, mut buffer: BytesMut, size: usize) {
        buffer.clear();
        self.bytes += size;
        self.buffers.push_back(Handle {
            buffer,
            size,
            in_vain: 0,
        });
        while self.bytes > MOST
            && let Some(handle) = self.buffers.pop_front()
        {
            self.bytes -= handle.size;
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Lets go of all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_contents_are_gone() {
        let mut pool = BufferPool::default();
        let (mut buffer, size) = pool.take(1000, 64 * 1024);
        assert_eq!(size, 64 * 1024);
        buffer.extend_from_slice(&[1; 1000]);
        let memory = buffer.as_ptr();
        let contents = buffer.split().freeze();
        pool.give(buffer, size);
        let (other, other_size) = pool.take(1000, 2000);
        assert_ne!(other.as_ptr(), memory, "its contents are still there");
        pool.give(other, other_size);
        drop(contents);
        let (again, size) = pool.take(60_000, 64 * 1024);
        assert_eq!(size, 64 * 1024);
        assert!((memory..memory.wrapping_add(size)).contains(&again.as_ptr()));
        assert!(again.capacity() >= 60_000 && again.is_empty());
    }

    #[test]
    fn buffers_that_are_held_for_long_hide_no_others() {
        let mut pool = BufferPool::default();
        let mut held = Vec::new();
        for _ in 0..2 * LOOKS {
            let (mut buffer, size) = pool.take(1000, 1000);
            buffer.extend_from_slice(&[1; 1000]);
            held.push(buffer.split().freeze());
            pool.give(buffer, size);
        }
        for _ in 0..1000 {
            let (buffer, size) = pool.take(1000, 1000);
            pool.give(buffer, size);
        }
        assert!(pool.buffers.len() <= 8 * LOOKS, "{}", pool.buffers.len());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = BufferPool::default();
        for _ in 0..100 {
            pool.give(BytesMut::with_capacity(1 << 20), 1 << 20);
        }
        assert_eq!((pool.buffers.len(), pool.bytes), (4, MOST));
        pool.give(BytesMut::with_capacity(1 << 26), 1 << 26);
        assert!(pool.is_empty());
    }
}
