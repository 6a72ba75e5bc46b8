//! ROUTER (RFC 28): messages from named peers, and to them.

use std::task::Poll;

use zmtp::Message;

use crate::core::call::{Receiving, RecvOp};
use crate::core::{Access, Core, Incoming, IntoSent, Outgoing, Pattern, PeerChange, Refusal};
use crate::error::{RecvError, SendError};
use crate::pipe::PeerMark;
use crate::routing::{ByPeer, FairQueue, Undelivered};
use crate::routing_id::RoutingId;
use crate::socket::{RecvSide, SendSide, Socket};

/// The pattern of [`RouterSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Router;

/// Receives messages from all of its peers, one from each in turn, with the routing id of the peer, and sends to the
/// peer that is named (RFC 28).
///
/// A peer's routing id is what the peer calls itself (its option `routing_id`), or what
/// [`connect_as`](Socket::connect_as) calls it, or made up. A newcomer with one that is in use is ignored until the other
/// one has gone, unless the socket does `handover`. What a peer has left unread when another connection takes its name
/// comes under a made-up one.
///
/// A message to a [`RoutingId`] that came with a message goes to that peer: to its connection, or to one that has come back
/// under the name, as the same user or with the same key (where there are neither, under the same name), unless the option
/// `same_connection` asks for the very connection. One to a name that the application has made of bytes, as a proxy
/// does, goes to whoever has it; `tied_names` keeps a name for who had it first. A message for nobody known, or
/// for a peer that does not read, is dropped and counted, unless the socket is `mandatory`: then it is an error, or
/// waits. A message without frames beside the routing id is ignored ([R-ROUTER-8]).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{ReqSocket, RouterEvent, RouterSocket};
///
/// let mut router = RouterSocket::builder().mandatory(true).build()?;
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// let mut client = ReqSocket::new();
/// client.connect(&endpoint)?;
/// client.send("question").await?;
///
/// match router.recv().await? {
///     RouterEvent::Message(request) => {
///         assert_eq!(request.message.last(), Some(&b"question"[..]));
///         router.send(request.respond("answer")).await?;
///     }
///     // Told only with the option `notify`.
///     RouterEvent::Connected(_) | RouterEvent::Disconnected(_) => {}
/// }
/// assert_eq!(client.recv().await?, "answer");
///
/// assert!(router.send_to("nobody", "anything").await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// [R-ROUTER-8]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-8
pub type RouterSocket = Socket<Router>;

/// A message from or to a named peer.
///
/// Made from a routing id and a message, `("worker 1", "to do").into()`. In libzmq's form, which a proxy passes on,
/// the routing id is the first frame; [`Message::from`] makes that form, and [`Routed::from`] takes it.
///
/// ```
/// use purezmq::{Message, Routed};
///
/// let routed = Routed::from(("worker 1", ["to", "do"]));
/// let message = Message::from(routed.clone());
/// assert_eq!(message, Message::from(["worker 1", "to", "do"]));
/// assert_eq!(Routed::from(message), routed);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// The peer.
    pub peer: RoutingId,
    /// The message, without the peer's routing id.
    pub message: Message,
}

/// What a ROUTER receives: a message; and with the option `notify`, what has happened to a peer.
///
/// The events of one connection come in order, around its messages. A peer that comes back at once with the
/// same routing id may be told of before the end of its old connection, which has messages to be read: count
/// the two kinds to know whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterEvent {
    /// A message of a peer.
    Message(Routed),
    /// A peer has connected; its messages follow.
    Connected(RoutingId),
    /// A peer's connection has ended; its messages came before.
    Disconnected(RoutingId),
}

impl RouterEvent {
    /// Returns the message, if it is one.
    pub fn into_message(self) -> Option<Routed> {
        match self {
            RouterEvent::Message(routed) => Some(routed),
            RouterEvent::Connected(_) | RouterEvent::Disconnected(_) => None,
        }
    }

