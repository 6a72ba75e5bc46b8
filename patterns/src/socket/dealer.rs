//! DEALER (RFC 28): requests and replies without turns and envelopes.

use zmtp::Message;

use super::halves::{halves, sending_half};
use super::pipeline::{Balanced, InTurn};
use super::traits::{receives, reserves, sends};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Conflates, Identifies, Probes, Receives, Sends};
use crate::routing::{FairQueue, LoadBalance};

/// Sends each message to one of its peers, in turn, and receives from all of them, one from each in turn
/// (RFC 28).
///
/// Sending and receiving are independent, in any order. Nothing is added to messages, nor taken off: to a
/// REP peer, a request is `["", body]`. When no peer has room, `send` waits, and never drops.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{DealerSocket, RouterSocket};
///
/// let mut server = RouterSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let mut client = DealerSocket::builder().routing_id("client").build()?;
/// client.connect(&endpoint)?;
///
/// client.send("first question").await?;
/// client.send("second question").await?;
/// let first = server.recv().await?;
/// assert_eq!((&first.peer, &first.message), (&"client".into(), &"first question".into()));
/// server.send_to(&first.peer, "answer").await?;
/// assert_eq!(client.recv().await?, "answer");
/// # Ok(())
/// # }
/// ```
pub struct DealerSocket {
    core: Core<LoadBalance, FairQueue>,
}

common_methods!(DealerSocket, Dealer);
impl Sends for DealerSocket {}
impl Receives for DealerSocket {}
impl Identifies for DealerSocket {}
impl Probes for DealerSocket {}
impl Conflates for DealerSocket {}
sends!(DealerSocket, |this| this.core, Balanced);
receives!(DealerSocket, Message, |this| this.core, InTurn);
reserves!(DealerSocket);
halves!(
    DealerSocket,
    DealerSender<LoadBalance>,
    DealerReceiver<FairQueue>,
    Message,
    InTurn
);
sending_half!(DealerSender, DealerSocket, Balanced);
reserves!(DealerSender);

impl DealerSocket {
    fn from_core(core: Core<LoadBalance, FairQueue>) -> Self {
        DealerSocket { core }
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
