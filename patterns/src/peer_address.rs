//! Who is at the other end of a connection, for all that ask: admission, authenticators, monitors, statistics. Made by
//! the transports, and by inproc.

mod place;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

pub use place::{Place, PlaceError};

/// Who is at the other end of a connection, as the operating system tells it.
///
/// Prints as `tcp://address:port`, `ipc://uid:gid:pid` or `inproc`; other transports in their own words. `ws` alone is a
/// peer of which the web server that accepted it has said nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use purezmq::{PullSocket, PushSocket};
/// # let mut pull = PullSocket::new();
/// # let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// # let mut push = PushSocket::new();
/// # push.connect(&endpoint)?;
/// # push.send("hello").await?;
/// pull.recv().await?;
/// let peer = pull.last_peer().expect("a message has been received");
/// assert_eq!(peer.address.transport(), "tcp");
/// assert!(peer.address.ip().is_some_and(|ip| ip.is_loopback()));
/// assert!(peer.address.process().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    transport: &'static str,
    place: Whereabouts,
}

/// The process at the other end of an `ipc://` connection, as the kernel vouches for it. Of a connecting socket this
/// is the process that called listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeerProcess {
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Its process id, where the system tells it.
    pub pid: Option<i32>,
}

/// What can be known of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whereabouts {
    Ip(SocketAddr),
    Process(PeerProcess),
    /// A socket of the same context.
    Inproc,
    /// Whoever accepted the connection does not know, or did not say.
    Unknown,
    /// A host and a port of another kind.
    #[allow(dead_code, reason = "for transports of other networks than IP")]
    Other(Box<(String, u32)>),
}

/// The machine at the other end, so that connections can be counted for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PeerHost {
    Ip(IpAddr),
    Other(Box<str>),
}

impl PeerAddress {
    /// Makes the address of a peer of the same context.
    pub(crate) const INPROC: PeerAddress = PeerAddress {
        transport: "inproc",
        place: Whereabouts::Inproc,
    };

    /// Makes the address of a peer whose address is not known.
    pub(crate) const UNKNOWN: PeerAddress = PeerAddress {
        transport: "ws",
        place: Whereabouts::Unknown,
    };

    /// Makes the address of a process of this machine.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) fn of_process(uid: u32, gid: u32, pid: Option<i32>) -> Self {
        PeerAddress {
            transport: "ipc",
            place: Whereabouts::Process(PeerProcess { uid, gid, pid }),
        }
    }

    /// Makes an address of a network that is not IP.
    #[allow(dead_code, reason = "for transports of other networks than IP")]
    pub(crate) fn other(transport: &'static str, host: String, port: u32) -> Self {
        PeerAddress {
            transport,
            place: Whereabouts::Other(Box::new((host, port))),
        }
    }

    /// Returns the name of the transport that knows it so. TLS shows the address of the TCP connection below.
    pub fn transport(&self) -> &'static str {
        self.transport
    }

    /// Returns the remote address and port, of a TCP connection. An IPv4 peer of a dual-stack listener shows as IPv4.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self.place {
            Whereabouts::Ip(address) => Some(address),
            _ => None,
        }
    }

    /// Returns the remote IP address, of a TCP connection.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_address().map(|address| address.ip())
    }

    /// Returns the machine at the other end, if connections come over a network.
    pub(crate) fn host(&self) -> Option<PeerHost> {
        match &self.place {
            Whereabouts::Ip(address) => Some(PeerHost::Ip(address.ip())),
            Whereabouts::Other(place) => Some(PeerHost::Other(place.0.as_str().into())),
            Whereabouts::Process(_) | Whereabouts::Inproc | Whereabouts::Unknown => None,
        }
    }

    /// Returns the process at the other end, of an ipc connection.
    pub fn process(&self) -> Option<PeerProcess> {
        match self.place {
            Whereabouts::Process(process) => Some(process),
            _ => None,
        }
    }

    /// Returns the CID of the machine at the other end, of a vsock connection.
    pub fn cid(&self) -> Option<u32> {
        match &self.place {
            Whereabouts::Other(place) => place.0.parse().ok(),
            _ => None,
        }
    }

    /// Says whether it is a socket of the same context.
    pub fn is_inproc(&self) -> bool {
        self.place == Whereabouts::Inproc
    }

    /// Returns the address as libzmq writes it, for ZAP handlers and for messages: without a port, or what the system
    /// knows of a process.
    pub(crate) fn without_port(&self) -> String {
        match &self.place {
            Whereabouts::Ip(address) => address.ip().to_string(),
            Whereabouts::Process(PeerProcess { uid, gid, pid }) => {
                format!(":{uid}:{gid}:{}", pid.unwrap_or_default())
            }
            Whereabouts::Inproc | Whereabouts::Unknown => String::new(),
            Whereabouts::Other(place) => place.0.clone(),
        }
    }
}

