//! Commands: frames that speak to the peer's protocol engine, not to its application (RFC 37,
//! "Commands").
//!
//! ```text
//! body = name-size(1) name data
//!
//! READY      properties (metadata.rs)      SUBSCRIBE  topic       PING  ttl(2) context(0..16)
//! ERROR      reason-size(1) reason         CANCEL     topic       PONG  context(0..16)
//!                                          JOIN       group       LEAVE group
//!                                          DRAIN                  DRAINED
//! ```
//! The last two are this library's own, and sent only to who has announced `X-Drain` in READY.
//!
//! Names are case-sensitive. The TTL counts tenths of a second. Parsing never allocates and
//! never panics.

use bytes::{BufMut, BytesMut};

use super::frame::{self, COMMAND};

/// Bounds the context that a PONG echoes, in bytes.
pub const MAX_CONTEXT: usize = 16;

/// Holds a command, borrowed from the body of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// End of the handshake, with the sender's property list not yet taken apart.
    Ready(&'a [u8]),
    /// Refusal during the handshake, with its reason.
    Error(&'a [u8]),
    /// Subscription to a topic.
    Subscribe(&'a [u8]),
    /// End of one subscription to a topic.
    Cancel(&'a [u8]),
    /// Question for a sign of life.
    Ping {
        /// Tenths of a second after which the asker's silence means its end; 0 for never.
        ttl: u16,
        /// To be echoed; as long as the peer made it.
        context: &'a [u8],
    },
    /// Answer to a PING.
    Pong(&'a [u8]),
    /// A DISH joins a group.
    Join(&'a [u8]),
    /// A DISH leaves a group.
    Leave(&'a [u8]),
    /// The sender takes no new work over this connection.
    Drain,
    /// The answer to DRAIN: no more work comes after it.
    Drained,
    /// Any other command.
    Unknown {
        /// Its name.
        name: &'a [u8],
        /// What follows the name.
        data: &'a [u8],
    },
}

/// Says why a body is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The body is empty or shorter than the name it announces.
    #[error("command without a whole name")]
    Name,
    /// ERROR with a reason that is longer or shorter than announced.
    #[error("ERROR with a wrong reason length")]
    Reason,
    /// PING without its TTL.
    #[error("PING without a TTL")]
    Ttl,
}

impl<'a> Command<'a> {
    /// Reads the body of a command frame.
    ///
    /// # Errors
    /// When there is no whole name, or the data can't be that command's.
    pub fn parse(body: &'a [u8]) -> Result<Self, CommandError> {
        let (name, data) = split_name(body).ok_or(CommandError::Name)?;
        Ok(match name {
            b"READY" => Self::Ready(data),
            b"ERROR" => match data.split_first() {
                Some((len, reason)) if usize::from(*len) == reason.len() => Self::Error(reason),
                _ => return Err(CommandError::Reason),
            },
            b"SUBSCRIBE" => Self::Subscribe(data),
            b"CANCEL" => Self::Cancel(data),
            b"PING" => match data {
                [a, b, context @ ..] => Self::Ping {
                    ttl: u16::from_be_bytes([*a, *b]),
                    context,
                },
                _ => return Err(CommandError::Ttl),
            },
            b"PONG" => Self::Pong(data),
            b"JOIN" => Self::Join(data),
            b"LEAVE" => Self::Leave(data),
            b"DRAIN" => Self::Drain,
            b"DRAINED" => Self::Drained,
            _ => Self::Unknown { name, data },
        })
    }

    /// Appends the command as a whole frame. A reason is cut at 255 bytes, the context of a
    /// PING or PONG at [`MAX_CONTEXT`].
    pub fn put(&self, out: &mut BytesMut) {
        match *self {
            Self::Ready(data) => put_frame(out, b"READY", &[], data),
            Self::Error(reason) => {
                let reason = &reason[..reason.len().min(255)];
                put_frame(out, b"ERROR", &[reason.len() as u8], reason);
            }
            Self::Subscribe(topic) => put_frame(out, b"SUBSCRIBE", &[], topic),
            Self::Cancel(topic) => put_frame(out, b"CANCEL", &[], topic),
            Self::Ping { ttl, context } => {
                put_frame(out, b"PING", &ttl.to_be_bytes(), cut(context));
            }
            Self::Pong(context) => put_frame(out, b"PONG", &[], cut(context)),
            Self::Join(group) => put_frame(out, b"JOIN", &[], group),
            Self::Leave(group) => put_frame(out, b"LEAVE", &[], group),
            Self::Drain => put_frame(out, b"DRAIN", &[], &[]),
            Self::Drained => put_frame(out, b"DRAINED", &[], &[]),
            Self::Unknown { name, data } => put_frame(out, &name[..name.len().min(255)], &[], data),
        }
    }
}

/// Splits a body into name and data; `None` when the name is not all there.
#[must_use]
pub fn split_name(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

fn cut(context: &[u8]) -> &[u8] {
    &context[..context.len().min(MAX_CONTEXT)]
}

fn put_frame(out: &mut BytesMut, name: &[u8], head: &[u8], data: &[u8]) {
    let len = 1 + name.len() + head.len() + data.len();
    out.reserve(9 + len);
    frame::put_header(out, COMMAND, len);
    out.put_u8(name.len() as u8);
    out.put_slice(name);
    out.put_slice(head);
    out.put_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::Header;

    #[test]
    fn every_command_round_trips() {
        let long = [b'z'; 246];
        for command in [
            Command::Ready(b"properties"),
            Command::Error(b"400"),
            Command::Subscribe(b""),
            Command::Subscribe(&long),
            Command::Cancel(b"A"),
            Command::Ping {
                ttl: 655,
                context: b"ctx",
            },
            Command::Pong(b"ctx"),
            Command::Join(b"grp"),
            Command::Leave(b"grp"),
            Command::Drain,
            Command::Drained,
            Command::Unknown {
                name: b"HELLO",
                data: b"data",
            },
        ] {
            let mut out = BytesMut::new();
            command.put(&mut out);
            let header = Header::parse(&out).unwrap();
            assert!(header.command() && !header.more());
            assert_eq!(header.size as u64 + header.len, out.len() as u64);
            assert_eq!(Command::parse(&out[header.size..]), Ok(command));
        }
    }

    #[test]
    fn short_bodies_are_errors_not_panics() {
        assert_eq!(Command::parse(b""), Err(CommandError::Name));
        assert_eq!(Command::parse(b"\x05PING"), Err(CommandError::Name));
        assert_eq!(Command::parse(b"\x04PING"), Err(CommandError::Ttl));
        assert_eq!(Command::parse(b"\x04PING\0"), Err(CommandError::Ttl));
        assert_eq!(Command::parse(b"\x05ERROR"), Err(CommandError::Reason));
        assert_eq!(
            Command::parse(b"\x05ERROR\x09abc"),
            Err(CommandError::Reason)
        );
    }

    #[test]
    fn names_are_case_sensitive() {
        assert!(matches!(
            Command::parse(b"\x09subscribeA"),
            Ok(Command::Unknown { .. })
        ));
    }

    #[test]
    fn a_pong_echoes_at_most_sixteen_bytes() {
        let mut out = BytesMut::new();
        Command::Pong(b"0123456789abcdefGHIJ").put(&mut out);
        assert_eq!(&out[..], b"\x04\x15\x04PONG0123456789abcdef");
    }
}
