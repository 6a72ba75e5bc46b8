//! [`Message`] and [`Frame`]: what applications send and receive (RFC 37, "Messages").
//!
//! A message is one or more frames, a frame is bytes. Nothing here knows the wire:
//! [`crate::Batch`] writes messages into wire form and reads them back.
//!
//! Payloads of up to [`Frame::INLINE`] bytes live inside the frame, larger ones in a
//! reference-counted [`Bytes`], except for small ones that were received: these are boxed. So a small
//! message of one frame costs no allocation, and cloning a message never copies a large payload. Invariant: a frame is inline exactly
//! when its payload has at most `INLINE` bytes; [`crate::Batch::pop`] relies on it.

use std::borrow::{Borrow, Cow};
use std::collections::{VecDeque, vec_deque};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Index};
use std::str::Utf8Error;

use bytes::{Bytes, BytesMut};

const INLINE: usize = Frame::INLINE;

/// One frame of a message: immutable bytes, cheap to clone.
///
/// Dereferences to `[u8]`, so everything that reads a byte slice reads a frame.
///
/// ```
/// use zmtp::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, "hello");
/// assert_eq!(frame.len(), 5);
/// assert!(frame.is_inline());
/// ```
#[derive(Clone)]
pub struct Frame(Repr);

/// Moved several times on the way to the application, so its layout is made for moving: the tag
/// fills a word, and both forms are written in the pieces in which they are copied. With a tag of
/// one octet and the payload right behind it, every move reads across the bounds of the writes
/// before it and stalls, which costs more than all the rest of receiving a message
/// (`benches/batch.rs`).
#[derive(Clone)]
#[repr(u64)]
enum Repr {
    Inline(Block),
    /// A payload of its own: what a small message costs least in when it is taken off a [`crate::Batch`]. Two
    /// words instead of four, no count of references, no table of functions.
    Boxed(Box<[u8]>),
    Shared(Bytes),
}

/// An inline payload; the last octet is its length. Octets between the payload and the length
/// are unspecified: never shown, compared or sent as payload.
#[derive(Clone, Copy)]
pub(crate) struct Block([u8; INLINE + 1]);

impl Block {
    /// The payload is the first `len` octets of `data`.
    #[inline]
    fn new(data: &[u8; INLINE + 1], len: u8) -> Self {
        let mut block = *data;
        if let (Some(last), Some(to)) = (data.last_chunk::<8>(), block.last_chunk_mut::<8>()) {
            // The last word in one piece, with the length in its last octet.
            let last = u64::from_le_bytes(*last) << 8 >> 8;
            *to = (last | u64::from(len) << 56).to_le_bytes();
        }
        Self(block)
    }

    #[inline]
    pub(crate) const fn len(&self) -> u8 {
        self.0[INLINE]
    }

    /// The payload and what is behind it.
    #[inline]
    pub(crate) const fn data(&self) -> &[u8; INLINE + 1] {
        &self.0
    }
}

impl Frame {
    /// The largest payload, in bytes, that is kept inside the frame itself.
    pub const INLINE: usize = 39;

    /// An empty frame.
    #[must_use]
    pub const fn new() -> Self {
        Self(Repr::Inline(Block([0; INLINE + 1])))
    }

    /// A frame that refers to bytes living for the whole program: never allocates.
    #[must_use]
    pub const fn from_static(payload: &'static [u8]) -> Self {
        if payload.len() > INLINE {
            return Self(Repr::Shared(Bytes::from_static(payload)));
        }
        let mut data = [0; INLINE + 1];
        data[INLINE] = payload.len() as u8;
        let mut i = 0;
        while i < payload.len() {
            data[i] = payload[i];
            i += 1;
        }
        Self(Repr::Inline(Block(data)))
    }

    /// A frame with a copy of `payload`.
    #[inline]
    #[must_use]
    pub fn copy_from_slice(payload: &[u8]) -> Self {
        if payload.len() > INLINE {
            return Self(Repr::Shared(Bytes::copy_from_slice(payload)));
        }
        let mut data = [0; INLINE + 1];
        data[..payload.len()].copy_from_slice(payload);
        Self(Repr::Inline(Block::new(&data, payload.len() as u8)))
    }

