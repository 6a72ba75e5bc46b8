//! Bytes that are no frames: what a read has brought becomes a message of one frame, where it lies. Called by the raw
//! engine.
//!
//! ```text
//! chunk  | messages, handed over | 9 octets | what is read next   spare |
//!                                  ^ the header is written in here
//! ```
//! A message of at most 255 bytes has a header of two octets, and is moved down behind it: so one message begins where
//! the one before ends, and many small ones lie side by side in one chunk, as they do in a stream of frames.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, BytesMut};

use super::Decoder;
use crate::wire::frame;

/// Sizes the largest header, in octets.
const HEADER: usize = 9;

impl Decoder {
    /// Returns where the next bytes go: at most `most` of them make one message, which has room for its header.
    pub(crate) fn raw_buffer(&mut self, most: usize) -> Limit<&mut BytesMut> {
        let _ = self.read_buffer();
        if self.chunk.is_empty() {
            self.chunk.put_bytes(0, HEADER);
            self.seen += HEADER;
        }
        let spare = self.chunk.capacity() - self.chunk.len();
        // What was read ahead of a decision may fill a message already.
        let left = most.saturating_sub(self.chunk.len() - HEADER).max(1);
        (&mut self.chunk).limit(spare.min(left))
    }

    /// Makes messages of what has come, of at most `most` bytes and at most `budget` of them.
    pub(crate) fn take_raw(&mut self, most: usize, mut budget: usize) {
        while self.raw_len() > most && budget > 0 {
            let part = &self.chunk[HEADER..HEADER + most];
            self.out.put_frame(false, part);
            self.out.count(1);
            // The place for a header is now over the end of what was taken.
            self.chunk.advance(most);
            budget -= 1;
        }
        let len = self.raw_len();
        self.full = len > 0 && budget == 0;
        if len > 0 && budget > 0 {
            self.put_header(len);
            let piece = self.chunk.split();
            self.put_piece(piece, 1);
        }
        self.mark = self.out.mark();
        self.settle();
    }

    /// Counts the bytes that are no message yet.
    fn raw_len(&self) -> usize {
        self.chunk.len().saturating_sub(HEADER)
    }

    /// Writes the header in front of the bytes, and moves them if it is a short one.
    fn put_header(&mut self, len: usize) {
        let (header, size) = frame::header(0, len);
        if size < HEADER {
            self.chunk.copy_within(HEADER.., size);
            self.chunk.truncate(size + len);
        }
        self.chunk[..size].copy_from_slice(&header[..size]);
    }
}
