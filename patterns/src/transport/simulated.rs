//! A network that a simulation has made, in place of TCP: `tcp://` endpoints of a context that is on one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_core::future::BoxFuture;

use super::tcp::{self, Tcp, within};
use super::{Acceptor, Listener, Stream, Transport};
use crate::endpoint::{Endpoint, EndpointError, Host, TcpEndpoint};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// A simulated host's view of its network.
pub trait Network: Send + Sync {
    /// Listens at an address.
    ///
    /// # Errors
    /// As the system's.
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn Acceptor>>;
    /// Makes one attempt to reach an address. Dropped, it leaves nothing.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Stream>>;
}

/// The transport of a simulated host.
pub(crate) struct Simulated(pub(crate) Arc<dyn Network>);

/// Names and wildcards are the system's: a simulated host has an IPv4 address and ports.
fn address(tcp: &TcpEndpoint) -> io::Result<SocketAddr> {
    match (tcp.host(), tcp.port()) {
        (Host::V4(host), Some(port)) => Ok((*host, port).into()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Transport for Simulated {
    const SCHEME: &'static str = Tcp::SCHEME;
    type Address = TcpEndpoint;

    fn parse(address: &str) -> Result<TcpEndpoint, EndpointError> {
        Tcp::parse(address)
    }

    fn reachable_from_other_hosts(address: &TcpEndpoint) -> bool {
        Tcp::reachable_from_other_hosts(address)
    }

    fn check_bind(address: &TcpEndpoint) -> Result<(), EndpointError> {
        Tcp::check_bind(address)
    }

    fn check_connect(
        endpoint: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
    ) -> Result<(), ConnectError> {
        Tcp::check_connect(endpoint, address, options)
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        tcp: &TcpEndpoint,
        _: &Options,
    ) -> Result<Listener, BindError> {
        let bound = address(tcp).and_then(|address| self.0.bind(address));
        bound.map_err(|error| super::bind_error(endpoint, error))
    }

    async fn connect(
        &self,
        _: &Endpoint,
        tcp: &TcpEndpoint,
        options: &Options,
        _: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        let target =
            address(tcp).map_err(|error| tcp::unresolved(tcp.host(), error.to_string()))?;
        let attempt = async {
            let connected = self.0.connect(target).await;
            connected.map_err(|error| ConnectFailure::io(target, error))
        };
        let stream = within(options.connect_timeout, attempt, || target.to_string()).await?;
        Ok((stream, PeerAddress::from(target)))
    }
}
