//! `udp://`: unicast, broadcast and multicast, over IPv4 and IPv6.
//!
//! A bound mailbox takes what comes to its address, and a group's is a member of that; one that is connected sends to one
//! address and takes nothing. With `ipv6`, the wildcard takes datagrams of both kinds, as it does with TCP.

mod overflows;

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::datagram::{DatagramTransport, Mailbox};
use super::tcp::{canonical, fd, is_absent, unresolved, within};
use super::{bind_error, resolve, sockopt};
use crate::endpoint::{Endpoint, EndpointError, Host, UdpEndpoint};
use crate::error::{BindError, ConnectFailure};
use crate::options::Options;

/// The transport.
pub(super) struct Udp;

impl DatagramTransport for Udp {
    const SCHEME: &'static str = UdpEndpoint::SCHEME;
    type Address = UdpEndpoint;

    fn parse(address: &str) -> Result<UdpEndpoint, EndpointError> {
        UdpEndpoint::parse(address)
    }

    fn reachable_from_other_hosts(address: &UdpEndpoint) -> bool {
        address.reachable_from_other_hosts()
    }

    fn check_connect(address: &UdpEndpoint, _: &Options) -> Result<(), EndpointError> {
        address.check_connect()
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        address: &UdpEndpoint,
        options: &Options,
    ) -> Result<Arc<dyn Mailbox>, BindError> {
        let not_available = |reason| BindError::AddressNotAvailable {
            endpoint: endpoint.clone(),
            reason,
        };
        let interface = Interface::find(address.interface()).map_err(not_available)?;
        let port = address.port().unwrap_or(0);
        let places = resolve::local(address.host(), port, options.ipv6).await;
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for place in places.map_err(not_available)? {
            match bind(place, &interface, options) {
                Ok((socket, bound)) => {
                    let endpoint = Endpoint::new(Self::SCHEME, address.bound(bound));
                    return Ok(UdpMailbox::of(socket, endpoint, place, None));
                }
                // The next address may be one of ours.
                Err(error) if is_absent(&error) => last = error,
                Err(error) => return Err(bind_error(endpoint, error)),
            }
        }
        Err(bind_error(endpoint, last))
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        address: &UdpEndpoint,
        options: &Options,
    ) -> Result<Arc<dyn Mailbox>, ConnectFailure> {
        let host = address.host();
        let interface = Interface::find(address.interface());
        let interface = interface.map_err(|reason| unresolved(host, reason))?;
        let resolving = async {
            let port = address.port().unwrap_or(0);
            let targets = resolve::remote(host, port, options.ipv6).await;
            targets.map_err(|reason| unresolved(host, reason))
        };
        let name = || address.to_string();
        let mut last = None;
        for target in within(options.connect_timeout, resolving, name).await? {
            match connect(target, &interface, options) {
                Ok((socket, to)) => {
                    return Ok(UdpMailbox::of(socket, endpoint.clone(), target, to));
                }
                Err(error) => last = Some(ConnectFailure::io(target, error)),
            }
        }
        Err(last.unwrap_or_else(|| unresolved(host, "no address".to_owned())))
    }
}

/// By which interface a group is joined, and sent to.
struct Interface {
    /// Its first address of IPv4: unspecified is the system's choice.
    address: Ipv4Addr,
    /// Its number: 0 is the system's choice.
    index: u32,
}

impl Interface {
    /// Looks for the one of that name, or with that address. `None`, and `*`: the system's choice.
    fn find(named: Option<&Host>) -> Result<Self, String> {
        let mut found = Interface {
            address: Ipv4Addr::UNSPECIFIED,
            index: 0,
        };
        let Some(named) = named.filter(|host| **host != Host::Any) else {
            return Ok(found);
        };
        let all = if_addrs::get_if_addrs().map_err(|error| error.to_string())?;
        let name = all.iter().find(|one| match named {
            Host::Name(name) => one.name == *name,
            Host::V4(address) => one.ip() == IpAddr::V4(*address),
            Host::V6 { address, .. } => one.ip() == IpAddr::V6(*address),
            Host::Any => false,
        });
        let Some(name) = name.map(|one| &one.name) else {
            return Err(format!(
                "no interface is called {named}, or has that address"
            ));
        };
        for one in all.iter().filter(|one| one.name == *name) {
            found.index = one.index.unwrap_or(found.index);
            if let (IpAddr::V4(address), true) = (one.ip(), found.address.is_unspecified()) {
                found.address = address;
            }
        }
        if let Host::V4(address) = named {
            found.address = *address;
        }
        Ok(found)
    }

