//! Peers that stay silent, talk garbage, are of the wrong kind or hang up rudely. No misbehaviour may cost more than the
//! connection of the peer that misbehaves.

use std::time::Duration;

use common::events::event;
use common::libzmq::Libzmq;
use common::payload::{Digest, text};
use common::peer::Peer;
use common::raw::{RawPeer, greeting, ready, short_frame};
use common::within;
use purezmq::{
    DisconnectError, DisconnectReason, Monitor, MonitorEvent, MonitorEventKind, PullSocket,
    PushSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Short enough for the tests, long enough that a dead endpoint is not hammered.
const RECONNECT: Duration = Duration::from_millis(10);

/// A TCP server that is not a ZeroMQ peer: what it does with each connection is up to the test.
async fn bare_server() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", common::place::free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    (listener, endpoint)
}

/// After the bare server is gone, a real PULL on the same endpoint gets what was pushed.
async fn works_after_all(mut push: PushSocket, listener: TcpListener, endpoint: &str) {
    drop(listener);
    let mut pull = Libzmq::open("PULL").await;
    pull.bind(endpoint).await;
    within("push", push.send("still here")).await.expect("send");
    assert_eq!(pull.recv(1).await, [Digest::of(["still here"])]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_handshake_timeout() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .handshake_timeout(Duration::from_millis(100))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(
            within("a connection", listener.accept())
                .await
                .expect("accept"),
        );
        event(&mut monitor, "the handshake timeout", |kind| {
            matches!(kind, MonitorEventKind::HandshakeFailed(_))
        })
        .await;
    }
    drop(silent);
    works_after_all(push, listener, &endpoint).await;
}

#[tokio::test]
async fn a_silent_client_is_hung_up_on_and_harms_nobody() {
    let mut pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(200))
        .build()
        .expect("options");
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut silent = RawPeer::connect(&bound).await;
    let mut half = RawPeer::connect(&bound).await;
    half.send(&greeting()[..20]).await;
    let mut greeted = RawPeer::connect(&bound).await;
    greeted.send(&greeting()).await;

    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    push.send(&[text("meanwhile")]).await;
    assert_eq!(
        within("meanwhile", pull.recv()).await.expect("recv"),
        "meanwhile"
    );
    silent.await_close().await;
    half.await_close().await;
    greeted.await_close().await;
    push.send(&[text("afterwards")]).await;
    assert_eq!(
        within("afterwards", pull.recv()).await.expect("recv"),
        "afterwards"
    );
}

/// A peer that was fine and then says nothing more, not even to a PING, is given up and dialled again.
#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .heartbeat_interval(Duration::from_millis(20))
        .heartbeat_timeout(Duration::from_millis(100))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    for _ in 0..2 {
        let (stream, _) = within("a connection", listener.accept())
            .await
            .expect("accept");
        let mut silent = RawPeer { stream };
        silent.shake_hands("PULL").await;
        let end = event(&mut monitor, "the end of the connection", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
        let reason = format!("{:?}", end.kind);
        assert!(reason.contains("Silent"), "says why: {reason}");
        silent.await_close().await;
    }
    works_after_all(push, listener, &endpoint).await;
}

/// Byte strings that no ZeroMQ peer sends, before and after a proper handshake.
fn garbage(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let noise: Vec<u8> = (0..4096_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let after_greeting = |bytes: &[u8]| [&greeting()[..], bytes].concat();
    let after_handshake = |bytes: &[u8]| [&greeting()[..], &ready(kind), bytes].concat();
    vec![
        ("noise", noise.clone()),
        ("ones only", vec![0xff; 4096]),
        ("noise after the greeting", after_greeting(&noise)),
        (
            "a message instead of READY",
            after_greeting(&short_frame(b"hello")),
        ),
        (
            "a command of 2^62 bytes",
            after_greeting(b"\x06\x40\0\0\0\0\0\0\0"),
        ),
        (
            "READY with a property cut short",
            after_greeting(b"\x04\x0d\x05READY\x0bSocket"),
        ),
        ("an unknown mechanism", {
            let mut bytes = after_handshake(b"");
            bytes[12..16].copy_from_slice(b"WHAT");
            bytes
        }),
        (
            "a message of 2^63 bytes",
            after_handshake(b"\x02\x80\0\0\0\0\0\0\0"),
        ),
    ]
}

#[tokio::test]
async fn a_client_that_sends_garbage_loses_its_own_connection_only() {
    for (what, bytes) in garbage("PUSH") {
        costs_its_own_connection_only(what, &bytes).await;
    }
}

/// ZMTP 1.0 has no greeting: nearly anything may be its first bytes. Its frames have seven reserved bits
/// that SHALL be zero (RFC 13), which tells its peers from browsers and port scanners, whose words must
/// not end up with the application.
#[tokio::test]
async fn programs_of_other_protocols_are_not_taken_for_old_peers() {
    for (what, bytes) in [
        (
            "HTTP",
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10)[..],
        ),
        (
            "TLS",
            &[
                &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
                &[7; 600],
            ]
            .concat(),
        ),
        (
            "SSH",
            &b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".repeat(10),
        ),
        ("Redis", &b"*1\r\n$4\r\nPING\r\n".repeat(20)),
    ] {
        costs_its_own_connection_only(what, bytes).await;
    }
}

