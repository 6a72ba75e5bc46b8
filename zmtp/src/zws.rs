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
//!
//! ```text
//! receive.rs    what comes
//! send.rs       what goes
//! websocket.rs  headers and masks
//! ```

mod receive;
mod send;
mod websocket;

use bytes::{BufMut, Bytes, BytesMut};

use self::receive::Reading;
use self::send::Writing;
use crate::socket_type::SocketType;
use crate::wire::greeting::{self, GREETING, Greeting};

/// Begins the name of every subprotocol.
const PREFIX: &str = "ZWS2.0";

/// Says in the octet of flags that another frame of the same message follows.
const ZWS_MORE: u8 = 1;
/// Says in the octet of flags that the frame is a command.
const ZWS_COMMAND: u8 = 2;

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
    /// A CLOSE frame of one byte, or with a code that nobody may send.
    #[error("a WebSocket CLOSE frame with a code that nobody may send")]
    Close,
    /// A CLOSE frame whose reason is no text.
    #[error("a WebSocket CLOSE frame with a reason that is no UTF-8")]
    Reason,
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
            Self::Reason => 1007,
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
}

#[cfg(test)]
mod tests;
