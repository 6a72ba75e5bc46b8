//! Byte streams between machines and processes, and datagrams: what a session reads from and writes to.
//!
//! The sockets and sessions (above) call [`bind`], [`adopt`] and [`connect`] with a parsed endpoint and know no
//! transport by name; a transport knows sockets and no ZMTP. inproc is no byte stream and does not pass through here:
//! it joins two sockets by a pipe (`inproc/`).
//!
//! Nothing here retries or waits between attempts: one call is one attempt, and the session owns the back-off.
//!
//! # Another transport
//!
//! 1. One file here, and its `mod` line below: a type of address that is [`Address`](crate::endpoint::Address) (TCP's, if the
//!    transport runs over TCP), a unit type that is [`Transport`], something that is [`Acceptor`], and something that is
//!    [`ByteStream`], handed out in [`Stream::Other`]. What has no default has to be said, above all whether other hosts
//!    can reach an endpoint. A handshake of the transport's own belongs in [`ByteStream::poll_open`]; TLS around any
//!    stream is `tls::Layer`. To take over listening sockets, implement `adopt::Adopt` for their type of the standard
//!    library, or for what somebody else accepts with (`ws/upgrades.rs`).
//! 2. One row in `registry.rs`: all parsing, names, error texts and dispatch come from it. If it needs a crate that not
//!    everybody wants, the row names a feature, and `Cargo.toml` has a line for that.
//!    One of datagrams is a `DatagramTransport` with a `Mailbox` (`datagram.rs`) instead, and its row says `datagrams`.
//! 3. Its tests: the grammar and both directions in `tests/`, beside those of the others.

mod adopt;
mod by_hand;
mod datagram;
#[cfg_attr(not(unix), path = "ipc_elsewhere.rs")]
mod ipc;
#[cfg_attr(not(unix), path = "lent_elsewhere.rs")]
mod lent;
#[cfg(unix)]
mod quiet;
mod registry;
mod resolve;
mod resolver;
#[cfg(purezmq_simulation)]
pub(crate) mod simulated;
mod sockopt;
#[cfg(feature = "socks")]
mod socks;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod traits;
mod udp;
#[cfg(all(feature = "vsock", target_os = "linux"))]
mod vsock;
#[cfg(feature = "ws")]
mod ws;

use std::io;
use std::sync::Arc;

use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

pub use adopt::OpenListener;
pub use by_hand::open_stream;
pub(crate) use datagram::Mailbox;
pub use registry::TRANSPORTS;
pub(crate) use traits::{AnyTransport, Listener, Transport};
#[cfg(feature = "ws")]
pub use ws::{WsUpgrade, WsUpgrades};
#[allow(
    unreachable_pub,
    reason = "a simulation implements and makes these, from outside"
)]
pub use {
    stream::Stream,
    traits::{Acceptor, ByteStream},
};

/// Says whether a listener there can be reached from other machines.
pub(crate) fn reachable_from_other_hosts(endpoint: &Endpoint) -> bool {
    match registry::find(endpoint.transport()) {
        Some(transport) => transport.reachable_from_other_hosts(endpoint),
        None => endpoint.inproc().is_none(),
    }
}

/// Checks whether a socket can bind there, as far as the endpoint tells.
pub(crate) fn check_bind(endpoint: &Endpoint) -> Result<(), EndpointError> {
    match registry::find(endpoint.transport()) {
        Some(transport) => transport.check_bind(endpoint),
        None => Ok(()),
    }
}

/// Checks whether a socket can connect there, as far as the endpoint and the options tell.
pub(crate) fn check_connect(endpoint: &Endpoint, options: &Options) -> Result<(), ConnectError> {
    match registry::find(endpoint.transport()) {
        Some(transport) => transport.check_connect(endpoint, options),
        None => Ok(()),
    }
}

