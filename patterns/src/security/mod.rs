//! Security: what a socket asks of its peers, and who decides about them.
//!
//! A socket has one [`Security`] (option `security`): NULL, PLAIN or CURVE, in the role of client or server, whoever
//! binds and whoever connects. That settles what a peer must say or prove. Whether it may come in is decided by
//! the [`Authenticator`] of the [`Context`](crate::Context), once for each connection:
//!
//! ```text
//! session ── Event::Authenticate ──► policy.rs ──► the context's Authenticator (a function, or handlers.rs)
//!                                       '─────► zap.rs ──► whoever is bound to inproc://zeromq.zap.01 (RFC 27)
//! ```
//!
//! | socket | is asked about |
//! |---|---|
//! | PLAIN server | always; without an authenticator nobody comes in |
//! | CURVE server | if there is an authenticator; without one, every client that knows the server's key comes in |
//! | NULL, both sides | if the socket has a `zap_domain` and there is an authenticator |
//!
//! Whether there is one is looked at when a peer has said who it is, not when it connects. Without one, these let nobody
//! in either, and peers may come again: a socket with the option `zap_enforce_domain`; one with
//! `require_authentication` that is bound where other machines can come; and, in a context whose ZAP handler has gone,
//! all that would have asked it, until another one is bound or
//! [`remove_authenticator`](crate::Context::remove_authenticator) says that none will be. An authenticator that panics
//! refuses the peer. Connections over inproc stay within the process and are not asked about.
//!
#![cfg_attr(feature = "curve", doc = "```")]
#![cfg_attr(not(feature = "curve"), doc = "```ignore")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use purezmq::security::{Admission, AuthRequest, Credentials, KeyPair, Refusal, Security};
//! use purezmq::{Context, PullSocket, PushSocket};
//!
//! let server = KeyPair::generate();
//! let client = KeyPair::generate();
//!
//! let context = Context::new();
//! let known = *client.public();
//! context.set_authenticator(move |request: AuthRequest| async move {
//!     match request.credentials {
//!         Credentials::Curve(key) if key == known => Ok(Admission::user("joe")),
//!         _ => Err(Refusal::Denied),
//!     }
//! });
//!
//! let mut pull = PullSocket::builder()
//!     .context(&context)
//!     .security(Security::curve_server(server.clone()))
//!     .build()?;
//! let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
//! let mut push = PushSocket::builder()
//!     .security(Security::curve_client(client, *server.public()))
//!     .build()?;
//! push.connect(&endpoint)?;
//!
//! push.send("nobody else can read this").await?;
//! assert_eq!(pull.recv().await?, "nobody else can read this");
//! assert_eq!(pull.stats().peers[0].user_id.as_deref(), Some("joe"));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "curve")]
mod curve;
mod files;
mod handlers;
mod policy;
mod selector;
mod zap;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
pub use zmtp::Metadata;
use zmtp::SocketType;
pub use zmtp::mechanism::{
    Admission, Config as Security, Credentials, Password, PlainClient, Refusal, TooLong,
};

#[cfg(feature = "curve")]
#[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
pub use self::curve::{
    Certificate, CertificateError, CertificateFileError, CurveKeys, KeyError, KeyPair, PublicKey,
    SecretKey, load_certificate, save_certificate, z85,
};
pub use self::handlers::{Addresses, And, PlainUsers};
pub(crate) use self::policy::{Access, Authority, Refused, asks};
pub use self::selector::PeerSelector;
pub(crate) use self::zap::{NAME as ZAP_NAME, ZapClient};
use crate::peer_address::PeerAddress;
pub use crate::peer_address::{Place, PlaceError};
/// A network of IP addresses, of the crate `ipnet`: `"10.0.0.0/8".parse()`.
pub use ipnet::IpNet;

/// A peer that wants to come in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The socket's `zap_domain`; empty if it has none.
    pub domain: String,
    /// Where the peer is.
    pub address: PeerAddress,
    /// The routing id of the socket here (not the peer's), as libzmq has it; empty if it has none.
    pub routing_id: Bytes,
    /// The type of the socket here.
    pub socket_type: SocketType,
    /// Who the peer says or has proven to be.
    pub credentials: Credentials,
}

/// Whether a peer may come in.
pub type Decision = Result<Admission, Refusal>;

/// Decides which peers may come in. An async function of an [`AuthRequest`] is one; so are [`Addresses`],
/// [`PlainUsers`] and, with the feature `curve`, `CurveKeys`.
///
/// It is called by the connections' tasks, by many at a time, and should not block them. Each handshake waits for it,
/// no longer than `handshake_timeout`: then its future is dropped.
pub trait Authenticator: Send + Sync + 'static {
    /// Decides about one peer.
    fn decide(&self, request: AuthRequest) -> impl Future<Output = Decision> + Send;

    /// Asks `other` about the peers that this one lets in; its admission counts.
    fn and<B: Authenticator>(self, other: B) -> And<Self, B>
    where
        Self: Sized,
    {
        And::new(self, other)
    }
}

impl<F, D> Authenticator for F
where
    F: Fn(AuthRequest) -> D + Send + Sync + 'static,
    D: Future<Output = Decision> + Send,
{
    fn decide(&self, request: AuthRequest) -> impl Future<Output = Decision> + Send {
        self(request)
    }
}

/// An [`Authenticator`] of any type.
pub(crate) trait AnyAuthenticator: Send + Sync {
    fn decide(&self, request: AuthRequest) -> Pin<Box<dyn Future<Output = Decision> + Send + '_>>;
}

impl<A: Authenticator> AnyAuthenticator for A {
    fn decide(&self, request: AuthRequest) -> Pin<Box<dyn Future<Output = Decision> + Send + '_>> {
        Box::pin(Authenticator::decide(self, request))
    }
}

/// For `fuzz/`: how ZAP replies are read.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use zmtp::Message;

    use super::{Decision, zap};

    /// Returns what a handler's reply to the request of this number says.
    #[must_use]
    pub fn zap_reply(reply: &Message, id: &str) -> Option<Decision> {
        zap::from_message(reply, id).ok()
    }
}
