//! What a whole message turns into, if it has the right number of frames.

use std::fmt;

use bytes::Bytes;

use super::{Frame, Message};

/// A message is not what it was to be turned into. It comes back.
#[derive(Clone, PartialEq, Eq)]
pub struct NotConverted {
    message: Message,
    /// How many frames it was to have.
    frames: usize,
}

impl NotConverted {
    /// Returns the message.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl fmt::Display for NotConverted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.len() {
            frames if frames == self.frames => f.write_str("the message is not UTF-8 text"),
            1 => write!(f, "the message has 1 frame, not {}", self.frames),
            frames => write!(f, "the message has {frames} frames, not {}", self.frames),
        }
    }
}

/// The text, which is what a `main` prints that returns the error.
impl fmt::Debug for NotConverted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NotConverted {}

impl<const N: usize> TryFrom<Message> for [Frame; N] {
    type Error = NotConverted;

    fn try_from(message: Message) -> Result<Self, NotConverted> {
        if message.len() != N {
            return Err(NotConverted { message, frames: N });
        }
        let mut frames = message.into_frames();
        // There are as many as was looked at: the default is never needed.
        Ok(std::array::from_fn(|_| frames.next().unwrap_or_default()))
    }
}

/// A message of one frame.
impl TryFrom<Message> for Bytes {
    type Error = NotConverted;

    fn try_from(message: Message) -> Result<Self, NotConverted> {
        <[Frame; 1]>::try_from(message).map(|[frame]| frame.into())
    }
}

/// A message of one frame.
impl TryFrom<Message> for Vec<u8> {
    type Error = NotConverted;

    fn try_from(message: Message) -> Result<Self, NotConverted> {
        <[Frame; 1]>::try_from(message).map(|[frame]| frame.into())
    }
}

/// A message of one frame that is UTF-8.
impl TryFrom<Message> for String {
    type Error = NotConverted;

    fn try_from(message: Message) -> Result<Self, NotConverted> {
        let text = String::from_utf8(Vec::try_from(message)?);
        text.map_err(|error| NotConverted {
            message: error.into_bytes().into(),
            frames: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_one_frame_becomes_text_and_bytes() {
        for text in ["", "short", &"long ".repeat(100)] {
            let message = Message::from(text);
            assert_eq!(String::try_from(message.clone()).unwrap(), text);
            assert_eq!(Vec::try_from(message.clone()).unwrap(), text.as_bytes());
            assert_eq!(Bytes::try_from(message).unwrap(), text);
        }
    }

    #[test]
    fn a_message_that_is_something_else_comes_back() {
        let two = Message::from(["a", "b"]);
        let error = String::try_from(two.clone()).unwrap_err();
        assert_eq!(error.to_string(), "the message has 2 frames, not 1");
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(error.into_message(), two);
        assert!(Bytes::try_from(Message::new()).is_err());
        let error = <[Frame; 2]>::try_from(Message::from("a")).unwrap_err();
        assert_eq!(error.to_string(), "the message has 1 frame, not 2");
        let error = String::try_from(Message::from([0xff, 0xfe])).unwrap_err();
        assert_eq!(error.to_string(), "the message is not UTF-8 text");
        assert_eq!(error.into_message(), Message::from([0xff, 0xfe]));
    }

    #[test]
    fn frames_of_unlike_types_make_a_message_and_come_out_of_it() {
        let message = Message::from(("topic", vec![1, 2], Bytes::from_static(b"end")));
        assert_eq!(message, Message::from([&b"topic"[..], &[1, 2], b"end"]));
        assert_eq!(message.frame(1).unwrap(), &[1, 2][..]);
        assert_eq!(message.frame(3), None);
        let [topic, payload, end] = message.try_into().unwrap();
        assert_eq!(
            (&*topic, &*payload, &*end),
            (&b"topic"[..], &[1, 2][..], &b"end"[..])
        );
    }
}
