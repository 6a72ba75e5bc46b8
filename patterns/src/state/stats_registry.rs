//! The registry of statistics: a socket's counters. Pipes are entered when they are made, by whoever makes them; sessions
//! say who is at the other end; the handle takes snapshots.
//!
//! A pipe counts in its lanes' counters, which the registry keeps beyond the pipe, so nothing is lost or counted twice
//! whenever a snapshot is taken. Entries of pipes that are gone are summed up now and then, before they are more
//! than those that are there.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::time::Instant;
use zmtp::Message;

use crate::endpoint::Endpoint;
use crate::peer::Peer;
use crate::peer_address::PeerAddress;
use crate::pipe::{Coming, LaneCounts, LaneView, Linger, PipeId, PipeRegistry};
use crate::routing_id::{Identity, RoutingId};
use crate::stats::{Dropped, PeerStats, SocketStats, Traffic};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::transport::Mailbox;

/// Entries of pipes that are gone may be as many as those that are there, and these.
const SLACK: usize = 16;

/// One for each socket.
#[derive(Debug, Default)]
pub(crate) struct StatsRegistry {
    entries: Mutex<Entries>,
    /// What no pipe counts.
    pub(crate) unroutable: Counter,
    pub(crate) discarded: Counter,
    pub(crate) unheard: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) handshake_failures: Counter,
    pub(crate) expelled: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) handovers: Counter,
    mailboxes: Mutex<Mailboxes>,
}

/// Where the system itself counts what it has thrown away.
#[derive(Debug, Default)]
struct Mailboxes {
    open: Vec<Weak<dyn Mailbox>>,
    /// What it had counted at those that are closed.
    overflowed: u64,
}

/// A number that several threads may add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Entries {
    /// By the order in which they came.
    pipes: BTreeMap<PipeId, Entry>,
    /// The sum of those that were here and are gone.
    gone: Gone,
    /// What of that was dropped of what was to be sent.
    gone_unsent: u64,
    /// With so many, it is time to look which are gone.
    look_at: usize,
    /// Pipes that have gone since it was looked.
    gone_since: usize,
}

#[derive(Debug, Default)]
struct Gone {
    sent: Traffic,
    received: Traffic,
    dropped: Dropped,
}

#[derive(Debug)]
struct Entry {
    outgoing: LaneView,
    incoming: LaneView,
    record: PeerRecord,
}

/// What is known of a pipe's other end.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerRecord {
    pub(crate) endpoint: Option<Endpoint>,
    /// Whoever is there, or was there last.
    pub(crate) peer: Option<Arc<Peer>>,
    pub(crate) is_connected: bool,
    pub(crate) reconnects: u64,
    pub(crate) handshake_failures: u64,
}

/// What is left of one pipe's messages.
#[derive(Debug)]
pub(crate) struct LeftInPipe {
    pub(crate) endpoint: Option<Endpoint>,
    /// Of a peer that was there.
    pub(crate) address: Option<PeerAddress>,
    pub(crate) routing_id: Option<RoutingId>,
    /// In the queue when it ended, and in it now.
    pub(crate) unsent: usize,
    pub(crate) queued_to_send: usize,
    /// Of a pipe of inproc, what is not read is the other side's, and unsent.
    pub(crate) unread: usize,
    pub(crate) queued_to_receive: usize,
}

impl PipeRegistry for StatsRegistry {
    fn add(&self, id: PipeId, outgoing: LaneView, incoming: LaneView) {
        let mut entries = self.entries.lock();
        let entry = Entry {
            outgoing,
            incoming,
            record: PeerRecord::default(),
        };
        entries.pipes.insert(id, entry);
        if entries.pipes.len() >= entries.look_at {
            entries.sum_up();
        }
    }
}

impl StatsRegistry {
    /// Notes that so many pipes have gone: what was counted by them is summed up when they are as many as those that are
    /// there, or nearly so.
    pub(crate) fn note_gone(&self, pipes: usize) {
        let mut entries = self.entries.lock();
        entries.gone_since += pipes;
        if entries.gone_since > SLACK && 2 * entries.gone_since >= entries.pipes.len() {
            entries.sum_up();
        }
    }

    /// Changes what is known of a pipe's other end. Pipes that no socket has are not in the registry.
    pub(crate) fn update(&self, id: PipeId, tell: impl FnOnce(&mut PeerRecord)) {
        if let Some(entry) = self.entries.lock().pipes.get_mut(&id) {
            tell(&mut entry.record);
        }
    }

    /// Returns a pipe to a peer of this identity, which is there now and has a name.
    pub(crate) fn find(&self, identity: Identity) -> Option<PipeId> {
        let entries = self.entries.lock();
        let found = entries.pipes.iter().find(|(_, entry)| {
            let record = &entry.record;
            let peer = record.peer.as_ref().filter(|_| record.is_connected);
            peer.is_some_and(|peer| peer.identity == identity && peer.routing_id.is_some())
                && entry.outgoing.is_read()
        });
        found.map(|(id, _)| *id)
    }

