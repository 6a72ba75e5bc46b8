//! [`Config`]: which mechanism a socket uses. What is asked of it is answered by the mechanism's own row.

#[cfg(feature = "curve")]
use super::curve::{self, KeyPair, PublicKey};
use super::handshake::Mechanism;
use super::null;
use super::password::TooLong;
use super::plain::{self, PlainClient};
use super::row::{Asks, Row};
use crate::random::Random;

/// Says which mechanism to use, in which role, and with what secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Config {
    /// No security: anybody may connect, everybody may read along.
    #[default]
    Null,
    /// PLAIN, as the side that says who it is.
    PlainClient(PlainClient),
    /// PLAIN, as the side that checks. The connection always asks for a decision.
    PlainServer,
    /// CURVE, as the side that knows the other's public key.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    CurveClient {
        /// This side's permanent keys.
        keys: KeyPair,
        /// The public key that the server must prove to have the secret of.
        server: PublicKey,
    },
    /// CURVE, as the side whose public key the other knows.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    CurveServer {
        /// This side's permanent keys.
        keys: KeyPair,
    },
}

impl Config {
    /// Chooses PLAIN, as the side that says who it is, with at most 255 bytes each.
    ///
    /// # Errors
    /// Returns [`TooLong`] when one of them is longer.
    pub fn plain_client(
        username: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
    ) -> Result<Self, TooLong> {
        PlainClient::new(username, password).map(Self::PlainClient)
    }

    /// Chooses PLAIN, as the side that checks.
    #[must_use]
    pub const fn plain_server() -> Self {
        Self::PlainServer
    }

    /// Returns the row of the mechanism and role.
    const fn row(&self) -> &'static Row {
        match self {
            Self::Null => &null::ROW,
            Self::PlainClient(_) => &plain::CLIENT,
            Self::PlainServer => &plain::SERVER,
            #[cfg(feature = "curve")]
            Self::CurveClient { .. } => &curve::CLIENT,
            #[cfg(feature = "curve")]
            Self::CurveServer { .. } => &curve::SERVER,
        }
    }

    /// Begins the handshake of one connection; `gaps` is [`crate::Config::curve_gaps`].
    #[cfg_attr(not(feature = "curve"), expect(unused_variables))]
    pub(crate) fn start(&self, random: &Random, gaps: bool) -> Box<dyn Mechanism> {
        match self {
            Self::Null => Box::new(null::Null::default()),
            Self::PlainClient(client) => Box::new(plain::Client::new(client)),
            Self::PlainServer => Box::new(plain::Server::default()),
            #[cfg(feature = "curve")]
            Self::CurveClient { keys, server } => {
                Box::new(curve::Client::new(keys, *server, random).with_gaps(gaps))
            }
            #[cfg(feature = "curve")]
            Self::CurveServer { keys } => {
                Box::new(curve::Server::new(keys, random).with_gaps(gaps))
            }
        }
    }

    /// Returns the public key that the peer has to prove to have the secret of, where this side knows it.
    #[cfg(feature = "curve")]
    pub(crate) const fn peer_key(&self) -> Option<PublicKey> {
        match self {
            Self::CurveClient { server, .. } => Some(*server),
            _ => None,
        }
    }

    /// Returns the name in the greeting.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.row().name
    }

    /// Returns whether this side has the server's role. NULL knows no roles.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        self.row().is_server
    }

    /// Returns when a socket asks whether a peer may come in.
    #[must_use]
    pub const fn asks(&self) -> Asks {
        self.row().asks
    }

    /// Returns whether peers too old for security mechanisms may connect.
    #[must_use]
    pub const fn allows_downgrade(&self) -> bool {
        self.row().allows_downgrade
    }

    /// Returns whether the peer has to prove to be one that this side knows, without anybody being asked.
    #[must_use]
    pub const fn knows_peer(&self) -> bool {
        self.row().knows_peer
    }

    /// Returns whether the handshake carries a secret in the clear: a client tells it, and a server hears it.
    #[must_use]
    pub const fn tells_secrets(&self) -> bool {
        self.row().tells_secrets
    }

    /// Returns whether traffic is encrypted.
    #[must_use]
    pub const fn encrypts(&self) -> bool {
        self.row().encrypts
    }
}

#[cfg(feature = "curve")]
#[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
impl Config {
    /// Chooses CURVE, as the side that knows the other's public key.
    #[must_use]
    pub const fn curve_client(keys: KeyPair, server: PublicKey) -> Self {
        Self::CurveClient { keys, server }
    }

    /// Chooses CURVE, as the side whose public key the other knows.
    #[must_use]
    pub const fn curve_server(keys: KeyPair) -> Self {
        Self::CurveServer { keys }
    }
}
