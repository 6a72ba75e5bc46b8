//! Batches joined and divided, without a copy wherever they lie beside each other in memory: called by pipes, by
//! publishers, and by the decoder, whose read chunks become batches.

use bytes::BytesMut;

use super::Batch;
use crate::keeping::ChunkMark;
use crate::wire::frame::Header;

impl Batch {
    /// Joins `other` at the end without copying, which works when this batch is empty or
    /// `other` directly follows it in the same read chunk.
    ///
    /// # Errors
    /// Hands `other` back when it does neither.
    #[allow(clippy::result_large_err)] // Handing it back whole is the point.
    pub fn append(&mut self, other: Self) -> Result<(), Self> {
        if other.is_empty() {
            return Ok(());
        }
        if self.is_empty() && self.frame_left == 0 {
            *self = other;
            return Ok(());
        }
        let canonical = !self.is_encoded() && !other.is_encoded();
        let whole = other.head == 0 && other.ref_head == 0 && !other.cut;
        if !canonical || !whole || !follows(&self.wire, &other.wire) {
            return Err(other);
        }
        let at = self.end();
        self.join(at, other);
        Ok(())
    }

    /// Adds copies of all messages of `other`: bytes are copied, referenced payloads shared.
    /// This is how a batch that was encoded once reaches many pipes. `other` must be neither
    /// encoded nor partly written.
    pub fn extend_from(&mut self, other: &Self) {
        debug_assert!(!self.is_encoded() && !other.is_encoded() && !other.cut);
        let bytes = &other.wire[other.head..];
        self.make_room(bytes.len());
        self.messages += other.messages;
        if other.refs.is_empty() {
            self.wire.extend_from_slice(bytes);
            return;
        }
        let other_start = other.base + other.head as u64;
        let at = self.end();
        self.wire.extend_from_slice(bytes);
        self.refs.extend(
            other
                .refs
                .iter()
                .map(|(offset, payload)| (offset - other_start + at, payload.clone())),
        );
        self.ref_bytes += other.ref_bytes;
    }

    /// Returns whether [`Batch::adopt`] would take `piece` without copying.
    #[inline]
    pub(crate) fn joins(&self, piece: &BytesMut) -> bool {
        (self.wire.is_empty() && self.refs.is_empty()) || follows(&self.wire, piece)
    }

    /// Joins bytes in wire form with `messages` message ends among them, by reference where
    /// they follow the batch's own end or the batch is empty.
    #[inline]
    pub(crate) fn adopt(&mut self, piece: BytesMut, messages: usize) {
        if self.wire.is_empty() && self.refs.is_empty() {
            self.wire = piece;
            self.adopted = true;
        } else if follows(&self.wire, &piece) {
            self.wire.unsplit(piece);
        } else {
            self.make_room(piece.len());
            self.wire.extend_from_slice(&piece);
        }
        self.messages += messages;
    }

    /// Returns whether it is the first of a chunk.
    #[inline]
    pub(crate) fn has_mark(&self) -> bool {
        self.chunk.is_some()
    }

    /// Says what the chunk is that the batch was cut from, if it is the first of it, and below how many bytes payloads are
    /// copied out of it.
    #[inline]
    pub(crate) fn cut_from(&mut self, chunk: Option<ChunkMark>, copy_below: usize) {
        if chunk.is_some() {
            self.chunk = chunk;
        }
        self.copy_below = self.copy_below.max(copy_below);
    }

    fn join(&mut self, at: u64, other: Self) {
        self.cut_from(other.chunk, other.copy_below);
        let other_base = other.base;
        self.wire.unsplit(other.wire);
        self.refs.extend(
            other
                .refs
                .into_iter()
                .map(|(offset, payload)| (offset - other_base + at, payload)),
        );
        self.ref_bytes += other.ref_bytes;
        self.messages += other.messages;
    }

    /// Moves the first `messages` messages into a batch of their own (all, if there are fewer).
    /// Walks over their headers.
    #[must_use]
    pub fn split_front(&mut self, messages: usize) -> Self {
        debug_assert!(!self.is_encoded());
        self.discard_partial();
        if messages >= self.messages {
            return std::mem::take(self);
        }
        let (end, refs) = self.skip_messages(messages);
        let mut front = Self {
            wire: self.wire.split_to(end),
            head: self.head,
            base: self.base,
            refs: self.refs.drain(..refs).collect(),
            messages,
            adopted: self.adopted,
            copy_below: self.copy_below,
            chunk: self.chunk.take(),
            ..Self::default()
        };
        front.ref_bytes = front.refs.iter().map(|(_, payload)| payload.len()).sum();
        self.base += end as u64;
        self.head = 0;
        self.ref_bytes -= front.ref_bytes;
        self.messages -= messages;
        front
    }

    /// Drops the first `messages` messages (all, if there are fewer).
    pub fn truncate_front(&mut self, messages: usize) {
        drop(self.split_front(messages));
    }

    /// Returns how many messages at the front have that many bytes together; at least one.
    pub(crate) fn messages_within(&self, bytes: usize) -> usize {
        let (mut at, mut refs, mut messages, mut sum) = (self.head, 0, 0, 0);
        while messages < self.messages && (sum < bytes || messages == 0) {
            let Some(header) = Header::parse(&self.wire[at..]) else {
                break;
            };
            at += header.size;
            match self.refs.get(refs) {
                Some((offset, _)) if *offset == self.base + at as u64 => refs += 1,
                _ => at += header.len as usize,
            }
            sum += header.size + header.len as usize;
            messages += usize::from(!header.more());
        }
        messages
    }

    /// Returns the length of the wire buffer: a mark for [`Batch::take_until`].
    #[inline]
    pub(crate) fn mark(&self) -> usize {
        self.wire.len()
    }

    /// Splits off everything before `mark`, which is the end of the last counted message.
    pub(crate) fn take_until(&mut self, mark: usize) -> Self {
        if mark == self.wire.len() {
            return std::mem::take(self);
        }
        let border = self.base + mark as u64;
        let refs = self.refs.partition_point(|(offset, _)| *offset <= border);
        let mut front = Self {
            wire: self.wire.split_to(mark),
            base: self.base,
            refs: self.refs.drain(..refs).collect(),
            messages: self.messages,
            adopted: self.adopted,
            copy_below: self.copy_below,
            chunk: self.chunk.take(),
            ..Self::default()
        };
        front.ref_bytes = front.refs.iter().map(|(_, payload)| payload.len()).sum();
        self.ref_bytes -= front.ref_bytes;
        self.base = border;
        self.messages = 0;
        front
    }

    /// Returns the wire position and the number of refs behind the first `messages` messages.
    fn skip_messages(&self, messages: usize) -> (usize, usize) {
        let mut at = self.head;
        let mut refs = 0;
        let mut left = messages;
        while left > 0 {
            let Some(header) = Header::parse(&self.wire[at..]) else {
                break;
            };
            at += header.size;
            match self.refs.get(refs) {
                Some((offset, _)) if *offset == self.base + at as u64 => refs += 1,
                _ => at += header.len as usize,
            }
            left -= usize::from(!header.more());
        }
        (at, refs)
    }
}

/// Returns whether `next` begins where `piece` ends in memory. Two allocations may touch by chance:
/// `unsplit` then copies, so a wrong yes costs time only.
#[inline]
fn follows(piece: &BytesMut, next: &BytesMut) -> bool {
    piece.capacity() == piece.len() && piece.as_ptr_range().end == next.as_ptr()
}
