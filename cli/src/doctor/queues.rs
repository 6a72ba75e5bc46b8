//! What waits in the connections of a peer, as the system of this machine shows it (`/proc/net/tcp` on Linux): what one side
//! has sent and the other's program does not take. A queue of messages behind it is full then, or is filling.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Time between two looks: what waits at both is stuck.
const APART: Duration = Duration::from_millis(300);

/// How many bytes may wait without anything being wrong: those that are on their way.
const LITTLE: u64 = 4096;

/// A connection that is established, from one of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    /// Bytes that the other end's system has not taken.
    unsent: u64,
    /// Bytes that this end's program has not read.
    unread: u64,
}

/// Returns a sentence for each connection to one of these addresses in which something is stuck. `None`: this system does
/// not show it.
pub(super) async fn stuck(addresses: &[SocketAddr]) -> Option<Vec<String>> {
    let before = all()?;
    if addresses.is_empty() {
        return None;
    }
    tokio::time::sleep(APART).await;
    let stuck = |now: &Connection| {
        let was = before
            .iter()
            .find(|was| (was.local, was.remote) == (now.local, now.remote))?;
        let unread = was.unread.min(now.unread);
        let unsent = was.unsent.min(now.unsent);
        addresses
            .iter()
            .find_map(|peer| told(peer, now, unread, unsent))
    };
    Some(all()?.iter().filter_map(stuck).collect())
}

fn told(peer: &SocketAddr, at: &Connection, unread: u64, unsent: u64) -> Option<String> {
    let Connection { local, remote, .. } = at;
    let (is_theirs, is_client) = (is_at(local, peer), is_at(remote, peer));
    if is_theirs && unread > LITTLE {
        return Some(format!(
            "the pipe is full: {unread} bytes from {remote} wait, which the peer does not read: its program does not receive, or too slowly (its receive HWM is reached)"
        ));
    }
    if is_client && !at.remote.ip().is_loopback() && unsent > LITTLE {
        return Some(format!(
            "the pipe is full: {unsent} bytes from {local} wait, which the peer does not take: its program does not receive, or too slowly"
        ));
    }
    if is_client && unread > LITTLE {
        return Some(format!(
            "the pipe is full: {unread} bytes of the peer's wait, which the program at {local} does not read: it does not receive, or too slowly (its receive HWM is reached)"
        ));
    }
    None
}

fn is_at(address: &SocketAddr, peer: &SocketAddr) -> bool {
    address.port() == peer.port() && address.ip().to_canonical() == peer.ip().to_canonical()
}

fn all() -> Option<Vec<Connection>> {
    let table = |name| std::fs::read_to_string(name).ok();
    let v4 = table("/proc/net/tcp")?;
    let v6 = table("/proc/net/tcp6").unwrap_or_default();
    Some(connections(v4.lines().chain(v6.lines())))
}

/// Reads the lines of tables. The system writes them in pieces, and while others come and go a connection may be in two of
/// them: it counts once.
fn connections<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Connection> {
    let mut all: Vec<Connection> = Vec::new();
    let mut known = HashSet::new();
    for found in lines.filter_map(connection) {
        if known.insert((found.local, found.remote)) {
            all.push(found);
        }
    }
    all
}

/// Reads a line of the table: number, local, remote, state, unsent:unread, ...
fn connection(line: &str) -> Option<Connection> {
    const ESTABLISHED: &str = "01";
    let mut words = line.split_whitespace().skip(1);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    if words.next()? != ESTABLISHED {
        return None;
    }
    let (unsent, unread) = words.next()?.split_once(':')?;
    Some(Connection {
        local,
        remote,
        unsent: u64::from_str_radix(unsent, 16).ok()?,
        unread: u64::from_str_radix(unread, 16).ok()?,
    })
}

/// Reads `0100007F:1F90`: words of 32 bits in this machine's order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok();
    let ip: IpAddr = match ip.len() {
        8 => word(0)?.to_ne_bytes().into(),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(8 * at)?.to_ne_bytes());
            }
            bytes.into()
        }
        _ => return None,
    };
    Some((ip.to_canonical(), port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn a_line_of_the_system_is_read() {
        let line = "   1: 0100007F:15B3 0200007F:D2F0 01 00000010:00001234 00:00000000 00000000  0";
        let expected = Connection {
            local: "127.0.0.1:5555".parse().unwrap(),
            remote: "127.0.0.2:54000".parse().unwrap(),
            unsent: 16,
            unread: 0x1234,
        };
        assert_eq!(connection(line), Some(expected));
        let other = line.replace(":15B3", ":15B4");
        let twice = connections([line, &other, line].into_iter());
        let ports: Vec<_> = twice.iter().map(|found| found.local.port()).collect();
        assert_eq!(ports, [0x15b3, 0x15b4], "one that is shown twice");
        let listening = line.replace(" 01 ", " 0A ");
        assert_eq!(connection(&listening), None);
        assert_eq!(connection("  sl  local_address rem_address   st"), None);
    }
}