    /// Returns the number to join a group of IPv6 by: that of the address, if it has one.
    fn number(&self, group: SocketAddr) -> u32 {
        match group {
            SocketAddr::V6(v6) if self.index == 0 => v6.scope_id(),
            SocketAddr::V6(_) | SocketAddr::V4(_) => self.index,
        }
    }

    /// Returns an address with its link, if it needs one. `None`: it does, and nobody has named an interface.
    fn linked(&self, place: SocketAddr) -> Option<SocketAddr> {
        match (place, self.number(place)) {
            (SocketAddr::V6(group), 0) if is_of_one_link(group.ip()) => None,
            (SocketAddr::V6(mut group), number) if is_of_one_link(group.ip()) => {
                group.set_scope_id(number);
                Some(group.into())
            }
            _ => Some(place),
        }
    }
}

/// Returns whether it is a group of one interface, or of one link (RFC 4291, 2.7): the same address is another group
/// elsewhere.
fn is_of_one_link(address: &Ipv6Addr) -> bool {
    address.is_multicast() && address.segments()[0] & 0xf <= 2
}

/// Binds, and joins the group if it is one. Returns the port that the system has chosen, too.
fn bind(
    place: SocketAddr,
    interface: &Interface,
    options: &Options,
) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = socket(place, interface, options)?;
    let ip = place.ip();
    if ip.is_multicast() {
        // Every member of a group on this machine gets its own copy.
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
    }
    let at = bindable(place, interface);
    if ip.is_multicast() && at.is_ipv6() {
        // What it is bound to may be the wildcard, and it is for no other group, nor for anybody's of IPv4.
        socket.set_only_v6(true)?;
        #[cfg(target_os = "linux")]
        let _ = socket.set_multicast_all_v6(false);
    }
    socket.bind(&at.into())?;
    match ip {
        IpAddr::V4(group) if group.is_multicast() => {
            socket.join_multicast_v4(&group, &interface.address)?;
        }
        IpAddr::V6(group) if group.is_multicast() => {
            socket.join_multicast_v6(&group, interface.number(place))?;
        }
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    let socket = UdpSocket::from_std(socket.into())?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

/// Returns where a socket is bound that is to hear a group: at the group itself, where it hears no other one that somebody
/// on this machine has joined, and nothing that is for the machine alone. A group of one link has no address without its
/// interface: if that is the system's choice, the socket is bound to the wildcard.
#[cfg(unix)]
fn bindable(place: SocketAddr, interface: &Interface) -> SocketAddr {
    let linked = interface.linked(place);
    linked.unwrap_or_else(|| (Ipv6Addr::UNSPECIFIED, place.port()).into())
}

/// Returns where a socket is bound that is to hear a group: here, no socket can be bound to one.
#[cfg(not(unix))]
fn bindable(place: SocketAddr, _: &Interface) -> SocketAddr {
    match place.ip() {
        IpAddr::V4(group) if group.is_multicast() => (Ipv4Addr::UNSPECIFIED, place.port()).into(),
        IpAddr::V6(group) if group.is_multicast() => (Ipv6Addr::UNSPECIFIED, place.port()).into(),
        _ => place,
    }
}

/// Makes a socket that sends to one address. Returns that, too, if the socket could not be connected to it: to a group of one
/// link, without an interface. There the system chooses one for each datagram.
fn connect(
    target: SocketAddr,
    interface: &Interface,
    options: &Options,
) -> io::Result<(UdpSocket, Option<SocketAddr>)> {
    let socket = socket(target, interface, options)?;
    let linked = interface.linked(target);
    if let Some(linked) = linked {
        socket.connect(&linked.into())?;
    }
    let to = linked.is_none().then_some(target);
    Ok((UdpSocket::from_std(socket.into())?, to))
}

/// Makes a socket with its options set.
fn socket(address: SocketAddr, interface: &Interface, options: &Options) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    sockopt::buffers(&socket, options)?;
    sockopt::class(&socket, address.is_ipv6(), options)?;
    sockopt::device(&socket, options)?;
    socket.set_broadcast(true)?;
    let hops = u32::from(options.multicast_hops);
    if address.is_ipv6() {
        // The wildcard takes IPv4 as well; systems differ in their default.
        socket.set_only_v6(false)?;
        socket.set_multicast_hops_v6(hops)?;
        socket.set_multicast_loop_v6(options.multicast_loop)?;
        let number = interface.number(address);
        if number != 0 {
            socket.set_multicast_if_v6(number)?;
        }
        // For groups of IPv4 that are sent to from here; not every system has that.
        let _ = socket.set_multicast_ttl_v4(hops);
        let _ = socket.set_multicast_loop_v4(options.multicast_loop);
    } else {
        socket.set_multicast_ttl_v4(hops)?;
        socket.set_multicast_loop_v4(options.multicast_loop)?;
        if !interface.address.is_unspecified() {
            socket.set_multicast_if_v4(&interface.address)?;
        }
    }
    Ok(socket)
}

