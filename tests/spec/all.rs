//! What all sockets do (`docs/rules.md`, R-ALL), as far as it shows in bytes: messages are whole, or nothing.

use std::time::Duration;

use common::events::event;
use common::libzmq::Libzmq;
use common::peer::Peer;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{
    Endpoint, Message, MonitorEventKind, PubSocket, PullSocket, PushSocket, SubSocket, XPubSocket,
};
use tokio::net::TcpListener;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// A frame that others follow.
fn more(payload: &[u8]) -> Vec<u8> {
    let mut frame = short_frame(payload);
    frame[0] = 0x01;
    frame
}

fn is_disconnected(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

#[tokio::test]
async fn nothing_of_a_message_is_seen_before_its_last_frame() {
    // R-ALL-1
    let opening = [short_frame(b"first"), more(b"one"), more(b"two")].concat();
    let mut pull = PullSocket::new();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&bound).await;
    peer.shake_hands("PUSH").await;
    peer.send(&opening).await;
    assert_eq!(within("first", pull.recv()).await.expect("recv"), "first");
    assert!(pull.try_recv().is_err(), "two of three frames are nothing");
    peer.send(&short_frame(b"three")).await;
    let whole = within("the rest", pull.recv()).await.expect("recv");
    assert_eq!(whole, Message::from(["one", "two", "three"]));

    let mut theirs = Libzmq::open("PULL").await;
    let bound: Endpoint = theirs.bind(ANY_PORT).await.parse().expect("an endpoint");
    let mut peer = RawPeer::connect(&bound).await;
    peer.shake_hands("PUSH").await;
    peer.send(&opening).await;
    let nothing_yet = |socket: &zmq::Socket| {
        assert_eq!(socket.recv_multipart(0).expect("recv"), [b"first"]);
        socket.recv_multipart(zmq::DONTWAIT).is_err()
    };
    assert!(theirs.run(nothing_yet).await);
    peer.send(&short_frame(b"three")).await;
    let whole = theirs.run(|socket| socket.recv_multipart(0)).await;
    assert_eq!(
        whole.expect("recv"),
        [&b"one"[..], &b"two"[..], &b"three"[..]]
    );
}

/// What the peer of a connection reads that breaks in the middle of a large message, and then on the next one.
async fn second_connection(listener: &TcpListener, break_at: usize) -> RawPeer {
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    let mut peer = RawPeer { stream };
    peer.shake_hands("PULL").await;
    peer.receive(break_at).await;
    peer.reset();
    let (stream, _) = within("another connection", listener.accept())
        .await
        .unwrap();
    let mut peer = RawPeer { stream };
    peer.shake_hands("PULL").await;
    peer
}

#[tokio::test]
async fn a_message_that_is_partly_sent_is_lost_as_a_whole() {
    // R-ALL-3
    const SIZE: usize = 20 << 20;
    let listener = TcpListener::bind(("127.0.0.1", common::place::free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    push.send([vec![1; 10], vec![2; SIZE], vec![3; 10]])
        .await
        .expect("send");
    let mut peer = second_connection(&listener, SIZE / 2).await;
    event(&mut monitor, "the end of the first", is_disconnected).await;
    push.send("next").await.expect("send");
    assert_eq!(peer.receive(6).await, short_frame(b"next"));
    drop(push);
    drop(listener);

    let listener = TcpListener::bind(("127.0.0.1", common::place::free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    let theirs = Libzmq::new(zmq::PUSH);
    theirs
        .run(move |socket| {
            socket.set_reconnect_ivl(1).expect("option");
            socket.connect(&endpoint).expect("connect");
            let message = [vec![1; 10], vec![2; SIZE], vec![3; 10]];
            socket.send_multipart(message, 0).expect("send");
        })
        .await;
    let mut peer = second_connection(&listener, SIZE / 2).await;
    theirs
        .run(|socket| socket.send("next", 0).expect("send"))
        .await;
    assert_eq!(peer.receive(6).await, short_frame(b"next"));
}

#[tokio::test]
async fn what_a_dead_peer_has_half_sent_never_surfaces() {
    // R-ALL-4
    let halves = [short_frame(b"whole"), more(b"half"), vec![0x00, 200, 1, 2]].concat();
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut dead = RawPeer::connect(&bound).await;
    dead.shake_hands("PUSH").await;
    dead.send(&halves).await;
    drop(dead);
    event(&mut monitor, "the end", is_disconnected).await;
    assert_eq!(within("whole", pull.recv()).await.expect("recv"), "whole");
    assert!(pull.try_recv().is_err());
    let mut next = RawPeer::connect(&bound).await;
    next.shake_hands("PUSH").await;
    next.send(&short_frame(b"next")).await;
    assert_eq!(within("next", pull.recv()).await.expect("recv"), "next");

    let mut theirs = Libzmq::open("PULL").await;
    let bound: Endpoint = theirs.bind(ANY_PORT).await.parse().expect("an endpoint");
    let mut dead = RawPeer::connect(&bound).await;
    dead.shake_hands("PUSH").await;
    dead.send(&halves).await;
    drop(dead);
    let mut next = RawPeer::connect(&bound).await;
    next.shake_hands("PUSH").await;
    next.send(&short_frame(b"next")).await;
    let mut both = theirs
        .run(|socket| [0; 2].map(|_| socket.recv_multipart(0).expect("recv")))
        .await;
    both.sort();
    assert_eq!(both, [[b"next".to_vec()], [b"whole".to_vec()]]);
}

#[test]
fn who_cannot_send_or_receive_has_no_such_method() {
    // R-ALL-9
    /// Answers where a socket has no such method of its own, which would take precedence.
    trait Absent {
        fn send(&mut self) -> bool {
            true
        }
        fn recv(&mut self) -> bool {
            true
        }
    }
    impl Absent for PushSocket {}
    impl Absent for PubSocket {}
    impl Absent for PullSocket {}
    impl Absent for SubSocket {}
    assert!(PushSocket::new().recv() && PubSocket::new().recv());
    assert!(PullSocket::new().send() && SubSocket::new().send());
}

#[tokio::test]
async fn peers_are_attached_without_a_call_of_the_application() {
    // R-ALL-11: libzmq sends this welcome when the application next calls into its socket.
    let mut xpub = XPubSocket::builder()
        .welcome("welcome")
        .build()
        .expect("options");
    let bound = xpub.bind(ANY_PORT).await.expect("bind");
    let mut sub = SubSocket::new();
    sub.subscribe("");
    sub.connect(&bound).expect("connect");
    let welcome = within("the welcome", sub.recv()).await.expect("recv");
    assert_eq!(welcome, "welcome");
    drop(xpub);
}
