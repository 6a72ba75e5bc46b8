//! The part of an endpoint after `tcp://`; hosts and ports, which UDP has, too.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::{Address, EndpointError};

/// The address part of an endpoint of TCP, and of transports that run over it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpEndpoint {
    source: Option<Place>,
    target: Place,
}

/// One `host:port`. Port 0 means "of the system's choice" and prints as `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// The host of an endpoint of TCP or UDP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// `*`: every local interface. To bind, or as a source, only; of a multicast group, whichever the system chooses.
    Any,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address in brackets.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// The zone after `%` (an interface's name or number), for link-local addresses.
        zone: Option<String>,
    },
    /// A DNS name, or to bind an interface's name. Resolved at each attempt.
    Name(String),
}

/// The longest DNS name, in bytes of text.
const MAX_NAME: usize = 253;

impl TcpEndpoint {
    /// What stands before `://` where it is TCP alone.
    pub(crate) const SCHEME: &'static str = "tcp";

    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        let (source, target) = match text.split_once(';') {
            Some((source, target)) => (Some(Place::parse(source)?), target),
            None => (None, text),
        };
        let target = Place::parse(target)?;
        Ok(TcpEndpoint { source, target })
    }

    /// Returns the host to bind or to connect to.
    pub fn host(&self) -> &Host {
        &self.target.host
    }

    /// Returns the port, or `None` for one of the system's choice (`*` or 0, to bind only).
    pub fn port(&self) -> Option<u16> {
        (self.target.port != 0).then_some(self.target.port)
    }

    /// Returns the local host and port to connect from (`source:port;host:port`), if given.
    pub fn source(&self) -> Option<(&Host, Option<u16>)> {
        let source = self.source.as_ref()?;
        Some((&source.host, (source.port != 0).then_some(source.port)))
    }

    /// Says whether a listener there can be reached from other machines.
    pub(crate) fn reachable_from_other_hosts(&self) -> bool {
        self.host().is_reachable_from_other_hosts()
    }

    /// Checks whether one can bind there: only a source address stands in the way.
    pub(crate) fn check_bind(&self, scheme: &str) -> Result<(), EndpointError> {
        if self.source.is_none() {
            return Ok(());
        }
        Err(EndpointError::NotBindable {
            endpoint: format!("{scheme}://{self}"),
        })
    }

    /// Checks whether one can connect there: wildcards are for binding only.
    pub(crate) fn check_connect(&self, scheme: &str) -> Result<(), EndpointError> {
        self.target.check_connect(scheme, self)
    }

    /// Checks whether one can connect to a host from the source address, if there is one. Names may have addresses of both
    /// IP versions.
    pub(crate) fn check_source(&self, target: &Host) -> Result<(), EndpointError> {
        match (self.source.as_ref().map(|source| &source.host), target) {
            (Some(source @ Host::V4(_)), Host::V6 { .. })
            | (Some(source @ Host::V6 { .. }), Host::V4(_)) => Err(EndpointError::OtherIpVersion {
                source_address: source.to_string(),
                target: target.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl Address for TcpEndpoint {
    fn tcp(&self) -> Option<&TcpEndpoint> {
        Some(self)
    }

    fn is_definite(&self) -> bool {
        self.target.port != 0
    }

    fn at(&self, address: SocketAddr) -> Option<Arc<dyn Address>> {
        Some(Arc::new(TcpEndpoint::from(address)))
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, EndpointError> {
        // The last colon splits, but not one inside of brackets.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => {
                return Err(EndpointError::MissingPort {
                    address: text.to_owned(),
                });
            }
        };
        Ok(Place {
            host: Host::parse(host)?,
            port: parse_port(port)?,
        })
    }

    /// Checks whether one can connect there: wildcards are for binding only. `address` is what stands behind the scheme.
    pub(super) fn check_connect(
        &self,
        scheme: &str,
        address: &impl fmt::Display,
    ) -> Result<(), EndpointError> {
        let (part, allowed) = if self.host == Host::Any {
            (
                "host *",
                "name the peer's host (* is every local interface, for binding only)",
            )
        } else if self.port == 0 {
            (
                "port *",
                "name the peer's port, 1 to 65535 (* and 0 are for binding only)",
            )
        } else {
            return Ok(());
        };
        Err(EndpointError::NotConnectable {
            endpoint: format!("{scheme}://{address}"),
            part,
            allowed,
        })
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    if text == "*" {
        return Ok(0);
    }
    // u16's own parser would also take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && let Ok(port) = text.parse() {
        return Ok(port);
    }
    Err(EndpointError::Port {
        port: text.to_owned(),
    })
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, EndpointError> {
        let wrong = |reason| EndpointError::Host {
            host: text.to_owned(),
            reason,
        };
        if text == "*" {
            return Ok(Host::Any);
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let Some(bracketed) = bracketed.strip_suffix(']') else {
                return Err(wrong("the bracket is not closed: write [IPv6]:port"));
            };
            return Self::parse_v6(bracketed).map_err(wrong);
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        check_name(text).map_err(wrong)?;
        Ok(Host::Name(text.to_owned()))
    }

    /// Says whether what is bound there can be reached from other machines.
    pub(super) fn is_reachable_from_other_hosts(&self) -> bool {
        match self {
            Host::V4(address) => !address.is_loopback(),
            Host::V6 { address, .. } => !address.is_loopback(),
            Host::Any | Host::Name(_) => true,
        }
    }

    fn parse_v6(text: &str) -> Result<Self, &'static str> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        let Ok(address) = address.parse() else {
            return Err("only an IPv6 address may stand in brackets, such as [::1]");
        };
        if zone.is_some_and(|zone| zone.is_empty() || !zone.bytes().all(is_name_byte)) {
            return Err("the zone after % must be an interface's name or number, such as %eth0");
        }
        Ok(Host::V6 {
            address,
            zone: zone.map(str::to_owned),
        })
    }
}

/// Letters, digits, dot, hyphen, underscore: what DNS and interface names are made of.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty: name a host, an address, or * to bind every interface");
    }
    if name.contains(':') {
        return Err("an IPv6 address must stand in brackets, such as [::1]:5555");
    }
    if name.len() > MAX_NAME {
        return Err("a host name has at most 253 bytes");
    }
    if !name.bytes().all(is_name_byte) {
        return Err("allowed are letters, digits, '.', '-' and '_' \
             (international names in their xn-- form), [IPv6], and * alone");
    }
    if name
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Err("an IPv4 address has four numbers of 0 to 255, such as 127.0.0.1");
    }
    Ok(())
}

impl From<SocketAddr> for TcpEndpoint {
    fn from(address: SocketAddr) -> Self {
        TcpEndpoint {
            source: None,
            target: Place::from(address),
        }
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => Host::V6 {
                address: *v6.ip(),
                zone: (v6.scope_id() != 0).then(|| v6.scope_id().to_string()),
            },
        };
        Place {
            host,
            port: address.port(),
        }
    }
}

impl fmt::Display for TcpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source};")?;
        }
        self.target.fmt(f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => write!(f, "{}:*", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => f.write_str("*"),
            Host::V4(address) => address.fmt(f),
            Host::V6 {
                address,
                zone: None,
            } => write!(f, "[{address}]"),
            Host::V6 {
                address,
                zone: Some(zone),
            } => write!(f, "[{address}%{zone}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}
