//! [`Batch`]: whole messages in ZMTP 3.x wire form, the one currency between sockets, pipes,
//! sessions and [`crate::Connection`], in both directions.
//!
//! `send` pushes a message: header and small payload go into one contiguous buffer, a large
//! payload joins by reference. The session writes the batch with [`Batch::io_slices`] and
//! [`Batch::advance`]. On the receiving side the decoder hands over the chunk it has read, cut
//! after the last whole message, and `recv` pops messages off it.
//!
//! ```text
//! wire   | h payload | h payload | h | h payload | h |
//!          ^head (written or popped before here)   ^   ^
//! refs                             large payload --'   '-- large payload
//! ```
//! Invariants: headers never straddle anything; `wire` holds whole frames except for bodies in
//! `refs`, each of which goes right behind its header; a referenced body is never small enough
//! to be inline in a [`Frame`].
//!
//! ```text
//! push.rs      messages into a batch
//! pop.rs       messages out of it
//! pieces.rs    batches joined and divided
//! write.rs     what is left to write, and what partial writes leave
//! encoded.rs   the form of one connection, and back
//! walk.rs      frames, looked at where they lie
//! ```

mod encoded;
mod pieces;
mod pop;
mod push;
mod walk;
mod write;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

pub(crate) use self::walk::Walk;
use crate::keeping::{COPY_BELOW, ChunkMark};
use crate::message::{Frame, Message};

/// What a buffer has at least once it has anything: most small messages fit, with what goes around them.
const AT_FIRST: usize = 64;

const INLINE: usize = Frame::INLINE;

/// Holds whole messages in wire form, oldest first.
///
/// ```
/// use purezmq_zmtp::{Batch, Message};
///
/// let mut batch = Batch::new();
/// batch.push(&Message::from("hello"), usize::MAX);
/// batch.push(&Message::from(["two", "frames"]), usize::MAX);
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.pop().unwrap(), "hello");
/// assert_eq!(batch.pop().unwrap(), Message::from(["two", "frames"]));
/// assert!(batch.is_empty());
/// ```
#[derive(Clone)]
pub struct Batch {
    wire: BytesMut,
    /// Bytes of `wire` that are popped or written.
    head: usize,
    /// Absolute offset of the first byte of `wire`; gives the offsets in `refs` their meaning.
    base: u64,
    /// Payloads, each going in front of the wire byte at its absolute offset.
    refs: VecDeque<(u64, Bytes)>,
    /// Bytes of the first of `refs` that are written.
    ref_head: usize,
    /// Bytes of `refs` not yet written or popped.
    ref_bytes: usize,
    messages: usize,
    /// Bytes missing until the frame (or encoded message) that is partly written is all written.
    frame_left: u64,
    /// Whether the partly written frame is the last of its message.
    frame_last: bool,
    /// The message at the front has lost frames to the network already.
    cut: bool,
    /// `wire` is a slice of somebody's read chunk: let go of it as soon as it is empty.
    adopted: bool,
    /// Payloads of fewer bytes are copied when they are popped.
    copy_below: usize,
    /// The chunk, if this is the first batch of it.
    chunk: Option<ChunkMark>,
    form: Form,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            wire: BytesMut::new(),
            head: 0,
            base: 0,
            refs: VecDeque::new(),
            ref_head: 0,
            ref_bytes: 0,
            messages: 0,
            frame_left: 0,
            frame_last: false,
            cut: false,
            adopted: false,
            copy_below: COPY_BELOW,
            chunk: None,
            form: Form::Canonical,
        }
    }
}

/// Says what the bytes are.
#[derive(Clone, Default)]
enum Form {
    /// Messages in 3.x wire form.
    #[default]
    Canonical,
    /// Bytes whose message ends only lengths tell.
    Encoded(Box<Encoded>),
}

/// Holds what a batch was encoded from.
#[derive(Clone)]
struct Encoded {
    /// Of the messages as they go on the wire, those that are not begun.
    lengths: VecDeque<u64>,
    /// All messages, as they were before.
    origin: Batch,
}

