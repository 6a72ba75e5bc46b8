//! Hostile peers. They come in where an honest socket is bound, or wait where one was a moment ago, and speak ZMTP by hand:
//! under names and as users that others are, in floods of what is thrown away, with properties by the thousand,
//! subscriptions that they never take off, and handshakes that stop at whatever byte.
//!
//! ```text
//! draw ──► Hostile (which target, how it gets there) ──► Visitor: one connection after the other (visit, acts)
//!                                                          │  bytes (wire)
//!                                                        an honest socket on the same network
//! ```
//! To a STREAM they speak nothing (raw): floods, questions, halves of messages, byte by byte, read or not read, and ended in
//! every way in which a connection of TCP ends.
//!
//! They are drawn from a stream of their own, so that worlds without them are what they were. What they do must cost
//! the honest ones nothing once they have gone, and what is whose must not come to them: `visit` says what they may
//! be told, `node/audit` what must be left of them.

mod acts;
mod raw;
mod visit;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use purezmq::options::SlowSubscriber;
use purezmq::security::Security;
use purezmq::{Message, SocketType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub(crate) use self::raw::Noise;
use self::visit::Visitor;
use self::wire::Role;
use crate::node::Shared;
use crate::plan::{Node, Part, Plan, one_of};

/// The host of the first one; honest hosts have lower numbers.
pub(crate) const FIRST: u8 = 100;

/// One in so many worlds, of those that may have them, has some.
const ONE_IN: u32 = 3;

/// Keeps what is drawn here apart from what else a seed stands for.
const STREAM: u64 = 0x686f_7374_696c_6500;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Hostile {
    pub(crate) host: u8,
    /// Whom it visits, or in whose place it waits.
    target: u8,
    /// It waits at the target's address, while that is free.
    waits: bool,
    /// What it has to do with: the target or, if it waits there, those that connect to it.
    kind: SocketType,
    /// What it says it is.
    own_kinds: Vec<SocketType>,
    role: Role,
    /// It goes on when all is well.
    stays: bool,
    /// What its peers receive they send back to whoever has asked.
    is_echo: bool,
    /// Only to the very connection.
    by_connection: bool,
    /// The honest peers of its peers.
    honest: Vec<(u8, Who)>,
    /// What it subscribes to, beside topics that nobody else has.
    topics: Vec<String>,
    /// The longest pause between two visits.
    pause: Duration,
}

/// Who a peer says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// `None`: whoever asks learns nothing.
    user: Option<String>,
    name: Option<String>,
}

impl Who {
    /// Who an honest socket is for those that it connects to, or lets in.
    pub(crate) fn honest(node: &Node) -> Self {
        let is_user = matches!(node.settings.security, Security::PlainClient(_));
        Who {
            user: is_user.then(|| "joe".to_owned()),
            name: node.settings.routing_id.clone(),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_not = |one: &Option<String>| one.clone().unwrap_or_default();
        write!(f, "{}/{}", or_not(&self.user), or_not(&self.name))
    }
}

/// What a hostile peer's messages say: which of its connections they are from, and whether they ask for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) asks: bool,
    /// Its host, and which of its connections.
    from: (u8, u32),
    who: String,
}

const STAMP: &[u8] = b"hostile";

impl Stamp {
    fn bytes(&self) -> Vec<u8> {
        let Stamp { asks, from, who } = self;
        let asks = if *asks { '?' } else { '!' };
        let mut bytes = STAMP.to_vec();
        bytes.extend(format!("{asks}{}/{}/{who}", from.0, from.1).bytes());
        bytes
    }

    /// Reads the stamp of a message, if it has one.
    pub(crate) fn of<'a>(mut frames: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let text = frames.find_map(|frame| frame.strip_prefix(STAMP))?;
        let text = std::str::from_utf8(text).ok()?;
        let asks = text.starts_with('?');
        let mut parts = text.get(1..)?.splitn(3, '/');
        let host = parts.next()?.parse().ok()?;
        let visit = parts.next()?.parse().ok()?;
        Some(Stamp {
            asks,
            from: (host, visit),
            who: parts.next()?.to_owned(),
        })
    }

    /// Whether the answer may come to somebody who is this.
    pub(crate) fn is_of(&self, who: &Who) -> bool {
        self.who == who.to_string()
    }
}

/// Whether a hostile peer has sent it.
pub(crate) fn stamp_of(message: &Message) -> Option<Stamp> {
    Stamp::of(message.iter())
}

