//! Endpoints: where a socket binds or connects, parsed once from their text form.
//!
//! ```text
//! tcp://host:port               host: IPv4, [IPv6], [IPv6%zone], name; to bind also * or an interface
//! tcp://source:port;host:port   connect from a given local address and port
//! ipc://path                    Unix socket file, at most 107 bytes
//! ipc://@name                   Linux abstract name
//! ipc://*                       to bind only: a fresh file in a fresh directory
//! tls+tcp://host:port           TLS over TCP, in builds with the feature `tls`
//! vsock://cid:port              between virtual machines and hosts, in builds with the feature `vsock`
//! ws://host:port/path           WebSocket, in builds with the feature `ws`; `wss://` with TLS: the feature `wss`
//! udp://host:port               datagrams: to send to, or to bind
//! udp://interface;group:port    a multicast group, at an interface: by its name, or an address that it has
//! inproc://name                 1 to 256 bytes, known within one Context
//! ```
//!
//! The socket's `bind`, `connect`, `unbind` and `disconnect` take whatever implements
//! [`ToEndpoint`]. An [`Endpoint`] is a scheme and an address of whatever type the scheme's transport has; the parser
//! (`transport/registry.rs`) asks the transports for it, and nothing here knows them.
//! A `ws://` endpoint without a path has `/`. Path and query are compared as they stand: who is bound to one answers
//! requests for exactly that, and all others with 404. Each bound endpoint has a port of its own; several paths of one port
//! are a web server's (`WsUpgrades`).
//!
//! The grammar is libzmq's, with two differences: every part is range-checked here (libzmq takes
//! port 65537 for port 1), and an IPv6 address must stand in brackets.

mod address;
mod error;
mod inproc;
mod ipc;
mod tcp;
mod udp;

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use address::Address;
pub use error::EndpointError;
pub use inproc::InprocName;
pub use ipc::IpcEndpoint;
#[cfg(unix)]
pub(crate) use ipc::IpcName;
pub use tcp::{Host, TcpEndpoint};
pub use udp::UdpEndpoint;

/// A checked address to bind or connect to.
///
/// Parse it with [`str::parse`], or let `bind` and `connect` do so. [`Display`](fmt::Display)
/// gives the text form of libzmq, which parses back to an equal endpoint. Port `0` and `*` are
/// the same thing and print as `*`. It is cheap to clone.
///
/// ```
/// # use purezmq::endpoint::Endpoint;
/// let endpoint: Endpoint = "tcp://[::1]:5555".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
/// assert_eq!((endpoint.transport(), endpoint.port()), ("tcp", Some(5555)));
/// assert!("tcp://[::1]:65537".parse::<Endpoint>().is_err());
/// # Ok::<(), purezmq::endpoint::EndpointError>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    transport: &'static str,
    address: Arc<dyn Address>,
}

impl Endpoint {
    /// Makes the endpoint of a transport, from an address of the type that this transport has.
    pub(crate) fn new(transport: &'static str, address: impl Address) -> Self {
        Endpoint {
            transport,
            address: Arc::new(address),
        }
    }

    /// Returns the transport's name: what stands before `://`.
    pub fn transport(&self) -> &'static str {
        self.transport
    }

    /// Returns the host and port, if the transport is TCP or runs over it.
    pub fn tcp(&self) -> Option<&TcpEndpoint> {
        self.address.tcp()
    }

    /// Returns the path or abstract name, if this is an `ipc://` endpoint.
    pub fn ipc(&self) -> Option<&IpcEndpoint> {
        self.address()
    }

    /// Returns the host and port, and the interface if one is named, if this is a `udp://` endpoint.
    pub fn udp(&self) -> Option<&UdpEndpoint> {
        self.address()
    }

    /// Returns the name, if this is an `inproc://` endpoint.
    pub fn inproc(&self) -> Option<&InprocName> {
        self.address()
    }

    /// Returns the port, if this is an endpoint of TCP or UDP with a definite one.
    pub fn port(&self) -> Option<u16> {
        self.address.port()
    }

    /// Returns whether it names one place: it leaves no part to the system to choose.
    pub(crate) fn is_definite(&self) -> bool {
        self.address.is_definite()
    }

    /// Returns the address, if it is of that type.
    pub(crate) fn address<A: Address>(&self) -> Option<&A> {
        let address: &dyn Any = &*self.address;
        address.downcast_ref()
    }

    /// Returns the endpoint of the same transport at another host and port. One of TCP, if the transport does not run
    /// over it.
    pub(crate) fn at(&self, address: SocketAddr) -> Endpoint {
        match self.address.at(address) {
            Some(address) => Endpoint {
                transport: self.transport,
                address,
            },
            None => Endpoint::from(address),
        }
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.transport == other.transport && self.address.equals(&*other.address)
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.transport.hash(hasher);
        self.address.feed(hasher);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.to_string()).finish()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport, self.address)
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
        Endpoint::new(TcpEndpoint::SCHEME, TcpEndpoint::from(address))
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
