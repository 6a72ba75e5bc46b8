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

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::envelope::Envelope;
use crate::message::{Block, Frame, Message};
use crate::wire::frame::{self, COMMAND, Header, MORE};

const INLINE: usize = Frame::INLINE;
/// Header and inline payload, written with what is behind it as one block of fixed size and
/// then cut.
const BLOCK: usize = 2 + INLINE + 1;
/// Payloads up to this size are copied out of the chunk by [`Batch::pop`]. That costs no more
/// than slicing them out (`benches/batch.rs`), and a small message that is kept for long does not
/// keep a whole chunk.
const COPY_MAX: usize = 256;

/// Pieces of a write that are far smaller than a segment of TCP.
const SMALL_PIECE: usize = 8 * 1024;

/// Whole messages in wire form, oldest first.
///
/// ```
/// use zmtp::{Batch, Message};
///
/// let mut batch = Batch::new();
/// batch.push(&Message::from("hello"), usize::MAX);
/// batch.push(&Message::from(["two", "frames"]), usize::MAX);
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.pop().unwrap(), "hello");
/// assert_eq!(batch.pop().unwrap(), Message::from(["two", "frames"]));
/// assert!(batch.is_empty());
/// ```
#[derive(Clone, Default)]
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
    /// Bytes missing until the frame (or sealed message) that is partly written is all written.
    frame_left: u64,
    /// Whether the partly written frame is the last of its message.
    frame_last: bool,
    /// The message at the front has lost frames to the network already.
    cut: bool,
    /// `wire` is a slice of somebody's read chunk: let go of it as soon as it is empty.
    adopted: bool,
    form: Form,
}

/// What the bytes are.
#[derive(Clone, Default)]
enum Form {
    /// Messages in 3.x wire form.
    #[default]
    Canonical,
    /// Bytes whose message ends only lengths tell.
    Sealed(Box<Sealed>),
}

/// What a batch was sealed from.
#[derive(Clone)]
struct Sealed {
    /// Of the messages as they go on the wire, those that are not begun.
    lengths: VecDeque<u64>,
    /// All messages, as they were before.
    origin: Batch,
}

