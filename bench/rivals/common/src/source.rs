//! The messages that a sender sends, in a rival's own type of payload `B`: one shared body, or a copy for each.

use crate::args::Args;
use crate::stamp::Stamps;

/// A sender's messages.
pub struct Source<B> {
    data: Vec<u8>,
    body: B,
    shared: bool,
    /// Numbers and dates them, if that is asked for.
    pub stamps: Option<Stamps>,
}

impl<B: Clone + From<Vec<u8>>> Source<B> {
    pub fn new(a: &Args) -> Self {
        let data = a.payload();
        Source { body: B::from(data.clone()), data, shared: a.shared && !a.sequence, stamps: Stamps::new(a) }
    }

    /// The next message.
    #[inline]
    pub fn next(&mut self) -> B {
        if let Some(stamps) = &mut self.stamps {
            stamps.fill(&mut self.data);
        }
        if self.shared {
            self.body.clone()
        } else {
            B::from(self.data.clone())
        }
    }

    /// The next message, when it is due.
    #[inline]
    pub fn wait(&mut self) -> B {
        if let Some(stamps) = &mut self.stamps {
            stamps.wait();
        }
        self.next()
    }

    /// The same for a task on a tokio runtime.
    #[cfg(feature = "tokio")]
    #[inline]
    pub async fn waited(&mut self) -> B {
        if let Some(stamps) = &mut self.stamps {
            stamps.waited().await;
        }
        self.next()
    }
}
