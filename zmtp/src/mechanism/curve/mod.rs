//! The CURVE mechanism: both sides prove who they are, and traffic is encrypted (RFC 25, 26).
//!
//! ```text
//! client   HELLO C' ->               INITIATE C, vouch, properties ->
//! server              <- WELCOME S', cookie                 (asks) <- READY properties or ERROR
//! then     MESSAGE(flags, payload) <->        one for each frame, commands included
//! ```
//! C and S are the permanent keys, C' and S' the ones of this connection, which nobody keeps: who learns the
//! permanent secrets later can't read what was recorded. All boxes and their nonces:
//!
//! | box | between | nonce |
//! |---|---|---|
//! | HELLO, 64 zeros | C' and S | `CurveZMQHELLO---` counter |
//! | WELCOME, S' and cookie | S and C' | `WELCOME-` random |
//! | cookie, C' and s' | the server and itself | `COOKIE--` random |
//! | INITIATE, C, vouch, properties | C' and S' | `CurveZMQINITIATE` counter |
//! | vouch, C' and S | C and S' | `VOUCH---` random |
//! | READY, properties | S' and C' | `CurveZMQREADY---` counter |
//! | MESSAGE | C' and S' | `CurveZMQMESSAGEC` or `CurveZMQMESSAGES`, counter |
//!
//! Each direction has one counter for all of its commands, which grows by one from MESSAGE to MESSAGE: RFC 26 lets it grow
//! by more, but whoever takes that cannot tell what somebody on the way has left out. Inside a MESSAGE, bit 0 of the flags
//! is MORE, and bit 1 says that the payload is a command, which libzmq has added to the standard. MESSAGE itself
//! goes into frames without flags: libzmq drops those that are command frames, as the standard wants them.

mod boxes;
mod certificate;
mod client;
mod keys;
mod server;
#[cfg(test)]
mod tests;
pub mod z85;

use std::fmt;

use bytes::{BufMut, BytesMut};

use self::boxes::{Direction, Key, NONCE, TAG};
pub use self::certificate::{Certificate, CertificateError};
pub(super) use self::client::Client;
pub use self::keys::{KeyError, KeyPair, PublicKey, SecretKey};
pub(super) use self::server::Server;
use super::row::{Asks, Row};
use crate::error::{Error, Violation};
use crate::wire::frame::{self, COMMAND, MORE};
use crate::wire::metadata::Metadata;

/// Names the mechanism in the greeting.
pub(super) const NAME: &str = "CURVE";

/// Describes the side that knows the other's public key, and lets no other server near.
pub(super) const CLIENT: Row = Row {
    name: NAME,
    is_server: false,
    asks: Asks::Never,
    allows_downgrade: false,
    knows_peer: true,
    tells_secrets: false,
    encrypts: true,
};

/// Describes the side whose public key the other knows. It lets everybody in who does, unless somebody decides.
pub(super) const SERVER: Row = Row {
    is_server: true,
    asks: Asks::IfPossible,
    knows_peer: false,
    ..CLIENT
};

/// Begins the body of a MESSAGE.
const MESSAGE: &[u8; 8] = b"\x07MESSAGE";
/// Counts the octets in front of the box in a MESSAGE: name and counter.
const HEAD: usize = MESSAGE.len() + 8;
/// Marks commands inside a box.
const BOXED_COMMAND: u8 = 2;

/// Holds the counters and the key of traffic, from the moment both sides have S' and C'.
struct Traffic {
    key: Key,
    sent: Direction,
    /// The counter in the nonce of what was sent last.
    sent_counter: u64,
    received: Direction,
    /// The same of what came last.
    received_counter: u64,
    /// The frame that came last has others of its message behind it.
    within_message: bool,
    /// Counters may leave numbers out, between messages.
    gaps: bool,
}

/// Says whose prefixes are whose.
#[derive(Clone, Copy)]
enum Role {
    Client,
    Server,
}

impl Traffic {
    /// Begins traffic. The counters go on from the handshake's.
    fn new(role: Role, key: Key, sent_counter: u64, received_counter: u64, gaps: bool) -> Self {
        let (client, server) = (
            Direction::new(b"CurveZMQMESSAGEC", &key),
            Direction::new(b"CurveZMQMESSAGES", &key),
        );
        let (sent, received) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Self {
            key,
            sent,
            sent_counter,
            received,
            received_counter,
            within_message: false,
            gaps,
        }
    }