    /// Returns whether somebody reads what is sent by a pipe, or may come to read it.
    pub(crate) fn is_read(&self, id: PipeId) -> bool {
        let entries = self.entries.lock();
        let entry = entries.pipes.get(&id);
        entry.is_some_and(|entry| entry.outgoing.is_read())
    }

    /// Changes the high-water marks of all pipes.
    pub(crate) fn set_hwms(&self, send: usize, recv: usize) {
        for (id, entry) in &self.entries.lock().pipes {
            entry.outgoing.set_writer_hwm(*id, send);
            entry.incoming.set_reader_hwm(*id, recv);
        }
    }

    /// Has a pipe's connection look at that time whether it is to end.
    pub(crate) fn end_at(&self, id: PipeId, time: Instant) {
        if let Some(entry) = self.entries.lock().pipes.get(&id) {
            entry.outgoing.end_at(id, time);
        }
    }

    /// Has all pipes take no new work. Ahead of that, peers hear of changes of the subscriptions.
    pub(crate) fn drain(&self, changes: &[Message]) {
        for (id, entry) in &self.entries.lock().pipes {
            entry.drain(*id, changes);
        }
    }

    /// Has one pipe take no new work.
    pub(crate) fn drain_one(&self, id: PipeId) {
        if let Some(entry) = self.entries.lock().pipes.get(&id) {
            entry.drain(id, &[]);
        }
    }

    /// Returns what may still come to a socket that takes no new work, and a number that changes with what has come.
    pub(crate) fn coming(&self) -> (Coming, u64) {
        let entries = self.entries.lock();
        let mut all = (Coming::Nothing, entries.gone.received.messages);
        for (id, entry) in &entries.pipes {
            if entry.record.is_connected {
                all.0 = all.0.max(entry.incoming.coming());
            }
            all.1 += entry.incoming.received(*id).traffic.messages;
        }
        all
    }

    /// Counts what the peers that are there were given beyond what has come from them and was received.
    pub(crate) fn owed(&self) -> u64 {
        let entries = self.entries.lock();
        let live = entries.pipes.values().filter(|one| one.outgoing.is_read());
        live.map(|one| one.outgoing.given().saturating_sub(one.incoming.done()))
            .sum()
    }

    /// Ends all pipes for the socket, which may still hold them: what is queued lingers.
    pub(crate) fn hurry(&self, linger: &Linger) {
        for (id, entry) in &self.entries.lock().pipes {
            entry.outgoing.hurry(*id, linger);
        }
    }

    /// Has all connections write what they can at once.
    pub(crate) fn drive(&self) {
        let entries = self.entries.lock();
        let connections = entries
            .pipes
            .values()
            .filter_map(|one| one.outgoing.connection());
        let connections: Vec<_> = connections.collect();
        drop(entries);
        for connection in connections {
            connection.drive();
        }
    }

    /// Returns what is left of each pipe.
    pub(crate) fn left(&self) -> impl Iterator<Item = (PipeId, LeftInPipe)> + use<> {
        let entries = self.entries.lock();
        let left = entries
            .pipes
            .iter()
            .map(|(id, entry)| (*id, entry.left(*id)));
        left.collect::<Vec<_>>().into_iter()
    }

    /// Returns what was dropped so far.
    pub(crate) fn dropped(&self) -> Dropped {
        let entries = self.entries.lock();
        let mut dropped = entries.gone.dropped;
        for (id, entry) in &entries.pipes {
            dropped += entry.outgoing.sent(*id).dropped;
            dropped += entry.incoming.received(*id).dropped;
        }
        drop(entries);
        self.complete(&mut dropped);
        dropped
    }

    /// Counts what pipes have dropped of what was to be sent by them, for whatever reason.
    pub(crate) fn not_sent(&self) -> u64 {
        let entries = self.entries.lock();
        let pipes = entries.pipes.iter();
        let dropped = pipes.map(|(id, entry)| entry.outgoing.sent(*id).dropped.total());
        entries.gone_unsent + dropped.sum::<u64>()
    }

    /// Counts the messages that wait for a session to send them, and those that wait for somebody to bind an inproc name.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        let pipes = entries.pipes.values().map(|entry| entry.outgoing.waiting());
        pipes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// Adds what a pipe has received that no socket was given.
    pub(crate) fn add_ignored(&self, ignored: LaneCounts) {
        let gone = &mut self.entries.lock().gone;
        gone.received += ignored.traffic;
        gone.dropped += ignored.dropped;
    }

    /// Counts what the system throws away at a mailbox, from now on.
    pub(crate) fn open_mailbox(&self, mailbox: &Arc<dyn Mailbox>) {
        self.mailboxes.lock().open.push(Arc::downgrade(mailbox));
    }

    /// Keeps what it has thrown away at a mailbox that is about to be closed.
    pub(crate) fn close_mailbox(&self, mailbox: &Arc<dyn Mailbox>) {
        let mut mailboxes = self.mailboxes.lock();
        let before = mailboxes.open.len();
        let it = Arc::downgrade(mailbox);
        mailboxes.open.retain(|one| !one.ptr_eq(&it));
        if mailboxes.open.len() < before {
            mailboxes.overflowed += mailbox.overflowed();
        }
    }

