//! What a seed stands for: which sockets there are, how they are set, who is connected to whom, and what goes wrong.

use std::time::Duration;

use purezmq::SocketType;
use purezmq::options::SlowSubscriber;
use purezmq::security::{KeyPair, Security};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::hazards::{self, Gate};
use crate::hostile::{self, Hostile};
use crate::network::Weather;
use crate::newer;
use crate::relay::Relays;
use crate::sockets::Settings;

/// One world.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    /// In place of the nodes.
    pub(crate) relays: Option<Relays>,
    /// Peers that mean no good.
    pub(crate) hostiles: Vec<Hostile>,
    pub(crate) weather: Weather,
    /// How long things go wrong.
    pub(crate) chaos: Duration,
    /// The mean time between two faults; none if it is zero.
    pub(crate) faults_every: Duration,
    /// Of so many polls of tasks, one is put off.
    pub(crate) put_off: u32,
    /// Everything is encrypted.
    pub(crate) encrypted: bool,
    /// All sockets are in one context, and their endpoints are inproc.
    pub(crate) inproc: bool,
    /// Nothing breaks, however slow it is: nobody is to be taken for dead.
    pub(crate) healthy: bool,
}

/// One host with one socket.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) host: u8,
    pub(crate) kind: SocketType,
    pub(crate) part: Part,
    pub(crate) settings: Settings,
    pub(crate) binds: bool,
    /// Those to connect to.
    pub(crate) connects: Vec<u8>,
    /// Those that it is connected with, whoever connects.
    pub(crate) peers: Vec<u8>,
    /// There is an empty frame in front of a message, put there by the application.
    pub(crate) delimits: bool,
    /// What comes before the message, up to an empty frame, goes back with the answer.
    pub(crate) enveloped: bool,
    /// When it begins.
    pub(crate) late: Duration,
    /// The longest pause between two calls.
    pub(crate) pause: Duration,
    /// Of so many turns, one is something unusual: a restart, another endpoint, a long pause. 0: none.
    pub(crate) restless: u32,
    /// Messages are small.
    pub(crate) small: bool,
    /// Many messages are large.
    pub(crate) large: bool,
    /// Of so many turns, one is a call with a limit, or in another form. 0: none.
    pub(crate) formal: u32,
    /// Its endpoints' tasks have a runtime of their own, which may end.
    pub(crate) has_home: bool,
    /// Who decides about its peers.
    pub(crate) gate: Gate,
    /// Of so many turns, one changes the high-water marks. 0: none.
    pub(crate) marks_change: u32,
    /// Hostile peers stay with it when all is well.
    pub(crate) has_company: bool,
}

/// What an application does with its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sends and does not receive.
    Source,
    /// Receives and does not send.
    Sink,
    /// Sends, and gets each message back.
    Asker,
    /// Does so by a requester.
    Requester,
    /// Sends back what it receives.
    Echo,
    /// Sends and receives.
    Both,
}

/// Two types whose sockets may talk to each other, and their parts.
pub(crate) type Pairing = (SocketType, Part, SocketType, Part);

/// Those of the older types; `newer` has the others.
const PAIRINGS: [Pairing; 15] = {
    use Part::{Asker, Both, Echo, Sink, Source};
    use SocketType::{Channel, Client, Gather, Scatter, Server};
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
    [
        (Push, Source, Pull, Sink),
        (Scatter, Source, Gather, Sink),
        (Client, Asker, Server, Echo),
        (Channel, Both, Channel, Both),
        (Pub, Source, Sub, Sink),
        (Pub, Source, XSub, Sink),
        (XPub, Both, Sub, Sink),
        (XPub, Both, XSub, Both),
        (Req, Asker, Rep, Echo),
        (Req, Asker, Router, Echo),
        (Dealer, Asker, Rep, Echo),
        (Dealer, Asker, Router, Echo),
        (Dealer, Both, Dealer, Both),
        (Router, Both, Router, Both),
        (Pair, Both, Pair, Both),
    ]
};

