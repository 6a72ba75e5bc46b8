//! The frames of a batch, one after the other, where they lie: called for what goes out message by message, in datagrams,
//! and by whoever looks at what waits in a pipe.

use super::Batch;
use crate::wire::frame::Header;

/// Goes over the frames of whole messages, without taking them off.
pub(crate) struct Walk<'a> {
    batch: &'a Batch,
    /// Where the next header is, in the batch's buffer.
    at: usize,
    /// Which of the payloads that the batch refers to comes next.
    refs: usize,
    /// Messages that are not begun, and the one that is.
    messages: usize,
}

impl Batch {
    /// Begins at the first message. There is nothing to be seen of a batch that is encoded, or partly written.
    pub(crate) fn walk(&self) -> Walk<'_> {
        let is_whole = !self.is_encoded() && !self.cut && self.frame_left == 0;
        debug_assert!(is_whole, "only whole messages can be looked at");
        Walk {
            batch: self,
            at: self.head,
            refs: 0,
            messages: if is_whole { self.messages } else { 0 },
        }
    }
}

impl Batch {
    /// Iterates over the frames of all messages, where they lie: each with whether another one of its message follows.
    /// There is nothing to be seen of a batch that is encoded, or partly written.
    ///
    /// ```
    /// use purezmq_zmtp::{Batch, Message};
    ///
    /// let batch = Batch::from_iter([Message::from(["two", "frames"]), "one".into()]);
    /// let frames: Vec<_> = batch.frames().collect();
    /// assert_eq!(frames, [(&b"two"[..], true), (b"frames", false), (b"one", false)]);
    /// ```
    pub fn frames(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut walk = self.walk();
        std::iter::from_fn(move || walk.next_frame())
    }
}

impl<'a> Walk<'a> {
    /// Returns the next frame's payload, and whether another frame of the same message follows.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> Option<(&'a [u8], bool)> {
        if self.messages == 0 {
            return None;
        }
        let header = Header::parse(self.batch.wire.get(self.at..)?)?;
        self.at += header.size;
        self.messages -= usize::from(!header.more());
        let here = self.batch.base + self.at as u64;
        if let Some((offset, payload)) = self.batch.refs.get(self.refs)
            && *offset == here
        {
            self.refs += 1;
            return Some((payload, header.more()));
        }
        // All of it is in memory, so it fits a usize.
        let end = self.at.checked_add(header.len as usize)?;
        let payload = self.batch.wire.get(self.at..end)?;
        self.at = end;
        Some((payload, header.more()))
    }
}
