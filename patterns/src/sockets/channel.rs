//! CHANNEL (RFC 52): two sockets, and nobody else, by single frames.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{ExclusiveReceiver, ExclusiveSender};
use crate::socket::Socket;

/// The pattern of [`ChannelSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Channel;

/// Sends to and receives from one peer, another CHANNEL (RFC 52): a [`PairSocket`](crate::PairSocket) whose messages are
/// single frames.
///
/// All that is said there of a second peer, and of none, holds here. A message of several frames is an error of `send`;
/// one that comes is discarded and counted. [`split`](Socket::split) makes halves for two tasks, and
/// [`into_shared`](Socket::into_shared) a sender that many tasks clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::ChannelSocket;
///
/// let mut here = ChannelSocket::new();
/// here.bind("inproc://channel").await?;
/// let mut there = ChannelSocket::new();
/// there.connect("inproc://channel")?;
///
/// here.send("ping").await?;
/// assert_eq!(there.recv().await?, "ping");
/// there.send("pong").await?;
/// assert_eq!(here.recv().await?, "pong");
/// # Ok(())
/// # }
/// ```
pub type ChannelSocket = Socket<Channel>;

impl Pattern for Channel {
    type Sent = Message;
    type Received = Message;
    type Send = ExclusiveSender;
    type Recv = ExclusiveReceiver;
    type State = ();
    type Half = Core<Self>;

    send_one_frame!();
    recv_one_frame!();
}
