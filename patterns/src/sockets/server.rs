//! SERVER (RFC 41): single frames from peers with numbers, and to them. PEER (`peer.rs`) does the same at both ends.

use std::task::Poll;

use zmtp::Message;

use super::work_of;
use crate::core::{Core, Incoming, IntoSent, Outgoing, Pattern, Refusal};
use crate::routing::{ByPeer, FairQueue, Undelivered};
use crate::routing_id::{PeerId, RoutingId};
use crate::socket::Socket;

/// The pattern of [`ServerSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Server;

/// Receives messages from all of its clients, one from each in turn, with the number of the client, and sends to the
/// client that is named by its number (RFC 41): a [`RouterSocket`](crate::RouterSocket) whose messages are single frames.
///
/// A client's [`PeerId`] is made up when it comes, whatever it calls itself; it never changes as long as the connection
/// lasts, and nobody can take it over. A message for a number that nobody has is an error,
/// [`SendError::Unroutable`](crate::SendError::Unroutable); one for a client that does not read waits. So does every
/// `send` behind it: `try_send` does not, and `send_timeout` bounds it. A message of several frames is an error of `send`;
/// one that comes is discarded and counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{ClientSocket, PeerId, SendError, ServerSocket};
///
/// let mut server = ServerSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let mut client = ClientSocket::new();
/// client.connect(&endpoint)?;
/// client.send("question").await?;
///
/// let question = server.recv().await?;
/// assert_eq!(question.message, "question");
/// // One question may have any number of answers, now or later.
/// server.send_to(question.peer, "first").await?;
/// server.send(question.reply("second")).await?;
/// assert_eq!(client.recv().await?, "first");
/// assert_eq!(client.recv().await?, "second");
///
/// let nobody = PeerId::default();
/// let refused = server.send_to(nobody, "anything").await;
/// assert!(matches!(refused, Err(SendError::Unroutable { .. })));
/// # Ok(())
/// # }
/// ```
pub type ServerSocket = Socket<Server>;

/// A message from or to a peer that is known by its number.
///
/// Made from the number and a message, `(peer, "answer").into()`. As a [`Message`], as
/// [`AnySocket`](crate::AnySocket) has it, the four bytes of the number, the most significant one first, are a frame in
/// front (in libzmq, the number is a property of the message, and no frame). They say nothing of whose it was.
///
/// ```
/// use purezmq::{Addressed, Message, PeerId};
///
/// let addressed = Addressed::from((PeerId::from(258), "answer"));
/// let message = Message::from(addressed.clone());
/// assert_eq!(message, Message::from([&[0, 0, 1, 2][..], b"answer"]));
/// assert_eq!(Addressed::from(message), addressed);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addressed {
    /// The peer.
    pub peer: PeerId,
    /// The message, of one frame.
    pub message: Message,
}

impl Addressed {
    /// Makes a message to the peer that this comes from.
    pub fn reply(&self, message: impl IntoSent<Message>) -> Self {
        Addressed {
            peer: self.peer,
            message: message.into_sent(),
        }
    }
}

impl<P: Into<PeerId>, M: Into<Message>> From<(P, M)> for Addressed {
    fn from((peer, message): (P, M)) -> Self {
        Addressed {
            peer: peer.into(),
            message: message.into(),
        }
    }
}

/// Takes the first frame for the peer's number. One that is not four bytes long names nobody.
impl From<Message> for Addressed {
    fn from(mut message: Message) -> Self {
        let peer = message.pop_front().unwrap_or_default();
        let number = peer.as_slice().try_into().map_or(0, u32::from_be_bytes);
        Addressed::from((number, message))
    }
}

/// Puts the peer's number in front.
impl From<Addressed> for Message {
    fn from(addressed: Addressed) -> Self {
        let mut message = addressed.message;
        message.push_front(addressed.peer.number().to_be_bytes());
        message
    }
}

impl Incoming for Addressed {}

impl Outgoing for Addressed {
    fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        (Some(self.peer.name()), self.message)
    }
}

