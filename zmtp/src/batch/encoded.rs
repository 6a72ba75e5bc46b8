//! A batch in the form of one connection, encrypted or of an older version, and back: called by
//! [`crate::Engine::encode`], and where a connection ends before all is written.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::{Batch, Encoded, Form};
use crate::wire::frame::{COMMAND, Header, MORE};

impl Batch {
    /// Rewrites every frame: `write` gets its flags (MORE and COMMAND), its payload and whether
    /// it is the first of its message, and appends what goes on the wire. Used where a
    /// connection does not speak 3.x messages. A batch of 3.x frames, commands or not, can go
    /// through this again.
    ///
    /// What is written goes into `spare`, whose memory becomes the batch's until [`Batch::reclaim`].
    pub(crate) fn rewrite(
        &mut self,
        spare: &mut BytesMut,
        mut write: impl FnMut(&mut BytesMut, u8, &[u8], bool),
    ) {
        /// Bounds what a frame may grow by, mechanism included.
        const GROWTH: usize = 48;
        spare.clear();
        spare.reserve(self.byte_len() + GROWTH * self.messages);
        let mut lengths = VecDeque::with_capacity(self.messages);
        let mut refs = self.refs.iter().peekable();
        let mut at = self.head;
        let mut from = 0;
        let mut first = true;
        while lengths.len() < self.messages {
            let Some(header) = self.wire.get(at..).and_then(Header::parse) else {
                break;
            };
            at += header.size;
            let payload = match refs.next_if(|(offset, _)| *offset == self.base + at as u64) {
                Some((_, payload)) => &payload[..],
                None => {
                    // All of it is in memory, so it fits a usize.
                    let end = at + header.len as usize;
                    let payload = &self.wire[at..end];
                    at = end;
                    payload
                }
            };
            write(spare, header.flags & (MORE | COMMAND), payload, first);
            first = !header.more();
            if first {
                lengths.push_back((spare.len() - from) as u64);
                from = spare.len();
            }
        }
        let encoded = Self {
            wire: std::mem::take(spare),
            messages: lengths.len(),
            ..Self::default()
        };
        self.become_encoded(encoded, lengths, spare);
    }

    /// Takes the headers away: what goes on the wire is payloads and nothing else. Large ones, which the batch refers to, are
    /// not copied. No frame may be empty.
    ///
    /// What is copied goes into `spare`, as by [`Batch::rewrite`].
    pub(crate) fn strip(&mut self, spare: &mut BytesMut) {
        spare.clear();
        spare.reserve(self.buffered());
        let mut lengths = VecDeque::with_capacity(self.messages);
        let mut bare = VecDeque::with_capacity(self.refs.len());
        let mut refs = self.refs.iter().peekable();
        let (mut at, mut len) = (self.head, 0);
        while lengths.len() < self.messages {
            let Some(header) = self.wire.get(at..).and_then(Header::parse) else {
                break;
            };
            at += header.size;
            match refs.next_if(|(offset, _)| *offset == self.base + at as u64) {
                Some((_, payload)) => bare.push_back((spare.len() as u64, payload.clone())),
                None => {
                    let end = at + header.len as usize;
                    spare.extend_from_slice(&self.wire[at..end]);
                    at = end;
                }
            }
            len += header.len;
            if !header.more() {
                lengths.push_back(std::mem::take(&mut len));
            }
        }
        let encoded = Self {
            wire: std::mem::take(spare),
            refs: bare,
            ref_bytes: self.ref_bytes,
            messages: lengths.len(),
            ..Self::default()
        };
        self.become_encoded(encoded, lengths, spare);
    }

    /// Takes the place of what it was encoded from.
    fn become_encoded(&mut self, encoded: Self, lengths: VecDeque<u64>, spare: &mut BytesMut) {
        let mut before = std::mem::replace(self, encoded);
        let origin = match std::mem::take(&mut before.form) {
            Form::Canonical => before,
            // The second time; what the first has made is not needed any more.
            Form::Encoded(first) => {
                *spare = before.wire;
                first.origin
            }
        };
        self.form = Form::Encoded(Box::new(Encoded { lengths, origin }));
    }

    /// Undoes [`crate::Engine::encode`]: the messages that are not completely written are back in the form that they
    /// had, for another connection. Does nothing to a batch that is not encoded. Call [`Batch::discard_partial`]
    /// first, unless a message that was partly written shall be sent once more.
    pub fn restore(&mut self) {
        let left = self.messages;
        if self.is_encoded() {
            self.restore_origin();
            self.truncate_front(self.messages - left);
        }
    }

    /// Undoes encoding of a batch that is written, and gives the memory that was used for it.
    pub(crate) fn reclaim(&mut self) -> Option<BytesMut> {
        if !self.is_encoded() || !self.is_empty() {
            return None;
        }
        let mut encoded = std::mem::take(&mut self.wire);
        encoded.clear();
        self.clear();
        Some(encoded)
    }

    #[cold]
    pub(super) fn restore_origin(&mut self) {
        if let Form::Encoded(encoded) = std::mem::take(&mut self.form) {
            *self = encoded.origin;
        }
    }
}
