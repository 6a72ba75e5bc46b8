//! The PLAIN mechanism: a name and a password in the clear (RFC 24).
//!
//! ```text
//! client   HELLO name password ->                          INITIATE properties ->
//! server                         (asks)  <- WELCOME or ERROR                     <- READY properties
//! ```
//! Who can read along reads the password, too: PLAIN is for networks that are trusted, or tunnelled.
//!
//! libzmq writes its PLAIN ERROR with a slip: the five octets `5E 52 52 4F 52` in place of the length 5 and
//! "ERROR" (a C escape that took the E for a digit), and knows no other form. The client here takes both; the
//! server sends libzmq's, since nearly every peer that speaks PLAIN is libzmq, and would not learn the
//! status from the standard's form.

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use super::credentials::Credentials;
use super::handshake::{Mechanism, Progress, expect, refused};
use super::password::{Password, TooLong};
use super::row::{Asks, Row};
use crate::error::{Error, Violation};
use crate::wire::command::Command;
use crate::wire::frame;
use crate::wire::metadata::Metadata;

/// Names the mechanism in the greeting.
pub(super) const NAME: &str = "PLAIN";

/// Describes the side that says who it is. It tells its password to whoever asks, so it knows nobody.
pub(super) const CLIENT: Row = Row {
    name: NAME,
    is_server: false,
    asks: Asks::Never,
    allows_downgrade: false,
    knows_peer: false,
    tells_secrets: true,
    encrypts: false,
};

/// Describes the side that checks.
pub(super) const SERVER: Row = Row {
    is_server: true,
    asks: Asks::Always,
    ..CLIENT
};

/// Begins the ERROR that libzmq sends, instead of a name's length and the name ERROR.
const LIBZMQ_ERROR: &[u8] = b"\x5eRROR";

/// Holds what a PLAIN client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainClient {
    username: Bytes,
    password: Password,
}

impl PlainClient {
    /// Takes a name and a password, each of at most 255 bytes.
    ///
    /// # Errors
    /// Returns [`TooLong`] when one of them is longer.
    pub fn new(username: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Result<Self, TooLong> {
        let (username, password) = (username.as_ref(), password.as_ref());
        if username.len() > 255 || password.len() > 255 {
            return Err(TooLong);
        }
        Ok(Self {
            username: Bytes::copy_from_slice(username),
            password: password.into(),
        })
    }

    /// Returns the name.
    #[must_use]
    pub fn username(&self) -> &[u8] {
        &self.username
    }
}

/// Says what a side does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// HELLO is to be sent, or awaited.
    #[default]
    Hello,
    /// WELCOME.
    Welcome,
    /// INITIATE.
    Initiate,
    /// READY.
    Ready,
    /// Nothing more.
    Over,
}

#[derive(Debug)]
pub(super) struct Client {
    own: PlainClient,
    step: Step,
}

impl Client {
    pub(super) fn new(own: &PlainClient) -> Self {
        Self {
            own: own.clone(),
            step: Step::Hello,
        }
    }
}

impl Mechanism for Client {
    fn next_command(&mut self, properties: &Metadata, _: Instant, out: &mut BytesMut) {
        match self.step {
            Step::Hello => {
                let PlainClient { username, password } = &self.own;
                let len = 6 + 2 + username.len() + password.as_bytes().len();
                // So that it does not move, and leave a copy of the password behind.
                out.reserve(9 + len);
                frame::put_header(out, frame::COMMAND, len);
                out.put_slice(b"\x05HELLO");
                for text in [&username[..], password.as_bytes()] {
                    out.put_u8(text.len() as u8);
                    out.put_slice(text);
                }
                self.step = Step::Welcome;
            }
            Step::Initiate => {
                put_list(out, b"INITIATE", properties);
                self.step = Step::Ready;
            }
            Step::Welcome | Step::Ready | Step::Over => {}
        }
    }

