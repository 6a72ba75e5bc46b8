//! Where the messages to send come from.

use common::*;
use omq_tokio::Message;

/// The message to send: inline when small, else one shared body or a copy.
pub(crate) struct Source {
    data: Vec<u8>,
    proto: Message,
    fresh: bool,
    stamps: Option<Stamps>,
}

impl Source {
    pub(crate) fn new(a: &Args) -> Source {
        let data = a.payload();
        let fresh = !a.shared || a.sequence || data.len() <= omq_tokio::message::MAX_INLINE_MESSAGE;
        Source { proto: Message::single(data.clone()), data, fresh, stamps: Stamps::new(a) }
    }

    /// The next message, when it is due.
    #[inline]
    pub(crate) fn due(&mut self) -> Message {
        if let Some(stamps) = &mut self.stamps {
            stamps.wait();
        }
        self.next()
    }

    /// The same for a task.
    #[inline]
    pub(crate) async fn due_async(&mut self) -> Message {
        if let Some(stamps) = &mut self.stamps {
            stamps.waited().await;
        }
        self.next()
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Message {
        if let Some(stamps) = &mut self.stamps {
            stamps.fill(&mut self.data);
        }
        if self.fresh {
            Message::from_slice(&self.data)
        } else {
            self.proto.clone()
        }
    }
}