fn millis(rng: &mut SmallRng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

pub(crate) fn one_of<T: Copy>(rng: &mut SmallRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let older = one_of(rng, &PAIRINGS);
        let pairing = newer::pairing(seed).unwrap_or(older);
        let (has_security, may_be_inproc) = newer::is_plain(pairing);
        let is_single = matches!(pairing.0, SocketType::Pair | SocketType::Channel);
        let mut count = || {
            if is_single {
                1
            } else {
                rng.random_range(1..=3)
            }
        };
        let (left, right) = (count(), count());
        let weather = Weather {
            delay: millis(rng, 0..=30),
            capacity: one_of(rng, &[100, 4000, 65_536, 300_000]),
            rate: None,
            piece: one_of(rng, &[7, 100, 3000, 100_000]),
            put_off: one_of(rng, &[0, 3, 10]),
        };
        let mut secured = Secured::some(rng);
        if !has_security {
            secured = Secured::Not;
        }
        let mut nodes = nodes(rng, pairing, left, right, &secured);
        let inproc = matches!(secured, Secured::Not) && rng.random_ratio(1, 8) && may_be_inproc;
        if inproc {
            // Who loses an answer for good must not have to begin anew: nobody would be connected to it then.
            for node in &mut nodes {
                (node.settings.relaxed, node.settings.correlate) = (true, true);
            }
        }
        if weather.capacity < 65_536 || weather.piece < 3000 {
            nodes.iter_mut().for_each(|node| node.small = true);
        }
        let mut plan = Plan {
            nodes,
            relays: None,
            hostiles: Vec::new(),
            weather,
            chaos: millis(rng, 500..=2500),
            faults_every: Duration::from_millis(one_of(rng, &[0, 60, 200, 700])),
            put_off: one_of(rng, &[0, 2, 6]),
            encrypted: matches!(secured, Secured::Curve(..)),
            inproc,
            healthy: false,
        };
        match rng.random_range(0..12) {
            _ if inproc => {}
            0 => hazards::slow_down(&mut plan, rng),
            1..5 => hazards::endanger(&mut plan, rng),
            5 => {
                plan.relays = Some(Relays::draw(rng));
                plan.nodes.clear();
            }
            _ => {}
        }
        hostile::draw(&mut plan, seed);
        for node in &mut plan.nodes {
            let settings = &mut node.settings;
            // Nobody's refusal is final for such a client, which would come again after many seconds only.
            if let Security::CurveClient { .. } = settings.security
                && settings.reconnect_after_refusal.is_none()
            {
                settings.reconnect_after_refusal = settings.reconnect_interval;
            }
            newer::settle(node);
        }
        plan
    }
}

/// The hosts, connected with each other.
fn nodes(
    rng: &mut SmallRng,
    (left_kind, left_part, right_kind, right_part): Pairing,
    left: u8,
    right: u8,
    secured: &Secured,
) -> Vec<Node> {
    let mut common = Common::some(rng);
    if left_kind == right_kind {
        // Sockets that call each other by name, and dealers, need each other's options to agree.
        common.may_forget = false;
    }
    let mut nodes = Vec::new();
    for host in 1..=left + right {
        let (kind, part) = if host <= left {
            (left_kind, left_part)
        } else {
            (right_kind, right_part)
        };
        let mut settings = settings(rng, host, kind, &common);
        let other = if host <= left { right_kind } else { left_kind };
        settings.probe_router = other == SocketType::Router && rng.random_ratio(1, 3);
        settings.keep_what_is_heard(kind);
        nodes.push(Node {
            host,
            kind,
            part,
            settings,
            binds: false,
            connects: Vec::new(),
            peers: Vec::new(),
            delimits: (left_kind, right_kind) == (SocketType::Dealer, SocketType::Rep)
                && kind == SocketType::Dealer,
            enveloped: (left_kind == SocketType::Req || left_part == Part::Requester)
                && kind == SocketType::Router,
            late: millis(rng, 0..=200),
            pause: millis(rng, 1..=20),
            restless: one_of(rng, &[0, 0, 20, 60, 200]),
            small: false,
            large: false,
            formal: one_of(rng, &[0, 0, 8, 20]),
            has_home: false,
            gate: Gate::Open,
            marks_change: 0,
            has_company: false,
        });
    }
    let style = rng.random_range(0..3);
    for one in 0..left as usize {
        for other in left as usize..(left + right) as usize {
            let left_connects = match style {
                0 => true,
                1 => false,
                _ => rng.random(),
            };
            let (connector, binder) = if left_connects {
                (one, other)
            } else {
                (other, one)
            };
            let (connector_host, binder_host) = (nodes[connector].host, nodes[binder].host);
            nodes[binder].binds = true;
            nodes[binder].peers.push(connector_host);
            nodes[connector].connects.push(binder_host);
            nodes[connector].peers.push(binder_host);
        }
    }
    for node in &mut nodes {
        node.settings.security = secured.role(node.host <= left);
    }
    nodes
}

/// What concerns all sockets of a world.
struct Common {
    conflate: bool,
    conflate_topics: bool,
    may_forget: bool,
    names: bool,
}

