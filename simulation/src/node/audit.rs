//! What a socket says of itself, checked against what the application has counted and what the network has seen.

use purezmq::SocketType;
use purezmq::options::SlowSubscriber;
use purezmq::stats::SocketStats;

use super::Actor;

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
        if self.shared.inproc.is_some() {
            // What is in a pipe between two sockets is counted by both, and the marks of both hold together.
            return;
        }
        self.check_marks(&stats);
        self.check_sums(&stats);
        if !self.shared.encrypted {
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
            if receiving > highest_receiving && self.plan.kind != SocketType::Pub {
                self.fail(format_args!(
                    "{receiving} queued to receive, {highest_receiving} allowed"
                ));
            }
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
        if self.plan.kind == SocketType::Sub {
            let received = stats.received.messages;
            let seen = self.received + stats.queued_to_receive as u64;
            if seen > received || received > seen + dropped {
                self.fail(format_args!("{received} received, {seen} seen: {stats:?}"));
            }
        }
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

    /// Nothing is under way any more: what was read has been received.
    pub(super) fn audit_at_rest(&self) {
        let (Some(socket), None) = (&self.socket, &self.shared.inproc) else {
            return;
        };
        let stats = socket.stats();
        let totals = self.shared.network.totals(self.plan.host, self.life.into());
        let received = stats.received.messages;
        if !self.shared.encrypted && totals.ended == 0 && received != totals.read {
            self.fail(format_args!(
                "{received} received, and {} read",
                totals.read
            ));
        }
        if stats.queued_to_send > 0 {
            self.fail(format_args!("{} still to be sent", stats.queued_to_send));
        }
    }
}
