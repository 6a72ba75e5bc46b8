//! Socket types: their names on the wire, and who may talk to whom (RFC 37, "The Socket-Type
//! Property").
//!
//! [`crate::Connection`] checks the peer's type with [`SocketType::accepts`]; what a socket
//! does with messages is none of this crate's business.

use std::fmt;
use std::str::FromStr;

/// The type of a ZeroMQ socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SocketType {
    /// One peer, both ways.
    Pair,
    /// Publishes to subscribers.
    Pub,
    /// Subscribes to publishers.
    Sub,
    /// Asks, then waits for the answer.
    Req,
    /// Answers each request.
    Rep,
    /// Sends in turn to all peers, without waiting for answers.
    Dealer,
    /// Sends to a peer by its routing id.
    Router,
    /// Receives from pushers.
    Pull,
    /// Sends in turn to pullers.
    Push,
    /// PUB that sees the subscriptions.
    XPub,
    /// SUB that sends subscriptions as messages.
    XSub,
    /// Many clients, one frame a message, addressed.
    Server,
    /// Talks to servers, one frame a message.
    Client,
    /// Publishes to groups.
    Radio,
    /// Joins groups.
    Dish,
    /// PULL of one frame a message.
    Gather,
    /// PUSH of one frame a message.
    Scatter,
    /// UDP datagrams; has a name, but never speaks ZMTP.
    Dgram,
    /// Many equals, addressed, one frame a message.
    Peer,
    /// PAIR of one frame a message.
    Channel,
}

impl SocketType {
    /// All types there are.
    pub const ALL: [Self; 20] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::XPub,
        Self::XSub,
        Self::Server,
        Self::Client,
        Self::Radio,
        Self::Dish,
        Self::Gather,
        Self::Scatter,
        Self::Dgram,
        Self::Peer,
        Self::Channel,
    ];

    /// The name as it stands in the `Socket-Type` property.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Radio => "RADIO",
            Self::Dish => "DISH",
            Self::Gather => "GATHER",
            Self::Scatter => "SCATTER",
            Self::Dgram => "DGRAM",
            Self::Peer => "PEER",
            Self::Channel => "CHANNEL",
        }
    }

    /// Whether a socket of this type may talk to one of type `peer`. Symmetric.
    #[must_use]
    pub const fn accepts(self, peer: Self) -> bool {
        use SocketType as T;
        matches!(
            (self, peer),
            (T::Pair, T::Pair)
                | (T::Req, T::Rep | T::Router)
                | (T::Rep, T::Req | T::Dealer)
                | (T::Dealer, T::Rep | T::Dealer | T::Router)
                | (T::Router, T::Req | T::Dealer | T::Router)
                | (T::Pub | T::XPub, T::Sub | T::XSub)
                | (T::Sub | T::XSub, T::Pub | T::XPub)
                | (T::Push, T::Pull)
                | (T::Pull, T::Push)
                | (T::Client, T::Server)
                | (T::Server, T::Client)
                | (T::Radio, T::Dish)
                | (T::Dish, T::Radio)
                | (T::Scatter, T::Gather)
                | (T::Gather, T::Scatter)
                | (T::Dgram, T::Dgram)
                | (T::Peer, T::Peer)
                | (T::Channel, T::Channel)
        )
    }

    /// Whether READY carries an `Identity` property for this type.
    #[must_use]
    pub const fn announces_identity(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }

    /// Whether this type receives subscriptions.
    #[must_use]
    pub const fn takes_subscriptions(self) -> bool {
        matches!(self, Self::Pub | Self::XPub)
    }

    /// Whether this type sends subscriptions.
    #[must_use]
    pub const fn sends_subscriptions(self) -> bool {
        matches!(self, Self::Sub | Self::XSub)
    }

    /// The octet of a ZMTP 2.0 greeting. RFC 15 has none for XPUB and XSUB, which speak as PUB
    /// and SUB, and none for the later types, whose peers can't be that old; they send 0xFF,
    /// which no implementation checks.
    pub(crate) const fn octet(self) -> u8 {
        match self {
            Self::Pair => 0,
            Self::Pub | Self::XPub => 1,
            Self::Sub | Self::XSub => 2,
            Self::Req => 3,
            Self::Rep => 4,
            Self::Dealer => 5,
            Self::Router => 6,
            Self::Pull => 7,
            Self::Push => 8,
            _ => 0xff,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no socket type's.
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
        // PUSH and PULL, CLIENT and SERVER, RADIO and DISH, SCATTER and GATHER; DGRAM, PEER and
        // CHANNEL.
        assert_eq!(pairs, 1 + 2 + 2 + 3 + 3 + 4 + 4 + 2 + 2 + 2 + 2 + 1 + 1 + 1);
    }
}
