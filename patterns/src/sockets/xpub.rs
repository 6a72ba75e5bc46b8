//! XPUB (RFC 29): a publisher that hears what is subscribed to.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::mem::take;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::time::Instant;
use zmtp::Message;

use super::publisher::SUBSCRIPTIONS;
use crate::core::call::{CallTimeout, Receiving, RecvOp};
use crate::core::pattern::send_error;
use crate::core::{Access, Core, IntoSent, Joint, Pattern, Refusal};
use crate::error::{RecvError, SendError};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::PipeId;
use crate::routing::{DepartureKind, FairQueue, FanOut, RecvStrategy};
use crate::routing_id::Identity;
use crate::socket::{Direction, RecvHalf, RecvSide, SendHalf, SendSide, Socket, SubscribesFor};
use crate::state::{StatsRegistry, subscription_message, take_subscriptions};

/// The pattern of [`XPubSocket`].
#[derive(Clone, Copy, Debug)]
pub struct XPub;

/// Sends each message to all peers that subscribed to it, and receives their subscriptions as messages:
/// `01` and the topic for a new one, `00` and the topic for one that ends (RFC 29).
///
/// Told are the first subscription to a topic and the end of the last one, also by a peer that goes;
/// `verbose` and `verboser` tell more. With `manual`, the application decides what a peer gets. Other
/// messages of XSUB peers are received as they are. It sends as [`PubSocket`](crate::PubSocket) does. See
/// [`XSubSocket`](crate::XSubSocket) for an example.
///
/// Peers are heard whenever the socket is used. When `recv_hwm` notices and messages wait for an application that also
/// receives, the peers wait, too, until it has received some: no notice is lost, and what is subscribed to takes effect
/// in its turn. Who sends 1,000 messages without trying to receive, and for a second if it has received before, is taken
/// for one that never will: then all subscriptions are followed at once, no more than `recv_hwm` notices are kept, and
/// [`missed`](Socket::missed) counts the others. With `manual`, where a notice that is lost is a subscription
/// that never takes effect, the peers are not heard beyond that, and wait.
pub type XPubSocket = Socket<XPub>;

/// How many messages an application sends, while as many notices wait as are kept, before it is taken for one that
/// does not receive. A proxy moves 256 messages in one direction before it asks the other.
const PATIENCE: usize = 1000;

/// For how long it does so, if it has received before: a half that receives may wait for its thread meanwhile.
const A_WHILE: Duration = Duration::from_secs(1);

/// What the peers say.
#[derive(Default)]
pub struct Hearing {
    /// What the application receives next.
    heard: VecDeque<Heard>,
    /// Who has sent what was received last.
    sender: Option<Arc<Peer>>,
    /// The peer whose notice was received last (R-XPUB-5).
    last: Option<Place>,
    /// With `manual_last_value`: the peer whose subscription was received last, and who alone gets what is sent next.
    only: Option<Place>,
    /// The application has tried to receive, and not long ago.
    is_read: bool,
    /// How often it has used the socket, since it last tried to receive, while as much waited as is kept.
    unread_uses: usize,
    /// When that had become many.
    unread_since: Option<Instant>,
    /// How many frames were heard while there was somebody who has left.
    heard_meanwhile: usize,
    /// With `manual`: what each peer has asked for.
    wishes: FxHashMap<Place, Wishes>,
    /// What those who are there have asked for, all together: topics, and their length.
    all_wishes: (usize, usize),
}

/// What a peer has asked for.
#[derive(Default)]
struct Wishes {
    topics: BTreeSet<Box<[u8]>>,
    /// The length of all of them.
    bytes: usize,
    /// The peer has gone, or has to go.
    ended: bool,
}

/// A pipe, and who was at its other end.
type Place = (PipeId, Identity);

/// A notice or message.
struct Heard {
    kind: Kind,
    from: Place,
    /// `None`: a notice of ours, about a peer that has gone.
    sender: Option<Arc<Peer>>,
    /// As libzmq has it.
    message: Message,
}

/// What was heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subscribed,
    Unsubscribed,
    /// A topic was unsubscribed by a peer's departure.
    Departed,
    Message,
}

/// One of an XPUB's peers, as long as its connection lives: of one that comes back, it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscriber(Place);

