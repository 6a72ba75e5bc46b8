//! `vsock://cid:port`: between a virtual machine and its host, or within one of them, on Linux.
//!
//! A context id (CID) is to a machine what an IP address is to a host: 2 is the hypervisor's host, 1 this machine
//! itself, where the kernel has a loopback for it. To bind, `*` is whatever CID this machine has, and the port `*` one of
//! the system's choice. Numbers have 32 bits; there are no names.

use std::fmt;
use std::io::{self, Read};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio_vsock::{VMADDR_CID_ANY, VMADDR_CID_LOCAL, VsockAddr, VsockListener, VsockStream};

use super::tcp::{fd, within};
use super::{Acceptor, ByteStream, Listener, Stream, Transport, bind_error};
use crate::endpoint::{Address, Endpoint, EndpointError};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// The port that stands for any, as the kernel has it.
const PORT_ANY: u32 = u32::MAX;

/// A CID and a port. The highest number of each is the wildcard, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct VsockEndpoint {
    cid: u32,
    port: u32,
}

impl Address for VsockEndpoint {
    fn is_definite(&self) -> bool {
        self.port != PORT_ANY
    }
}

impl VsockEndpoint {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        let wrong = |reason| EndpointError::Address {
            transport: Vsock::SCHEME,
            address: text.to_owned(),
            reason,
        };
        let (cid, port) = text
            .split_once(':')
            .ok_or_else(|| wrong("write cid:port, such as 2:5555"))?;
        let cid = number(cid, VMADDR_CID_ANY)
            .filter(|cid| *cid > 0)
            .ok_or_else(|| wrong("a CID is a number from 1 to 4294967294, or * to bind"))?;
        let port = number(port, PORT_ANY)
            .filter(|port| *port > 0)
            .ok_or_else(|| wrong("a port is a number from 1 to 4294967294, or * to bind"))?;
        Ok(VsockEndpoint { cid, port })
    }

    fn address(self) -> VsockAddr {
        VsockAddr::new(self.cid, self.port)
    }
}

impl From<VsockAddr> for VsockEndpoint {
    fn from(address: VsockAddr) -> Self {
        VsockEndpoint {
            cid: address.cid(),
            port: address.port(),
        }
    }
}

/// Reads digits, or the wildcard, which no digits give.
fn number(text: &str, wildcard: u32) -> Option<u32> {
    if text == "*" {
        return Some(wildcard);
    }
    // u32's own parser would also take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.filter(|number| *number != wildcard)
}

impl fmt::Display for VsockEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cid {
            VMADDR_CID_ANY => f.write_str("*:")?,
            cid => write!(f, "{cid}:")?,
        }
        match self.port {
            PORT_ANY => f.write_str("*"),
            port => port.fmt(f),
        }
    }
}

/// The transport.
pub(super) struct Vsock;

impl Transport for Vsock {
    const SCHEME: &'static str = "vsock";
    type Address = VsockEndpoint;

    fn parse(address: &str) -> Result<VsockEndpoint, EndpointError> {
        VsockEndpoint::parse(address)
    }

    /// A guest and its host are other machines to each other.
    fn reachable_from_other_hosts(address: &VsockEndpoint) -> bool {
        address.cid != VMADDR_CID_LOCAL
    }

    fn check_connect(
        endpoint: &Endpoint,
        address: &VsockEndpoint,
        _: &Options,
    ) -> Result<(), ConnectError> {
        let (part, allowed) = if address.cid == VMADDR_CID_ANY {
            (
                "CID *",
                "name the peer's CID (2 is the host of a virtual machine)",
            )
        } else if address.port == PORT_ANY {
            ("port *", "name the peer's port, 1 to 4294967294")
        } else {
            return Ok(());
        };
        let endpoint = endpoint.to_string();
        Err(EndpointError::NotConnectable {
            endpoint,
            part,
            allowed,
        })?
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        address: &VsockEndpoint,
        options: &Options,
    ) -> Result<Listener, BindError> {
        let bound = listen(*address, options);
        match bound {
            Ok(listener) => Ok(Box::new(listener)),
            Err(error) => Err(bind_error(endpoint, error)),
        }
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        address: &VsockEndpoint,
        options: &Options,
        _: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        let attempt = async {
            let connected = VsockStream::connect(address.address()).await;
            connected.map_err(|error| ConnectFailure::io(endpoint, error))
        };
        let stream = within(options.connect_timeout, attempt, || endpoint.to_string()).await?;
        Ok((Stream::other(stream), peer(address.address())))
    }
}

fn listen(address: VsockEndpoint, options: &Options) -> io::Result<VsockAcceptor> {
    let listener = VsockListener::bind(address.address())?;
    // It listens already, with a backlog of its library's choice; this changes the number.
    SockRef::from(&listener).listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let bound = VsockEndpoint::from(listener.local_addr()?);
    Ok(VsockAcceptor {
        listener,
        endpoint: Endpoint::new(Vsock::SCHEME, bound),
    })
}

fn peer(address: VsockAddr) -> PeerAddress {
    PeerAddress::other(Vsock::SCHEME, address.cid().to_string(), address.port())
}

/// A listening socket.
#[derive(Debug)]
struct VsockAcceptor {
    listener: VsockListener,
    endpoint: Endpoint,
}

impl Acceptor for VsockAcceptor {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn fd(&self) -> Option<i32> {
        fd(&self.listener)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let (stream, address) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((Stream::other(stream), peer(address))))
    }
}

impl ByteStream for VsockStream {
    fn fd(&self) -> Option<i32> {
        fd(self)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self)).read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check_connect, reachable_from_other_hosts};
    use super::*;

    #[test]
    fn addresses_print_and_parse_back() {
        for (text, normal) in [
            ("vsock://2:5555", "vsock://2:5555"),
            ("vsock://*:*", "vsock://*:*"),
            ("vsock://1:4294967294", "vsock://1:4294967294"),
            ("vsock://007:01", "vsock://7:1"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), normal);
            assert_eq!(normal.parse(), Ok(endpoint));
        }
        for (text, part) in [
            ("vsock://", "cid:port"),
            ("vsock://2", "cid:port"),
            ("vsock://:1", "CID"),
            ("vsock://0:1", "CID"),
            ("vsock://-1:1", "CID"),
            ("vsock://host:1", "CID"),
            ("vsock://4294967295:1", "CID"),
            ("vsock://2:", "port"),
            ("vsock://2:0", "port"),
            ("vsock://2:+1", "port"),
            ("vsock://2:4294967295", "port"),
            ("vsock://2:1:1", "port"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn wildcards_are_to_bind_and_only_the_loopback_is_closed_to_others() {
        let options = Options::default();
        for (text, reachable, connects) in [
            ("vsock://1:1", false, true),
            ("vsock://2:1", true, true),
            ("vsock://*:1", true, false),
            ("vsock://2:*", true, false),
        ] {
            let endpoint = text.parse().unwrap();
            assert_eq!(reachable_from_other_hosts(&endpoint), reachable, "{text}");
            let checked = check_connect(&endpoint, &options);
            assert_eq!(checked.is_ok(), connects, "{text}");
        }
    }
}
