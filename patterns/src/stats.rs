//! Counters: what a socket has sent, received, kept waiting and dropped, in all and for each peer.
//!
//! The sockets' `stats` takes a snapshot. Counting goes on all the time: by batch where messages come in
//! batches, and one by one only where a message is dropped. With the feature `serde` they can be written and read.

use std::ops::AddAssign;

use zmtp::{Metadata, SocketType};

use crate::endpoint::Endpoint;
use crate::peer_address::PeerAddress;
use crate::routing_id::RoutingId;

/// A snapshot of a socket's counters, made by its `stats`. Counters begin at zero with the socket and never go
/// back: what peers that have gone have added stays.
///
/// Counted are whole messages as they cross a connection, so subscriptions of SUB and XSUB, and what a connection
/// begins with (a probe, a welcome), are among them, and envelopes are part of the bytes.
///
/// No message is in two places, or in none. What `send` has taken, once for each peer that it is for, is `sent`,
/// `queued_to_send`, or dropped: `full`, `unroutable`, `expired`, `conflated`, `lost`, `unsent`. What was `received` was given to the
/// application, is `queued_to_receive`, or dropped: `conflated`, `unread`, `discarded`. (What `overflowed` was not received.) Of an inproc pipe, both sockets
/// count what is queued or conflated in it. A publisher follows the subscriptions that it receives, and gives none of
/// them, or others, to the application.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{PullSocket, PushSocket};
///
/// let mut pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let mut push = PushSocket::new();
/// push.connect(&endpoint)?;
/// push.send("hello").await?;
/// pull.recv().await?;
///
/// let stats = pull.stats();
/// assert_eq!((stats.received.messages, stats.received.bytes), (1, 2 + 5));
/// assert_eq!(stats.peers[0].endpoint.as_ref(), Some(&endpoint));
/// assert_eq!(stats.dropped.total(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct SocketStats {
    /// What was written to connections, or taken by the peer of an inproc pipe.
    pub sent: Traffic,
    /// What was read from connections, or taken from an inproc pipe, whether or not the application has received it.
    pub received: Traffic,
    /// Messages that wait to be sent now, with those that are being written.
    pub queued_to_send: usize,
    /// Messages that wait now for the application to receive them; of an XPUB with what it has heard while it sent.
    pub queued_to_receive: usize,
    /// Messages dropped, by reason.
    pub dropped: Dropped,
    /// How often an endpoint that this socket connects to was reached again after a connection to it had ended.
    pub reconnects: u64,
    /// Connections that ended before their handshake was through, on either side.
    pub handshake_failures: u64,
    /// Connections that were ended here, after their handshake, because of what the peer did: it went over a limit, broke
    /// the protocol, or did not keep up. The monitor says which.
    pub expelled: u64,
    /// Connections that had to wait for their routing id, because another connection of a ROUTER had it.
    pub duplicates: u64,
    /// How often a connection has taken its routing id from another one that was still there (`handover`).
    pub handovers: u64,
    /// The peers that are there now, and the endpoints that are being connected to, oldest first.
    pub peers: Vec<PeerStats>,
    /// What the socket is called (option `name`).
    pub name: Option<String>,
    /// The endpoints that the socket is bound and connected to, oldest first.
    pub endpoints: Vec<EndpointStats>,
}

/// A socket of a context, as [`Context::stats`](crate::Context::stats) finds it: what the socket itself says in its
/// `stats`, and what tells it from the others.
///
/// What an XPUB has heard while it sent is not among its `queued_to_receive` here: only its handle knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MemberStats {
    /// Tells it from all other sockets of the process, those that have ended as well. From 1 on, in the order in which they
    /// were made.
    pub number: u64,
    /// Its type.
    pub socket_type: SocketType,
    /// Whether it has ended, and lingers: it still sends what it had.
    pub is_ended: bool,
    /// The high-water mark for each peer of what waits to be sent. 0: there is none.
    pub send_hwm: usize,
    /// The high-water mark for each peer of what waits to be received. 0: there is none.
    pub recv_hwm: usize,
    /// How many peers there are: also where `stats.peers` is left out.
    pub peers: usize,
    /// Its counters, its endpoints and its peers.
    pub stats: SocketStats,
}