    /// Returns the routing id of the peer that this is about.
    pub fn peer(&self) -> &RoutingId {
        match self {
            RouterEvent::Message(routed) => &routed.peer,
            RouterEvent::Connected(peer) | RouterEvent::Disconnected(peer) => peer,
        }
    }
}

/// Puts the peer's routing id in front; an event is that and an empty frame, as in libzmq.
impl From<RouterEvent> for Message {
    fn from(event: RouterEvent) -> Self {
        match event {
            RouterEvent::Message(routed) => routed.into(),
            RouterEvent::Connected(peer) | RouterEvent::Disconnected(peer) => {
                Routed::from((peer, "")).into()
            }
        }
    }
}

impl Routed {
    /// Makes a message of exactly these frames to the peer that this comes from. A REQ takes no answer without an
    /// envelope: [`respond`](Self::respond) sends that back, too.
    pub fn reply(&self, message: impl IntoSent<Message>) -> Self {
        Routed::from((&self.peer, message.into_sent()))
    }

    /// Makes an answer to a request (RFC 28): in front of `body` stands the envelope that the request came in, which
    /// is all up to its first empty frame, that one included. So the answer finds its way back through every proxy that
    /// the request has passed, and a REQ takes it. A request without an empty frame, as a DEALER may send it, is
    /// answered with `body` alone.
    ///
    /// ```
    /// use purezmq::{Message, Routed};
    ///
    /// let request = Routed::from(("proxy", ["client", "", "question"]));
    /// assert!(request.body().eq(["question".as_bytes()]));
    /// let answer = request.respond("answer");
    /// assert_eq!(answer, Routed::from(("proxy", ["client", "", "answer"])));
    /// ```
    pub fn respond(&self, body: impl IntoSent<Message>) -> Self {
        let mut message = self.message.clone();
        while message.len() > self.envelope_len() {
            message.pop_back();
        }
        for frame in body.into_sent().into_frames() {
            message.push_back(frame);
        }
        Routed::from((&self.peer, message))
    }

    /// Returns the frames behind the envelope: what the application at the other end has sent.
    pub fn body(&self) -> impl Iterator<Item = &[u8]> {
        self.message.iter().skip(self.envelope_len())
    }

    /// Counts the frames of the envelope.
    fn envelope_len(&self) -> usize {
        let end = self.message.iter().position(<[u8]>::is_empty);
        end.map_or(0, |empty| empty + 1)
    }
}

impl<P: Into<RoutingId>, M: Into<Message>> From<(P, M)> for Routed {
    fn from((peer, message): (P, M)) -> Self {
        Routed {
            peer: peer.into(),
            message: message.into(),
        }
    }
}

/// Takes the first frame for the peer's routing id.
impl From<Message> for Routed {
    fn from(mut message: Message) -> Self {
        let peer = message.pop_front().unwrap_or_default();
        Routed::from((peer, message))
    }
}

/// Puts the peer's routing id in front.
impl From<Routed> for Message {
    fn from(routed: Routed) -> Self {
        let mut message = routed.message;
        message.push_front(routed.peer);
        message
    }
}

impl Incoming for RouterEvent {
    fn change(&self) -> Option<PeerChange> {
        match self {
            RouterEvent::Message(_) => None,
            RouterEvent::Connected(_) => Some(PeerChange::Came),
            RouterEvent::Disconnected(_) => Some(PeerChange::Left),
        }
    }
}

impl Outgoing for Routed {
    fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        (Some(self.peer), self.message)
    }
}

impl Pattern for Router {
    type Sent = Routed;
    type Received = RouterEvent;
    type Send = ByPeer;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    fn refuse_empty(routed: &mut Routed) -> Option<Result<(), SendError>> {
        routed.is_empty().then_some(Ok(()))
    }

