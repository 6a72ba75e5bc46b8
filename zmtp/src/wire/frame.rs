//! Frame headers: the only place that knows how they look (RFC 37, "Framing"; RFC 13 for 1.0).
//!
//! ```text
//! ZMTP 2.0, 3.x   flags(1) size(1 | 8)        body(size)        size excludes the header
//! ZMTP 1.0        size(1 | FF + 8) flags(1)   body(size - 1)    size includes the flags
//! ```
//! Flags: bit 0 MORE, bit 1 LONG (2.0 and later), bit 2 COMMAND (3.x). Other bits are reserved;
//! libzmq ignores them on receipt, and so do we.
//!
//! Nothing here can panic, whatever the bytes.

use bytes::{BufMut, BytesMut};

/// Says that another frame of the same message follows.
pub const MORE: u8 = 1;
/// Says that the size takes eight octets.
pub const LONG: u8 = 2;
/// Says that the frame is a command, not part of a message.
pub const COMMAND: u8 = 4;
/// Bounds the body, in bytes, whose size fits the short form.
pub const SHORT_MAX: usize = 255;

/// Holds a frame header of ZMTP 2.0 and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The flags octet as received, reserved bits and all.
    pub flags: u8,
    /// Octets of the header itself: 2 or 9.
    pub size: usize,
    /// Octets of the body. Not checked against anything.
    pub len: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` while it is not all there.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [flags, len, ..] if flags & LONG == 0 => Some(Self {
                flags,
                size: 2,
                len: u64::from(len),
            }),
            [flags, a, b, c, d, e, f, g, h, ..] => Some(Self {
                flags,
                size: 9,
                len: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            }),
            _ => None,
        }
    }

    /// Returns whether another frame of the same message follows.
    #[inline]
    #[must_use]
    pub const fn more(&self) -> bool {
        self.flags & MORE != 0
    }

    /// Returns whether the frame is a command.
    #[inline]
    #[must_use]
    pub const fn command(&self) -> bool {
        self.flags & COMMAND != 0
    }
}

/// Writes the header of a body of `len` bytes. Picks the short form where it fits, as the
/// standard asks; `flags` are [`MORE`] and [`COMMAND`] only.
#[inline]
pub fn put_header(out: &mut BytesMut, flags: u8, len: usize) {
    let (bytes, size) = header(flags, len);
    if size == 2 {
        out.extend_from_slice(&[bytes[0], bytes[1]]);
    } else {
        out.extend_from_slice(&bytes);
    }
}

/// Makes the same header by itself, and says how many octets of it count.
#[inline]
pub(crate) fn header(flags: u8, len: usize) -> ([u8; 9], usize) {
    let mut header = [0; 9];
    if let Ok(short) = u8::try_from(len) {
        header[0] = flags;
        header[1] = short;
        return (header, 2);
    }
    header[0] = flags | LONG;
    header[1..].copy_from_slice(&(len as u64).to_be_bytes());
    (header, 9)
}

/// Holds a frame header of ZMTP 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V1Header {
    /// Whether another frame of the same message follows.
    pub more: bool,
    /// Whether any flag is set. The others are reserved: libzmq ignores them, and so do we in messages.
    pub flagged: bool,
    /// Octets of the header itself, the flags included: 2 or 10.
    pub size: usize,
    /// Octets of the body; `None` for the size zero, which can't even hold the flags. libzmq
    /// closes the connection on it.
    pub len: Option<u64>,
}

impl V1Header {
    /// Reads the header at the start of `bytes`; `None` while it is not all there.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (size, len, flags) = match *bytes {
            [0, ..] => (2, 0, 0),
            [0xff, a, b, c, d, e, f, g, h, ref rest @ ..] => {
                let len = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                match (len, rest) {
                    (0, _) => (10, 0, 0),
                    (_, [flags, ..]) => (10, len, *flags),
                    _ => return None,
                }
            }
            [0xff, ..] => return None,
            [len, flags, ..] => (2, u64::from(len), flags),
            _ => return None,
        };
        Some(Self {
            more: flags & MORE != 0,
            flagged: flags != 0,
            size,
            len: len.checked_sub(1),
        })
    }
}

/// Writes the ZMTP 1.0 header of a body of `len` bytes.
pub fn put_v1_header(out: &mut BytesMut, more: bool, len: usize) {
    let with_flags = len as u64 + 1;
    match u8::try_from(with_flags) {
        Ok(short) if short < 0xff => out.put_u8(short),
        _ => {
            out.put_u8(0xff);
            out.put_u64(with_flags);
        }
    }
    out.put_u8(u8::from(more));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_at_the_border_of_the_short_form() {
        for len in [0, 1, 254, 255, 256, 70_000] {
            for flags in [0, MORE, COMMAND] {
                let mut out = BytesMut::new();
                put_header(&mut out, flags, len);
                let header = Header::parse(&out).unwrap();
                assert_eq!(header.len, len as u64);
                assert_eq!(header.size, out.len());
                assert_eq!(header.size == 2, len <= SHORT_MAX);
                assert_eq!(header.flags & !LONG, flags);
                for cut in 0..out.len() {
                    assert_eq!(Header::parse(&out[..cut]), None);
                }
            }
        }
    }

    #[test]
    fn v1_headers_count_the_flags() {
        for (len, size) in [(0, 2), (1, 2), (253, 2), (254, 10), (255, 10), (70_000, 10)] {
            for more in [false, true] {
                let mut out = BytesMut::new();
                put_v1_header(&mut out, more, len);
                assert_eq!(out.len(), size);
                let header = V1Header::parse(&out).unwrap();
                assert_eq!(header.len, Some(len as u64));
                assert_eq!((header.size, header.more), (size, more));
                for cut in 0..out.len() {
                    assert_eq!(V1Header::parse(&out[..cut]), None);
                }
            }
        }
    }

    #[test]
    fn v1_size_zero_is_known_as_soon_as_it_is_seen() {
        assert_eq!(V1Header::parse(&[0]).unwrap().len, None);
        assert_eq!(
            V1Header::parse(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0])
                .unwrap()
                .len,
            None
        );
    }
}
