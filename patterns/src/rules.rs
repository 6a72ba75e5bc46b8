//! What a socket type is: one row each, from which the layers below the sockets, the options and the documents read.
//!
//! A type's pattern, how it sends and receives, is its file in `sockets/`; sessions, pipes, endpoints and options read
//! the row, and none of them asks for a socket type. What it is called on the wire, and whom it may talk to, is in
//! [`SocketType`].

use std::time::Duration;

use zmtp::SocketType;

/// How a socket tells its peers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerNaming {
    /// It does not: any number of peers, none of them named.
    Anonymous,
    /// Each peer has a routing id of its own, which one peer has at a time.
    ByRoutingId,
    /// Each peer has a number, which the socket makes up, whatever the peer calls itself.
    ByNumber,
    /// There is one peer at a time.
    Exclusive,
}

/// What a socket's connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// ZMTP: messages of frames, between sockets of types that fit each other.
    Zmtp,
    /// None: bytes, as they come. So whoever connects is a peer, and there is nothing to prove.
    Raw,
}

/// What use a socket has for datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagrams {
    /// None: its peers are reached by streams.
    Never,
    /// It sends or receives messages to groups, beside those by streams. What sends connects, and what receives binds.
    Groups,
    /// It sends and receives nothing else, to and from whoever is at the address. It binds, once.
    Always,
}

/// What a socket does about a peer that drains: one that takes no new work ([`Socket::drain`](crate::Socket::drain)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It sends nothing more there: its messages wait for any peer.
    HeldBack,
    /// It sends answers, which a peer that drains waits for.
    Answers,
    /// It goes on: the peer has unsubscribed, or is sent nothing anyway.
    Goes,
}

/// What a socket type is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// The type that the wire knows.
    pub socket_type: SocketType,
    /// Which calls and options it has.
    pub capabilities: &'static [Capability],
    /// Where a message goes, for the documents; empty if it does not send.
    pub sends: &'static str,
    /// What it receives; empty if it does not.
    pub receives: &'static str,
    /// What `send` does without a peer that can take the message.
    pub mute: &'static str,
    /// What goes over the wire, of streams.
    pub speaks: Protocol,
    /// Whether it sends and receives datagrams, and which.
    pub datagrams: Datagrams,
    /// How peers are told apart.
    pub naming: PeerNaming,
    /// Connecting twice to one endpoint makes one connection ([R-CONN-12]).
    ///
    /// [R-CONN-12]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-12
    pub connects_once: bool,
    /// Sends subscriptions: each connection begins with all of them ([R-CONN-21]), and they are no messages of the
    /// application.
    ///
    /// [R-CONN-21]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-21
    pub subscribes: bool,
    /// Receives subscriptions, and sends to those who subscribed.
    pub publishes: bool,
    /// What it does about a peer that takes no new work.
    pub work: Work,
    /// What it has use for of what a peer has sent, once that peer has gone.
    pub of_departed: OfDeparted,
    /// What is sent is for one peer and nobody else: REP's replies, and messages of ROUTER and SERVER.
    pub sends_to_one: bool,
    /// The option `linger` that a socket begins with.
    pub linger: Option<Duration>,
    /// The option `write_timeout` that a socket begins with.
    pub write_timeout: Option<Duration>,
    /// The option `max_message_size` that a socket begins with.
    pub max_message_size: Option<usize>,
}

/// What is of use to a socket of all that a peer has sent which has gone before the socket has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfDeparted {
    /// All of it.
    All,
    /// Messages. What the peer has subscribed to ends nowhere, since it has begun nowhere.
    Messages,
    /// Nothing: subscriptions are all that the socket hears.
    Nothing,
}

/// The row of a type with any number of unnamed peers, and nothing special about it.
const PLAIN: Rules = Rules {
    socket_type: SocketType::Pair,
    capabilities: &[],
    sends: "",
    receives: "",
    mute: "",
    speaks: Protocol::Zmtp,
    datagrams: Datagrams::Never,
    naming: PeerNaming::Anonymous,
    connects_once: false,
    subscribes: false,
    publishes: false,
    work: Work::Goes,
    of_departed: OfDeparted::All,
    sends_to_one: false,
    linger: None,
    write_timeout: None,
    max_message_size: None,
};

/// A row that all publishers share. They do not wait for ever for a subscriber that takes nothing.
const PUBLISHER: Rules = Rules {
    sends: "to every peer with a matching subscription",
    mute: "drops the message",
    publishes: true,
    linger: Some(Duration::from_secs(5)),
    write_timeout: Some(Duration::from_secs(60)),
    ..PLAIN
};

