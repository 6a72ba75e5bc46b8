//! [`Pattern`]: what a socket type is and does, apart from all that sockets have in common.

use std::sync::Arc;
use std::task::Poll;

use zmtp::Message;

use super::{Access, Core};
use crate::error::{GroupError, RecvError, SendError};
use crate::peer::Peer;
use crate::routing::{RecvStrategy, Refusal, SendStrategy};
use crate::routing_id::RoutingId;
use crate::rules::HasRules;
use crate::sealed::Sealed;

/// A socket type: [`Push`](crate::sockets::Push), [`Router`](crate::sockets::Router) and their sisters. Sealed.
///
/// A [`Socket<P>`](crate::socket::Socket) is a socket of the pattern `P`. Which calls and options it has, the traits of
/// [`capability`](crate::capability) say, which every pattern has its share of.
#[allow(private_bounds, reason = "patterns are made in this crate only")]
pub trait Pattern: HasRules + Sealed + Sized + Send + Sync + 'static {
    /// What is sent: a [`Message`], or one with its peer's routing id (ROUTER), its number (SERVER), its group (RADIO) or an
    /// address (DGRAM).
    type Sent: Outgoing;
    /// What is received: the same, or for ROUTER also what happens to peers. The message form is libzmq's.
    type Received: Incoming;
    /// Chooses the pipes to send to.
    #[doc(hidden)]
    type Send: SendStrategy;
    /// Chooses the pipe to receive from.
    #[doc(hidden)]
    type Recv: RecvStrategy;
    /// What a handle knows besides.
    #[doc(hidden)]
    type State: Default + Send;
    /// How a half gets at its core.
    #[doc(hidden)]
    type Half: Access<Self>;

    /// Prepares a new socket.
    #[doc(hidden)]
    fn opened(_core: &mut Core<Self>) {}

    /// Queues the message, which stays untouched otherwise. Pending: not now.
    #[doc(hidden)]
    fn send(_core: &mut Core<Self>, _item: &mut Self::Sent) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Err(Refusal::Unsupported))
    }

    /// Answers a message without frames: an error here, and nothing for ROUTER.
    #[doc(hidden)]
    fn refuse_empty(item: &mut Self::Sent) -> Option<Result<(), SendError>> {
        item.is_empty()
            .then(|| Err(SendError::NoFrames(std::mem::take(item).into())))
    }

    /// Does the same where it is quickly done; when it says no, `send` decides.
    #[doc(hidden)]
    #[inline(always)]
    fn try_fast_send(_core: &mut Core<Self>, _item: &mut Self::Sent) -> bool {
        false
    }

    /// Takes the next message. Pending: there is none now.
    #[doc(hidden)]
    fn recv(_core: &mut Core<Self>) -> Poll<Result<Self::Received, Refusal>> {
        Poll::Ready(Err(Refusal::Unsupported))
    }

    /// Does the same where it is quickly done; when there is nothing, `recv` decides.
    #[doc(hidden)]
    #[inline(always)]
    fn try_fast_recv(_core: &mut Core<Self>) -> Option<Self::Received> {
        None
    }

    /// Returns whether `recv` would give something now, or fail. Where only reading a message shows that it makes no sense,
    /// it counts as something.
    #[doc(hidden)]
    fn is_readable(core: &mut Core<Self>) -> bool {
        core.receiver.has_next()
    }

    /// Returns whether `send` would not wait now.
    #[doc(hidden)]
    fn is_writable(core: &mut Core<Self>) -> bool {
        core.sender.has_room()
    }

    /// Says whether `send` would take a message that begins with this frame, as far as that one tells. Pending: not now.
    #[doc(hidden)]
    fn begins(core: &mut Core<Self>, _first: &[u8]) -> Poll<Result<(), Refusal>> {
        match Self::is_writable(core) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    /// Says whether the peer of this name could be given a message now. `None`: there is no such peer, or none has a name.
    #[doc(hidden)]
    fn has_room_for(_core: &mut Core<Self>, _peer: &[u8]) -> Option<bool> {
        None
    }

    /// Hears that nothing can come any more: all endpoints are gone.
    #[doc(hidden)]
    fn bereft(_core: &mut Core<Self>) {}

    /// Returns who has sent what was received last.
    #[doc(hidden)]
    fn last_peer(core: &Core<Self>) -> Option<Arc<Peer>> {
        core.receiver.last_sender()
    }

    /// Subscribes to a topic, or with `false` takes that back. Returns whether there was anything to be done.
    #[doc(hidden)]
    fn subscribe(_core: &mut Core<Self>, _subscribe: bool, _topic: &[u8]) -> bool {
        false
    }

    /// Joins a group, or with `false` leaves it.
    #[doc(hidden)]
    fn join(_core: &mut Core<Self>, _join: bool, _group: &[u8]) -> Result<(), GroupError> {
        Err(GroupError::Unsupported {
            socket_type: Self::RULES.socket_type,
        })
    }

    /// Counts the peers with a subscription, and the distinct topics.
    #[doc(hidden)]
    fn subscriptions(_core: &mut Core<Self>) -> (usize, usize) {
        (0, 0)
    }

    /// Counts what was heard beside `recv`, and is for it to give.
    #[doc(hidden)]
    fn heard(_core: &Core<Self>) -> usize {
        0
    }
}

