//! PUB (RFC 29): broadcasts.

use std::task::Poll;

use zmtp::Message;

use crate::core::{Core, Pattern, Refusal};
use crate::routing::{FairQueue, FanOut};
use crate::socket::Socket;
use crate::state::parse_subscription;

/// The pattern of [`PubSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Pub;

/// Sends each message to all peers that subscribed to it (RFC 29).
///
/// A peer gets a message if one of its subscriptions is a prefix of the first frame. A publisher never waits
/// for a subscriber, unless it does `no_drop`: one whose pipe is full misses the message, which
/// [`dropped`](Socket::dropped) counts. A message that nobody subscribed to is gone; so a subscriber that has
/// just connected misses what was sent before its subscription arrived.
/// [`wait_for_subscribers`](Socket::wait_for_subscribers) waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{PubSocket, SubSocket};
///
/// let mut station = PubSocket::new();
/// let endpoint = station.bind("tcp://127.0.0.1:*").await?;
/// let mut listener = SubSocket::new();
/// listener.subscribe("weather.");
/// listener.connect(&endpoint)?;
///
/// station.wait_for_subscribers(1).await;
/// station.send("weather.rome sunny").await?;
/// assert_eq!(listener.recv().await?, "weather.rome sunny");
/// # Ok(())
/// # }
/// ```
pub type PubSocket = Socket<Pub>;

/// Subscriptions that a publisher reads, and takes off, before it sends the next message: a flood of them must not
/// keep it from publishing.
pub(super) const SUBSCRIPTIONS: usize = 1000;

impl Pattern for Pub {
    type Sent = Message;
    type Received = Message;
    type Send = FanOut;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    /// Publishes at once if no subscriber has said anything.
    #[inline(always)]
    fn try_fast_send(core: &mut Core<Self>, message: &mut Message) -> bool {
        !core.has_read_events()
            && !core.receiver.may_have()
            && core.publish(message, None).is_ready()
    }

    fn send(core: &mut Core<Self>, message: &mut Message) -> Poll<Result<(), Refusal>> {
        hear_subscribers(core, |_| true);
        core.publish(message, None)
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        hear_subscriptions(core, |_| true)
    }
}

/// Reads what subscribers have said, as much as is good before a message is sent. What they subscribe to that is not
/// `allowed` means nothing.
pub(super) fn hear_subscribers<P: Pattern<Send = FanOut, Recv = FairQueue>>(
    core: &mut Core<P>,
    allowed: fn(&[u8]) -> bool,
) {
    let mut done = 0;
    while done < SUBSCRIPTIONS
        && let Some(work) = read_subscription(core, SUBSCRIPTIONS - done, allowed)
    {
        done += work;
    }
    core.goes_on(done);
    if core.sender.departing().is_some() {
        core.come_again();
    }
}

/// Reads what subscribers have said, and counts them and their topics.
pub(super) fn hear_subscriptions<P: Pattern<Send = FanOut, Recv = FairQueue>>(
    core: &mut Core<P>,
    allowed: fn(&[u8]) -> bool,
) -> (usize, usize) {
    while let Some(work) = read_subscription(core, SUBSCRIPTIONS, allowed) {
        if !core.goes_on(work) {
            break;
        }
    }
    (core.sender.subscribed(), core.sender.topics())
}

/// Reads a message of a subscriber, if there is one, or takes at most so many topics of one that has gone off. Returns
/// how much work that was. What is no subscription means nothing ([R-PUB-7]).
///
/// [R-PUB-7]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pub-7
fn read_subscription<P: Pattern<Send = FanOut, Recv = FairQueue>>(
    core: &mut Core<P>,
    most: usize,
    allowed: fn(&[u8]) -> bool,
) -> Option<usize> {
    if core.sender.departing().is_some() {
        return Some(core.sender.take_off(most, |_, _| {}));
    }
    let (from, message) = core.receiver.recv_or_renewal()?;
    let Some(message) = message else {
        core.sender.renew(from);
        return Some(1);
    };
    let identity = core.receiver.last_identity();
    if !core.sender.is_there(from, identity) {
        // It has come a moment ago, or gone: then nothing begins, and nothing ends.
        core.read_events();
        if !core.sender.is_there(from, identity) {
            return Some(message.len());
        }
    }
    for (number, frame) in message.iter().enumerate() {
        match parse_subscription(frame) {
            Some((true, topic)) if allowed(topic) => drop(core.sender.subscribe(from, topic)),
            Some((false, topic)) => drop(core.sender.unsubscribe(from, topic)),
            Some(_) | None => {
                core.shared.state.stats.discarded.add((number == 0).into());
                break;
            }
        }
    }
    if core.sender.is_expelled(from) {
        core.receiver.discard_rest();
    }
    Some(message.len())
}