    /// The payload as [`Bytes`]. Copies at most [`Frame::INLINE`] bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(_) => Bytes::copy_from_slice(&self),
            Repr::Boxed(bytes) => bytes.into(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// Whether the payload lives in the frame itself and owns no allocation.
    #[inline]
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        matches!(self.0, Repr::Inline(_))
    }

    /// The payload.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(block) => &block.0[..usize::from(block.len())],
            Repr::Boxed(bytes) => bytes,
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The first `len` bytes of `rest`, which fit inline. Copies a block of fixed size where
    /// `rest` is long enough: faster than a copy of variable length (`benches/batch.rs`). What
    /// comes along behind `len` is never shown.
    #[inline(always)]
    pub(crate) fn inline_from(rest: &[u8], len: u8) -> Self {
        Self(Repr::Inline(match rest.first_chunk() {
            Some(block) => Block::new(block, len),
            None => {
                let mut data = [0; INLINE + 1];
                data[..usize::from(len)].copy_from_slice(&rest[..usize::from(len)]);
                Block::new(&data, len)
            }
        }))
    }

    /// A copy of a payload that is too large to be inline, but small enough to be copied again with the frame.
    #[inline]
    pub(crate) fn boxed(payload: &[u8]) -> Self {
        debug_assert!(payload.len() > INLINE);
        Self(Repr::Boxed(payload.into()))
    }

    /// The inline payload.
    #[inline]
    pub(crate) fn as_inline(&self) -> Option<&Block> {
        match &self.0 {
            Repr::Inline(block) => Some(block),
            Repr::Boxed(_) | Repr::Shared(_) => None,
        }
    }