/// A row that all subscribers share. All that one has left to send is subscriptions.
const SUBSCRIBER: Rules = Rules {
    receives: "what it subscribed to, from all peers in turn",
    subscribes: true,
    linger: Some(Duration::ZERO),
    ..PLAIN
};

/// A row that those share who have one peer.
const ONE_PEER: Rules = Rules {
    sends: "to its one peer",
    receives: "from its one peer",
    mute: "waits",
    work: Work::HeldBack,
    naming: PeerNaming::Exclusive,
    ..PLAIN
};

/// A row that all share who know their peers by numbers.
const NUMBERED: Rules = Rules {
    sends: "to the peer with that number",
    receives: "from all peers in turn, with the sender's number",
    mute: "waits; an error if nobody has the number",
    work: Work::Answers,
    naming: PeerNaming::ByNumber,
    sends_to_one: true,
    ..PLAIN
};

/// What a peer may send at most that has nothing to send; and of bytes that are no messages, how many are taken for one.
const LITTLE: Option<usize> = Some(64 * 1024);

/// What it may send at most to subscribe: as much as in a command.
const SUBSCRIPTION: Option<usize> = Some(1024 * 1024);

const NEXT_PEER: &str = "to the next peer in turn";
const ALL_PEERS: &str = "from all peers in turn";

/// Calls a macro with the rows of all types, `Type TypeSocket: Capability... { what differs from a plain row }`, in the
/// order of the documents.
macro_rules! each_socket_type {
    ($with:ident) => {
        $with! {
            Req ReqSocket: Sends Receives Identifies Requests Probes Zmtp {
                sends: "a request to the next peer in turn", receives: "its reply", mute: "waits",
                work: Work::HeldBack, connects_once: true, ..PLAIN
            }
            Rep RepSocket: Sends Receives Identifies Answers Zmtp {
                sends: "the reply to the one who asked", receives: "requests from all peers in turn",
                mute: "drops the reply", work: Work::Answers, sends_to_one: true, ..PLAIN
            }
            Pub PubSocket: Sends Streams Publishes TracksTopics Matches Conflates ConflatesTopics Zmtp {
                connects_once: true, of_departed: OfDeparted::Nothing, max_message_size: SUBSCRIPTION, ..PUBLISHER
            }
            Sub SubSocket: Receives Streams Subscribes TracksTopics Matches Conflates ConflatesTopics Zmtp {
                connects_once: true, ..SUBSCRIBER
            }
            Push PushSocket: Sends Streams Reserves Conflates Zmtp {
                sends: NEXT_PEER, mute: "waits", work: Work::HeldBack, max_message_size: LITTLE, ..PLAIN
            }
            Pull PullSocket: Receives Streams Conflates Zmtp { receives: ALL_PEERS, ..PLAIN }
            Dealer DealerSocket: Sends Receives Streams Duplex Reserves Identifies Probes Conflates Greets NotesHiccups Zmtp {
                sends: NEXT_PEER, receives: ALL_PEERS, mute: "waits", work: Work::HeldBack,
                connects_once: true, ..PLAIN
            }
            Router RouterSocket: Sends Receives Streams Duplex Identifies Probes Answers Routes Greets NotesDepartures Zmtp {
                sends: "to the peer that is named", receives: "from all peers in turn, with the sender's name",
                mute: "drops the message; an error if `mandatory`", work: Work::Answers, naming: PeerNaming::ByRoutingId,
                sends_to_one: true, ..PLAIN
            }
            XPub XPubSocket: Sends Receives Streams Duplex Subscribes TracksTopics Publishes Matches HearsSubscriptions
                PassesSubscriptions ConflatesTopics Zmtp {
                receives: "subscriptions, and messages of XSUB", of_departed: OfDeparted::Messages, ..PUBLISHER
            }
            XSub XSubSocket: Sends Receives Streams Duplex Subscribes TracksTopics PassesSubscriptions SubscribesByMessage
                ConflatesTopics Zmtp {
                sends: "subscriptions, and messages to all peers", mute: "drops the message", ..SUBSCRIBER
            }
            Pair PairSocket: Sends Receives Streams Duplex Reserves Zmtp { ..ONE_PEER }
            Scatter ScatterSocket: Sends Streams Reserves Zmtp {
                sends: NEXT_PEER, mute: "waits", work: Work::HeldBack, max_message_size: LITTLE, ..PLAIN
            }
            Gather GatherSocket: Receives Streams Zmtp { receives: ALL_PEERS, ..PLAIN }
            Client ClientSocket: Sends Receives Streams Duplex Reserves Greets NotesHiccups Zmtp {
                sends: NEXT_PEER, receives: ALL_PEERS, mute: "waits", work: Work::HeldBack, ..PLAIN
            }
            Server ServerSocket: Sends Receives Streams Duplex Answers Greets NotesDepartures Zmtp { ..NUMBERED }
            Radio RadioSocket: Sends Streams Publishes Zmtp Datagrams {
                sends: "to every peer that has joined the group, and to all addresses of UDP", datagrams: Datagrams::Groups,
                of_departed: OfDeparted::Nothing, max_message_size: LITTLE, ..PUBLISHER
            }
            Dish DishSocket: Receives Streams Zmtp Datagrams {
                receives: "what is for groups that it has joined, from all peers in turn", datagrams: Datagrams::Groups,
                ..SUBSCRIBER
            }
            Channel ChannelSocket: Sends Receives Streams Duplex Reserves Zmtp { ..ONE_PEER }
            Peer PeerSocket: Sends Receives Streams Duplex Answers Greets NotesDepartures NotesHiccups Zmtp { ..NUMBERED }
            Stream StreamSocket: Sends Receives Streams Duplex Raw {
                sends: "bytes to the peer that is named", receives: "bytes as they come, and who came and went",
                mute: "waits; an error if there is no such peer", speaks: Protocol::Raw, work: Work::Answers,
                naming: PeerNaming::ByRoutingId, sends_to_one: true, max_message_size: LITTLE, ..PLAIN
            }
            Dgram DgramSocket: Sends Receives Streams Duplex Reserves Datagrams {
                sends: "a datagram to the address that is named", receives: "datagrams, with the address of each",
                mute: "waits for the system", speaks: Protocol::Raw, datagrams: Datagrams::Always, ..PLAIN
            }
        }
    };
}
pub(crate) use each_socket_type;