/// What a socket sends.
pub trait Outgoing: Default + Unpin + Send + From<Message> + Into<Message> {
    /// Returns whether it is not to be sent as it is: a message has at least one frame.
    fn is_empty(&self) -> bool;
    /// Returns the message, and the peer that it is for if one is named.
    fn into_parts(self) -> (Option<RoutingId>, Message);
    /// Moves it to where it waits to be sent.
    #[inline(always)]
    fn settled(self) -> Self {
        self
    }
}

/// What can be sent: all that can be made into what the socket sends, by [`Into`]. Implement [`From`] for types of your
/// own.
///
/// The compiler says what is missing:
///
/// ```compile_fail,E0277
/// # async fn send(push: &mut purezmq::PushSocket) -> Result<(), purezmq::SendError> {
/// push.send(5).await // error[E0277]: `{integer}` is nothing that this socket can send
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that this socket can send",
    label = "cannot be made into a `{M}`",
    note = "a message is made from text or bytes, from an array, vector or tuple of those, or from frames: a number as `n.to_string()` or `n.to_be_bytes()`",
    note = "what a ROUTER or SERVER sends is made from a routing id and a message: `(peer, message)`; what a RADIO sends, from a group and a body; what a DGRAM sends, from an address and a payload"
)]
pub trait IntoSent<M> {
    /// Makes it.
    fn into_sent(self) -> M;
}

#[diagnostic::do_not_recommend]
impl<T: Into<M>, M> IntoSent<M> for T {
    #[inline(always)]
    fn into_sent(self) -> M {
        self.into()
    }
}

/// What a socket receives. Its message form is libzmq's.
pub trait Incoming: Into<Message> + Send {
    /// Returns whether it is no message, but tells what has happened to a peer.
    fn is_event(&self) -> bool {
        self.change().is_some()
    }

    /// Returns what has happened to a peer, if it tells that.
    fn change(&self) -> Option<PeerChange> {
        None
    }
}

/// What may happen to a peer, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerChange {
    /// It has connected.
    Came,
    /// Its connection has ended.
    Left,
}

impl Incoming for Message {}

impl Outgoing for Message {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        Message::is_empty(self)
    }

    #[inline(always)]
    fn settled(self) -> Self {
        Message::settled(self)
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        (None, self)
    }
}

/// Makes the error that hands a refused message back.
pub(crate) fn send_error<P: Pattern>(refusal: Refusal, item: P::Sent) -> SendError {
    let (peer, message) = item.into_parts();
    match refusal {
        Refusal::State(expected) => SendError::State { message, expected },
        Refusal::Unroutable => SendError::Unroutable {
            peer: peer.unwrap_or_default(),
            message,
        },
        Refusal::Multipart => SendError::Multipart(message),
        Refusal::Group(error) => SendError::Group { message, error },
        Refusal::Datagram(error) => SendError::Datagram { message, error },
        // Only who receives is told that nothing comes.
        Refusal::Unsupported | Refusal::Drained => SendError::Unsupported {
            message,
            socket_type: P::RULES.socket_type,
        },
        Refusal::Gone(last) => SendError::Gone { message, last },
        Refusal::ContextClosed => SendError::ContextClosed(message),
    }
}

/// Makes the error that says why nothing is received.
pub(crate) fn recv_error<P: Pattern>(refusal: Refusal) -> RecvError {
    match refusal {
        Refusal::State(expected) => RecvError::State { expected },
        Refusal::Gone(last) => RecvError::Gone(last),
        Refusal::Drained => RecvError::Drained,
        Refusal::ContextClosed => RecvError::ContextClosed,
        Refusal::Unsupported
        | Refusal::Unroutable
        | Refusal::Multipart
        | Refusal::Group(_)
        | Refusal::Datagram(_) => RecvError::Unsupported {
            socket_type: P::RULES.socket_type,
        },
    }
}