/// Queues a message for the peer that is named. Pending: there is no room now.
pub(super) fn send<P: Pattern<Send = ByPeer>>(
    core: &mut Core<P>,
    item: &mut Addressed,
) -> Poll<Result<(), Refusal>> {
    if item.message.len() > 1 {
        return Poll::Ready(Err(Refusal::Multipart));
    }
    match core.sender.send_to(&item.peer.name(), &mut item.message) {
        Ok(()) => Poll::Ready(Ok(())),
        Err(Undelivered::Full) => Poll::Pending,
        Err(Undelivered::Unknown) => Poll::Ready(Err(Refusal::Unroutable)),
    }
}

/// Takes the next message, with who has sent it.
pub(super) fn recv<P: Pattern<Recv = FairQueue>>(
    core: &mut Core<P>,
) -> Poll<Result<Addressed, Refusal>> {
    while let Some(next) = core.receiver.recv_or_mark() {
        // Nothing comes before the number: the session gives it first.
        let peer = core.receiver.last_name().and_then(PeerId::of);
        let work = match (next, peer) {
            (Ok(message), Some(peer)) if message.len() == 1 => {
                return Poll::Ready(Ok(Addressed { peer, message }));
            }
            (Ok(message), _) => {
                core.shared.state.stats.discarded.add(1);
                work_of(&message)
            }
            (Err(_), _) => 1,
        };
        if !core.goes_on(work) {
            break;
        }
    }
    Poll::Pending
}

/// What a socket does that knows its peers by numbers.
macro_rules! by_number {
    ($pattern:ident) => {
        impl $crate::core::Pattern for $pattern {
            type Sent = $crate::sockets::Addressed;
            type Received = $crate::sockets::Addressed;
            type Send = $crate::routing::ByPeer;
            type Recv = $crate::routing::FairQueue;
            type State = ();
            type Half = $crate::core::Core<Self>;

            fn send(
                core: &mut $crate::core::Core<Self>,
                item: &mut $crate::sockets::Addressed,
            ) -> std::task::Poll<Result<(), $crate::core::Refusal>> {
                $crate::sockets::server::send(core, item)
            }

            fn recv(
                core: &mut $crate::core::Core<Self>,
            ) -> std::task::Poll<Result<$crate::sockets::Addressed, $crate::core::Refusal>> {
                $crate::sockets::server::recv(core)
            }
        }

        impl<D: $crate::socket::SendSide> $crate::socket::Socket<$pattern, D> {
            /// Queues a message for the peer with this number: [`send`](Self::send) with that apart.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// As [`send`](Self::send).
            pub fn send_to(
                &mut self,
                peer: impl Into<$crate::routing_id::PeerId>,
                message: impl $crate::core::IntoSent<zmtp::Message>,
            ) -> impl Future<Output = Result<(), $crate::error::SendError>> + Send {
                self.send($crate::sockets::Addressed {
                    peer: peer.into(),
                    message: message.into_sent(),
                })
            }

            /// Returns the numbers of all peers that messages can be sent to, in no order.
            pub fn peers(&mut self) -> Vec<$crate::routing_id::PeerId> {
                use $crate::core::Access;
                self.handle.with(|core| {
                    core.read_events();
                    let names = core.sender.names();
                    names.filter_map($crate::routing_id::PeerId::of).collect()
                })
            }

            /// Returns whether the peer with this number [drains](Self::drain): it takes no new work, while answers are
            /// welcome. Messages to it are sent all the same, since only the application knows which they are. `false`
            /// also if there is no such peer.
            pub fn peer_drains(&mut self, peer: impl Into<$crate::routing_id::PeerId>) -> bool {
                use $crate::core::Access;
                let name = peer.into().name();
                self.handle.with(|core| {
                    core.read_events();
                    core.sender.is_drained_to(&name) == Some(true)
                })
            }
        }

        impl $crate::socket::Socket<$pattern, $crate::socket::Whole> {
            /// Connects as [`connect`](Self::connect) does, and returns the number by which the peer there is known here,
            /// now and after each reconnection. Messages can be sent to it at once (unless the socket is `immediate`: then
            /// the number is nobody's until the peer has been reached). It is whoever's that is there; an answer is for who
            /// has asked if it goes to the id that the question came with. In libzmq, for PEER alone: `zmq_connect_peer`.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect).
            pub fn connect_peer(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<$crate::routing_id::PeerId, $crate::error::ConnectError> {
                use $crate::core::Access;
                let endpoint = endpoint.to_endpoint()?;
                self.handle.with(|core| core.connect_peer(endpoint))
            }
        }
    };
}
by_number!(Server);
