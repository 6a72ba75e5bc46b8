//! PAIR: who is turned away and told so, and when there is room again (`docs/rules.md`, R-PAIR).

use std::time::Duration;

use common::events::{connected, event};
use common::within;
use purezmq::{ConnectError, Context, DisconnectReason, MonitorEventKind, PairSocket, SendError};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn is_disconnected(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

#[tokio::test]
async fn a_second_peer_is_turned_away_until_the_first_has_gone() {
    // R-PAIR-1, R-PAIR-2
    let mut here = PairSocket::new();
    let endpoint = here.bind(ANY_PORT).await.unwrap();
    let mut events = here.monitor();
    let mut first = PairSocket::new();
    first.connect(&endpoint).unwrap();
    connected(&mut events).await;
    let mut second = PairSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    second.connect(&endpoint).unwrap();
    second.send("from the second").await.unwrap();
    let refused = event(&mut events, "the second is refused", is_disconnected).await;
    assert!(
        matches!(
            refused.kind,
            MonitorEventKind::Disconnected(DisconnectReason::Occupied)
        ),
        "{refused:?}"
    );
    first.send("from the first").await.unwrap();
    assert_eq!(
        within("first", here.recv()).await.unwrap(),
        "from the first"
    );
    here.send("to the first").await.unwrap();
    assert_eq!(within("first", first.recv()).await.unwrap(), "to the first");
    first.send("last words").await.unwrap();
    first.close().await;
    assert_eq!(within("first", here.recv()).await.unwrap(), "last words");
    event(&mut events, "the first leaves", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(DisconnectReason::Peer))
    })
    .await;
    // The second has gone on trying.
    within("a peer", here.send("to the second")).await.unwrap();
    assert_eq!(
        within("second", second.recv()).await.unwrap(),
        "to the second"
    );
    second.send("at last").await.unwrap();
    while within("second", here.recv()).await.unwrap() != "at last" {}
}

#[tokio::test]
async fn a_pair_connects_once() {
    // R-PAIR-1
    let mut pair = PairSocket::new();
    pair.connect("tcp://127.0.0.1:9").unwrap();
    for endpoint in ["tcp://127.0.0.1:10", "inproc://other"] {
        let refused = pair.connect(endpoint).unwrap_err();
        assert!(
            matches!(refused, ConnectError::Occupied { .. }),
            "{refused}"
        );
    }
    pair.set_linger(Some(Duration::ZERO));
    pair.disconnect("tcp://127.0.0.1:9").unwrap();
    pair.connect("tcp://127.0.0.1:10").unwrap();
}

#[tokio::test]
async fn without_peer_or_room_sending_waits() {
    // R-PAIR-3
    let context = Context::new();
    let pair = || {
        let builder = PairSocket::builder().context(&context);
        builder.send_hwm(1).recv_hwm(1).build().unwrap()
    };
    let mut here = pair();
    here.bind("inproc://pair").await.unwrap();
    assert!(matches!(here.try_send("x"), Err(SendError::Full(_))));
    let mut there = pair();
    there.connect("inproc://pair").unwrap();
    here.send("1").await.unwrap();
    here.send("2").await.unwrap();
    assert!(matches!(here.try_send("3"), Err(SendError::Full(_))));
    let (sent, received) = tokio::join!(within("room", here.send("3")), async {
        (there.recv().await.unwrap(), there.recv().await.unwrap())
    });
    sent.unwrap();
    assert_eq!(received, ("1".into(), "2".into()));
    assert_eq!(there.recv().await.unwrap(), "3");

    // Another one finds the place taken, and its pipe ended.
    let mut third = pair();
    third.connect("inproc://pair").unwrap();
    assert!(matches!(third.try_send("x"), Err(SendError::Full(_))));
    drop(there);
    let mut fourth = pair();
    fourth.connect("inproc://pair").unwrap();
    fourth.send("hello").await.unwrap();
    assert_eq!(within("fourth", here.recv()).await.unwrap(), "hello");
}
