//! Datagrams: what a transport is that has no streams, [`DatagramTransport`], and what its datagrams go out and come in by,
//! [`Mailbox`].
//!
//! There are no connections, so that nothing is accepted, and nothing is greeted: a datagram session
//! (`connection/datagram/`) owns a mailbox and a pipe. In the table of transports a row stands in [`Datagrams`], which makes
//! it an [`AnyTransport`] like the others: parsed, checked and named as they are, but without streams.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;

use super::traits::{AnyTransport, Listener};
use super::{NO_STREAM, Stream};
use crate::endpoint::{Address, Endpoint, EndpointError};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// A kind of datagrams between processes or machines, by the scheme of its endpoints.
pub(crate) trait DatagramTransport: Send + Sync + 'static {
    /// What stands before `://`.
    const SCHEME: &'static str;
    /// What stands after it.
    type Address: Address;

    /// Reads an address. Its `Display` is to give text that parses back to an equal one.
    fn parse(address: &str) -> Result<Self::Address, EndpointError>;

    /// Says whether what is bound there can be reached from other machines. `require_authentication` stands on it: in doubt
    /// it is `true`.
    fn reachable_from_other_hosts(address: &Self::Address) -> bool;

    /// Checks whether a socket can bind there, as far as the address tells.
    fn check_bind(_: &Self::Address) -> Result<(), EndpointError> {
        Ok(())
    }

    /// Checks whether a socket can send there, as far as the address and the options tell: wildcards are for binding only.
    fn check_connect(address: &Self::Address, options: &Options) -> Result<(), EndpointError>;

    /// Opens a mailbox that others can send to when this returns. Dropped before, it leaves nothing bound.
    fn bind(
        &self,
        endpoint: &Endpoint,
        address: &Self::Address,
        options: &Options,
    ) -> impl Future<Output = Result<Arc<dyn Mailbox>, BindError>> + Send;

    /// Opens a mailbox that sends there: one attempt, which fails if the name has no address now, or the address no route.
    fn connect(
        &self,
        endpoint: &Endpoint,
        address: &Self::Address,
        options: &Options,
    ) -> impl Future<Output = Result<Arc<dyn Mailbox>, ConnectFailure>> + Send;
}

/// What datagrams go out and come in by. Dropping it closes it.
pub(crate) trait Mailbox: Debug + Send + Sync {
    /// Returns where it is bound, wildcards resolved, or where it sends to.
    fn endpoint(&self) -> &Endpoint;

    /// Sends a datagram, whole or not at all: to `to`, or where the mailbox is connected.
    ///
    /// # Errors
    /// `WouldBlock` if the system has no room for it now; else this datagram is not sent, and the next one may be.
    fn try_send(&self, pieces: &[IoSlice<'_>], to: Option<SocketAddr>) -> io::Result<()>;

    /// Becomes ready when `try_send` may have room again. Only the last waker is woken.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Takes the next datagram: how long it is, and where it comes from. What does not fit into `buffer` is cut off.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; another error says nothing of the next one.
    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Becomes ready when there may be one. Only the last waker is woken.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Counts the datagrams that had come to this machine and that the system has thrown away, since nobody took them fast
    /// enough. 0 where the system does not tell.
    fn overflowed(&self) -> u64 {
        0
    }

    /// Returns the system's number of the socket, where it has one.
    fn fd(&self) -> Option<i32> {
        None
    }
}

/// A [`DatagramTransport`] as a row of the table.
pub(super) struct Datagrams<T>(pub(super) T);

impl<T: DatagramTransport> AnyTransport for Datagrams<T> {
    fn scheme(&self) -> &'static str {
        T::SCHEME
    }

    fn parse(&self, address: &str) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new(T::SCHEME, T::parse(address)?))
    }

    fn reachable_from_other_hosts(&self, endpoint: &Endpoint) -> bool {
        T::reachable_from_other_hosts(address::<T>(endpoint))
    }

    fn check_bind(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        T::check_bind(address::<T>(endpoint))
    }

    fn check_connect(&self, endpoint: &Endpoint, options: &Options) -> Result<(), ConnectError> {
        Ok(T::check_connect(address::<T>(endpoint), options)?)
    }

    fn bind<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a Options,
    ) -> BoxFuture<'a, Result<Listener, BindError>> {
        Box::pin(async move { Err(not_bound(endpoint, NO_STREAM)) })
    }

    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a Options,
        _: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<(Stream, PeerAddress), ConnectFailure>> {
        Box::pin(async move { Err(not_connected(endpoint, NO_STREAM)) })
    }

    fn carries_datagrams(&self) -> bool {
        true
    }

    fn bind_mailbox<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, Result<Arc<dyn Mailbox>, BindError>> {
        Box::pin(self.0.bind(endpoint, address::<T>(endpoint), options))
    }

    fn connect_mailbox<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, Result<Arc<dyn Mailbox>, ConnectFailure>> {
        Box::pin(self.0.connect(endpoint, address::<T>(endpoint), options))
    }
}

pub(super) const NO_DATAGRAMS: &str = "this transport carries no datagrams";

pub(super) fn not_bound(endpoint: &Endpoint, why: &'static str) -> BindError {
    BindError::Io {
        endpoint: endpoint.clone(),
        source: io::Error::new(io::ErrorKind::Unsupported, why),
    }
}

pub(super) fn not_connected(endpoint: &Endpoint, reason: &'static str) -> ConnectFailure {
    ConnectFailure::Unsupported {
        endpoint: endpoint.clone(),
        reason,
    }
}

fn address<T: DatagramTransport>(endpoint: &Endpoint) -> &T::Address {
    // Endpoints are made by `parse` above, or from one of the same scheme.
    endpoint
        .address()
        .expect("an endpoint's scheme says which type of address it has")
}
