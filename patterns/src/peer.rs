//! Who a message is from: what the handshake has told of a connection's other end, made once for each connection by
//! the sessions, kept by the pipe (`pipe/lane.rs`) and the registry of statistics, and given out by the sockets'
//! `last_peer`.

use std::borrow::Cow;

use bytes::Bytes;
#[cfg(feature = "curve")]
use zmtp::mechanism::PublicKey;
use zmtp::{Metadata, PeerInfo, SocketType};

use crate::peer_address::PeerAddress;
use crate::routing_id::{Identity, RoutingId};

/// The other end of a connection: who has sent a message. The receiving sockets' `last_peer` gives it for the message
/// that was received last; [`stats`](crate::stats) and the [`monitor`](crate::monitor) tell the same of connections.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::security::{PlainUsers, Security};
/// use purezmq::{Context, PullSocket, PushSocket, SocketType};
///
/// let context = Context::new();
/// context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
/// let mut pull = PullSocket::builder()
///     .context(&context)
///     .security(Security::plain_server())
///     .build()?;
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let mut push = PushSocket::builder()
///     .security(Security::plain_client("joe", "secret")?)
///     .build()?;
/// push.connect(&endpoint)?;
/// push.send("hello").await?;
///
/// assert_eq!(pull.recv().await?, "hello");
/// let peer = pull.last_peer().expect("a message has been received");
/// assert_eq!(peer.user_id.as_deref(), Some("joe"));
/// assert_eq!(peer.socket_type, Some(SocketType::Push));
/// assert_eq!(peer.get("User-Id").as_deref(), Some(&b"joe"[..]));
/// # Ok(())
/// # }
/// ```
///
/// Two are equal if they are the same peer in the same place, whichever descriptor its connection has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Where it is.
    pub address: PeerAddress,
    /// The type of its socket. `None`: it has not said, as peers of before ZMTP 3.0 do not.
    pub socket_type: Option<SocketType>,
    /// What it calls itself, if anything. A ROUTER may know it by another name.
    pub routing_id: Option<RoutingId>,
    /// As whom the authenticator has let it in, if it has said so.
    pub user_id: Option<String>,
    /// The properties that it has given itself and that the authenticator has added; empty if there are none but its
    /// socket type and routing id.
    pub properties: Metadata,
    /// Over TLS: the certificate that it has shown and that the configuration has accepted, in DER. Servers always show one,
    /// clients if the server asks for it.
    pub certificate: Option<Bytes>,
    /// With CURVE: the permanent public key that it has proven to have the secret of.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    pub public_key: Option<PublicKey>,
    /// The system's number of the connection that the message has come by, where it has one: libzmq's `ZMQ_SRCFD`. For
    /// telling connections apart, and asking the system about them while they stand; numbers are used again. `None` by inproc.
    pub fd: Option<i32>,
    /// Its user or key.
    pub(crate) owner: Identity,
    /// Whom an answer reaches.
    pub(crate) identity: Identity,
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        let Peer {
            address,
            socket_type,
            routing_id,
            user_id,
            properties,
            certificate,
            #[cfg(feature = "curve")]
            public_key,
            fd: _,
            owner,
            identity,
        } = self;
        #[cfg(feature = "curve")]
        let has_same_key = *public_key == other.public_key;
        #[cfg(not(feature = "curve"))]
        let has_same_key = true;
        has_same_key
            && *address == other.address
            && *socket_type == other.socket_type
            && *routing_id == other.routing_id
            && *user_id == other.user_id
            && *properties == other.properties
            && *certificate == other.certificate
            && *owner == other.owner
            && *identity == other.identity
    }
}

impl Eq for Peer {}

impl Peer {
    /// Makes what is known of a peer after its handshake, by a connection of this number. `is_lasting`: it is the same when
    /// it comes back.
    pub(crate) fn new(
        address: PeerAddress,
        fd: Option<i32>,
        info: &PeerInfo,
        certificate: Option<Bytes>,
        is_lasting: bool,
    ) -> Self {
        let owner = owner(info, certificate.as_deref());
        let properties = &info.properties;
        let says_more = properties
            .iter()
            .any(|(name, _)| !matches!(name, "Socket-Type" | "Identity"));
        Peer {
            address,
            socket_type: info.socket_type,
            routing_id: named(&info.routing_id),
            user_id: (!info.user_id.is_empty()).then(|| info.user_id.clone()),
            // Nothing is kept of most peers: there may be thousands.
            properties: if says_more {
                properties.clone()
            } else {
                Metadata::new()
            },
            certificate,
            #[cfg(feature = "curve")]
            public_key: info.public_key,
            fd,
            owner,
            identity: identity(owner, &info.routing_id, is_lasting),
        }
    }

    /// A socket of the same context.
    pub(crate) fn inproc(
        socket_type: SocketType,
        routing_id: &[u8],
        properties: Metadata,
        is_lasting: bool,
    ) -> Self {
        Peer {
            address: PeerAddress::INPROC,
            socket_type: Some(socket_type),
            routing_id: named(routing_id),
            user_id: None,
            properties,
            certificate: None,
            #[cfg(feature = "curve")]
            public_key: None,
            fd: None,
            owner: Identity::UNTOLD,
            identity: identity(Identity::UNTOLD, routing_id, is_lasting),
        }
    }

    /// A property by the name that libzmq's `zmq_msg_gets` has for it: `User-Id`, `Peer-Address` (without a port),
    /// `Socket-Type`, `Routing-Id` or `Identity`, those that the authenticator has added, and those that the peer has
    /// given itself, which begin with `X-`; in any spelling. `None`: it has no such property. What the first three say, no
    /// peer can say of itself.
    pub fn get(&self, property: &str) -> Option<Cow<'_, [u8]>> {
        fn text<'a>(text: String) -> Option<Cow<'a, [u8]>> {
            Some(text.into_bytes().into())
        }
        match property.to_ascii_lowercase().as_str() {
            "user-id" => self.user_id.as_ref().map(|id| id.as_bytes().into()),
            "peer-address" if self.address.is_inproc() => None,
            "peer-address" => text(self.address.without_port()),
            "socket-type" => self.socket_type.and_then(|kind| text(kind.to_string())),
            "routing-id" | "identity" => self.routing_id.as_deref().map(Cow::from),
            _ => self.properties.get(property).map(Cow::from),
        }
    }
}

/// Returns as whom the peer was let in: the user, or else the key.
fn owner(info: &PeerInfo, certificate: Option<&[u8]>) -> Identity {
    let (kind, shown): (&[u8], &[u8]) = match certificate {
        _ if !info.user_id.is_empty() => (b"user", info.user_id.as_bytes()),
        _ if !info.credential.is_empty() => (info.mechanism.as_bytes(), &info.credential),
        Some(certificate) => (b"certificate", certificate),
        None => return Identity::UNTOLD,
    };
    Identity::of(&[kind, shown])
}

/// Returns who the peer is: the user or key, under the name that it gives itself. Not `is_lasting`: this connection.
fn identity(owner: Identity, routing_id: &[u8], is_lasting: bool) -> Identity {
    if !is_lasting {
        return Identity::unique();
    }
    if routing_id.is_empty() {
        return owner;
    }
    Identity::of(&[b"name", &owner.number().to_le_bytes(), routing_id])
}

fn named(routing_id: &[u8]) -> Option<RoutingId> {
    (!routing_id.is_empty()).then(|| RoutingId::from(routing_id))
}