/// A client sends `bytes`; another one's messages before and after are all that arrives.
async fn costs_its_own_connection_only(what: &str, bytes: &[u8]) {
    println!("{what}");
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    push.send(&[text("before")]).await;
    assert_eq!(within(what, pull.recv()).await.expect("recv"), "before");
    let mut client = RawPeer::connect(&bound).await;
    client.try_send(bytes).await;
    within(what, client.await_close()).await;
    push.send(&[text("after")]).await;
    assert_eq!(within(what, pull.recv()).await.expect("recv"), "after");
}

#[tokio::test]
async fn a_server_that_sends_garbage_is_tried_again() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    push.connect(endpoint.as_str()).expect("connect");
    // A mechanism that somebody may have is no garbage to who dials: it does not fit.
    let garbage = garbage("PULL").into_iter();
    for (what, bytes) in garbage.filter(|(what, _)| *what != "an unknown mechanism") {
        println!("{what}");
        let (stream, _) = within(what, listener.accept()).await.expect("accept");
        let mut server = RawPeer { stream };
        server.try_send(&bytes).await;
        server.await_close().await;
    }
    works_after_all(push, listener, &endpoint).await;
}

#[tokio::test]
async fn a_client_of_the_wrong_type_is_refused() {
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut wrong = RawPeer::connect(&bound).await;
    wrong.send(&greeting()).await;
    wrong.send(&ready("PUB")).await;
    let refused = handshake_failure(&mut monitor).await;
    let reason = format!("{:?}", refused.kind);
    assert!(reason.contains("PUB"), "names the type: {reason}");
    wrong.await_close().await;

    // libzmq sees for itself that the two do not go together; who says so first is open.
    let mut wrong = Libzmq::open("PUB").await;
    wrong.connect(&bound.to_string()).await;
    handshake_failure(&mut monitor).await;
    let mut right = Libzmq::open("PUSH").await;
    right.connect(&bound.to_string()).await;
    right.send(&[text("right")]).await;
    assert_eq!(within("right", pull.recv()).await.expect("recv"), "right");
}

async fn handshake_failure(monitor: &mut Monitor) -> MonitorEvent {
    event(monitor, "the refusal", |kind| {
        matches!(kind, MonitorEventKind::HandshakeFailed(_))
    })
    .await
}

#[tokio::test]
async fn a_server_of_the_wrong_type_is_reported() {
    // R-CONN-19
    let mut wrong = Libzmq::open("PUB").await;
    let bound = wrong.bind("tcp://127.0.0.1:*").await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(bound.as_str())
        .expect("connect does not wait for the peer");
    // libzmq may hang up at our READY before it sends its own: then it is only gone, and dialled again.
    event(&mut monitor, "its type", |kind| {
        matches!(
            kind,
            MonitorEventKind::HandshakeFailed(DisconnectReason::Protocol(_))
        )
    })
    .await;
    // The same socket works with a right one.
    let mut right = Libzmq::open("PULL").await;
    let bound = right.bind("tcp://127.0.0.1:*").await;
    // Who does not fit is not dialled again.
    let wrong = wrong_endpoint(&mut wrong).await;
    let gone = push.disconnect(wrong.as_str()).expect_err("it is gone");
    assert!(matches!(gone, DisconnectError::Gone(_)), "{gone}");
    push.connect(bound.as_str()).expect("connect");
    within("push", push.send("right")).await.expect("send");
    assert_eq!(right.recv(1).await, [Digest::of(["right"])]);
}

async fn wrong_endpoint(peer: &mut Libzmq) -> String {
    peer.run(|socket| socket.get_last_endpoint().expect("endpoint").expect("text"))
        .await
}

#[tokio::test]
async fn clients_that_reset_in_the_middle_of_the_handshake_harm_nobody() {
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    let opening = [
        &greeting()[..],
        &ready("PUSH"),
        &short_frame(b"incomplete")[..5],
    ]
    .concat();
    // Cut at every place that matters: nothing, in the signature, the greeting, READY, a message.
    for (round, cut) in [0, 1, 9, 10, 11, 63, 64, 65, 70, opening.len()]
        .into_iter()
        .cycle()
        .enumerate()
    {
        if round == 100 {
            break;
        }
        let mut client = RawPeer::connect(&bound).await;
        client.send(&opening[..cut]).await;
        client.reset();
    }
    push.send(&[text("unharmed")]).await;
    assert_eq!(
        within("unharmed", pull.recv()).await.expect("recv"),
        "unharmed"
    );
}

#[tokio::test]
async fn a_server_that_resets_in_the_middle_of_the_handshake_is_tried_again() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    push.connect(endpoint.as_str()).expect("connect");
    let opening = [&greeting()[..], &ready("PULL")].concat();
    for cut in [0, 1, 10, 11, 63, 64, 65, 70] {
        let (mut stream, _) = within("a connection", listener.accept())
            .await
            .expect("accept");
        stream.write_all(&opening[..cut]).await.expect("write");
        let _ = within("its greeting", stream.read(&mut [0; 64])).await;
        RawPeer { stream }.reset();
    }
    works_after_all(push, listener, &endpoint).await;
}
