//! [`Config`]: how one ZMTP connection behaves. Made by the session from its socket's options.

use std::time::Duration;

use bytes::Bytes;

use crate::limits::Limits;
use crate::mechanism;
use crate::random::Random;
use crate::socket_type::SocketType;
use crate::version::Version;
use crate::wire::metadata::Metadata;

/// Tells a [`Connection`](crate::Connection) how to behave. Made by [`Config::new`], then changed field by field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The type of the socket here.
    pub socket_type: SocketType,
    /// The routing id, at most 255 bytes. REQ, DEALER and ROUTER announce it; to 1.0 and 2.0
    /// peers every type does. Default: empty.
    pub routing_id: Bytes,
    /// The security mechanism, and this side's role in it. Default: NULL.
    pub mechanism: mechanism::Config,
    /// Whether [`Event::Authenticate`](crate::Event::Authenticate) asks for a decision on the peer. PLAIN servers ask always. Default: no.
    pub authenticate: bool,
    /// Whether a PLAIN client tells its password only to a peer whose greeting claims the server's role. libzmq's servers
    /// never claim it. Default: no.
    pub require_server_role: bool,
    /// Whether the counters of a CURVE peer may leave numbers out, between messages and never within one: what somebody
    /// on the way leaves out goes unnoticed then. Default: no.
    pub curve_gaps: bool,
    /// Where keys and nonces come from. Default: the operating system.
    pub random: Random,
    /// The oldest version that is spoken. Default: 1.0.
    pub min_version: Version,
    /// What a peer may use.
    pub limits: Limits,
    /// How long the handshake may take, from the start of the connection. Default: 30 s; `None`
    /// for ever.
    pub handshake_timeout: Option<Duration>,
    /// Heartbeats. Default: none are sent; the peer's are answered always.
    pub heartbeat: Option<Heartbeat>,
    /// Whether the peer is told that this side handles [`Event::Drain`](crate::Event::Drain). Default: no.
    pub drain: bool,
    /// Further properties for the peer, by convention with names that begin with `X-`. Default:
    /// none.
    pub metadata: Metadata,
}

impl Config {
    /// Returns the defaults for a socket type.
    #[must_use]
    pub fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Bytes::new(),
            mechanism: mechanism::Config::Null,
            authenticate: false,
            require_server_role: false,
            curve_gaps: false,
            random: Random::default(),
            min_version: Version::V1_0,
            limits: Limits::default(),
            handshake_timeout: Some(Duration::from_secs(30)),
            heartbeat: None,
            drain: false,
            metadata: Metadata::new(),
        }
    }
}

/// Tells when to ask the peer for a sign of life. Spoken with 3.x peers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time between two PINGs; the first comes one interval after the handshake.
    pub interval: Duration,
    /// How long nothing may come after a PING before the connection ends.
    pub timeout: Duration,
    /// How long the peer shall wait for signs of life from here after our PING. In steps of
    /// 100 ms, at most 65.5 s; zero for ever.
    pub ttl: Duration,
}

impl Heartbeat {
    /// Sends a PING by `interval`, with as much time for the answer and no time to live for the peer:
    /// libzmq's defaults for the other two.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self {
            interval,
            timeout: interval,
            ttl: Duration::ZERO,
        }
    }
}
