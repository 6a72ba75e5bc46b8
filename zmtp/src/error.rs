//! Errors, sorted by who is to blame (RFC 37, "Error Handling").
//!
//! Every error ends the connection it happened on, and nothing else. Whether to dial again is the caller's choice: only
//! [`Error::Refused`] is final by the standard.

use crate::socket_type::SocketType;
use crate::version::Version;
use crate::wire::metadata::MalformedMetadata;

/// Says why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol. Close; another attempt may meet a healthier peer.
    #[error("the peer broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// Both sides are sound but don't go together. Close, after what
    /// [`crate::Engine::explain`] has to say. Only a changed configuration helps.
    #[error("the peer is incompatible: {0}")]
    Incompatible(#[from] Incompatible),
    /// The peer refused this side with an ERROR command, whose reason this is: PLAIN and CURVE
    /// servers send a status code such as `400`. Final by the standard.
    #[error("the peer refused the connection: {reason:?}")]
    Refused {
        /// The peer's words, made valid UTF-8. At most 255 bytes before that.
        reason: String,
    },
    /// The peer was refused here: see [`crate::Engine::authenticated`].
    #[error("the peer was refused: {0}")]
    Denied(#[from] Refusal),
    /// The peer went over a limit of this side. Nothing was allocated for it.
    #[error("the peer exceeded a limit: {0}")]
    Limit(#[from] LimitExceeded),
    /// The peer fell silent. Close and reconnect.
    #[error("the peer is silent: {0}")]
    Silent(#[from] Silence),
}

/// Says what a peer did that no peer may do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A ZMTP 1.0 frame whose size leaves no room for its flags. Garbage often looks so.
    #[error("ZMTP 1.0 frame of size zero")]
    EmptyFrame,
    /// A ZMTP 1.0 identity frame with flags. Some other protocol's first bytes look so.
    #[error("no ZMTP greeting, nor a ZMTP 1.0 identity: does another protocol speak?")]
    IdentityFlags,
    /// A frame size of 2^63 or more, which the standard rules out.
    #[error("frame size of 2^63 or more")]
    FrameSize,
    /// A frame that is no command where the handshake needs one, or a command whose name does
    /// not fit into it.
    #[error("malformed command in the handshake")]
    MalformedCommand,
    /// A well-formed command at the wrong time.
    #[error("unexpected command {0:?} in the handshake")]
    UnexpectedCommand(String),
    /// An ERROR command whose reason has another length than announced.
    #[error("malformed ERROR command")]
    MalformedError,
    /// A command of PLAIN or CURVE whose data is not what that command has. Its name.
    #[error("malformed {0} command")]
    Malformed(&'static str),
    /// A CURVE box that was not made with the right keys, or with keys that keep no secret, or was changed on its way.
    #[error("a CURVE box cannot be opened: made with another key, or changed on its way")]
    Box,
    /// CURVE keys that do not belong to this connection or this server.
    #[error("the CURVE keys are not those of this connection")]
    KeyExchange,
    /// A CURVE command whose counter is not above that of the one before: it was sent once already.
    #[error("a CURVE command came twice or out of order")]
    Nonce,
    /// A CURVE command whose counter is beyond the next one: those between were left out on the way.
    #[error("CURVE commands are missing: somebody on the way has left them out")]
    Gap,
    /// A CURVE client that took more than a minute to answer WELCOME.
    #[error("the CURVE cookie has expired")]
    Cookie,
    /// A frame in the clear on an encrypted connection.
    #[error("a frame in the clear on an encrypted connection")]
    Unsealed,
    /// A property list that is cut short or has a size no property can have.
    #[error("malformed metadata")]
    Metadata,
    /// A subscription between the frames of a message.
    #[error("a subscription inside a message")]
    SubscriptionInsideMessage,
    /// A group name of more than 255 bytes.
    #[error("group name of more than 255 bytes")]
    GroupName,
}

/// Says what doesn't go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Incompatible {
    /// The peer speaks an older ZMTP than [`crate::Config::min_version`] or the security
    /// mechanism allows. RFC 23 forbids to give up security for an old peer.
    #[error("the peer speaks ZMTP {peer}, this side needs {needed} or later")]
    Version {
        /// The version that would be spoken with the peer.
        peer: Version,
        /// The oldest acceptable one.
        needed: Version,
    },
    /// The peer's greeting names another mechanism.
    #[error("the peer wants mechanism {peer:?}, this side {local}")]
    Mechanism {
        /// The 20 octets of the peer's greeting, as text without trailing zeros.
        peer: String,
        /// The mechanism configured here.
        local: &'static str,
    },
    /// The peer's greeting claims no server's role, and [`crate::Config::require_server_role`] wants one.
    #[error("the peer does not claim to be a server, which is to be told a password")]
    Role,
    /// The peer's socket type can't talk to this one.
    #[error("a {local} socket can't talk to a peer of type {peer:?}")]
    SocketType {
        /// The peer's `Socket-Type`, as it stood there.
        peer: String,
        /// The socket type here.
        local: SocketType,
    },
}

/// Says which limit of [`crate::Limits`] was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// See [`crate::Limits::max_frame`].
    #[error("frame of {size} bytes, allowed are {max}")]
    Frame {
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// See [`crate::Limits::max_frames`].
    #[error("message of more than {max} frames")]
    Frames {
        /// The limit.
        max: usize,
    },
    /// See [`crate::Limits::max_message`].
    #[error("message of more than {max} bytes")]
    Message {
        /// The limit in bytes.
        max: u64,
    },
    /// See [`crate::Limits::max_handshake`].
    #[error("handshake frame of {size} bytes, allowed are {max}")]
    Handshake {
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The system has no memory for a frame, part of which has come.
    #[error("no memory for {size} bytes of a frame")]
    Memory {
        /// What could not be had, in bytes.
        size: u64,
    },
    /// See [`crate::Limits::max_command`].
    #[error("command of {size} bytes, allowed are {max}")]
    Command {
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
}

/// Says what kind of silence ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Silence {
    /// The handshake took longer than [`crate::Config::handshake_timeout`].
    #[error("the handshake took too long")]
    Handshake,
    /// Nothing came within [`crate::Heartbeat::timeout`] after a PING.
    #[error("no answer to a PING")]
    Heartbeat,
    /// Nothing came within the time to live that the peer's own PING announced.
    #[error("nothing came within the time the peer announced in its PING")]
    TimeToLive,
}

/// Says that the peer may not come in, by the status codes of RFC 27.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 300: not now. The peer is told nothing and may try again.
    #[error("temporary failure (300)")]
    Temporary,
    /// 400: not this one. The peer gets an ERROR, which is final for it.
    #[error("authentication failure (400)")]
    Denied,
    /// 500: whoever decides could not. The peer gets an ERROR, which is final for it.
    #[error("internal error (500)")]
    Internal,
}

impl Refusal {
    /// Returns the status code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Temporary => 300,
            Self::Denied => 400,
            Self::Internal => 500,
        }
    }

    /// Returns the reason in the ERROR command; `None` when none is sent.
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Temporary => None,
            Self::Denied => Some("400"),
            Self::Internal => Some("500"),
        }
    }
}

impl From<MalformedMetadata> for Error {
    fn from(_: MalformedMetadata) -> Self {
        Violation::Metadata.into()
    }
}