    /// The payload, if it is shared.
    #[inline]
    pub(crate) fn as_shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(_) | Repr::Boxed(_) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Frame {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Frame {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Frame {}

impl PartialOrd for Frame {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Frame {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Frame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `[u8]` hashes, which `Borrow<[u8]>` demands.
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_payload(self, f)
    }
}

/// Text in quotes when it is printable, else hexadecimal; long payloads are cut, with their length.
fn fmt_payload(payload: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const TEXT: usize = 64;
    const HEX: usize = 32;
    let printable = |text: &str| {
        text.chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
    };
    match std::str::from_utf8(payload) {
        Ok(text) if printable(text) => {
            if payload.len() <= TEXT {
                write!(f, "{text:?}")
            } else {
                let cut = (TEXT - 3..=TEXT)
                    .rev()
                    .find(|at| text.is_char_boundary(*at));
                let text = &text[..cut.unwrap_or(0)];
                write!(f, "{text:?}… ({} bytes)", payload.len())
            }
        }
        _ => {
            f.write_str("0x")?;
            for byte in payload.iter().take(HEX) {
                write!(f, "{byte:02x}")?;
            }
            if payload.len() > HEX {
                write!(f, "… ({} bytes)", payload.len())?;
            }
            Ok(())
        }
    }
}

impl From<Bytes> for Frame {
    #[inline]
    fn from(payload: Bytes) -> Self {
        if payload.len() > INLINE {
            Self(Repr::Shared(payload))
        } else {
            Self::copy_from_slice(&payload)
        }
    }
}

impl From<BytesMut> for Frame {
    #[inline]
    fn from(payload: BytesMut) -> Self {
        if payload.len() > INLINE {
            Self(Repr::Shared(payload.freeze()))
        } else {
            Self::copy_from_slice(&payload)
        }
    }
}

impl From<Vec<u8>> for Frame {
    #[inline]
    fn from(payload: Vec<u8>) -> Self {
        if payload.len() > INLINE {
            Self(Repr::Shared(Bytes::from(payload)))
        } else {
            Self::copy_from_slice(&payload)
        }
    }
}

impl From<Box<[u8]>> for Frame {
    fn from(payload: Box<[u8]>) -> Self {
        Self::from(payload.into_vec())
    }
}

impl From<String> for Frame {
    #[inline]
    fn from(payload: String) -> Self {
        Self::from(payload.into_bytes())
    }
}

impl From<&String> for Frame {
    #[inline]
    fn from(payload: &String) -> Self {
        Self::copy_from_slice(payload.as_bytes())
    }
}

impl From<&str> for Frame {
    #[inline]
    fn from(payload: &str) -> Self {
        Self::copy_from_slice(payload.as_bytes())
    }
}

impl From<Cow<'_, str>> for Frame {
    fn from(payload: Cow<'_, str>) -> Self {
        match payload {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<Cow<'_, [u8]>> for Frame {
    fn from(payload: Cow<'_, [u8]>) -> Self {
        match payload {
            Cow::Borrowed(bytes) => Self::from(bytes),
            Cow::Owned(bytes) => Self::from(bytes),
        }
    }
}

impl From<&[u8]> for Frame {
    #[inline]
    fn from(payload: &[u8]) -> Self {
        Self::copy_from_slice(payload)
    }
}

impl From<&Vec<u8>> for Frame {
    #[inline]
    fn from(payload: &Vec<u8>) -> Self {
        Self::copy_from_slice(payload)
    }
}

impl<const N: usize> From<&[u8; N]> for Frame {
    #[inline]
    fn from(payload: &[u8; N]) -> Self {
        Self::copy_from_slice(payload)
    }
}

impl<const N: usize> From<[u8; N]> for Frame {
    #[inline]
    fn from(payload: [u8; N]) -> Self {
        Self::copy_from_slice(&payload)
    }
}

impl From<&Bytes> for Frame {
    #[inline]
    fn from(payload: &Bytes) -> Self {
        Self::from(payload.clone())
    }
}

impl From<&Frame> for Frame {
    #[inline]
    fn from(frame: &Frame) -> Self {
        frame.clone()
    }
}

impl From<Frame> for Bytes {
    fn from(frame: Frame) -> Self {
        frame.into_bytes()
    }
}

impl From<Frame> for Vec<u8> {
    fn from(frame: Frame) -> Self {
        match frame.0 {
            Repr::Inline(_) => frame.to_vec(),
            Repr::Boxed(bytes) => bytes.into_vec(),
            Repr::Shared(bytes) => bytes.into(),
        }
    }
}

/// A message: frames in order. Sent and received whole or not at all.
///
/// Everything that makes a [`Frame`] makes a message of one frame; arrays, vectors and
/// iterators of such things make a message of several.
///
/// ```
/// use zmtp::Message;
///
/// let one = Message::from("hello");
/// assert_eq!(one, "hello");
///
/// let two = Message::from(["topic", "body"]);
/// assert_eq!(two.len(), 2);
/// assert_eq!(&two[1], b"body");
/// ```
#[derive(Clone)]
pub struct Message(Frames);

#[derive(Clone)]
enum Frames {
    One(Frame),
    /// Any number but, where it can be helped, not one.
    Many(VecDeque<Frame>),
}

impl Message {
    /// A message without frames. It can't be sent until it has one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Frames::Many(VecDeque::new()))
    }

    /// The number of frames.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Frames::One(_) => 1,
            Frames::Many(frames) => frames.len(),
        }
    }

    /// Whether there is no frame at all. A message of one empty frame is not empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sum of the payload sizes, in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// The payload of frame `index`, counted from 0.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.frame(index).map(Frame::as_slice)
    }

