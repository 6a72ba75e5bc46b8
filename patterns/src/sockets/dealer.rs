//! DEALER (RFC 28): requests and replies without turns and envelopes.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{FairQueue, LoadBalance};
use crate::socket::Socket;

/// The pattern of [`DealerSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Dealer;

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
/// let first = server.recv_message().await?;
/// assert_eq!((&first.peer, &first.message), (&"client".into(), &"first question".into()));
/// server.send_to(&first.peer, "answer").await?;
/// assert_eq!(client.recv().await?, "answer");
/// # Ok(())
/// # }
/// ```
pub type DealerSocket = Socket<Dealer>;

impl Pattern for Dealer {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    send_by_strategy!();
    recv_by_strategy!();
}
