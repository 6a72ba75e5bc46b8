//! What `close` left behind, of a socket and of a context.

use zmtp::SocketType;

use crate::endpoint::Endpoint;
use crate::peer_address::PeerAddress;
use crate::routing_id::RoutingId;

/// What `close` left behind: its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Messages that were accepted by `send`, and had not been handed to the operating system whole, or to an inproc peer,
    /// when `linger` ended or their endpoint was gone. They are gone; but for those that wait for somebody to bind an inproc
    /// name, who still gets them. So each message that was [queued](crate::stats::SocketStats::queued_to_send) at the
    /// close has been sent, or is counted here, whatever has become of its peer. What was dropped before is in
    /// [`stats`](crate::Socket::stats) only: what peers had left that went of their own accord, and what was left of
    /// endpoints that were disconnected or unbound.
    pub unsent: usize,
    /// Messages that had been received and that nobody took before the close: they are gone. Of an inproc pipe, only what
    /// this side had taken out of it: the rest is unsent, at the peer.
    pub unread: usize,
}

/// What [`Context::close`](crate::Context::close) left behind: its report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContextReport {
    /// Messages that `send` had accepted and that nobody will get: they had not been handed to the operating system
    /// whole, or an inproc peer had not received them.
    pub unsent: usize,
    /// Messages that had come from other processes, or other contexts, and that nobody has received. Of a socket whose
    /// handle was not used since, those count, too, that it had taken within the last half of `recv_hwm`, since it has
    /// not said so yet. A publisher's are subscriptions: they are not counted.
    pub unread: usize,
    /// Whom they were for, or from: an entry for each peer with which something was left.
    pub peers: Vec<LeftAtPeer>,
}

/// What was left of the messages for a peer, or from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftAtPeer {
    /// The type of our socket.
    pub socket_type: SocketType,
    /// Our endpoint: as it was connected, or as `bind` returned it.
    pub endpoint: Option<Endpoint>,
    /// Where the peer was, if it was there.
    pub address: Option<PeerAddress>,
    /// The peer's routing id, if it had one.
    pub routing_id: Option<RoutingId>,
    /// Messages that it did not get.
    pub unsent: usize,
    /// Messages from it that were not received.
    pub unread: usize,
}
