//! Security mechanisms: the handshake between greeting and traffic, and what becomes of traffic
//! under it (RFC 37, "Security").
//!
//! [`crate::Connection`] drives whichever mechanism its configuration names: it asks for
//! commands to send, hands over the bodies of those that come, and lets frames be sealed on
//! their way out and opened on their way in.
//!
//! | mechanism | source | who is who | traffic |
//! |---|---|---|---|
//! | NULL | RFC 37 | nobody says | in the clear |
//! | PLAIN | RFC 24 | the client says a name and a password | in the clear |
//! | CURVE | RFC 25, 26 | both sides prove that they have a secret key | encrypted and authenticated |
//!
//! A mechanism proves who the peer is, not whether it may come in. That is asked with
//! [`crate::Event::Authenticate`], and nothing goes on before [`crate::Engine::authenticated`] has brought
//! the answer.

mod curve;
mod null;
mod plain;

use std::fmt;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

pub use self::curve::{
    Certificate, CertificateError, KeyError, KeyPair, PublicKey, SecretKey, z85,
};
pub use self::plain::{Password, PlainClient, TooLong};
pub use crate::error::Refusal;
use crate::error::{Error, Violation};
use crate::random::Random;
use crate::wire::command::{Command, CommandError, split_name};
use crate::wire::frame;
use crate::wire::metadata::Metadata;

/// Which mechanism to use, in which role, and with what secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Config {
    /// No security: anybody may connect, everybody may read along.
    #[default]
    Null,
    /// PLAIN, as the side that says who it is.
    PlainClient(PlainClient),
    /// PLAIN, as the side that checks. The connection always asks for a decision.
    PlainServer,
    /// CURVE, as the side that knows the other's public key.
    CurveClient {
        /// This side's permanent keys.
        keys: KeyPair,
        /// The public key that the server must prove to have the secret of.
        server: PublicKey,
    },
    /// CURVE, as the side whose public key the other knows.
    CurveServer {
        /// This side's permanent keys.
        keys: KeyPair,
    },
}

impl Config {
    /// PLAIN, as the side that says who it is, with at most 255 bytes each.
    ///
    /// # Errors
    /// When one of them is longer.
    pub fn plain_client(
        username: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
    ) -> Result<Self, TooLong> {
        PlainClient::new(username, password).map(Self::PlainClient)
    }

    /// PLAIN, as the side that checks.
    #[must_use]
    pub const fn plain_server() -> Self {
        Self::PlainServer
    }

    /// CURVE, as the side that knows the other's public key.
    #[must_use]
    pub const fn curve_client(keys: KeyPair, server: PublicKey) -> Self {
        Self::CurveClient { keys, server }
    }

    /// CURVE, as the side whose public key the other knows.
    #[must_use]
    pub const fn curve_server(keys: KeyPair) -> Self {
        Self::CurveServer { keys }
    }

    /// The name in the greeting.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient(_) | Self::PlainServer => "PLAIN",
            Self::CurveClient { .. } | Self::CurveServer { .. } => "CURVE",
        }
    }

    /// Whether this side has the server's role. NULL knows no roles.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer | Self::CurveServer { .. })
    }

    /// Whether peers too old for security mechanisms may connect.
    pub(crate) const fn allows_downgrade(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether a peer may come in only if the application says so.
    pub(crate) const fn always_asks(&self) -> bool {
        matches!(self, Self::PlainServer)
    }

    pub(crate) fn start(&self, random: &Random) -> Box<dyn Mechanism> {
        match self {
            Self::Null => Box::new(null::Null::default()),
            Self::PlainClient(client) => Box::new(plain::Client::new(client)),
            Self::PlainServer => Box::new(plain::Server::default()),
            Self::CurveClient { keys, server } => {
                Box::new(curve::Client::new(keys, *server, random))
            }
            Self::CurveServer { keys } => Box::new(curve::Server::new(keys, random)),
        }
    }
}

