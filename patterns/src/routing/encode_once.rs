//! One message for several pipes: encoded once, the same bytes for all.

use zmtp::{Batch, Message};

use crate::pipe::{BY_REFERENCE, PipeWriter, Refused};

/// A message on its way to a known number of pipes.
pub(super) enum EncodeOnce<'a> {
    /// To one pipe: straight into it.
    Single(&'a mut Message),
    /// To several. `shared`: the same with its payloads by reference, once a peer wants it that takes nothing.
    Encoded {
        message: &'a Batch,
        shared: Option<Box<Batch>>,
    },
}

impl<'a> EncodeOnce<'a> {
    /// `buffer` is empty, and to be cleared afterwards.
    pub(super) fn new(message: &'a mut Message, pipes: usize, buffer: &'a mut Batch) -> Self {
        if pipes == 1 {
            return EncodeOnce::Single(message);
        }
        buffer.push_from(message, BY_REFERENCE);
        EncodeOnce::Encoded {
            message: buffer,
            shared: None,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, writer: &mut PipeWriter) -> Result<(), Refused> {
        match self {
            EncodeOnce::Single(message) => writer.push(message),
            EncodeOnce::Encoded { message, shared } => writer.push_encoded(message, |from| {
                shared.get_or_insert_with(|| by_reference(message, from))
            }),
        }
    }
}

/// Returns a message with payloads of at least so many bytes in a form that many pipes can have without a copy.
#[cold]
fn by_reference(message: &Batch, from: usize) -> Box<Batch> {
    let mut copy = message.clone();
    let mut shared = Batch::new();
    while let Some(message) = copy.pop() {
        shared.push_owned(message, from);
    }
    Box::new(shared)
}
