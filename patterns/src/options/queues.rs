//! The options that say how much waits for a peer, or for the application, and for how long.

macro_rules! queue_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Limits how many messages wait for one peer before the socket counts as full towards it; 0 is
            /// no limit. What a full pipe means is the socket type's: PUSH and REQ wait, PUB drops.
            send_hwm(messages: usize = messages) -> usize {
                default: 1000,
                zmq: ("SNDHWM", 23, Count),
                unit: "messages",
                allowed: "any number; 0 is no limit" if |_| true,
                on: Sends,
                changed: AtOnce,
            }

            /// Limits how many messages from one peer wait for the application before the socket stops
            /// reading from it; 0 is no limit.
            recv_hwm(messages: usize = messages) -> usize {
                default: 1000,
                zmq: ("RCVHWM", 24, Count),
                unit: "messages",
                allowed: "any number; 0 is no limit" if |_| true,
                on: Receives,
                changed: AtOnce,
            }

            /// Limits how many bytes of messages wait for one peer, beside `send_hwm`; 0 is no limit, as in
            /// libzmq. `None` is 32 KiB for each message that `send_hwm` allows, at least 31.25 MiB, and no limit
            /// if that has none: messages of 32 KiB or less are not limited by it. A message is taken while there
            /// are fewer bytes, so the last one may reach beyond, and one that is larger than the limit is taken
            /// when nothing else waits; limits from 1 MiB on are looked at every 60 KiB or more. A pipe that was
            /// full by bytes takes messages again when half of them are gone. Frame headers are part of it. To be
            /// full by bytes means what it means by messages: PUSH and REQ wait, PUB drops.
            send_hwm_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: None,
                none: "32 KiB for each of `send_hwm`",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number; 0 is no limit" if |_| true,
                on: Sends,
                changed: NewPeers,
            }

            /// Limits how many bytes of messages from one peer wait for the application before the socket
            /// stops reading from it, beside `recv_hwm`; 0 is no limit, as in libzmq, and `None` is 32 KiB for
            /// each message that `recv_hwm` allows, as for `send_hwm_bytes`. What was read at once, up to 256
            /// KiB or one larger message, may reach beyond.
            recv_hwm_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: None,
                none: "32 KiB for each of `recv_hwm`",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number; 0 is no limit" if |_| true,
                on: Receives,
                changed: NewPeers,
            }

            /// Limits how many messages of peers that have gone wait for the application, of all such peers
            /// together; `None` is no limit. What more of them leave is dropped, and counted as `unread`. What
            /// one peer has left alone is always kept.
            departed_hwm(messages: impl Into<Option<usize>> = messages.into()) -> Option<usize> {
                default: Some(1_000_000),
                none: "no limit",
                zmq: (),
                unit: "messages",
                allowed: "None, or any number" if |_| true,
                on: Receives,
                changed: AtOnce,
            }

            /// Limits how many bytes of messages of peers that have gone wait for the application, beside
            /// `departed_hwm`; `None` is no limit. Each such peer counts as 4 KiB more, which is what its pipe
            /// costs.
            departed_hwm_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: Some(256 * 1024 * 1024),
                none: "no limit",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number" if |_| true,
                on: Receives,
                changed: AtOnce,
            }

            /// Limits how long a message waits for its peer: what is still queued then is dropped, and
            /// counted as `expired`; `None` is for ever. The time is kept by groups of messages, so a message
            /// may live a sixteenth longer. What is being written, or is in the buffers of the system, is on
            /// its way and does not expire. A request of a REQ that expires gets no reply.
            send_ttl(time: impl Into<Option<Duration>> = time.into()) -> Option<Duration> {
                default: None,
                none: "for ever",
                zmq: (),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |time| up_to(time, MILLISECOND, MAX),
                on: Sends,
                changed: NewPeers,
            }

            /// Keeps only the newest message in each pipe, for whoever wants the latest value and no history.
            /// The high-water marks mean nothing then.
            conflate(on: bool = on) -> bool {
                default: false,
                zmq: ("CONFLATE", 54, StrictFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Conflates,
                changed: NewEndpoints,
            }

            /// Keeps only the newest message of each topic in each pipe; the topic is the first frame, and a
            /// publisher has a pipe for each subscriber, a subscriber one for each publisher. The high-water
            /// mark counts topics then; a message of yet another one is dropped by a publisher, and not read
            /// by a subscriber. Topics keep the order in which they came. A publisher that does `no_drop`
            /// waits at the mark, whatever the topic.
            conflate_topics(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: ConflatesTopics,
                changed: NewEndpoints,
            }

            /// Queues messages only for peers that are connected. Without it, a connecting socket takes
            /// messages for a peer that has not been reached yet.
            immediate(on: bool = on) -> bool {
                default: false,
                zmq: ("IMMEDIATE", 39, StrictFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how long messages that were sent may stay unwritten after the socket was closed or
            /// dropped; `None` is until they are gone, zero drops them at once. SUB, XSUB and DISH start with zero,
            /// PUB, XPUB and RADIO with 5 s: they drop messages anyway, `no_drop` excepted.
            linger(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "for ever",
                zmq: ("LINGER", 17, Millis(Minus)),
                unit: "duration",
                allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
                on: Any,
                changed: AtOnce,
            }
        }
    };
}
