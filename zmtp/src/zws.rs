//! ZWS 2.0 (RFC 45): the frames of ZMTP as WebSocket messages, and back, without I/O.
//!
//! One frame of ZMTP is one final binary message of WebSocket: an octet of flags, and the body. There is no greeting:
//! what that would say stands in the subprotocol that both sides have agreed on ([`Subprotocol`]). So [`Framing`] gives
//! the engine a greeting of the peer, made up from the subprotocol, and keeps the engine's own to itself. Heartbeats are
//! WebSocket's PING and PONG; subscriptions are messages, as for a peer of ZMTP 3.0, which the engine is told it has.
//!
//! ```text
//!   engine ──► 04 05 04 'PING' ..          ──► send    ──► 89 00
//!   engine ──► 01 05 'hello'               ──► send    ──► 82 06  01 'hello'
//!   engine ◄── 00 05 'world'               ◄── receive ◄── 82 06  00 'world'
//! ```
//! The subprotocol `ZWS2.0`, which browsers use, has no READY either: the first message of each side is its routing id,
//! and the socket type is taken for one that fits. So is a peer that has agreed on READY and does not say it, as servers
//! of jszmq do.
//!
//! Bodies pass through as they come: nothing waits here for the end of a message, so memory follows what has been
//! received. Called by the transports `ws://` and `wss://` of `purezmq`.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::socket_type::SocketType;
use crate::wire::command::Command;
use crate::wire::frame::{COMMAND, Header, LONG, MORE};
use crate::wire::greeting::{self, GREETING, Greeting};
use crate::wire::metadata::{IDENTITY, Metadata, SOCKET_TYPE};

/// Begins the name of every subprotocol.
const PREFIX: &str = "ZWS2.0";

/// Says in the octet of flags that another frame of the same message follows.
const ZWS_MORE: u8 = 1;
/// Says in the octet of flags that the frame is a command.
const ZWS_COMMAND: u8 = 2;

/// Says that a WebSocket frame is the last of its message.
const FINAL: u8 = 0x80;
/// Says that a WebSocket frame is masked.
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Bounds the payload of a control frame of WebSocket.
const CONTROL_MAX: usize = 125;

/// Bounds a routing id.
const IDENTITY_MAX: usize = 255;

/// Names what two sides have agreed on: the mechanism, and whether they say READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subprotocol {
    mechanism: &'static str,
    says_ready: bool,
}

impl Subprotocol {
    /// Lists what a client of that mechanism offers, the best first, as `Sec-WebSocket-Protocol` has it.
    #[must_use]
    pub fn offer(mechanism: &str) -> String {
        match mechanism {
            "NULL" => format!("{PREFIX}/{mechanism},{PREFIX}"),
            _ => format!("{PREFIX}/{mechanism}"),
        }
    }

    /// Chooses the first of those in a list of names that fits the mechanism of this side. `None`: none does.
    #[must_use]
    pub fn choose(list: &str, mechanism: &'static str) -> Option<Self> {
        list.split(',').find_map(|name| {
            let rest = name.trim().strip_prefix(PREFIX)?;
            let says_ready = match rest.strip_prefix('/') {
                Some(name) if name == mechanism => true,
                None if rest.is_empty() && mechanism == "NULL" => false,
                _ => return None,
            };
            Some(Self {
                mechanism,
                says_ready,
            })
        })
    }

    /// Returns the name, as the answer of a server has it.
    #[must_use]
    pub fn name(&self) -> String {
        match self.says_ready {
            true => format!("{PREFIX}/{}", self.mechanism),
            false => PREFIX.to_owned(),
        }
    }
}

/// Says which side of a WebSocket connection this is. The client masks what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Side {
    Client,
    Server,
}

