//! Every socket option, once: type, default, range, libzmq's name and number, meaning.
//!
//! The list below is the single definition; `define_options!` makes of each entry a field of
//! [`Options`] (read by sockets, sessions and transports), a method of [`Builder`] (called by the
//! application), and a row of [`TABLE`] (from which `docs/options.md` is written). The sentences
//! above an entry are its documentation in all three places.
//!
//! Where "no limit" exists, the type is an `Option` and `None` says so; no number has a second
//! meaning as libzmq's -1 and 0 have. The methods take the bare value as well.

#[macro_use]
mod define;
mod builder;
mod table;

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use zmtp::SocketType;

use crate::context::Context;
use crate::endpoint::{Endpoint, TcpEndpoint, ToEndpoint};
use crate::error::OptionError;
use crate::rules::rules;
use crate::security::Security;

pub(crate) use builder::sealed;
pub use builder::{
    Builder, Conflates, ConflatesTopics, HearsSubscriptions, Identifies, Matches, Open,
    PassesSubscriptions, Probes, Publishes, Receives, Requests, Routes, Sends,
};
use table::Show;
pub use table::{Effect, OptionRow, TABLE};

define_options! {
    /// How many messages wait for one peer at most before the socket counts as full towards it;
    /// 0 is no limit. What a full pipe means is the socket type's: PUSH and REQ wait, PUB drops.
    send_hwm(messages: usize = messages) -> usize {
        default: 1000,
        none: "",
        zmq: ("SNDHWM", 23),
        unit: "messages",
        allowed: "any number; 0 is no limit" if |_| true,
        on: Sends ("all that send"),
        changed: AtOnce,
    }

    /// How many messages from one peer wait for the application at most before the socket stops
    /// reading from it; 0 is no limit.
    recv_hwm(messages: usize = messages) -> usize {
        default: 1000,
        none: "",
        zmq: ("RCVHWM", 24),
        unit: "messages",
        allowed: "any number; 0 is no limit" if |_| true,
        on: Receives ("all that receive"),
        changed: AtOnce,
    }

    /// How many bytes of messages wait for one peer at most, beside `send_hwm`; `None` is no limit. A
    /// message is taken while there are fewer, so the last one may reach beyond, and one that is
    /// larger than the limit is taken when nothing else waits. A pipe that was full by bytes takes
    /// messages again when half of them are gone. Frame headers are part of it.
    send_hwm_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: None,
        none: "no limit",
        zmq: (),
        unit: "bytes",
        allowed: "None, or at least 1" if |bytes| *bytes != Some(0),
        on: Sends ("all that send"),
        changed: NewPeers,
    }

    /// How many bytes of messages from one peer wait for the application at most before the socket
    /// stops reading from it, beside `recv_hwm`; `None` is no limit. What was read at once, up to 256
    /// KiB or one larger message, may reach beyond.
    recv_hwm_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: None,
        none: "no limit",
        zmq: (),
        unit: "bytes",
        allowed: "None, or at least 1" if |bytes| *bytes != Some(0),
        on: Receives ("all that receive"),
        changed: NewPeers,
    }

    /// How long a message waits for its peer at most: what is still queued then is dropped, and counted as
    /// `expired`; `None` is for ever. The time is kept by groups of messages, so a message may live a
    /// sixteenth longer. What is being written, or is in the buffers of the system, is on its way and does
    /// not expire. A request of a REQ that expires gets no reply.
    send_ttl(time: impl Into<Option<Duration>> = time.into()) -> Option<Duration> {
        default: None,
        none: "for ever",
        zmq: (),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |time| up_to(time, MILLISECOND, MAX),
        on: Sends ("all that send"),
        changed: NewPeers,
    }

    /// How long messages that were sent may stay unwritten after the socket was closed or
    /// dropped; `None` is until they are gone, zero drops them at once. SUB and XSUB start
    /// with zero.
    linger(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "for ever",
        zmq: ("LINGER", 17),
        unit: "duration",
        allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
        on: Open ("all"),
        changed: AtOnce,
    }

    /// How long `send` waits for a peer that can take the message; `None` is for ever, zero is
    /// not at all.
    send_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "for ever",
        zmq: ("SNDTIMEO", 28),
        unit: "duration",
        allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
        on: Sends ("all that send"),
        changed: AtOnce,
    }

    /// How long `recv` waits for a message; `None` is for ever, zero is not at all.
    recv_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "for ever",
        zmq: ("RCVTIMEO", 27),
        unit: "duration",
        allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
        on: Receives ("all that receive"),
        changed: AtOnce,
    }

    /// The name by which a ROUTER peer knows this socket; without one, the ROUTER makes one up
    /// for each connection.
    routing_id(id: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(id.as_ref()))) -> Option<Bytes> {
        default: None,
        none: "none",
        zmq: ("ROUTING_ID", 5),
        unit: "bytes",
        allowed: "1 to 255 bytes, the first of them not 0" if |id| {
            id.as_ref().is_none_or(|id| matches!(id.len(), 1..=255) && id[0] != 0)
        },
        on: Identifies ("REQ, REP, DEALER, ROUTER"),
        changed: NewEndpoints,
    }

    /// Whether a new request may be sent while the reply to the last one is still to come; the
    /// last one is given up then. Use it with `correlate`, or a late reply is taken for the new one's.
    relaxed(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("REQ_RELAXED", 53),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Requests ("REQ"),
        changed: AtOnce,
    }

    /// Whether every request carries a number which its reply has to carry, too; others are
    /// discarded. The peer must return the whole envelope, as REP does.
    correlate(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("REQ_CORRELATE", 52),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Requests ("REQ"),
        changed: AtOnce,
    }

    /// Whether each new connection begins with an empty message, so that a ROUTER at the other end
    /// knows this socket before it has something to say. Peers of other types take it for a message.
    probe_router(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("PROBE_ROUTER", 51),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Probes ("REQ, DEALER, ROUTER"),
        changed: NewPeers,
    }

    /// Whether a message that cannot be delivered is an error: `Unroutable` if no peer has the routing
    /// id; if its pipe is full, `send` waits. Otherwise such messages are dropped and counted.
    mandatory(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("ROUTER_MANDATORY", 33),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Routes ("ROUTER"),
        changed: AtOnce,
    }

    /// Whether a peer that comes with the routing id of another one takes its place, and the other
    /// one's connection ends. Otherwise the newcomer is ignored as long as it stays connected.
    handover(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("ROUTER_HANDOVER", 56),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Routes ("ROUTER"),
        changed: AtOnce,
    }

    /// Whether `recv` also tells when a peer has connected, and when it has gone: by an empty message
    /// with the peer's routing id and a `Notice`. libzmq can be asked for one of the two alone.
    notify(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("ROUTER_NOTIFY", 97),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Routes ("ROUTER"),
        changed: NewEndpoints,
    }

    /// Whether a message that a subscriber has no room for waits until it has, instead of passing it
    /// by: one slow subscriber holds up all then.
    no_drop(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("XPUB_NODROP", 69),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Publishes ("PUB, XPUB"),
        changed: AtOnce,
    }

    /// What happens to a subscriber whose pipe is full, unless the socket does `no_drop`: it misses the
    /// newest message, as with libzmq, or the oldest that is not on its way yet, or is disconnected
    /// and may come back. All that it misses is counted as `full`.
    slow_subscriber(choice: SlowSubscriber = choice) -> SlowSubscriber {
        default: SlowSubscriber::DropNewest,
        none: "",
        zmq: (),
        unit: "`SlowSubscriber`",
        allowed: "`DropNewest`, `DropOldest`, `Disconnect`" if |_| true,
        on: Publishes ("PUB, XPUB"),
        changed: AtOnce,
    }

    /// Whether messages go to those who did not subscribe to them. Publisher and SUB have to agree.
    invert_matching(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("INVERT_MATCHING", 74),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Matches ("PUB, XPUB, SUB"),
        changed: AtOnce,
    }

    /// Whether `recv` gives every subscription that comes, not only the first to a topic.
    verbose(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("XPUB_VERBOSE", 40),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: HearsSubscriptions ("XPUB"),
        changed: AtOnce,
    }

    /// Whether `recv` gives every subscription and every unsubscription that comes, not only the first
    /// and the last of a topic.
    verboser(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("XPUB_VERBOSER", 78),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: HearsSubscriptions ("XPUB"),
        changed: AtOnce,
    }

    /// Whether subscriptions are only told to the application, which then calls `subscribe` and
    /// `unsubscribe` for the peer that it has heard of last.
    manual(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("XPUB_MANUAL", 71),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: HearsSubscriptions ("XPUB"),
        changed: AtOnce,
    }

    /// The same as `manual`, and the first message sent after a subscription was received goes to
    /// that subscriber alone: a newcomer gets the last value, and the others not once more.
    manual_last_value(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("XPUB_MANUAL_LAST_VALUE", 98),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: HearsSubscriptions ("XPUB"),
        changed: AtOnce,
    }

    /// A message of one frame with which each new connection begins, whatever the peer subscribes to. A
    /// SUB filters it like any other.
    welcome(message: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(message.as_ref()))) -> Option<Bytes> {
        default: None,
        none: "none",
        zmq: ("XPUB_WELCOME_MSG", 72),
        unit: "bytes",
        allowed: "any bytes" if |_| true,
        on: HearsSubscriptions ("XPUB"),
        changed: NewPeers,
    }

    /// Whether only messages whose first frame begins with 00 or 01 are about subscriptions. Otherwise
    /// any frame that begins so is one, as in libzmq, and taken out of its message.
    only_first_subscribe(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("ONLY_FIRST_SUBSCRIBE", 108),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: PassesSubscriptions ("XPUB, XSUB"),
        changed: AtOnce,
    }

    /// Whether each pipe keeps only the newest message, for whoever wants the latest value and no
    /// history. The high-water marks mean nothing then.
    conflate(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("CONFLATE", 54),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Conflates ("PUSH, PULL, PUB, SUB, DEALER"),
        changed: NewEndpoints,
    }

    /// Whether each pipe keeps only the newest message of each topic, which is the first frame: a
    /// publisher for each subscriber, a subscriber for each publisher. The high-water mark counts topics
    /// then; a message of yet another one is dropped by a publisher, and not read by a subscriber. Topics
    /// keep the order in which they came. A publisher that does `no_drop` waits at the mark, whatever the topic.
    conflate_topics(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: (),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: ConflatesTopics ("PUB, XPUB, SUB, XSUB"),
        changed: NewEndpoints,
    }

    /// The largest message that is received: payload bytes, all of its frames together. A peer
    /// that sends a larger one is disconnected before memory is taken for it. libzmq applies its
    /// limit to each frame.
    max_message_size(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: None,
        none: "no limit",
        zmq: ("MAXMSGSIZE", 22),
        unit: "bytes",
        allowed: "None, or any number" if |_| true,
        on: Receives ("all that receive"),
        changed: NewEndpoints,
    }

    /// How many frames a received message may have. A peer that sends more is disconnected.
    max_frames(frames: usize = frames) -> usize {
        default: 65_536,
        none: "",
        zmq: (),
        unit: "frames",
        allowed: "1 or more" if |frames| *frames > 0,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a command of a peer's handshake may be, its properties included. A peer that announces a
    /// longer one is disconnected before memory is taken for it.
    max_handshake_size(bytes: usize = bytes) -> usize {
        default: 64 * 1024,
        none: "",
        zmq: (),
        unit: "bytes",
        allowed: "512 or more" if |bytes| *bytes >= 512,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a command of a peer may be after the handshake: a subscription, say. A peer that announces a
    /// longer one is disconnected before memory is taken for it.
    max_command_size(bytes: usize = bytes) -> usize {
        default: 1024 * 1024,
        none: "",
        zmq: (),
        unit: "bytes",
        allowed: "512 or more" if |bytes| *bytes >= 512,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many connections one bound endpoint has at a time; `None` is no limit. More are closed at once.
    max_connections(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
        default: Some(65_536),
        none: "no limit",
        zmq: (),
        unit: "connections",
        allowed: "None, or 1 or more" if |limit| *limit != Some(0),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many connections one bound endpoint has at a time from the same IP address; `None` is no
    /// limit. More are closed at once.
    max_connections_per_address(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
        default: Some(32_768),
        none: "no limit",
        zmq: (),
        unit: "connections",
        allowed: "None, or 1 or more" if |limit| *limit != Some(0),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many connections of one bound endpoint may be at their handshake at a time; `None` is no limit. One more
    /// takes the place of the one that has been at it longest, so that silent peers keep nobody out. Enough for ten thousand peers that come back at once.
    max_handshakes(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
        default: Some(16_384),
        none: "no limit",
        zmq: (),
        unit: "connections",
        allowed: "None, or 1 or more" if |limit| *limit != Some(0),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many topics one peer may subscribe to; `None` is no limit. A peer that subscribes to more is
    /// disconnected.
    max_subscriptions(topics: impl Into<Option<usize>> = topics.into()) -> Option<usize> {
        default: Some(1_000_000),
        none: "no limit",
        zmq: (),
        unit: "topics",
        allowed: "None, or any number" if |_| true,
        on: Publishes ("PUB, XPUB"),
        changed: AtOnce,
    }

    /// How long the topics of one peer may be, all together; `None` is no limit. A peer that subscribes to more is
    /// disconnected.
    max_subscription_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: Some(64 * 1024 * 1024),
        none: "no limit",
        zmq: (),
        unit: "bytes",
        allowed: "None, or any number" if |_| true,
        on: Publishes ("PUB, XPUB"),
        changed: AtOnce,
    }

    /// Whether `bind` refuses an address that other machines can reach while the socket lets everybody in:
    /// with NULL and without a `zap_domain`, as a CURVE server without authenticator, or as a PLAIN
    /// client. Without this option it logs a warning.
    require_authentication(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: (),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// Whether messages wait only for peers that are connected. Without it, a connecting socket
    /// takes messages for a peer that has not been reached yet.
    immediate(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("IMMEDIATE", 39),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a `recv` without a message asks the connections themselves, again and again, before it
    /// lets its thread do something else; `None` is not at all. Waking a sleeping thread takes far
    /// longer than a message needs, so this makes round trips short, and costs a core while it waits.
    /// All that shares the thread waits, too. (libzmq's option asks the kernel to do so.)
    busy_poll(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "not at all",
        zmq: ("BUSY_POLL", 113),
        unit: "duration",
        allowed: "None, or 0 to 1 s" if |limit| up_to(limit, Duration::ZERO, Duration::from_secs(1)),
        on: Receives ("all that receive"),
        changed: AtOnce,
    }

    /// Which I/O threads of the context may run the connections, one bit for each, the lowest for the first;
    /// 0 is all of them, in turn. Only in a context that has the threads named.
    affinity(threads: u64 = threads) -> u64 {
        default: 0,
        none: "",
        zmq: ("AFFINITY", 4),
        unit: "bitmap",
        allowed: "0, or bits of I/O threads that the context has" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The delay before the first attempt to reconnect; `None` is never to reconnect. Each delay
    /// is made up to twice as long at random, so that the clients of a restarted server do not
    /// all come back at once.
    reconnect_interval(delay: impl Into<Option<Duration>> = delay.into()) -> Option<Duration> {
        default: Some(Duration::from_millis(100)),
        none: "never",
        zmq: ("RECONNECT_IVL", 18),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |delay| up_to(delay, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The longest delay between attempts to reconnect: delays double from `reconnect_interval`
    /// up to this, the last half of each at random. `None` keeps them at one to two intervals
    /// for ever, as libzmq does by default; libzmq's own doubling has no random part.
    reconnect_interval_max(delay: impl Into<Option<Duration>> = delay.into()) -> Option<Duration> {
        default: Some(Duration::from_secs(2)),
        none: "no doubling",
        zmq: ("RECONNECT_IVL_MAX", 21),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |delay| up_to(delay, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long one address of a peer may take to answer a TCP connection request before the
    /// next address, or the next attempt, has its turn; `None` leaves it to the system (two
    /// minutes on Linux), as libzmq does by default.
    connect_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: Some(Duration::from_secs(10)),
        none: "the system's",
        zmq: ("CONNECT_TIMEOUT", 79),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a new connection may take until both sides are ready for messages, before it is
    /// closed; `None` is no limit.
    handshake_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: Some(Duration::from_secs(30)),
        none: "no limit",
        zmq: ("HANDSHAKE_IVL", 66),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a peer may take nothing of what there is to write to it, before its connection is closed; `None` is
    /// no limit. The time begins when the system's buffer is full, and starts over with every byte that the system
    /// takes; it does so when about a third of its buffer is free again. PUB and XPUB begin with 60 s: what their
    /// subscribers do not read is lost to them anyway. Where a peer that does not read holds up or keeps what is
    /// meant for it, as with PUSH and ROUTER, that may be a worker that is busy, so there it is to be asked for; and a
    /// publisher that does `no_drop` waits for its subscribers, however long. A connecting endpoint connects again.
    write_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "no limit; PUB, XPUB: 60 s",
        zmq: (),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// What is asked of peers, and told to them: NULL, PLAIN or CURVE, with this side's role and secrets. Servers
    /// may connect, and clients bind. The `security` module tells who decides about peers.
    security(security: Security = security) -> Security {
        default: Security::Null,
        none: "",
        zmq: ("MECHANISM", 43),
        unit: "mechanism",
        allowed: "any" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How endpoints that are bound at `tls+tcp://` prove who they are, and what they ask of clients: certificates,
    /// key, verifier and cryptography, in rustls's own words.
    #[cfg(feature = "tls")]
    tls_server(config: impl Into<Arc<rustls::ServerConfig>> = Some(config.into())) -> Option<Arc<rustls::ServerConfig>> {
        default: None,
        none: "none",
        zmq: (),
        unit: "`rustls::ServerConfig`",
        allowed: "any" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How endpoints that are connected to `tls+tcp://` verify the server, and prove who they are if asked, in
    /// rustls's own words.
    #[cfg(feature = "tls")]
    tls_client(config: impl Into<Arc<rustls::ClientConfig>> = Some(config.into())) -> Option<Arc<rustls::ClientConfig>> {
        default: None,
        none: "none",
        zmq: (),
        unit: "`rustls::ClientConfig`",
        allowed: "any" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// Whom a server's certificate has to name, in place of the host of the endpoint `tls+tcp://` that is connected.
    #[cfg(feature = "tls")]
    tls_server_name(name: impl Into<Option<String>> = name.into()) -> Option<String> {
        default: None,
        none: "the endpoint's host",
        zmq: (),
        unit: "name",
        allowed: "None, a DNS name or an IP address" if |name| {
            name.clone().is_none_or(|name| rustls::pki_types::ServerName::try_from(name).is_ok())
        },
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// What the authenticator is told of the socket, so that it can decide differently for different
    /// sockets. With one, a NULL socket asks about its peers, too, and takes none that are too old for
    /// ZMTP 3.
    zap_domain(domain: impl Into<String> = Some(domain.into()).filter(|domain| !domain.is_empty())) -> Option<String> {
        default: None,
        none: "none",
        zmq: ("ZAP_DOMAIN", 55),
        unit: "text",
        allowed: "at most 255 bytes; empty is none" if |domain| {
            domain.as_ref().is_none_or(|domain| domain.len() <= 255)
        },
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// Whether a NULL or CURVE socket with a `zap_domain` takes nobody while its context has no
    /// authenticator. Otherwise it then takes everybody, as libzmq does.
    zap_enforce_domain(on: bool = on) -> bool {
        default: false,
        none: "",
        zmq: ("ZAP_ENFORCE_DOMAIN", 93),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How often a PING is sent to each peer, to find out that it is gone without a word; `None`
    /// is never.
    heartbeat_interval(interval: impl Into<Option<Duration>> = interval.into()) -> Option<Duration> {
        default: None,
        none: "never",
        zmq: ("HEARTBEAT_IVL", 75),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |interval| up_to(interval, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a peer may be silent after a PING before its connection is closed; `None` is as
    /// long as `heartbeat_interval`.
    heartbeat_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "the interval",
        zmq: ("HEARTBEAT_TIMEOUT", 77),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long the peer shall wait for our next sign of life after a PING before it closes the
    /// connection, in whole tenths of a second; `None` leaves it to the peer. More than 65.5 s
    /// is sent as 65.5 s, because libzmq misreads longer ones.
    heartbeat_ttl(ttl: impl Into<Option<Duration>> = ttl.into()) -> Option<Duration> {
        default: None,
        none: "the peer's choice",
        zmq: ("HEARTBEAT_TTL", 76),
        unit: "duration",
        allowed: "None, or 100 ms to 6553.5 s" if |ttl| {
            up_to(ttl, Duration::from_millis(100), MAX_TTL)
        },
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// Whether the system probes idle TCP connections; `None` is the system's own setting,
    /// unless one of the three options below is given: that turns probing on.
    tcp_keepalive(on: impl Into<Option<bool>> = on.into()) -> Option<bool> {
        default: None,
        none: "the system's",
        zmq: ("TCP_KEEPALIVE", 34),
        unit: "bool",
        allowed: "None, true or false" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many TCP keep-alive probes may stay unanswered before the connection is given up.
    tcp_keepalive_count(probes: impl Into<Option<u32>> = probes.into()) -> Option<u32> {
        default: None,
        none: "the system's",
        zmq: ("TCP_KEEPALIVE_CNT", 35),
        unit: "probes",
        allowed: "None, or 1 to 127" if |probes| probes.is_none_or(|n| (1..=127).contains(&n)),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long a TCP connection is idle before the first keep-alive probe, in whole seconds.
    tcp_keepalive_idle(idle: impl Into<Option<Duration>> = idle.into()) -> Option<Duration> {
        default: None,
        none: "the system's",
        zmq: ("TCP_KEEPALIVE_IDLE", 36),
        unit: "duration",
        allowed: "None, or 1 s to 32767 s" if |idle| up_to(idle, SECOND, MAX_KEEPALIVE),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The time between two TCP keep-alive probes, in whole seconds.
    tcp_keepalive_interval(interval: impl Into<Option<Duration>> = interval.into())
        -> Option<Duration> {
        default: None,
        none: "the system's",
        zmq: ("TCP_KEEPALIVE_INTVL", 37),
        unit: "duration",
        allowed: "None, or 1 s to 32767 s" if |interval| up_to(interval, SECOND, MAX_KEEPALIVE),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How long sent TCP data may stay unacknowledged before the connection is given up. Linux
    /// only; elsewhere bind and connect fail with it.
    tcp_user_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
        default: None,
        none: "the system's",
        zmq: ("TCP_MAXRT", 80),
        unit: "duration",
        allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The size of the system's send buffer of each connection. Linux doubles the number for
    /// its own needs. `None` leaves it to the system; over TCP on Linux it then takes at most 256 KiB that it cannot
    /// send yet, 1 MiB of large payloads, where its buffer would hold 4 MiB.
    send_buffer(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: None,
        none: "the system's",
        zmq: ("SNDBUF", 11),
        unit: "bytes",
        allowed: "None, or 1 to 2147483647" if |bytes| buffer_size(*bytes),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The size of the system's receive buffer of each connection. Linux doubles the number for
    /// its own needs.
    recv_buffer(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
        default: None,
        none: "the system's",
        zmq: ("RCVBUF", 12),
        unit: "bytes",
        allowed: "None, or 1 to 2147483647" if |bytes| buffer_size(*bytes),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The type-of-service byte (IPv6: traffic class) of the TCP packets sent; 0 leaves it as
    /// the system has it.
    tos(class: u8 = class) -> u8 {
        default: 0,
        none: "",
        zmq: ("TOS", 57),
        unit: "byte",
        allowed: "0 to 255" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// How many connections may wait to be accepted by a bound endpoint. The system may have a
    /// lower limit of its own.
    backlog(connections: u32 = connections) -> u32 {
        default: 100,
        none: "",
        zmq: ("BACKLOG", 19),
        unit: "connections",
        allowed: "1 to 65535" if |connections| (1..=65_535).contains(connections),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The permissions of the socket files that `ipc://` endpoints make, as chmod(1) has them: 0o600 is for this user
    /// alone, 0o660 for a group, too. Who may write to the file may connect. They are in force before the first peer
    /// can. Without them, the process's umask decides. Abstract names have no file.
    ipc_permissions(mode: impl Into<Option<u32>> = mode.into()) -> Option<u32> {
        default: None,
        none: "the umask's",
        zmq: (),
        unit: "mode",
        allowed: "None, or 0 to 0o777" if |mode| mode.is_none_or(|mode| mode <= 0o777),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The network interface that TCP connections are bound to, by its name: nothing goes out or comes in by
    /// another one. Linux only; elsewhere bind and connect fail with it. It may need a privilege.
    bind_device(name: impl AsRef<str> = Some(name.as_ref().to_owned())) -> Option<String> {
        default: None,
        none: "none",
        zmq: ("BINDTODEVICE", 92),
        unit: "name",
        allowed: "1 to 15 bytes, none of them 0" if |name| name.as_ref().is_none_or(|name| {
            matches!(name.len(), 1..=15) && !name.contains('\0')
        }),
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// The SOCKS5 proxy through which TCP endpoints are connected to, as `host:port`. It is the proxy that
    /// resolves the names of peers. The proxy's address is shown as the peer's.
    socks_proxy(address: impl AsRef<str> = Some(address.as_ref().to_owned())) -> Option<String> {
        default: None,
        none: "none",
        zmq: ("SOCKS_PROXY", 68),
        unit: "host:port",
        allowed: "a host and a port from 1 to 65535" if |address| {
            address.as_ref().is_none_or(|address| proxy(address).is_some())
        },
        on: Open ("all"),
        changed: NewEndpoints,
    }

    /// Whether TCP uses IPv6 beside IPv4. With it, `tcp://*` and `tcp://[::]` take peers of both
    /// kinds, and names stand for addresses of both. Without it, all of that is IPv4 only and
    /// IPv6 addresses are refused. In libzmq it is off by default.
    ipv6(on: bool = on) -> bool {
        default: true,
        none: "",
        zmq: ("IPV6", 42),
        unit: "bool",
        allowed: "true or false" if |_| true,
        on: Open ("all"),
        changed: NewEndpoints,
    }
}

/// What a publisher does when a subscriber's pipe is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// It misses the message.
    #[default]
    DropNewest,
    /// It gets the message, and misses the oldest one that waits.
    DropOldest,
    /// Its connection is closed, and what waited for it is dropped. An inproc subscriber is disconnected for good.
    Disconnect,
}

/// Says nothing of the keys.
impl Show for Security {
    fn show(&self, _: &str) -> String {
        let role = match (self, self.is_server()) {
            (Security::Null, _) => "",
            (_, true) => " server",
            (_, false) => " client",
        };
        format!("{}{role}", self.name())
    }
}

#[cfg(feature = "tls")]
impl Show for Arc<rustls::ServerConfig> {
    fn show(&self, _: &str) -> String {
        "a configuration".to_owned()
    }
}

#[cfg(feature = "tls")]
impl Show for Arc<rustls::ClientConfig> {
    fn show(&self, _: &str) -> String {
        "a configuration".to_owned()
    }
}

impl Show for SlowSubscriber {
    fn show(&self, _: &str) -> String {
        format!("`{self:?}`")
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The longest duration of most options: the range of libzmq's 32-bit milliseconds, in seconds.
/// It keeps sums with the clock far from overflow.
const MAX: Duration = Duration::from_secs(2_147_483);

/// Linux's limit for the idle time and the interval of keep-alive probes.
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// The wire carries the heartbeat's TTL as 16 bits of tenths of a second.
const MAX_TTL: Duration = Duration::from_millis(6_553_500);

/// libzmq multiplies a received TTL in 16 bits: 65.6 s would become 64 ms there.
const MAX_SENT_TTL: Duration = Duration::from_millis(65_500);

fn up_to(value: &Option<Duration>, least: Duration, most: Duration) -> bool {
    value.is_none_or(|value| (least..=most).contains(&value))
}

fn buffer_size(bytes: Option<usize>) -> bool {
    bytes.is_none_or(|bytes| (1..=i32::MAX as usize).contains(&bytes))
}

/// What a proxy's address means.
pub(crate) fn proxy(address: &str) -> Option<TcpEndpoint> {
    let endpoint = format!("tcp://{address}").to_endpoint().ok()?;
    endpoint.check_connect().ok()?;
    match endpoint {
        Endpoint::Tcp(tcp) if tcp.source().is_none() => Some(tcp),
        _ => None,
    }
}

impl Options {
    /// The options that a socket of this type starts with.
    pub(crate) fn of(socket_type: SocketType) -> Self {
        let rules = rules(socket_type);
        Options {
            linger: rules.linger,
            write_timeout: rules.write_timeout,
            ..Options::default()
        }
    }

    /// Whether the context has what the options ask for.
    pub(crate) fn check(&self, context: &Context) -> Result<(), OptionError> {
        if context.has_threads(self.affinity) {
            return Ok(());
        }
        Err(OptionError {
            option: "affinity",
            value: format!("{:#b}", self.affinity),
            allowed: "0, or bits of I/O threads that the context has",
        })
    }

    /// The heartbeat's timing with its dependent defaults filled in: interval, timeout, and the
    /// TTL to announce (zero: none). `None` if heartbeats are off.
    pub(crate) fn heartbeat(&self) -> Option<(Duration, Duration, Duration)> {
        let interval = self.heartbeat_interval?;
        let timeout = self.heartbeat_timeout.unwrap_or(interval);
        let ttl = self.heartbeat_ttl.unwrap_or_default().min(MAX_SENT_TTL);
        Some((interval, timeout, ttl))
    }
}

#[cfg(test)]
mod left_out;
#[cfg(test)]
mod tests;
