//! The greeting, and what its bytes say about the peer's version (RFC 37, "Version
//! Negotiation"; RFC 23 and 15 for the downgrades).
//!
//! ```text
//! 0     1          9   10     11     12          32         33       64
//! | FF  | padding  | 7F | major | minor | mechanism | as-server | filler |
//! '----- signature ----'
//! ```
//! Sent in stages, as libzmq does: the signature at once; the major version when the peer's
//! signature is seen; the rest when the peer's major version is known to be 2 or more. The
//! padding holds the length of the routing id plus one, so that a 1.0 peer reads the signature
//! as the header of an identity frame.

use bytes::{BufMut, BytesMut};

/// Counts the octets of the signature.
pub const SIGNATURE: usize = 10;
/// Counts the octets of a whole ZMTP 3.x greeting.
pub const GREETING: usize = 64;
/// Counts the octets of a ZMTP 2.0 greeting, and of "revision 0".
pub const SHORT_GREETING: usize = 12;
/// Counts the octets of the mechanism field.
pub const MECHANISM: usize = 20;

/// Says the major version we send.
pub const MAJOR: u8 = 3;
/// Says the minor version we send.
pub const MINOR: u8 = 1;

/// Says what the first bytes of a peer mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Not enough bytes to say more.
    Unknown,
    /// The signature is there, the major version is not.
    Versioned,
    /// ZMTP 1.0: the bytes read so far are its identity frame.
    V1,
    /// A signature with revision 0: a 12-octet greeting, then 1.0 frames.
    Revision0,
    /// ZMTP 2.0: a 12-octet greeting.
    V2,
    /// ZMTP 3.0 or later: a 64-octet greeting.
    V3,
}

/// Looks at the first bytes of a peer. Never changes its mind when more bytes come, except from
/// the first two answers.
#[must_use]
pub fn identify(bytes: &[u8]) -> Peer {
    match *bytes {
        [] => Peer::Unknown,
        [first, ..] if first != 0xff => Peer::V1,
        [_, _, _, _, _, _, _, _, _, ninth, ref rest @ ..] => match rest {
            _ if ninth & 1 == 0 => Peer::V1,
            [] => Peer::Versioned,
            [0, ..] => Peer::Revision0,
            [1, ..] => Peer::V2,
            _ => Peer::V3,
        },
        _ => Peer::Unknown,
    }
}

/// Holds the part of a 3.x greeting behind the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Major version; 2 and everything from 4 on is spoken to as 3.1, as libzmq does.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Mechanism name, padded with zeros. Compared byte by byte.
    pub mechanism: [u8; MECHANISM],
    /// Whether the sender has the server's role. libzmq neither sets nor reads it.
    pub as_server: bool,
}

impl Greeting {
    /// Reads a greeting. Padding and filler may hold anything.
    #[must_use]
    pub fn parse(bytes: &[u8; GREETING]) -> Self {
        let mut mechanism = [0; MECHANISM];
        mechanism.copy_from_slice(&bytes[12..32]);
        Self {
            major: bytes[10],
            minor: bytes[11],
            mechanism,
            as_server: bytes[32] & 1 == 1,
        }
    }

    /// Returns whether the peer is of version 3.0, where subscriptions are messages.
    #[must_use]
    pub const fn is_3_0(&self) -> bool {
        self.major == 3 && self.minor == 0
    }

    /// Appends what follows the major version: 53 octets.
    pub fn put_rest(&self, out: &mut BytesMut) {
        out.put_u8(self.minor);
        out.put_slice(&self.mechanism);
        out.put_u8(u8::from(self.as_server));
        out.put_bytes(0, GREETING - 33);
    }
}

/// Appends the signature of a socket whose routing id has `id_len` bytes.
pub fn put_signature(out: &mut BytesMut, id_len: usize) {
    out.put_u8(0xff);
    out.put_u64(id_len as u64 + 1);
    out.put_u8(0x7f);
}

/// Pads a mechanism name as the greeting has it. Names are at most 20 octets.
#[must_use]
pub fn pad_mechanism(name: &str) -> [u8; MECHANISM] {
    let mut padded = [0; MECHANISM];
    for (to, from) in padded.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_round_trip() {
        let greeting = Greeting {
            major: MAJOR,
            minor: MINOR,
            mechanism: pad_mechanism("NULL"),
            as_server: true,
        };
        let mut out = BytesMut::new();
        put_signature(&mut out, 3);
        out.put_u8(MAJOR);
        greeting.put_rest(&mut out);
        assert_eq!(out[..SIGNATURE], [0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0x7f]);
        let bytes: &[u8; GREETING] = out[..].try_into().unwrap();
        assert_eq!(Greeting::parse(bytes), greeting);
        for cut in 0..SIGNATURE {
            assert_eq!(identify(&bytes[..cut]), Peer::Unknown);
        }
        assert_eq!(identify(&bytes[..SIGNATURE]), Peer::Versioned);
        assert_eq!(identify(bytes), Peer::V3);
    }

    #[test]
    fn versions_are_chosen_as_libzmq_chooses() {
        let mut bytes = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0];
        assert_eq!(identify(&bytes), Peer::Revision0);
        bytes[10] = 1;
        assert_eq!(identify(&bytes), Peer::V2);
        for major in 2..=255 {
            bytes[10] = major;
            assert_eq!(identify(&bytes), Peer::V3);
        }
        bytes[9] = 0x7e;
        assert_eq!(identify(&bytes), Peer::V1);
        assert_eq!(identify(&[1]), Peer::V1);
    }
}
