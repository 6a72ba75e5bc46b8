//! CLIENT (RFC 41): talks to servers, by single frames.

use zmtp::Message;

use crate::core::{Core, Pattern};
use crate::routing::{FairQueue, LoadBalance};
use crate::socket::Socket;

/// The pattern of [`ClientSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Client;

/// Sends each message to one of its servers, in turn, and receives from all of them, one from each in turn (RFC 41): a
/// [`DealerSocket`](crate::DealerSocket) whose messages are single frames, and whose peers are
/// [`ServerSocket`](crate::ServerSocket)s.
///
/// Sending and receiving are independent: any number of messages can be under way in both directions. Without a server
/// that can take a message, `send` waits, and nothing is dropped. A message of several frames is an error of `send`; one
/// that comes, as no server should send it, is discarded and counted.
///
/// [`split`](Socket::split) makes halves for two tasks, and [`into_shared`](Socket::into_shared) a sender that many tasks
/// clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{ClientSocket, ServerSocket};
///
/// let mut server = ServerSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let mut client = ClientSocket::new();
/// client.connect(&endpoint)?;
///
/// let (sender, mut answers) = client.split();
/// let sender = sender.into_shared();
/// for number in 0..3 {
///     let sender = sender.clone();
///     tokio::spawn(async move { sender.send(format!("question {number}")).await });
/// }
/// for _ in 0..3 {
///     let question = server.recv().await?;
///     server.send(question.reply("answer")).await?;
///     assert_eq!(answers.recv().await?, "answer");
/// }
/// # Ok(())
/// # }
/// ```
pub type ClientSocket = Socket<Client>;

impl Pattern for Client {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    send_one_frame!();
    recv_one_frame!();
}
