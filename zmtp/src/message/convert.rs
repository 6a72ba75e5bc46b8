//! What makes a frame or a message, and what they turn into.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::frame::Repr;
use super::{Frame, Frames, INLINE, Message};

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

/// Makes one frame from everything that makes a frame.
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

/// Makes one message from frames of unlike types.
macro_rules! message_from_tuples {
    ($(($($frame:ident)*);)*) => {$(
        impl<$($frame: Into<Frame>),*> From<($($frame,)*)> for Message {
            #[allow(non_snake_case, reason = "a frame's name is that of its type")]
            fn from(($($frame,)*): ($($frame,)*)) -> Self {
                let mut message = Self::new();
                $(message.push_back($frame);)*
                message
            }
        }
    )*};
}

message_from_tuples! {
    (A B);
    (A B C);
    (A B C D);
    (A B C D E);
    (A B C D E F);
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
