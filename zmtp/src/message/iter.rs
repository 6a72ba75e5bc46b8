//! The frames of a message, one after the other.

use std::collections::vec_deque;

use super::{Frame, Message};

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

/// Iterates over the payloads of a message's frames. Made by [`Message::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    pub(super) frames: FrameIter<'a>,
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

/// Iterates over the frames of a message by value. Made by [`Message::into_frames`].
#[derive(Debug)]
pub struct IntoFrames(pub(super) IntoRepr);

#[derive(Debug)]
pub(super) enum IntoRepr {
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