/// What an [`XPubSocket`] receives, told apart: made by its [`recv_event`](Socket::recv_event).
///
/// Whatever a peer has sent as a message is a [`Message`](Self::Message), also if it looks like a notice. Which notices are
/// told, the options `verbose`, `verboser` and `manual` say, as for `recv`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XPubEvent {
    /// A peer has subscribed to a topic.
    Subscribed {
        /// What messages have to begin with.
        topic: Bytes,
        /// Who it is: [`send_to`](Socket::send_to) sends to it alone.
        subscriber: Subscriber,
    },
    /// A peer has taken a subscription back, or has gone.
    Unsubscribed {
        /// What it had subscribed to.
        topic: Bytes,
        /// Who it was.
        subscriber: Subscriber,
    },
    /// A peer has sent a message.
    Message {
        /// The message.
        message: Message,
        /// Who has sent it.
        subscriber: Subscriber,
    },
}

impl SubscribesFor<XPub> for SendHalf {}
impl SubscribesFor<XPub> for RecvHalf {}

impl Pattern for XPub {
    type Sent = Message;
    type Received = Message;
    type Send = FanOut;
    type Recv = FairQueue;
    type State = Hearing;
    /// Who sends has to hear the subscriptions, which the other half gives to the application.
    type Half = Joint<Self>;

    fn opened(core: &mut Core<Self>) {
        core.sender.tell_departures();
    }

    /// Sends a message, after hearing who wants it.
    fn send(core: &mut Core<Self>, message: &mut Message) -> Poll<Result<(), Refusal>> {
        hear_first(core);
        let is_there = |place: &Place| core.sender.is_there(place.0, place.1);
        let only = core.state.only.filter(is_there).map(|place| place.0);
        let sent = core.publish(message, only);
        if sent.is_ready() && core.state.only.take().is_some() {
            core.state.last = None;
        }
        sent
    }

    /// Takes the next that was heard.
    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        next(core).map(|heard| Ok(heard.message))
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        while core.state.heard.is_empty()
            && let Some(work) = hear(core, usize::MAX, SUBSCRIPTIONS)
        {
            if !core.goes_on(work) {
                break;
            }
        }
        !core.state.heard.is_empty()
    }

    fn last_peer(core: &Core<Self>) -> Option<Arc<Peer>> {
        core.state.sender.clone()
    }

    fn subscribe(core: &mut Core<Self>, subscribe: bool, topic: &[u8]) -> bool {
        core.read_events();
        let is_there = |place: &Place| core.sender.is_there(place.0, place.1);
        let last = core.state.last.filter(is_there);
        let done = last.and_then(|(peer, _)| match subscribe {
            true => core.sender.subscribe(peer, topic),
            false => core.sender.unsubscribe(peer, topic),
        });
        done.is_some()
    }

    fn subscriptions(core: &mut Core<Self>) -> (usize, usize) {
        let mut limit = most_kept(core);
        // Counting is about all that came: it is heard, also beyond what is kept of it.
        if core.state.is_read && core.state.is_patient(limit) && !is_manual(core.options()) {
            limit = usize::MAX;
        }
        while let Some(work) = hear(core, limit, SUBSCRIPTIONS) {
            if !core.goes_on(work) {
                break;
            }
        }
        (core.sender.subscribed(), core.sender.topics())
    }

    fn heard(core: &Core<Self>) -> usize {
        core.state.heard.len()
    }
}

impl<D: Direction> Socket<XPub, D> {
    /// Counts notices and messages of peers that were not kept, because the application sent and did not receive.
    pub fn missed(&self) -> u64 {
        self.handle
            .peek(|core| core.shared.state.stats.unheard.get())
    }
}

/// The next that was heard, told apart.
struct EventOp;

impl RecvOp<XPub> for EventOp {
    type Item = XPubEvent;

    fn take(&mut self, core: &mut Core<XPub>) -> Poll<Result<XPubEvent, Refusal>> {
        next(core).map(|heard| Ok(heard.into()))
    }
}

impl<D: RecvSide> Socket<XPub, D> {
    /// Receives the next notice or message, told apart; waits while there is none.
    ///
    /// A last-value cache answers each new subscriber alone, whatever prefix it has subscribed to:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{SubSocket, XPubEvent, XPubSocket};
    ///
    /// let cache = ["weather/rome", "weather/oslo", "sports/chess"];
    /// let mut publisher = XPubSocket::builder().verbose(true).build()?;
    /// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
    /// let mut subscriber = SubSocket::new();
    /// subscriber.connect(&endpoint)?;
    /// subscriber.subscribe("weather/");
    ///
    /// if let XPubEvent::Subscribed { topic, subscriber } = publisher.recv_event().await? {
    ///     for value in cache.iter().filter(|value| value.as_bytes().starts_with(&topic)) {
    ///         publisher.send_to(subscriber, *value).await?;
    ///     }
    /// }
    /// assert_eq!(subscriber.recv().await?, "weather/rome");
    /// assert_eq!(subscriber.recv().await?, "weather/oslo");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken nothing.
    pub fn recv_event(&mut self) -> impl Future<Output = Result<XPubEvent, RecvError>> + Send {
        Receiving::<XPub, _, _>::new(&mut self.handle, EventOp)
    }

