//! Frames of WebSocket as far as ZWS has them: headers and masks (RFC 6455, 5.2 and 5.3).

use bytes::{BufMut, BytesMut};

use super::{Broken, Side};

/// Says that a WebSocket frame is the last of its message.
const FINAL: u8 = 0x80;
/// Says that a WebSocket frame is masked.
const MASKED: u8 = 0x80;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Bounds the payload of a control frame of WebSocket.
pub(super) const CONTROL_MAX: usize = 125;

/// The key of a masked frame, as far as it is used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    /// Masks bytes, or takes the mask off.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        if self.0 == [0; 4] {
            return;
        }
        let [a, b, c, d] = self.0;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for eight in words {
            *eight = (u64::from_ne_bytes(*eight) ^ word).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip([a, b, c, d].into_iter().cycle()) {
            *byte ^= key;
        }
        self.0.rotate_left(rest.len() % 4);
    }
}

/// Appends the header of a final frame of this side.
pub(super) fn put_header(
    side: Side,
    opcode: u8,
    len: u64,
    key: &mut impl FnMut() -> [u8; 4],
    out: &mut BytesMut,
) -> Mask {
    let masked = match side {
        Side::Client => MASKED,
        Side::Server => 0,
    };
    out.put_u8(FINAL | opcode);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..=125), _) => out.put_u8(masked | len),
        (_, Ok(len)) => {
            out.put_u8(masked | 126);
            out.put_u16(len);
        }
        _ => {
            out.put_u8(masked | 127);
            out.put_u64(len);
        }
    }
    match side {
        Side::Client => {
            let key = key();
            out.put_slice(&key);
            Mask(key)
        }
        Side::Server => Mask::default(),
    }
}

/// Appends bytes of a frame, masked.
pub(super) fn put_masked(out: &mut BytesMut, bytes: &[u8], mask: &mut Mask) {
    let start = out.len();
    out.put_slice(bytes);
    mask.apply(&mut out[start..]);
}

/// The header of a WebSocket frame (RFC 6455, 5.2).
pub(super) struct WebSocketHeader {
    pub(super) size: usize,
    pub(super) opcode: u8,
    pub(super) is_final: bool,
    pub(super) len: u64,
    pub(super) mask: Mask,
}

impl WebSocketHeader {
    /// Reads the header of a frame of the other side. `None` while it is not all there.
    pub(super) fn parse(bytes: &[u8], side: Side) -> Result<Option<Self>, Broken> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Broken::Reserved);
        }
        if (second & MASKED != 0) != (side == Side::Server) {
            return Err(Broken::Mask);
        }
        let (len, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if len >> 63 != 0 {
            return Err(Broken::Length);
        }
        let (mask, rest) = match (second & MASKED, rest.split_first_chunk()) {
            (0, _) => (Mask::default(), rest),
            (_, Some((key, rest))) => (Mask(*key), rest),
            (_, None) => return Ok(None),
        };
        Ok(Some(Self {
            size: bytes.len() - rest.len(),
            opcode: first & 0x0f,
            is_final: first & FINAL != 0,
            len,
            mask,
        }))
    }
}
