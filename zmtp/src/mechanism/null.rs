//! The NULL mechanism: each side sends READY (RFC 37, "The NULL Security Mechanism").
//!
//! Both sides send theirs right after the greeting, as libzmq does, and neither waits for the
//! other's. Messages may follow once the peer's has come.

use bytes::BytesMut;

use super::{Mechanism, Progress, parse};
use crate::error::{Error, Violation};
use crate::wire::command::{Command, split_name};
use crate::wire::metadata::Metadata;

#[derive(Debug, Default)]
pub(super) struct Null {
    sent: bool,
}

impl Mechanism for Null {
    fn next_command(&mut self, properties: &Metadata, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.sent, true) {
            let mut list = BytesMut::new();
            properties.put(&mut list);
            Command::Ready(&list).put(out);
        }
    }

    fn on_command(&mut self, body: &[u8]) -> Result<Progress, Error> {
        match parse(body)? {
            Command::Ready(list) => Ok(Progress::Done(Metadata::parse(list)?)),
            _ => {
                let name = split_name(body).map_or(&[][..], |(name, _)| name);
                let name = String::from_utf8_lossy(name).into_owned();
                Err(Violation::UnexpectedCommand(name).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_sent_once_and_ends_the_handshake() {
        let mut null = Null::default();
        let mut properties = Metadata::new();
        properties.push("Socket-Type", "PULL").unwrap();
        let mut out = BytesMut::new();
        null.next_command(&properties, &mut out);
        let len = out.len();
        null.next_command(&properties, &mut out);
        assert_eq!(out.len(), len);
        assert_eq!(null.on_command(&out[2..]), Ok(Progress::Done(properties)));
    }

    #[test]
    fn anything_but_ready_ends_the_connection() {
        let mut null = Null::default();
        assert_eq!(
            null.on_command(b"\x05HELLO"),
            Err(Violation::UnexpectedCommand("HELLO".into()).into())
        );
        assert_eq!(
            null.on_command(b"\x05ERROR\x03400"),
            Err(Error::Refused {
                reason: "400".into()
            })
        );
        for bad in [&b""[..], b"hello", b"\x04PING"] {
            assert_eq!(
                null.on_command(bad),
                Err(Violation::MalformedCommand.into())
            );
        }
    }
}
