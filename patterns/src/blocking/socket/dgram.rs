//! The call of a blocking DGRAM.

use std::net::SocketAddr;

use zmtp::Message;

use super::{Socket, wait};
use crate::core::IntoSent;
use crate::error::SendError;
use crate::socket::SendSide;
use crate::sockets::Dgram;

impl<D: SendSide> Socket<Dgram, D> {
    calls! {
        /// Sends a datagram to an address.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send); the payload is too large, or the port is 0.
        send_to(this, to: impl Into<SocketAddr>, payload: impl IntoSent<Message>) -> Result<(), SendError> =
            wait(this.send_to(to, payload));
    }
}