    /// Receives the next notice or message, told apart, if one is there.
    ///
    /// # Errors
    ///
    /// None is there.
    pub fn try_recv_event(&mut self) -> Result<XPubEvent, RecvError> {
        self.handle.with(|core| core.try_recv(EventOp))
    }
}

impl<D: SendSide> Socket<XPub, D> {
    /// Sends a message to one peer alone, whatever it has subscribed to: a snapshot to a new subscriber, for one, as
    /// [`recv_event`](Self::recv_event) shows. A SUB that has not subscribed to it throws it away. If the peer's pipe is full,
    /// it misses the message, which is counted; with `no_drop` this waits.
    ///
    /// # Errors
    ///
    /// The peer has gone, `send_timeout` passed, or the message has no frames. It comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message.
    pub async fn send_to(
        &mut self,
        subscriber: Subscriber,
        message: impl IntoSent<Message>,
    ) -> Result<(), SendError> {
        let (mut message, mut timeout) = (message.into_sent(), CallTimeout::default());
        poll_fn(|cx| {
            self.handle.poll(cx, |core, cx| {
                let sent = core.poll_send(cx, |core| offer(core, subscriber, &mut message));
                let error = match sent {
                    Poll::Ready(Ok(Some(()))) => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(None)) => refused,
                    Poll::Ready(Err(refusal)) => {
                        return Poll::Ready(Err(send_error::<XPub>(refusal, take(&mut message))));
                    }
                    Poll::Pending => {
                        ready!(core.poll_send_timeout(cx, &mut timeout));
                        SendError::Timeout
                    }
                };
                Poll::Ready(Err(error(take(&mut message))))
            })
        })
        .await
    }

    /// Sends a message to one peer alone, if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); instead of waiting, [`SendError::Full`].
    pub fn try_send_to(
        &mut self,
        subscriber: Subscriber,
        message: impl IntoSent<Message>,
    ) -> Result<(), SendError> {
        let mut message = message.into_sent();
        self.handle.with(|core| {
            core.read_events();
            match offer(core, subscriber, &mut message) {
                Poll::Ready(Ok(Some(()))) => Ok(()),
                Poll::Ready(Ok(None)) => Err(refused(message)),
                Poll::Ready(Err(refusal)) => Err(send_error::<XPub>(refusal, message)),
                Poll::Pending => Err(SendError::Full(message)),
            }
        })
    }
}

/// Says why a message is not for one peer.
fn refused(message: Message) -> SendError {
    match message.is_empty() {
        true => SendError::NoFrames(message),
        false => SendError::SubscriberGone(message),
    }
}

/// Offers a message to one peer. `None`: it has gone, or there is no message. Pending: not now.
fn offer(
    core: &mut Core<XPub>,
    to: Subscriber,
    message: &mut Message,
) -> Poll<Result<Option<()>, Refusal>> {
    hear_first(core);
    if message.is_empty() {
        return Poll::Ready(Ok(None));
    }
    let Subscriber((pipe, identity)) = to;
    if !core.sender.is_there(pipe, identity) {
        return Poll::Ready(Ok(None));
    }
    match core.sender.send_to(pipe, message) {
        Some(true) => Poll::Ready(Ok(Some(()))),
        Some(false) => Poll::Pending,
        None => Poll::Ready(Ok(None)),
    }
}

/// Hears who wants what, before something is sent.
fn hear_first(core: &mut Core<XPub>) {
    let limit = most_kept(core);
    let is_patient = core.state.is_patient(limit);
    let mut done = 0;
    while done < SUBSCRIPTIONS {
        if is_patient && core.state.heard.len() >= limit {
            break;
        }
        // One that has more than one notice in it is kept whole.
        let limit = if is_patient { usize::MAX } else { limit };
        match hear(core, limit, SUBSCRIPTIONS - done) {
            Some(work) => done += work,
            None => break,
        }
    }
    core.goes_on(done);
}