/// What has become of one endpoint, since it was bound or connected.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{MonitorEventKind, PushSocket};
///
/// let mut push = PushSocket::builder().name("orders").build()?;
/// let mut monitor = push.monitor();
/// push.connect("tcp://127.0.0.1:9")?; // nobody listens there
/// while !matches!(
///     monitor.recv().await.expect("the socket is open").kind,
///     MonitorEventKind::ConnectFailed(_)
/// ) {}
///
/// let stats = push.stats();
/// assert_eq!(stats.name.as_deref(), Some("orders"));
/// let endpoint = &stats.endpoints[0];
/// assert_eq!(endpoint.handshakes, 0, "it was never reached");
/// assert!(endpoint.failed_attempts > 0);
/// assert!(endpoint.last_error.as_ref().is_some_and(|text| text.contains("127.0.0.1:9")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct EndpointStats {
    /// As `bind` returned it, or as it was connected.
    pub endpoint: Option<Endpoint>,
    /// Whether the socket is bound there. Otherwise it is connected.
    pub is_bound: bool,
    /// Connections whose handshake was through. 0 at a connecting endpoint: it was never reached.
    pub handshakes: u64,
    /// How often a peer could not be reached, or a connection not be accepted: there was no connection then.
    pub failed_attempts: u64,
    /// Connections that ended before their handshake was through, on either side.
    pub handshake_failures: u64,
    /// Why the last of all these failed, or the last connection was ended here because of what the peer did, or the
    /// endpoint is gone. One line, of at most 256 characters. It stays when things go well
    /// again.
    pub last_error: Option<String>,
    /// Whether the endpoint is gone: its task has ended, though the socket has not let go of it.
    pub is_gone: bool,
}

/// The counters of one peer: of one connection if it was accepted, of one endpoint, over all connections to it, if
/// this socket connects to it (with the option `immediate`, of one connection as well).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct PeerStats {
    /// Tells it from all other peers of the process, those that have gone as well.
    pub number: u64,
    /// The type of its socket, if it has said so.
    pub socket_type: Option<SocketType>,
    /// The endpoint here that it came in at, or the one that is connected to.
    pub endpoint: Option<Endpoint>,
    /// Where it is. `None` while there is no connection.
    pub address: Option<PeerAddress>,
    /// The name by which a ROUTER knows it, or which it gives itself, if any.
    pub routing_id: Option<RoutingId>,
    /// As whom the authenticator has let it in, if it has said so.
    pub user_id: Option<String>,
    /// The properties that it has given itself and that the authenticator has added; empty if there are none but its
    /// socket type and routing id.
    pub properties: Metadata,
    /// As for the whole socket.
    pub sent: Traffic,
    /// As for the whole socket.
    pub received: Traffic,
    /// As for the whole socket.
    pub queued_to_send: usize,
    /// As for the whole socket.
    pub queued_to_receive: usize,
    /// What was dropped of what was on its way to or from this peer.
    pub dropped: Dropped,
    /// How often it was reached again, if this socket connects to it.
    pub reconnects: u64,
    /// Connections to it that ended before their handshake was through, if this socket connects to it.
    pub handshake_failures: u64,
}

/// How much has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// The bytes of their frames, headers included. What is sent counts as it goes over the wire, so encrypted where
    /// it is; what is received counts as decrypted.
    pub bytes: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }
}

/// Messages that were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Dropped {
    /// The peer's pipe had no room: for a slow subscriber, and for replies and messages of REP, ROUTER and XSUB. A
    /// message counts once for each peer that misses it.
    pub full: u64,
    /// Nobody had the name that ROUTER was to send to, or somebody else, or the peer that REP was to answer had gone. (A name
    /// without a message is no message, and is ignored.)
    pub unroutable: u64,
    /// They waited longer than `send_ttl`.
    pub expired: u64,
    /// A newer message took their place (`conflate`).
    pub conflated: u64,
    /// They were partly written when a connection broke, or the system refused to send the datagram: there is no way to
    /// its address.
    pub lost: u64,
    /// They were queued for a peer when it went for good, when somebody else came in its place, or the time to linger was
    /// over.
    pub unsent: u64,
    /// They were received, and dropped before the application took them: the endpoint was disconnected (those count, too,
    /// that come while the last messages to the peer are sent), the peer's routing id was another's, or a publisher
    /// was told too much.
    pub unread: u64,
    /// They were received and make no sense here: malformed envelopes, replies that nobody waits for any more, messages
    /// that a SUB is not subscribed to, what is for groups that a DISH has not joined, datagrams without a group, or larger
    /// than `max_message_size`, and what a PUB is sent that is no subscription.
    pub discarded: u64,
    /// Datagrams that had come to this machine and were never received: the system's buffer was full (`recv_buffer`), since
    /// the application, or this machine, was too slow for them. Linux tells how many; elsewhere it is 0. Of the whole socket
    /// only: no peer is known of them.
    pub overflowed: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Dropped {
            full,
            unroutable,
            expired,
            conflated,
            lost,
            unsent,
            unread,
            discarded,
            overflowed,
        } = self;
        full + unroutable + expired + conflated + lost + unsent + unread + discarded + overflowed
    }
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, more: Self) {
        self.full += more.full;
        self.unroutable += more.unroutable;
        self.expired += more.expired;
        self.conflated += more.conflated;
        self.lost += more.lost;
        self.unsent += more.unsent;
        self.unread += more.unread;
        self.discarded += more.discarded;
        self.overflowed += more.overflowed;
    }
}
