//! XSUB (RFC 29): a subscriber that subscribes by messages, as a proxy needs it.

use std::task::Poll;

use zmtp::Message;

use crate::core::{Core, Pattern, Refusal};
use crate::routing::{Broadcast, FairQueue};
use crate::socket::{SendHalf, Socket, SubscribesFor};
use crate::state::take_subscriptions;

/// The pattern of [`XSubSocket`].
#[derive(Clone, Copy, Debug)]
pub struct XSub;

/// Receives what it subscribed to from all of its peers, one from each in turn, and sends to all of them
/// (RFC 29).
///
/// A subscription is a message, `01` and the topic, and so is its end, `00` and the topic: as an
/// [`XPubSocket`](crate::XPubSocket) gives them, which makes the two a proxy. There are methods for it, too. Several
/// such frames can stand at the front of a message; from the first other one on, it goes to the publishers whole.
/// Subscriptions are counted, hold for all publishers, present and future, and survive a reconnection. A message goes to
/// all publishers; one whose pipe is full misses it. Unlike SUB, it gives the application all that comes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{XPubSocket, XSubSocket};
///
/// let mut station = XPubSocket::new();
/// let endpoint = station.bind("tcp://127.0.0.1:*").await?;
/// let mut relay = XSubSocket::new();
/// relay.connect(&endpoint)?;
/// relay.send("\x01weather.").await?;
/// relay.send("hello").await?;
///
/// assert_eq!(station.recv().await?, "\x01weather.");
/// assert_eq!(station.recv().await?, "hello");
/// station.send("weather.rome sunny").await?;
/// assert_eq!(relay.recv().await?, "weather.rome sunny");
/// # Ok(())
/// # }
/// ```
pub type XSubSocket = Socket<XSub>;

impl SubscribesFor<XSub> for SendHalf {}

impl Pattern for XSub {
    type Sent = Message;
    type Received = Message;
    type Send = Broadcast;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    /// Takes what the message says of subscriptions, and gives the rest to all.
    fn send(core: &mut Core<Self>, message: &mut Message) -> Poll<Result<(), Refusal>> {
        let only_first = core.shared.config.options.only_first_subscribe;
        let message = std::mem::take(message);
        let mut rest = take_subscriptions(message, only_first, |subscribe, topic| {
            core.change_subscription(subscribe, topic);
        });
        if !rest.is_empty() {
            core.sender.send(&mut rest);
        }
        Poll::Ready(Ok(()))
    }

    recv_by_strategy!();

    fn subscribe(core: &mut Core<Self>, subscribe: bool, topic: &[u8]) -> bool {
        core.change_subscription(subscribe, topic)
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        (
            0,
            core.shared
                .state
                .subscriptions
                .as_ref()
                .map_or(0, |all| all.len()),
        )
    }
}
