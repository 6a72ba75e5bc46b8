//! Endpoints: where a socket binds or connects, parsed once from their text form.
//!
//! ```text
//! tcp://host:port               host: IPv4, [IPv6], [IPv6%zone], name; to bind also * or an interface
//! tcp://source:port;host:port   connect from a given local address and port
//! ipc://path                    Unix socket file, at most 107 bytes
//! ipc://@name                   Linux abstract name
//! ipc://*                       to bind only: a fresh file in a fresh directory
//! tls+tcp://host:port           TLS over TCP, in builds with the feature `tls`
//! inproc://name                 1 to 256 bytes, known within one Context
//! ```
//!
//! The socket's `bind`, `connect`, `unbind` and `disconnect` take whatever implements
//! [`ToEndpoint`]; the transports below get a checked [`Endpoint`] and never see text.
//! The grammar is libzmq's, with two differences: every part is range-checked here (libzmq takes
//! port 65537 for port 1), and an IPv6 address must stand in brackets.

mod error;
mod ipc;
mod tcp;

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

pub use error::EndpointError;
pub use ipc::IpcEndpoint;
pub(crate) use ipc::IpcName;
pub use tcp::{Host, TcpEndpoint};

/// The transports that an endpoint may name.
pub const TRANSPORTS: &[&str] = &["tcp", "ipc", "inproc"];

/// Transports of libzmq that this library knows by name only, and what to use instead.
const NOT_BUILT: &[(&str, &str)] = &[
    ("udp", "RADIO and DISH over UDP"),
    ("ws", "WebSocket"),
    ("wss", "WebSocket over TLS"),
    ("pgm", "reliable multicast"),
    ("epgm", "reliable multicast over UDP"),
    ("norm", "reliable multicast"),
    ("tipc", "cluster IPC"),
    ("vmci", "virtual machine sockets"),
    ("hvsocket", "Hyper-V sockets"),
    ("vsock", "virtual machine sockets"),
];

/// A checked address to bind or connect to.
///
/// Parse it with [`str::parse`], or let `bind` and `connect` do so. [`Display`](fmt::Display)
/// gives the text form of libzmq, which parses back to an equal endpoint. Port `0` and `*` are
/// the same thing and print as `*`.
///
/// ```
/// # use purezmq::endpoint::Endpoint;
/// let endpoint: Endpoint = "tcp://[::1]:5555".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
/// assert!("tcp://[::1]:65537".parse::<Endpoint>().is_err());
/// # Ok::<(), purezmq::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `tcp://`: across machines, and to any ZMTP peer.
    Tcp(TcpEndpoint),
    /// `tls+tcp://`: TLS over TCP, to peers of this library.
    #[cfg(feature = "tls")]
    Tls(Box<TcpEndpoint>),
    /// `ipc://`: a Unix domain socket, between processes of one machine.
    Ipc(IpcEndpoint),
    /// `inproc://`: between sockets of one `Context`.
    Inproc(InprocName),
}

impl Endpoint {
    /// Whether a listener there can be reached from other machines.
    pub(crate) fn is_open_to_others(&self) -> bool {
        let Some(tcp) = self.tcp() else {
            return false;
        };
        match tcp.host() {
            Host::V4(address) => !address.is_loopback(),
            Host::V6 { address, .. } => !address.is_loopback(),
            _ => true,
        }
    }

    /// The TCP address, of an endpoint over TCP.
    fn tcp(&self) -> Option<&TcpEndpoint> {
        match self {
            Endpoint::Tcp(tcp) => Some(tcp),
            #[cfg(feature = "tls")]
            Endpoint::Tls(tcp) => Some(tcp),
            Endpoint::Ipc(_) | Endpoint::Inproc(_) => None,
        }
    }

    /// The same address with TLS over its TCP.
    #[cfg(feature = "tls")]
    pub(crate) fn with_tls(&self) -> Endpoint {
        match self {
            Endpoint::Tcp(tcp) => Endpoint::Tls(Box::new(tcp.clone())),
            other => other.clone(),
        }
    }

