//! Who may connect to a bound endpoint by where it comes from: the options `accept_networks`, `accept_users`, `accept_groups`
//! and `accept_processes`. Asked by `listen.rs` before a connection has cost anything.

use std::iter;

use crate::options::Options;
use crate::peer_address::{PeerAddress, PeerProcess, Place};

/// Returns the option that keeps a peer out, if one does.
pub(super) fn kept_out_by(options: &Options, peer: &PeerAddress) -> Option<&'static str> {
    if peer.ip().is_some() {
        let mut networks = options.accept_networks.iter();
        let is_in = networks.len() == 0 || networks.any(|net| Place::Net(*net).has(peer));
        return (!is_in).then_some("accept_networks");
    }
    let process = peer.process()?;
    let (users, groups) = (&options.accept_users, &options.accept_groups);
    let processes = &options.accept_processes;
    let (has_users, has_groups) = (!users.is_empty(), !groups.is_empty());
    if !has_users && !has_groups && processes.is_empty() {
        return None;
    }
    let mut places = iter::empty()
        .chain(users.iter().map(|uid| Place::User(*uid)))
        .chain(groups.iter().map(|gid| Place::Group(*gid)))
        .chain(processes.iter().map(|pid| Place::Process(*pid)));
    let is_in =
        places.any(|place| place.has(peer)) || (has_groups && is_in_one_of(groups, &process));
    (!is_in).then_some("accept_users")
}

/// Returns whether one of the groups is a supplementary one of a process, as far as the system tells.
#[cfg(target_os = "linux")]
fn is_in_one_of(groups: &[u32], process: &PeerProcess) -> bool {
    let Some(pid) = process.pid else {
        return false;
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| {
        // The process may have gone, and its number be that of another one: of the same user, at least.
        effective_user(&status) == Some(process.uid)
            && supplementary(&status).any(|group| groups.contains(&group))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_in_one_of(_: &[u32], _: &PeerProcess) -> bool {
    false
}

/// Returns the numbers in a line of `/proc/.../status`.
#[cfg(target_os = "linux")]
fn numbers<'a>(status: &'a str, name: &str) -> impl Iterator<Item = u32> + use<'a> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let words = line.unwrap_or_default().split_whitespace();
    words.filter_map(|word| word.parse().ok())
}

/// The second of real, effective, saved and file system's.
#[cfg(target_os = "linux")]
fn effective_user(status: &str) -> Option<u32> {
    numbers(status, "Uid:").nth(1)
}

#[cfg(target_os = "linux")]
fn supplementary(status: &str) -> impl Iterator<Item = u32> + use<'_> {
    numbers(status, "Groups:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(networks: &[&str], users: &[u32], groups: &[u32], processes: &[i32]) -> Options {
        let nets = networks.iter().map(|net| match net.parse() {
            Ok(Place::Net(net)) => net,
            other => panic!("{other:?}"),
        });
        Options {
            accept_networks: nets.collect(),
            accept_users: users.to_vec(),
            accept_groups: groups.to_vec(),
            accept_processes: processes.to_vec(),
            ..Options::default()
        }
    }

    #[test]
    fn a_filter_holds_for_peers_of_its_own_kind() {
        let none = options(&[], &[], &[], &[]);
        let net = options(&["10.0.0.0/8", "::1"], &[], &[], &[]);
        let user = options(&[], &[7], &[], &[]);
        let several = options(&[], &[7], &[100], &[9]);
        let rows = [
            ("tcp://10.1.2.3:1", [true, true, true, true]),
            ("tcp://[::ffff:10.1.2.3]:1", [true, true, true, true]),
            ("tcp://11.1.2.3:1", [true, false, true, true]),
            ("tcp://[::1]:1", [true, true, true, true]),
            ("tcp://[::2]:1", [true, false, true, true]),
            ("ipc://7:1:1", [true, true, true, true]),
            ("ipc://8:1:1", [true, true, false, false]),
            ("ipc://8:100:1", [true, true, false, true]),
            ("ipc://8:1:9", [true, true, false, true]),
            ("ipc://8:1:", [true, true, false, false]),
            ("vsock://3:1", [true, true, true, true]),
        ];
        for (peer, may_come) in rows {
            let address = peer.parse().unwrap();
            let decided = [&none, &net, &user, &several]
                .map(|options| kept_out_by(options, &address).is_none());
            assert_eq!(decided, may_come, "{peer}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn supplementary_groups_are_read_as_the_system_tells_them() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n";
        assert_eq!(effective_user(status), Some(2));
        assert_eq!(supplementary(status).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(effective_user(""), None);
        assert_eq!(supplementary("Groups:\t \n").count(), 0);
    }
}