    /// The payload of the first frame.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<&[u8]> {
        self.get(0)
    }

    /// The payload of the last frame.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).and_then(|last| self.get(last))
    }

    /// The payload of the first frame, which is the whole message when it has only one.
    /// Empty when there is no frame.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.first().unwrap_or(&[])
    }

    /// The first frame as text.
    ///
    /// # Errors
    /// When the payload is not UTF-8.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self.payload())
    }

    /// The payloads of all frames, in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            frames: self.frames(),
        }
    }

    /// Adds a frame at the end.
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        self.as_many(1).push_back(frame.into());
        self.settle();
    }

    /// Adds a frame in front of all others.
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        self.as_many(1).push_front(frame.into());
        self.settle();
    }

    /// Takes the first frame off.
    pub fn pop_front(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Frames::One(_) => match std::mem::take(self).0 {
                Frames::One(frame) => Some(frame),
                Frames::Many(_) => None,
            },
            Frames::Many(frames) => {
                let first = frames.pop_front();
                self.settle();
                first
            }
        }
    }

    /// Takes the last frame off.
    pub fn pop_back(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Frames::One(_) => self.pop_front(),
            Frames::Many(frames) => {
                let last = frames.pop_back();
                self.settle();
                last
            }
        }
    }

    /// The frames by value, in order.
    #[must_use]
    pub fn into_frames(self) -> IntoFrames {
        IntoFrames(match self.0 {
            Frames::One(frame) => IntoRepr::One(Some(frame)),
            Frames::Many(frames) => IntoRepr::Many(frames.into_iter()),
        })
    }

    #[inline]
    fn frame(&self, index: usize) -> Option<&Frame> {
        match &self.0 {
            Frames::One(frame) if index == 0 => Some(frame),
            Frames::One(_) => None,
            Frames::Many(frames) => frames.get(index),
        }
    }

    /// The only frame of a message that is stored as one: the common case.
    #[inline]
    pub(crate) fn as_one(&self) -> Option<&Frame> {
        match &self.0 {
            Frames::One(frame) => Some(frame),
            Frames::Many(_) => None,
        }
    }

    /// The only frame of a message that is stored as one, or all frames.
    #[inline]
    pub(crate) fn into_one(self) -> Result<Frame, VecDeque<Frame>> {
        match self.0 {
            Frames::One(frame) => Ok(frame),
            Frames::Many(frames) => Err(frames),
        }
    }

    /// One frame of a payload that is too large to be inline.
    #[inline]
    pub(crate) fn shared(payload: Bytes) -> Self {
        debug_assert!(payload.len() > INLINE);
        Self(Frames::One(Frame(Repr::Shared(payload))))
    }

    pub(crate) fn frames(&self) -> FrameIter<'_> {
        match &self.0 {
            Frames::One(frame) => FrameIter::One(Some(frame)),
            Frames::Many(frames) => FrameIter::Many(frames.iter()),
        }
    }

    /// Back to the allocation-free form when one frame is left.
    fn settle(&mut self) {
        if let Frames::Many(frames) = &mut self.0
            && frames.len() == 1
            && let Some(frame) = frames.pop_front()
        {
            self.0 = Frames::One(frame);
        }
    }

    fn as_many(&mut self, extra: usize) -> &mut VecDeque<Frame> {
        if let Frames::One(frame) = &mut self.0 {
            let frame = std::mem::take(frame);
            let mut frames = VecDeque::with_capacity(1 + extra.max(1));
            frames.push_back(frame);
            self.0 = Frames::Many(frames);
        }
        match &mut self.0 {
            Frames::Many(frames) => frames,
            Frames::One(_) => unreachable!("turned into Many above"),
        }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Index<usize> for Message {
    type Output = [u8];

    /// The payload of frame `index`. Panics when there is no such frame; see [`Message::get`].
    fn index(&self, index: usize) -> &[u8] {
        match self.get(index) {
            Some(payload) => payload,
            None => panic!("frame {index} of a message of {} frames", self.len()),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")?;
        f.debug_list().entries(self.frames()).finish()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for payload in self.iter() {
            payload.hash(state);
        }
    }
}

/// Comparisons with payloads: for messages, true when the message is exactly that one frame.
macro_rules! compare_with {
    ($([$($param:tt)*] $type:ty;)*) => {$(
        impl<$($param)*> PartialEq<$type> for Frame {
            fn eq(&self, other: &$type) -> bool {
                self.as_slice() == AsRef::<[u8]>::as_ref(other)
            }
        }
        impl<$($param)*> PartialEq<Frame> for $type {
            fn eq(&self, other: &Frame) -> bool {
                other == self
            }
        }
        impl<$($param)*> PartialEq<$type> for Message {
            fn eq(&self, other: &$type) -> bool {
                self.len() == 1 && self.payload() == AsRef::<[u8]>::as_ref(other)
            }
        }
        impl<$($param)*> PartialEq<Message> for $type {
            fn eq(&self, other: &Message) -> bool {
                other == self
            }
        }
    )*};
}

compare_with! {
    [] [u8];
    [] &[u8];
    [] str;
    [] &str;
    [] String;
    [] Vec<u8>;
    [] Bytes;
    [] BytesMut;
    [const N: usize] [u8; N];
    [const N: usize] &[u8; N];
}

impl PartialEq<Frame> for Message {
    fn eq(&self, other: &Frame) -> bool {
        self.len() == 1 && self.payload() == other.as_slice()
    }
}

impl PartialEq<Message> for Frame {
    fn eq(&self, other: &Message) -> bool {
        other == self
    }
}

/// One frame from everything that makes a frame.
macro_rules! message_from {
    ($([$($param:tt)*] $type:ty;)*) => {$(
        impl<$($param)*> From<$type> for Message {
            #[inline]
            fn from(payload: $type) -> Self {
                Self(Frames::One(Frame::from(payload)))
            }
        }
    )*};
}

message_from! {
    [] Frame;
    [] &Frame;
    [] Bytes;
    [] &Bytes;
    [] BytesMut;
    [] Vec<u8>;
    [] &Vec<u8>;
    [] Box<[u8]>;
    [] String;
    [] &String;
    [] &str;
    [] Cow<'_, str>;
    [] Cow<'_, [u8]>;
    [] &[u8];
    [const N: usize] &[u8; N];
    [const N: usize] [u8; N];
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

impl<T: Into<Frame>, const N: usize> From<[T; N]> for Message {
    fn from(frames: [T; N]) -> Self {
        frames.into_iter().collect()
    }
}

impl<T: Into<Frame>> From<Vec<T>> for Message {
    fn from(frames: Vec<T>) -> Self {
        frames.into_iter().collect()
    }
}

impl<T: Into<Frame>> FromIterator<T> for Message {
    fn from_iter<I: IntoIterator<Item = T>>(frames: I) -> Self {
        let mut frames = frames.into_iter().map(Into::into);
        let Some(first) = frames.next() else {
            return Self::new();
        };
        let Some(second) = frames.next() else {
            return Self(Frames::One(first));
        };
        let mut many = VecDeque::with_capacity(2 + frames.size_hint().0);
        many.push_back(first);
        many.push_back(second);
        many.extend(frames);
        Self(Frames::Many(many))
    }
}

impl<T: Into<Frame>> Extend<T> for Message {
    fn extend<I: IntoIterator<Item = T>>(&mut self, frames: I) {
        let frames = frames.into_iter();
        let extra = frames.size_hint().0;
        self.as_many(extra).extend(frames.map(Into::into));
        self.settle();
    }
}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = IntoFrames;

    fn into_iter(self) -> IntoFrames {
        self.into_frames()
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum FrameIter<'a> {
    One(Option<&'a Frame>),
    Many(vec_deque::Iter<'a, Frame>),
}

impl<'a> Iterator for FrameIter<'a> {
    type Item = &'a Frame;

    #[inline]
    fn next(&mut self) -> Option<&'a Frame> {
        match self {
            Self::One(frame) => frame.take(),
            Self::Many(frames) => frames.next(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self {
            Self::One(frame) => usize::from(frame.is_some()),
            Self::Many(frames) => frames.len(),
        };
        (left, Some(left))
    }
}

impl DoubleEndedIterator for FrameIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(frame) => frame.take(),
            Self::Many(frames) => frames.next_back(),
        }
    }
}

impl ExactSizeIterator for FrameIter<'_> {}

/// The payloads of a message's frames. Made by [`Message::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    frames: FrameIter<'a>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.frames.next().map(Frame::as_slice)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.frames.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.frames.next_back().map(Frame::as_slice)
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// The frames of a message by value. Made by [`Message::into_frames`].
#[derive(Debug)]
pub struct IntoFrames(IntoRepr);

#[derive(Debug)]
enum IntoRepr {
    One(Option<Frame>),
    Many(vec_deque::IntoIter<Frame>),
}

impl Iterator for IntoFrames {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        match &mut self.0 {
            IntoRepr::One(frame) => frame.take(),
            IntoRepr::Many(frames) => frames.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            IntoRepr::One(frame) => usize::from(frame.is_some()),
            IntoRepr::Many(frames) => frames.len(),
        };
        (left, Some(left))
    }
}

impl DoubleEndedIterator for IntoFrames {
    fn next_back(&mut self) -> Option<Frame> {
        match &mut self.0 {
            IntoRepr::One(frame) => frame.take(),
            IntoRepr::Many(frames) => frames.next_back(),
        }
    }
}

impl ExactSizeIterator for IntoFrames {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_messages_stay_small() {
        assert_eq!(size_of::<Frame>(), 48);
        assert_eq!(size_of::<Message>(), 48);
        assert_eq!(size_of::<Option<Message>>(), 48);
    }

    #[test]
    fn inline_up_to_the_limit_and_shared_beyond_for_every_source() {
        for len in [0, 1, INLINE, INLINE + 1, 300] {
            let payload = vec![7_u8; len];
            let frames = [
                Frame::from(payload.clone()),
                Frame::from(&payload[..]),
                Frame::from(Bytes::from(payload.clone())),
                Frame::from(BytesMut::from(&payload[..])),
                Frame::from(payload.clone().into_boxed_slice()),
                Frame::from(Cow::Borrowed(&payload[..])),
                Frame::from_static(payload.clone().leak()),
            ];
            for frame in frames {
                assert_eq!(frame.is_inline(), len <= INLINE, "{len}");
                assert_eq!(frame, payload);
                assert_eq!(frame.into_bytes(), payload);
            }
        }
    }

    #[test]
    fn conversions_people_expect_make_one_or_many_frames() {
        assert_eq!(Message::from("a").len(), 1);
        assert_eq!(Message::from(String::from("a")), "a");
        assert_eq!(Message::from(b"abc"), b"abc");
        assert_eq!(Message::from([1_u8, 2, 3]), [1_u8, 2, 3]);
        assert_eq!(Message::from(vec![1_u8, 2]), vec![1_u8, 2]);
        assert_eq!(Message::from(["a", "b"]).len(), 2);
        assert_eq!(Message::from(vec![Frame::from("a")]).len(), 1);
        assert_eq!(Message::from(vec!["a"; 3]).len(), 3);
        assert_eq!((0..4_u8).map(|i| [i]).collect::<Message>().len(), 4);
        assert!(Message::from(Vec::<Frame>::new()).is_empty());
        assert_ne!(Message::from(["a", "b"]), "a");
    }

    #[test]
    fn frames_go_in_and_out_at_both_ends() {
        let mut message = Message::new();
        assert_eq!(message.pop_front(), None);
        message.push_back("b");
        assert!(message.as_one().is_some());
        message.push_front("a");
        message.push_back("c");
        assert_eq!(message.iter().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        assert_eq!(message.iter().next_back(), Some(&b"c"[..]));
        assert_eq!(message.first(), Some(&b"a"[..]));
        assert_eq!(message.last(), Some(&b"c"[..]));
        assert_eq!(message.byte_len(), 3);
        assert_eq!(message.pop_front().unwrap(), "a");
        assert_eq!(message.pop_back().unwrap(), "c");
        assert!(message.as_one().is_some());
        message.extend(["d", "e"]);
        let frames: Vec<Frame> = message.into_iter().collect();
        assert_eq!(frames, ["b", "d", "e"]);
    }

    #[test]
    fn debug_shows_text_hex_and_cuts() {
        let message = Message::from([&b"hi"[..], &[0, 255], &[b'x'; 100], &[0; 100]]);
        let text = format!("{message:?}");
        assert!(text.starts_with("Message[\"hi\", 0x00ff, \"xxx"), "{text}");
        assert!(text.contains("… (100 bytes)"), "{text}");
    }
}
