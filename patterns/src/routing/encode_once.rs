//! One message for several pipes: encoded once, the same bytes for all.

use zmtp::{Batch, Message};

use crate::pipe::{BY_REFERENCE, PipeWriter, Refused};

/// A message on its way to a known number of pipes.
pub(super) enum EncodeOnce<'a> {
    /// To one pipe: straight into it.
    Single(&'a mut Message),
    /// To several.
    Encoded(&'a Batch),
}

impl<'a> EncodeOnce<'a> {
    /// `buffer` is empty, and to be cleared afterwards.
    pub(super) fn new(message: &'a mut Message, pipes: usize, buffer: &'a mut Batch) -> Self {
        if pipes == 1 {
            return EncodeOnce::Single(message);
        }
        buffer.push_from(message, BY_REFERENCE);
        EncodeOnce::Encoded(buffer)
    }

    #[inline]
    pub(super) fn push(&mut self, writer: &mut PipeWriter) -> Result<(), Refused> {
        match self {
            EncodeOnce::Single(message) => writer.push(message),
            EncodeOnce::Encoded(batch) => writer.push_encoded(batch),
        }
    }
}