/// Who the peer says it is (PLAIN) or has proven to be (CURVE).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// NULL: nothing is known.
    Null,
    /// PLAIN: a name, and the password to be checked.
    Plain {
        /// At most 255 bytes.
        username: Bytes,
        /// At most 255 bytes.
        password: Password,
    },
    /// CURVE: the client's permanent public key. The client has the secret key to it.
    Curve(PublicKey),
}

impl Credentials {
    /// The name of the mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Plain { .. } => "PLAIN",
            Self::Curve(_) => "CURVE",
        }
    }
}

/// The peer may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// As whom it is known here; empty for nobody in particular.
    pub user_id: String,
    /// Properties that are added to those that the peer gave itself, and count instead of those of the same
    /// name.
    pub metadata: Metadata,
}

impl Admission {
    /// As a user of this name.
    #[must_use]
    pub fn user(user_id: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            metadata: Metadata::new(),
        }
    }
}

/// How far a handshake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Waits for another command of the peer.
    Waiting,
    /// Complete, with the peer's properties.
    Done(Metadata),
}

/// One connection's side of a mechanism.
pub(crate) trait Mechanism: fmt::Debug + Send + Sync {
    /// Appends the next command of this side, if it is this side's turn. `properties` is its
    /// own property list. Called once after the greeting and after each command of the peer that
    /// was taken, the last one included.
    fn next_command(&mut self, properties: &Metadata, now: Instant, out: &mut BytesMut);

    /// Takes the body of a command.
    fn on_command(&mut self, body: &[u8], now: Instant) -> Result<Progress, Error>;

    /// Who the peer is, once, when that is known: after the greeting or after the command that said
    /// it. If somebody has to decide on it, the mechanism is not called before that.
    fn credentials(&mut self) -> Option<Credentials> {
        None
    }

    /// Appends the command that refuses the peer.
    fn put_error(&self, reason: &str, out: &mut BytesMut) {
        Command::Error(reason.as_bytes()).put(out);
    }

    /// Whether every frame of traffic is sealed.
    fn encrypts(&self) -> bool {
        false
    }

    /// Appends a frame of traffic as it goes on the wire; of its flags MORE and COMMAND count. Only called when
    /// it [encrypts](Mechanism::encrypts). Frames must be sent in the order in which they were sealed.
    fn seal(&mut self, flags: u8, payload: &[u8], out: &mut BytesMut) {
        frame::put_header(out, flags, payload.len());
        out.extend_from_slice(payload);
    }

    /// Opens the body of a frame, in place: gives the flags of what was in it, of which MORE and COMMAND count,
    /// and where that begins; it goes on to the end. Only called when it [encrypts](Mechanism::encrypts).
    fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), Error> {
        let _ = body;
        Ok((0, 0))
    }
}

/// The command in a handshake frame. An ERROR from the peer is this side's error, whatever the
/// mechanism.
pub(crate) fn parse(body: &[u8]) -> Result<Command<'_>, Error> {
    match Command::parse(body) {
        Ok(Command::Error(reason)) => Err(refused(reason)),
        Ok(command) => Ok(command),
        Err(CommandError::Reason) => Err(Violation::MalformedError.into()),
        Err(_) => Err(Violation::MalformedCommand.into()),
    }
}

fn refused(reason: &[u8]) -> Error {
    Error::Refused {
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

/// The data of the one command that may come now.
fn expect<'a>(name: &[u8], body: &'a [u8]) -> Result<&'a [u8], Error> {
    // ERROR may come at any time, and parse knows what to do with it.
    parse(body)?;
    match split_name(body) {
        Some((found, data)) if found == name => Ok(data),
        _ => Err(unexpected(body)),
    }
}

/// A well-formed command at the wrong time.
fn unexpected(body: &[u8]) -> Error {
    let name = split_name(body).map_or(&[][..], |(name, _)| name);
    Violation::UnexpectedCommand(String::from_utf8_lossy(name).into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let credentials = Credentials::Plain {
            username: "admin".into(),
            password: "hunter2".into(),
        };
        let shown = format!("{credentials:?}");
        assert!(
            shown.contains("admin") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(!shown.contains("104, 117"), "{shown}");
    }

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
