//! What a transport is: [`Transport`], [`Acceptor`] for its listeners, [`ByteStream`] for its connections.
//!
//! Each is implemented in the transport's own file. [`AnyTransport`] is a [`Transport`] whose type of address is not
//! known, and is made from every one, as it is from those that have datagrams and no streams (`datagram.rs`); the registry
//! and the calls in `mod.rs` use that.

#![allow(
    unreachable_pub,
    reason = "a simulation implements and makes these, from outside"
)]

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Stream;
use super::datagram::{Mailbox, NO_DATAGRAMS, not_bound, not_connected};
use crate::endpoint::{Address, Endpoint, EndpointError};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// A kind of byte stream between processes or machines, by the scheme of its endpoints.
pub(crate) trait Transport: Send + Sync + 'static {
    /// What stands before `://`.
    const SCHEME: &'static str;
    /// What stands after it.
    type Address: Address;

    /// Reads an address. Its `Display` is to give text that parses back to an equal one.
    fn parse(address: &str) -> Result<Self::Address, EndpointError>;

    /// Says whether a listener there can be reached from other machines. `require_authentication` stands on it: in
    /// doubt it is `true`.
    fn reachable_from_other_hosts(address: &Self::Address) -> bool;

    /// Checks whether a socket can bind there, as far as the address tells.
    fn check_bind(_: &Self::Address) -> Result<(), EndpointError> {
        Ok(())
    }

    /// Checks whether a socket can connect there, as far as the address and the options tell: wildcards are for
    /// binding only.
    fn check_connect(
        endpoint: &Endpoint,
        address: &Self::Address,
        options: &Options,
    ) -> Result<(), ConnectError>;

    /// Listens. Peers can connect when this returns; dropped before, it leaves nothing bound.
    fn bind(
        &self,
        endpoint: &Endpoint,
        address: &Self::Address,
        options: &Options,
    ) -> impl Future<Output = Result<Listener, BindError>> + Send;

    /// Makes one attempt to reach a peer, and calls `delayed` for each address that does not answer at once. Dropped,
    /// it closes whatever was half open.
    fn connect(
        &self,
        endpoint: &Endpoint,
        address: &Self::Address,
        options: &Options,
        delayed: &(dyn Fn() + Sync),
    ) -> impl Future<Output = Result<(Stream, PeerAddress), ConnectFailure>> + Send;
}

/// A bound address that connections come in at. Dropping it stops listening; connections that were accepted live on.
pub(crate) type Listener = Box<dyn Acceptor>;

/// What a [`Transport`] listens with.
pub trait Acceptor: Debug + Send + Sync {
    /// Returns where it listens, wildcards resolved: what `bind` returns to the application.
    fn endpoint(&self) -> &Endpoint;

    /// Gives the next connection, with the socket's options set on it. Only the last waker is woken.
    ///
    /// # Errors
    /// The system's: the new connection died, or the machine is short of something that may come back.
    /// Never a reason to spin: wait before calling again.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>>;

    /// Returns the system's number of the listening socket, where it has one.
    fn fd(&self) -> Option<i32> {
        None
    }

