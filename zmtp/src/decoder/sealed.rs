//! The decoder's way through the frames of an encrypted connection.
//!
//! Each frame is opened where it was read. What was in it is shorter than the frame, so the messages move together
//! at the front of the chunk, which is then cut as one of messages in the clear is:
//!
//! ```text
//! read    | sealed frame       | sealed frame       | part of a sealed fra|me still to come
//! opened  | frame | frame |  gap                    | part of a sealed fra|
//!         '- split off -'
//! ```
//! A frame that has a buffer of its own is opened there, and what was in it is the payload.

use bytes::{Buf, BytesMut};

use super::scan::{Open, check_command, frame_too_large};
use super::{Decoder, Found, LARGE, MIN_CHUNK};
use crate::error::Error;
use crate::limits::Limits;
use crate::mechanism::Mechanism;
use crate::wire::frame::{self, COMMAND, Header, MORE};

/// Bounds what a mechanism may add to a frame, in bytes.
const OVERHEAD: u64 = 256;

/// Says why the chunk was left.
enum Stop {
    Fail(Error),
    Input,
    Budget,
    Command(BytesMut),
    Large(usize),
}

impl Decoder {
    /// Goes on as [`Decoder::next`] does, on a connection on which `mechanism` must open every frame.
    pub(crate) fn next_sealed(
        &mut self,
        budget: &mut usize,
        join: bool,
        mechanism: &mut dyn Mechanism,
    ) -> Result<Found, Error> {
        let found = self.find_sealed(budget, join, mechanism)?;
        self.full = matches!(found, Found::Full);
        self.settle();
        Ok(found)
    }

    fn find_sealed(
        &mut self,
        budget: &mut usize,
        join: bool,
        mechanism: &mut dyn Mechanism,
    ) -> Result<Found, Error> {
        if *budget == 0 {
            return Ok(Found::Full);
        }
        if let Some(body) = &self.body {
            if body.buffer.len() < body.len {
                body.check_memory()?;
                return Ok(Found::Nothing);
            }
            if let Some(command) = self.open_body(budget, mechanism)? {
                return Ok(Found::Command(command));
            }
            if *budget == 0 {
                return Ok(Found::Full);
            }
        }
        let mut most = *budget;
        if !self.out.joins(&self.chunk) && !join {
            if !self.out.is_empty() {
                return Ok(Found::Full);
            }
            // The open message in `out` takes its rest by copy, but nothing behind that.
            most = most.min(1);
        }
        match self.open_chunk(budget, most, mechanism) {
            Stop::Fail(error) => Err(error),
            Stop::Input => Ok(Found::Nothing),
            Stop::Budget => Ok(Found::Full),
            Stop::Command(command) => Ok(Found::Command(command)),
            Stop::Large(len) => {
                self.begin_body(len, false, true)?;
                Ok(Found::Nothing)
            }
        }
    }

    /// Opens the whole frames in the chunk, until so many messages are found, and hands them over.
    fn open_chunk(
        &mut self,
        budget: &mut usize,
        most: usize,
        mechanism: &mut dyn Mechanism,
    ) -> Stop {
        let chunk = &mut self.chunk[..];
        // Sealed frames are read at `at`; the opened ones end at `end`, the last whole message among them at
        // `whole`.
        let (mut at, mut end, mut whole, mut messages) = (0, 0, 0, 0);
        let stop = loop {
            if messages == most {
                break Stop::Budget;
            }
            let Some(header) = Header::parse(&chunk[at..]) else {
                break Stop::Input;
            };
            if let Err(error) = check_sealed(header.len, &self.limits) {
                break Stop::Fail(error);
            }
            // The limit keeps the length far below the largest usize.
            let len = header.len as usize;
            let Some(body) = chunk[at + header.size..].get_mut(..len) else {
                if len < LARGE {
                    break Stop::Input;
                }
                at += header.size;
                break Stop::Large(len);
            };
            let (flags, from) = match mechanism.open(body) {
                Ok(opened) => opened,
                Err(error) => break Stop::Fail(error),
            };
            let payload = at + header.size + from..at + header.size + len;
            at = payload.end;
            if flags & COMMAND != 0 {
                break match check_command(payload.len() as u64, &self.limits) {
                    Ok(()) => Stop::Command(BytesMut::from(&chunk[payload])),
                    Err(error) => Stop::Fail(error),
                };
            }
            self.open = match self.open.add(payload.len() as u64, &self.limits) {
                Ok(open) => open,
                Err(error) => break Stop::Fail(error),
            };
            let (opened, size) = frame::header(flags & MORE, payload.len());
            chunk[end..end + size].copy_from_slice(&opened[..size]);
            end += size;
            let len = payload.len();
            chunk.copy_within(payload, end);
            end += len;
            if flags & MORE == 0 {
                self.open = Open::default();
                messages += 1;
                whole = end;
            }
        };
        *budget -= messages;
        if at > 0 {
            let mut opened = self.chunk.split_to(at);
            opened.truncate(end);
            if whole > 0 {
                self.put_piece(opened.split_to(whole), messages);
                self.mark = self.out.mark();
            }
            if !opened.is_empty() {
                self.put_piece(opened, 0);
            }
        }
        stop
    }

    /// Opens a frame that has a buffer of its own. Gives what was in it if that is a command.
    fn open_body(
        &mut self,
        budget: &mut usize,
        mechanism: &mut dyn Mechanism,
    ) -> Result<Option<BytesMut>, Error> {
        let Some(mut body) = self.body.take() else {
            return Ok(None);
        };
        let (flags, from) = mechanism.open(&mut body.buffer)?;
        self.proven = self.proven.max(body.len);
        self.read_size = MIN_CHUNK;
        let mut payload = body.buffer.split();
        payload.advance(from);
        self.pool
            .give(body.buffer, body.size, None, &mut self.keeping);
        if flags & COMMAND != 0 {
            check_command(payload.len() as u64, &self.limits)?;
            return Ok(Some(payload));
        }
        self.open = self.open.add(payload.len() as u64, &self.limits)?;
        self.out.put_reference(flags & MORE != 0, payload.freeze());
        if flags & MORE == 0 {
            self.end_message(budget);
        }
        Ok(None)
    }
}

fn check_sealed(size: u64, limits: &Limits) -> Result<(), Error> {
    let max = limits.max_frame.min(Limits::MAX_FRAME);
    if size > max.saturating_add(OVERHEAD) {
        return Err(frame_too_large(size, limits));
    }
    Ok(())
}
