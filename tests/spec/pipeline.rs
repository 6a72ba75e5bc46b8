//! PUSH and PULL, rule by rule (`docs/rules.md`, R-PUSH; R-PULL-1 is in `spec_all.rs`).

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::place::free_port;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{Endpoint, MonitorEventKind, PullSocket, PushSocket};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn a_peer_that_is_not_there_gets_its_share_kept() {
    // R-PUSH-2
    let mut here = PullSocket::new();
    let there = format!("tcp://127.0.0.1:{}", free_port());
    let bound = here.bind(ANY_PORT).await.expect("bind");
    let mut push = PushSocket::new();
    push.connect(there.as_str()).expect("connect");
    push.connect(&bound).expect("connect");
    for number in 0..6 {
        push.send(number.to_string()).await.expect("send");
    }
    for number in [1, 3, 5] {
        let message = within("its share", here.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
    let mut late = PullSocket::new();
    late.bind(there.as_str()).await.expect("bind");
    for number in [0, 2, 4] {
        let message = within("its share", late.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
    assert!(here.try_recv().is_err() && late.try_recv().is_err());

    // A libzmq PUSH holds as much back.
    let there = format!("tcp://127.0.0.1:{}", free_port());
    let theirs = Libzmq::new(zmq::PUSH);
    let (first, second) = (there.clone(), bound.to_string());
    theirs
        .run(move |socket| {
            socket.connect(&first).expect("connect");
            socket.connect(&second).expect("connect");
            for number in 0..6 {
                socket.send(&number.to_string(), 0).expect("send");
            }
        })
        .await;
    for number in [1, 3, 5] {
        let message = within("its share", here.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
    let mut late = PullSocket::new();
    late.bind(there.as_str()).await.expect("bind");
    for number in [0, 2, 4] {
        let message = within("its share", late.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
}

/// The queue of an accepted connection ends with it, and what it held goes to nobody else.
#[tokio::test]
async fn work_for_a_peer_that_went_is_lost_and_not_given_to_others() {
    // R-CONN-4, R-PUSH-3
    const SIZE: usize = 1 << 20;
    const COUNT: usize = 50;
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    let bound = push.bind(ANY_PORT).await.expect("bind");
    let mut dead = RawPeer::connect(&bound).await;
    dead.shake_hands("PULL").await;
    connected(&mut monitor).await;
    // More than the system's buffers take.
    for _ in 0..COUNT {
        push.try_send(vec![7; SIZE]).expect("there is room");
    }
    dead.receive(100).await;
    dead.reset();
    let is_disconnected =
        |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
    event(&mut monitor, "the end", is_disconnected).await;
    assert!(push.try_send("nobody").unwrap_err().is_full());
    let mut next = RawPeer::connect(&bound).await;
    next.shake_hands("PULL").await;
    within("somebody", push.send("fresh")).await.expect("send");
    assert_eq!(next.receive(7).await, short_frame(b"fresh"));

    let theirs = Libzmq::new(zmq::PUSH);
    let bind = |socket: &zmq::Socket| {
        socket.bind(ANY_PORT).expect("bind");
        socket.get_last_endpoint().expect("endpoint").expect("text")
    };
    let bound: Endpoint = theirs.run(bind).await.parse().expect("an endpoint");
    let mut dead = RawPeer::connect(&bound).await;
    dead.shake_hands("PULL").await;
    theirs
        .run(|socket| {
            for _ in 0..COUNT {
                socket.send(vec![7; SIZE], 0).expect("send");
            }
        })
        .await;
    dead.receive(100).await;
    dead.reset();
    // It has ended when the socket is mute again.
    let mute = |socket: &zmq::Socket| while socket.send("lost", zmq::DONTWAIT).is_ok() {};
    theirs.run(mute).await;
    let mut next = RawPeer::connect(&bound).await;
    next.shake_hands("PULL").await;
    let fresh = |socket: &zmq::Socket| socket.send("fresh", 0).expect("send");
    theirs.run(fresh).await;
    assert_eq!(next.receive(7).await, short_frame(b"fresh"));
}

/// What has come from a connection that is over is read to the end.
#[tokio::test]
async fn what_has_come_outlives_its_connection() {
    // R-CONN-4
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut push = PushSocket::new();
    push.connect(&bound).expect("connect");
    for number in 0..100 {
        push.send(number.to_string()).await.expect("send");
    }
    within("close", push.close()).await;
    let is_disconnected =
        |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
    event(&mut monitor, "the end", is_disconnected).await;
    for number in 0..100 {
        assert_eq!(pull.try_recv().expect("it is here"), number.to_string());
    }
    assert!(pull.try_recv().is_err());
}
