//! What a socket type is able to do, as far as options depend on it.
//!
//! Each option names one [`Capability`]. The builder's methods ask for the trait of the same name, so that an option
//! that means nothing to a socket type does not compile; [`capabilities`] says the same about a type that is a value.

use zmtp::SocketType;

/// What a socket type must be able to do to have an option. The traits of the builder's methods have the same names;
/// `Any` asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Is a socket.
    Any,
    /// Sends messages.
    Sends,
    /// Receives messages.
    Receives,
    /// Tells its peers who it is.
    Identifies,
    /// Waits for replies to its requests.
    Requests,
    /// Makes itself known to a ROUTER.
    Probes,
    /// Sends to peers by their routing ids.
    Routes,
    /// Sends each message to all who subscribed to it.
    Publishes,
    /// Compares messages with subscriptions.
    Matches,
    /// Gives its peers' subscriptions to the application.
    HearsSubscriptions,
    /// Has messages that may be subscriptions.
    PassesSubscriptions,
    /// Can keep the newest message alone.
    Conflates,
    /// Can keep the newest message of each topic alone.
    ConflatesTopics,
}

/// The socket types that this library has, in the order of the documentation.
const SOCKET_TYPES: [SocketType; 11] = [
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Push,
    SocketType::Pull,
    SocketType::Pub,
    SocketType::XPub,
    SocketType::Sub,
    SocketType::XSub,
    SocketType::Pair,
];

impl Capability {
    /// Says whether sockets of this type have it.
    #[must_use]
    pub const fn is_of(self, socket_type: SocketType) -> bool {
        let all = capabilities(socket_type);
        let mut at = 0;
        while at < all.len() {
            if all[at] as u8 == self as u8 {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Returns the socket types that have it, in words: `PUB, XPUB`.
    #[must_use]
    pub fn sockets(self) -> String {
        match self {
            Capability::Any => return "all".to_owned(),
            Capability::Sends => return "all that send".to_owned(),
            Capability::Receives => return "all that receive".to_owned(),
            _ => {}
        }
        let having = SOCKET_TYPES.iter().filter(|one| self.is_of(**one));
        having.map(|one| one.name()).collect::<Vec<_>>().join(", ")
    }
}

/// Returns what sockets of a type can do; nothing for a type that this library does not have.
#[must_use]
pub const fn capabilities(socket_type: SocketType) -> &'static [Capability] {
    use Capability::*;
    match socket_type {
        SocketType::Req => &[Any, Sends, Receives, Identifies, Requests, Probes],
        SocketType::Rep => &[Any, Sends, Receives, Identifies],
        SocketType::Dealer => &[Any, Sends, Receives, Identifies, Probes, Conflates],
        SocketType::Router => &[Any, Sends, Receives, Identifies, Probes, Routes],
        SocketType::Push => &[Any, Sends, Conflates],
        SocketType::Pull => &[Any, Receives, Conflates],
        SocketType::Pub => &[Any, Sends, Publishes, Matches, Conflates, ConflatesTopics],
        SocketType::XPub => &[
            Any,
            Sends,
            Receives,
            Publishes,
            Matches,
            HearsSubscriptions,
            PassesSubscriptions,
            ConflatesTopics,
        ],
        SocketType::Sub => &[Any, Receives, Matches, Conflates, ConflatesTopics],
        SocketType::XSub => &[Any, Sends, Receives, PassesSubscriptions, ConflatesTopics],
        SocketType::Pair => &[Any, Sends, Receives],
        _ => &[],
    }
}
