//! What is left of a batch to write, and what partial writes leave of it: called by the session.

use std::io::IoSlice;

use super::{Batch, Form};
use crate::wire::frame::Header;

/// Bounds the pieces of a write, in bytes, that are far smaller than a segment of TCP.
const SMALL_PIECE: usize = 8 * 1024;

impl Batch {
    /// Returns what is left to write, if that is one piece.
    #[inline]
    #[must_use]
    pub fn as_piece(&self) -> Option<&[u8]> {
        self.refs.is_empty().then(|| &self.wire[self.head..])
    }

    /// Fills `out` with what is left to write, in order, and returns how many slices it used.
    /// When `out` is too short the rest comes next time.
    pub fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        self.io_slices_within(usize::MAX, out).0
    }

    /// Fills as [`Batch::io_slices`] does, but stops at `segment` bytes where all pieces are small, at most 8 KiB: what
    /// one write carries best. Where there are large ones, a write makes many segments, and takes all. Returns how many
    /// slices it used, and how many bytes those are.
    pub fn io_slices_within<'a>(
        &'a self,
        segment: usize,
        out: &mut [IoSlice<'a>],
    ) -> (usize, usize) {
        let mut used = 0;
        let mut size = 0;
        let mut all_small = true;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            all_small &= bytes.len() <= SMALL_PIECE;
            let with_it = size + bytes.len();
            if all_small && with_it > segment {
                return false;
            }
            let Some(slot) = out.get_mut(used) else {
                return false;
            };
            *slot = IoSlice::new(bytes);
            used += 1;
            size = with_it;
            true
        };
        let mut from = self.head;
        for (i, (offset, payload)) in self.refs.iter().enumerate() {
            let to = (offset - self.base) as usize;
            let skip = if i == 0 { self.ref_head } else { 0 };
            if !put(&self.wire[from..to]) || !put(&payload[skip..]) {
                return (used, size);
            }
            from = to;
        }
        put(&self.wire[from..]);
        (used, size)
    }

    /// Notes that `bytes` more bytes are written, and returns how many messages that made
    /// complete: exact, also for partial writes. Costs nothing per message when everything is
    /// written, else walks over the headers of what was written.
    pub fn advance(&mut self, bytes: usize) -> usize {
        if bytes >= self.byte_len() {
            debug_assert!(bytes == self.byte_len(), "advance beyond the end");
            let messages = self.messages;
            if self.is_encoded() {
                self.wire.clear();
                self.refs.clear();
                self.head = 0;
                self.ref_head = 0;
                self.ref_bytes = 0;
                self.messages = 0;
                self.frame_left = 0;
                self.cut = false;
            } else {
                self.clear();
            }
            return messages;
        }
        self.advance_partly(bytes)
    }

    /// Returns whether a message at the front is partly written: nothing else may be written before its end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Fills as [`Batch::io_slices_within`] does, with what is left of the message that is partly written, and no more.
    pub fn io_slices_of_cut<'a>(&'a self, out: &mut [IoSlice<'a>]) -> (usize, usize) {
        self.io_slices_up_to(self.cut_len(), out)
    }

    /// Fills as [`Batch::io_slices_within`] does, with `limit` bytes at most, wherever that cuts.
    pub fn io_slices_up_to<'a>(&'a self, limit: usize, out: &mut [IoSlice<'a>]) -> (usize, usize) {
        let mut left = limit;
        let (mut used, mut size) = (0, 0);
        let mut put = |bytes: &'a [u8]| {
            let bytes = &bytes[..bytes.len().min(left)];
            if let (false, Some(slot)) = (bytes.is_empty(), out.get_mut(used)) {
                *slot = IoSlice::new(bytes);
                used += 1;
                size += bytes.len();
            }
            left -= bytes.len();
        };
        let mut from = self.head;
        let mut skip = self.ref_head;
        for (offset, payload) in &self.refs {
            let to = (offset - self.base) as usize;
            put(&self.wire[from..to]);
            put(&payload[skip..]);
            from = to;
            skip = 0;
        }
        put(&self.wire[from..]);
        (used, size)
    }

    #[cold]
    fn cut_len(&self) -> usize {
        if !self.cut {
            return 0;
        }
        let mut refs = self.refs.iter();
        let mut next = refs.next();
        let mut skip = self.ref_head;
        let mut at = self.head;
        let mut total = 0;
        let mut left = self.frame_left;
        let mut last = left > 0 && self.frame_last;
        loop {
            total += left;
            while left > 0 {
                let until = match next {
                    Some((offset, _)) => (offset - self.base) as usize,
                    None => self.wire.len(),
                };
                let step = left.min((until - at) as u64);
                at += step as usize;
                left -= step;
                if left > 0 {
                    let Some((_, payload)) = next else {
                        return total as usize;
                    };
                    left -= left.min((payload.len() - skip) as u64);
                    skip = 0;
                    next = refs.next();
                }
            }
            let Some(header) = Header::parse(&self.wire[at..]).filter(|_| !last) else {
                return total as usize;
            };
            left = header.size as u64 + header.len;
            last = !header.more();
        }
    }

    /// Drops the message of which some bytes but not all are written, as after a connection
    /// broke. Returns the number of messages dropped: 0 or 1.
    pub fn discard_partial(&mut self) -> usize {
        if !self.cut {
            return 0;
        }
        while self.cut && self.messages > 0 {
            let step = if self.frame_left > 0 {
                self.frame_left
            } else {
                match Header::parse(&self.wire[self.head..]) {
                    Some(header) => header.size as u64 + header.len,
                    None => break,
                }
            };
            // All of it is in memory, so it fits a usize.
            self.advance(step as usize);
        }
        1
    }

    #[cold]
    fn advance_partly(&mut self, bytes: usize) -> usize {
        let mut left = bytes as u64;
        let mut done = 0;
        while left > 0 {
            if self.frame_left == 0 {
                self.cut = true;
                match &mut self.form {
                    Form::Encoded(encoded) => {
                        self.frame_left = encoded.lengths.pop_front().unwrap_or(u64::MAX);
                        self.frame_last = true;
                    }
                    Form::Canonical => match Header::parse(&self.wire[self.head..]) {
                        Some(header) => {
                            self.frame_left = header.size as u64 + header.len;
                            self.frame_last = !header.more();
                        }
                        None => self.frame_left = u64::MAX,
                    },
                }
            }
            let step = left.min(self.frame_left);
            self.skip_bytes(step as usize);
            left -= step;
            self.frame_left -= step;
            if self.frame_left == 0 && self.frame_last {
                self.cut = false;
                done += 1;
            }
        }
        self.messages -= done;
        done
    }

    /// Moves over `bytes` bytes of `wire` and `refs`.
    fn skip_bytes(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let until = match self.refs.front() {
                Some((offset, _)) => (offset - self.base) as usize,
                None => self.wire.len(),
            };
            let step = bytes.min(until - self.head);
            self.head += step;
            bytes -= step;
            if bytes == 0 {
                return;
            }
            let Some((_, payload)) = self.refs.front() else {
                return;
            };
            let step = bytes.min(payload.len() - self.ref_head);
            self.ref_head += step;
            self.ref_bytes -= step;
            bytes -= step;
            if self.ref_head == payload.len() {
                self.refs.pop_front();
                self.ref_head = 0;
            }
        }
    }
}
