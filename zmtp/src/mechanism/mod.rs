//! Security mechanisms: the handshake between greeting and traffic, and what becomes of traffic
//! under it (RFC 37, "Security").
//!
//! [`crate::Connection`] drives whichever mechanism its configuration names: it asks for
//! commands to send, hands over the bodies of those that come, and passes batches through on
//! their way out and in.

mod null;

use std::fmt;

use bytes::BytesMut;

use crate::batch::Batch;
use crate::error::{Error, Violation};
use crate::wire::command::{Command, CommandError};
use crate::wire::metadata::Metadata;

/// Which mechanism to use, and with what secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Config {
    /// No security: anybody may connect, everybody may read along.
    #[default]
    Null,
}

impl Config {
    /// The name in the greeting.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
        }
    }

    /// Whether peers too old for security mechanisms may connect.
    pub(crate) const fn allows_downgrade(&self) -> bool {
        match self {
            Self::Null => true,
        }
    }

    pub(crate) fn start(&self) -> Box<dyn Mechanism> {
        match self {
            Self::Null => Box::new(null::Null::default()),
        }
    }
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Waits for another command of the peer.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "NULL takes one command, later mechanisms more")
    )]
    Waiting,
    /// Complete, with the peer's properties.
    Done(Metadata),
}

/// One connection's side of a mechanism.
pub(crate) trait Mechanism: fmt::Debug + Send + Sync {
    /// Appends the next command of this side, if it is this side's turn. `properties` is its
    /// own property list. Called once after the greeting and after each command of the peer that
    /// was taken, the last one included.
    fn next_command(&mut self, properties: &Metadata, out: &mut BytesMut);

    /// Takes the body of a command.
    fn on_command(&mut self, body: &[u8]) -> Result<Progress, Error>;

    /// Gives a batch of messages, or of frames that are already sealed for the peer's version,
    /// the form that goes on the wire.
    fn seal(&mut self, batch: &mut Batch) {
        let _ = batch;
    }

    /// Whether every frame of traffic is a box that [`Mechanism::open`] must open.
    fn encrypts(&self) -> bool {
        false
    }

    /// Opens the body of a frame, in place: what was in it and its flags, of which MORE and
    /// COMMAND count. Only called when it [encrypts](Mechanism::encrypts).
    fn open(&mut self, body: BytesMut) -> Result<(u8, BytesMut), Error> {
        Ok((0, body))
    }
}

/// The command in a handshake frame. An ERROR from the peer is this side's error, whatever the
/// mechanism.
pub(crate) fn parse(body: &[u8]) -> Result<Command<'_>, Error> {
    match Command::parse(body) {
        Ok(Command::Error(reason)) => Err(Error::Refused {
            reason: String::from_utf8_lossy(reason).into_owned(),
        }),
        Ok(command) => Ok(command),
        Err(CommandError::Reason) => Err(Violation::MalformedError.into()),
        Err(_) => Err(Violation::MalformedCommand.into()),
    }
}