impl Batch {
    /// Makes an empty batch. Does not allocate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty batch with room for `bytes` bytes in wire form.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            wire: BytesMut::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Returns the number of messages that are not completely popped or written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages
    }

    /// Returns whether no message is left.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Returns the number of wire bytes left, referenced payloads included.
    #[inline]
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.wire.len() - self.head + self.ref_bytes
    }

    /// Returns how many bytes can be pushed before the buffer has to grow.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.wire.capacity() - self.wire.len()
    }

    /// Returns how many bytes lie in the buffer of the batch itself: without referenced payloads.
    #[inline]
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.wire.len() - self.head
    }

    /// Returns whether [`crate::Engine::encode`] has given the batch the form of one connection, so
    /// that its messages can't be read back or sent elsewhere.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        !matches!(self.form, Form::Canonical)
    }

    /// Drops all messages and keeps the buffer.
    #[inline]
    pub fn clear(&mut self) {
        if self.is_blank() {
            return;
        }
        if self.is_encoded() {
            self.restore_origin();
        }
        self.wire.clear();
        self.refs.clear();
        self.base = 0;
        self.head = 0;
        self.ref_head = 0;
        self.ref_bytes = 0;
        self.messages = 0;
        self.frame_left = 0;
        self.cut = false;
        self.chunk = None;
    }

    /// Returns whether nothing has come since it was made or cleared.
    #[inline]
    fn is_blank(&self) -> bool {
        self.wire.is_empty() && self.base == 0 && self.messages == 0 && !self.is_encoded()
    }

    /// Gives the buffer back if the batch is empty and the buffer holds more than `bytes`: so
    /// that a burst does not cost its memory for ever.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.is_empty() && self.wire.capacity() > bytes {
            *self = Self::new();
        }
    }

    /// Returns the absolute offset of the end.
    #[inline]
    fn end(&self) -> u64 {
        self.base + self.wire.len() as u64
    }

    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.wire.capacity() - self.wire.len() < bytes {
            self.grow(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        // What is popped must not be carried along when the buffer moves; without this, a batch
        // that is pushed to and popped from without ever being empty would grow for ever.
        self.forget_head();
        self.wire.reserve(bytes.max(AT_FIRST));
    }

    fn forget_head(&mut self) {
        self.wire.advance(self.head);
        self.base += self.head as u64;
        self.head = 0;
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("messages", &self.messages)
            .field("bytes", &self.byte_len())
            .field("by_reference", &self.refs.len())
            .field("encoded", &self.is_encoded())
            .finish()
    }
}

impl Extend<Message> for Batch {
    /// Pushes messages; payloads that are not inline are referenced.
    fn extend<I: IntoIterator<Item = Message>>(&mut self, messages: I) {
        for message in messages {
            self.push_owned(message, 0);
        }
    }
}