/// A socket of the system.
#[derive(Debug)]
struct UdpMailbox {
    socket: UdpSocket,
    endpoint: Endpoint,
    is_v6: bool,
    /// Where all goes that is sent to nobody else, if the socket is not connected to that.
    to: Option<SocketAddr>,
}

impl UdpMailbox {
    fn of(
        socket: UdpSocket,
        endpoint: Endpoint,
        address: SocketAddr,
        to: Option<SocketAddr>,
    ) -> Arc<dyn Mailbox> {
        Arc::new(UdpMailbox {
            socket,
            endpoint,
            is_v6: address.is_ipv6(),
            to,
        })
    }

    /// Returns how an address is called here: a socket of both kinds knows those of IPv4 as mapped ones.
    fn mapped(&self, to: SocketAddr) -> SocketAddr {
        match to {
            SocketAddr::V4(v4) if self.is_v6 => {
                let ip: Ipv6Addr = v4.ip().to_ipv6_mapped();
                (ip, v4.port()).into()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        }
    }

    fn send(&self, pieces: &[IoSlice<'_>], to: Option<SocketAddr>) -> io::Result<usize> {
        match (pieces, to) {
            ([all], None) => self.socket.try_send(all),
            ([all], Some(to)) => self.socket.try_send_to(all, to),
            (pieces, to) => self.socket.try_io(Interest::WRITABLE, || {
                let socket = SockRef::from(&self.socket);
                match to {
                    None => socket.send_vectored(pieces),
                    Some(to) => socket.send_to_vectored(pieces, &SockAddr::from(to)),
                }
            }),
        }
    }
}

impl Mailbox for UdpMailbox {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn try_send(&self, pieces: &[IoSlice<'_>], to: Option<SocketAddr>) -> io::Result<()> {
        let to = to.or(self.to).map(|to| self.mapped(to));
        let sent = match self.send(pieces, to) {
            // Nobody was at the port when something was sent before: that says nothing of this one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.send(pieces, to),
            sent => sent,
        };
        sent.map(drop)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }

    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.socket.try_recv_from(buffer)?;
        Ok((length, canonical(from)))
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    fn overflowed(&self) -> u64 {
        overflows::of(&self.socket, self.is_v6).unwrap_or(0)
    }

    fn fd(&self) -> Option<i32> {
        fd(&self.socket)
    }
}
