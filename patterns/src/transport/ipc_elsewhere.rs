//! `ipc://` on a system without Unix sockets: endpoints parse as everywhere, and nothing listens or connects.

use std::io;

use super::{Listener, Stream, Transport};
use crate::endpoint::{Endpoint, EndpointError, IpcEndpoint};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// The transport, by name only.
pub(super) struct Ipc;

impl Transport for Ipc {
    const SCHEME: &'static str = IpcEndpoint::SCHEME;
    type Address = IpcEndpoint;

    fn parse(address: &str) -> Result<IpcEndpoint, EndpointError> {
        IpcEndpoint::parse(address)
    }

    fn reachable_from_other_hosts(_: &IpcEndpoint) -> bool {
        false
    }

    fn check_connect(_: &Endpoint, address: &IpcEndpoint, _: &Options) -> Result<(), ConnectError> {
        Ok(address.check_connect()?)
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        _: &IpcEndpoint,
        _: &Options,
    ) -> Result<Listener, BindError> {
        Err(BindError::Io {
            endpoint: endpoint.clone(),
            source: io::Error::new(io::ErrorKind::Unsupported, super::NO_STREAM),
        })
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        _: &IpcEndpoint,
        _: &Options,
        _: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        Err(ConnectFailure::Unsupported {
            endpoint: endpoint.clone(),
            reason: super::NO_STREAM,
        })
    }
}
