//! The pipeline pattern (RFC 30): PUSH hands out work, PULL takes it.

use zmtp::Message;

use super::call::{Source, Way};
use super::traits::{receives, reserves, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Conflates, Receives, Sends};
use crate::routing::{Everyone, FairQueue, LoadBalance, RecvStrategy, SendStrategy};

/// Sends each message to one of its peers, in turn (RFC 30).
///
/// Peers whose pipes are full are passed over; when all are, `send` waits, and never drops. Messages to an
/// endpoint that was connected are queued even while the peer is away (unless the socket is `immediate`)
/// and survive a reconnection; messages queued for a peer that connected to us are lost with it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{PullSocket, PushSocket};
///
/// let mut sink = PullSocket::new();
/// let endpoint = sink.bind("tcp://127.0.0.1:*").await?;
/// let mut source = PushSocket::new();
/// source.connect(&endpoint)?;
/// source.send("work").await?;
/// assert_eq!(sink.recv().await?, "work");
/// # Ok(())
/// # }
/// ```
pub struct PushSocket {
    core: Core<LoadBalance, FairQueue>,
}

common_methods!(PushSocket, Push);
impl Sends for PushSocket {}
impl Conflates for PushSocket {}
sends!(PushSocket, |this| this.core, Balanced);
reserves!(PushSocket);

impl PushSocket {
    fn from_core(core: Core<LoadBalance, FairQueue>) -> Self {
        PushSocket { core }
    }

    /// Queues a message for the next peer that has room; waits while none has.
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
        self.core.send(message.into(), Balanced)
    }

    /// Queues a message if a peer has room now.
    ///
    /// # Errors
    ///
    /// No peer has room, or the message has no frames. The message comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.core.try_send(message.into(), Balanced)
    }
}

/// To one peer after the other.
pub(super) struct Balanced;

impl<R: RecvStrategy> Way<LoadBalance, R> for Balanced {
    fn send(&mut self, core: &mut Core<LoadBalance, R>, message: &mut Message) -> bool {
        core.sender.send(message).is_some()
    }

    #[inline(always)]
    fn send_at_once(&mut self, core: &mut Core<LoadBalance, R>, message: &mut Message) -> bool {
        core.sender.send_at_once(message)
    }
}

/// Receives messages from all of its peers, one from each in turn (RFC 30).
///
/// When the application doesn't read, peers are held back: nothing is dropped. See [`PushSocket`] for an
/// example.
pub struct PullSocket {
    core: Core<Everyone, FairQueue>,
}

common_methods!(PullSocket, Pull);
impl Receives for PullSocket {}
impl Conflates for PullSocket {}
receives!(PullSocket, Message, |this| this.core, InTurn);

impl PullSocket {
    fn from_core(core: Core<Everyone, FairQueue>) -> Self {
        PullSocket { core }
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
        self.core.recv(InTurn)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// No message is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.core.try_recv(InTurn)
    }
}

/// From one peer after the other.
pub(super) struct InTurn;

impl<S: SendStrategy> Source<S, FairQueue> for InTurn {
    type Item = Message;

    fn take(&mut self, core: &mut Core<S, FairQueue>) -> Option<Message> {
        core.receiver.recv()
    }

    #[inline(always)]
    fn at_hand(&mut self, core: &mut Core<S, FairQueue>) -> Option<Message> {
        core.receiver.at_hand()
    }
}
