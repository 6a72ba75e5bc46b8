//! The part of an endpoint after `udp://`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};

use super::tcp::Place;
use super::{Address, EndpointError, Host};

/// The address part of a `udp://` endpoint: `host:port`, or for a multicast group also `interface;group:port`.
///
/// ```
/// use purezmq::Endpoint;
///
/// let endpoint: Endpoint = "udp://eth0;239.0.0.1:5555".parse()?;
/// let udp = endpoint.udp().expect("it is one of UDP");
/// assert!(udp.is_multicast());
/// assert_eq!(udp.socket_address(), Some(([239, 0, 0, 1], 5555).into()));
/// # Ok::<(), purezmq::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UdpEndpoint {
    interface: Option<Host>,
    place: Place,
}

impl UdpEndpoint {
    /// What stands before `://`.
    pub(crate) const SCHEME: &'static str = "udp";

    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        let (interface, place) = match text.split_once(';') {
            Some((interface, place)) => (Some(Host::parse(interface)?), place),
            None => (None, text),
        };
        let udp = UdpEndpoint {
            interface,
            place: Place::parse(place)?,
        };
        if udp.interface.is_some() && !udp.is_multicast() {
            return Err(EndpointError::Address {
                transport: Self::SCHEME,
                address: text.to_owned(),
                reason: "an interface before ';' is for multicast groups, such as eth0;239.0.0.1:5555",
            });
        }
        Ok(udp)
    }

    /// Returns the host to bind, or to send to.
    pub fn host(&self) -> &Host {
        &self.place.host
    }

    /// Returns the port, or `None` for one of the system's choice (`*` or 0, to bind only).
    pub fn port(&self) -> Option<u16> {
        (self.place.port != 0).then_some(self.place.port)
    }

    /// Returns the interface by which a multicast group is joined or sent to, if it is named: its name, or an address that it
    /// has.
    pub fn interface(&self) -> Option<&Host> {
        self.interface.as_ref()
    }

    /// Returns whether the host is the address of a multicast group.
    pub fn is_multicast(&self) -> bool {
        match self.host() {
            Host::V4(address) => address.is_multicast(),
            Host::V6 { address, .. } => address.is_multicast(),
            Host::Any | Host::Name(_) => false,
        }
    }

    /// Returns address and port, if both are definite: a number, and no name.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        let port = self.port()?;
        match self.host() {
            Host::V4(address) => Some((*address, port).into()),
            Host::V6 { address, zone } => {
                let zone = match zone {
                    Some(zone) => zone.parse().ok()?,
                    None => 0,
                };
                Some(SocketAddrV6::new(*address, port, 0, zone).into())
            }
            Host::Any | Host::Name(_) => None,
        }
    }

    /// Says whether what is bound there can be reached from other machines. Whatever group it is, others can send to it.
    pub(crate) fn reachable_from_other_hosts(&self) -> bool {
        self.host().is_reachable_from_other_hosts()
    }

    /// Checks whether one can send there: wildcards are for binding only.
    pub(crate) fn check_connect(&self) -> Result<(), EndpointError> {
        self.place.check_connect(Self::SCHEME, self)
    }

    /// Returns the same endpoint with what the system has chosen.
    pub(crate) fn bound(&self, address: SocketAddr) -> Self {
        let mut place = self.place.clone();
        match place.host {
            // Peers without IPv6 could not send to the wildcard that takes both kinds by its name.
            Host::Any => place = Place::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            Host::Name(_) => place = Place::from(address),
            Host::V4(_) | Host::V6 { .. } => {}
        }
        place.port = address.port();
        UdpEndpoint {
            interface: self.interface.clone(),
            place,
        }
    }
}

impl Address for UdpEndpoint {
    fn is_definite(&self) -> bool {
        self.place.port != 0
    }

    fn port(&self) -> Option<u16> {
        UdpEndpoint::port(self)
    }
}

impl fmt::Display for UdpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "{interface};")?;
        }
        self.place.fmt(f)
    }
}
