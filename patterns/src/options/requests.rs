//! The options that say how peers name each other, and what becomes of requests and replies (REQ, REP, DEALER, ROUTER).

macro_rules! request_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Sets the name by which a ROUTER peer knows this socket; without one, the ROUTER makes one up
            /// for each connection.
            routing_id(id: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(id.as_ref()))) -> Option<Bytes> {
                default: None,
                none: "none",
                zmq: ("ROUTING_ID", 5, Bytes),
                unit: "bytes",
                allowed: "1 to 255 bytes, but not 5 of which the first is 0: such names are made up by sockets" if |id| {
                    id.as_ref().is_none_or(|id| {
                        matches!(id.len(), 1..=255) && !(id.len() == 5 && id[0] == 0)
                    })
                },
                on: Identifies,
                changed: NewEndpoints,
            }

            /// Allows a new request to be sent while the reply to the last one is still to come; the last one
            /// is given up then. Use it with `correlate`, or a late reply is taken for the new one's.
            relaxed(on: bool = on) -> bool {
                default: false,
                zmq: ("REQ_RELAXED", 53, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Requests,
                changed: AtOnce,
            }

            /// Puts a number into every request which its reply has to carry, too; other replies are
            /// discarded. The peer must return the whole envelope, as REP does.
            correlate(on: bool = on) -> bool {
                default: false,
                zmq: ("REQ_CORRELATE", 52, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Requests,
                changed: AtOnce,
            }

            /// Begins each new connection with an empty message, so that a ROUTER at the other end knows this
            /// socket before it has something to say. Peers of other types take it for a message.
            probe_router(on: bool = on) -> bool {
                default: false,
                zmq: ("PROBE_ROUTER", 51, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Probes,
                changed: NewPeers,
            }

            /// Begins each new connection with this message of one frame, before all others: the peer reads it as any
            /// other message of this socket. It is not counted against `send_hwm`, and a connection that is made
            /// anew begins with it again. An empty one is none.
            hello_message(message: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(message.as_ref()))) -> Option<Bytes> {
                default: None,
                none: "none",
                zmq: ("HELLO_MSG", 110, BytesOrEmpty),
                unit: "bytes",
                allowed: "any bytes; empty is none" if |_| true,
                stored: |message: Option<Bytes>| message.filter(|message| !message.is_empty()),
                on: Greets,
                changed: NewPeers,
            }

            /// Lets `recv` give this message of one frame when a peer that had connected to this socket goes, as if that
            /// peer had sent it last: with its name, behind all that it has sent. By inproc it does so whoever has connected. Nothing is
            /// said of an end that this side has asked for, by `unbind`, `disconnect_peer` or its own close, nor if the end of the runtime
            /// ends the connection. An empty one is none. It is counted nowhere as received.
            disconnect_message(message: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(message.as_ref()))) -> Option<Bytes> {
                default: None,
                none: "none",
                zmq: ("DISCONNECT_MSG", 111, BytesOrEmpty),
                unit: "bytes",
                allowed: "any bytes; empty is none" if |_| true,
                stored: |message: Option<Bytes>| message.filter(|message| !message.is_empty()),
                on: NotesDepartures,
                changed: NewEndpoints,
            }

            /// Lets `recv` give this message of one frame when a connection that this socket has made is lost after
            /// its handshake, as if the peer had sent it last, whether or not it is made anew. Nothing is said of an end that this side has asked
            /// for. Of those that nobody has read, 1,000 wait for each endpoint. An empty one is none. It is counted
            /// nowhere as received.
            hiccup_message(message: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(message.as_ref()))) -> Option<Bytes> {
                default: None,
                none: "none",
                zmq: ("HICCUP_MSG", 114, BytesOrEmpty),
                unit: "bytes",
                allowed: "any bytes; empty is none" if |_| true,
                stored: |message: Option<Bytes>| message.filter(|message| !message.is_empty()),
                on: NotesHiccups,
                changed: NewEndpoints,
            }

            /// Makes an error of a message that cannot be delivered: `Unroutable` if no peer has the routing
            /// id; if its pipe is full, `send` waits. Without it such messages are dropped and counted.
            mandatory(on: bool = on) -> bool {
                default: false,
                zmq: ("ROUTER_MANDATORY", 33, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Routes,
                changed: AtOnce,
            }

            /// Lets an answer reach the very connection that has asked, and no other. Without it, it also reaches
            /// one that has come back since: under the same routing id and as the same user or with the same key;
            /// where there are neither, under the same routing id. An answer that reaches nobody is counted as
            /// `unroutable`.
            same_connection(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Answers,
                changed: NewEndpoints,
            }

            /// Ties a routing id that a peer gives itself to the user or key that came with it first, so that
            /// nobody else can take it when its peer is away: others are disconnected. 100,000 ties are kept;
            /// beyond that, those end that were used longest ago.
            tied_names(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Routes,
                changed: AtOnce,
            }

            /// Gives the routing id of a connected peer to another one that comes with it. The older connection
            /// stays for `handover_limit`, under a made-up one, and has its own back when the newer one goes
            /// meanwhile. Without it the newcomer is ignored until the older one has gone, and then let in with
            /// what it has sent.
            handover(on: bool = on) -> bool {
                default: false,
                zmq: ("ROUTER_HANDOVER", 56, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Routes,
                changed: AtOnce,
            }

            /// Limits how long a connection stays whose routing id another one has taken by `handover`; `None` is
            /// as long as its peer does. What its peer has sent by then is received, for a second at most, and it
            /// is closed; what waits for it is dropped, and counted as `unsent`. A peer that comes back then has
            /// its routing id again, so two that live take it from each other once in this time. A time that is
            /// changed is for later handovers. Peers by inproc stay.
            handover_limit(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: Some(Duration::from_secs(30)),
                none: "no limit",
                zmq: (),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Routes,
                changed: AtOnce,
            }

            /// Lets `recv` tell, too, when a peer has connected, and when it has gone. libzmq can be asked for one
            /// of the two alone.
            notify(on: bool = on) -> bool {
                default: false,
                zmq: ("ROUTER_NOTIFY", 97, NotifyBits),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Routes,
                changed: NewEndpoints,
            }

            /// Lets `recv` of a STREAM tell when a connection has begun, and when it has ended.
            stream_notify(on: bool = on) -> bool {
                default: true,
                zmq: ("STREAM_NOTIFY", 73, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Raw,
                changed: NewEndpoints,
            }
        }
    };
}
