//! [`Envelope`]: the frames in front of a message's body, up to and including the empty one (RFC 28,
//! "The request-reply envelope"). The request and reply sockets put it around what the application sends,
//! and take it off what it receives, without making messages of several frames on the way.

use std::fmt;

use bytes::BytesMut;

use crate::wire::frame::{self, Header};

/// Holds the frames in front of a message's body, in the form in which they go over the wire.
///
/// ```
/// use purezmq_zmtp::{Batch, Envelope, Message};
///
/// let mut envelope = Envelope::default();
/// envelope.push(b"address");
/// envelope.push(b"");
/// let mut batch = Batch::new();
/// batch.push_enveloped(&envelope, &mut Message::from("body"), usize::MAX);
///
/// let mut read = Envelope::default();
/// assert_eq!(batch.pop_enveloped(&mut read), Some(Some(Message::from("body"))));
/// assert_eq!(read, envelope);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Every frame has its MORE flag, and a header as short as can be.
    wire: BytesMut,
}

impl Envelope {
    /// Adds a frame at the end.
    pub fn push(&mut self, payload: &[u8]) {
        frame::put_header(&mut self.wire, frame::MORE, payload.len());
        self.wire.extend_from_slice(payload);
    }

    /// Takes all frames out and keeps the buffer.
    pub fn clear(&mut self) {
        self.wire.clear();
    }

    /// Returns the payloads of the frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let header = Header::parse(rest)?;
            let end = header.size + header.len as usize;
            let payload = rest.get(header.size..end)?;
            rest = &rest[end..];
            Some(payload)
        })
    }

    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Takes over the frames at the front of `wire`, up to the first empty one, and says how many bytes they
    /// are. `None`: there is no such thing among whole frames with short headers.
    #[inline]
    pub(crate) fn read(&mut self, wire: &[u8]) -> Option<usize> {
        let mut end = 0;
        loop {
            let [frame::MORE, len, ..] = wire.get(end..)? else {
                return None;
            };
            end += 2 + usize::from(*len);
            if *len == 0 {
                break;
            }
        }
        self.wire.clear();
        self.wire.extend_from_slice(wire.get(..end)?);
        Some(end)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}
