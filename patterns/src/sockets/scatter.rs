//! SCATTER and GATHER (RFC 49): a pipeline of single frames.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{Broadcast, FairQueue, LoadBalance, Unread};
use crate::socket::Socket;

/// The pattern of [`ScatterSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Scatter;

/// Sends each message to one of its peers, in turn, as a [`PushSocket`](crate::PushSocket) does; a message is one frame
/// (RFC 49).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{GatherSocket, ScatterSocket, SendError};
///
/// let mut sink = GatherSocket::new();
/// let endpoint = sink.bind("tcp://127.0.0.1:*").await?;
/// let mut source = ScatterSocket::new();
/// source.connect(&endpoint)?;
/// source.send("work").await?;
/// assert_eq!(sink.recv().await?, "work");
/// let refused = source.send(["two", "frames"]).await;
/// assert!(matches!(refused, Err(SendError::Multipart(_))));
/// # Ok(())
/// # }
/// ```
pub type ScatterSocket = Socket<Scatter>;

impl Pattern for Scatter {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = Unread;
    type State = ();
    type Half = Core<Self>;

    send_one_frame!();
}

/// The pattern of [`GatherSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Gather;

/// Receives messages of one frame from all of its peers, one from each in turn (RFC 49). A message of several frames,
/// which no peer should send, is discarded and counted.
///
/// When the application doesn't read, peers are held back: nothing is dropped. See
/// [`ScatterSocket`](crate::ScatterSocket) for an example.
pub type GatherSocket = Socket<Gather>;

impl Pattern for Gather {
    type Sent = Message;
    type Received = Message;
    type Send = Broadcast;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    recv_one_frame!();
}
