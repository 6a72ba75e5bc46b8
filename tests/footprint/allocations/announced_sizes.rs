//! What a peer announces costs nothing before it comes: frames, commands, properties of up to 2^63-1 bytes, measured as
//! the most that is allocated at a time. In a thread of its own each, for that is what is counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use common::events::ended;
use common::raw::{greeting, ready, socket_address};
use purezmq::zmtp::{Config, Connection, Engine, SocketType};
use purezmq::{DisconnectReason, PullSocket};
use tokio::runtime::Builder;

/// What a connection may take for a peer that has sent a hundred bytes: its first read buffer, and what the library has
/// set as the most that is taken ahead of what comes.
const CONNECTION: u64 = 80 * 1024;

/// The same with a stream, a task and a pipe around it, and the runtime's own.
const SOCKET: u64 = 256 * 1024;

/// What a peer may say after its greeting, and how it is called.
fn announcements() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for size in [i64::MAX as u64, u64::MAX, 1 << 62, 1 << 40, 1 << 32] {
        let header = |flags: u8| [&[flags][..], &size.to_be_bytes()].concat();
        all.push(("a message", [ready("PUSH"), header(2)].concat()));
        all.push(("a frame of one", [ready("PUSH"), header(3)].concat()));
        all.push((
            "a command",
            [ready("PUSH"), header(6), b"\x09SUBSCRIBE".to_vec()].concat(),
        ));
        all.push(("a READY", [header(6), b"\x05READY".to_vec()].concat()));
    }
    for size in [i32::MAX as u32, u32::MAX] {
        let property = [&b"\x05READY\x01X"[..], &size.to_be_bytes(), b"value"].concat();
        let head = [4, property.len() as u8];
        all.push(("a property", [&head[..], &property].concat()));
    }
    all
}

#[test]
fn a_connection_takes_nothing_for_what_is_only_announced() {
    for (what, bytes) in announcements() {
        let bytes = [&greeting()[..], &bytes].concat();
        let now = Instant::now();
        let used = allocation_counter::measure(|| {
            let mut connection = Connection::new(Config::new(SocketType::Pull), now);
            // An error says so, too; what is in the range of the limits is waited for.
            let _ = connection.feed(&bytes, now);
            let _ = connection.read_buffer();
        });
        assert!(
            used.bytes_max <= CONNECTION,
            "{what}: {} bytes",
            used.bytes_max
        );
    }
}

/// A socket on a runtime of one thread, which is the one that is counted; the peer has a thread of its own.
#[test]
fn a_socket_takes_nothing_for_what_is_only_announced() {
    for (what, bytes) in announcements() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (mut pull, mut monitor, endpoint) = runtime.block_on(async {
            let mut pull = PullSocket::builder()
                .handshake_timeout(std::time::Duration::from_secs(5))
                .build()
                .unwrap();
            let monitor = pull.monitor();
            let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
            (pull, monitor, endpoint)
        });
        let address = socket_address(&endpoint);
        let peer = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&greeting()).unwrap();
            let _ = stream.write_all(&bytes);
            // The first bytes of what was announced, and the end.
            let _ = stream.write_all(&[b'x'; 1000]);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let mut reason = None;
        let used = allocation_counter::measure(|| {
            runtime.block_on(async {
                tokio::select! {
                    gone = ended(&mut monitor) => reason = Some(gone),
                    _ = pull.recv() => panic!("{what} is no message"),
                }
            });
        });
        peer.join().unwrap();
        let reason = reason.expect("the connection has ended");
        let ended = matches!(
            reason,
            DisconnectReason::Protocol(_) | DisconnectReason::Peer | DisconnectReason::Io(_)
        );
        assert!(ended, "{what}: {reason:?}");
        assert!(used.bytes_max <= SOCKET, "{what}: {} bytes", used.bytes_max);
    }
}
