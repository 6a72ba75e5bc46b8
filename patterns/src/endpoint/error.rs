//! What can be wrong with the text of an endpoint. Every variant names the part.

use thiserror::Error;
use zmtp::SocketType;

/// An endpoint that cannot be used as written. Always the caller's mistake: retrying the same
/// text gives the same error.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `://`. Write `transport://address`.
    #[error(
        "{endpoint:?} is not an endpoint: write transport://address, such as tcp://127.0.0.1:5555"
    )]
    MissingScheme {
        /// The whole text.
        endpoint: String,
    },
    /// The transport is not one of [`TRANSPORTS`](crate::TRANSPORTS) (lower case).
    #[error("unknown transport {name:?}: allowed are {allowed}")]
    UnknownTransport {
        /// What stands before `://`.
        name: String,
        /// The transports of this build.
        allowed: String,
    },
    /// A transport of this library that this build does not have.
    #[error("transport {name:?} is not part of this build: turn on the feature `{feature}`")]
    FeatureOff {
        /// What stands before `://`.
        name: &'static str,
        /// The feature of the package `purezmq` that it takes.
        feature: &'static str,
    },
    /// A transport of this library that this system does not have, whatever the build.
    #[error("transport {name:?} works on {system} only")]
    OtherSystem {
        /// What stands before `://`.
        name: &'static str,
        /// The system that has it, as `target_os` calls it.
        system: &'static str,
    },
    /// A transport that libzmq has and this library has not.
    #[error(
        "transport {name:?} of libzmq ({purpose}) is not part of this library: \
         allowed are {allowed}"
    )]
    TransportNotBuilt {
        /// What stands before `://`.
        name: &'static str,
        /// What libzmq uses it for.
        purpose: &'static str,
        /// The transports of this build.
        allowed: String,
    },
    /// The socket's peers speak no protocol (STREAM), and the transport carries messages, not bytes.
    #[error(
        "a {socket_type} socket has no peers over {transport:?}, which carries messages: use tcp, ipc or another transport of bytes"
    )]
    NoBytes {
        /// The type of the socket.
        socket_type: SocketType,
        /// What stands before `://`.
        transport: String,
    },
    /// The socket has the option `security`, and its peers speak no protocol (STREAM) in which they could prove anything.
    #[error(
        "a {socket_type} socket speaks no protocol, and no security mechanism: leave the option `security` as it is"
    )]
    NoMechanism {
        /// The type of the socket.
        socket_type: SocketType,
    },
    /// The transport does not carry what sockets of this type send and receive, or not in this direction: datagrams are for
    /// RADIO, which connects, for DISH, which binds, and for DGRAM, which binds and has nothing else.
    #[error("a {socket_type} socket cannot {call} {transport:?}: {instead}")]
    NotForSocket {
        /// The type of the socket.
        socket_type: SocketType,
        /// What was tried: `bind` or `connect`.
        call: &'static str,
        /// What stands before `://`.
        transport: String,
        /// What can be done.
        instead: &'static str,
    },
    /// The socket is to know who its peers are (options `security`, `zap_domain`), and in datagrams nobody proves anything.
    #[error(
        "nobody proves anything over {transport:?}: use a socket without the options `security` and `zap_domain`"
    )]
    NothingProven {
        /// What stands before `://`.
        transport: String,
    },
    /// The host of a TCP endpoint is malformed.
    #[error("host {host:?} is not usable: {reason}")]
    Host {
        /// The host as written.
        host: String,
        /// What is wrong and what is allowed.
        reason: &'static str,
    },
    /// An address of another transport is malformed.
    #[error("{address:?} is no address of {transport}: {reason}")]
    Address {
        /// The transport.
        transport: &'static str,
        /// The address as written.
        address: String,
        /// What is wrong and what is allowed.
        reason: &'static str,
    },
    /// A TCP endpoint has no `:port` at its end.
    #[error("{address:?} has no port: write host:port, such as 127.0.0.1:5555")]
    MissingPort {
        /// The address part in question.
        address: String,
    },
    /// The port is not a number in range.
    #[error(
        "port {port:?} is out of range: allowed are 1 to 65535, and to bind also * or 0 \
         for a port of the system's choice"
    )]
    Port {
        /// The port as written.
        port: String,
    },
    /// The endpoint can be bound, but not connected to: a part of it is a wildcard.
    #[error("cannot connect to {part} of {endpoint}: {allowed}")]
    NotConnectable {
        /// The whole endpoint.
        endpoint: String,
        /// The wildcard part, such as `port *`.
        part: &'static str,
        /// What is allowed in its place.
        allowed: &'static str,
    },
    /// The endpoint's source address (`source:port;host:port`) is of the other IP version than the address to connect
    /// to: the peer's, or that of the proxy (option `socks_proxy`).
    #[error("cannot connect from {source_address} to {target}: one is IPv4, the other IPv6")]
    OtherIpVersion {
        /// The source address.
        source_address: String,
        /// The address to connect to.
        target: String,
    },
    /// The endpoint has a source address (`source:port;host:port`), which only connecting knows.
    #[error(
        "cannot bind {endpoint}: a source address before ';' is for connect only, \
         bind takes one host:port"
    )]
    NotBindable {
        /// The whole endpoint.
        endpoint: String,
    },
    /// Nothing stands after `ipc://`, `ipc://@` or `inproc://`.
    #[error("the {transport} endpoint has an empty name: at least one byte is needed")]
    EmptyName {
        /// The transport.
        transport: &'static str,
    },
    /// An ipc path or an inproc name is too long.
    #[error("the {transport} name has {length} bytes: at most {limit} are allowed")]
    NameTooLong {
        /// The transport.
        transport: &'static str,
        /// The length found, in bytes.
        length: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// An ipc path contains a NUL byte, which no file name can hold.
    #[error("the ipc path {path:?} contains a NUL byte: paths must not")]
    NulInPath {
        /// The path.
        path: String,
    },
    /// `ipc://@name` on a system other than Linux.
    #[error(
        "abstract name @{name} works on Linux only: use a path such as ipc:///tmp/name on this system"
    )]
    AbstractUnsupported {
        /// The name, without `@`.
        name: String,
    },
}