/// Says what a peer did that no peer of ZWS may do. The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A frame of text.
    #[error("a WebSocket frame of text: ZWS is binary")]
    Text,
    /// A frame that is a part of a message.
    #[error("a WebSocket message in fragments: each frame of ZWS is one whole message")]
    Fragment,
    /// A frame with a reserved bit or an opcode that nobody has agreed on.
    #[error("a WebSocket frame with reserved bits or an unknown opcode")]
    Reserved,
    /// A client's frame that is not masked, or a server's that is.
    #[error("a WebSocket frame of a client that is not masked, or one of a server that is")]
    Mask,
    /// A control frame of more than 125 bytes, or in fragments.
    #[error("a WebSocket control frame that is too long or in fragments")]
    Control,
    /// A frame without the octet of flags, or of 2^63 bytes or more.
    #[error("a WebSocket frame of no bytes, or of 2^63 or more")]
    Length,
    /// An octet of flags with bits that have no meaning.
    #[error("flags that ZWS does not have")]
    Flags,
    /// The first message of a peer without READY is no routing id.
    #[error("the first message is no routing id")]
    Identity,
}

impl Broken {
    /// Returns the code that tells the peer, in a CLOSE frame (RFC 6455, 7.4.1).
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Text => 1003,
            _ => 1002,
        }
    }
}

/// Translates the frames of one connection.
#[derive(Debug)]
pub struct Framing {
    side: Side,
    subprotocol: Subprotocol,
    reading: Reading,
    writing: Writing,
    /// What the engine has still to be given: the peer's greeting, and an answer to its PING.
    given: BytesMut,
    /// What the peer has asked for and is to be answered between two frames: at most one PING and one CLOSE.
    pong: Option<Bytes>,
    closing: Option<Bytes>,
    is_closed: bool,
    /// The peer's first frame has come.
    has_begun: bool,
    /// This side's socket type, once that is known, and the routing id of a peer that does not say READY.
    own_type: Option<SocketType>,
    identity: Option<Vec<u8>>,
}

/// Where the input is.
#[derive(Debug)]
enum Reading {
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
        data: Vec<u8>,
    },
    /// The peer's routing id, which stands for its READY.
    Identity {
        left: usize,
        mask: Mask,
    },
    /// The routing id is here, the socket type of this side is not.
    Waits,
}

/// Where the output is.
#[derive(Debug)]
enum Writing {
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

/// The key of a masked frame, as far as it is used.
#[derive(Clone, Copy, Debug, Default)]
struct Mask([u8; 4]);

impl Mask {
    /// Masks bytes, or takes the mask off.
    fn apply(&mut self, bytes: &mut [u8]) {
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

impl Framing {
    /// Begins a connection whose upgrade is done.
    #[must_use]
    pub fn new(side: Side, subprotocol: Subprotocol) -> Self {
        let mut given = BytesMut::with_capacity(GREETING);
        greeting::put_signature(&mut given, 0);
        given.put_u8(greeting::MAJOR);
        let greeting = Greeting {
            major: greeting::MAJOR,
            // Subscriptions are messages.
            minor: 0,
            mechanism: greeting::pad_mechanism(subprotocol.mechanism),
            // Where a mechanism has roles, the engine's own is known; the peer's is the other one.
            as_server: false,
        };
        greeting.put_rest(&mut given);
        Self {
            side,
            subprotocol,
            reading: Reading::Header,
            writing: Writing::Greeting(GREETING),
            given,
            pong: None,
            closing: None,
            is_closed: false,
            has_begun: false,
            own_type: None,
            identity: None,
        }
    }

    /// Returns whether the peer has said that it closes: nothing comes any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    // ---- in

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
                    (flags, _) if flags & !(ZWS_MORE | ZWS_COMMAND) == 0 => {
                        put_zmtp_header(out, flags, left);
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
            Reading::Control {
                opcode,
                left,
                mask,
                data,
            } => {
                let Some(mut bytes) = take(input, *left) else {
                    return Ok(false);
                };
                mask.apply(&mut bytes);
                data.extend_from_slice(&bytes);
                let (opcode, data) = (*opcode, std::mem::take(data));
                self.reading = Reading::Header;
                match opcode {
                    PING => self.pong = Some(data.into()),
                    PONG => Command::Pong(&[]).put(out),
                    _ => {
                        // The code, without the words.
                        self.closing = Some(data.into_iter().take(2).collect());
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
                    data: Vec::new(),
                }),
                _ => Err(Broken::Control),
            },
            TEXT => Err(Broken::Text),
            0 => Err(Broken::Fragment),
            _ => Err(Broken::Reserved),
        }
    }

    // ---- out

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
        let mut mask = self.put_header(BINARY, header.len + 1, key, out);
        put_masked(out, &[flags], &mut mask);
        self.writing = match header.len {
            0 => Writing::Header(BytesMut::new()),
            left => Writing::Body { left, mask },
        };
    }

