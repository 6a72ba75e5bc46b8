//! Places: many peers under one name, by where they are. Authenticators, selectors and the options that say who may connect
//! compare peers with them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::PeerAddress;

/// One or many peers: an address, a network, processes of this machine, or a virtual machine. Read from text such as
/// `10.0.0.1`, `fe80::/10`, `uid:1000`, `gid:100` and `pid:4711`, the last three for ipc, and `cid:3`, for vsock. IPv4 peers
/// are in IPv4 networks, whatever they come by: `::ffff:10.0.0.1`, as libzmq shows them, is read as `10.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// TCP peers in this network.
    Net(IpNet),
    /// Processes of this user.
    User(u32),
    /// Processes whose effective group is this.
    Group(u32),
    /// This process.
    Process(i32),
    /// The machine with this CID, by vsock: 2 is the host of a virtual machine, 1 this machine itself.
    Machine(u32),
}

/// Text that is no [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address, network, uid:, gid:, pid: or cid:")]
pub struct PlaceError(String);

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let number = |prefix| text.strip_prefix(prefix);
        let place = if let Some(uid) = number("uid:") {
            uid.parse().ok().map(Place::User)
        } else if let Some(gid) = number("gid:") {
            gid.parse().ok().map(Place::Group)
        } else if let Some(pid) = number("pid:") {
            pid.parse().ok().map(Place::Process)
        } else if let Some(cid) = number("cid:") {
            cid.parse().ok().map(Place::Machine)
        } else {
            let address = text.parse::<IpAddr>().map(IpNet::from).ok();
            let net = address.or_else(|| text.parse().ok());
            net.map(|net| Place::Net(canonical(&net)))
        };
        place.ok_or_else(|| PlaceError(text.to_owned()))
    }
}

/// Returns the IPv4 network that an IPv6 one means, if it means one.
fn canonical(net: &IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    if let IpNet::V6(mapped) = net
        && let Some(address) = mapped.addr().to_ipv4_mapped()
        && let Some(bits) = mapped.prefix_len().checked_sub(MAPPED)
        && let Ok(net) = Ipv4Net::new(address, bits)
    {
        return net.into();
    }
    *net
}

impl Place {
    pub(crate) fn has(&self, peer: &PeerAddress) -> bool {
        let (ip, process) = (peer.ip(), peer.process());
        match self {
            Place::Net(net) => ip.is_some_and(|ip| canonical(net).contains(&ip.to_canonical())),
            Place::User(user) => process.is_some_and(|process| process.uid == *user),
            Place::Group(group) => process.is_some_and(|process| process.gid == *group),
            Place::Process(pid) => process.is_some_and(|process| process.pid == Some(*pid)),
            Place::Machine(cid) => peer.cid() == Some(*cid),
        }
    }
}
