//! Where the messages to send come from.

use purezmq::Message;

use crate::Failure;
use crate::args::{Args, Payload};
use crate::stamps::Stamps;

/// Makes the same message again and again.
pub(crate) struct Source {
    payload: Vec<u8>,
    /// For shared payloads: cloning it counts a reference, and copies nothing that is not inline.
    prototype: Option<Message>,
}

impl Source {
    pub(crate) fn new(args: &Args) -> Self {
        Self::with_payload(args, vec![b'x'; args.size])
    }

    /// The first byte says which of several senders it was.
    pub(crate) fn numbered(args: &Args, number: u8) -> Self {
        let mut payload = vec![b'x'; args.size];
        payload[0] = number;
        Self::with_payload(args, payload)
    }

    fn with_payload(args: &Args, payload: Vec<u8>) -> Self {
        let prototype = match args.payload {
            Payload::Shared => Some(Message::from(payload.clone())),
            Payload::Copy => None,
        };
        Source { payload, prototype }
    }

    #[inline(always)]
    pub(crate) fn next(&self) -> Message {
        match &self.prototype {
            Some(message) => message.clone(),
            None => Message::from(&self.payload[..]),
        }
    }
}

/// Makes messages with a number each, and with the time at which it is due if there is a rate. Loops over these are
/// apart from those over a [`Source`], which must cost nothing for it.
pub(crate) struct Numbered {
    payload: Vec<u8>,
    stamps: Stamps,
}

impl Numbered {
    pub(crate) fn new(args: &Args) -> Self {
        Numbered {
            payload: vec![b'x'; args.size],
            stamps: Stamps::new(args),
        }
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Message {
        self.stamps.fill(&mut self.payload);
        Message::from(&self.payload[..])
    }

    /// Waits until the next message is due. It is made by who sends it: one that goes through futures is moved, which is half
    /// as much work as sending it.
    #[inline(always)]
    pub(crate) async fn due(&mut self) -> Result<(), Failure> {
        match self.stamps.is_early() {
            true => self.stamps.wait().await,
            false => Ok(()),
        }
    }

    /// The same for a thread.
    pub(crate) fn block(&mut self) -> Result<Message, Failure> {
        self.stamps.block()?;
        Ok(self.next())
    }
}