/// Adds hostile peers to a world, and what they try: limits, and marks that change.
pub(crate) fn draw(plan: &mut Plan, seed: u64) {
    let rng = &mut SmallRng::seed_from_u64(seed ^ STREAM);
    if plan.inproc || plan.healthy || !rng.random_ratio(1, ONE_IN) {
        return;
    }
    // A STREAM's peers have no names, and nobody proves anything.
    let has_names = |node: &Node| node.kind != SocketType::Stream;
    if plan.relays.is_none() && plan.nodes.iter().all(has_names) {
        let may_have_users = rng.random_ratio(1, 4);
        tell_apart(plan, rng, may_have_users);
    }
    let doors = match &plan.relays {
        Some(relays) => relays.doors(),
        None => {
            let bound = plan.nodes.iter().filter(|node| node.binds);
            bound.map(|node| (node.host, node.kind)).collect()
        }
    };
    // They do not meet each other.
    let waits = rng.random_ratio(1, 4);
    let by_connection = rng.random_ratio(1, 4);
    for number in 0..rng.random_range(1..=3) {
        let (target, kind) = one_of(rng, &doors);
        let pause = Duration::from_millis(one_of(rng, &[1, 20, 100, 400]));
        let mut hostile = Hostile {
            host: FIRST + number,
            target,
            waits,
            kind,
            own_kinds: kind.peers().to_vec(),
            role: Role::Null,
            stays: rng.random_ratio(1, 4),
            is_echo: false,
            by_connection,
            honest: Vec::new(),
            topics: Vec::new(),
            pause,
        };
        match &plan.relays {
            Some(_) => {
                // Whoever is there when all is well is counted among those who want something.
                (hostile.waits, hostile.stays) = (false, false);
                hostile.topics = (0..5).map(|number| format!("t{}", 8 * number)).collect();
            }
            None => hostile.aim(plan),
        }
        plan.hostiles.push(hostile);
    }
    for node in &mut plan.nodes {
        let settings = &mut node.settings;
        // Honest ones have five topics at most.
        settings.max_subscriptions = one_of(rng, &[None, None, Some(20)]);
        settings.max_all_subscriptions = one_of(rng, &[None, None, Some(60)]);
        settings.by_identity = node.part == Part::Echo;
        node.marks_change = one_of(rng, &[0, 0, 6, 30]);
        settings.same_connection = node.part == Part::Echo && by_connection;
        let stays = |one: &Hostile| one.stays && one.target == node.host;
        node.has_company = plan.hostiles.iter().any(stays);
    }
}

/// Gives the honest ones more names and users, which others may take, than they have elsewhere.
fn tell_apart(plan: &mut Plan, rng: &mut SmallRng, may_have_users: bool) {
    let is_null = |node: &Node| matches!(node.settings.security, Security::Null);
    let has_users = may_have_users && plan.nodes.iter().all(is_null);
    let servers = plan.nodes[0].peers.clone();
    for node in &mut plan.nodes {
        let settings = &mut node.settings;
        if has_users && servers.contains(&node.host) {
            settings.security = Security::plain_server();
        } else if has_users {
            let joe = Security::plain_client("joe", "secret");
            settings.security = joe.expect("it is short");
        }
        if node.part == Part::Asker && rng.random() && node.kind.announces_identity() {
            settings.routing_id = Some(format!("host {}", node.host));
        }
        if node.kind == SocketType::Router {
            settings.handover = rng.random();
        }
    }
}

impl Hostile {
    /// Looks at the target, which is there in the plan.
    fn aim(&mut self, plan: &Plan) {
        let of = |host: u8| plan.nodes.iter().find(|node| node.host == host);
        let Some(node) = of(self.target) else {
            return;
        };
        let peers: Vec<&Node> = node.peers.iter().filter_map(|peer| of(*peer)).collect();
        let (met, others) = match self.waits {
            true => (peers[0], vec![node]),
            false => (node, peers),
        };
        self.kind = met.kind;
        self.own_kinds = match self.waits {
            true => vec![node.kind],
            false => node.kind.peers().to_vec(),
        };
        self.role = match met.settings.security {
            Security::Null => Role::Null,
            Security::PlainClient(_) => Role::PlainServer,
            Security::PlainServer => Role::PlainClient,
            _ => Role::Curve,
        };
        self.is_echo = met.part == Part::Echo;
        let others = others.into_iter();
        self.honest = others.map(|one| (one.host, Who::honest(one))).collect();
        self.topics = ["", "a", "ab", "b", "c"].map(str::to_owned).to_vec();
        // Others would take what is meant for the honest ones, or hold it up.
        let takes_nothing = match node.kind {
            SocketType::Pull
            | SocketType::Gather
            | SocketType::Sub
            | SocketType::Dish
            | SocketType::Rep => true,
            SocketType::Router | SocketType::Stream => self.is_echo,
            SocketType::Pub | SocketType::XPub | SocketType::Radio => {
                !node.settings.no_drop
                    && node.settings.slow_subscriber != SlowSubscriber::Disconnect
            }
            _ => false,
        };
        self.stays &= takes_nothing && !self.waits;
    }

    /// What it does, for as long as it is there.
    pub(crate) async fn run(self, shared: Arc<Shared>, seed: u64) {
        Visitor::new(self, shared, seed).run().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let who = Who {
            user: Some("mallory".to_owned()),
            name: Some("host 3".to_owned()),
        };
        let stamp = Stamp {
            asks: true,
            from: (101, 7),
            who: who.to_string(),
        };
        let read = stamp_of(&Message::from([b"topic".to_vec(), stamp.bytes()]));
        assert_eq!(read.as_ref(), Some(&stamp));
        assert!(stamp.is_of(&who));
        assert_eq!(stamp_of(&Message::from("something else")), None);
    }
}
