//! The options that say when a connection begins, when it is given up, and when it is tried again.

macro_rules! connection_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Sets the delay before the first attempt to reconnect; `None` is never to reconnect. Each delay
            /// is made up to twice as long at random, so that the clients of a restarted server do not all
            /// come back at once.
            reconnect_interval(delay: impl Into<Option<Duration>> = delay.into()) -> Option<Duration> {
                default: Some(Duration::from_millis(100)),
                none: "never",
                zmq: ("RECONNECT_IVL", 18, Millis(MinusOrZero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |delay| up_to(delay, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits the delay between attempts to reconnect: delays double from `reconnect_interval` up to
            /// this, the last half of each at random. `None` keeps them at one to two intervals for ever, as
            /// libzmq does by default; libzmq's own doubling has no random part.
            reconnect_interval_max(delay: impl Into<Option<Duration>> = delay.into()) -> Option<Duration> {
                default: Some(Duration::from_secs(2)),
                none: "no doubling",
                zmq: ("RECONNECT_IVL_MAX", 21, Millis(Zero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |delay| up_to(delay, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the delay before a peer is asked again that has refused this side with an ERROR command, as
            /// servers do whose authenticator says no, or that does not fit: another security mechanism, a socket
            /// type that does not go with this one. `None` takes it at its word, as libzmq does: the endpoint is
            /// gone then, until it is connected again. Each delay is made up to twice as long at random. Some
            /// seconds or minutes are polite. It holds without `reconnect_interval`, too. With `None`, a CURVE
            /// client that may reconnect asks again after 5 s, later up to a minute: such a word is not
            /// encrypted, and anybody on the way can say it.
            reconnect_after_refusal(delay: impl Into<Option<Duration>> = delay.into()) -> Option<Duration> {
                default: None,
                none: "never",
                zmq: (),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |delay| up_to(delay, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Says what ends a connecting endpoint that would be dialled again otherwise: `Refused`, if nobody listens at
            /// the peer's address; `HandshakeFailed`, if a connection has ended before its handshake was through, whatever `reconnect_after_refusal` says;
            /// `Disconnected`, if one has ended after that. The endpoint is gone then, until it is connected again, and the monitor says so.
            /// libzmq looks at the last of the three for ipc only.
            reconnect_stop(conditions: impl IntoIterator<Item = ReconnectStop> = conditions.into_iter().collect()) -> Vec<ReconnectStop> {
                default: Vec::new(),
                none: "never",
                zmq: ("RECONNECT_STOP", 109, StopBits),
                unit: "`ReconnectStop`",
                allowed: "`Refused`, `HandshakeFailed`, `Disconnected`, separated by commas" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how long one address of a peer may take to answer a TCP connection request before the
            /// next address, or the next attempt, has its turn; `None` leaves it to the system (two minutes
            /// on Linux), as libzmq does by default.
            connect_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: Some(Duration::from_secs(10)),
                none: "the system's",
                zmq: ("CONNECT_TIMEOUT", 79, Millis(Zero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how long a new connection may take until both sides are ready for messages, before it
            /// is closed; `None` is no limit.
            handshake_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: Some(Duration::from_secs(30)),
                none: "no limit",
                zmq: ("HANDSHAKE_IVL", 66, Millis(Zero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how long a peer may take nothing of what there is to write to it, before its connection
            /// is closed; `None` is no limit. The time begins when the system's buffer is full, and starts
            /// over with every byte that the system takes; it does so when about a third of its buffer is
            /// free again. PUB, XPUB and RADIO begin with 60 s: what their subscribers do not read is lost to them
            /// anyway. Where a peer that does not read holds up or keeps what is meant for it, as with PUSH
            /// and ROUTER, that may be a worker that is busy, so there it is to be asked for; and a publisher
            /// that does `no_drop` waits for its subscribers, however long. A connecting endpoint connects
            /// again.
            write_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "no limit; PUB, XPUB, RADIO: 60 s",
                zmq: (),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets how often a PING is sent to each peer, to find out that it is gone without a word; `None`
            /// is never. Not for peers of libzmq 4.1: it does not know PING, takes it for a message and gives
            /// it to its application.
            heartbeat_interval(interval: impl Into<Option<Duration>> = interval.into()) -> Option<Duration> {
                default: None,
                none: "never",
                zmq: ("HEARTBEAT_IVL", 75, Millis(Zero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |interval| up_to(interval, MILLISECOND, MAX),
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Limits how long a peer may be silent after a PING before its connection is closed; `None` is
            /// as long as `heartbeat_interval`. It counts from when the PING is written, and anew whenever the
            /// peer makes room for more. Make it longer than the systems' buffers on the way take to empty.
            heartbeat_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "the interval",
                zmq: ("HEARTBEAT_TIMEOUT", 77, HeartbeatTimeout),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Tells the peer how long to wait for our next sign of life after a PING before it closes the
            /// connection, in whole tenths of a second; `None` leaves it to the peer. More than 65.5 s is
            /// sent as 65.5 s, because libzmq misreads longer ones.
            heartbeat_ttl(ttl: impl Into<Option<Duration>> = ttl.into()) -> Option<Duration> {
                default: None,
                none: "the peer's choice",
                zmq: ("HEARTBEAT_TTL", 76, HeartbeatTtl),
                unit: "duration",
                allowed: "None, or 100 ms to 6553.5 s" if |ttl| {
                    up_to(ttl, Duration::from_millis(100), MAX_TTL)
                },
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Tells peers these properties of the socket, in its handshake: they read them from `Peer`, by their names, which
            /// begin with `X-`. Of several of one name the first counts, whatever the case of its letters. Peers that speak
            /// less than ZMTP 3.0 are told none. As text, each is a line `X-Name:value`; libzmq's option adds one.
            /// `X-Drain` is the library's own.
            properties(list: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>
                = list.into_iter().map(Property::new).collect()) -> Vec<Property> {
                default: Vec::new(),
                none: "none",
                zmq: ("METADATA", 95, Property),
                unit: "properties",
                allowed: "names of `X-` and 1 to 253 letters, digits, `-`, `_`, `.`, `+`; values without line breaks or zeros; all together 4096 bytes, 5 more counted for each" if |list| can_be_told(list),
                stored: first_of_each_name,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Sets which I/O threads of the context may run the connections, one bit for each, the lowest
            /// for the first; 0 is all of them, in turn. Only in a context that has the threads named.
            affinity(threads: u64 = threads) -> u64 {
                default: 0,
                zmq: ("AFFINITY", 4, Bitmap),
                unit: "bitmap",
                allowed: "0, or bits of I/O threads that the context has" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Tells peers in the handshake that this socket understands when they drain, and can tell them when
            /// it does, by the property `X-Drain`. Without it the handshake is, byte for byte, that of a peer
            /// which knows nothing of draining.
            announce_draining(on: bool = on) -> bool {
                default: true,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Zmtp,
                changed: NewEndpoints,
            }
        }
    };
}
