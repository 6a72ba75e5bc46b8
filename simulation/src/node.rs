//! One host's application: makes its socket, and sends, receives, gives up, pauses, restarts, as chance has it.

mod audit;
mod bytes;
mod calls;
mod drains;
mod ends;
mod forms;
mod letters;
mod stages;
mod sums;
mod unusual;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use purezmq::simulation::Runtime;
use purezmq::{Context, Endpoint, Message, Monitor, SocketType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout, timeout_at};

use self::bytes::Talk;
use self::ends::{Known, Place};
pub(crate) use self::stages::{Stage, Stages};
use crate::book::Book;
use crate::hazards;
use crate::letter::Name;
use crate::network::{Host, Network, address};
use crate::plan::{Node, Part};
use crate::sockets::{self, Socket, Whom};
use crate::world::World;

/// What all nodes of a world share.
pub(crate) struct Shared {
    pub(crate) stages: Stages,
    pub(crate) world: Arc<World>,
    pub(crate) network: Arc<Network>,
    pub(crate) book: Arc<Book>,
    /// Each subscriber's topics.
    pub(crate) topics: Mutex<BTreeMap<u8, Vec<&'static str>>>,
    /// The kinds of all hosts.
    pub(crate) kinds: BTreeMap<u8, SocketType>,
    /// What is on the network cannot be read.
    pub(crate) encrypted: bool,
    /// Nothing breaks, so nobody is to be taken for dead.
    pub(crate) healthy: bool,
    /// Somebody's peers may be refused.
    pub(crate) refuses: bool,
    /// The context of all hosts, which have no network then.
    pub(crate) inproc: Option<Context>,
}

/// Messages that each node sends when all is well.
const QUIET: u32 = 5;

/// How long after the trouble all restarts are over.
const MENDING: Duration = Duration::from_secs(4);

/// How long a call may take when all is well.
const PATIENCE: Duration = Duration::from_secs(10);

const TOPICS: [&str; 5] = ["", "a", "ab", "b", "c"];

pub(crate) struct Actor {
    plan: Node,
    shared: Arc<Shared>,
    rng: SmallRng,
    socket: Option<Socket>,
    life: u8,
    /// Audits that have found more topics known than are allowed, one after the other.
    over_limit: u32,
    /// Messages written by this socket.
    written: u32,
    /// The next message to be sent, if it could not be sent yet.
    unsent: Option<Letter>,
    /// What is to go back.
    echoes: VecDeque<(Option<Whom>, Message)>,
    /// Calls of `send` and `recv` that have succeeded with this socket.
    accepted: u64,
    received: u64,
    /// A REQ that has asked.
    asking: bool,
    /// The highest that the marks for sending and receiving have been with this socket.
    highest: (usize, usize),
    topics: Vec<&'static str>,
    /// The numbers of those that a PEER connects to.
    numbers: BTreeMap<u8, Whom>,
    /// What has come from each peer of a STREAM that is there.
    streams: BTreeMap<Whom, Talk>,
    /// Some of those may have gone with an endpoint that it has let go of itself, of which it hears nothing.
    may_miss: bool,
    /// When to connect anew where nothing reconnects by itself.
    mend_at: tokio::time::Instant,
    is_mended: bool,
    /// Where the endpoints' tasks run, if that may end.
    home: Option<Runtime>,
    /// Who decides about peers by ZAP.
    _handler: Option<JoinSet<()>>,
    /// Of this socket, which is on a network.
    monitor: Option<Monitor>,
    known: Known,
}

/// A message under way to the network.
struct Letter {
    name: Name,
    to: Option<Whom>,
    message: Message,
    topic: &'static str,
}

impl Actor {
    pub(crate) fn new(plan: Node, shared: &Arc<Shared>, seed: u64) -> Self {
        Actor {
            plan,
            shared: shared.clone(),
            rng: SmallRng::seed_from_u64(seed),
            socket: None,
            life: 0,
            over_limit: 0,
            written: 0,
            unsent: None,
            echoes: VecDeque::new(),
            accepted: 0,
            received: 0,
            asking: false,
            highest: (0, 0),
            topics: Vec::new(),
            numbers: BTreeMap::new(),
            streams: BTreeMap::new(),
            may_miss: false,
            mend_at: tokio::time::Instant::now(),
            is_mended: false,
            home: None,
            _handler: None,
            monitor: None,
            known: Known::default(),
        }
    }

