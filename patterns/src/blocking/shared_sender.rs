//! A [`SharedSender`](crate::SharedSender) whose calls block.

use std::fmt;
use std::time::Duration;

use super::{Socket, wait};
use crate::capability::Sends as CanSend;
use crate::context::Flush;
use crate::core::{IntoSent, Pattern};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, OptionError, SendError, UnbindError,
};
use crate::monitor::Monitor;
use crate::security::PeerSelector;
use crate::socket::Builder;
use crate::socket::{self, Direction, SendSide, Whole};
use crate::stats::SocketStats;

/// A [`SharedSender`](crate::SharedSender) whose calls block: a sending socket, or half, that many threads feed.
pub struct SharedSender<P: Pattern, D: Direction = Whole>(socket::SharedSender<P, D>, Flush);

impl<P: Pattern, D: Direction> fmt::Debug for SharedSender<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P: Pattern, D: Direction> Clone for SharedSender<P, D> {
    fn clone(&self) -> Self {
        SharedSender(self.0.clone(), self.1.clone())
    }
}

impl<P: CanSend, D: SendSide> SharedSender<P, D> {
    pub(super) fn new(shared: socket::SharedSender<P, D>, flush: Flush) -> Self {
        SharedSender(shared, flush)
    }

    /// Sends a message as the socket does, in turn with the other handles.
    ///
    /// # Errors
    ///
    /// As [`SharedSender::send`](crate::SharedSender::send). The message comes back.
    pub fn send(&self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        wait(self.0.send(message))
    }

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`SharedSender::try_send`](crate::SharedSender::try_send). The message comes back.
    pub fn try_send(&self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        self.0.try_send(message)
    }

    /// Does something else with the socket, which is the async one: what is a future there, [`wait`] waits for. All
    /// senders wait meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&mut socket::Socket<P, D>) -> T) -> T {
        self.0.with(act)
    }

    /// Listens at an endpoint.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`](crate::Socket::bind).
    pub fn bind(&self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        wait(self.0.bind(endpoint))
    }

    /// Connects to an endpoint in the background.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`](crate::Socket::connect).
    pub fn connect(&self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        self.0.connect(endpoint)
    }

    /// Stops listening at an endpoint.
    ///
    /// # Errors
    ///
    /// The socket is not bound there.
    pub fn unbind(&self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        wait(self.0.unbind(endpoint))
    }

    /// Ends all connections made to an endpoint.
    ///
    /// # Errors
    ///
    /// The socket is not connected there.
    pub fn disconnect(&self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        self.0.disconnect(endpoint)
    }

    /// Ends the living connections of a peer, and returns how many there were:
    /// [`Socket::disconnect_peer`](crate::Socket::disconnect_peer).
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        self.0.disconnect_peer(peer)
    }

    /// Changes options of the socket.
    ///
    /// # Errors
    ///
    /// As [`Socket::set_options`](crate::Socket::set_options).
    pub fn set_options(
        &self,
        change: impl FnOnce(Builder<socket::Socket<P>>) -> Builder<socket::Socket<P>>,
    ) -> Result<(), OptionError> {
        self.0.set_options(change)
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.0.monitor()
    }

    /// Returns the socket's counters as they stand.
    pub fn stats(&self) -> SocketStats {
        self.0.stats()
    }

    /// Begins to drain the whole socket, whoever else has a handle: [`Socket::drain`](crate::Socket::drain).
    pub fn drain(&self, limit: Duration) {
        self.0.drain(limit);
    }

    /// Drops this handle; the last one closes the socket, and waits.
    pub fn close(self) -> CloseReport {
        wait(self.0.close())
    }

    /// Drops this handle; the last one closes the socket, and waits for no longer than `limit`.
    pub fn close_within(self, limit: Duration) -> CloseReport {
        wait(self.0.close_within(limit))
    }

    /// Returns the socket, if this is the only handle.
    ///
    /// # Errors
    ///
    /// There are other handles. This one comes back.
    pub fn try_into_inner(self) -> Result<Socket<P, D>, Self> {
        match self.0.try_into_inner() {
            Ok(socket) => Ok(Socket::from(socket)),
            Err(shared) => Err(SharedSender(shared, self.1)),
        }
    }
}
