//! [`Message`] and [`Frame`]: what applications send and receive (RFC 37, "Messages").
//!
//! A message is one or more frames, a frame is bytes. Nothing here knows the wire:
//! [`crate::Batch`] writes messages into wire form and reads them back.
//!
//! Payloads of up to [`Frame::INLINE`] bytes live inside the frame, larger ones in a
//! reference-counted [`Bytes`], except for small ones that were received: these are boxed. So a small
//! message of one frame costs no allocation, and cloning a message never copies a large payload. Invariant: a frame is inline exactly
//! when its payload has at most `INLINE` bytes; [`crate::Batch::pop`] relies on it.
//!
//! ```text
//! frame.rs      one frame: a payload, inside the frame itself, boxed, or shared
//! convert.rs    what makes frames and messages, and what they turn into
//! compare.rs    frames and messages beside payloads
//! iter.rs       the frames of a message, one after the other
//! ```

mod compare;
mod convert;
mod frame;
mod into;
mod iter;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;
use std::str::Utf8Error;

use bytes::{Buf, Bytes};

pub(crate) use self::frame::Block;
pub use self::frame::Frame;
use self::frame::Repr;
pub use self::into::NotConverted;
pub(crate) use self::iter::FrameIter;
use self::iter::IntoRepr;
pub use self::iter::{IntoFrames, Iter};

const INLINE: usize = Frame::INLINE;

/// Holds frames in order: a message. Sent and received whole or not at all.
///
/// Everything that makes a [`Frame`] makes a message of one frame; arrays, vectors and
/// iterators of such things make a message of several.
///
/// ```
/// use purezmq_zmtp::Message;
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
    /// Makes a message without frames. It can't be sent until it has one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Frames::Many(VecDeque::new()))
    }

    /// Returns the number of frames.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Frames::One(_) => 1,
            Frames::Many(frames) => frames.len(),
        }
    }

    /// Returns whether there is no frame at all. A message of one empty frame is not empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the sum of the payload sizes, in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// Returns the payload of frame `index`, counted from 0.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.frame(index).map(Frame::as_slice)
    }

    /// Returns the payload of the first frame.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<&[u8]> {
        self.get(0)
    }

    /// Returns the payload of the last frame.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).and_then(|last| self.get(last))
    }

    /// Returns the payload of the first frame, which is the whole message when it has only one.
    /// Empty when there is no frame.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.first().unwrap_or(&[])
    }

    /// Returns the first frame as text.
    ///
    /// # Errors
    /// When the payload is not UTF-8.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self.payload())
    }

    /// Iterates over the payloads of all frames, in order.
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

    /// Takes the message apart into its frames, in order.
    #[must_use]
    pub fn into_frames(self) -> IntoFrames {
        IntoFrames(match self.0 {
            Frames::One(frame) => IntoRepr::One(Some(frame)),
            Frames::Many(frames) => IntoRepr::Many(frames.into_iter()),
        })
    }

    /// Returns frame `index`, counted from 0.
    #[inline]
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<&Frame> {
        match &self.0 {
            Frames::One(frame) if index == 0 => Some(frame),
            Frames::One(_) => None,
            Frames::Many(frames) => frames.get(index),
        }
    }

    /// Returns the only frame of a message that is stored as one: the common case.
    #[inline]
    pub(crate) fn as_one(&self) -> Option<&Frame> {
        match &self.0 {
            Frames::One(frame) => Some(frame),
            Frames::Many(_) => None,
        }
    }

    /// Lends the only frame of a message that is stored as one.
    #[inline]
    pub(crate) fn as_one_mut(&mut self) -> Option<&mut Frame> {
        match &mut self.0 {
            Frames::One(frame) => Some(frame),
            Frames::Many(_) => None,
        }
    }

    /// Returns the only frame of a message that is stored as one, or all frames.
    #[inline]
    pub(crate) fn into_one(self) -> Result<Frame, VecDeque<Frame>> {
        match self.0 {
            Frames::One(frame) => Ok(frame),
            Frames::Many(frames) => Err(frames),
        }
    }

    /// Makes a message of one frame whose payload is too large to be inline.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn shared(payload: Bytes) -> Self {
        debug_assert!(payload.len() > INLINE);
        Self(Frames::One(Frame(Repr::Shared(payload))))
    }

    /// Returns the payload of the first frame, without the moves that taking a message apart frame by frame costs.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn into_payload(self) -> Bytes {
        match self.0 {
            Frames::One(Frame(Repr::Shared(payload))) => payload,
            Frames::One(frame) => frame.into_bytes(),
            Frames::Many(mut frames) => frames.pop_front().unwrap_or_default().into_bytes(),
        }
    }

    /// Makes a message of one frame whose payload has an allocation of its own. Does not copy it.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn boxed(payload: Box<[u8]>) -> Self {
        Self(Frames::One(Frame(Repr::Boxed(payload))))
    }

    /// Moves the message to where it is to stay, one word of a shared payload after the other.
    ///
    /// A clone of a shared payload has just been written, word by word, by code that the compiler does not see. It moves a
    /// message in pieces of two words, if it may. Each of them is then read across the bounds of two writes, for which a
    /// processor waits until both are through: longer than all the rest of sending a small message takes.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn settled(self) -> Self {
        match self.0 {
            Frames::One(Frame(Repr::Shared(mut payload))) => {
                // By nothing, as no payload is so long. The compiler does not know that: so it has each word in a register.
                payload.advance(payload.len() >> (usize::BITS - 1));
                Self::shared(payload)
            }
            other => Self(other),
        }
    }

    pub(crate) fn frames(&self) -> FrameIter<'_> {
        match &self.0 {
            Frames::One(frame) => FrameIter::One(Some(frame)),
            Frames::Many(frames) => FrameIter::Many(frames.iter()),
        }
    }

    /// Goes back to the allocation-free form when one frame is left.
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

    /// Returns the payload of frame `index`. Panics when there is no such frame; see [`Message::get`].
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::BytesMut;

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
