//! ROUTER (RFC 28): messages from named peers, and to them.

use std::task::{Context, Poll};

use zmtp::Message;

use super::call::{self, source, way};
use super::halves::halves;
use super::traits::{Feeding, Polled, receives, sinks};
use super::{Core, common_methods};
use crate::endpoint::ToEndpoint;
use crate::error::{ConnectError, RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Identifies, Probes, Receives, Routes, Sends};
use crate::pipe::PeerMark;
use crate::routing::{Addressed, FairQueue, RecvStrategy, SendStrategy, Undelivered};
use crate::routing_id::RoutingId;

/// A message from or to a named peer.
///
/// Made from a name and a message, `("worker 1", "to do").into()`. In libzmq's form, which a proxy passes on,
/// the name is the first frame; [`Message::from`] makes that form, and [`Routed::from`] takes it.
///
/// ```
/// use purezmq::{Message, Routed};
///
/// let routed = Routed::from(("worker 1", ["to", "do"]));
/// let message = Message::from(routed.clone());
/// assert_eq!(message, Message::from(["worker 1", "to", "do"]));
/// assert_eq!(Routed::from(message), routed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Routed {
    /// The peer.
    pub peer: RoutingId,
    /// The message, without the peer's name.
    pub message: Message,
    /// What is told of the peer itself: then the message is one empty frame.
    pub notice: Option<Notice>,
}

/// What has happened to a peer. Only sockets with the option `notify` tell.
///
/// The notices of one connection come in order, around its messages. A peer that comes back at once with the
/// same name may be told of before the end of its old connection, which has messages to be read: count
/// the two kinds to know whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// It has connected; its messages follow.
    Connected,
    /// Its connection has ended; its messages came before.
    Disconnected,
}

impl Routed {
    /// An answer to the peer that this comes from.
    pub fn reply(&self, message: impl Into<Message>) -> Self {
        Routed::from((&self.peer, message))
    }
}

impl<P: Into<RoutingId>, M: Into<Message>> From<(P, M)> for Routed {
    fn from((peer, message): (P, M)) -> Self {
        Routed {
            peer: peer.into(),
            message: message.into(),
            notice: None,
        }
    }
}

/// Takes the first frame for the peer's name.
impl From<Message> for Routed {
    fn from(mut message: Message) -> Self {
        let peer = message.pop_front().unwrap_or_default();
        Routed::from((peer, message))
    }
}

/// Puts the peer's name in front.
impl From<Routed> for Message {
    fn from(routed: Routed) -> Self {
        let mut message = routed.message;
        message.push_front(routed.peer);
        message
    }
}

/// Writes the sending direction of a ROUTER, or of its half.
macro_rules! sends_routed {
    ($socket:ident) => {
        impl $socket {
            /// Queues a message for the peer that it names. Never waits for a peer, unless the socket is `mandatory`
            /// and the peer has no room; now and then it yields to the runtime once. A message without frames
            /// beside the name is ignored (R-ROUTER-8).
            ///
            /// # Errors
            ///
            /// Of a `mandatory` socket: no peer has this name, or it had no room within `send_timeout`. The message
            /// comes back.
            ///
            /// # Cancel safety
            ///
            /// A dropped future has not sent the message. To keep the message, use [`try_send`](Self::try_send).
            pub async fn send(&mut self, message: impl Into<Routed>) -> Result<(), SendError> {
                let Routed { peer, message, .. } = message.into();
                if message.is_empty() {
                    return Ok(());
                }
                let mut unroutable = None;
                self.core
                    .send(
                        message,
                        way(|core, message| route(core, &peer, message, &mut unroutable)),
                    )
                    .await?;
                match unroutable {
                    None => Ok(()),
                    Some(message) => Err(SendError::Unroutable { peer, message }),
                }
            }

            /// Queues a message for the peer that it names, if it has room now.
            ///
            /// # Errors
            ///
            /// Of a `mandatory` socket: no peer has this name, or it has no room. The message comes back.
            pub fn try_send(&mut self, message: impl Into<Routed>) -> Result<(), TrySendError> {
                let Routed { peer, message, .. } = message.into();
                if message.is_empty() {
                    return Ok(());
                }
                let mut unroutable = None;
                self.core.try_send(
                    message,
                    way(|core, message| route(core, &peer, message, &mut unroutable)),
                )?;
                match unroutable {
                    None => Ok(()),
                    Some(message) => Err(TrySendError::Unroutable { peer, message }),
                }
            }

            /// Queues a message for the peer of this name: [`send`](Self::send) with the name apart.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// As [`send`](Self::send).
            pub async fn send_to(
                &mut self,
                peer: impl Into<RoutingId>,
                message: impl Into<Message>,
            ) -> Result<(), SendError> {
                self.send((peer, message)).await
            }

            /// The names of all peers that messages can be sent to, in no order.
            pub fn peers(&mut self) -> impl Iterator<Item = &RoutingId> {
                self.core.read_notes();
                self.core.sender.names()
            }

            /// Messages dropped because no peer had the name, or its pipe was full.
            pub fn dropped(&self) -> u64 {
                let dropped = self.core.shared.state.stats.dropped();
                dropped.full + dropped.unroutable
            }
        }

        sinks!($socket, Routed);

        impl Feeding for $socket {
            fn poll_send(
                &mut self,
                cx: &mut Context<'_>,
                routed: &mut Option<Routed>,
                state: &mut Polled,
            ) -> Poll<Result<(), SendError>> {
                poll_send(&mut self.core, cx, routed, state)
            }

            fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<()> {
                Poll::Ready(())
            }
        }
    };
}