impl Common {
    fn some(rng: &mut SmallRng) -> Self {
        Common {
            conflate: rng.random_ratio(1, 12),
            conflate_topics: rng.random_ratio(1, 10),
            may_forget: true,
            names: rng.random_ratio(1, 3),
        }
    }
}

fn settings(rng: &mut SmallRng, host: u8, kind: SocketType, common: &Common) -> Settings {
    let is_named = match kind {
        SocketType::Router => common.names || !common.may_forget,
        SocketType::Dealer => common.names,
        _ => false,
    };
    let interval = rng.random_range(1..=150);
    let relaxed = rng.random();
    Settings {
        send_hwm: mark(rng),
        recv_hwm: mark(rng),
        send_hwm_bytes: one_of(rng, &[None, None, None, None, Some(300), Some(5000)]),
        recv_hwm_bytes: one_of(rng, &[None, None, None, None, Some(300), Some(5000)]),
        send_ttl: one_of(
            rng,
            &[
                None,
                None,
                None,
                None,
                None,
                Some(Duration::from_millis(200)),
            ],
        ),
        linger: Duration::from_millis(one_of(rng, &[0, 30, 500])),
        reconnect_interval: Some(Duration::from_millis(interval)),
        reconnect_after_refusal: None,
        reconnect_interval_max: one_of(rng, &[None, Some(Duration::from_millis(800))]),
        heartbeat: one_of(
            rng,
            &[
                None,
                None,
                Some(Duration::from_millis(100)),
                Some(Duration::from_millis(400)),
            ],
        ),
        heartbeat_timeout: None,
        heartbeat_ttl: None,
        handshake_timeout: one_of(
            rng,
            &[
                None,
                None,
                Some(Duration::from_millis(500)),
                Some(Duration::from_secs(3)),
            ],
        ),
        write_timeout: one_of(
            rng,
            &[
                None,
                None,
                None,
                Some(Duration::from_millis(200)),
                Some(Duration::from_secs(60)),
            ],
        ),
        connect_timeout: Duration::from_millis(one_of(rng, &[100, 3000])),
        immediate: rng.random_ratio(1, 5),
        conflate: common.conflate,
        conflate_topics: common.conflate_topics && !common.conflate,
        no_drop: rng.random_ratio(1, 5),
        slow_subscriber: one_of(
            rng,
            &[
                SlowSubscriber::DropNewest,
                SlowSubscriber::DropNewest,
                SlowSubscriber::DropOldest,
                SlowSubscriber::Disconnect,
            ],
        ),
        verbose: rng.random_ratio(1, 4),
        relaxed,
        // Without it, a late answer is taken for the next one's.
        correlate: relaxed || rng.random(),
        mandatory: rng.random_ratio(1, 4),
        // Without it, whoever comes back with a name that is still taken is ignored from then on.
        handover: is_named || rng.random(),
        notify: rng.random_ratio(1, 4),
        routing_id: is_named.then(|| format!("host {host}")),
        probe_router: false,
        manual: rng.random_ratio(1, 4),
        welcome: rng.random_ratio(1, 3),
        zap_domain: false,
        max_subscriptions: None,
        max_all_subscriptions: None,
        same_connection: false,
        by_identity: false,
        security: Security::Null,
    }
}

/// A high-water mark.
pub(crate) fn mark(rng: &mut SmallRng) -> usize {
    one_of(rng, &[0, 1, 1, 2, 2, 3, 5, 10, 100, 1000])
}

impl Settings {
    /// An XPUB hears its subscribers while it sends, and does not keep more of what they say than its mark.
    pub(crate) fn keep_what_is_heard(&mut self, kind: SocketType) {
        if kind == SocketType::XPub && !self.manual && self.recv_hwm > 0 {
            self.recv_hwm = self.recv_hwm.max(10);
        }
    }
}

/// Who has to say who he is.
enum Secured {
    Not,
    Plain,
    Curve(KeyPair, KeyPair),
}

impl Secured {
    fn some(rng: &mut SmallRng) -> Self {
        match rng.random_range(0..20) {
            0 => Secured::Plain,
            1 => Secured::Curve(KeyPair::generate(), KeyPair::generate()),
            _ => Secured::Not,
        }
    }

    fn role(&self, is_client: bool) -> Security {
        match self {
            Secured::Not => Security::Null,
            Secured::Plain if is_client => {
                Security::plain_client("joe", "secret").expect("it is short")
            }
            Secured::Plain => Security::plain_server(),
            Secured::Curve(client, server) if is_client => {
                Security::curve_client(client.clone(), *server.public())
            }
            Secured::Curve(_, server) => Security::curve_server(server.clone()),
        }
    }
}
