//! Two sockets of any types, joined over any transport, and the sum of what one of them has sent: what the tables of
//! counts and of ends (`counted.rs`, `sums.rs`, `ends.rs`) are made of.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::events::connected;
use common::place::{Place, Role, Transport};
use common::{until, within};
use purezmq::SocketType::{
    Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router,
    Scatter, Server, Sub, XPub, XSub,
};
use purezmq::options::{OptionId, Options, Value};
use purezmq::security::Security;
use purezmq::stats::SocketStats;
use purezmq::{Addressed, AnySocket, Context, Message, PeerId, SocketType};
use tokio::runtime::{Builder, Runtime};

/// Those who send before they have received anything, and to whom.
pub(crate) const PAIRINGS: [(SocketType, SocketType); 14] = [
    (Push, Pull),
    (Scatter, Gather),
    (Client, Server),
    (Server, Client),
    (Peer, Peer),
    (Channel, Channel),
    (Dealer, Dealer),
    (Dealer, Router),
    (Router, Dealer),
    (Pair, Pair),
    (Pub, Sub),
    (XPub, XSub),
    (XSub, XPub),
    (Radio, Dish),
];

/// Those who ask, and who answer what was asked before.
pub(crate) const REQUESTS: [(SocketType, SocketType); 2] = [(Req, Router), (Rep, Dealer)];

/// How many requests a REP is asked, to be answered.
pub(crate) const ASKED: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    Ipc,
    Inproc,
}

pub(crate) const WAYS: [Way; 3] = [Way::Tcp, Way::Ipc, Way::Inproc];

impl Way {
    /// An endpoint that nobody else uses, and what keeps it.
    pub(crate) fn place(self) -> (String, Option<Place>) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let transport = match self {
            Way::Tcp => Transport::Tcp4,
            Way::Ipc => Transport::Ipc,
            Way::Inproc => {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                return (format!("inproc://cell {number}"), None);
            }
        };
        let place = Place::fixed(transport);
        (place.endpoint.clone(), Some(place))
    }
}

/// Who sends to whom, over what, and who binds.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) pairing: (SocketType, SocketType),
    pub(crate) way: Way,
    pub(crate) role: Role,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sender, receiver) = self.pairing;
        let verb = match self.role {
            Role::WeBind => "binds",
            Role::WeConnect => "connects",
        };
        write!(f, "{sender} {verb}, to {receiver} over {:?}", self.way)
    }
}

/// A runtime of one socket's own, which ends at will, and does not hold up the test.
#[derive(Default)]
pub(crate) struct Home(Option<Runtime>);

impl Home {
    pub(crate) fn new() -> Self {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        Home(Some(runtime.expect("a runtime")))
    }

    /// Ends it with all tasks in it: to others, the process is gone.
    pub(crate) async fn end(&mut self) {
        if let Some(runtime) = self.0.take() {
            let end = move || runtime.shutdown_timeout(common::PATIENCE);
            tokio::task::spawn_blocking(end).await.expect("no panic");
        }
    }