/// A peer over TCP.
impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        PeerAddress {
            transport: "tcp",
            place: Whereabouts::Ip(address),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.transport)?;
        match &self.place {
            Whereabouts::Ip(address) => write!(f, "://{address}"),
            Whereabouts::Process(PeerProcess { uid, gid, pid }) => {
                write!(f, "://{uid}:{gid}:")?;
                pid.map_or(Ok(()), |pid| pid.fmt(f))
            }
            Whereabouts::Inproc | Whereabouts::Unknown => Ok(()),
            Whereabouts::Other(place) => write!(f, "://{}:{}", place.0, place.1),
        }
    }
}

/// A text that no [`PeerAddress`] has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no peer's address: one is tcp://address:port, ipc://uid:gid:pid, or inproc")]
pub struct PeerAddressError {
    text: String,
}

/// The transports of other networks than IP.
const OTHERS: &[&str] = &["vsock"];

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let address = match text.split_once("://") {
            Some(("tcp", address)) => address.parse::<SocketAddr>().ok().map(PeerAddress::from),
            Some(("ipc", process)) => process_of(process),
            Some((transport, place)) => other(transport, place),
            None => [PeerAddress::INPROC, PeerAddress::UNKNOWN]
                .into_iter()
                .find(|known| known.transport == text),
        };
        address.ok_or_else(|| PeerAddressError {
            text: text.to_owned(),
        })
    }
}

fn process_of(text: &str) -> Option<PeerAddress> {
    let mut ids = text.splitn(3, ':');
    let (uid, gid, pid) = (ids.next()?, ids.next()?, ids.next()?);
    let pid = match pid {
        "" => None,
        pid => Some(pid.parse().ok()?),
    };
    Some(PeerAddress::of_process(
        uid.parse().ok()?,
        gid.parse().ok()?,
        pid,
    ))
}

fn other(transport: &str, place: &str) -> Option<PeerAddress> {
    let transport = OTHERS.iter().find(|known| **known == transport)?;
    let (host, port) = place.rsplit_once(':')?;
    Some(PeerAddress::other(
        transport,
        host.to_owned(),
        port.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_and_tells_what_it_knows() {
        let tcp = PeerAddress::from("[::1]:80".parse::<SocketAddr>().unwrap());
        assert_eq!(tcp.to_string(), "tcp://[::1]:80");
        assert_eq!(tcp.without_port(), "::1");
        assert!(tcp.ip().is_some() && tcp.process().is_none());
        let ipc = |pid| PeerAddress::of_process(1, 2, pid);
        assert_eq!(ipc(Some(3)).to_string(), "ipc://1:2:3");
        assert_eq!(ipc(Some(3)).without_port(), ":1:2:3");
        assert_eq!(ipc(None).to_string(), "ipc://1:2:");
        assert_eq!(PeerAddress::INPROC.to_string(), "inproc");
        assert!(PeerAddress::INPROC.is_inproc() && PeerAddress::INPROC.ip().is_none());
        let unknown = PeerAddress::UNKNOWN;
        assert_eq!(
            (unknown.to_string(), unknown.without_port()),
            ("ws".to_owned(), String::new())
        );
        assert_eq!("ws".parse(), Ok(unknown.clone()));
        assert!(!unknown.is_inproc() && unknown.host().is_none());
        let other = PeerAddress::other("vsock", "3".to_owned(), 70_000);
        assert_eq!(other.to_string(), "vsock://3:70000");
        assert_eq!((other.without_port(), other.ip()), ("3".to_owned(), None));
        assert_eq!(
            (other.cid(), tcp.cid(), ipc(None).cid()),
            (Some(3), None, None)
        );
        let neighbour = PeerAddress::other("vsock", "3".to_owned(), 1);
        assert_eq!((other.host(), ipc(None).host()), (neighbour.host(), None));
    }
}
