//! Who is at the other end of a connection, for all that ask: admission, authenticators, monitors, statistics. Made by
//! the transports.

use std::fmt;
use std::net::SocketAddr;

/// Who is at the other end of a connection, as the operating system tells it.
///
/// Prints as `tcp://address:port`, `ipc://uid:gid:pid` or `inproc`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// The remote address and port. An IPv4 peer of a dual-stack listener shows as IPv4.
    Tcp(SocketAddr),
    /// The process at the other end, as the kernel vouches for it. Of a connecting socket this
    /// is the process that called listen.
    Ipc {
        /// Its effective user id.
        uid: u32,
        /// Its effective group id.
        gid: u32,
        /// Its process id, where the system tells it.
        pid: Option<i32>,
    },
    /// A socket of the same context.
    Inproc,
}

impl PeerAddress {
    /// The address as libzmq writes it, for ZAP handlers and for messages: without a port, or what the system knows of
    /// a process.
    pub(crate) fn without_port(&self) -> String {
        match self {
            PeerAddress::Tcp(address) => address.ip().to_string(),
            PeerAddress::Ipc { uid, gid, pid } => {
                format!(":{uid}:{gid}:{}", pid.unwrap_or_default())
            }
            PeerAddress::Inproc => String::new(),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Tcp(address) => write!(f, "tcp://{address}"),
            PeerAddress::Ipc { uid, gid, pid } => {
                write!(f, "ipc://{uid}:{gid}:")?;
                pid.map_or(Ok(()), |pid| pid.fmt(f))
            }
            PeerAddress::Inproc => f.write_str("inproc"),
        }
    }
}