    fn overflowed(&self) -> u64 {
        let mailboxes = self.mailboxes.lock();
        let open = mailboxes.open.iter().filter_map(Weak::upgrade);
        mailboxes.overflowed + open.map(|one| one.overflowed()).sum::<u64>()
    }

    fn complete(&self, dropped: &mut Dropped) {
        dropped.unroutable += self.unroutable.get();
        dropped.discarded += self.discarded.get();
        dropped.unread += self.unheard.get();
        dropped.overflowed += self.overflowed();
    }

    /// Returns all counters.
    pub(crate) fn snapshot(&self) -> SocketStats {
        let mut peers = Vec::new();
        let mut stats = self.totals(|entry, mut peer| {
            entry.describe(&mut peer);
            peers.push(peer);
        });
        stats.peers = peers;
        stats
    }

    /// Returns all counters but those of each peer, and how many peers there are: nothing is allocated for each of them.
    pub(crate) fn counted(&self) -> (SocketStats, usize) {
        let mut peers = 0;
        let stats = self.totals(|_, _| peers += 1);
        (stats, peers)
    }

    /// Returns all counters but those of each peer. What the peers have counted that are there now is shown to `peer`.
    fn totals(&self, mut peer: impl FnMut(&Entry, PeerStats)) -> SocketStats {
        let entries = self.entries.lock();
        let Gone {
            sent,
            received,
            dropped,
        } = entries.gone;
        let mut stats = SocketStats {
            sent,
            received,
            dropped,
            ..SocketStats::default()
        };
        for (id, entry) in &entries.pipes {
            let counted = entry.counted(*id);
            stats.sent += counted.sent;
            stats.received += counted.received;
            stats.queued_to_send += counted.queued_to_send;
            stats.queued_to_receive += counted.queued_to_receive;
            stats.dropped += counted.dropped;
            if entry.outgoing.is_read() {
                peer(entry, counted);
            }
        }
        drop(entries);
        self.complete(&mut stats.dropped);
        stats.reconnects = self.reconnects.get();
        stats.handshake_failures = self.handshake_failures.get();
        stats.expelled = self.expelled.get();
        stats.duplicates = self.duplicates.get();
        stats.handovers = self.handovers.get();
        stats
    }
}

impl Entries {
    /// Adds up the entries of pipes that are gone.
    fn sum_up(&mut self) {
        let gone = &mut self.gone;
        self.pipes.retain(|id, entry| {
            if entry.outgoing.is_there() || entry.incoming.is_there() {
                // Of what a peer has left, one direction is there, and may be for long.
                entry.outgoing.let_go();
                return true;
            }
            let (sent, received) = (entry.outgoing.sent(*id), entry.incoming.received(*id));
            gone.sent += sent.traffic;
            gone.received += received.traffic;
            gone.dropped += sent.dropped;
            gone.dropped += received.dropped;
            self.gone_unsent += sent.dropped.total();
            false
        });
        self.look_at = 2 * self.pipes.len() + SLACK;
        self.gone_since = 0;
    }
}

impl Entry {
    fn drain(&self, id: PipeId, changes: &[Message]) {
        self.outgoing.tell_draining(id, changes);
        self.incoming.hold_back(id);
    }

    fn left(&self, id: PipeId) -> LeftInPipe {
        let mut stats = self.counted(id);
        self.describe(&mut stats);
        let count = |messages: u64| usize::try_from(messages).unwrap_or(usize::MAX);
        LeftInPipe {
            endpoint: stats.endpoint,
            address: stats.address.or_else(|| {
                let peer = self.record.peer.as_ref()?;
                Some(peer.address.clone())
            }),
            routing_id: stats.routing_id,
            unsent: count(stats.dropped.unsent),
            queued_to_send: stats.queued_to_send,
            unread: count(stats.dropped.unread),
            queued_to_receive: match self.incoming.is_inproc() {
                true => 0,
                false => stats.queued_to_receive,
            },
        }
    }

    /// Returns what was counted of the peer, and nothing of who it is.
    fn counted(&self, id: PipeId) -> PeerStats {
        let (sent, received) = (self.outgoing.sent(id), self.incoming.received(id));
        let mut dropped = sent.dropped;
        dropped += received.dropped;
        PeerStats {
            number: id.number(),
            sent: sent.traffic,
            received: received.traffic,
            queued_to_send: sent.queued,
            queued_to_receive: received.queued,
            dropped,
            reconnects: self.record.reconnects,
            handshake_failures: self.record.handshake_failures,
            ..PeerStats::default()
        }
    }

    /// Says who it is.
    fn describe(&self, stats: &mut PeerStats) {
        let record = &self.record;
        stats.endpoint.clone_from(&record.endpoint);
        let name = self.incoming.writer().filter(|name| !name.is_empty());
        stats.routing_id = name;
        let Some(peer) = &record.peer else {
            return;
        };
        stats.socket_type = peer.socket_type;
        stats.address = record.is_connected.then(|| peer.address.clone());
        if stats.routing_id.is_none() {
            stats.routing_id.clone_from(&peer.routing_id);
        }
        stats.user_id.clone_from(&peer.user_id);
        stats.properties = peer.properties.clone();
    }
}
