//! Byte streams of a network that a simulation has made: `tcp://` endpoints of a context that is on one.

use std::io;
use std::net::SocketAddr;

use super::{PeerAddress, Stream, bind_error};
use crate::endpoint::{Endpoint, Host, TcpEndpoint};
use crate::error::{BindError, ConnectFailure};
use crate::options::Options;
use crate::simulation::{Network, Port};

#[derive(Debug)]
pub(crate) struct Listener {
    port: Box<dyn Port>,
    endpoint: Endpoint,
}

/// Names and wildcards are the system's: a simulated host has an IPv4 address and ports.
fn address(tcp: &TcpEndpoint) -> io::Result<SocketAddr> {
    match (tcp.host(), tcp.port()) {
        (Host::V4(host), Some(port)) => Ok((*host, port).into()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub(super) fn bind(network: &dyn Network, tcp: &TcpEndpoint) -> Result<Listener, BindError> {
    let endpoint = Endpoint::Tcp(tcp.clone());
    match address(tcp).and_then(|address| network.bind(address)) {
        Ok(port) => Ok(Listener { port, endpoint }),
        Err(error) => Err(bind_error(&endpoint, error)),
    }
}

impl Listener {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        let (wire, peer) = self.port.accept().await?;
        Ok((Stream::Simulated(wire), PeerAddress::Tcp(peer)))
    }
}

pub(super) async fn connect(
    network: &dyn Network,
    tcp: &TcpEndpoint,
    options: &Options,
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    let target = address(tcp).map_err(|error| ConnectFailure::Resolve {
        host: tcp.host().to_string(),
        reason: error.to_string(),
    })?;
    let attempt = async {
        let connected = network.connect(target).await;
        connected.map_err(|error| ConnectFailure::io(target, error))
    };
    let wire = super::tcp::within(options.connect_timeout, attempt, || target.to_string()).await?;
    Ok((Stream::Simulated(wire), PeerAddress::Tcp(target)))
}
