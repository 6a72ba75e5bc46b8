//! The NULL mechanism: each side sends READY (RFC 37, "The NULL Security Mechanism").
//!
//! Both sides send theirs right after the greeting, as libzmq does, and neither waits for the
//! other's. Messages may follow once the peer's has come.

use std::time::Instant;

use bytes::BytesMut;

use super::credentials::Credentials;
use super::handshake::{Mechanism, Progress, expect};
use super::row::{Asks, Row};
use crate::error::Error;
use crate::wire::command::Command;
use crate::wire::metadata::Metadata;

/// Names the mechanism in the greeting.
pub(super) const NAME: &str = "NULL";

/// Describes both sides: there are no roles.
pub(super) const ROW: Row = Row {
    name: NAME,
    is_server: false,
    asks: Asks::InDomain,
    allows_downgrade: true,
    knows_peer: false,
    tells_secrets: false,
    encrypts: false,
};

/// Sends READY, and waits for the peer's.
#[derive(Debug, Default)]
pub(super) struct Null {
    named: bool,
    sent: bool,
}

impl Mechanism for Null {
    fn next_command(&mut self, properties: &Metadata, _: Instant, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.sent, true) {
            let mut list = BytesMut::new();
            properties.put(&mut list);
            Command::Ready(&list).put(out);
        }
    }

    fn on_command(&mut self, body: &[u8], _: Instant) -> Result<Progress, Error> {
        let list = expect(b"READY", body)?;
        Ok(Progress::Done(Metadata::parse(list)?))
    }

    fn credentials(&mut self) -> Option<Credentials> {
        (!std::mem::replace(&mut self.named, true)).then_some(Credentials::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Violation;

    #[test]
    fn ready_is_sent_once_and_ends_the_handshake() {
        let now = Instant::now();
        let mut null = Null::default();
        let mut properties = Metadata::new();
        properties.push("Socket-Type", "PULL").unwrap();
        let mut out = BytesMut::new();
        null.next_command(&properties, now, &mut out);
        let len = out.len();
        null.next_command(&properties, now, &mut out);
        assert_eq!(out.len(), len);
        assert_eq!(
            null.on_command(&out[2..], now),
            Ok(Progress::Done(properties))
        );
    }

    #[test]
    fn anything_but_ready_ends_the_connection() {
        let now = Instant::now();
        let mut null = Null::default();
        assert_eq!(
            null.on_command(b"\x05HELLO", now),
            Err(Violation::UnexpectedCommand("HELLO".into()).into())
        );
        assert_eq!(
            null.on_command(b"\x05ERROR\x03400", now),
            Err(Error::Refused {
                reason: "400".into()
            })
        );
        for bad in [&b""[..], b"hello", b"\x04PING"] {
            assert_eq!(
                null.on_command(bad, now),
                Err(Violation::MalformedCommand.into())
            );
        }
    }
}
