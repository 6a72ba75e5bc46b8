//! The sockets of the simulated applications: one face for whole sockets and those in halves.

mod answers;
mod forms;

use std::time::Duration;

use futures::future::BoxFuture;
use purezmq::options::{OptionId, Options, SlowSubscriber, Value};
use purezmq::rules::Capability;
use purezmq::security::Security;
use purezmq::socket::{RecvHalf, SendHalf, Whole};
use purezmq::sockets::{Dealer, Peer, Stream};
use purezmq::stats::SocketStats;
use purezmq::{
    Addressed, AnySocket, BindError, CloseReport, ConnectError, Context, DealerSocket,
    DisconnectError, Endpoint, Frame, Message, Monitor, PeerId, RecvError, RoutingId, SendError,
    SocketType, StreamEvent, UnbindError,
};

use self::answers::{answer, asked, try_answer};

pub(crate) use self::forms::{Receiving, Sending};

/// The options of a socket, as far as its type has them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) send_hwm_bytes: Option<usize>,
    pub(crate) recv_hwm_bytes: Option<usize>,
    pub(crate) send_ttl: Option<Duration>,
    pub(crate) linger: Duration,
    pub(crate) reconnect_interval: Option<Duration>,
    pub(crate) reconnect_after_refusal: Option<Duration>,
    pub(crate) reconnect_interval_max: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) heartbeat_timeout: Option<Duration>,
    pub(crate) heartbeat_ttl: Option<Duration>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) connect_timeout: Duration,
    pub(crate) immediate: bool,
    pub(crate) conflate: bool,
    pub(crate) conflate_topics: bool,
    pub(crate) no_drop: bool,
    pub(crate) slow_subscriber: SlowSubscriber,
    pub(crate) verbose: bool,
    pub(crate) relaxed: bool,
    pub(crate) correlate: bool,
    pub(crate) mandatory: bool,
    pub(crate) handover: bool,
    pub(crate) notify: bool,
    pub(crate) routing_id: Option<String>,
    pub(crate) probe_router: bool,
    pub(crate) manual: bool,
    pub(crate) welcome: bool,
    /// Peers of NULL are asked about, too.
    pub(crate) zap_domain: bool,
    /// `None`: as it is by default.
    pub(crate) max_subscriptions: Option<usize>,
    pub(crate) max_all_subscriptions: Option<usize>,
    pub(crate) same_connection: bool,
    /// A ROUTER or PEER answers whoever has asked, and not whoever has the name or the number then.
    pub(crate) by_identity: bool,
    pub(crate) security: Security,
}

/// What an XPUB may greet its subscribers with.
pub(crate) const WELCOME: &str = "a welcome";

/// What a STREAM hears of a peer, beside bytes.
pub(crate) const BEGINS: &str = "begins";
const ENDS: &str = "ends";

/// Whom a message is from or to. One that a typed socket has given stands for who it was, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whom {
    Name(RoutingId),
    Number(PeerId),
}

impl Whom {
    /// As it stands in front of a message.
    fn frame(&self) -> Frame {
        match self {
            Whom::Name(name) => name.clone().into_frame(),
            Whom::Number(number) => Frame::from(number.number().to_be_bytes()),
        }
    }
}

/// A socket, whole or in halves.
pub(crate) struct Socket {
    parts: Parts,
    /// It sends and receives with its peers' routing ids, or numbers.
    by_name: bool,
    /// Those that it receives with stand for who has sent it, too.
    by_identity: bool,
}

enum Parts {
    Whole(AnySocket),
    /// The sending and the receiving one.
    Halves(AnySocket, AnySocket),
}

/// Makes a socket.
pub(crate) fn open(kind: SocketType, context: &Context, settings: &Settings) -> Socket {
    let socket = AnySocket::with_options(kind, context, settings.options(kind));
    Socket {
        parts: Parts::Whole(socket.expect("the plan has sockets of built types only")),
        by_name: matches!(
            kind,
            SocketType::Router | SocketType::Server | SocketType::Peer | SocketType::Stream
        ),
        by_identity: matches!(kind, SocketType::Router | SocketType::Peer) && settings.by_identity,
    }
}

/// Makes a socket for a requester.
pub(crate) fn dealer(context: &Context, settings: &Settings) -> DealerSocket {
    let kind = SocketType::Dealer;
    let socket = AnySocket::with_options(kind, context, settings.options(kind));
    let dealer = socket.map(AnySocket::downcast::<Dealer>);
    dealer.expect("it is built").expect("it is a DEALER")
}

