//! The sums: each message that `send` has taken is sent, queued, or dropped for one reason, and each that came was given to
//! the application, is queued, or dropped. What `close` reports is what was queued and has not been written since.

use purezmq::stats::SocketStats;

use super::Actor;
use crate::sockets::Socket;

impl Actor {
    /// Whether what is taken and given can be told from the socket's counters: publishers and subscribers have
    /// subscriptions, and a message is for many.
    fn has_sums(&self) -> bool {
        !self.is_publisher() && !self.is_subscriber()
    }

    /// Checks each direction by itself.
    pub(super) fn check_directions(&self, stats: &SocketStats) {
        if !self.has_sums() {
            return;
        }
        let dropped = &stats.dropped;
        let before_send =
            dropped.full + dropped.unroutable + dropped.expired + dropped.lost + dropped.unsent;
        let after_receipt = dropped.unread + dropped.discarded;
        // Either direction's.
        let conflated = dropped.conflated;
        let went = stats.sent.messages + stats.queued_to_send as u64 + before_send;
        // Probes are sent by the socket itself.
        let fits = match self.plan.settings.probe_router {
            true => self.accepted <= went + conflated,
            false => (went..=went + conflated).contains(&self.accepted),
        };
        if !fits {
            let accepted = self.accepted;
            self.fail(format_args!(
                "{accepted} taken, and {went} counted: {stats:?}"
            ));
        }
        if self.shared.inproc.is_some() {
            // What waits in the pipe is not received yet, and queued for both.
            return;
        }
        let given = self.received + stats.queued_to_receive as u64 + after_receipt;
        if !(given..=given + conflated).contains(&stats.received.messages) {
            let received = self.received;
            self.fail(format_args!(
                "{received} given, and {given} counted: {stats:?}"
            ));
        }
    }

    /// Closes a socket to its end, and checks what that reports.
    pub(super) async fn close(&mut self, socket: Socket) {
        let before = socket.stats();
        let host = (self.plan.host, self.life.into());
        let unsent = socket.together().close().await.unsent as u64;
        self.note("close", unsent, "has closed its socket");
        if !self.has_sums() || !self.has_messages_on_the_network() {
            return;
        }
        let queued = before.queued_to_send as u64;
        // What went with endpoints that were gone is reported once more.
        let most = queued + before.dropped.unsent;
        if self.shared.inproc.is_some() {
            // The peers still take what they can.
            if unsent > most {
                self.fail(format_args!("{unsent} unsent, of {before:?}"));
            }
            return;
        }
        let written = self.shared.network.totals(host.0, host.1).written - before.sent.messages;
        let fits = match self.plan.settings.probe_router {
            true => queued <= written + unsent,
            false => (queued..=most).contains(&(written + unsent)),
        };
        if !fits {
            self.fail(format_args!(
                "{queued} were queued, {written} written then, {unsent} unsent: {before:?}"
            ));
        }
    }
}
