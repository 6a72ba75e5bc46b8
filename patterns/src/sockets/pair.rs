//! PAIR (RFC 31): two sockets, and nobody else.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{ExclusiveReceiver, ExclusiveSender};
use crate::socket::Socket;

/// The pattern of [`PairSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Pair;

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
pub type PairSocket = Socket<Pair>;

impl Pattern for Pair {
    type Sent = Message;
    type Received = Message;
    type Send = ExclusiveSender;
    type Recv = ExclusiveReceiver;
    type State = ();
    type Half = Core<Self>;

    send_by_strategy!();
    recv_by_strategy!();
}