/// Takes the next that was heard. Pending: nothing was.
fn next(core: &mut Core<XPub>) -> Poll<Heard> {
    core.state.is_read = true;
    core.state.unread_uses = 0;
    core.state.unread_since = None;
    loop {
        if let Some(heard) = core.state.heard.pop_front() {
            let options = &core.shared.config.options;
            if is_manual(options) && heard.kind != Kind::Message {
                let asks = (heard.kind != Kind::Departed).then_some(heard.from);
                core.state.last = asks;
                let alone = heard.kind == Kind::Subscribed && options.manual_last_value;
                core.state.only = asks.filter(|_| alone);
            }
            core.state.sender.clone_from(&heard.sender);
            return Poll::Ready(heard);
        }
        let goes_on = match hear(core, usize::MAX, SUBSCRIPTIONS) {
            Some(work) => core.goes_on(work),
            None => false,
        };
        if !goes_on && core.state.heard.is_empty() {
            return Poll::Pending;
        }
    }
}

/// Returns how much of what peers say is kept when the application does not receive.
fn most_kept(core: &Core<XPub>) -> usize {
    match core.shared.config.options.recv_hwm {
        0 => usize::MAX,
        hwm => hwm,
    }
}

fn is_manual(options: &Options) -> bool {
    options.manual || options.manual_last_value
}

/// Hears who has gone: such peers take their subscriptions back (R-XPUB-3), each once, when all that they said is heard;
/// at most so many at a time. Returns how much work that was; `None`: there is none.
fn hear_departures(core: &mut Core<XPub>, limit: usize, most: usize) -> Option<usize> {
    let departure = core.sender.departing()?;
    let place = (departure.pipe, departure.identity);
    let is_unheard = match departure.kind {
        DepartureKind::Left => core.receiver.has(place.0),
        DepartureKind::Succeeded => core.receiver.is_behind(place.0, place.1),
        DepartureKind::Heard => false,
    };
    if is_unheard {
        return None;
    }
    let state = &mut core.state;
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    if !is_manual(options) {
        return Some(core.sender.take_off(most, |topic, last| {
            if last || options.verboser {
                state.keep(stats, Heard::departure(place, topic), limit);
            }
        }));
    }
    state.end_wishes(place);
    let Some(wishes) = state.wishes.get_mut(&place) else {
        return Some(core.sender.take_off(most, |_, _| {}));
    };
    let mut work = 1;
    while work < most
        && let Some(topic) = wishes.topics.pop_first()
    {
        keep(
            &mut state.heard,
            stats,
            Heard::departure(place, &topic),
            limit,
        );
        work += 1;
    }
    if wishes.topics.is_empty() {
        state.wishes.remove(&place);
    }
    Some(work)
}

/// Hears who has gone, or one message. Returns how much work that was; `None`: nobody has said anything.
fn hear(core: &mut Core<XPub>, limit: usize, most: usize) -> Option<usize> {
    if core.sender.departing().is_some_and(|one| {
        // What was said before somebody left is heard before that: a topic that is taken over is not given up first.
        one.kind != DepartureKind::Left || core.state.heard_meanwhile >= SUBSCRIPTIONS
    }) && let Some(work) = hear_departures(core, limit, most)
    {
        return Some(work);
    }
    let is_manual = is_manual(&core.shared.config.options);
    if is_manual && core.state.heard.len() >= limit {
        return None;
    }
    let Some((from, message)) = core.receiver.recv_or_renewal() else {
        core.state.heard_meanwhile = 0;
        return hear_departures(core, limit, most);
    };
    let Some(message) = message else {
        core.sender.renew(from);
        return Some(1);
    };
    let work = message.len();
    core.state.heard_meanwhile = match core.sender.departing() {
        Some(_) => core.state.heard_meanwhile + work,
        None => 0,
    };
    let place = (from, core.receiver.last_identity());
    let heard_from = core.receiver.last_sender();
    let mut is_there = core.sender.is_there(from, place.1);
    if !is_there {
        // It may have come a moment ago, in the place of another one.
        core.read_events();
        is_there = core.sender.is_there(from, place.1);
    }
    let state = &mut core.state;
    let stats = &core.shared.state.stats;
    let options = &core.shared.config.options;
    // One message may have several notices in it.
    let limit = if is_manual { usize::MAX } else { limit };
    let sender = &mut core.sender;
    let rest = take_subscriptions(message, options.only_first_subscribe, |is_new, topic| {
        let tell = if !is_there {
            // It has gone before it was heard: nothing begins, and nothing ends.
            false
        } else if is_manual {
            state.wish(sender, place, is_new, topic)
        } else if is_new {
            let change = sender.subscribe(from, topic).unwrap_or_default();
            // Who is told of each end is told of each begin once: an XSUB behind a proxy counts them.
            change.own && (change.alone || options.verboser) || options.verbose
        } else {
            // One that was nobody's is told, too (R-XPUB-4). One that is another's is not this peer's to take back.
            let change = sender.unsubscribe(from, topic).unwrap_or_default();
            change.alone || (change.own && options.verboser)
        };
        if tell {
            let kind = match is_new {
                true => Kind::Subscribed,
                false => Kind::Unsubscribed,
            };
            let heard = Heard {
                kind,
                from: place,
                sender: heard_from.clone(),
                message: subscription_message(is_new, topic),
            };
            state.keep(stats, heard, limit);
        }
    });
    if sender.is_expelled(from) {
        core.receiver.discard_rest();
    }
    if !rest.is_empty() {
        let heard = Heard {
            kind: Kind::Message,
            from: place,
            sender: heard_from,
            message: rest,
        };
        state.keep(stats, heard, limit);
    }
    Some(work)
}