    /// Lives through all stages.
    pub(crate) async fn run(mut self) {
        sleep(self.plan.late).await;
        self.begin().await;
        if self.rng.random_ratio(1, 3) {
            self.fill();
        }
        while self.stage() == Stage::Chaos {
            self.turn().await;
        }
        self.mend_at = tokio::time::Instant::now() + MENDING;
        self.recover().await;
        while self.stage() == Stage::Heal {
            self.serve().await;
            self.mend();
        }
        for _ in 0..QUIET {
            self.send_in_peace().await;
        }
        self.audit_topics();
        self.shared.stages.is_through();
        while self.stage() == Stage::Quiet {
            self.serve().await;
        }
        self.finish().await;
    }

    fn stage(&self) -> Stage {
        self.shared.stages.now()
    }

    fn socket(&mut self) -> &mut Socket {
        self.socket.as_mut().expect("it is made in begin")
    }

    fn fail(&self, why: impl std::fmt::Display) {
        let Node { host, kind, .. } = self.plan;
        let life = self.life;
        self.shared
            .world
            .fail(format!("host {host} ({kind}, life {life}): {why}"));
    }

    fn note(&self, what: &'static str, number: u64, words: &str) {
        let host = self.plan.host;
        self.shared
            .world
            .note(what, [host.into(), self.life.into(), number], || {
                format!("host {host} {words}")
            });
    }

    /// A socket, with its endpoints and topics.
    async fn begin(&mut self) {
        let context = match &self.shared.inproc {
            Some(context) => context.clone(),
            None => Context::simulated(Arc::new(Host {
                network: self.shared.network.clone(),
                number: self.plan.host,
                life: self.life.into(),
            })),
        };
        let seed = self.rng.random();
        self._handler = hazards::guard(self.plan.gate, &context, &self.shared, seed);
        self.home = self.plan.has_home.then(Runtime::default);
        self.known = Known::default();
        let mut socket = sockets::open(self.plan.kind, &context, &self.plan.settings);
        self.monitor = self.shared.inproc.is_none().then(|| socket.monitor());
        self.socket = Some(socket);
        (self.accepted, self.received, self.written) = (0, 0, 0);
        self.asking = false;
        self.highest = (0, 0);
        self.note_marks();
        self.unsent = None;
        self.echoes.clear();
        self.numbers.clear();
        self.streams.clear();
        self.may_miss = false;
        for topic in self.topics.clone() {
            self.socket().subscribe(topic);
        }
        if self.is_subscriber() && self.topics.is_empty() {
            self.change_topics();
        }
        self.note("open", 0, "has a socket");
        if self.rng.random() {
            self.connect_all();
            self.bind().await;
        } else {
            self.bind().await;
            self.connect_all();
        }
    }

    /// The marks are what the settings say from now on.
    fn note_marks(&mut self) {
        let height = |mark| if mark == 0 { usize::MAX } else { mark };
        let settings = &self.plan.settings;
        let (send, recv) = self.highest;
        self.highest = (
            send.max(height(settings.send_hwm)),
            recv.max(height(settings.recv_hwm)),
        );
    }

    fn is_subscriber(&self) -> bool {
        matches!(
            self.plan.kind,
            SocketType::Sub | SocketType::XSub | SocketType::Dish
        )
    }

    fn is_publisher(&self) -> bool {
        matches!(
            self.plan.kind,
            SocketType::Pub | SocketType::XPub | SocketType::Radio
        )
    }

    /// Whether it learns only from its socket whom it can send to.
    fn learns_whom(&self) -> bool {
        matches!(self.plan.kind, SocketType::Peer | SocketType::Stream)
    }

    /// Where a host's socket is bound.
    fn endpoint_of(&self, host: u8) -> Endpoint {
        match &self.shared.inproc {
            Some(_) => format!("inproc://host {host}")
                .parse()
                .expect("it is a name"),
            None => Endpoint::from(address(host)),
        }
    }

    fn connect_all(&mut self) {
        for peer in self.plan.connects.clone() {
            self.connect(peer);
        }
    }

    fn connect(&mut self, peer: u8) {
        let to = self.endpoint_of(peer);
        let home = self.home.clone();
        let connecting = || match self.plan.kind {
            SocketType::Peer => self.socket().connect_peer(to).map(Some),
            _ => self.socket().connect(to).map(|()| None),
        };
        let connected = match &home {
            Some(home) => home.enter(connecting),
            None => connecting(),
        };
        match connected {
            Ok(number) => {
                self.numbers.extend(number.map(|number| (peer, number)));
                self.known.begins(Place::Peer(peer));
            }
            Err(error) => self.fail(format_args!("connect to host {peer}: {error}")),
        }
    }

