//! What the blocking sockets of single frames have of their own: SERVER, PEER, RADIO, DISH.

use zmtp::{Frame, Message};

use super::{Socket, wait};
use crate::core::IntoSent;
use crate::endpoint::ToEndpoint;
use crate::error::{ConnectError, GroupError, SendError};
use crate::routing_id::PeerId;
use crate::socket::SendSide;
use crate::sockets::{Dish, Peer, Radio, Server};

macro_rules! by_number {
    ($($pattern:ident)*) => {$(
        impl<D: SendSide> Socket<$pattern, D> {
            /// Sends a message to the peer with this number.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send). The message comes back.
            pub fn send_to(
                &mut self,
                peer: impl Into<PeerId>,
                message: impl IntoSent<Message>,
            ) -> Result<(), SendError> {
                wait(self.inner().send_to(peer, message))
            }

            /// Returns the numbers of all peers that messages can be sent to, in no order.
            pub fn peers(&mut self) -> Vec<PeerId> {
                self.inner().peers()
            }

            /// Returns whether the peer with this number takes no new work.
            pub fn peer_drains(&mut self, peer: impl Into<PeerId>) -> bool {
                self.inner().peer_drains(peer)
            }
        }

        impl Socket<$pattern> {
            /// Connects to a peer, and returns the number by which it is known here.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect).
            pub fn connect_peer(&mut self, endpoint: impl ToEndpoint) -> Result<PeerId, ConnectError> {
                self.inner().connect_peer(endpoint)
            }
        }
    )*};
}
by_number!(Server Peer);

impl<D: SendSide> Socket<Radio, D> {
    /// Sends a message to all peers that have joined a group.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the group's name is too long, or has a zero in it.
    pub fn send_to(
        &mut self,
        group: impl Into<Frame>,
        body: impl IntoSent<Message>,
    ) -> Result<(), SendError> {
        wait(self.inner().send_to(group, body))
    }
}

impl Socket<Dish> {
    /// Joins a group: [`DishSocket::join`](crate::DishSocket::join).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn join(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.inner().join(group)
    }

    /// Leaves a group: [`DishSocket::leave`](crate::DishSocket::leave).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn leave(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.inner().leave(group)
    }
}