    /// The transport's name: what stands before `://`.
    pub fn transport(&self) -> &'static str {
        match self {
            Endpoint::Tcp(_) => "tcp",
            #[cfg(feature = "tls")]
            Endpoint::Tls(_) => "tls+tcp",
            Endpoint::Ipc(_) => "ipc",
            Endpoint::Inproc(_) => "inproc",
        }
    }

    /// The TCP port, if this is a TCP endpoint with a definite one.
    pub fn port(&self) -> Option<u16> {
        self.tcp()?.port()
    }

    /// Whether a socket can bind here: only a source address stands in the way.
    pub(crate) fn check_bind(&self) -> Result<(), EndpointError> {
        match self {
            Endpoint::Tcp(tcp) => tcp.check_bind(),
            #[cfg(feature = "tls")]
            Endpoint::Tls(tcp) => tcp.check_bind(),
            Endpoint::Ipc(_) | Endpoint::Inproc(_) => Ok(()),
        }
    }

    /// Whether a socket can connect here: wildcards are for binding only.
    pub(crate) fn check_connect(&self) -> Result<(), EndpointError> {
        match self {
            Endpoint::Tcp(tcp) => tcp.check_connect(),
            #[cfg(feature = "tls")]
            Endpoint::Tls(tcp) => tcp.check_connect(),
            Endpoint::Ipc(ipc) => ipc.check_connect(),
            Endpoint::Inproc(_) => Ok(()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let Some((transport, address)) = text.split_once("://") else {
            return Err(EndpointError::MissingScheme {
                endpoint: text.to_owned(),
            });
        };
        match transport {
            "tcp" => TcpEndpoint::parse(address).map(Endpoint::Tcp),
            #[cfg(feature = "tls")]
            "tls+tcp" => TcpEndpoint::parse(address).map(|tcp| Endpoint::Tls(Box::new(tcp))),
            #[cfg(not(feature = "tls"))]
            "tls+tcp" => Err(EndpointError::NoTls),
            "ipc" => IpcEndpoint::parse(address).map(Endpoint::Ipc),
            "inproc" => InprocName::parse(address).map(Endpoint::Inproc),
            other => Err(unknown_transport(other)),
        }
    }
}

fn unknown_transport(name: &str) -> EndpointError {
    match NOT_BUILT.iter().find(|(known, _)| *known == name) {
        Some((known, purpose)) => EndpointError::TransportNotBuilt {
            name: known,
            purpose,
        },
        None => EndpointError::UnknownTransport {
            name: name.to_owned(),
        },
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<SocketAddr> for Endpoint {
    /// A TCP endpoint of a literal address.
    fn from(address: SocketAddr) -> Self {
        Endpoint::Tcp(TcpEndpoint::from(address))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(tcp) => write!(f, "tcp://{tcp}"),
            #[cfg(feature = "tls")]
            Endpoint::Tls(tcp) => write!(f, "tls+tcp://{tcp}"),
            Endpoint::Ipc(ipc) => write!(f, "ipc://{ipc}"),
            Endpoint::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

/// The name of an `inproc://` endpoint: 1 to 256 bytes, compared whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InprocName(Arc<str>);

impl InprocName {
    /// The longest name, in bytes (the limit that libzmq documents).
    pub const MAX_LEN: usize = 256;

    fn parse(name: &str) -> Result<Self, EndpointError> {
        if name.is_empty() {
            return Err(EndpointError::EmptyName {
                transport: "inproc",
            });
        }
        if name.len() > Self::MAX_LEN {
            return Err(EndpointError::NameTooLong {
                transport: "inproc",
                length: name.len(),
                limit: Self::MAX_LEN,
            });
        }
        Ok(InprocName(name.into()))
    }

    /// The name, without `inproc://`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InprocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `bind`, `connect`, `unbind` and `disconnect` accept: text, or an [`Endpoint`] that was
/// parsed or returned before.
pub trait ToEndpoint {
    /// The endpoint that this names.
    ///
    /// # Errors
    /// [`EndpointError`] names the part of the text that is wrong, and what is allowed there.
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError>;
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.parse()
    }
}

impl ToEndpoint for String {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.parse()
    }
}

impl ToEndpoint for Cow<'_, str> {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        self.parse()
    }
}

impl ToEndpoint for Endpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(self.clone())
    }
}

impl ToEndpoint for SocketAddr {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::from(*self))
    }
}

impl<T: ToEndpoint + ?Sized> ToEndpoint for &T {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        (**self).to_endpoint()
    }
}

#[cfg(test)]
mod tests;
