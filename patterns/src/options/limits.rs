//! The options that say how much a peer may send, and how many peers there may be.

macro_rules! limit_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Limits the size of a message that is received: payload bytes, all of its frames together. A
            /// peer that sends a larger one is disconnected before memory is taken for it. libzmq applies its
            /// limit to each frame. PUSH, SCATTER and RADIO, which nobody has much to send to, start with 64 KiB, PUB,
            /// which hears of subscriptions only, with 1 MiB.
            max_message_size(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: None,
                none: "no limit; PUSH, SCATTER, RADIO: 64 KiB; PUB: 1 MiB",
                zmq: ("MAXMSGSIZE", 22, Size),
                unit: "bytes",
                allowed: "None, or any number" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many frames a received message may have. A peer that sends more is disconnected.
            max_frames(frames: usize = frames) -> usize {
                default: 65_536,
                zmq: (),
                unit: "frames",
                allowed: "1 or more" if |frames| *frames > 0,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Limits how long a command of a peer's handshake may be, its properties included. A peer that
            /// announces a longer one is disconnected before memory is taken for it.
            max_handshake_size(bytes: usize = bytes) -> usize {
                default: 64 * 1024,
                zmq: (),
                unit: "bytes",
                allowed: "512 or more" if |bytes| *bytes >= 512,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Limits how many bytes peers may have sent in handshakes that are not through, of one bound endpoint
            /// and all of them together; `None` is no limit. Who has sent no more than 1 KiB, as nearly everybody
            /// does, is not counted. Beyond it the one that is counted and has been at it longest is closed. What
            /// is held for such handshakes is at most about twice as much, beside some 8 KiB for each connection.
            max_all_handshake_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: Some(64 * 1024 * 1024),
                none: "no limit",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number" if |_| true,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Limits how long a command of a peer may be after the handshake: a subscription, say. A peer
            /// that announces a longer one is disconnected before memory is taken for it.
            max_command_size(bytes: usize = bytes) -> usize {
                default: 1024 * 1024,
                zmq: (),
                unit: "bytes",
                allowed: "512 or more" if |bytes| *bytes >= 512,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Limits how many connections one bound endpoint has at a time; `None` is no limit. More are
            /// closed at once.
            max_connections(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
                default: Some(65_536),
                none: "no limit",
                zmq: (),
                unit: "connections",
                allowed: "None, or 1 or more" if |limit| *limit != Some(0),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many connections one bound endpoint has at a time from the same IP address; `None`
            /// is no limit. More are closed at once.
            max_connections_per_address(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
                default: Some(32_768),
                none: "no limit",
                zmq: (),
                unit: "connections",
                allowed: "None, or 1 or more" if |limit| *limit != Some(0),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many connections of one bound endpoint may be at their handshake at a time; `None`
            /// is no limit. One more takes the place of the one that has been at it longest, so that silent
            /// peers keep nobody out. The default is enough for ten thousand peers that come back at once.
            max_handshakes(connections: impl Into<Option<usize>> = connections.into()) -> Option<usize> {
                default: Some(16_384),
                none: "no limit",
                zmq: (),
                unit: "connections",
                allowed: "None, or 1 or more" if |limit| *limit != Some(0),
                on: Any,
                changed: NewEndpoints,
            }
        }
    };
}
