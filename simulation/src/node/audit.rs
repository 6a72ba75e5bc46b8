//! What a socket says of itself, checked against what the application has counted and what the network has seen.

use std::collections::BTreeSet;

use purezmq::SocketType;
use purezmq::options::SlowSubscriber;
use purezmq::stats::SocketStats;

use super::Actor;
use crate::hostile;

impl Actor {
    /// Checks that the high-water marks hold, and that nothing is lost without being counted.
    pub(super) fn audit(&self) {
        let Some(socket) = &self.socket else {
            return;
        };
        let stats = socket.stats();
        let numbers = [
            self.plan.host.into(),
            stats.sent.messages,
            stats.received.messages,
        ];
        self.shared.world.note("audit", numbers, || {
            format!("host {}: {stats:?}", self.plan.host)
        });
        self.check_directions(&stats);
        self.check_numbers(&stats);
        if self.shared.inproc.is_some() {
            // What is in a pipe between two sockets is counted by both, and the marks of both hold together.
            return;
        }
        self.check_marks(&stats);
        self.check_sums(&stats);
        if self.has_messages_on_the_network() {
            self.check_network(&stats);
        }
    }

    fn check_marks(&self, stats: &SocketStats) {
        let settings = &self.plan.settings;
        if settings.conflate {
            return;
        }
        let (highest_sending, highest_receiving) = self.highest;
        // Subscriptions are sent whatever the mark says.
        let limits_sending = !self.is_subscriber();
        // One that takes the place of the oldest may come when all are being written.
        let beyond = usize::from(settings.slow_subscriber == SlowSubscriber::DropOldest);
        for peer in &stats.peers {
            let (sending, receiving) = (peer.queued_to_send, peer.queued_to_receive);
            if limits_sending && sending > highest_sending.saturating_add(beyond) {
                self.fail(format_args!(
                    "{sending} queued to send, {highest_sending} allowed"
                ));
            }
            let hears_topics = matches!(self.plan.kind, SocketType::Pub | SocketType::Radio);
            if receiving > highest_receiving && !hears_topics {
                self.fail(format_args!(
                    "{receiving} queued to receive, {highest_receiving} allowed"
                ));
            }
        }
    }

    /// No counter has gone below zero.
    fn check_numbers(&self, stats: &SocketStats) {
        let mut numbers = vec![
            stats.queued_to_send as u64,
            stats.queued_to_receive as u64,
            stats.dropped.total(),
            stats.sent.messages,
            stats.received.messages,
            stats.received.bytes,
        ];
        for peer in &stats.peers {
            numbers.extend([peer.queued_to_send as u64, peer.queued_to_receive as u64]);
            numbers.extend([peer.dropped.total(), peer.received.bytes]);
        }
        if numbers.iter().any(|number| *number > 1 << 40) {
            self.fail(format_args!("no such numbers can be: {stats:?}"));
        }
    }

    /// What came in is what went out, is queued, or was dropped.
    fn check_sums(&self, stats: &SocketStats) {
        let dropped = stats.dropped.total();
        let queued = (stats.queued_to_send + stats.queued_to_receive) as u64;
        let came = self.accepted + stats.received.messages;
        let went = stats.sent.messages + self.received + queued + dropped;
        let is_exact = matches!(
            self.plan.kind,
            SocketType::Push
                | SocketType::Pull
                | SocketType::Scatter
                | SocketType::Gather
                | SocketType::Client
                | SocketType::Server
                | SocketType::Channel
                | SocketType::Peer
                | SocketType::Stream
                | SocketType::Dealer
                | SocketType::Router
                | SocketType::Req
                | SocketType::Rep
                | SocketType::Pair
        );
        // Probes are sent by the socket itself.
        let is_right = if self.plan.settings.probe_router {
            came <= went
        } else {
            came == went
        };
        if is_exact && !is_right {
            self.fail(format_args!(
                "{came} messages came ({} by send), {went} went ({} by recv): {stats:?}",
                self.accepted, self.received
            ));
        }
        if matches!(self.plan.kind, SocketType::Sub | SocketType::Dish) {
            let received = stats.received.messages;
            let seen = self.received + stats.queued_to_receive as u64;
            if seen > received || received > seen + dropped {
                self.fail(format_args!("{received} received, {seen} seen: {stats:?}"));
            }
        }
    }

    /// Whether messages can be told on the network.
    pub(super) fn has_messages_on_the_network(&self) -> bool {
        !self.shared.encrypted && self.plan.kind != SocketType::Stream
    }

    /// The counters are what has passed on the network.
    fn check_network(&self, stats: &SocketStats) {
        let totals = self.shared.network.totals(self.plan.host, self.life.into());
        let (sent, received) = (stats.sent.messages, stats.received.messages);
        if sent != totals.written {
            self.fail(format_args!("{sent} sent, and {} written", totals.written));
        }
        if received > totals.read {
            self.fail(format_args!(
                "{received} received, and {} read",
                totals.read
            ));
        }
    }

    /// Of peers that have gone, nothing is left: those that are there are the honest ones.
    fn check_peers(&self, stats: &SocketStats) {
        if self.plan.kind == SocketType::Req {
            // It reads only when it has asked, and does not see who has gone.
            return;
        }
        for peer in &stats.peers {
            let host = peer.address.as_ref().and_then(|address| address.ip());
            let number = match host {
                Some(std::net::IpAddr::V4(ip)) => ip.octets()[3],
                _ => continue,
            };
            if number >= hostile::FIRST {
                self.fail(format_args!(
                    "host {number} has gone, and is kept: {peer:?}"
                ));
            }
        }
    }

    /// What publishers know of is what those who are there have subscribed to.
    pub(super) fn audit_topics(&mut self) {
        if !self.is_publisher() || self.plan.has_company {
            return;
        }
        let topics = self.shared.topics.lock();
        let mut wanted = BTreeSet::new();
        for peer in &self.plan.peers {
            let its = topics.get(peer).filter(|its| !its.is_empty());
            match its {
                Some(its) => wanted.extend(its.iter().copied()),
                // Who wants nothing says nothing, and what was said before at its address counts.
                None if self.plan.connects.contains(peer) => return,
                None => {}
            }
        }
        drop(topics);
        let count = self.socket().topics();
        if count != wanted.len() {
            self.fail(format_args!(
                "{count} topics are known when all is well, and {wanted:?} are wanted"
            ));
        }
    }

    /// Publishers have no more topics than all may have.
    pub(super) fn audit_limits(&mut self) {
        let limit = self.plan.settings.max_all_subscriptions;
        if let (Some(limit), true) = (limit, self.is_publisher()) {
            let count = self.socket().topics();
            // What those had who were sent away is taken off by the calls that follow.
            self.over_limit = match count > limit && !self.plan.settings.manual {
                true => self.over_limit + 1,
                false => 0,
            };
            if self.over_limit > 20 {
                self.fail(format_args!("{count} topics are known, {limit} allowed"));
            }
        }
    }

    /// Nothing is under way any more: what was read has been received.
    pub(super) fn audit_at_rest(&self) {
        let (Some(socket), None) = (&self.socket, &self.shared.inproc) else {
            return;
        };
        let stats = socket.stats();
        let totals = self.shared.network.totals(self.plan.host, self.life.into());
        let received = stats.received.messages;
        if self.has_messages_on_the_network() && totals.ended == 0 && received != totals.read {
            self.fail(format_args!(
                "{received} received, and {} read",
                totals.read
            ));
        }
        self.check_peers(&stats);
        if stats.queued_to_send > 0 {
            self.fail(format_args!("{} still to be sent", stats.queued_to_send));
        }
    }
}
