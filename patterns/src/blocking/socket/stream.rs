//! The calls of a blocking STREAM.

use zmtp::Message;

use super::{Socket, wait};
use crate::core::IntoSent;
use crate::endpoint::ToEndpoint;
use crate::error::{ConnectError, SendError};
use crate::routing_id::RoutingId;
use crate::socket::SendSide;
use crate::sockets::Stream;

impl<D: SendSide> Socket<Stream, D> {
    calls! {
        /// Sends bytes to the peer of this routing id.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        send_to(this, peer: impl Into<RoutingId>, bytes: impl IntoSent<Message>) -> Result<(), SendError> =
            wait(this.send_to(peer, bytes));
        /// Closes a peer's connection, once what was sent to it is out:
        /// [`Socket::close_peer`](crate::Socket::close_peer).
        ///
        /// # Errors
        ///
        /// There is no such peer.
        close_peer(this, peer: impl AsRef<[u8]>) -> Result<(), SendError> = this.close_peer(peer);
        /// Returns the routing ids of all peers that bytes can be sent to, in no order.
        peers(this) -> Vec<RoutingId> = this.peers();
    }
}

impl Socket<Stream> {
    calls! {
        /// Connects to a peer that shall be known by this routing id.
        ///
        /// # Errors
        ///
        /// As [`Socket::connect_as`](crate::Socket::connect_as).
        connect_as(this, endpoint: impl ToEndpoint, name: impl Into<RoutingId>) -> Result<(), ConnectError> =
            this.connect_as(endpoint, name);
    }
}
