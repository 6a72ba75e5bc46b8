//! RADIO (RFC 48): publishes to groups.

use std::task::Poll;

use zmtp::datagram::grouped_size;
use zmtp::{Frame, Message};

use super::publisher::{hear_subscribers, hear_subscriptions};
use crate::core::{Core, Incoming, IntoSent, Outgoing, Pattern, Refusal};
use crate::error::{DatagramError, GroupError, SendError};
use crate::routing::{FairQueue, FanOut};
use crate::routing_id::RoutingId;
use crate::socket::{SendSide, Socket};

/// The pattern of [`RadioSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Radio;

/// Sends each message to all peers that have joined its group (RFC 48).
///
/// A group is a name of at most 255 bytes, none of which is zero, and a message goes to those
/// [`DishSocket`](crate::DishSocket)s that have joined the group of exactly this name: no part of it will do, as it does
/// for topics of a [`PubSocket`](crate::PubSocket). What else holds for that one, holds here: a RADIO never waits for a
/// peer, unless it does `no_drop`; one whose pipe is full misses the message, which [`dropped`](Socket::dropped) counts;
/// and a message to a group that nobody has joined is gone. A DISH that has joined a group is a subscriber:
/// [`wait_for_subscribers`](Socket::wait_for_subscribers) waits for that, and what peers may subscribe to at most bounds
/// what they may join.
///
/// A RADIO that connects to `udp://` sends every message there, to one host, to all in its network (a broadcast address) or
/// to a multicast group, each as one datagram: its group, with the length in front, and its body. Nobody joins, acknowledges
/// or holds back, so what is lost on the way is lost, and who hears it filters for itself. With group and body it has at most
/// 65,507 bytes, and a larger one is an error, whoever else would get it; a libzmq that hears it takes 8,192 at most. Every
/// router on the way may have to divide what is larger than its network's packets, 1,400 bytes or so, and then one lost
/// part is all lost.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{DishSocket, RadioSocket};
///
/// let mut radio = RadioSocket::new();
/// let endpoint = radio.bind("tcp://127.0.0.1:*").await?;
/// let mut dish = DishSocket::new();
/// dish.join("weather")?;
/// dish.connect(&endpoint)?;
///
/// radio.wait_for_subscribers(1).await;
/// radio.send_to("weather forecast", "nobody hears this").await?;
/// radio.send_to("weather", "sunny").await?;
/// let message = dish.recv().await?;
/// assert_eq!((message.group(), message.body()), (&b"weather"[..], &b"sunny"[..]));
/// # Ok(())
/// # }
/// ```
pub type RadioSocket = Socket<Radio>;

/// A message to a group, or from one: what a RADIO sends and a DISH receives.
///
/// Made from a group and a body, `("weather", "sunny").into()`. As a [`Message`], as [`AnySocket`](crate::AnySocket)
/// has it, the group is a frame in front, as it is on the wire (in libzmq, it is a property of the message, and no frame).
///
/// ```
/// use purezmq::{Grouped, Message};
///
/// let grouped = Grouped::new("weather", "sunny");
/// assert_eq!(grouped, ("weather", "sunny"));
/// assert_eq!(grouped.body(), b"sunny");
/// assert_eq!(Message::from(grouped), Message::from(["weather", "sunny"]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouped(pub(super) Message);

impl Grouped {
    /// Makes a message to a group. Whether the group has a name that is one, and the body a single frame, `send` says.
    pub fn new(group: impl Into<Frame>, body: impl Into<Message>) -> Self {
        let mut message = body.into();
        message.push_front(group);
        Grouped(message)
    }

    /// Returns the group's name.
    #[must_use]
    pub fn group(&self) -> &[u8] {
        self.0.first().unwrap_or_default()
    }

    /// Returns what is said to the group.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.0.get(1).unwrap_or_default()
    }

    /// Returns group and body.
    #[must_use]
    pub fn into_frames(self) -> (Frame, Frame) {
        let mut frames = self.0.into_frames();
        let group = frames.next().unwrap_or_default();
        (group, frames.next().unwrap_or_default())
    }
}

impl<G: Into<Frame>, M: Into<Message>> From<(G, M)> for Grouped {
    fn from((group, body): (G, M)) -> Self {
        Grouped::new(group, body)
    }
}

/// Takes the first frame for the group.
impl From<Message> for Grouped {
    fn from(message: Message) -> Self {
        Grouped(message)
    }
}

/// Has the group in front.
impl From<Grouped> for Message {
    fn from(grouped: Grouped) -> Self {
        grouped.0
    }
}

impl<G: AsRef<[u8]>, B: AsRef<[u8]>> PartialEq<(G, B)> for Grouped {
    fn eq(&self, (group, body): &(G, B)) -> bool {
        self.0.len() == 2 && self.group() == group.as_ref() && self.body() == body.as_ref()
    }
}

impl Incoming for Grouped {}

impl Outgoing for Grouped {
    /// A group alone is no message.
    fn is_empty(&self) -> bool {
        self.0.len() < 2
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        let mut body = self.0;
        body.pop_front();
        (None, body)
    }
}

/// Says whether it is one frame to a group.
fn check(message: &Message) -> Result<(), Refusal> {
    if message.len() > 2 {
        return Err(Refusal::Multipart);
    }
    GroupError::check(message.first().unwrap_or_default()).map_err(Refusal::Group)
}

/// Says whether a peer can join that.
fn is_group(name: &[u8]) -> bool {
    GroupError::check(name).is_ok()
}

impl Pattern for Radio {
    type Sent = Grouped;
    type Received = Grouped;
    type Send = FanOut;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    /// Publishes at once if no peer has said anything.
    #[inline(always)]
    fn try_fast_send(core: &mut Core<Self>, grouped: &mut Grouped) -> bool {
        !core.has_read_events()
            && !core.receiver.may_have()
            && !core.sender.has_datagrams()
            && check(&grouped.0).is_ok()
            && core.publish_whole(&mut grouped.0).is_ready()
    }

    fn send(core: &mut Core<Self>, grouped: &mut Grouped) -> Poll<Result<(), Refusal>> {
        check(&grouped.0)?;
        if core.sender.has_datagrams() {
            let size = grouped_size(grouped.group(), grouped.body());
            DatagramError::check(size).map_err(Refusal::Datagram)?;
        }
        hear_subscribers(core, is_group);
        core.publish_whole(&mut grouped.0)
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        hear_subscriptions(core, is_group)
    }
}

impl<D: SendSide> Socket<Radio, D> {
    /// Sends a message to all peers that have joined a group: [`send`](Self::send) with that apart.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the group's name is too long, or has a zero in it; or the message is to go by UDP as well,
    /// and too large for a datagram.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub fn send_to(
        &mut self,
        group: impl Into<Frame>,
        body: impl IntoSent<Message>,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.send(Grouped::new(group, body.into_sent()))
    }
}
