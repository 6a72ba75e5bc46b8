//! What this library logs: the targets and levels of its lines, which it gives to [`tracing`].
//!
//! A subscriber with an environment filter shows them by `RUST_LOG=purezmq=info`, or one group by
//! `RUST_LOG=purezmq::connection=debug`. Without a subscriber nothing is logged.
//!
//! `WARN` is for what does not pass by itself, or what a peer is to blame for; `INFO` for the first failure of a series,
//! and for its end; `DEBUG` for all that happens to connections. At one endpoint, failures are a series until a connection
//! is through its handshake (a connecting endpoint), or for a minute (a bound one): all but the first are `DEBUG`. The
//! field `failures` counts them all, so nothing is hidden, and a peer cannot fill a log.
//!
//! | target | level | message | when |
//! |---|---|---|---|
//! | `purezmq::connection` | `WARN` | `a connection failed` | a handshake failed, on either side; a peer was sent away for what it did; no connection can be accepted: the first of a series |
//! | `purezmq::connection` | `INFO` | `a peer cannot be reached` | the first of a series |
//! | `purezmq::connection` | `INFO` | `a peer is reached again` | a series ends |
//! | `purezmq::connection` | `DEBUG` | `connection event` | whatever a [monitor](crate::monitor) hears |
//! | `purezmq::connection` | `WARN` | `a subscriber is disconnected: it has subscribed to too much` | one by inproc, which has no connection |
//! | `purezmq::endpoint` | `WARN` | `endpoint is gone` | its task has ended, though the socket has not let go of it |
//! | `purezmq::endpoint` | `DEBUG` | `endpoint is gone` | the same with its runtime, and nothing was unsent |
//! | `purezmq::endpoint` | `WARN` | `messages are given up` | a task was cut short that had messages to send, or a socket's time to linger is over |
//! | `purezmq::endpoint` | `WARN` | `the runtime's end does not wait for what was sent` | it goes on on an I/O thread, for as long as the program runs |
//! | `purezmq::endpoint` | `WARN` | `the runtime has ended, and what was sent has not left yet` | it has been waited for long enough; it is tried for as long as the program runs |
//! | `purezmq::endpoint` | `WARN` | `everybody who can reach this address can come in: the socket has no authentication` | at `bind` |
//! | `purezmq::security` | `WARN` | `peer refused: the socket's context has no authenticator` | |
//! | `purezmq::security` | `WARN` | `peer refused: no decision from the ZAP handler` | it has gone, or its reply is malformed |
//! | `purezmq::security` | `ERROR` | `peer refused: the authenticator has panicked` | |
//! | `purezmq::security` | `WARN` | `cannot read the file or directory of an authenticator` | |
//! | `purezmq::security` | `DEBUG` | `peer admitted` | |
//! | `purezmq::security` | `DEBUG` | `peer refused` | |
//! | `purezmq::context` | `WARN` | `the last blocking socket is dropped, and what was sent has not left` | |
//!
//! Each connection has a span of level `DEBUG` and target `purezmq::connection`, called `connection`, from when it is
//! accepted or stands to its end: the lines about the connection itself are in it. Its fields are those of the lines, and
//! from the handshake on `peer_type`, the type of the peer's socket, and `routing_id`, by what the socket knows it. It is
//! entered for a line and left again, not while messages move: what is off costs a look at a level for each connection, and
//! what is on costs a message nothing either.
//!
//! Fields of the lines about connections and endpoints: `socket_type`; `socket`, the socket's option `name`, if it has
//! one; `endpoint`; `peer`, its address; `refused`, as whom a peer wanted to come in that was refused; `event` or `reason`.
//! What they quote of a peer is escaped, and cut.

/// What happens to connections.
pub(crate) const CONNECTION: &str = "purezmq::connection";
/// What happens to endpoints, and what is lost with them.
pub(crate) const ENDPOINT: &str = "purezmq::endpoint";
/// Who is let in.
pub(crate) const SECURITY: &str = "purezmq::security";
/// What is left when sockets end.
pub(crate) const CONTEXT: &str = "purezmq::context";