    fn send(core: &mut Core<Self>, routed: &mut Routed) -> Poll<Result<(), Refusal>> {
        let mandatory = core.shared.config.options.mandatory;
        match core.sender.send_to(&routed.peer, &mut routed.message) {
            Ok(()) => {}
            Err(Undelivered::Full) if mandatory => return Poll::Pending,
            Err(Undelivered::Full) => core.sender.count_dropped(&routed.peer),
            Err(Undelivered::Unknown) if mandatory => {
                return Poll::Ready(Err(Refusal::Unroutable));
            }
            Err(Undelivered::Unknown) => core.shared.state.stats.unroutable.add(1),
        }
        Poll::Ready(Ok(()))
    }

    fn is_writable(core: &mut Core<Self>) -> bool {
        !core.shared.config.options.mandatory || core.sender.has_room_anywhere()
    }

    fn begins(core: &mut Core<Self>, peer: &[u8]) -> Poll<Result<(), Refusal>> {
        if !core.shared.config.options.mandatory {
            return Poll::Ready(Ok(()));
        }
        match core.sender.has_room_for(peer) {
            Some(true) => Poll::Ready(Ok(())),
            Some(false) => Poll::Pending,
            None => Poll::Ready(Err(Refusal::Unroutable)),
        }
    }

    fn has_room_for(core: &mut Core<Self>, peer: &[u8]) -> Option<bool> {
        core.sender.has_room_for(peer)
    }

    fn recv(core: &mut Core<Self>) -> Poll<Result<RouterEvent, Refusal>> {
        while let Some(next) = core.receiver.recv_or_mark() {
            // Nothing comes before the routing id: the session gives it first.
            let peer = core.receiver.last_name().cloned();
            let event = peer.and_then(|peer| match next {
                Ok(message) => Some(RouterEvent::Message(Routed { peer, message })),
                Err(PeerMark::Joined { tell: true, .. }) => Some(RouterEvent::Connected(peer)),
                Err(PeerMark::Left) => Some(RouterEvent::Disconnected(peer)),
                Err(PeerMark::Joined { tell: false, .. } | PeerMark::Renewed) => None,
            });
            match event {
                Some(event) => return Poll::Ready(Ok(event)),
                None if core.goes_on(1) => {}
                None => break,
            }
        }
        Poll::Pending
    }
}

/// The next message; events are passed over.
struct MessagesOnly;

impl RecvOp<Router> for MessagesOnly {
    type Item = Routed;

    fn take(&mut self, core: &mut Core<Router>) -> Poll<Result<Routed, Refusal>> {
        loop {
            match Router::recv(core) {
                Poll::Ready(Ok(RouterEvent::Message(routed))) => return Poll::Ready(Ok(routed)),
                Poll::Ready(Ok(_)) if core.goes_on(1) => {}
                Poll::Ready(Ok(_)) => return Poll::Pending,
                Poll::Ready(Err(refusal)) => return Poll::Ready(Err(refusal)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<D: RecvSide> Socket<Router, D> {
    /// Receives the next message; waits while there is none. What is told of peers is passed over.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    pub fn recv_message(&mut self) -> impl Future<Output = Result<Routed, RecvError>> + Send {
        Receiving::<Router, _, _>::new(&mut self.handle, MessagesOnly)
    }

    /// Receives the next message, if one is there. What is told of peers is passed over.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv_message(&mut self) -> Result<Routed, RecvError> {
        self.handle.with(|core| core.try_recv(MessagesOnly))
    }
}

impl<D: SendSide> Socket<Router, D> {
    /// Returns whether the peer of this routing id [drains](Self::drain): it takes no new work, while answers are welcome.
    /// Messages to it are sent all the same, since only the application knows which they are. `false` also if there is no
    /// such peer.
    pub fn peer_drains(&mut self, peer: impl AsRef<[u8]>) -> bool {
        self.handle.with(|core| {
            core.read_events();
            core.sender.is_drained_to(peer.as_ref()) == Some(true)
        })
    }
}

by_routing_id!(Router);