impl Settings {
    /// Returns the options, as far as the type has them.
    fn options(&self, kind: SocketType) -> Options {
        let mut options = Options::of(kind);
        let mut set = |name, value: Value| set(&mut options, name, value);
        set("send_hwm", self.send_hwm.into());
        set("recv_hwm", self.recv_hwm.into());
        set("send_hwm_bytes", self.send_hwm_bytes.into());
        set("recv_hwm_bytes", self.recv_hwm_bytes.into());
        set("send_ttl", self.send_ttl.into());
        set("linger", self.linger.into());
        set("reconnect_interval", self.reconnect_interval.into());
        set("reconnect_interval_max", self.reconnect_interval_max.into());
        set(
            "reconnect_after_refusal",
            self.reconnect_after_refusal.into(),
        );
        set("heartbeat_interval", self.heartbeat.into());
        set("heartbeat_timeout", self.heartbeat_timeout.into());
        set("heartbeat_ttl", self.heartbeat_ttl.into());
        set("handshake_timeout", self.handshake_timeout.into());
        set("write_timeout", self.write_timeout.into());
        set("connect_timeout", self.connect_timeout.into());
        set("immediate", self.immediate.into());
        set("conflate", self.conflate.into());
        set("conflate_topics", self.conflate_topics.into());
        set("no_drop", self.no_drop.into());
        set("slow_subscriber", self.slow_subscriber.to_string().into());
        set("verbose", self.verbose.into());
        set("relaxed", self.relaxed.into());
        set("correlate", self.correlate.into());
        set("mandatory", self.mandatory.into());
        set("handover", self.handover.into());
        set("notify", self.notify.into());
        set("probe_router", self.probe_router.into());
        set("manual", self.manual.into());
        if let Some(id) = &self.routing_id {
            set("routing_id", id.clone().into_bytes().into());
        }
        if self.welcome {
            set("welcome", WELCOME.as_bytes().into());
        }
        if self.zap_domain {
            set("zap_domain", "simulated".to_owned().into());
        }
        for (name, limit) in [
            ("max_subscriptions", self.max_subscriptions),
            ("max_all_subscriptions", self.max_all_subscriptions),
        ] {
            if limit.is_some() {
                set(name, limit.into());
            }
        }
        set("same_connection", self.same_connection.into());
        options.set_security(self.security.clone());
        options
    }
}

fn set(options: &mut Options, name: &str, value: Value) {
    let id = OptionId::by_name(name).expect("an option");
    if options.has(id) {
        options
            .set(id, value)
            .expect("the options are within their ranges");
    }
}

