//! Where the messages to send come from.

use purezmq::Message;

use crate::Failure;
use crate::args::{Args, Payload};
use crate::stamps::Stamps;

/// Makes the same message again and again, but for its number and time where they are asked for.
pub(crate) struct Source {
    payload: Vec<u8>,
    kind: Kind,
}

enum Kind {
    /// Cloning it counts a reference, and copies nothing that is not inline.
    Shared(Message),
    Copied,
    Numbered(Box<Stamps>),
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
        let kind = match args.payload {
            _ if args.sequence => Kind::Numbered(Box::new(Stamps::new(args))),
            Payload::Shared => Kind::Shared(Message::from(payload.clone())),
            Payload::Copy => Kind::Copied,
        };
        Source { payload, kind }
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Message {
        match &mut self.kind {
            Kind::Shared(message) => return message.clone(),
            Kind::Copied => {}
            Kind::Numbered(stamps) => stamps.fill(&mut self.payload),
        }
        Message::from(&self.payload[..])
    }

    /// Waits until the next message is due. Without a rate it is always due.
    #[inline(always)]
    pub(crate) async fn due(&mut self) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Numbered(stamps) => stamps.wait().await,
            _ => Ok(()),
        }
    }

    /// The same for a thread.
    #[inline(always)]
    pub(crate) fn block(&mut self) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Numbered(stamps) => stamps.block(),
            _ => Ok(()),
        }
    }
}
