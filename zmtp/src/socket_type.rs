//! Socket types: the table of what the protocol has to know of each (RFC 37, "The Socket-Type Property"; RFC 23 and
//! 15 for older versions; RFC 41, 48, 49, 51, 52 for the later types).
//!
//! The engine reads the table and asks for no type by name. What a socket does with messages is none of this crate's
//! business: `purezmq` has a table of its own for that.

use std::fmt;
use std::str::FromStr;

/// Holds what the protocol has to know of a socket type: one row of the table.
struct Row {
    /// The name in the `Socket-Type` property.
    name: &'static str,
    /// The octet of a ZMTP 2.0 greeting.
    octet: u8,
    /// The types that it may talk to. The relation is symmetric.
    peers: &'static [SocketType],
    /// Whether READY carries an `Identity` property.
    announces_identity: bool,
    /// Which way its subscriptions go: messages of 01 or 00 and a topic.
    subscriptions: Flow,
    /// Which way the names of its groups go: messages of 01 or 00 and a group.
    groups: Flow,
}

/// Tells which side of a connection something comes from.
#[derive(Clone, Copy)]
enum Flow {
    /// There is no such thing.
    None,
    /// This side sends it.
    Sent,
    /// The peer sends it.
    Taken,
}

/// Stands for the octet that RFC 15 does not have for types younger than ZMTP 2.0, whose peers can't be that old; they
/// send this one, which no implementation checks.
const NO_OCTET: u8 = 0xff;

/// Completes the rows of types that are nothing special.
const PLAIN: Row = Row {
    name: "",
    octet: NO_OCTET,
    peers: &[],
    announces_identity: false,
    subscriptions: Flow::None,
    groups: Flow::None,
};

