//! [`Mechanism`]: one side of a handshake, and of the traffic that it protects. Called by the engine, which knows no
//! mechanism by name.

use std::fmt;
use std::time::Instant;

use bytes::BytesMut;

use super::credentials::Credentials;
use crate::error::{Error, Violation};
use crate::wire::command::{Command, CommandError, split_name};
use crate::wire::frame;
use crate::wire::metadata::Metadata;

/// Says how far a handshake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Waits for another command of the peer.
    Waiting,
    /// Complete, with the peer's properties.
    Done(Metadata),
}

/// Carries out one connection's side of a mechanism.
pub(crate) trait Mechanism: fmt::Debug + Send + Sync {
    /// Appends the next command of this side, if it is this side's turn. `properties` is its
    /// own property list. Called once after the greeting and after each command of the peer that
    /// was taken, the last one included.
    fn next_command(&mut self, properties: &Metadata, now: Instant, out: &mut BytesMut);

    /// Takes the body of a command.
    fn on_command(&mut self, body: &[u8], now: Instant) -> Result<Progress, Error>;

    /// Returns who the peer is, once, when that is known: after the greeting or after the command that said
    /// it. If somebody has to decide on it, the mechanism is not called before that.
    fn credentials(&mut self) -> Option<Credentials> {
        None
    }

    /// Appends the command that refuses the peer.
    fn put_error(&self, reason: &str, out: &mut BytesMut) {
        Command::Error(reason.as_bytes()).put(out);
    }

    /// Returns whether every frame of traffic is sealed.
    fn encrypts(&self) -> bool {
        false
    }

    /// Appends a frame of traffic as it goes on the wire; of its flags MORE and COMMAND count. Only called when
    /// it [encrypts](Mechanism::encrypts). Frames must be sent in the order in which they were sealed.
    fn seal(&mut self, flags: u8, payload: &[u8], out: &mut BytesMut) {
        frame::put_header(out, flags, payload.len());
        out.extend_from_slice(payload);
    }

    /// Opens the body of a frame, in place: returns the flags of what was in it, of which MORE and COMMAND count,
    /// and where that begins; it goes on to the end. Only called when it [encrypts](Mechanism::encrypts).
    fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), Error> {
        let _ = body;
        Ok((0, 0))
    }
}

/// Reads the command in a handshake frame. An ERROR from the peer is this side's error, whatever the
/// mechanism.
pub(crate) fn parse(body: &[u8]) -> Result<Command<'_>, Error> {
    match Command::parse(body) {
        Ok(Command::Error(reason)) => Err(refused(reason)),
        Ok(command) => Ok(command),
        Err(CommandError::Reason) => Err(Violation::MalformedError.into()),
        Err(_) => Err(Violation::MalformedCommand.into()),
    }
}

/// Returns the error of a side that the peer refused.
pub(super) fn refused(reason: &[u8]) -> Error {
    Error::Refused {
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

/// Returns the data of the one command that may come now.
pub(super) fn expect<'a>(name: &[u8], body: &'a [u8]) -> Result<&'a [u8], Error> {
    // ERROR may come at any time, and parse knows what to do with it.
    parse(body)?;
    match split_name(body) {
        Some((found, data)) if found == name => Ok(data),
        _ => Err(unexpected(body)),
    }
}

/// Returns the error of a well-formed command at the wrong time.
fn unexpected(body: &[u8]) -> Error {
    let name = split_name(body).map_or(&[][..], |(name, _)| name);
    Violation::UnexpectedCommand(String::from_utf8_lossy(name).into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_awaited_command_is_taken() {
        assert_eq!(expect(b"HELLO", b"\x05HELLOxy"), Ok(&b"xy"[..]));
        let wrong = Violation::UnexpectedCommand("READY".into()).into();
        assert_eq!(expect(b"HELLO", b"\x05READY"), Err(wrong));
        assert_eq!(expect(b"HELLO", b"\x05ERROR\x03400"), Err(refused(b"400")));
        assert_eq!(
            expect(b"HELLO", b"\x05HELL"),
            Err(Violation::MalformedCommand.into())
        );
    }
}
