//! One message for several pipes: encoded once, the same bytes for all.

use zmtp::{Batch, Message};

use crate::pipe::{BY_REFERENCE, PipeWriter, Refused};

/// A message on its way to a known number of pipes.
pub(super) enum Copies<'a> {
    /// To one pipe: straight into it.
    Single(&'a mut Message),
    /// To several.
    Encoded(&'a Batch),
}

impl<'a> Copies<'a> {
    /// `buffer` is empty, and to be cleared afterwards.
    pub(super) fn new(message: &'a mut Message, pipes: usize, buffer: &'a mut Batch) -> Self {
        if pipes == 1 {
            return Copies::Single(message);
        }
        buffer.push_from(message, BY_REFERENCE);
        Copies::Encoded(buffer)
    }

    #[inline]
    pub(super) fn push(&mut self, writer: &mut PipeWriter) -> Result<(), Refused> {
        match self {
            Copies::Single(message) => writer.push(message),
            Copies::Encoded(batch) => writer.push_encoded(batch),
        }
    }
}