    fn on_command(&mut self, body: &[u8], _: Instant) -> Result<Progress, Error> {
        if let Some(reason) = body.strip_prefix(LIBZMQ_ERROR) {
            return Err(match reason.split_first() {
                Some((len, reason)) if reason.len() == usize::from(*len) => refused(reason),
                _ => Violation::MalformedError.into(),
            });
        }
        match self.step {
            Step::Welcome => {
                if !expect(b"WELCOME", body)?.is_empty() {
                    return Err(Violation::Malformed("WELCOME").into());
                }
                self.step = Step::Initiate;
                Ok(Progress::Waiting)
            }
            _ => {
                let list = expect(b"READY", body)?;
                self.step = Step::Over;
                Ok(Progress::Done(Metadata::parse(list)?))
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Server {
    step: Step,
    claimed: Option<Credentials>,
}

impl Mechanism for Server {
    fn next_command(&mut self, properties: &Metadata, _: Instant, out: &mut BytesMut) {
        match self.step {
            Step::Welcome => {
                put_list(out, b"WELCOME", &Metadata::new());
                self.step = Step::Initiate;
            }
            Step::Ready => {
                put_list(out, b"READY", properties);
                self.step = Step::Over;
            }
            Step::Hello | Step::Initiate | Step::Over => {}
        }
    }

    fn on_command(&mut self, body: &[u8], _: Instant) -> Result<Progress, Error> {
        match self.step {
            Step::Hello => {
                let data = expect(b"HELLO", body)?;
                let malformed = Violation::Malformed("HELLO");
                let (username, data) = text(data).ok_or(malformed.clone())?;
                let (password, rest) = text(data).ok_or(malformed.clone())?;
                if !rest.is_empty() {
                    return Err(malformed.into());
                }
                self.claimed = Some(Credentials::Plain {
                    username: Bytes::copy_from_slice(username),
                    password: password.into(),
                });
                self.step = Step::Welcome;
                Ok(Progress::Waiting)
            }
            _ => {
                let list = expect(b"INITIATE", body)?;
                self.step = Step::Ready;
                Ok(Progress::Done(Metadata::parse(list)?))
            }
        }
    }

    fn credentials(&mut self) -> Option<Credentials> {
        self.claimed.take()
    }

    fn put_error(&self, reason: &str, out: &mut BytesMut) {
        let reason = &reason.as_bytes()[..reason.len().min(255)];
        frame::put_header(out, frame::COMMAND, LIBZMQ_ERROR.len() + 1 + reason.len());
        out.put_slice(LIBZMQ_ERROR);
        out.put_u8(reason.len() as u8);
        out.put_slice(reason);
    }
}

/// Reads a text with its length in front, and returns what follows it, too.
fn text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

fn put_list(out: &mut BytesMut, name: &[u8], properties: &Metadata) {
    let mut data = BytesMut::new();
    properties.put(&mut data);
    Command::Unknown { name, data: &data }.put(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_have_at_most_255_bytes() {
        let most = "x".repeat(255);
        assert!(PlainClient::new(&most, &most).is_ok());
        assert_eq!(PlainClient::new(most.clone() + "x", ""), Err(TooLong));
        assert_eq!(PlainClient::new("", most + "x"), Err(TooLong));
    }

    #[test]
    fn a_client_says_who_it_is_once() {
        let now = Instant::now();
        let mut client = Client::new(&PlainClient::new("admin", "secret").unwrap());
        let mut out = BytesMut::new();
        client.next_command(&Metadata::new(), now, &mut out);
        let len = out.len();
        client.next_command(&Metadata::new(), now, &mut out);
        assert_eq!(out.len(), len);
        assert!(!format!("{client:?}").contains("secret"));
    }

    #[test]
    fn both_forms_of_error_are_refusals() {
        let now = Instant::now();
        for error in [&b"\x5eRROR\x03400"[..], b"\x05ERROR\x03400"] {
            let mut client = Client::new(&PlainClient::new("", "").unwrap());
            client.next_command(&Metadata::new(), now, &mut BytesMut::new());
            assert_eq!(client.on_command(error, now), Err(refused(b"400")));
        }
        let mut client = Client::new(&PlainClient::new("", "").unwrap());
        assert_eq!(
            client.on_command(b"\x5eRROR\x04400", now),
            Err(Violation::MalformedError.into())
        );
    }
}