impl FromIterator<Message> for Batch {
    fn from_iter<I: IntoIterator<Item = Message>>(messages: I) -> Self {
        let mut batch = Self::new();
        batch.extend(messages);
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::envelope::Envelope;

    #[test]
    fn a_write_takes_a_segment_of_small_pieces_or_all_where_one_is_large() {
        let mut batch = Batch::new();
        for _ in 0..20 {
            batch.push_owned(Message::from(vec![7; 4096]), 4096);
        }
        let mut slices = [IoSlice::new(&[]); 64];
        let written =
            |slices: &[IoSlice<'_>]| slices.iter().map(|slice| slice.len()).sum::<usize>();
        let (used, bytes) = batch.io_slices_within(64_000, &mut slices);
        assert_eq!(written(&slices[..used]), bytes);
        // Fifteen messages, and perhaps the next one's header.
        assert!((15 * 4105..=64_000).contains(&written(&slices[..used])));
        let used = batch.io_slices(&mut slices);
        assert_eq!(written(&slices[..used]), 20 * 4105);

        let mut batch = Batch::new();
        for _ in 0..20 {
            batch.push_owned(Message::from(vec![7; 9000]), 4096);
        }
        let (used, bytes) = batch.io_slices_within(64_000, &mut slices);
        assert_eq!(written(&slices[..used]), bytes);
        assert_eq!(written(&slices[..used]), 20 * 9009);
    }

    #[test]
    fn a_write_can_stop_at_the_end_of_the_message_that_is_cut() {
        let messages = [
            Message::from([vec![1; 10], vec![2; 5000], vec![3; 9000]]),
            Message::from(vec![4; 5000]),
            Message::from([vec![5; 3], vec![6; 3]]),
        ];
        let batch = || {
            let mut batch = Batch::new();
            for message in &messages {
                batch.push(message, 4096);
            }
            batch
        };
        let all = batch().byte_len();
        for written in 0..all {
            let mut batch = batch();
            let done = batch.advance(written);
            let mut slices = [IoSlice::new(&[]); 64];
            let (used, left) = batch.io_slices_of_cut(&mut slices);
            let sum: usize = slices[..used].iter().map(|slice| slice.len()).sum();
            assert_eq!(left, sum);
            assert_eq!(left > 0, batch.is_cut(), "{written} bytes were written");
            let more = batch.advance(left);
            assert_eq!(more, usize::from(left > 0), "{written} bytes were written");
            assert!(!batch.is_cut());
            let rest: Vec<_> = std::iter::from_fn(|| batch.pop()).collect();
            assert_eq!(rest, messages[done + more..]);
        }
    }

    #[test]
    fn a_write_can_be_cut_anywhere() {
        let mut batch = Batch::new();
        batch.push(&Message::from([vec![1; 10], vec![2; 5000]]), 4096);
        let all = batch.byte_len();
        for limit in 0..=all + 1 {
            let mut slices = [IoSlice::new(&[]); 64];
            let (used, bytes) = batch.io_slices_up_to(limit, &mut slices);
            let sum: usize = slices[..used].iter().map(|slice| slice.len()).sum();
            assert_eq!((bytes, sum), (limit.min(all), limit.min(all)));
        }
    }

    #[test]
    fn small_messages_pass_without_growing_the_buffer() {
        let message = Message::from([7_u8; 20]);
        let mut batch = Batch::new();
        for _ in 0..100 {
            batch.push(&message, usize::MAX);
        }
        let capacity = batch.wire.capacity();
        // Never empty, popped and pushed in turns.
        for _ in 0..10_000 {
            assert_eq!(batch.pop().as_ref(), Some(&message));
            batch.push(&message, usize::MAX);
        }
        assert!(batch.wire.capacity() <= 2 * capacity);
        batch.clear();
        for _ in 0..100 {
            batch.push(&message, usize::MAX);
        }
        assert!(batch.wire.capacity() <= 2 * capacity);
        batch.clear();
        batch.shrink_to(100);
        assert_eq!(batch.wire.capacity(), 0);
    }

    #[test]
    fn large_payloads_are_shared_not_copied() {
        let payload = Bytes::from(vec![1; 10_000]);
        let mut batch = Batch::new();
        batch.push(&Message::from(&payload), 10_000);
        batch.push(&Message::from(&payload), 10_001);
        assert_eq!(batch.refs.len(), 1);
        let first = batch.pop().and_then(|mut message| message.pop_front());
        assert_eq!(first.unwrap().into_bytes().as_ptr(), payload.as_ptr());
        let second = batch.pop().and_then(|mut message| message.pop_front());
        assert_ne!(second.unwrap().into_bytes().as_ptr(), payload.as_ptr());
    }

    #[test]
    fn an_envelope_is_not_read_across_a_referenced_frame() {
        let mut batch = Batch::new();
        batch.push(&Message::from([&[7; 50][..], b"", b"body"]), 50);
        // What lies where the referenced frame would end looks like the end of an envelope.
        batch.push(&Message::from([1, 0].repeat(50)), usize::MAX);
        let mut envelope = Envelope::default();
        let body = batch.pop_enveloped(&mut envelope).flatten();
        assert_eq!(body, Some(Message::from("body")));
        assert!(envelope.frames().eq([&[7; 50][..], b""]));
    }

    #[test]
    fn a_referenced_body_is_taken_off_its_envelope_by_reference() {
        let mut envelope = Envelope::default();
        envelope.push(b"");
        let payload = Bytes::from(vec![1; 1000]);
        let mut batch = Batch::new();
        for _ in 0..2 {
            batch.push_enveloped(&envelope, &mut Message::from(&payload), 100);
        }
        for _ in 0..2 {
            let body = batch.pop_enveloped(&mut Envelope::default()).flatten();
            assert_eq!(body.unwrap().payload().as_ptr(), payload.as_ptr());
        }
        assert!(batch.is_empty());
    }

    #[test]
    fn a_chunk_is_free_as_soon_as_its_messages_are_popped() {
        let mut chunk = BytesMut::from(&b"\x00\x01a\x00\x01b"[..]);
        let mut batch = Batch::new();
        batch.adopt(chunk.split_to(6), 2);
        assert!(!chunk.try_reclaim(6));
        batch.pop();
        batch.pop();
        assert!(chunk.try_reclaim(6));
    }

    #[test]
    fn messages_without_frames_are_not_pushed() {
        let mut batch = Batch::new();
        batch.push(&Message::new(), 0);
        batch.push_owned(Message::new(), 0);
        batch.push_enveloped(&Envelope::default(), &mut Message::new(), 0);
        assert_eq!((batch.len(), batch.byte_len()), (0, 0));
        assert_eq!(batch.pop(), None);
    }
}
