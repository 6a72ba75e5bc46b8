//! Conflation by topic: each pipe keeps the newest message of each topic.

use std::time::Duration;

use common::events::ended;
use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, Context, Message, PubSocket, SendError, SocketType, SubSocket, XPubSocket,
    XSubSocket,
};
use tokio::net::TcpListener;

fn value(topic: &str, number: usize) -> Message {
    Message::from([topic.to_owned(), number.to_string()])
}

/// A publisher and a subscriber of everything, joined by inproc.
async fn joined(of_publisher: bool, hwm: usize) -> (PubSocket, SubSocket) {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .conflate_topics(of_publisher)
        .send_hwm(hwm)
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://values").await.expect("bind");
    let mut sub = SubSocket::builder()
        .conflate_topics(!of_publisher)
        .recv_hwm(hwm)
        .context(&context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://values").expect("connect");
    (publisher, sub)
}

fn drain(sub: &mut SubSocket) -> Vec<Message> {
    std::iter::from_fn(|| sub.try_recv().ok()).collect()
}

#[tokio::test]
async fn the_newest_of_each_topic_is_kept_in_the_order_of_the_topics() {
    for of_publisher in [true, false] {
        let (mut publisher, mut sub) = joined(of_publisher, 1000).await;
        for number in 0..10_000 {
            let topic = ["rome", "oslo", "lima"][number % 3];
            publisher.send(value(topic, number)).await.expect("send");
        }
        assert_eq!(publisher.stats().queued_to_send, 3);
        assert_eq!(publisher.stats().dropped.conflated, 9997);
        assert_eq!(publisher.stats().dropped.full, 0);
        let expected = [
            value("rome", 9999),
            value("oslo", 9997),
            value("lima", 9998),
        ];
        assert_eq!(drain(&mut sub), expected);
        publisher.send(value("oslo", 1)).await.expect("send");
        assert_eq!(drain(&mut sub), [value("oslo", 1)]);
        assert_eq!(publisher.stats().queued_to_send, 0);
    }
}

#[tokio::test]
async fn the_hwm_counts_topics_and_old_ones_are_renewed_beyond_it() {
    let (mut publisher, mut sub) = joined(true, 2).await;
    for round in 0..5 {
        for topic in ["a", "b", "c", "d", "e", "f"] {
            publisher.send(value(topic, round)).await.expect("send");
        }
    }
    let stats = publisher.stats();
    assert_eq!((stats.queued_to_send, stats.dropped.full), (4, 2 * 5));
    assert_eq!(stats.dropped.conflated, 4 * 4);
    let kept: Vec<_> = ["a", "b", "c", "d"]
        .map(|topic| value(topic, 4))
        .into_iter()
        .collect();
    assert_eq!(drain(&mut sub), kept);
    publisher.send(value("f", 5)).await.expect("send");
    assert_eq!(drain(&mut sub), [value("f", 5)], "there is room again");
}

#[tokio::test]
async fn a_subscriber_keeps_the_newest_of_what_it_has_read() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::any(transport);
        let mut publisher = XPubSocket::builder().send_hwm(0).build().expect("options");
        let endpoint = publisher.bind(place.endpoint.as_str()).await.expect("bind");
        let mut sub = XSubSocket::builder()
            .conflate_topics(true)
            .build()
            .expect("options");
        sub.subscribe("");
        sub.connect(&endpoint).expect("connect");
        within("subscription", publisher.wait_for_subscribers(1)).await;
        for number in 0..3000 {
            let topic = ["rome", "oslo", "lima"][number % 3];
            publisher.send(value(topic, number)).await.expect("send");
        }
        within("all to arrive", async {
            while sub.stats().received.messages < 3000 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let stats = sub.stats();
        assert_eq!(
            (stats.queued_to_receive, stats.dropped.conflated),
            (3, 2997)
        );
        for (topic, number) in [("rome", 2997), ("oslo", 2998), ("lima", 2999)] {
            let message = within("the newest", sub.recv()).await.expect("recv");
            assert_eq!(message, value(topic, number));
        }
        assert!(sub.try_recv().is_err());
    }
}

#[tokio::test]
async fn subscriptions_are_never_conflated() {
    let mut publisher = XPubSocket::builder()
        .conflate_topics(true)
        .verboser(true)
        .build()
        .expect("options");
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut sub = XSubSocket::builder()
        .conflate_topics(true)
        .build()
        .expect("options");
    sub.connect(&endpoint).expect("connect");
    sub.subscribe("first");
    within("the first", publisher.recv()).await.expect("recv");
    for _ in 0..3 {
        sub.subscribe("x");
        sub.unsubscribe("x");
    }
    for _ in 0..3 {
        for expected in ["\x01x", "\x00x"] {
            let notice = within("a notice", publisher.recv()).await.expect("recv");
            assert_eq!(notice, expected);
        }
    }
}

#[tokio::test]
async fn what_comes_back_from_a_connection_gives_way_to_newer_messages() {
    let place = Place::fixed(Transport::Tcp4);
    let mut publisher = PubSocket::builder()
        .conflate_topics(true)
        .send_buffer(4096)
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("options");
    let subscriber = || {
        let mut sub = SubSocket::builder()
            .recv_hwm(1)
            .recv_buffer(4096)
            .build()
            .expect("options");
        sub.subscribe("");
        sub
    };
    let mut sub = subscriber();
    sub.bind(place.endpoint.as_str()).await.expect("bind");
    publisher.connect(place.endpoint.as_str()).expect("connect");
    within("subscription", publisher.wait_for_subscribers(1)).await;
    let topics: Vec<_> = (0..50).map(|topic| format!("{topic:01000}")).collect();
    // More than the connection takes, again and again, so that some of it is under way when it breaks.
    for round in 0..20 {
        for topic in &topics {
            publisher.send(value(topic, round)).await.expect("send");
        }
        tokio::task::yield_now().await;
    }
    let mut monitor = publisher.monitor();
    within("close", sub.close()).await;
    common::events::event(&mut monitor, "the end", |kind| {
        matches!(kind, purezmq::MonitorEventKind::Disconnected(_))
    })
    .await;
    let queued = publisher.stats().queued_to_send;
    assert!((1..=50).contains(&queued), "{queued}");
    for topic in &topics {
        publisher.send(value(topic, 99)).await.expect("send");
    }
    assert_eq!(publisher.stats().queued_to_send, 50);
    let mut sub = subscriber();
    sub.bind(place.endpoint.as_str()).await.expect("bind");
    let mut got = Vec::new();
    for _ in 0..50 {
        got.push(within("the newest", sub.recv()).await.expect("recv"));
    }
    got.sort_by(|one, other| one[0].cmp(&other[0]));
    let expected: Vec<_> = topics.iter().map(|topic| value(topic, 99)).collect();
    assert_eq!(got, expected);
    assert!(sub.try_recv().is_err());
}

/// The next connection of a publisher, as a subscriber that reads nothing.
async fn silent(listener: &TcpListener) -> RawPeer {
    let (stream, _) = within("a connection", listener.accept())
        .await
        .expect("accept");
    let mut peer = RawPeer { stream };
    peer.shake_hands("SUB").await;
    peer
}

/// What a peer has not read when its connection ends comes back, and makes room where newer messages are there.
#[tokio::test]
async fn a_publisher_goes_on_when_what_comes_back_is_out_of_date() {
    for (kind, no_drop) in [
        (SocketType::Pub, false),
        (SocketType::Pub, true),
        (SocketType::XPub, false),
        (SocketType::XPub, true),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let mut options = Options::of(kind);
        let given: [(&str, Value); 5] = [
            ("conflate_topics", true.into()),
            ("no_drop", no_drop.into()),
            ("send_hwm", 3_usize.into()),
            ("send_hwm_bytes", Some(0_usize).into()),
            ("reconnect_interval", Duration::from_millis(1).into()),
        ];
        for (name, value) in given {
            let id = OptionId::by_name(name).expect("an option");
            options.set(id, value).expect("within its range");
        }
        let mut publisher =
            AnySocket::with_options(kind, &Context::new(), options).expect("options");
        let mut monitor = publisher.monitor();
        publisher
            .connect(format!("tcp://{address}").as_str())
            .expect("connect");
        let mut peer = silent(&listener).await;
        peer.send(&short_frame(b"\x01")).await;
        within("a subscription", async {
            while publisher.subscriber_count() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        peer.reset();
        ended(&mut monitor).await;

        // Taken together, and the first is more than a connection holds.
        let large = Message::from(["a".into(), vec![0; 32 << 20]]);
        publisher.send(large).await.expect("there is room");
        publisher.send(value("b", 1)).await.expect("there is room");
        let mut peer = silent(&listener).await;
        assert_eq!(peer.receive(3).await, b"\x01\x01a", "it is under way");
        publisher.send(value("b", 2)).await.expect("there is room");
        match publisher.try_send(value("c", 1)) {
            Err(SendError::Full(_)) if no_drop => {}
            Ok(()) if !no_drop => {}
            other => panic!("{kind} {no_drop}: {other:?}"),
        }
        peer.reset();
        ended(&mut monitor).await;

        let mut peer = silent(&listener).await;
        assert_eq!(
            peer.receive(6).await,
            b"\x01\x01b\x00\x012",
            "{kind} {no_drop}"
        );
        within("room", publisher.send(value("d", 1)))
            .await
            .expect("send");
        assert_eq!(
            peer.receive(6).await,
            b"\x01\x01d\x00\x011",
            "{kind} {no_drop}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_holds_for_each_topic() {
    let context = Context::new();
    let ttl = Duration::from_secs(10);
    let mut publisher = PubSocket::builder()
        .conflate_topics(true)
        .send_ttl(ttl)
        .send_hwm_bytes(10_000)
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://values").await.expect("bind");
    let mut sub = SubSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://values").expect("connect");
    publisher.send(value("old", 1)).await.expect("send");
    publisher.send(value("renewed", 1)).await.expect("send");
    tokio::time::sleep(ttl / 2).await;
    publisher.send(value("renewed", 2)).await.expect("send");
    tokio::time::sleep(ttl / 2).await;
    assert_eq!(drain(&mut sub), [value("renewed", 2)]);
    let stats = publisher.stats();
    assert_eq!((stats.dropped.expired, stats.dropped.conflated), (1, 1));
}
