//! `ws://` and `wss://`: ZMTP over WebSocket (RFC 45, ZWS 2.0), which browsers speak.
//!
//! A WebSocket connection is a layer over a byte stream, as TLS is: its upgrade is the layer's `poll_open`, part of the
//! session's handshake and its time limit. The engine above sees the bytes of ZMTP; [`zmtp::zws`] has the frames.
//! Tungstenite knows HTTP's upgrade; its own frames are not used, since they take memory for a whole message as soon as
//! that is announced (`docs/decisions/029-websocket.md`).
//!
//! ```text
//! upgrade.rs    the HTTP request and its answer
//! layer.rs      the stream
//! upgrades.rs   connections that a web server has accepted
//! ```

mod layer;
mod upgrade;
mod upgrades;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use self::layer::Layer;
use self::upgrade::{Names, Offer, Terms};
use super::tcp::Tcp;
#[cfg(feature = "wss")]
use super::tls::Tls;
use super::{Acceptor, Listener, Stream, Transport};
use crate::endpoint::{Address, Endpoint, EndpointError, TcpEndpoint};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

pub use self::upgrades::{WsUpgrade, WsUpgrades};

/// The longest path of an endpoint, in bytes.
const MAX_PATH: usize = 1024;

/// A host, a port and a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WsEndpoint {
    tcp: TcpEndpoint,
    path: Arc<str>,
}

impl WsEndpoint {
    fn parse(scheme: &'static str, text: &str) -> Result<Self, EndpointError> {
        let (tcp, path) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, "/"),
        };
        let tcp = TcpEndpoint::parse(tcp)?;
        let wrong = |reason| EndpointError::Address {
            transport: scheme,
            address: text.to_owned(),
            reason,
        };
        if tcp.source().is_some() {
            return Err(wrong("a source address is for tcp:// alone"));
        }
        if path.len() > MAX_PATH {
            return Err(wrong("a path has at most 1024 bytes"));
        }
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !path.bytes().all(is_allowed) {
            return Err(wrong("a path has visible ASCII characters, none of them #"));
        }
        Ok(WsEndpoint {
            tcp,
            path: path.into(),
        })
    }
}

impl Address for WsEndpoint {
    fn tcp(&self) -> Option<&TcpEndpoint> {
        Some(&self.tcp)
    }

    fn is_definite(&self) -> bool {
        self.tcp.is_definite()
    }

    fn at(&self, address: SocketAddr) -> Option<Arc<dyn Address>> {
        Some(Arc::new(WsEndpoint {
            tcp: TcpEndpoint::from(address),
            path: self.path.clone(),
        }))
    }
}

impl fmt::Display for WsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tcp.fmt(f)?;
        match &*self.path {
            "/" => Ok(()),
            path => f.write_str(path),
        }
    }
}

/// Makes a transport of another one, whose addresses are TCP's: WebSocket over its streams.
macro_rules! over {
    ($below:ident => $(#[$doc:meta])+ $transport:ident, $scheme:literal, $names:expr) => {
        $(#[$doc])+
        pub(super) struct $transport;

        impl Transport for $transport {
            const SCHEME: &'static str = $scheme;
            type Address = WsEndpoint;

            fn parse(address: &str) -> Result<WsEndpoint, EndpointError> {
                WsEndpoint::parse(Self::SCHEME, address)
            }

            fn reachable_from_other_hosts(address: &WsEndpoint) -> bool {
                address.tcp.reachable_from_other_hosts()
            }

            fn check_connect(
                endpoint: &Endpoint,
                address: &WsEndpoint,
                options: &Options,
            ) -> Result<(), ConnectError> {
                <$below>::check_connect(endpoint, &address.tcp, options)
            }

            async fn bind(
                &self,
                endpoint: &Endpoint,
                address: &WsEndpoint,
                options: &Options,
            ) -> Result<Listener, BindError> {
                let below = $below.bind(endpoint, &address.tcp, options).await?;
                let terms = Terms::new(address, options, $names(address));
                Ok(Box::new(WsListener { below, terms: Arc::new(terms) }))
            }

            async fn connect(
                &self,
                endpoint: &Endpoint,
                address: &WsEndpoint,
                options: &Options,
                delayed: &(dyn Fn() + Sync),
            ) -> Result<(Stream, PeerAddress), ConnectFailure> {
                let connecting = $below.connect(endpoint, &address.tcp, options, delayed);
                let (below, peer) = connecting.await?;
                Ok((Layer::client(below, Offer::new(address, options)), peer))
            }
        }
    };
}
over!(Tcp => /// The transport `ws://`.
    Ws, "ws", Names::of);
#[cfg(feature = "wss")]
over!(Tls => /// The transport `wss://`.
    Wss, "wss", |_| Names::Vouched);

/// A listener whose connections are upgraded.
#[derive(Debug)]
struct WsListener {
    below: Listener,
    terms: Arc<Terms>,
}

impl Acceptor for WsListener {
    fn endpoint(&self) -> &Endpoint {
        self.below.endpoint()
    }

    fn fd(&self) -> Option<i32> {
        self.below.fd()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let (below, peer) = ready!(self.below.poll_accept(cx))?;
        Poll::Ready(Ok((Layer::server(below, self.terms.clone()), peer)))
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.below.close()
    }
}
