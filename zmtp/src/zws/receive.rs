//! What comes: frames of WebSocket, and what the engine reads of them. Called by the layer over a stream, as its reads
//! bring something.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::websocket::{BINARY, CLOSE, CONTROL_MAX, Mask, PING, PONG, TEXT, WebSocketHeader};
use super::{Broken, Framing, ZWS_COMMAND, ZWS_MORE};
use crate::socket_type::SocketType;
use crate::wire::command::Command;
use crate::wire::frame::{self, COMMAND, MORE};
use crate::wire::metadata::{IDENTITY, Metadata, SOCKET_TYPE};

/// Bounds a routing id.
const IDENTITY_MAX: usize = 255;

/// Where the input is.
#[derive(Debug)]
pub(super) enum Reading {
    Header,
    /// The octet of flags comes next, of a frame with so many bytes.
    Flags {
        len: u64,
        mask: Mask,
    },
    Body {
        left: u64,
        mask: Mask,
    },
    Control {
        opcode: u8,
        left: usize,
        mask: Mask,
    },
    /// The peer's routing id, which stands for its READY.
    Identity {
        left: usize,
        mask: Mask,
    },
    /// The routing id is here, the socket type of this side is not.
    Waits,
}

impl Framing {
    /// Takes in what has come over the WebSocket connection, and appends to `out` what the engine is to read. What is not
    /// taken stays in `input`.
    ///
    /// # Errors
    /// [`Broken`]: the connection is over. What came before is in `out`.
    pub fn receive(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Result<(), Broken> {
        out.unsplit(self.given.split());
        while !self.is_closed && self.step(input, out)? {}
        Ok(())
    }

    /// Takes the next piece. Returns whether there may be another.
    fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Result<bool, Broken> {
        match &mut self.reading {
            Reading::Header => {
                let Some(header) = WebSocketHeader::parse(input, self.side)? else {
                    return Ok(false);
                };
                input.advance(header.size);
                self.reading = self.begin(&header)?;
            }
            Reading::Flags { len, mask } => {
                let (len, mut mask) = (*len, *mask);
                let Some(flags) = take(input, 1) else {
                    return Ok(false);
                };
                let mut flags = [flags[0]];
                mask.apply(&mut flags);
                let left = len - 1;
                let is_first = !std::mem::replace(&mut self.has_begun, true);
                self.reading = match (flags[0], usize::try_from(left)) {
                    (0, Ok(left)) if is_first && left <= IDENTITY_MAX => {
                        Reading::Identity { left, mask }
                    }
                    (flags, _) if is_first && (flags == 0 || !self.subprotocol.says_ready) => {
                        return Err(Broken::Identity);
                    }
                    // A command is whole by itself: both flags have no meaning.
                    (flags @ (0 | ZWS_MORE | ZWS_COMMAND), _) => {
                        let len = usize::try_from(left).map_err(|_| Broken::Length)?;
                        frame::put_header(out, zmtp_flags(flags), len);
                        Reading::Body { left, mask }
                    }
                    _ => return Err(Broken::Flags),
                };
            }
            Reading::Body { left, mask } => {
                let some = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                let start = out.len();
                out.put_slice(&input[..some]);
                mask.apply(&mut out[start..]);
                input.advance(some);
                *left -= some as u64;
                if *left > 0 {
                    return Ok(false);
                }
                self.reading = Reading::Header;
            }
            Reading::Control { opcode, left, mask } => {
                let Some(mut bytes) = take(input, *left) else {
                    return Ok(false);
                };
                mask.apply(&mut bytes);
                let (opcode, data) = (*opcode, bytes.freeze());
                self.reading = Reading::Header;
                match opcode {
                    PING => self.pong = Some(data),
                    PONG => Command::Pong(&[]).put(out),
                    _ => {
                        check_close(&data)?;
                        // The code, without the words.
                        self.closing = Some(data.slice(..data.len().min(2)));
                        self.is_closed = true;
                    }
                }
            }
            Reading::Identity { left, mask } => {
                let Some(mut bytes) = take(input, *left) else {
                    return Ok(false);
                };
                mask.apply(&mut bytes);
                self.identity = Some(bytes.to_vec());
                self.reading = Reading::Waits;
            }
            Reading::Waits => {
                let Some((own, identity)) = self.own_type.zip(self.identity.as_ref()) else {
                    return Ok(false);
                };
                put_ready(out, own, identity);
                self.reading = Reading::Header;
            }
        }
        Ok(true)
    }

    /// Begins the frame of a header.
    fn begin(&self, header: &WebSocketHeader) -> Result<Reading, Broken> {
        let (len, mask) = (header.len, header.mask);
        match header.opcode {
            BINARY if !header.is_final => Err(Broken::Fragment),
            BINARY if len == 0 => Err(Broken::Length),
            BINARY => Ok(Reading::Flags { len, mask }),
            CLOSE | PING | PONG => match usize::try_from(len) {
                Ok(left) if left <= CONTROL_MAX && header.is_final => Ok(Reading::Control {
                    opcode: header.opcode,
                    left,
                    mask,
                }),
                _ => Err(Broken::Control),
            },
            TEXT => Err(Broken::Text),
            0 => Err(Broken::Fragment),
            _ => Err(Broken::Reserved),
        }
    }
}

/// Checks what a CLOSE frame says: nothing, or a code and a reason (RFC 6455, 5.5.1 and 7.4).
fn check_close(data: &[u8]) -> Result<(), Broken> {
    let Some((code, reason)) = data.split_first_chunk() else {
        return if data.is_empty() {
            Ok(())
        } else {
            Err(Broken::Close)
        };
    };
    match u16::from_be_bytes(*code) {
        // 1004 has no meaning; 1005, 1006 and 1015 are for what was not said; the last two thousand are free.
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Broken::Close),
    }
    str::from_utf8(reason).map(drop).map_err(|_| Broken::Reason)
}

/// Takes `len` bytes off, once they are all there.
fn take(input: &mut BytesMut, len: usize) -> Option<BytesMut> {
    (input.len() >= len).then(|| input.split_to(len))
}

/// Returns the flags of ZMTP for those of ZWS.
fn zmtp_flags(zws: u8) -> u8 {
    let mut flags = 0;
    if zws & ZWS_MORE != 0 {
        flags |= MORE;
    }
    if zws & ZWS_COMMAND != 0 {
        flags |= COMMAND;
    }
    flags
}

/// Appends the READY of a peer that says none, of a socket type that fits.
pub(super) fn put_ready(out: &mut BytesMut, own: SocketType, identity: &[u8]) {
    let Some(peer) = own.peers().first() else {
        return;
    };
    let mut properties = Metadata::new();
    properties.add(SOCKET_TYPE, Bytes::from_static(peer.name().as_bytes()));
    properties.add(IDENTITY, Bytes::copy_from_slice(identity));
    let mut list = BytesMut::new();
    properties.put(&mut list);
    Command::Ready(&list).put(out);
}