macro_rules! rows {
    ($($name:ident $socket:ident: $($capability:ident)+ { $($row:tt)+ })+) => {
        /// The rows of all socket types that are built, in the order of the documents.
        pub const RULES: &[Rules] = &[$(
            Rules {
                socket_type: SocketType::$name,
                capabilities: &[$(Capability::$capability),+],
                $($row)+
            }
        ),+];
    };
}
each_socket_type!(rows);

/// Names the traits of [`capability`](crate::capability).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the traits of these names say what they mean")]
pub enum Capability {
    Any,
    Zmtp,
    Sends,
    Receives,
    Streams,
    Duplex,
    Reserves,
    Subscribes,
    TracksTopics,
    Identifies,
    Requests,
    Probes,
    Answers,
    Routes,
    Publishes,
    Matches,
    HearsSubscriptions,
    PassesSubscriptions,
    SubscribesByMessage,
    Conflates,
    ConflatesTopics,
    Greets,
    NotesDepartures,
    NotesHiccups,
    Raw,
    Datagrams,
}

impl Rules {
    /// Returns the row of a type; `None` if that type is not built.
    #[must_use]
    pub const fn of(socket_type: SocketType) -> Option<&'static Rules> {
        let mut at = 0;
        while at < RULES.len() {
            if RULES[at].socket_type as u8 == socket_type as u8 {
                return Some(&RULES[at]);
            }
            at += 1;
        }
        None
    }

    /// Returns whether what waits in a pipe is for the peer that was there, and for nobody who comes in its place: what it
    /// has asked for, or subscribed to.
    pub(crate) const fn is_addressed(&self) -> bool {
        self.sends_to_one || self.publishes
    }

    /// Returns whether messages go to the peer that is named, and bear the name of the one that has sent them.
    pub(crate) const fn names_peers(&self) -> bool {
        matches!(self.naming, PeerNaming::ByRoutingId | PeerNaming::ByNumber)
    }

    /// Returns whether it sends and receives datagrams, and nothing else.
    #[must_use]
    pub const fn has_datagrams_only(&self) -> bool {
        matches!(self.datagrams, Datagrams::Always)
    }

    /// Returns whether what peers send means anything: messages, or subscriptions.
    #[must_use]
    pub fn hears_peers(&self) -> bool {
        self.has(Capability::Receives) || self.publishes
    }

    /// Returns whether the type has a capability.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        capability == Capability::Any || self.capabilities.contains(&capability)
    }
}

/// What has a row. Implemented with the rows.
#[doc(hidden)]
pub trait HasRules {
    /// The row.
    const RULES: &'static Rules;
}