impl Socket {
    /// Closes a whole socket, within this time and a little.
    pub(crate) fn close_within(self, limit: Duration) -> BoxFuture<'static, CloseReport> {
        match self.together().parts {
            Parts::Whole(socket) => Box::pin(socket.close_within(limit)),
            Parts::Halves(..) => unreachable!("it is whole"),
        }
    }

    fn sender(&mut self) -> &mut AnySocket {
        match &mut self.parts {
            Parts::Whole(socket) | Parts::Halves(socket, _) => socket,
        }
    }

    fn receiver(&mut self) -> &mut AnySocket {
        match &mut self.parts {
            Parts::Whole(socket) | Parts::Halves(_, socket) => socket,
        }
    }

    pub(crate) fn bind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<Endpoint, BindError>> {
        Box::pin(self.sender().bind(at))
    }

    pub(crate) fn connect(&mut self, to: Endpoint) -> Result<(), ConnectError> {
        self.sender().connect(to)
    }

    /// Connects, and returns the peer's number.
    pub(crate) fn connect_peer(&mut self, to: Endpoint) -> Result<Whom, ConnectError> {
        self.sender().connect_peer(to).map(Whom::Number)
    }

    /// The numbers of a PEER's peers.
    pub(crate) fn peers(&mut self) -> Vec<Whom> {
        let sender = self.sender();
        let mut peers = match sender.as_part::<Peer, Whole>() {
            Some(whole) => whole.peers(),
            None => {
                let half = sender.as_part::<Peer, SendHalf>();
                half.map(|half| half.peers()).unwrap_or_default()
            }
        };
        peers.sort_unstable();
        peers.into_iter().map(Whom::Number).collect()
    }

    pub(crate) fn unbind(&mut self, at: Endpoint) -> BoxFuture<'_, Result<(), UnbindError>> {
        Box::pin(self.receiver().unbind(at))
    }

    pub(crate) fn disconnect(&mut self, from: Endpoint) -> Result<(), DisconnectError> {
        self.receiver().disconnect(from)
    }

    pub(crate) fn drain(&mut self, limit: Duration) {
        self.receiver().drain(limit);
    }

    pub(crate) fn set_linger(&mut self, linger: Duration) {
        self.sender().set_linger(Some(linger));
    }

    /// Sets the high-water marks to those in `settings`.
    pub(crate) fn set_marks(&mut self, settings: &Settings) {
        let socket = self.receiver();
        let mut options = socket.options();
        set(&mut options, "send_hwm", settings.send_hwm.into());
        set(&mut options, "recv_hwm", settings.recv_hwm.into());
        let changed = socket.set_options(options);
        changed.expect("the context has all that they ask for");
    }

    /// How many topics a publisher's peers have subscribed to, or a subscriber.
    pub(crate) fn topics(&mut self) -> usize {
        self.receiver().topics_count()
    }

    pub(crate) fn monitor(&mut self) -> Monitor {
        self.receiver().monitor()
    }

    pub(crate) fn stats(&self) -> SocketStats {
        match &self.parts {
            Parts::Whole(socket) | Parts::Halves(_, socket) => socket.stats(),
        }
    }

    pub(crate) fn close(self) -> BoxFuture<'static, CloseReport> {
        match self.parts {
            Parts::Whole(socket) => Box::pin(socket.close()),
            Parts::Halves(sender, receiver) => Box::pin(async {
                sender.close().await;
                receiver.close().await
            }),
        }
    }

    /// A message to the peer of that name, if the socket sends by names.
    pub(crate) fn addressed(&self, to: Option<&Whom>, mut message: Message) -> Message {
        if self.by_name {
            message.push_front(to.map(Whom::frame).unwrap_or_default());
        }
        message
    }

    /// Sends a message, to the peer of that name if the socket sends by names. What cannot send never does.
    pub(crate) fn send(
        &mut self,
        to: Option<&Whom>,
        message: Message,
    ) -> BoxFuture<'_, Result<(), SendError>> {
        if let (true, Some(to)) = (self.by_identity, to) {
            return Box::pin(answer(self.sender(), to.clone(), message));
        }
        let message = self.addressed(to, message);
        if !self.sender().rules().has(Capability::Sends) {
            return Box::pin(std::future::pending());
        }
        Box::pin(self.sender().send(message))
    }

    pub(crate) fn try_send(
        &mut self,
        to: Option<&Whom>,
        message: Message,
    ) -> Result<(), SendError> {
        if let (true, Some(to)) = (self.by_identity, to) {
            return try_answer(self.sender(), to, message);
        }
        let message = self.addressed(to, message);
        self.sender().try_send(message)
    }

    /// Receives a message, with its sender's name if the socket knows it. What cannot receive never does.
    pub(crate) fn recv(&mut self) -> BoxFuture<'_, Result<(Option<Whom>, Message), RecvError>> {
        let (by_name, by_identity) = (self.by_name, self.by_identity);
        if !self.receiver().rules().has(Capability::Receives) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let receiver = self.receiver();
            if by_identity {
                let (from, message) = asked(receiver).await?;
                return Ok((Some(from), message));
            }
            if receiver.socket_type() == SocketType::Stream {
                let event = if let Some(whole) = receiver.as_part::<Stream, Whole>() {
                    whole.recv().await?
                } else {
                    let half = receiver.as_part::<Stream, RecvHalf>();
                    half.expect("it is whole or a half").recv().await?
                };
                return Ok(heard(event));
            }
            let mut message = receiver.recv_message().await?;
            if !by_name {
                return Ok((None, message));
            }
            if receiver.socket_type() == SocketType::Peer {
                let Addressed { peer, message } = Addressed::from(message);
                return Ok((Some(Whom::Number(peer)), message));
            }
            let name = message.pop_front().map(RoutingId::from);
            Ok((name.map(Whom::Name), message))
        })
    }

    /// Subscribes, or has whoever an XPUB has heard of last subscribed.
    pub(crate) fn subscribe(&mut self, topic: &str) {
        match self.sender().socket_type() {
            SocketType::Dish => self.sender().join(topic).expect("it has not joined it"),
            _ => {
                self.sender().subscribe(topic);
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str) {
        match self.sender().socket_type() {
            SocketType::Dish => self.sender().leave(topic).expect("it has joined it"),
            _ => {
                self.sender().unsubscribe(topic);
            }
        }
    }

    /// Divides it, if its type can be.
    pub(crate) fn apart(self) -> Self {
        let parts = match self.parts {
            Parts::Whole(socket) => match socket.split() {
                Ok((sender, receiver)) => Parts::Halves(sender, receiver),
                Err(whole) => Parts::Whole(whole),
            },
            halves => halves,
        };
        Socket { parts, ..self }
    }

    /// Makes it whole.
    pub(crate) fn together(self) -> Self {
        let parts = match self.parts {
            Parts::Halves(sender, receiver) => {
                Parts::Whole(sender.reunite(receiver).expect("they are of one socket"))
            }
            whole => whole,
        };
        Socket { parts, ..self }
    }
}

/// What a STREAM has heard, and of whom: bytes, or two frames of which the second one tells of a beginning or an end.
fn heard(event: StreamEvent) -> (Option<Whom>, Message) {
    let (peer, message) = match event {
        StreamEvent::Data(data) => (data.peer, data.message),
        StreamEvent::Accepted(peer) | StreamEvent::Connected(peer) => {
            (peer, Message::from(["", BEGINS]))
        }
        StreamEvent::Closed(peer) => (peer, Message::from(["", ENDS])),
    };
    (Some(Whom::Name(peer)), message)
}