impl Heard {
    fn departure(from: Place, topic: &[u8]) -> Self {
        Heard {
            kind: Kind::Departed,
            from,
            sender: None,
            message: subscription_message(false, topic),
        }
    }
}

impl From<Heard> for XPubEvent {
    fn from(heard: Heard) -> Self {
        let Heard {
            kind,
            from,
            mut message,
            ..
        } = heard;
        let subscriber = Subscriber(from);
        if kind == Kind::Message {
            return XPubEvent::Message {
                message,
                subscriber,
            };
        }
        // Behind the octet that says which notice it is.
        let notice = Bytes::from(message.pop_front().unwrap_or_default());
        let topic = notice.slice(1.min(notice.len())..);
        match kind {
            Kind::Subscribed => XPubEvent::Subscribed { topic, subscriber },
            _ => XPubEvent::Unsubscribed { topic, subscriber },
        }
    }
}

impl Hearing {
    /// Says whether an application that has not received for a while is still waited for.
    fn is_patient(&mut self, limit: usize) -> bool {
        if self.heard.len() >= limit {
            self.unread_uses += 1;
        }
        if self.unread_uses < PATIENCE {
            return true;
        }
        if self.is_read {
            let since = *self.unread_since.get_or_insert_with(Instant::now);
            self.is_read = since.elapsed() < A_WHILE;
        }
        self.is_read
    }

    /// Notes what a peer asks for, or takes back, as far as it may ask for more. Returns whether the application is told:
    /// not of what is taken back without having been asked for, which may be another's.
    fn wish(&mut self, sender: &mut FanOut, from: Place, is_new: bool, topic: &[u8]) -> bool {
        let all = &mut self.all_wishes;
        let wishes = self.wishes.entry(from).or_default();
        if !is_new {
            let was_there = !wishes.ended && wishes.topics.remove(topic);
            if was_there {
                wishes.bytes -= topic.len();
                *all = (all.0 - 1, all.1 - topic.len());
            }
            return was_there;
        }
        if wishes.topics.contains(topic) {
            return true;
        }
        if wishes.ended || sender.is_excessive(from.0) {
            return false;
        }
        let has = (wishes.topics.len(), wishes.bytes);
        if let Some(why) = sender.is_too_much(has, topic.len()) {
            self.end_wishes(from);
            sender.expel_peer(from.0, why);
            return false;
        }
        if let Some(why) = sender.is_too_much_for_all(*all, topic.len()) {
            let others = self.wishes.iter().filter(|(_, wishes)| !wishes.ended);
            let greediest = others.max_by_key(|(_, wishes)| wishes.topics.len());
            let greediest = greediest.map_or(from, |(peer, _)| *peer);
            self.end_wishes(greediest);
            sender.expel_peer(greediest.0, why);
            if greediest == from {
                return false;
            }
        }
        self.all_wishes.0 += 1;
        self.all_wishes.1 += topic.len();
        let wishes = self.wishes.entry(from).or_default();
        wishes.bytes += topic.len();
        wishes.topics.insert(topic.into());
        true
    }

    /// Counts what a peer has asked for no more: it has gone, or has to go.
    fn end_wishes(&mut self, peer: Place) {
        if let Some(wishes) = self.wishes.get_mut(&peer)
            && !std::mem::replace(&mut wishes.ended, true)
        {
            self.all_wishes.0 -= wishes.topics.len();
            self.all_wishes.1 -= wishes.bytes;
        }
    }

    fn keep(&mut self, stats: &StatsRegistry, heard: Heard, limit: usize) {
        keep(&mut self.heard, stats, heard, limit);
    }
}

fn keep(kept: &mut VecDeque<Heard>, stats: &StatsRegistry, heard: Heard, limit: usize) {
    if kept.len() < limit {
        kept.push_back(heard);
    } else {
        stats.unheard.add(1);
    }
}
