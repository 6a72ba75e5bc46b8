//! What a socket type is: the facts about it that the layers below the sockets act on.
//!
//! Each type's file in `sockets/` has its row. Sessions, pipes, endpoints and options read the row, and none of them
//! asks for a socket type; what the type is called on the wire, and whom it may talk to, is in
//! [`SocketType`](zmtp::SocketType).

use std::time::Duration;

use zmtp::SocketType;

/// How a socket tells its peers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerNaming {
    /// It does not: any number of peers, none of them named.
    Anonymous,
    /// Each peer has a routing id of its own, which one peer has at a time (ROUTER).
    ByRoutingId,
    /// There is one peer at a time (PAIR).
    Exclusive,
}

/// What a socket type is.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The type that the wire knows.
    pub socket_type: SocketType,
    /// How peers are told apart.
    pub naming: PeerNaming,
    /// Connecting twice to one endpoint makes one connection (R-CONN-12).
    pub connects_once: bool,
    /// Sends subscriptions: each connection begins with all of them (R-CONN-21), and they are no messages of the
    /// application.
    pub subscribes: bool,
    /// Receives subscriptions, and sends to those who subscribed.
    pub publishes: bool,
    /// Has no use for what a peer has sent, once that peer has gone.
    pub forgets_departed: bool,
    /// The option `linger` that a socket begins with.
    pub linger: Option<Duration>,
    /// The option `write_timeout` that a socket begins with.
    pub write_timeout: Option<Duration>,
}

impl Rules {
    /// Returns the row of a type with any number of unnamed peers, and nothing special about it.
    #[must_use]
    pub const fn new(socket_type: SocketType) -> Self {
        Rules {
            socket_type,
            naming: PeerNaming::Anonymous,
            connects_once: false,
            subscribes: false,
            publishes: false,
            forgets_departed: false,
            linger: None,
            write_timeout: None,
        }
    }
}

/// How long a publisher waits for a subscriber that takes nothing, unless it is told otherwise.
const PUBLISHER_WRITE_TIMEOUT: Option<Duration> = Some(Duration::from_secs(60));

/// Returns the row of a type that has sockets here.
pub(crate) const fn rules(socket_type: SocketType) -> &'static Rules {
    const PAIR: Rules = Rules {
        naming: PeerNaming::Exclusive,
        ..Rules::new(SocketType::Pair)
    };
    const PUB: Rules = Rules {
        connects_once: true,
        publishes: true,
        forgets_departed: true,
        write_timeout: PUBLISHER_WRITE_TIMEOUT,
        ..Rules::new(SocketType::Pub)
    };
    const SUB: Rules = Rules {
        connects_once: true,
        subscribes: true,
        linger: Some(Duration::ZERO),
        ..Rules::new(SocketType::Sub)
    };
    const REQ: Rules = Rules {
        connects_once: true,
        ..Rules::new(SocketType::Req)
    };
    const DEALER: Rules = Rules {
        connects_once: true,
        ..Rules::new(SocketType::Dealer)
    };
    const ROUTER: Rules = Rules {
        naming: PeerNaming::ByRoutingId,
        ..Rules::new(SocketType::Router)
    };
    const XPUB: Rules = Rules {
        publishes: true,
        write_timeout: PUBLISHER_WRITE_TIMEOUT,
        ..Rules::new(SocketType::XPub)
    };
    const XSUB: Rules = Rules {
        subscribes: true,
        linger: Some(Duration::ZERO),
        ..Rules::new(SocketType::XSub)
    };
    const REP: Rules = Rules::new(SocketType::Rep);
    const PUSH: Rules = Rules::new(SocketType::Push);
    const PULL: Rules = Rules::new(SocketType::Pull);
    match socket_type {
        SocketType::Pair => &PAIR,
        SocketType::Pub => &PUB,
        SocketType::Sub => &SUB,
        SocketType::Req => &REQ,
        SocketType::Rep => &REP,
        SocketType::Dealer => &DEALER,
        SocketType::Router => &ROUTER,
        SocketType::XPub => &XPUB,
        SocketType::XSub => &XSUB,
        SocketType::Pull => &PULL,
        _ => &PUSH,
    }
}
