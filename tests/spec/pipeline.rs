//! PUSH: work for a peer by hand that has gone (`docs/rules.md`, R-PUSH).

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{Endpoint, MonitorEventKind, PushSocket};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// The queue of an accepted connection ends with it, and what it held goes to nobody else.
#[tokio::test]
async fn work_for_a_peer_that_went_is_lost_and_not_given_to_others() {
    // R-CONN-4, R-PUSH-3
    const SIZE: usize = 1 << 20;
    const COUNT: usize = 50;
    let push = PushSocket::builder().send_hwm_bytes(0);
    let mut push = push.build().expect("options");
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