impl Batch {
    /// An empty batch. Does not allocate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for `bytes` bytes in wire form.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            wire: BytesMut::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// The number of messages that are not completely popped or written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages
    }

    /// Whether no message is left.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// The number of wire bytes left, referenced payloads included.
    #[inline]
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.wire.len() - self.head + self.ref_bytes
    }

    /// Bytes that can be pushed before the buffer has to grow.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.wire.capacity() - self.wire.len()
    }

    /// Bytes that lie in the buffer of the batch itself: without referenced payloads.
    #[inline]
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.wire.len() - self.head
    }

    /// Whether [`crate::Connection::seal`] has given the batch the form of one connection, so
    /// that its messages can't be read back or sent elsewhere.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        !matches!(self.form, Form::Canonical)
    }

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

    /// [`Batch::push`] by value: spares a reference count where a payload is shared.
    #[inline]
    pub fn push_owned(&mut self, message: Message, by_reference_from: usize) {
        if let Some(block) = message.as_one().and_then(Frame::as_inline) {
            self.put_block(block);
            self.messages += 1;
        } else {
            self.push_frames_owned(message, by_reference_from);
        }
    }

    /// [`Batch::push_owned`] without moving the message here first, which at small sizes is a good
    /// part of the cost. What is left in `message` afterwards means nothing.
    #[inline]
    pub fn push_from(&mut self, message: &mut Message, by_reference_from: usize) {
        match message.as_one() {
            Some(only) => match only.as_inline() {
                Some(block) => self.put_block(block),
                None if only.len() < by_reference_from => self.put_frame(false, only),
                None => return self.push_frames_owned(std::mem::take(message), by_reference_from),
            },
            None => return self.push_frames_owned(std::mem::take(message), by_reference_from),
        }
        self.messages += 1;
    }

    /// [`Batch::push_from`] with an envelope in front, without building a longer message first.
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
        let canonical = !self.is_sealed() && !other.is_sealed();
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
    /// sealed nor partly written.
    pub fn extend_from(&mut self, other: &Self) {
        debug_assert!(!self.is_sealed() && !other.is_sealed() && !other.cut);
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

    /// Takes the first message off. A message that was partly written before is dropped first.
    #[inline]
    pub fn pop(&mut self) -> Option<Message> {
        self.pop_inline()
            .or_else(|| self.pop_boxed())
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

    /// Takes the first message off if it is a single frame whose payload gets an allocation of its own. Apart from
    /// `pop_inline`, because this message is two words in registers: a place in memory that is written as one or
    /// the other is read across the bounds of its writes, and the allocator waits for that.
    #[inline(always)]
    pub fn pop_boxed(&mut self) -> Option<Message> {
        // A referenced payload is not here: its place is taken by what follows it.
        if self.cut || self.messages == 0 || !self.refs.is_empty() {
            return None;
        }
        let (header, len, rest) = match self.wire.get(self.head..)? {
            [0, len, rest @ ..] => (2, usize::from(*len), rest),
            [frame::LONG, 0, 0, 0, 0, 0, 0, high, low, rest @ ..] => {
                (9, usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return None,
        };
        if len <= INLINE || len > COPY_MAX {
            return None;
        }
        let message = Message::from(Frame::boxed(rest.get(..len)?));
        self.head += header + len;
        self.end_message();
        Some(message)
    }

    /// Takes the first message off if it is a single frame whose payload is shared rather than copied.
    #[inline(never)]
    pub fn pop_large(&mut self) -> Option<Bytes> {
        if self.cut || self.messages == 0 || self.is_sealed() {
            return None;
        }
        let header = Header::parse(self.wire.get(self.head..)?)?;
        if header.more() || header.len <= COPY_MAX as u64 {
            return None;
        }
        self.head += header.size;
        let payload = self.pop_shared(header.len as usize);
        self.end_message();
        Some(payload)
    }

    /// The payload of the first frame, if that is at hand in one piece.
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
        if !self.cut
            && self.messages != 0
            && self.refs.is_empty()
            && let Some(end) = envelope.read(self.wire.get(self.head..)?)
        {
            // What follows the envelope is a message like any other.
            self.head += end;
            return Some(self.pop());
        }
        self.pop_enveloped_slowly(envelope)
    }

    /// Envelopes of large frames, and messages without one.
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

    /// Moves the first `messages` messages into a batch of their own (all, if there are fewer).
    /// Walks over their headers.
    #[must_use]
    pub fn split_front(&mut self, messages: usize) -> Self {
        debug_assert!(!self.is_sealed());
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
            ..Self::default()
        };
        front.ref_bytes = front.refs.iter().map(|(_, payload)| payload.len()).sum();
        self.base += end as u64;
        self.head = 0;
        self.ref_bytes -= front.ref_bytes;
        self.messages -= messages;
        front
    }

    /// How many messages at the front have that many bytes together; at least one.
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

    /// Drops the first `messages` messages (all, if there are fewer).
    pub fn truncate_front(&mut self, messages: usize) {
        drop(self.split_front(messages));
    }

    /// Drops all messages and keeps the buffer.
    #[inline]
    pub fn clear(&mut self) {
        if self.is_sealed() {
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
    }

    #[cold]
    fn restore_origin(&mut self) {
        if let Form::Sealed(sealed) = std::mem::take(&mut self.form) {
            *self = sealed.origin;
        }
    }

    /// Undoes [`crate::Connection::seal`]: the messages that are not completely written are back in the form that they
    /// had, for another connection. Does nothing to a batch that is not sealed. Call [`Batch::discard_partial`]
    /// first, unless a message that was partly written shall be sent once more.
    pub fn unseal(&mut self) {
        let left = self.messages;
        if self.is_sealed() {
            self.restore_origin();
            self.truncate_front(self.messages - left);
        }
    }

    /// Undoes sealing of a batch that is written, and gives the memory that was used for it.
    pub(crate) fn reclaim(&mut self) -> Option<BytesMut> {
        if !self.is_sealed() || !self.is_empty() {
            return None;
        }
        let mut sealed = std::mem::take(&mut self.wire);
        sealed.clear();
        self.clear();
        Some(sealed)
    }

    /// Gives the buffer back if the batch is empty and the buffer holds more than `bytes`: so
    /// that a burst does not cost its memory for ever.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.is_empty() && self.wire.capacity() > bytes {
            *self = Self::new();
        }
    }

    /// Fills `out` with what is left to write, in order, and returns how many slices it used.
    /// When `out` is too short the rest comes next time.
    pub fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        self.io_slices_within(usize::MAX, out)
    }

    /// [`Batch::io_slices`] that stops at `segment` bytes where all pieces are small, at most 8 KiB: what one write
    /// carries best. Where there are large ones, a write makes many segments, and takes all.
    pub fn io_slices_within<'a>(&'a self, segment: usize, out: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut size = 0;
        let mut all_small = true;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            size += bytes.len();
            all_small &= bytes.len() <= SMALL_PIECE;
            if all_small && size > segment {
                return false;
            }
            let Some(slot) = out.get_mut(used) else {
                return false;
            };
            *slot = IoSlice::new(bytes);
            used += 1;
            true
        };
        let mut from = self.head;
        for (i, (offset, payload)) in self.refs.iter().enumerate() {
            let to = (offset - self.base) as usize;
            let skip = if i == 0 { self.ref_head } else { 0 };
            if !put(&self.wire[from..to]) || !put(&payload[skip..]) {
                return used;
            }
            from = to;
        }
        put(&self.wire[from..]);
        used
    }

    /// Notes that `bytes` more bytes are written, and returns how many messages that made
    /// complete: exact, also for partial writes. Costs nothing per message when everything is
    /// written, else walks over the headers of what was written.
    pub fn advance(&mut self, bytes: usize) -> usize {
        if bytes >= self.byte_len() {
            debug_assert!(bytes == self.byte_len(), "advance beyond the end");
            let messages = self.messages;
            if self.is_sealed() {
                self.wire.clear();
                self.head = 0;
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

    /// The absolute offset of the end.
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
        self.wire.reserve(bytes);
    }

    fn forget_head(&mut self) {
        self.wire.advance(self.head);
        self.base += self.head as u64;
        self.head = 0;
    }

    /// Everything is popped.
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
        self.make_room(9 + payload.len());
        frame::put_header(&mut self.wire, u8::from(more), payload.len());
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

    /// Whether [`Batch::adopt`] would take `piece` without copying.
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

    /// The length of the wire buffer: a mark for [`Batch::take_until`].
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
            ..Self::default()
        };
        front.ref_bytes = front.refs.iter().map(|(_, payload)| payload.len()).sum();
        self.ref_bytes -= front.ref_bytes;
        self.base = border;
        self.messages = 0;
        front
    }

    /// Rewrites every frame: `write` gets its flags (MORE and COMMAND), its payload and whether
    /// it is the first of its message, and appends what goes on the wire. Used where a
    /// connection does not speak 3.x messages. A batch of 3.x frames, commands or not, can go
    /// through this again.
    ///
    /// What is written goes into `spare`, whose memory becomes the batch's until [`Batch::reclaim`].
    pub(crate) fn reseal(
        &mut self,
        spare: &mut BytesMut,
        mut write: impl FnMut(&mut BytesMut, u8, &[u8], bool),
    ) {
        /// What a frame may grow by, mechanism included.
        const GROWTH: usize = 48;
        spare.clear();
        spare.reserve(self.byte_len() + GROWTH * self.messages);
        let mut lengths = VecDeque::with_capacity(self.messages);
        let mut refs = self.refs.iter().peekable();
        let mut at = self.head;
        let mut from = 0;
        let mut first = true;
        while lengths.len() < self.messages {
            let Some(header) = self.wire.get(at..).and_then(Header::parse) else {
                break;
            };
            at += header.size;
            let payload = match refs.next_if(|(offset, _)| *offset == self.base + at as u64) {
                Some((_, payload)) => &payload[..],
                None => {
                    // All of it is in memory, so it fits a usize.
                    let end = at + header.len as usize;
                    let payload = &self.wire[at..end];
                    at = end;
                    payload
                }
            };
            write(spare, header.flags & (MORE | COMMAND), payload, first);
            first = !header.more();
            if first {
                lengths.push_back((spare.len() - from) as u64);
                from = spare.len();
            }
        }
        let sealed = Self {
            wire: std::mem::take(spare),
            messages: lengths.len(),
            ..Self::default()
        };
        let mut before = std::mem::replace(self, sealed);
        let origin = match std::mem::take(&mut before.form) {
            Form::Canonical => before,
            // The second time; what the first has made is not needed any more.
            Form::Sealed(first) => {
                *spare = before.wire;
                first.origin
            }
        };
        self.form = Form::Sealed(Box::new(Sealed { lengths, origin }));
    }

    #[inline(never)]
    fn pop_any(&mut self) -> Option<Message> {
        self.discard_partial();
        debug_assert!(!self.is_sealed(), "a sealed batch has no messages to read");
        if self.messages == 0 || self.is_sealed() {
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

    /// A message is popped.
    #[inline]
    fn end_message(&mut self) {
        self.messages -= 1;
        if self.messages == 0 {
            self.drained();
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

    /// A payload too large to be inline, whose header is popped.
    #[inline]
    fn pop_shared(&mut self, len: usize) -> Bytes {
        if let Some((offset, _)) = self.refs.front()
            && *offset == self.base + self.head as u64
            && let Some((_, payload)) = self.refs.pop_front()
        {
            self.ref_bytes -= payload.len();
            return payload;
        }
        if len <= COPY_MAX {
            let payload = Bytes::copy_from_slice(&self.wire[self.head..self.head + len]);
            self.head += len;
            return payload;
        }
        self.forget_head();
        self.base += len as u64;
        self.wire.split_to(len).freeze()
    }

    /// The wire position and the number of refs behind the first `messages` messages.
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

    #[cold]
    fn advance_partly(&mut self, bytes: usize) -> usize {
        let mut left = bytes as u64;
        let mut done = 0;
        while left > 0 {
            if self.frame_left == 0 {
                self.cut = true;
                match &mut self.form {
                    Form::Sealed(sealed) => {
                        self.frame_left = sealed.lengths.pop_front().unwrap_or(u64::MAX);
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

    fn join(&mut self, at: u64, other: Self) {
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
}

/// Whether `next` begins where `piece` ends in memory. Two allocations may touch by chance:
/// `unsplit` then copies, so a wrong yes costs time only.
#[inline]
fn follows(piece: &BytesMut, next: &BytesMut) -> bool {
    piece.capacity() == piece.len() && piece.as_ptr_range().end == next.as_ptr()
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("messages", &self.messages)
            .field("bytes", &self.byte_len())
            .field("by_reference", &self.refs.len())
            .field("sealed", &self.is_sealed())
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
    use super::*;

    #[test]
    fn a_write_takes_a_segment_of_small_pieces_or_all_where_one_is_large() {
        let mut batch = Batch::new();
        for _ in 0..20 {
            batch.push_owned(Message::from(vec![7; 4096]), 4096);
        }
        let mut slices = [IoSlice::new(&[]); 64];
        let written =
            |slices: &[IoSlice<'_>]| slices.iter().map(|slice| slice.len()).sum::<usize>();
        let used = batch.io_slices_within(64_000, &mut slices);
        // Fifteen messages, and perhaps the next one's header.
        assert!((15 * 4105..=64_000).contains(&written(&slices[..used])));
        let used = batch.io_slices(&mut slices);
        assert_eq!(written(&slices[..used]), 20 * 4105);

        let mut batch = Batch::new();
        for _ in 0..20 {
            batch.push_owned(Message::from(vec![7; 9000]), 4096);
        }
        let used = batch.io_slices_within(64_000, &mut slices);
        assert_eq!(written(&slices[..used]), 20 * 9009);
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
