//! What a publisher does about a subscriber that does not read: drops the newest, the oldest, or the subscriber.

use std::time::Duration;

use common::events::event;
use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::options::SlowSubscriber;
use purezmq::{Context, DisconnectReason, MonitorEventKind as Kind, PubSocket, SubSocket};

/// A publisher, and a subscriber with room for ten messages between them.
async fn news(context: &Context, choice: SlowSubscriber) -> (PubSocket, SubSocket) {
    let mut publisher = PubSocket::builder()
        .send_hwm(5)
        .slow_subscriber(choice)
        .context(context)
        .build()
        .expect("options");
    publisher.bind("inproc://news").await.expect("bind");
    let mut sub = SubSocket::builder()
        .recv_hwm(5)
        .context(context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://news").expect("connect");
    for number in 0..100 {
        publisher.send(number.to_string()).await.expect("send");
    }
    (publisher, sub)
}

fn numbers(sub: &mut SubSocket) -> Vec<u32> {
    std::iter::from_fn(|| sub.try_recv().ok())
        .map(|message| {
            let text = std::str::from_utf8(&message[0]).expect("a number");
            text.parse().expect("a number")
        })
        .collect()
}

#[tokio::test]
async fn the_newest_are_dropped_by_default() {
    let context = Context::new();
    let (publisher, mut sub) = news(&context, SlowSubscriber::default()).await;
    assert_eq!(publisher.stats().dropped.full, 90);
    assert_eq!(numbers(&mut sub), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_oldest_are_dropped_on_demand() {
    let context = Context::new();
    let (mut publisher, mut sub) = news(&context, SlowSubscriber::DropOldest).await;
    assert_eq!(publisher.stats().dropped.full, 90);
    assert_eq!(publisher.stats().queued_to_send, 10);
    assert_eq!(numbers(&mut sub), (90..100).collect::<Vec<_>>());

    // With all of them in the subscriber's hands, the newest is let in beyond the HWM, and only one.
    for number in 0..10 {
        publisher.send(number.to_string()).await.expect("send");
    }
    let first = sub.try_recv().expect("the first");
    assert_eq!(first, "0");
    for number in 10..50 {
        publisher.send(number.to_string()).await.expect("send");
    }
    let mut rest = numbers(&mut sub);
    assert_eq!(rest.pop(), Some(49));
    assert!(rest.len() <= 10, "{rest:?}");
    assert!(rest.is_sorted());
}

#[tokio::test]
async fn dropping_the_oldest_observes_a_limit_of_bytes() {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .send_hwm_bytes(500)
        .slow_subscriber(SlowSubscriber::DropOldest)
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://news").await.expect("bind");
    let mut sub = SubSocket::builder()
        .recv_hwm_bytes(500)
        .context(&context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://news").expect("connect");
    for _ in 0..1000 {
        publisher.send(vec![7; 98]).await.expect("send");
    }
    publisher.send("the last").await.expect("send");
    let stats = publisher.stats();
    assert_eq!(stats.queued_to_send as u64 + stats.dropped.full, 1001);
    assert!((8..=11).contains(&stats.queued_to_send), "{stats:?}");
    let mut last = None;
    while let Ok(message) = sub.try_recv() {
        last = Some(message);
    }
    assert_eq!(last, Some("the last".into()));
}

#[tokio::test]
async fn a_slow_subscriber_is_disconnected_on_demand() {
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .slow_subscriber(SlowSubscriber::Disconnect)
        .build()
        .expect("options");
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut monitor = publisher.monitor();
    let mut stalled = RawPeer::connect(&endpoint).await;
    stalled.shake_hands("SUB").await;
    stalled.send(&short_frame(b"\x01")).await;
    within("subscription", publisher.wait_for_subscribers(1)).await;
    let until_cut = async {
        loop {
            publisher.send(vec![7; 100_000]).await.expect("send");
            tokio::task::yield_now().await;
            if publisher.stats().peers.is_empty() {
                break;
            }
        }
    };
    within("the cut", until_cut).await;
    event(&mut monitor, "its reason", |kind| {
        matches!(kind, Kind::Disconnected(DisconnectReason::SlowSubscriber))
    })
    .await;
    let stats = publisher.stats();
    assert!(stats.dropped.full >= 10, "{stats:?}");
    assert_eq!(stats.queued_to_send, 0);
    assert_eq!(publisher.subscriber_count(), 0);

    // Others, and the same one when it comes back, are served.
    let mut sub = SubSocket::new();
    sub.subscribe("");
    sub.connect(&endpoint).expect("connect");
    within("subscription", publisher.wait_for_subscribers(1)).await;
    publisher.send("news").await.expect("send");
    assert_eq!(within("news", sub.recv()).await.expect("recv"), "news");
}

#[tokio::test]
async fn a_publisher_that_connects_comes_back_to_a_subscriber_that_was_slow() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("listen");
    let address = listener.local_addr().expect("address");
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .slow_subscriber(SlowSubscriber::Disconnect)
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("options");
    publisher
        .connect(format!("tcp://{address}"))
        .expect("connect");
    let mut monitor = publisher.monitor();
    let (stream, _) = within("the call", listener.accept()).await.expect("accept");
    let mut stalled = RawPeer { stream };
    stalled.shake_hands("SUB").await;
    stalled.send(&short_frame(b"\x01")).await;
    within("subscription", publisher.wait_for_subscribers(1)).await;
    drop(listener);
    let mut is_cut = false;
    while !is_cut {
        publisher.send(vec![7; 100_000]).await.expect("send");
        tokio::task::yield_now().await;
        is_cut = publisher.stats().peers[0].address.is_none();
    }
    event(&mut monitor, "its reason", |kind| {
        matches!(kind, Kind::Disconnected(DisconnectReason::SlowSubscriber))
    })
    .await;
    drop(stalled);
    let mut sub = SubSocket::new();
    sub.subscribe("");
    within("the port", async {
        while sub.bind(format!("tcp://{address}")).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within("a message through the new connection", async {
        loop {
            publisher.send("news").await.expect("send");
            if let Ok(message) = sub.try_recv() {
                assert_eq!(message, "news", "what waited for the slow one is dropped");
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_is_away_is_not_slow() {
    let place = Place::fixed(Transport::Tcp4);
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .slow_subscriber(SlowSubscriber::Disconnect)
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(Duration::from_millis(1))
        .build()
        .expect("options");
    let mut monitor = publisher.monitor();
    let subscriber = || {
        let mut sub = SubSocket::new();
        sub.subscribe("");
        sub
    };
    let mut sub = subscriber();
    sub.bind(place.endpoint.as_str()).await.expect("bind");
    publisher.connect(place.endpoint.as_str()).expect("connect");
    within("subscription", publisher.wait_for_subscribers(1)).await;
    within("close", sub.close()).await;
    event(&mut monitor, "the end", |kind| {
        matches!(kind, Kind::Disconnected(_))
    })
    .await;
    for number in 0..100 {
        publisher.send(number.to_string()).await.expect("send");
    }
    let stats = publisher.stats();
    assert_eq!((stats.queued_to_send, stats.dropped.full), (10, 90));
    let mut sub = subscriber();
    sub.bind(place.endpoint.as_str()).await.expect("bind");
    for number in 0..10 {
        let message = within("what waited", sub.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
    assert_eq!(publisher.stats().reconnects, 1, "it stays connected");
}

#[tokio::test]
async fn a_slow_inproc_subscriber_is_disconnected_for_good() {
    let context = Context::new();
    let (mut publisher, mut sub) = news(&context, SlowSubscriber::Disconnect).await;
    let stats = publisher.stats();
    assert_eq!((stats.dropped.full, stats.peers.len()), (11, 0));
    assert_eq!(publisher.subscriber_count(), 0);
    assert_eq!(numbers(&mut sub), Vec::<u32>::new());
}