    /// Stops listening, as dropping does, and says whether something was left behind.
    ///
    /// # Errors
    /// A file or directory that binding had made could not be removed.
    fn close(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl dyn Acceptor {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// As [`poll_accept`](Acceptor::poll_accept).
    ///
    /// # Cancel safety
    /// A dropped future has accepted nothing.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }
}

/// One connected byte stream.
///
/// The defaults are those of a stream of which nothing more is known, and that carries bytes from the start.
pub trait ByteStream: AsyncRead + AsyncWrite + Debug + Send + Unpin {
    /// Returns how much one write of small pieces carries best, at the most.
    fn segment(&self) -> usize {
        usize::MAX
    }

    /// Returns how many bytes of small messages are best written at once, if it knows.
    fn batch(&self) -> Option<usize> {
        None
    }

    /// Returns how much of a lone large message is written before the rest of it: the peer is woken by that, and begins to
    /// read, while the rest is copied. A system that shows what is written piece by piece needs no help.
    fn head(&self) -> usize {
        usize::MAX
    }

    /// Tells that large payloads go out: the system may take more of them before it can send them.
    fn expect_large(&self) {}

    /// Returns the system's number of the socket, where it has one.
    fn fd(&self) -> Option<i32> {
        None
    }

    /// Says whether the peer has ended the stream, or it has broken, though bytes may lie before that which nobody has
    /// read. As far as that can be told: `false` where only reading tells.
    fn has_ended(&self) -> bool {
        false
    }

    /// Returns this end's address and port, of a TCP connection that still stands.
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }

    /// Reads without asking the runtime whether there is anything: for a caller that asks the system itself, again and
    /// again.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing, and by default: then the session's task alone reads.
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Does what the transport has to do before bytes can flow, such as a handshake of its own. Part of the session's
    /// handshake and its time limit: `accept` and `connect` do not wait for it. Ready at once when it is done.
    fn poll_open(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Returns how many bytes have come that it has not given on yet: during a handshake they count among those of all.
    fn held(&self) -> usize {
        0
    }

    /// Sends what the transport still holds of what was written, when nothing more can be done now: as far as it goes
    /// out without waiting. The task is woken to go on.
    fn push_out(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Moves from the runtime that it was made in to the one that is entered here.
    ///
    /// # Errors
    /// It cannot, which is the default; or the system refused, and the stream has ended.
    fn move_here(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Says whether the peer is told of the end by more than the end.
    fn says_goodbye(&self) -> bool {
        false
    }

    /// Returns the certificate that the peer has shown, in DER, after [`poll_open`](Self::poll_open).
    fn certificate(&self) -> Option<Bytes> {
        None
    }
}

/// A [`Transport`], or one of datagrams, whatever its addresses are.
pub(crate) trait AnyTransport: Send + Sync {
    fn scheme(&self) -> &'static str;
    fn parse(&self, address: &str) -> Result<Endpoint, EndpointError>;
    fn reachable_from_other_hosts(&self, endpoint: &Endpoint) -> bool;
    fn check_bind(&self, endpoint: &Endpoint) -> Result<(), EndpointError>;
    fn check_connect(&self, endpoint: &Endpoint, options: &Options) -> Result<(), ConnectError>;

    fn bind<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, Result<Listener, BindError>>;

    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
        delayed: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<(Stream, PeerAddress), ConnectFailure>>;

    /// Returns whether it carries datagrams, and no streams.
    fn carries_datagrams(&self) -> bool {
        false
    }

    /// Opens a mailbox that others can send to.
    fn bind_mailbox<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a Options,
    ) -> BoxFuture<'a, Result<Arc<dyn Mailbox>, BindError>> {
        Box::pin(async move { Err(not_bound(endpoint, NO_DATAGRAMS)) })
    }

    /// Opens a mailbox that sends there.
    fn connect_mailbox<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a Options,
    ) -> BoxFuture<'a, Result<Arc<dyn Mailbox>, ConnectFailure>> {
        Box::pin(async move { Err(not_connected(endpoint, NO_DATAGRAMS)) })
    }
}

impl<T: Transport> AnyTransport for T {
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
        T::check_connect(endpoint, address::<T>(endpoint), options)
    }

    fn bind<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, Result<Listener, BindError>> {
        Box::pin(self.bind(endpoint, address::<T>(endpoint), options))
    }

    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
        delayed: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<(Stream, PeerAddress), ConnectFailure>> {
        Box::pin(self.connect(endpoint, address::<T>(endpoint), options, delayed))
    }
}

fn address<T: Transport>(endpoint: &Endpoint) -> &T::Address {
    // Endpoints are made by `parse` above, or from one of the same scheme.
    endpoint
        .address()
        .expect("an endpoint's scheme says which type of address it has")
}
