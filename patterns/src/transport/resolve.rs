//! From the host of an endpoint to socket addresses, anew at each attempt: names move.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::resolver::lookup;
use crate::endpoint::Host;

/// Why a host has no address now, in words.
pub(super) type Reason = String;

/// The addresses to connect to, in the order of the system's resolver. Never empty.
pub(super) async fn remote(host: &Host, port: u16, ipv6: bool) -> Result<Vec<SocketAddr>, Reason> {
    let found = match host {
        // `Endpoint::check_connect` refuses it before.
        Host::Any => return Err("* is no address to connect to".to_owned()),
        Host::V4(address) => vec![SocketAddr::from((*address, port))],
        Host::V6 {
            address,
            zone: None,
        } => vec![SocketAddr::from((*address, port))],
        // Only the system's resolver knows the number of an interface's name.
        Host::V6 {
            address,
            zone: Some(zone),
        } => lookup(&format!("{address}%{zone}"), port).await?,
        Host::Name(name) => lookup(name, port).await?,
    };
    allowed(host, found, ipv6)
}

/// The local addresses to bind, or to connect from: the best first. Never empty.
///
/// A name is an interface's if there is one, else a DNS name. IPv4 addresses come first: a socket
/// that is bound to a name listens at one address only, and peers without IPv6 must find it.
pub(super) async fn local(host: &Host, port: u16, ipv6: bool) -> Result<Vec<SocketAddr>, Reason> {
    match host {
        Host::Any => {
            // The IPv6 wildcard takes both kinds of peers; the other is for systems without IPv6.
            let mut both = vec![
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            ];
            both.retain(|address| ipv6 || address.is_ipv4());
            Ok(both)
        }
        Host::Name(name) => {
            let mut found = interface(name, port);
            if found.is_empty() {
                found = lookup(name, port).await.map_err(|reason| {
                    format!("no interface {name}, and as a host name: {reason}")
                })?;
            }
            let mut found = allowed(host, found, ipv6)?;
            found.sort_by_key(SocketAddr::is_ipv6);
            Ok(found)
        }
        _ => remote(host, port, ipv6).await,
    }
}

/// Drops duplicates, and IPv6 addresses if they are not wanted.
fn allowed(host: &Host, found: Vec<SocketAddr>, ipv6: bool) -> Result<Vec<SocketAddr>, Reason> {
    let mut kept = Vec::with_capacity(found.len());
    for address in found {
        if (ipv6 || address.is_ipv4()) && !kept.contains(&address) {
            kept.push(address);
        }
    }
    if kept.is_empty() {
        return Err(format!(
            "{host} has IPv6 addresses only, and option ipv6 is off"
        ));
    }
    Ok(kept)
}

/// The addresses of the network interface of that name; empty if there is none.
fn interface(name: &str, port: u16) -> Vec<SocketAddr> {
    // A system that does not list its interfaces has none by name.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces
        .into_iter()
        .filter(|interface| interface.name == name)
        .map(|interface| {
            let mut address = SocketAddr::new(interface.ip(), port);
            if let SocketAddr::V6(v6) = &mut address
                && v6.ip().is_unicast_link_local()
            {
                v6.set_scope_id(interface.index.unwrap_or(0));
            }
            address
        })
        .collect()
}