    /// Appends a MESSAGE frame with `payload` in it, copied once and encrypted where it is.
    fn seal(&mut self, flags: u8, payload: &[u8], out: &mut BytesMut) {
        let inner = flags & MORE
            | if flags & COMMAND != 0 {
                BOXED_COMMAND
            } else {
                0
            };
        let len = HEAD + TAG + 1 + payload.len();
        let (header, header_len) = frame::header(0, len);
        // Sealing a frame each nanosecond, this ends after half a millennium.
        self.sent_counter += 1;
        let counter = self.sent_counter.to_be_bytes();

        let start = out.len();
        out.reserve(header_len + len);
        let mut head = [0; 9 + HEAD + TAG + 1];
        head[..header_len].copy_from_slice(&header[..header_len]);
        let rest = &mut head[header_len..];
        rest[..MESSAGE.len()].copy_from_slice(MESSAGE);
        rest[MESSAGE.len()..HEAD].copy_from_slice(&counter);
        rest[HEAD + TAG] = inner;
        out.extend_from_slice(&head[..header_len + HEAD + TAG + 1]);
        out.extend_from_slice(payload);
        let place = &mut out[start + header_len + HEAD..];
        self.sent.seal(place, &counter, &self.key);
    }

    /// Opens the body of a MESSAGE in place: flags, and where the payload begins.
    fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), Error> {
        let Some((head, place)) = body.split_first_chunk_mut::<HEAD>() else {
            return Err(not_a_message(body));
        };
        if !head.starts_with(MESSAGE) {
            return Err(not_a_message(head));
        }
        if place.len() <= TAG {
            return Err(Violation::Malformed("MESSAGE").into());
        }
        let counter = counter(&head[MESSAGE.len()..]);
        if counter.wrapping_sub(self.received_counter) != 1 || counter == 0 {
            self.check_gap(counter)?;
        }
        let opened = self
            .received
            .open(place, &counter.to_be_bytes(), &self.key)?;
        // Only a box that is the peer's own moves the counter.
        self.received_counter = counter;
        let inner = opened.first().copied().unwrap_or_default();
        if inner & BOXED_COMMAND != 0 {
            return Ok((inner & MORE | COMMAND, HEAD + TAG + 1));
        }
        self.within_message = inner & MORE != 0;
        Ok((inner & MORE, HEAD + TAG + 1))
    }

    /// Checks a counter that is not the next one. What is missing within a message would make one message of two: the
    /// first frames of one, and the last ones of another.
    #[cold]
    fn check_gap(&self, counter: u64) -> Result<(), Error> {
        if counter <= self.received_counter {
            return Err(Violation::Nonce.into());
        }
        if !self.gaps || self.within_message {
            return Err(Violation::Gap.into());
        }
        Ok(())
    }
}

/// Shows no key.
impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic")
            .field("sent", &self.sent_counter)
            .field("received", &self.received_counter)
            .finish_non_exhaustive()
    }
}

/// Says what a frame that is no MESSAGE is: one in the clear, or a MESSAGE that is cut short.
#[cold]
fn not_a_message(body: &[u8]) -> Error {
    if body.starts_with(MESSAGE) {
        Violation::Malformed("MESSAGE").into()
    } else {
        Violation::Unsealed.into()
    }
}

/// Reads a counter of eight octets.
fn counter(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
}

/// Appends a command made of `clear` and a box of `text`.
fn put_boxed(
    out: &mut BytesMut,
    name: &[u8],
    clear: &[u8],
    text: &[u8],
    nonce: &[u8; NONCE],
    key: &Key,
) {
    let len = 1 + name.len() + clear.len() + TAG + text.len();
    out.reserve(9 + len);
    frame::put_header(out, COMMAND, len);
    out.put_u8(name.len() as u8);
    out.put_slice(name);
    out.put_slice(clear);
    let place = out.len();
    out.put_bytes(0, TAG);
    out.put_slice(text);
    boxes::seal(&mut out[place..], nonce, key);
}

/// Writes a property list as it goes into a box.
fn list(properties: &Metadata) -> BytesMut {
    let mut list = BytesMut::new();
    properties.put(&mut list);
    list
}