/// Receives messages from all of its peers, one from each in turn, with the name of the peer, and sends to the
/// peer that is named (RFC 28).
///
/// A peer's name is what the peer calls itself (its option `routing_id`), or what
/// [`connect_as`](Self::connect_as) calls it, or made up. A newcomer with a name that is in use is ignored
/// as long as it stays connected, unless the socket does `handover`. A message for nobody known, or
/// for a peer that does not read, is dropped and counted, unless the socket is `mandatory`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{ReqSocket, RouterSocket};
///
/// let mut router = RouterSocket::builder().mandatory(true).build()?;
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// let mut client = ReqSocket::new();
/// client.connect(&endpoint)?;
/// client.send("question").await?;
///
/// let request = router.recv().await?;
/// assert_eq!(request.message.last(), Some(&b"question"[..]));
/// router.send(request.reply(["", "answer"])).await?;
/// assert_eq!(client.recv().await?, "answer");
///
/// assert!(router.send_to("nobody", "anything").await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct RouterSocket {
    core: Core<Addressed, FairQueue>,
}

common_methods!(RouterSocket, Router);
impl Sends for RouterSocket {}
impl Receives for RouterSocket {}
impl Identifies for RouterSocket {}
impl Probes for RouterSocket {}
impl Routes for RouterSocket {}
receives!(RouterSocket, Routed, |this| this.core, source(take));
halves!(
    RouterSocket,
    RouterSender<Addressed>,
    RouterReceiver<FairQueue>,
    Routed,
    source(take)
);
sends_routed!(RouterSocket);
sends_routed!(RouterSender);

impl RouterSocket {
    fn from_core(core: Core<Addressed, FairQueue>) -> Self {
        RouterSocket { core }
    }

    /// The same as [`connect`](Self::connect), for a peer that shall be known by this name here, whatever it
    /// calls itself. Messages can be sent to it at once (unless the socket is `immediate`).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), or the name is another peer's.
    pub fn connect_as(
        &mut self,
        endpoint: impl ToEndpoint,
        name: impl Into<RoutingId>,
    ) -> Result<(), ConnectError> {
        self.core.connect_as(endpoint, name.into())
    }

    /// The next message, with its sender's name; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Routed, RecvError>> {
        self.core.recv(take)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Routed, TryRecvError> {
        self.core.try_recv(take)
    }
}

/// Sends to the named peer. `false`: it has no room, and the socket is `mandatory`.
fn route<R: RecvStrategy>(
    core: &mut Core<Addressed, R>,
    peer: &RoutingId,
    message: &mut Message,
    unroutable: &mut Option<Message>,
) -> bool {
    let mandatory = core.shared.config.options.mandatory;
    match core.sender.send_to(peer, message) {
        Ok(()) => {}
        Err(Undelivered::Full) if mandatory => return false,
        Err(Undelivered::Full) => core.sender.count_dropped(peer),
        Err(Undelivered::Unknown) if mandatory => *unroutable = Some(std::mem::take(message)),
        Err(Undelivered::Unknown) => core.shared.state.stats.unroutable.add(1),
    }
    true
}

/// `send`, polled.
fn poll_send<R: RecvStrategy>(
    core: &mut Core<Addressed, R>,
    cx: &mut Context<'_>,
    routed: &mut Option<Routed>,
    state: &mut Polled,
) -> Poll<Result<(), SendError>> {
    let Some(Routed { peer, message, .. }) = routed.take() else {
        return Poll::Ready(Ok(()));
    };
    if message.is_empty() {
        return Poll::Ready(Ok(()));
    }
    let mut unroutable = None;
    let mut message = Some(message);
    let way = way(|core, message| route(core, &peer, message, &mut unroutable));
    let polled = call::poll_send(core, way, cx, &mut message, state);
    if let Some(message) = message {
        *routed = Some((peer, message).into());
    } else if let Some(message) = unroutable {
        return Poll::Ready(Err(SendError::Unroutable { peer, message }));
    }
    polled
}

/// The next message, or notice if the application wants them.
fn take<S: SendStrategy>(core: &mut Core<S, FairQueue>) -> Option<Routed> {
    loop {
        let mut message = core.receiver.recv()?;
        let mut notice = None;
        if message.is_empty() {
            notice = match core.receiver.take_news() {
                Some(PeerMark::Joined { tell: true, .. }) => Some(Notice::Connected),
                Some(PeerMark::Left) => Some(Notice::Disconnected),
                Some(PeerMark::Joined { tell: false, .. }) | None => None,
            };
            if notice.is_none() {
                continue;
            }
            message = Message::from("");
        }
        // Nothing comes before the name: the session gives it first.
        if let Some(peer) = core.receiver.last_name() {
            return Some(Routed {
                peer: peer.clone(),
                message,
                notice,
            });
        }
    }
}