    /// Binds, when the socket before has let go of the address.
    async fn bind(&mut self) {
        if !self.plan.binds {
            return;
        }
        let at = self.endpoint_of(self.plan.host);
        let home = self.home.clone();
        for _ in 0..2000 {
            let polls = self.rng.random_range(1..5);
            let time = Duration::from_millis(10);
            let binding = self.socket().bind(at.clone());
            let bound = match &home {
                Some(home) => calls::patiently(polls, time, home.inside(binding)).await,
                None => calls::patiently(polls, time, binding).await,
            };
            match bound {
                Some(Ok(_)) => return self.known.begins(Place::Own),
                // Given up, which has bound nothing; or not free yet.
                None | Some(Err(purezmq::BindError::AddressInUse { .. })) => {}
                Some(Err(error)) => return self.fail(format_args!("bind: {error}")),
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.fail("the address does not become free");
    }

    /// One turn while things go wrong.
    async fn turn(&mut self) {
        if self.plan.restless > 0 && self.rng.random_ratio(1, self.plan.restless) {
            self.do_something_unusual().await;
        }
        if self.plan.formal > 0 && self.rng.random_ratio(1, self.plan.formal) {
            self.call_in_form().await;
        }
        if self.plan.marks_change > 0 && self.rng.random_ratio(1, self.plan.marks_change) {
            self.change_marks();
        }
        self.look_after_endpoints().await;
        match self.rng.random_range(0..10) {
            0..4 => self.send().await,
            4..8 => self.receive().await,
            8 => {
                self.audit();
                self.audit_limits();
            }
            _ => {
                let longest = self.plan.pause.as_millis() as u64;
                let pause = self.rng.random_range(1..=longest);
                sleep(Duration::from_millis(pause)).await;
            }
        }
        if self.rng.random() {
            yield_now().await;
        }
    }

    /// One turn when all is well: whoever is asked answers, and what comes is received.
    async fn serve(&mut self) {
        self.renew_all().await;
        // Hostile peers may have asked hundreds of questions: as many as go now.
        let mut left = self.echoes.len() + 1;
        while self.has_to_send() && self.echoes.len() < left {
            left = self.echoes.len();
            self.send().await;
        }
        let shared = self.shared.clone();
        let now = self.stage();
        // Of a STREAM's messages many come in one piece, and answers wait only until what was sent before has left.
        let is_hurried = self.plan.kind == SocketType::Stream && self.has_to_send();
        tokio::select! {
            biased;
            () = self.receive() => {}
            () = shared.stages.end_of(now) => {}
            () = sleep(Duration::from_millis(1)), if is_hurried => {}
        }
    }

    fn has_to_send(&self) -> bool {
        !self.echoes.is_empty()
    }

    /// A message that must arrive.
    async fn send_in_peace(&mut self) {
        if matches!(self.plan.part, Part::Sink | Part::Echo) && self.plan.kind != SocketType::XSub {
            return;
        }
        if self.plan.kind == SocketType::XSub && !self.speaks_upstream() {
            return;
        }
        self.renew_all().await;
        self.forget_missed().await;
        let letter = self.letter(false);
        let (name, topic) = (letter.name, letter.topic);
        let limit = PATIENCE;
        let socket = self.socket.as_mut().expect("it is made in begin");
        let sending = socket.send(letter.to.as_ref(), letter.message);
        match timeout(limit, sending).await {
            Err(_) => return self.fail(format_args!("send of {name} waits for ever")),
            Ok(Err(error)) => return self.fail(format_args!("send of {name}: {error}")),
            Ok(Ok(())) => {}
        }
        self.accepted += 1;
        self.asking = self.plan.kind == SocketType::Req;
        let due = self.due(topic);
        self.shared.book.sent(name, Some(due));
        let until =
            tokio::time::Instant::now() + Duration::from_millis(self.rng.random_range(40..80));
        if self.asking && timeout(limit, self.receive_one()).await.is_err() {
            self.fail(format_args!("the answer to {name} does not come"));
        }
        // What comes meanwhile is received.
        while timeout_at(until, self.receive_one()).await.is_ok() {
            while self.has_to_send() {
                self.send().await;
            }
        }
    }

    /// Whether its publishers receive messages.
    fn speaks_upstream(&self) -> bool {
        let kinds = &self.shared.kinds;
        self.plan
            .peers
            .iter()
            .all(|peer| kinds.get(peer) == Some(&SocketType::XPub))
    }
}
