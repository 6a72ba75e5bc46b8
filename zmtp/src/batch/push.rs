//! Messages into a batch: called by `send`, and by the decoder for what is not in wire form already.

use bytes::Bytes;

use super::{Batch, INLINE};
use crate::envelope::Envelope;
use crate::message::{Block, Frame, Message};
use crate::wire::frame;

/// Counts the octets of header and inline payload, written with what is behind it as one block of fixed size and
/// then cut.
const BLOCK: usize = 2 + INLINE + 1;

impl Batch {
    /// Adds a message at the end. Payloads of at least `by_reference_from` bytes that are not
    /// inline are shared with the message, all others copied. A message without frames adds
    /// nothing.
    #[inline]
    pub fn push(&mut self, message: &Message, by_reference_from: usize) {
        if let Some(block) = message.as_one().and_then(Frame::as_inline) {
            self.put_block(block);
            self.messages += 1;
        } else {
            self.push_frames(message.frames(), by_reference_from);
        }
    }

    /// Pushes as [`Batch::push`] does, by value: spares a reference count where a payload is shared.
    #[inline]
    pub fn push_owned(&mut self, message: Message, by_reference_from: usize) {
        if let Some(block) = message.as_one().and_then(Frame::as_inline) {
            self.put_block(block);
            self.messages += 1;
        } else {
            self.push_frames_owned(message, by_reference_from);
        }
    }

    /// Pushes as [`Batch::push_owned`] does, without moving the message here first, which at small sizes is a good
    /// part of the cost. What is left in `message` afterwards means nothing.
    #[inline]
    pub fn push_from(&mut self, message: &mut Message, by_reference_from: usize) {
        // Whatever needs more than a few registers is apart.
        if let Some(only) = message.as_one_mut() {
            if let Some(block) = only.as_inline() {
                self.put_block(block);
                self.messages += 1;
                return;
            }
            if let Some(payload) = only.as_shared_mut() {
                if payload.len() < by_reference_from {
                    self.put_frame(false, payload);
                } else {
                    self.put_taken(payload);
                }
                self.messages += 1;
                return;
            }
        }
        self.push_rest(message, by_reference_from);
    }

    /// Takes the payload alone: moved with its message, it would cost as much again.
    #[inline(never)]
    fn put_taken(&mut self, payload: &mut Bytes) {
        self.put_reference(false, std::mem::take(payload));
    }

    #[inline(never)]
    fn push_rest(&mut self, message: &mut Message, by_reference_from: usize) {
        self.push_frames_owned(std::mem::take(message), by_reference_from);
    }

    /// Pushes as [`Batch::push_from`] does, with an envelope in front, without building a longer message first.
    #[inline]
    pub fn push_enveloped(
        &mut self,
        envelope: &Envelope,
        message: &mut Message,
        by_reference_from: usize,
    ) {
        if message.is_empty() {
            return;
        }
        let front = envelope.wire();
        self.make_room(front.len());
        self.wire.extend_from_slice(front);
        self.push_from(message, by_reference_from);
    }

    #[inline]
    fn put_block(&mut self, block: &Block) {
        let len = block.len();
        let mut bytes = [0; BLOCK];
        bytes[1] = len;
        bytes[2..].copy_from_slice(block.data());
        self.make_room(BLOCK);
        self.wire.extend_from_slice(&bytes);
        let behind = INLINE + 1 - usize::from(len);
        self.wire.truncate(self.wire.len() - behind);
    }

    #[inline(never)]
    fn push_frames<'a>(
        &mut self,
        frames: impl ExactSizeIterator<Item = &'a Frame>,
        by_reference_from: usize,
    ) {
        let mut left = frames.len();
        if left == 0 {
            return;
        }
        for frame in frames {
            left -= 1;
            match frame.as_shared() {
                Some(payload) if payload.len() >= by_reference_from => {
                    self.put_reference(left > 0, payload.clone());
                }
                _ => self.put_frame(left > 0, frame),
            }
        }
        self.messages += 1;
    }

    #[inline(never)]
    fn push_frames_owned(&mut self, message: Message, by_reference_from: usize) {
        let frames = match message.into_one() {
            Ok(frame) => {
                self.put_owned(false, frame, by_reference_from);
                self.messages += 1;
                return;
            }
            Err(frames) => frames,
        };
        let mut left = frames.len();
        if left == 0 {
            return;
        }
        for frame in frames {
            left -= 1;
            self.put_owned(left > 0, frame, by_reference_from);
        }
        self.messages += 1;
    }

    #[inline]
    fn put_owned(&mut self, more: bool, frame: Frame, by_reference_from: usize) {
        if frame.is_inline() || frame.len() < by_reference_from {
            self.put_frame(more, &frame);
        } else {
            self.put_reference(more, frame.into_bytes());
        }
    }

    /// Writes a frame with a copy of its payload. The message counts only when
    /// [`Batch::count`] says so.
    #[inline]
    pub(crate) fn put_frame(&mut self, more: bool, payload: &[u8]) {
        if let Ok(short) = u8::try_from(payload.len()) {
            self.make_room(2 + payload.len());
            self.wire.extend_from_slice(&[u8::from(more), short]);
        } else {
            self.make_room(9 + payload.len());
            frame::put_header(&mut self.wire, u8::from(more), payload.len());
        }
        self.wire.extend_from_slice(payload);
    }

    /// Writes the header of a message frame whose body is to follow by [`Batch::put_body`].
    pub(crate) fn put_header(&mut self, more: bool, len: usize) {
        self.make_room(9);
        frame::put_header(&mut self.wire, u8::from(more), len);
    }

    /// Puts the body behind a header that is there already. It must be too large to be inline.
    pub(crate) fn put_body(&mut self, payload: Bytes) {
        debug_assert!(payload.len() > INLINE);
        self.ref_bytes += payload.len();
        self.refs.push_back((self.end(), payload));
    }

    /// Writes a frame by reference; a small one is copied all the same.
    pub(crate) fn put_reference(&mut self, more: bool, payload: Bytes) {
        if payload.len() <= INLINE {
            return self.put_frame(more, &payload);
        }
        self.put_header(more, payload.len());
        self.put_body(payload);
    }

    /// Counts messages whose frames were put one by one.
    #[inline]
    pub(crate) fn count(&mut self, messages: usize) {
        self.messages += messages;
    }
}
