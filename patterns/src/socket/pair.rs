//! PAIR (RFC 31): two sockets, and nobody else.

use zmtp::Message;

use super::call::{Source, Way};
use super::halves::{halves, sending_half};
use super::traits::{receives, reserves, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Receives, Sends};
use crate::routing::{ExclusiveReceiver, ExclusiveSender, RecvStrategy, SendStrategy};

type PairCore = Core<ExclusiveSender, ExclusiveReceiver>;

/// Sends to and receives from one peer (RFC 31).
///
/// A second peer that connects is turned away: its connection is closed after the handshake, with what it
/// has sent by then, and it may try again until the first one has gone (libzmq leaves it connected and
/// never reads). Likewise a second
/// `connect` is an error while the first endpoint stands, reached or not. Without a peer, and when the
/// peer does not read, `send` waits, and never drops.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::PairSocket;
///
/// let mut here = PairSocket::new();
/// here.bind("inproc://pair").await?;
/// let mut there = PairSocket::new();
/// there.connect("inproc://pair")?;
///
/// here.send("ping").await?;
/// assert_eq!(there.recv().await?, "ping");
/// there.send("pong").await?;
/// assert_eq!(here.recv().await?, "pong");
/// # Ok(())
/// # }
/// ```
pub struct PairSocket {
    core: PairCore,
}

common_methods!(PairSocket, Pair);
impl Sends for PairSocket {}
impl Receives for PairSocket {}
sends!(PairSocket, |this| this.core, Peer);
receives!(PairSocket, Message, |this| this.core, Peer);
reserves!(PairSocket);
halves!(
    PairSocket,
    PairSender<ExclusiveSender>,
    PairReceiver<ExclusiveReceiver>,
    Message,
    Peer
);
sending_half!(PairSender, PairSocket, Peer);
reserves!(PairSender);

impl PairSocket {
    fn from_core(core: PairCore) -> Self {
        PairSocket { core }
    }

    /// Queues a message for the peer; waits while there is none, or while it has no room.
    ///
    /// # Errors
    ///
    /// `send_timeout` passed, or the message has no frames. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message. To keep the message, use [`try_send`](Self::try_send).
    #[inline]
    pub fn send(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.core.send(message.into(), Peer)
    }

    /// Queues a message if the peer is there and has room now.
    ///
    /// # Errors
    ///
    /// There is no peer or no room, or the message has no frames. The message comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.core.try_send(message.into(), Peer)
    }

    /// The next message; waits while there is none.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Message, RecvError>> {
        self.core.recv(Peer)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.core.try_recv(Peer)
    }
}

/// The one peer.
struct Peer;

impl<R: RecvStrategy> Way<ExclusiveSender, R> for Peer {
    fn send(&mut self, core: &mut Core<ExclusiveSender, R>, message: &mut Message) -> bool {
        core.sender.send(message)
    }

    #[inline(always)]
    fn send_at_once(&mut self, core: &mut Core<ExclusiveSender, R>, message: &mut Message) -> bool {
        core.sender.send(message)
    }
}

impl<S: SendStrategy> Source<S, ExclusiveReceiver> for Peer {
    type Item = Message;

    fn take(&mut self, core: &mut Core<S, ExclusiveReceiver>) -> Option<Message> {
        core.receiver.recv()
    }

    #[inline(always)]
    fn at_hand(&mut self, core: &mut Core<S, ExclusiveReceiver>) -> Option<Message> {
        core.receiver.at_hand()
    }
}
