//! Messages out of a batch: called by `recv`.

use bytes::Bytes;

use super::{Batch, INLINE};
use crate::envelope::Envelope;
use crate::keeping::{COPY_BELOW, ChunkMark};
use crate::message::{Frame, Message};
use crate::wire::frame::{self, Header};

impl Batch {
    /// Begins to pop: before the first message of a batch that has waited. By now it may be known that the application
    /// keeps messages, so that those that are much smaller than the buffer they were read in are copied out of it.
    #[inline]
    pub fn begin_popping(&mut self) {
        if let Some(copy_below) = self.chunk.as_ref().and_then(ChunkMark::copy_below) {
            self.copy_below = copy_below;
        }
    }

    /// Takes the first message off. A message that was partly written before is dropped first.
    #[inline]
    pub fn pop(&mut self) -> Option<Message> {
        self.pop_inline()
            .or_else(|| self.pop_boxed().map(Message::boxed))
            .or_else(|| self.pop_any())
    }

    /// Takes the first message off if it is a single inline frame: made of nothing but the batch's own fields, so
    /// that the compiler can put the message together where it ends up.
    #[inline(always)]
    pub fn pop_inline(&mut self) -> Option<Message> {
        if self.cut || self.messages == 0 {
            return None;
        }
        let [0, len, rest @ ..] = self.wire.get(self.head..)? else {
            return None;
        };
        let size = usize::from(*len);
        if size > INLINE || size > rest.len() {
            return None;
        }
        let message = Message::from(Frame::inline_from(rest, *len));
        self.head += 2 + size;
        self.end_message();
        Some(message)
    }