    fn put_command(&mut self, body: &[u8], key: &mut impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        match Command::parse(body) {
            Ok(Command::Ping { .. }) => {
                self.put_header(PING, 0, key, out);
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
        let mut mask = self.put_header(BINARY, body.len() as u64 + 1, key, out);
        put_masked(out, &[flags], &mut mask);
        put_masked(out, body, &mut mask);
    }

    /// Appends what answers the peer's control frames, if this is between two frames.
    pub fn put_answers(&mut self, mut key: impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        if !self.is_between_frames() {
            return;
        }
        if let Some(data) = self.pong.take() {
            let mut mask = self.put_header(PONG, data.len() as u64, &mut key, out);
            put_masked(out, &data, &mut mask);
        }
        if let Some(code) = self.closing.take() {
            let mut mask = self.put_header(CLOSE, code.len() as u64, &mut key, out);
            put_masked(out, &code, &mut mask);
        }
    }

    /// Appends a CLOSE frame, if this is between two frames.
    pub fn put_close(&mut self, code: u16, mut key: impl FnMut() -> [u8; 4], out: &mut BytesMut) {
        if self.is_between_frames() {
            let mut mask = self.put_header(CLOSE, 2, &mut key, out);
            put_masked(out, &code.to_be_bytes(), &mut mask);
        }
    }

    fn is_between_frames(&self) -> bool {
        matches!(&self.writing, Writing::Greeting(_))
            || matches!(&self.writing, Writing::Header(begun) if begun.is_empty())
    }

    /// Appends the header of a final frame.
    fn put_header(
        &self,
        opcode: u8,
        len: u64,
        key: &mut impl FnMut() -> [u8; 4],
        out: &mut BytesMut,
    ) -> Mask {
        let masked = match self.side {
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
        match self.side {
            Side::Client => {
                let key = key();
                out.put_slice(&key);
                Mask(key)
            }
            Side::Server => Mask::default(),
        }
    }
}

/// Takes `len` bytes off, once they are all there.
fn take(input: &mut BytesMut, len: usize) -> Option<BytesMut> {
    (input.len() >= len).then(|| input.split_to(len))
}

fn put_masked(out: &mut BytesMut, bytes: &[u8], mask: &mut Mask) {
    let start = out.len();
    out.put_slice(bytes);
    mask.apply(&mut out[start..]);
}

/// Appends the header of ZMTP for a frame with flags of ZWS.
fn put_zmtp_header(out: &mut BytesMut, zws: u8, len: u64) {
    let mut flags = 0;
    if zws & ZWS_MORE != 0 {
        flags |= MORE;
    }
    if zws & ZWS_COMMAND != 0 {
        flags |= COMMAND;
    }
    match u8::try_from(len) {
        Ok(len) => out.put_slice(&[flags, len]),
        Err(_) => {
            out.put_u8(flags | LONG);
            out.put_u64(len);
        }
    }
}

/// Appends the READY of a peer that says none, of a socket type that fits.
fn put_ready(out: &mut BytesMut, own: SocketType, identity: &[u8]) {
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

/// The header of a WebSocket frame (RFC 6455, 5.2).
struct WebSocketHeader {
    size: usize,
    opcode: u8,
    is_final: bool,
    len: u64,
    mask: Mask,
}

impl WebSocketHeader {
    /// Reads the header of a frame of the other side. `None` while it is not all there.
    fn parse(bytes: &[u8], side: Side) -> Result<Option<Self>, Broken> {
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

#[cfg(test)]
mod tests;
