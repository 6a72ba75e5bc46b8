//! PEER (RFC 51): many equals, which know each other by numbers.

use crate::socket::Socket;

/// The pattern of [`PeerSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Peer;

/// Sends to and receives from any number of equals, each of which it knows by a number (RFC 51): a
/// [`ServerSocket`](crate::ServerSocket) at both ends.
///
/// All that is said there of numbers, of peers that have gone or do not read, and of messages of several frames, holds
/// here. Each end has numbers of its own. Who connects, too, may speak first: [`connect_peer`](Socket::connect_peer)
/// returns the number of the peer that is connected to.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::PeerSocket;
///
/// let mut here = PeerSocket::new();
/// let endpoint = here.bind("tcp://127.0.0.1:*").await?;
/// let mut there = PeerSocket::new();
/// let peer = there.connect_peer(&endpoint)?;
/// there.send_to(peer, "hello").await?;
///
/// let hello = here.recv().await?;
/// assert_eq!(hello.message, "hello");
/// here.send(hello.reply("welcome")).await?;
/// let welcome = there.recv().await?;
/// assert_eq!((welcome.peer, welcome.message), (peer, "welcome".into()));
/// # Ok(())
/// # }
/// ```
pub type PeerSocket = Socket<Peer>;

by_number!(Peer);