    /// Takes the payload of the first message off if it is a single frame that gets an allocation of its own. It is
    /// two words in registers, and made a message where that is returned: a message that is put together here is read
    /// across the bounds of its writes on its way, which costs more than all the rest.
    #[inline(always)]
    pub fn pop_boxed(&mut self) -> Option<Box<[u8]>> {
        // A referenced payload is not here: its place is taken by what follows it.
        if self.cut || self.messages == 0 || !self.refs.is_empty() {
            return None;
        }
        let wire = self.wire.get(self.head..)?;
        let (header, len, rest) = match wire {
            [0, len, rest @ ..] => (2, usize::from(*len), rest),
            [frame::LONG, rest @ ..] => {
                // All eight octets at once: one by one, they cost more than the rest.
                let (len, rest) = rest.split_first_chunk()?;
                (9, usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
            }
            _ => return None,
        };
        if len <= INLINE || len >= COPY_BELOW {
            return None;
        }
        let payload = Box::from(rest.get(..len)?);
        self.head += header + len;
        self.end_message();
        Some(payload)
    }

    /// Takes the first message off if it is a single frame whose payload is shared rather than copied.
    #[inline(never)]
    pub fn pop_large(&mut self) -> Option<Bytes> {
        if self.cut || self.messages == 0 || self.is_encoded() {
            return None;
        }
        let header = Header::parse(self.wire.get(self.head..)?)?;
        if header.more() || header.len < COPY_BELOW as u64 {
            return None;
        }
        self.head += header.size;
        let payload = self.pop_shared(header.len as usize);
        self.end_message();
        Some(payload)
    }

    /// Returns the payload of the first frame, if that is at hand in one piece.
    #[inline]
    #[must_use]
    pub fn front(&self) -> Option<&[u8]> {
        if self.cut || self.messages == 0 || !self.refs.is_empty() {
            return None;
        }
        let rest = self.wire.get(self.head..)?;
        let header = Header::parse(rest)?;
        rest.get(header.size..)?.get(..header.len as usize)
    }

    /// Takes the first message off, divided into its envelope and the body behind it. `Some(None)`: the message
    /// had no envelope, or nothing behind it, and is gone; `envelope` means nothing then.
    #[inline]
    pub fn pop_enveloped(&mut self, envelope: &mut Envelope) -> Option<Option<Message>> {
        if self.messages == 0 {
            return None;
        }
        if !self.cut
            && let Some(end) = envelope.read(self.wire.get(self.head..)?)
            && self.has_no_reference_before(self.head + end)
        {
            // What follows the envelope is a message like any other.
            self.head += end;
            return Some(self.pop());
        }
        self.pop_enveloped_slowly(envelope)
    }

    /// Returns whether all that lies before this place in `wire` lies there itself. (Behind a reference, what was read there
    /// is something else than it looks, and too long.)
    #[inline]
    fn has_no_reference_before(&self, place: usize) -> bool {
        let border = self.base + place as u64;
        self.refs
            .front()
            .is_none_or(|(offset, _)| *offset >= border)
    }

    /// Takes off envelopes of large frames, and messages without one.
    #[cold]
    fn pop_enveloped_slowly(&mut self, envelope: &mut Envelope) -> Option<Option<Message>> {
        let mut message = self.pop()?;
        envelope.clear();
        while let Some(frame) = message.pop_front() {
            envelope.push(&frame);
            if frame.is_empty() {
                return Some((!message.is_empty()).then_some(message));
            }
        }
        Some(None)
    }

    #[inline(never)]
    fn pop_any(&mut self) -> Option<Message> {
        self.discard_partial();
        debug_assert!(
            !self.is_encoded(),
            "an encoded batch has no messages to read"
        );
        if self.messages == 0 || self.is_encoded() {
            return None;
        }
        let header = self.pop_header()?;
        if header.more() {
            let message = self.pop_many(header)?;
            self.end_message();
            return Some(message);
        }
        // Each kind is made where it is returned: moving frames about costs more than the rest.
        if header.len > INLINE as u64 {
            let payload = self.pop_shared(header.len as usize);
            self.end_message();
            Some(Message::shared(payload))
        } else {
            let frame = self.pop_payload(header.len as usize);
            self.end_message();
            Some(Message::from(frame))
        }
    }

    fn pop_many(&mut self, first: Header) -> Option<Message> {
        let mut frames = Vec::with_capacity(4);
        frames.push(self.pop_payload(first.len as usize));
        loop {
            let header = self.pop_header()?;
            frames.push(self.pop_payload(header.len as usize));
            if !header.more() {
                return Some(Message::from(frames));
            }
        }
    }

    #[inline]
    fn pop_header(&mut self) -> Option<Header> {
        let header = Header::parse(self.wire.get(self.head..)?)?;
        self.head += header.size;
        Some(header)
    }

    #[inline]
    fn pop_payload(&mut self, len: usize) -> Frame {
        if len > INLINE {
            return Frame::from(self.pop_shared(len));
        }
        let frame = Frame::inline_from(&self.wire[self.head..], len as u8);
        self.head += len;
        frame
    }

    /// Takes a payload too large to be inline, whose header is popped.
    #[inline]
    fn pop_shared(&mut self, len: usize) -> Bytes {
        if let Some((offset, _)) = self.refs.front()
            && *offset == self.base + self.head as u64
            && let Some((_, payload)) = self.refs.pop_front()
        {
            self.ref_bytes -= payload.len();
            return payload;
        }
        if len < self.copy_below {
            let payload = Bytes::copy_from_slice(&self.wire[self.head..self.head + len]);
            self.head += len;
            return payload;
        }
        self.forget_head();
        self.base += len as u64;
        self.wire.split_to(len).freeze()
    }

    /// Notes that a message is popped.
    #[inline]
    fn end_message(&mut self) {
        self.messages -= 1;
        if self.messages == 0 {
            self.drained();
        }
    }

    /// Lets go of the buffer, or rewinds it, when everything is popped.
    #[cold]
    #[inline(never)]
    fn drained(&mut self) {
        if self.adopted {
            // The chunk goes back to its reader for reuse.
            *self = Self::new();
        } else {
            self.clear();
        }
    }
}
