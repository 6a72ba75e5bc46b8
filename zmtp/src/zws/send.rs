//! What goes: frames of the engine, and the messages of WebSocket that they become. Called by the layer over a stream, as
//! the session writes.

use bytes::{BufMut, BytesMut};

use super::websocket::{BINARY, CLOSE, Mask, PING, PONG, put_header, put_masked};
use super::{Framing, ZWS_COMMAND, ZWS_MORE};
use crate::wire::command::Command;
use crate::wire::frame::Header;
use crate::wire::metadata::{IDENTITY, Metadata, SOCKET_TYPE};

/// Where the output is.
#[derive(Debug)]
pub(super) enum Writing {
    /// Of this side's greeting so many bytes are to come, which nobody is sent.
    Greeting(usize),
    Header(BytesMut),
    Command {
        left: usize,
        body: BytesMut,
    },
    Body {
        left: u64,
        mask: Mask,
    },
}

impl Framing {
    /// Appends to `out` what goes over the WebSocket connection for bytes that the engine has written. `key` gives a key
    /// for each frame of a client. Returns whether [`receive`](Self::receive) has something to give now that it had not.
    pub fn send(
        &mut self,
        mut zmtp: &[u8],
        mut key: impl FnMut() -> [u8; 4],
        out: &mut BytesMut,
    ) -> bool {
        let knew_type = self.own_type.is_some();
        while !zmtp.is_empty() {
            match &mut self.writing {
                Writing::Greeting(left) => {
                    let some = zmtp.len().min(*left);
                    zmtp = &zmtp[some..];
                    *left -= some;
                    if *left == 0 {
                        self.writing = Writing::Header(BytesMut::new());
                    }
                }
                Writing::Header(begun) => {
                    // Nearly always the whole header is at hand.
                    let header = match Header::parse(zmtp).filter(|_| begun.is_empty()) {
                        Some(header) => {
                            zmtp = &zmtp[header.size..];
                            header
                        }
                        None => {
                            begun.put_u8(zmtp[0]);
                            zmtp = &zmtp[1..];
                            let Some(header) = Header::parse(begun) else {
                                continue;
                            };
                            header
                        }
                    };
                    self.begin_frame(header, &mut key, out);
                }
                Writing::Command { left, body } => {
                    let some = zmtp.len().min(*left);
                    body.put_slice(&zmtp[..some]);
                    zmtp = &zmtp[some..];
                    *left -= some;
                    if *left == 0 {
                        let body = body.split();
                        self.writing = Writing::Header(BytesMut::new());
                        self.put_command(&body, &mut key, out);
                    }
                }
                Writing::Body { left, mask } => {
                    let some = usize::try_from(*left).unwrap_or(usize::MAX).min(zmtp.len());
                    let start = out.len();
                    out.put_slice(&zmtp[..some]);
                    mask.apply(&mut out[start..]);
                    zmtp = &zmtp[some..];
                    *left -= some as u64;
                    if *left == 0 {
                        self.writing = Writing::Header(BytesMut::new());
                    }
                }
            }
        }
        !knew_type && self.own_type.is_some() && self.identity.is_some()
    }

    fn begin_frame(
        &mut self,
        header: Header,
        key: &mut impl FnMut() -> [u8; 4],
        out: &mut BytesMut,
    ) {
        if header.command() {
            // This side's own, and none of them is large.
            self.writing = Writing::Command {
                left: usize::try_from(header.len).unwrap_or(usize::MAX),
                body: BytesMut::new(),
            };
            return;
        }
        let flags = if header.more() { ZWS_MORE } else { 0 };
        let mut mask = put_header(self.side, BINARY, header.len + 1, key, out);
        put_masked(out, &[flags], &mut mask);
        self.writing = match header.len {
            0 => Writing::Header(BytesMut::new()),
            left => Writing::Body { left, mask },
        };
    }

    fn put_command(&mut self, body: &[u8], key: &mut impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        match Command::parse(body) {
            Ok(Command::Ping { .. }) => {
                put_header(self.side, PING, 0, key, out);
            }
            // WebSocket's PING is answered here.
            Ok(Command::Pong(_)) => {}
            Ok(Command::Ready(properties)) if self.own_type.is_none() => {
                let properties = Metadata::parse(properties).unwrap_or_default();
                let own = properties.get(SOCKET_TYPE);
                let own = own.and_then(|name| str::from_utf8(name).ok());
                self.own_type = own.and_then(|name| name.parse().ok());
                if self.subprotocol.says_ready {
                    self.put_frame(ZWS_COMMAND, body, key, out);
                } else {
                    let identity = properties.get(IDENTITY).unwrap_or_default();
                    self.put_frame(0, identity, key, out);
                }
            }
            _ => self.put_frame(ZWS_COMMAND, body, key, out),
        }
    }

    fn put_frame(
        &self,
        flags: u8,
        body: &[u8],
        key: &mut impl FnMut() -> [u8; 4],
        out: &mut BytesMut,
    ) {
        let mut mask = put_header(self.side, BINARY, body.len() as u64 + 1, key, out);
        put_masked(out, &[flags], &mut mask);
        put_masked(out, body, &mut mask);
    }

    /// Appends what answers the peer's control frames, if this is between two frames.
    pub fn put_answers(&mut self, mut key: impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        if !self.is_between_frames() {
            return;
        }
        if let Some(data) = self.pong.take() {
            let mut mask = put_header(self.side, PONG, data.len() as u64, &mut key, out);
            put_masked(out, &data, &mut mask);
        }
        if let Some(code) = self.closing.take() {
            let mut mask = put_header(self.side, CLOSE, code.len() as u64, &mut key, out);
            put_masked(out, &code, &mut mask);
        }
    }

    /// Appends a CLOSE frame, if this is between two frames.
    pub fn put_close(&mut self, code: u16, mut key: impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        if self.is_between_frames() {
            let mut mask = put_header(self.side, CLOSE, 2, &mut key, out);
            put_masked(out, &code.to_be_bytes(), &mut mask);
        }
    }

    fn is_between_frames(&self) -> bool {
        matches!(&self.writing, Writing::Greeting(_))
            || matches!(&self.writing, Writing::Header(begun) if begun.is_empty())
    }
}
