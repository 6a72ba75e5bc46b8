//! How many datagrams the system has thrown away at a socket whose buffer was full.
//!
//! Linux counts them for each socket, and has the count in its table of sockets, which is read only when somebody asks. With
//! `SO_RXQ_OVFL` it would tell the same count with each datagram that is received, by a call that takes 6 to 9 % longer, and
//! says nothing of what was lost behind the last one (docs/decisions/030-datagrams.md).

#[cfg(target_os = "linux")]
pub(super) fn of(socket: &tokio::net::UdpSocket, is_v6: bool) -> Option<u64> {
    let inode = rustix::fs::fstat(socket).ok()?.st_ino;
    let table = match is_v6 {
        true => "/proc/net/udp6",
        false => "/proc/net/udp",
    };
    find(&std::fs::read_to_string(table).ok()?, inode)
}

/// Returns nothing: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn of(_: &tokio::net::UdpSocket, _: bool) -> Option<u64> {
    None
}

/// Finds the last column, `drops`, of the line with this number in the column `inode`.
#[cfg(any(target_os = "linux", test))]
fn find(table: &str, inode: u64) -> Option<u64> {
    const INODE: usize = 9;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let number: u64 = columns.nth(INODE)?.parse().ok()?;
        if number != inode {
            return None;
        }
        columns.next_back()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_socket_is_found() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  523: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 12
 1024: 00000000:14E9 00000000:0000 07 00000000:00000300 00:00000000 00000000   108        0 815 2 0000000000000000 34567
";
        assert_eq!(find(table, 4711), Some(12));
        assert_eq!(find(table, 815), Some(34_567));
        assert_eq!(find(table, 1), None);
        assert_eq!(find("", 1), None);
        assert_eq!(find("head\n1: short\n", 1), None);
    }
}