/// Returns what carries the endpoint: `network` in place of the system's, if it is of that kind.
fn carrier<'a>(
    endpoint: &Endpoint,
    network: Option<&'a dyn AnyTransport>,
) -> Option<&'a dyn AnyTransport> {
    let scheme = endpoint.transport();
    let instead = network.filter(|network| network.scheme() == scheme);
    instead.or_else(|| registry::find(scheme))
}

/// Listens at an endpoint; peers can connect when this returns. `network` takes the place of the transport that it is a
/// kind of, in a simulation.
///
/// # Errors
/// [`BindError`]; inproc endpoints are the caller's to handle, and give `BindError::Io`.
///
/// # Cancel safety
/// A dropped future leaves nothing bound.
pub(crate) async fn bind(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&dyn AnyTransport>,
) -> Result<Listener, BindError> {
    check_bind(endpoint)?;
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(BindError::NoRuntime {
            endpoint: endpoint.clone(),
        });
    }
    match carrier(endpoint, network) {
        Some(transport) => transport.bind(endpoint, options).await,
        None => Err(BindError::Io {
            endpoint: endpoint.clone(),
            source: io::Error::new(io::ErrorKind::Unsupported, NO_STREAM),
        }),
    }
}

/// Takes over a socket that is listening already, at `endpoint`. Inside of a runtime.
pub(crate) fn adopt(
    listener: OpenListener,
    endpoint: Endpoint,
    options: &Options,
) -> Result<Listener, BindError> {
    listener.adopt(endpoint, options)
}

/// Makes one attempt to reach a peer: resolves its name, and tries every address in turn. `delayed` is called for each
/// address that does not answer at once. `network` takes the place of the transport that it is a kind of, in a
/// simulation.
///
/// # Errors
/// [`ConnectFailure`]; the caller decides when to try again.
///
/// # Cancel safety
/// A dropped future closes whatever was half open.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&dyn AnyTransport>,
    delayed: &(dyn Fn() + Sync),
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    match carrier(endpoint, network) {
        Some(transport) => transport.connect(endpoint, options, delayed).await,
        None => Err(ConnectFailure::Unsupported {
            endpoint: endpoint.clone(),
            reason: NO_STREAM,
        }),
    }
}

/// Says whether what goes over it is datagrams.
pub(crate) fn carries_datagrams(endpoint: &Endpoint) -> bool {
    registry::find(endpoint.transport()).is_some_and(|transport| transport.carries_datagrams())
}

/// Opens a mailbox at an endpoint of datagrams; others can send to it when this returns.
///
/// # Errors
/// [`BindError`].
///
/// # Cancel safety
/// A dropped future leaves nothing bound.
pub(crate) async fn bind_mailbox(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&dyn AnyTransport>,
) -> Result<Arc<dyn Mailbox>, BindError> {
    check_bind(endpoint)?;
    match carrier(endpoint, network) {
        Some(transport) => transport.bind_mailbox(endpoint, options).await,
        None => Err(datagram::not_bound(endpoint, datagram::NO_DATAGRAMS)),
    }
}

/// Opens a mailbox that sends to an endpoint of datagrams: makes one attempt.
///
/// # Errors
/// [`ConnectFailure`]; the caller decides when to try again.
pub(crate) async fn connect_mailbox(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&dyn AnyTransport>,
) -> Result<Arc<dyn Mailbox>, ConnectFailure> {
    match carrier(endpoint, network) {
        Some(transport) => transport.connect_mailbox(endpoint, options).await,
        None => Err(datagram::not_connected(endpoint, datagram::NO_DATAGRAMS)),
    }
}

/// Sorts the system's answer to a failed bind.
fn bind_error(endpoint: &Endpoint, source: io::Error) -> BindError {
    let endpoint = endpoint.clone();
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { endpoint },
        io::ErrorKind::AddrNotAvailable => BindError::AddressNotAvailable {
            endpoint,
            reason: "no interface of this machine has that address".to_owned(),
        },
        _ => BindError::Io { endpoint, source },
    }
}

const NO_STREAM: &str = "this transport has no byte stream on this system";

#[cfg(test)]
mod tests;
