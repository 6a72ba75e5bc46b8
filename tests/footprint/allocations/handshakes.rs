//! What connections cost that are still at their handshake: each of them, and all together.
//!
//! All of the socket is on one thread, which is the one that is counted; so are the peers, which allocate nothing to speak of.

use std::io::Write;
use std::net::TcpStream;

use common::raw::{greeting, ready, socket_address};
use common::within;
use purezmq::{DisconnectReason, MonitorEvent, MonitorEventKind, PullSocket};
use tokio::runtime::Builder;

/// What a connection may take whose peer has sent a greeting: session, engine, task, timer and the first read buffer.
const EACH: usize = 8 * 1024;

/// What is made once: the socket, the listener, the runtime's own tables, and the monitor's events.
const ONCE: usize = 256 * 1024;

/// Connections that are half way.
const PEERS: usize = 64;

/// A READY of nearly the longest that is allowed, but for its last byte.
fn long_ready() -> Vec<u8> {
    const LENGTH: usize = 63 * 1024;
    let mut value = vec![b'x'; LENGTH];
    let mut body = b"\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH\x01X".to_vec();
    body.extend((LENGTH as u32).to_be_bytes());
    body.append(&mut value);
    let mut command = vec![0x06];
    command.extend((body.len() as u64).to_be_bytes());
    command.extend(body);
    command.pop();
    command
}

/// Has peers send a greeting and `then`, and one more shake hands whole. Returns what all of that has allocated, and the
/// monitor's events meanwhile.
fn half_way(pull: purezmq::socket::Builder<PullSocket>, then: &[u8]) -> (usize, Vec<MonitorEvent>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut pull = pull.build().unwrap();
    let mut kept = None;
    let mut events = Vec::new();
    let used = allocation_counter::measure(|| {
        runtime.block_on(async {
            let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
            let mut monitor = pull.monitor();
            let mut next = async || {
                let event = within("an event", monitor.recv()).await;
                event.expect("the socket is open")
            };
            let mut peers = Vec::with_capacity(PEERS);
            for _ in 0..PEERS {
                let mut stream = TcpStream::connect(socket_address(&endpoint)).unwrap();
                loop {
                    let event = next().await;
                    if let MonitorEventKind::Accepted = event.kind {
                        break;
                    }
                    events.push(event);
                }
                stream.write_all(&greeting()).unwrap();
                // In pieces that the system takes though nobody reads them yet.
                stream.write_all(then).unwrap();
                peers.push(stream);
            }
            // Whatever came before this one is read before it.
            let mut last = TcpStream::connect(socket_address(&endpoint)).unwrap();
            last.write_all(&greeting()).unwrap();
            last.write_all(&ready("PUSH")).unwrap();
            loop {
                let event = next().await;
                if let MonitorEventKind::HandshakeSucceeded = event.kind {
                    break;
                }
                events.push(event);
            }
            kept = Some((peers, last));
        });
    });
    drop(kept);
    (
        usize::try_from(used.bytes_current).unwrap_or_default(),
        events,
    )
}

#[test]
fn a_connection_at_its_handshake_costs_little() {
    let (used, _) = half_way(PullSocket::builder(), b"");
    assert!(used <= ONCE + PEERS * EACH, "{} bytes each", used / PEERS);
}

/// Returns what connections keep whose peers do this when they have connected.
fn kept(count: usize, mut meet: impl AsyncFnMut(&mut PullSocket, &mut TcpStream)) -> usize {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut pull = PullSocket::new();
    let mut peers = Vec::with_capacity(count);
    let used = allocation_counter::measure(|| {
        runtime.block_on(async {
            let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
            for _ in 0..count {
                let mut peer = TcpStream::connect(socket_address(&endpoint)).unwrap();
                meet(&mut pull, &mut peer).await;
                peers.push(peer);
            }
        });
    });
    usize::try_from(used.bytes_current).unwrap_or_default()
}

/// Returns what connections keep whose peers say nothing.
fn silent(count: usize) -> usize {
    kept(count, async |_, peer| {
        peer.set_nonblocking(true).unwrap();
        // Greeted, it is served, and waits for the peer's greeting.
        while peer.peek(&mut [0]).is_err() {
            tokio::task::yield_now().await;
        }
    })
}

#[test]
fn a_silent_connection_costs_hardly_more_than_in_libzmq() {
    /// What libzmq has in memory for one is 3.3 KiB.
    const MOST: usize = 3_350;
    let more = silent(2 * PEERS) - silent(PEERS);
    assert!(more <= PEERS * MOST, "{} bytes each", more / PEERS);
}

/// Returns what connections keep whose peers have shaken hands, said one word, and say nothing more.
fn at_rest(count: usize) -> usize {
    /// Greeting and READY of a PULL.
    const ANSWER: usize = 64 + 28;
    kept(count, async |pull, peer| {
        peer.write_all(&[&greeting()[..], &ready("PUSH")].concat())
            .unwrap();
        peer.set_nonblocking(true).unwrap();
        let mut answer = [0; ANSWER];
        while !matches!(peer.peek(&mut answer), Ok(ANSWER)) {
            tokio::task::yield_now().await;
        }
        peer.write_all(b"\x00\x10sixteen bytes: a").unwrap();
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message, "sixteen bytes: a");
    })
}

#[test]
fn a_connection_at_rest_costs_little() {
    /// Session, task, pipe and what is known of the peer, on one thread. 96 bytes of it keep lanes off the cache lines of
    /// others.
    const MOST: usize = 5_370;
    let more = at_rest(2 * PEERS) - at_rest(PEERS);
    assert!(more <= PEERS * MOST, "{} bytes each", more / PEERS);
}

/// What a handshake has brought costs no more than twice as much.
#[test]
fn a_long_handshake_costs_twice_its_length() {
    let long = long_ready();
    let (used, events) = half_way(PullSocket::builder(), &long);
    let ended = |event: &MonitorEvent| event.reason().is_some();
    assert!(!events.iter().any(ended), "none is ended");
    let most = ONCE + PEERS * (EACH + 2 * 64 * 1024);
    assert!(used <= most, "{} bytes each", used / PEERS);
}

#[test]
fn all_handshakes_together_are_bounded() {
    const MOST: usize = 256 * 1024;
    let long = long_ready();
    let pull = PullSocket::builder().max_all_handshake_bytes(MOST);
    let (used, events) = half_way(pull, &long);
    assert!(used <= ONCE + PEERS * EACH + 2 * MOST, "{used} bytes");
    let ended = events.iter().filter(|event| {
        let option = match event.reason() {
            Some(DisconnectReason::TooManyConnections { option }) => option,
            _ => return false,
        };
        matches!(event.kind, MonitorEventKind::Disconnected(_))
            && *option == "max_all_handshake_bytes"
    });
    let ended = ended.count();
    assert!(
        ended >= PEERS - MOST / long.len() - 1,
        "{ended} of {PEERS} are ended"
    );
}
