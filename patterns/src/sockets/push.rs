//! PUSH (RFC 30): hands out work.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{LoadBalance, Unread};
use crate::socket::Socket;

/// The pattern of [`PushSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Push;

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
pub type PushSocket = Socket<Push>;

impl Pattern for Push {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = Unread;
    type State = ();
    type Half = Core<Self>;

    send_by_strategy!();
}