/// Makes the type and its table of one row for each type.
macro_rules! socket_types {
    ($($(#[$doc:meta])* $kind:ident = $row:expr;)*) => {
        /// Names the type of a ZeroMQ socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum SocketType {
            $($(#[$doc])* $kind,)*
        }

        impl SocketType {
            /// Lists all types there are.
            pub const ALL: [Self; TABLE.len()] = [$(Self::$kind),*];
        }

        /// Holds the rows in the order of the types.
        static TABLE: [Row; [$(stringify!($kind)),*].len()] = {
            use SocketType::*;
            [$($row),*]
        };
    };
}

socket_types! {
    /// One peer, both ways.
    Pair = Row { name: "PAIR", octet: 0, peers: &[Pair], ..PLAIN };
    /// Publishes to subscribers.
    Pub = Row { name: "PUB", octet: 1, peers: &[Sub, XSub], subscriptions: Flow::Taken, ..PLAIN };
    /// Subscribes to publishers.
    Sub = Row { name: "SUB", octet: 2, peers: &[Pub, XPub], subscriptions: Flow::Sent, ..PLAIN };
    /// Asks, then waits for the answer.
    Req = Row { name: "REQ", octet: 3, peers: &[Rep, Router], announces_identity: true, ..PLAIN };
    /// Answers each request.
    Rep = Row { name: "REP", octet: 4, peers: &[Req, Dealer], ..PLAIN };
    /// Sends in turn to all peers, without waiting for answers.
    Dealer = Row { name: "DEALER", octet: 5, peers: &[Rep, Dealer, Router], announces_identity: true, ..PLAIN };
    /// Sends to a peer by its routing id.
    Router = Row { name: "ROUTER", octet: 6, peers: &[Req, Dealer, Router], announces_identity: true, ..PLAIN };
    /// Receives from pushers.
    Pull = Row { name: "PULL", octet: 7, peers: &[Push], ..PLAIN };
    /// Sends in turn to pullers.
    Push = Row { name: "PUSH", octet: 8, peers: &[Pull], ..PLAIN };
    // The two that RFC 15 does not know speak as PUB and SUB.
    /// PUB that sees the subscriptions.
    XPub = Row { name: "XPUB", octet: 1, peers: &[Sub, XSub], subscriptions: Flow::Taken, ..PLAIN };
    /// SUB that sends subscriptions as messages.
    XSub = Row { name: "XSUB", octet: 2, peers: &[Pub, XPub], subscriptions: Flow::Sent, ..PLAIN };
    /// Many clients, one frame a message, addressed.
    Server = Row { name: "SERVER", peers: &[Client], ..PLAIN };
    /// Talks to servers, one frame a message.
    Client = Row { name: "CLIENT", peers: &[Server], ..PLAIN };
    /// Publishes to groups.
    Radio = Row { name: "RADIO", peers: &[Dish], groups: Flow::Taken, ..PLAIN };
    /// Joins groups.
    Dish = Row { name: "DISH", peers: &[Radio], groups: Flow::Sent, ..PLAIN };
    /// PULL of one frame a message.
    Gather = Row { name: "GATHER", peers: &[Scatter], ..PLAIN };
    /// PUSH of one frame a message.
    Scatter = Row { name: "SCATTER", peers: &[Gather], ..PLAIN };
    /// UDP datagrams; has a name, but never speaks ZMTP.
    Dgram = Row { name: "DGRAM", peers: &[Dgram], ..PLAIN };
    /// Bytes as they come, of peers with names; never speaks ZMTP.
    Stream = Row { name: "STREAM", peers: &[Stream], ..PLAIN };
    /// Many equals, addressed, one frame a message.
    Peer = Row { name: "PEER", peers: &[Peer], ..PLAIN };
    /// PAIR of one frame a message.
    Channel = Row { name: "CHANNEL", peers: &[Channel], ..PLAIN };
}

impl SocketType {
    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Returns the name as it stands in the `Socket-Type` property.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the types that a socket of this type may talk to.
    #[must_use]
    pub const fn peers(self) -> &'static [Self] {
        self.row().peers
    }

    /// Returns whether a socket of this type may talk to one of type `peer`. Symmetric.
    #[must_use]
    pub const fn accepts(self, peer: Self) -> bool {
        let peers = self.peers();
        let mut at = 0;
        while at < peers.len() {
            if peers[at] as usize == peer as usize {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Returns whether READY carries an `Identity` property for this type.
    #[must_use]
    pub const fn announces_identity(self) -> bool {
        self.row().announces_identity
    }

    /// Returns whether this type receives subscriptions.
    #[must_use]
    pub const fn takes_subscriptions(self) -> bool {
        matches!(self.row().subscriptions, Flow::Taken)
    }

    /// Returns whether this type sends subscriptions.
    #[must_use]
    pub const fn sends_subscriptions(self) -> bool {
        matches!(self.row().subscriptions, Flow::Sent)
    }

    /// Returns whether peers tell this type the groups that they join and leave.
    #[must_use]
    pub const fn takes_groups(self) -> bool {
        matches!(self.row().groups, Flow::Taken)
    }

    /// Returns whether this type tells its peers the groups that it joins and leaves.
    #[must_use]
    pub const fn sends_groups(self) -> bool {
        matches!(self.row().groups, Flow::Sent)
    }

    /// Returns the octet of a ZMTP 2.0 greeting.
    pub(crate) const fn octet(self) -> u8 {
        self.row().octet
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says that a name is no socket type's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no socket type has this name; names are in capitals, as PUB or DEALER")]
pub struct UnknownSocketType;

impl FromStr for SocketType {
    type Err = UnknownSocketType;

    fn from_str(name: &str) -> Result<Self, UnknownSocketType> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownSocketType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_are_case_sensitive() {
        for kind in SocketType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(
                kind.name().to_lowercase().parse::<SocketType>(),
                Err(UnknownSocketType)
            );
        }
    }

    #[test]
    fn compatibility_is_symmetric_and_every_type_has_a_peer() {
        for a in SocketType::ALL {
            assert!(SocketType::ALL.into_iter().any(|b| a.accepts(b)), "{a}");
            for b in SocketType::ALL {
                assert_eq!(a.accepts(b), b.accepts(a), "{a} {b}");
            }
        }
    }

    #[test]
    fn compatibility_has_exactly_the_pairs_of_the_standard() {
        let pairs = SocketType::ALL
            .into_iter()
            .flat_map(|a| SocketType::ALL.into_iter().map(move |b| (a, b)))
            .filter(|(a, b)| a.accepts(*b))
            .count();
        // By rows of the RFC's table: PAIR, REQ, REP, DEALER, ROUTER, PUB and XPUB, SUB and XSUB,
        // PUSH and PULL, CLIENT and SERVER, RADIO and DISH, SCATTER and GATHER; DGRAM, STREAM,
        // PEER and CHANNEL.
        assert_eq!(
            pairs,
            1 + 2 + 2 + 3 + 3 + 4 + 4 + 2 + 2 + 2 + 2 + 1 + 1 + 1 + 1
        );
    }
}
