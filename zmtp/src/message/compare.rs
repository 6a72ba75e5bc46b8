//! Frames and messages beside payloads of any type, so that tests and applications need no conversion.

use bytes::{Bytes, BytesMut};

use super::{Frame, Message};

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
