//! Worlds of the newer socket types: groups (RADIO, DISH), peers by number (PEER), bytes without messages (STREAM), and
//! requests of a requester (`asking`). They are drawn from a stream of their own, so that other worlds are what they were.

use std::time::Duration;

use purezmq::SocketType;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::plan::{Node, Pairing, Part};

/// One in so many worlds is one of them.
const ONE_IN: u32 = 4;

/// Keeps what is drawn here apart from what else a seed stands for.
const STREAM: u64 = 0x6e65_7765_7200_0000;

const PAIRINGS: [Pairing; 5] = {
    use Part::{Asker, Echo, Requester, Sink, Source};
    use SocketType::{Dealer, Dish, Peer, Radio, Rep, Router, Stream};
    [
        (Radio, Source, Dish, Sink),
        (Peer, Asker, Peer, Echo),
        (Stream, Asker, Stream, Echo),
        (Dealer, Requester, Router, Echo),
        (Dealer, Requester, Rep, Echo),
    ]
};

/// Which of the newer types a world is of, if it is.
pub(crate) fn pairing(seed: u64) -> Option<Pairing> {
    let rng = &mut SmallRng::seed_from_u64(seed ^ STREAM);
    rng.random_ratio(1, ONE_IN)
        .then(|| PAIRINGS[rng.random_range(0..PAIRINGS.len())])
}

/// Whether such sockets can prove who they are, and meet by inproc. STREAM speaks with programs that know of neither, and
/// a requester's application does not look after its endpoints.
pub(crate) fn is_plain((kind, part, ..): Pairing) -> (bool, bool) {
    let is_bytes = kind == SocketType::Stream;
    (!is_bytes, !is_bytes && part != Part::Requester)
}

/// Takes back what a node was drawn that its type has not, or that its application does not see to.
pub(crate) fn settle(node: &mut Node) {
    let settings = &mut node.settings;
    if matches!(
        node.kind,
        SocketType::Radio | SocketType::Dish | SocketType::Stream | SocketType::Peer
    ) || node.part == Part::Requester
    {
        (settings.conflate, settings.conflate_topics) = (false, false);
    }
    if node.kind == SocketType::Stream {
        // Who is silent is found out by the system alone.
        settings.heartbeat = None;
    }
    if node.part == Part::Requester {
        // What does not come back has to be made anew by the application.
        node.has_home = false;
        let interval = settings.reconnect_interval;
        settings.reconnect_interval = interval.or(Some(Duration::from_millis(50)));
        if settings.reconnect_after_refusal.is_none() {
            settings.reconnect_after_refusal = settings.reconnect_interval;
        }
    }
}
