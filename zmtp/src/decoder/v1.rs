//! The decoder's way through the frames of ZMTP 1.0.

use bytes::{Buf, Bytes};

use super::{Decoder, Found, LARGE};
use crate::error::{Error, Violation};
use crate::wire::frame::V1Header;

impl Decoder {
    /// Rewrites ZMTP 1.0 frames one by one; peers of that age are too rare for more.
    pub(super) fn find_v1(&mut self, budget: &mut usize) -> Result<Found, Error> {
        while *budget > 0 {
            let Some(header) = V1Header::parse(&self.chunk) else {
                return Ok(Found::Nothing);
            };
            let announced = header.len.ok_or(Violation::EmptyFrame)?;
            let open = self.open.add(announced, &self.limits)?;
            let len = announced as usize;
            if self.chunk.len() - header.size < len {
                if len >= LARGE {
                    self.chunk.advance(header.size);
                    self.out.put_header(header.more, len);
                    self.begin_body(len, header.more, false)?;
                }
                return Ok(Found::Nothing);
            }
            self.open = open;
            self.chunk.advance(header.size);
            if len >= LARGE {
                let payload = Bytes::copy_from_slice(&self.chunk[..len]);
                self.out.put_reference(header.more, payload);
            } else {
                self.out.put_frame(header.more, &self.chunk[..len]);
                // What it was written to may be as large as the chunk.
                self.out.cut_from(None, LARGE);
            }
            self.chunk.advance(len);
            if !header.more {
                self.end_message(budget);
            }
        }
        Ok(Found::Full)
    }
}
