//! Large bodies on their way in: each has a buffer of its own, which grows as bytes arrive, and may fail to.

use bytes::BytesMut;

use super::{Decoder, MIN_CHUNK};
use crate::error::{Error, LimitExceeded};

/// Bounds from below what the buffer of a body reserves, in bytes, if the body is that long.
pub(super) const BODY_STEP: usize = 64 * 1024;

/// Makes an allocation of at least this many bytes one that may fail. Where less cannot be had, nothing goes on anyway.
pub(super) const MAY_FAIL: usize = 1024 * 1024;

/// Holds a large body on its way in.
pub(super) struct Body {
    pub(super) buffer: BytesMut,
    /// The size of its allocation, at least.
    pub(super) size: usize,
    pub(super) len: usize,
    pub(super) more: bool,
    pub(super) command: bool,
}

impl Body {
    /// Returns how many bytes are reserved next, when the buffer is full: no more than have come.
    pub(super) fn ahead(&self) -> usize {
        let missing = self.len - self.buffer.len();
        missing.min(BODY_STEP.max(self.buffer.len()))
    }

    /// Fails if the buffer has to grow, and cannot.
    pub(super) fn check_memory(&self) -> Result<(), Error> {
        if self.buffer.capacity() > self.buffer.len() {
            return Ok(());
        }
        check_memory(self.buffer.len() + self.ahead())
    }
}

/// Fails if so many bytes cannot be had: allocating them would end the process.
pub(super) fn check_memory(size: usize) -> Result<(), Error> {
    if size < MAY_FAIL {
        return Ok(());
    }
    let mut trial = Vec::<u8>::new();
    trial
        .try_reserve_exact(size)
        .map_err(|_| LimitExceeded::Memory { size: size as u64 }.into())
}

impl Decoder {
    /// Gives a body that is partly in the chunk, all of which is its own, a buffer.
    pub(super) fn begin_body(
        &mut self,
        len: usize,
        more: bool,
        command: bool,
    ) -> Result<(), Error> {
        let ahead = BODY_STEP.max(self.chunk.len()).max(self.proven);
        let size = len.min(self.chunk.len() + ahead);
        let (mut buffer, size) = match self.pool.reuse(size, size, &mut self.keeping) {
            Some(free) => free,
            None => {
                check_memory(size)?;
                (BytesMut::with_capacity(size), size)
            }
        };
        buffer.extend_from_slice(&self.chunk);
        self.chunk.clear();
        self.body = Some(Body {
            buffer,
            size,
            len,
            more,
            command,
        });
        Ok(())
    }

    /// Puts a complete body where it belongs; gives it back if it is a command's.
    pub(super) fn finish_body(&mut self, budget: &mut usize) -> Result<Option<BytesMut>, Error> {
        let Some(mut body) = self.body.take() else {
            return Ok(None);
        };
        if body.command {
            return Ok(Some(body.buffer));
        }
        self.proven = self.proven.max(body.len);
        // Large messages come in rows: the next one shall find the chunk short, and most of it go
        // straight to where it stays. The chunk grows again as soon as small ones fill it.
        self.read_size = MIN_CHUNK;
        self.open = self.open.add(body.len as u64, &self.limits)?;
        let payload = body.buffer.split().freeze();
        self.pool
            .give(body.buffer, body.size, None, &mut self.keeping);
        self.out.put_body(payload);
        if !body.more {
            self.end_message(budget);
        }
        Ok(None)
    }
}
