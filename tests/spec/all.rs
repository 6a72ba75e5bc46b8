//! What all sockets do, rule by rule (`docs/rules.md`, R-ALL): messages are whole, in order, and come in turn.

use std::time::Duration;

use common::events::{connected, event};
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

/// A message is never split between two peers, and each peer's come in the order in which they were sent.
#[tokio::test]
async fn messages_go_whole_and_in_order_to_one_peer_each() {
    // R-ALL-2
    const COUNT: usize = 300;
    let mut push = PushSocket::new();
    let bound = push.bind(ANY_PORT).await.expect("bind");
    let mut monitor = push.monitor();
    let mut sinks = [PullSocket::new(), PullSocket::new()];
    for sink in &mut sinks {
        sink.connect(&bound).expect("connect");
        connected(&mut monitor).await;
    }
    let mut theirs = Libzmq::open("PULL").await;
    theirs.connect(&bound.to_string()).await;
    connected(&mut monitor).await;
    for number in 0..COUNT {
        let tag = number.to_string();
        let message = [tag.as_str(), "of", "the same message", tag.as_str()];
        push.send(message).await.expect("send");
    }
    let mut shares = Vec::new();
    for sink in &mut sinks {
        let mut share = Vec::new();
        for _ in 0..COUNT / 3 {
            let message = within("a share", sink.recv()).await.expect("recv");
            share.push(message.iter().map(<[u8]>::to_vec).collect());
        }
        shares.push(share);
    }
    let share = |socket: &zmq::Socket| {
        let message = |_| socket.recv_multipart(0).expect("recv");
        (0..COUNT / 3).map(message).collect::<Vec<_>>()
    };
    shares.push(theirs.run(share).await);
    let mut all = Vec::new();
    for share in &shares {
        let mut last = None;
        for message in share {
            let [first, _, _, second]: &[Vec<u8>; 4] = message[..].try_into().expect("4 frames");
            assert_eq!(first, second, "frames of two messages");
            let number: usize = std::str::from_utf8(first).unwrap().parse().unwrap();
            assert!(last < Some(number), "out of order");
            last = Some(number);
            all.push(number);
        }
    }
    all.sort_unstable();
    assert_eq!(all, (0..COUNT).collect::<Vec<_>>());
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
async fn what_was_not_read_goes_with_the_socket() {
    // R-ALL-10
    let mut pull = PullSocket::new();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("options");
    push.connect(&bound).expect("connect");
    for text in ["read", "unread", "unread"] {
        push.send(text).await.expect("send");
    }
    assert_eq!(within("read", pull.recv()).await.expect("recv"), "read");
    within("the others have come", async {
        while pull.stats().queued_to_receive < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut monitor = push.monitor();
    within("close", pull.close()).await;
    event(&mut monitor, "gone", is_disconnected).await;
    let mut heir = PullSocket::new();
    heir.bind(&bound).await.expect("bind");
    push.send("after").await.expect("send");
    assert_eq!(within("after", heir.recv()).await.expect("recv"), "after");
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

#[tokio::test]
async fn peers_are_read_in_turn() {
    // R-ALL-12, R-PULL-1
    const EACH: usize = 10;
    let mut pull = PullSocket::new();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut pushers = Vec::new();
    for name in ["a", "b", "c", "silent"] {
        let mut push = PushSocket::new();
        push.connect(&bound).expect("connect");
        let count = if name == "silent" { 0 } else { EACH };
        for _ in 0..count {
            push.send(name).await.expect("send");
        }
        pushers.push(push);
    }
    within("all have come", async {
        while pull.stats().queued_to_receive < 3 * EACH || pull.stats().peers.len() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..EACH {
        let mut round = Vec::new();
        for _ in 0..3 {
            let message = pull.try_recv().expect("queued");
            round.push(message[0].to_vec());
        }
        round.sort();
        assert_eq!(round, [b"a", b"b", b"c"], "one of each");
    }
}
