//! The options that say what a socket is called, and how long its calls wait.

macro_rules! call_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Sets what the socket is called where people look at it: in log lines, monitor events,
            /// statistics and `Debug`. Peers are not told.
            name(name: impl Into<String> = Some(name.into())) -> Option<String> {
                default: None,
                none: "none",
                zmq: (),
                unit: "text",
                allowed: "at most 255 bytes, without control characters; empty is none" if |name| {
                    name.as_ref().is_none_or(|name| name.len() <= 255 && !name.contains(char::is_control))
                },
                stored: |name: Option<String>| name.filter(|name| !name.is_empty()),
                on: Any,
                changed: AtOnce,
            }

            /// Limits how long `send` waits for a peer that can take the message; `None` is for ever, zero is
            /// not at all: its task yields once, and tries again.
            send_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "for ever",
                zmq: ("SNDTIMEO", 28, Millis(Minus)),
                unit: "duration",
                allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
                on: Sends,
                changed: AtOnce,
            }

            /// Limits how long `recv` waits for a message; `None` is for ever, zero is not at all: its task
            /// yields once, and tries again.
            recv_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "for ever",
                zmq: ("RCVTIMEO", 27, Millis(Minus)),
                unit: "duration",
                allowed: "None, or 0 to 2147483 s" if |limit| up_to(limit, Duration::ZERO, MAX),
                on: Receives,
                changed: AtOnce,
            }

            /// Sets how long a `recv` without a message asks the connections themselves, again and again,
            /// before it lets its thread do something else; `None` is not at all. Waking a sleeping thread
            /// takes far longer than a message needs, so this makes round trips short, and costs a core while
            /// it waits. It ends with `recv_timeout`, and its task yields every 50 µs. (libzmq's option is `system_busy_poll`.)
            busy_poll(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "not at all",
                zmq: (),
                unit: "duration",
                allowed: "None, or 0 to 1 s" if |limit| up_to(limit, Duration::ZERO, Duration::from_secs(1)),
                on: Receives,
                changed: AtOnce,
            }
        }
    };
}
