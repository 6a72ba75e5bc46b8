//! Conflation by topic: a lane in this mode keeps the newest message of each topic, which is the first frame.
//!
//! A message is encoded into the open batch like everywhere, and taken out of it again when the queue looks after its
//! policy. It becomes part of a batch only when the reader takes what there is. So the way of a message through a
//! lane that does not conflate is untouched; here, a message costs about as much as receiving it.

use std::collections::HashMap;

use tokio::time::Instant;
use zmtp::{Batch, Message};

use super::Policy;
use super::ttl::Ttl;
use crate::pipe::queued::{BY_REFERENCE, Queued};

/// The newest message of each topic, in the order in which the topics came.
#[derive(Debug, Default)]
pub(in crate::pipe) struct LastValues {
    waiting: Vec<Waiting>,
    /// Where each topic's message waits.
    places: HashMap<Box<[u8]>, usize>,
    /// The next message is beyond the HWM.
    beyond: bool,
}

/// What has become of messages, of which each might have taken the place of an older one.
#[derive(Debug, Default)]
pub(in crate::pipe) struct Kept {
    /// How many took such a place.
    pub(in crate::pipe) conflated: usize,
    /// How many were not let in.
    pub(in crate::pipe) refused: usize,
    /// Bytes of all of them.
    pub(in crate::pipe) came: usize,
    /// Bytes of those that were replaced or not let in.
    pub(in crate::pipe) dropped: usize,
}

/// A topic's newest message.
#[derive(Debug)]
struct Waiting {
    message: Message,
    expires: Option<Instant>,
    /// In wire form.
    bytes: usize,
}

impl LastValues {
    pub(in crate::pipe) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(in crate::pipe) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lets the next message in beyond the HWM, in case that it takes the place of another one.
    pub(in crate::pipe) fn let_one_beyond(&mut self) {
        self.beyond = true;
    }

    /// Keeps a message, which is not kept if it is beyond the HWM and of another topic than all that wait. Gives what
    /// is dropped for it, or it.
    fn put(&mut self, new: Waiting) -> Result<Option<Waiting>, Waiting> {
        let beyond = std::mem::take(&mut self.beyond);
        match self.places.get(topic(&new.message)) {
            Some(&place) => Ok(Some(std::mem::replace(&mut self.waiting[place], new))),
            None if beyond => Err(new),
            None => {
                self.append(new);
                Ok(None)
            }
        }
    }

    /// Keeps the first message of a topic.
    fn append(&mut self, new: Waiting) {
        let topic = topic(&new.message).into();
        self.places.insert(topic, self.waiting.len());
        self.waiting.push(new);
    }

    /// Keeps messages that were taken and have come back, of topics that nothing newer has come of. Returns how many are
    /// not kept, and the bytes of those that are.
    pub(in crate::pipe) fn put_back(
        &mut self,
        mut batch: Batch,
        expires: Option<Instant>,
    ) -> (usize, usize) {
        let newer = std::mem::take(&mut self.waiting);
        let places = std::mem::take(&mut self.places);
        let (mut stale, mut kept) = (0, 0);
        loop {
            let before = batch.byte_len();
            let Some(message) = batch.pop() else {
                break;
            };
            if places.contains_key(topic(&message)) {
                stale += 1;
                continue;
            }
            let bytes = before - batch.byte_len();
            kept += bytes;
            self.append(Waiting {
                message,
                expires,
                bytes,
            });
        }
        newer.into_iter().for_each(|newer| self.append(newer));
        (stale, kept)
    }

    /// Returns the bytes of all that waits.
    pub(in crate::pipe) fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.bytes).sum()
    }

    /// Drops what `is_over` says so of. Returns the number of messages and their bytes.
    pub(in crate::pipe) fn expire(
        &mut self,
        is_over: impl Fn(Option<Instant>) -> bool,
    ) -> (usize, usize) {
        let (mut messages, mut bytes) = (0, 0);
        self.waiting.retain(|waiting| {
            let over = is_over(waiting.expires);
            if over {
                messages += 1;
                bytes += waiting.bytes;
            }
            !over
        });
        if messages > 0 {
            self.places.clear();
            let left = std::mem::take(&mut self.waiting);
            left.into_iter().for_each(|left| self.append(left));
        }
        (messages, bytes)
    }

    /// Takes all that waits, as a batch.
    pub(in crate::pipe) fn take(&mut self, mut batch: Batch) -> Option<Queued> {
        if self.waiting.is_empty() {
            return None;
        }
        let mut expires = None;
        self.places.clear();
        for waiting in self.waiting.drain(..) {
            batch.push_owned(waiting.message, BY_REFERENCE);
            expires = expires.max(waiting.expires);
        }
        Some(Queued { batch, expires })
    }
}

impl Policy {
    /// Lets messages take the places of older ones of their topics.
    pub(in crate::pipe) fn keep_last_values(&mut self, batch: &mut Batch) -> Kept {
        let mut kept = Kept::default();
        loop {
            let before = batch.byte_len();
            let Some(message) = batch.pop() else {
                break;
            };
            let new = Waiting {
                message,
                expires: self.ttl.as_ref().map(Ttl::expires),
                bytes: before - batch.byte_len(),
            };
            kept.came += new.bytes;
            let dropped = match self.last_values().map(|values| values.put(new)) {
                None | Some(Ok(None)) => continue,
                Some(Ok(Some(old))) => {
                    kept.conflated += 1;
                    old
                }
                Some(Err(new)) => {
                    kept.refused += 1;
                    new
                }
            };
            kept.dropped += dropped.bytes;
        }
        kept
    }
}

fn topic(message: &Message) -> &[u8] {
    message.first().unwrap_or_default()
}
