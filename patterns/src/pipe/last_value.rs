//! Conflation by topic: a lane in this mode keeps the newest message of each topic, which is the first frame.
//!
//! A message is encoded into the open batch like everywhere, and taken out of it again when the lane looks after its
//! bounds. It becomes part of a batch only when the reader takes what there is. So the way of a message through a
//! lane that does not conflate is untouched; here, a message costs about as much as receiving it.

use indexmap::IndexMap;
use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::byte_budget::Queued;
use super::lane::BY_REFERENCE;

/// What waits, in the order in which the topics came.
#[derive(Debug, Default)]
pub(super) struct Latest {
    waiting: IndexMap<Box<[u8]>, Waiting>,
    /// The next message is let in beyond the HWM, in case that it takes the place of another one.
    pub(super) beyond: bool,
}

/// A topic's newest message.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) message: Message,
    pub(super) expires: Option<Instant>,
    /// In wire form.
    pub(super) bytes: usize,
}

impl Latest {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a message, which is not kept if it is beyond the HWM and of another topic than all that wait. Gives what
    /// is dropped for it, or it.
    pub(super) fn put(&mut self, new: Waiting) -> Result<Option<Waiting>, Waiting> {
        let beyond = std::mem::take(&mut self.beyond);
        match self.waiting.get_mut(topic(&new.message)) {
            Some(old) => Ok(Some(std::mem::replace(old, new))),
            None if beyond => Err(new),
            None => {
                self.waiting.insert(topic(&new.message).into(), new);
                Ok(None)
            }
        }
    }

    /// Keeps messages that were taken and have come back, of topics that nothing newer has come of. Says how many are
    /// not kept.
    pub(super) fn put_back(&mut self, mut batch: Batch, expires: Option<Instant>) -> usize {
        let newer = std::mem::take(&mut self.waiting);
        let mut stale = 0;
        loop {
            let before = batch.byte_len();
            let Some(message) = batch.pop() else {
                break;
            };
            let topic = Box::from(topic(&message));
            if newer.contains_key(&topic) {
                stale += 1;
                continue;
            }
            let bytes = before - batch.byte_len();
            let waiting = Waiting {
                message,
                expires,
                bytes,
            };
            self.waiting.insert(topic, waiting);
        }
        self.waiting.extend(newer);
        stale
    }

    /// Drops what `is_over` says so of. Gives the number of messages and their bytes.
    pub(super) fn expire(&mut self, is_over: impl Fn(Option<Instant>) -> bool) -> (usize, usize) {
        let (mut messages, mut bytes) = (0, 0);
        self.waiting.retain(|_, waiting| {
            let over = is_over(waiting.expires);
            if over {
                messages += 1;
                bytes += waiting.bytes;
            }
            !over
        });
        (messages, bytes)
    }

    /// All that waits, as a batch.
    pub(super) fn take(&mut self, mut batch: Batch) -> Option<Queued> {
        if self.waiting.is_empty() {
            return None;
        }
        let mut expires = None;
        for (_, waiting) in self.waiting.drain(..) {
            batch.push_owned(waiting.message, BY_REFERENCE);
            expires = expires.max(waiting.expires);
        }
        Some(Queued { batch, expires })
    }
}

fn topic(message: &Message) -> &[u8] {
    message.first().unwrap_or_default()
}
