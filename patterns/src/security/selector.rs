//! Whose connections are meant: for `disconnect_peer` of a socket, or of a context.

use std::net::IpAddr;

use ipnet::IpNet;

#[cfg(feature = "curve")]
use super::PublicKey;
use crate::peer::Peer;
use crate::peer_address::Place;
use crate::routing_id::{PeerId, RoutingId};

/// Some peers: those whose connections `disconnect_peer` ends, of a [socket](crate::Socket::disconnect_peer) or of all sockets
/// of a [context](crate::Context::disconnect_peer).
///
/// ```
/// use purezmq::PeerSelector;
///
/// let joe = PeerSelector::user("joe");
/// let worker = PeerSelector::routing_id("worker 1");
/// let network = PeerSelector::At("10.0.0.0/8".parse()?);
/// # Ok::<(), purezmq::security::PlaceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerSelector {
    /// Who is known by this routing id: to a ROUTER, the one by which it knows its peer, and to a SERVER or PEER, the number
    /// (made of a [`PeerId`]); to all others, what the peer calls itself.
    RoutingId(RoutingId),
    /// Whom the authenticator has let in as this user.
    User(String),
    /// Who has proven to have the secret of this CURVE key: a client at a server, or the server that a client has
    /// connected to.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    Key(PublicKey),
    /// Who is there.
    At(Place),
}

impl PeerSelector {
    /// Selects by routing id.
    pub fn routing_id(id: impl Into<RoutingId>) -> Self {
        PeerSelector::RoutingId(id.into())
    }

    /// Selects by user id.
    pub fn user(id: impl Into<String>) -> Self {
        PeerSelector::User(id.into())
    }

    /// Returns whether it selects a peer. `name` is by what the socket knows it, where it names its peers.
    pub(crate) fn selects(&self, peer: &Peer, name: Option<&RoutingId>) -> bool {
        match self {
            PeerSelector::RoutingId(id) => name.or(peer.routing_id.as_ref()) == Some(id),
            PeerSelector::User(id) => peer.user_id.as_ref() == Some(id),
            #[cfg(feature = "curve")]
            PeerSelector::Key(key) => peer.public_key.as_ref() == Some(key),
            PeerSelector::At(place) => place.has(&peer.address),
        }
    }
}

impl From<RoutingId> for PeerSelector {
    fn from(id: RoutingId) -> Self {
        PeerSelector::RoutingId(id)
    }
}

impl From<PeerId> for PeerSelector {
    fn from(id: PeerId) -> Self {
        PeerSelector::RoutingId(id.name())
    }
}

#[cfg(feature = "curve")]
#[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
impl From<PublicKey> for PeerSelector {
    fn from(key: PublicKey) -> Self {
        PeerSelector::Key(key)
    }
}

impl From<Place> for PeerSelector {
    fn from(place: Place) -> Self {
        PeerSelector::At(place)
    }
}

impl From<IpAddr> for PeerSelector {
    fn from(address: IpAddr) -> Self {
        PeerSelector::At(Place::Net(IpNet::from(address)))
    }
}