    /// Binds, or connects, in it.
    pub(crate) async fn join(
        &self,
        mut socket: AnySocket,
        endpoint: String,
        role: Role,
    ) -> AnySocket {
        let joining = async move {
            match role {
                Role::WeBind => drop(socket.bind(endpoint.as_str()).await.expect("bind")),
                Role::WeConnect => connect(&mut socket, &endpoint),
            }
            socket
        };
        match &self.0 {
            Some(runtime) => runtime.spawn(joining).await.expect("no panic"),
            None => joining.await,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Two sockets that are joined, and know all that is said first.
pub(crate) struct Joined {
    pub(crate) sender: AnySocket,
    pub(crate) receiver: AnySocket,
    pub(crate) context: Context,
    pub(crate) endpoint: String,
    pub(crate) place: Option<Place>,
    /// The sender's counters before it has sent anything of its own.
    pub(crate) before: SocketStats,
}

pub(crate) fn open(
    socket_type: SocketType,
    context: &Context,
    chosen: &[(&str, Value)],
) -> AnySocket {
    open_secured(socket_type, context, chosen, Security::Null)
}

pub(crate) fn open_secured(
    socket_type: SocketType,
    context: &Context,
    chosen: &[(&str, Value)],
    security: Security,
) -> AnySocket {
    let mut options = Options::of(socket_type);
    options.set_security(security);
    let always = [
        ("relaxed", Value::from(true)),
        ("correlate", Value::from(true)),
    ];
    for (name, value) in always.iter().chain(chosen) {
        let id = OptionId::by_name(name).expect("an option");
        // Not every type has each of them.
        let _ = options.set(id, value.clone());
    }
    let socket = AnySocket::with_options(socket_type, context, options);
    let mut socket = socket.expect("the options are within their ranges");
    if matches!(socket_type, Sub | XSub) {
        socket.subscribe("");
    }
    if socket_type == Dish {
        socket.join(GROUP).expect("join");
    }
    socket
}

/// The group to which a RADIO sends.
const GROUP: &str = "group";

/// Connects to the one peer: where peers have names, to "receiver", and where they have numbers, to one that is kept.
pub(crate) fn connect(socket: &mut AnySocket, endpoint: &str) {
    match socket.socket_type() {
        Server | Peer => {
            let id = socket.connect_peer(endpoint).expect("connect");
            keep(socket, id);
        }
        _ => socket.connect_as(endpoint, "receiver").expect("connect"),
    }
}

/// Keeps the number of the one peer, in the socket's name.
fn keep(socket: &mut AnySocket, id: PeerId) {
    let mut options = socket.options();
    let name = OptionId::by_name("name").expect("an option");
    options.set(name, id.to_string()).expect("a name");
    socket.set_options(options).expect("options");
}

/// The number that was kept, as it stands in front of a message.
fn kept(socket: &AnySocket) -> Option<[u8; 4]> {
    let name = OptionId::by_name("name").expect("an option");
    match socket.options().get(name).expect("a name") {
        Value::Text(number) => number.parse().ok().map(u32::to_be_bytes),
        _ => None,
    }
}

/// The options of a socket that is called `name`, with `chosen` ones.
pub(crate) fn named(
    name: &'static str,
    chosen: &[(&'static str, Value)],
) -> Vec<(&'static str, Value)> {
    let mut all = chosen.to_vec();
    all.push(("routing_id", Value::from(name.as_bytes())));
    all
}

impl Joined {
    /// Joins two sockets with the same options, each in a home of its own if it has one.
    pub(crate) async fn new(
        cell: Cell,
        chosen: &[(&'static str, Value)],
        homes: (&Home, &Home),
    ) -> Self {
        let Cell { pairing, way, role } = cell;
        let context = Context::new();
        let mut sender = open(pairing.0, &context, &named("sender", chosen));
        let mut of_receiver = named("receiver", chosen);
        if pairing.0 == Rep {
            // It asks all that it has to ask.
            of_receiver.retain(|(name, _)| !matches!(*name, "send_hwm" | "send_ttl"));
        }
        let mut receiver = open(pairing.1, &context, &of_receiver);
        let (mut at_sender, mut at_receiver) = (sender.monitor(), receiver.monitor());
        let (endpoint, place) = way.place();
        // Who binds comes first.
        if role == Role::WeBind {
            sender = homes.0.join(sender, endpoint.clone(), role).await;
        }
        let other = match role {
            Role::WeBind => Role::WeConnect,
            Role::WeConnect => Role::WeBind,
        };
        receiver = homes.1.join(receiver, endpoint.clone(), other).await;
        if role == Role::WeConnect {
            sender = homes.0.join(sender, endpoint.clone(), role).await;
        }
        if way != Way::Inproc {
            connected(&mut at_sender).await;
            connected(&mut at_receiver).await;
        }
        if matches!(pairing.0, Server | Peer) && kept(&sender).is_none() {
            let hello = addressed(&receiver, 0, 1);
            within("hello", receiver.send(hello)).await.expect("send");
            let hello = within("hello", sender.recv()).await.expect("recv");
            keep(&mut sender, Addressed::from(hello).peer);
        }
        if matches!(pairing.0, Pub | XPub | Radio) {
            until("a subscriber", || sender.subscriber_count() > 0).await;
        }
        if pairing.0 == XSub {
            until("a subscription", || sender.stats().sent.messages > 0).await;
        }
        if pairing.0 == Rep {
            for _ in 0..ASKED {
                let asked = within("ask", receiver.send(["", "what?"])).await;
                asked.expect("ask");
            }
        }
        let before = sender.stats();
        Joined {
            sender,
            receiver,
            context,
            endpoint,
            place,
            before,
        }
    }

    /// What has become so far of what was sent.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of(&self.before, &self.sender.stats())
    }
}

/// Numbered, and longer than all buffers together when there are several.
fn message(number: usize, length: usize) -> Message {
    let mut text = number.to_string().into_bytes();
    text.resize(length.max(text.len()), b' ');
    Message::from(text)
}

/// Message `number`, as the socket sends it to the one peer.
pub(crate) fn addressed(socket: &AnySocket, number: usize, length: usize) -> Message {
    let mut message = message(number, length);
    match socket.socket_type() {
        Router => message.push_front("receiver"),
        Radio => message.push_front(GROUP),
        Server | Peer => message.push_front(kept(socket).expect("its peer has a number")),
        _ => {}
    }
    message
}

/// Sends message `number`, to the one peer.
pub(crate) async fn send(socket: &mut AnySocket, number: usize, length: usize) {
    if socket.socket_type() == Rep {
        within("a request", socket.recv()).await.expect("recv");
    }
    let message = addressed(socket, number, length);
    within("send", socket.send(message)).await.expect("send");
}

/// Counts the numbered messages that come, until `enough` have, or nothing follows the end of the sender.
pub(crate) async fn count(receiver: &mut AnySocket, enough: usize) -> usize {
    let mut count = 0;
    let quiet = common::PATIENCE;
    while count < enough {
        let Ok(Ok(message)) = tokio::time::timeout(quiet, receiver.recv()).await else {
            break;
        };
        count += usize::from(is_numbered(&message));
    }
    count
}

/// Counts the numbered messages that are there.
pub(crate) fn count_more(receiver: &mut AnySocket) -> usize {
    let mut count = 0;
    while let Ok(message) = receiver.try_recv() {
        count += usize::from(is_numbered(&message));
    }
    count
}

/// Says whether it is one of those that were sent, and not what an XPUB is told of its subscribers.
pub(crate) fn is_numbered(message: &Message) -> bool {
    let text = std::str::from_utf8(message.last().unwrap_or_default());
    text.is_ok_and(|text| text.trim_end().parse::<usize>().is_ok())
}

/// What has become of messages that a socket has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) queued: u64,
    pub(crate) full: u64,
    pub(crate) unroutable: u64,
    pub(crate) expired: u64,
    pub(crate) conflated: u64,
    pub(crate) lost: u64,
    pub(crate) unsent: u64,
}

impl Counts {
    pub(crate) fn of(before: &SocketStats, now: &SocketStats) -> Self {
        let (was, is) = (&before.dropped, &now.dropped);
        Counts {
            sent: now.sent.messages - before.sent.messages,
            queued: now.queued_to_send as u64,
            full: is.full - was.full,
            unroutable: is.unroutable - was.unroutable,
            expired: is.expired - was.expired,
            conflated: is.conflated - was.conflated,
            lost: is.lost - was.lost,
            unsent: is.unsent - was.unsent,
        }
    }

    /// All of them: each message is one.
    pub(crate) fn total(&self) -> u64 {
        let Counts {
            sent,
            queued,
            full,
            unroutable,
            expired,
            conflated,
            lost,
            unsent,
        } = self;
        sent + queued + full + unroutable + expired + conflated + lost + unsent
    }
}

/// Waits until the counts are as wanted, and sees at each look that no message is missing among them, or there twice.
pub(crate) async fn settled(
    what: &str,
    taken: u64,
    counts: impl Fn() -> Counts,
    wanted: impl Fn(&Counts) -> bool,
) -> Counts {
    let look = || {
        let counts = counts();
        assert_eq!(counts.total(), taken, "{what}: {counts:?}");
        wanted(&counts).then_some(counts)
    };
    let waited = tokio::time::timeout(common::PATIENCE, async {
        loop {
            if let Some(counts) = look() {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    match waited.await {
        Ok(counts) => counts,
        Err(_) => panic!("{what}: these counts do not change: {:?}", counts()),
    }
}
