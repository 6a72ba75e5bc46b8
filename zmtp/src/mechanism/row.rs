//! [`Row`]: what a mechanism says of itself, in one role. Each mechanism's file has its own.

/// Tells when a socket with a mechanism asks whether a peer may come in, before it lets it in.
///
/// Whoever asks decides what a ZAP domain and an authenticator are; this crate only carries the question
/// ([`crate::Event::Authenticate`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It never asks: the peer is known, or cannot be.
    Never,
    /// It asks if it has a ZAP domain and there is an authenticator.
    InDomain,
    /// It asks if there is an authenticator.
    IfPossible,
    /// It always asks, and lets nobody in where there is no authenticator.
    Always,
}

/// Holds what a mechanism is, in one role.
#[derive(Debug)]
pub(super) struct Row {
    /// The name in the greeting, of at most 20 octets.
    pub(super) name: &'static str,
    /// Whether this is the server's role. A mechanism without roles has no server.
    pub(super) is_server: bool,
    /// When it asks whether a peer may come in.
    pub(super) asks: Asks,
    /// Whether peers too old for security mechanisms may connect. RFC 23 forbids it where there is security to lose.
    pub(super) allows_downgrade: bool,
    /// Whether the peer has to prove to be one that this side knows, without anybody being asked.
    pub(super) knows_peer: bool,
    /// Whether the handshake carries a secret in the clear, from the client to the server.
    pub(super) tells_secrets: bool,
    /// Whether traffic is encrypted.
    pub(super) encrypts: bool,
}
