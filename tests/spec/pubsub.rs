//! PUB, SUB, XPUB and XSUB: what peers by hand send, notices that nobody reads, counters, and what only we have.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{
    Context, Endpoint, Message, MonitorEventKind, PubSocket, SubSocket, XPubSocket, XSubSocket,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// An XPUB with the given options, and where it listens.
macro_rules! xpub {
    ($($option:ident($value:expr)),*) => {{
        let mut xpub = XPubSocket::builder()$(.$option($value))*.build().unwrap();
        let endpoint = xpub.bind(ANY_PORT).await.unwrap();
        (xpub, endpoint)
    }};
}

fn subscriber(endpoint: &Endpoint, topics: &[&str]) -> SubSocket {
    let mut sub = SubSocket::new();
    for topic in topics {
        sub.subscribe(topic);
    }
    sub.connect(endpoint).unwrap();
    sub
}

fn relay(endpoint: &Endpoint) -> XSubSocket {
    let mut xsub = XSubSocket::new();
    xsub.connect(endpoint).unwrap();
    xsub
}

async fn hear(xpub: &mut XPubSocket) -> Message {
    within("a notice", xpub.recv()).await.unwrap()
}

async fn news(sub: &mut SubSocket) -> Message {
    within("news", sub.recv()).await.unwrap()
}

// ---------------------------------------------------------------- PUB

#[tokio::test]
async fn a_peer_of_zmtp_1_gets_everything() {
    // R-PUB-9
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    // All that such a peer says of itself: an empty identity.
    peer.send(&[1, 0]).await;
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    publisher.send("news").await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\x05\x00news") {
        heard.extend(peer.receive(1).await);
    }
}

#[tokio::test]
async fn a_repeated_subscription_of_a_peer_changes_nothing() {
    // R-PUB-5, R-SUB-2, R-SUB-3
    let (mut xpub, endpoint) = xpub!(verbose(true));
    let mut sub = subscriber(&endpoint, &["a"]);
    assert_eq!(hear(&mut xpub).await, "\x01a");
    sub.subscribe("a");
    assert_eq!(hear(&mut xpub).await, "\x01a", "every subscribe is sent");
    assert_eq!((xpub.subscriber_count(), xpub.topics_count()), (1, 1));
    assert!(!sub.unsubscribe("unknown"));
    assert!(sub.unsubscribe("a"));
    sub.subscribe("b");
    assert_eq!(
        hear(&mut xpub).await,
        "\x01b",
        "only the last unsubscribe is sent"
    );
    assert!(sub.unsubscribe("a"));
    assert_eq!(hear(&mut xpub).await, "\x00a");
    xpub.send("a").await.unwrap();
    xpub.send("b").await.unwrap();
    assert_eq!(news(&mut sub).await, "b");
}

#[tokio::test]
async fn a_subscriber_filters_what_it_did_not_ask_for() {
    // R-SUB-4: a publisher that sends more than it was asked for. XSUB takes it all.
    let mut sub = SubSocket::new();
    sub.subscribe("a");
    let mut xsub = XSubSocket::new();
    let mut peers = Vec::new();
    for endpoint in [
        sub.bind(ANY_PORT).await.unwrap(),
        xsub.bind(ANY_PORT).await.unwrap(),
    ] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("PUB").await;
        for message in ["b", "a"] {
            peer.send(&short_frame(message.as_bytes())).await;
        }
        peers.push(peer);
    }
    assert_eq!(news(&mut sub).await, "a");
    assert_eq!(within("all", xsub.recv()).await.unwrap(), "b");
    assert_eq!(within("all", xsub.recv()).await.unwrap(), "a");
}

// ---------------------------------------------------------------- XPUB

#[tokio::test]
async fn the_end_of_an_unknown_topic_is_told() {
    // R-XPUB-4
    let (mut xpub, endpoint) = xpub!();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("SUB").await;
    peer.send(&short_frame(b"\x00unknown")).await;
    assert_eq!(hear(&mut xpub).await, "\x00unknown");
}

#[tokio::test]
async fn with_manual_the_application_decides_what_a_peer_gets() {
    // R-XPUB-5
    let (mut xpub, endpoint) = xpub!(manual(true));
    assert!(!xpub.subscribe("x"), "nobody has been heard");
    let mut sub = subscriber(&endpoint, &["a"]);
    assert_eq!(hear(&mut xpub).await, "\x01a");
    assert_eq!(xpub.subscriber_count(), 0, "it is only told");
    assert!(xpub.subscribe("xa"));
    sub.subscribe("xa");
    assert_eq!(hear(&mut xpub).await, "\x01xa");
    let mut other = subscriber(&endpoint, &["a"]);
    assert_eq!(hear(&mut xpub).await, "\x01a", "all are told");
    assert!(xpub.subscribe("a"));
    for message in ["a", "xa"] {
        xpub.send(message).await.unwrap();
    }
    assert_eq!(news(&mut sub).await, "xa");
    assert_eq!(news(&mut other).await, "a");
    sub.unsubscribe("xa");
    assert_eq!(hear(&mut xpub).await, "\x00xa");
    assert_eq!(xpub.topics_count(), 2);
    assert!(xpub.unsubscribe("xa"));
    assert_eq!(xpub.topics_count(), 1);
    sub.close().await;
    assert_eq!(hear(&mut xpub).await, "\x00a", "what it had asked for");
    assert!(!xpub.subscribe("x"), "that was nobody's notice");
    drop(other);
}

#[tokio::test]
async fn the_last_value_goes_to_the_newcomer_alone() {
    // R-XPUB-6
    let (mut xpub, endpoint) = xpub!(manual_last_value(true));
    let mut old = subscriber(&endpoint, &["a"]);
    hear(&mut xpub).await;
    assert!(xpub.subscribe("a"));
    xpub.send("a1").await.unwrap();
    assert_eq!(news(&mut old).await, "a1");
    let mut new = subscriber(&endpoint, &["a"]);
    hear(&mut xpub).await;
    assert!(xpub.subscribe("a"));
    xpub.send("a1").await.unwrap();
    xpub.send("a2").await.unwrap();
    assert_eq!(news(&mut new).await, "a1");
    assert_eq!(news(&mut new).await, "a2");
    assert_eq!(news(&mut old).await, "a2", "not a1 again");
}

#[tokio::test]
async fn only_what_follows_a_subscription_is_for_one_alone() {
    // R-XPUB-6
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::any(transport);
        for end in ["inproc://last-value", place.endpoint.as_str()] {
            for unsubscribes in [false, true] {
                one_alone(end, unsubscribes).await;
            }
        }
    }
}

async fn one_alone(endpoint: &str, unsubscribes: bool) {
    let mut xpub = XPubSocket::builder()
        .manual_last_value(true)
        .build()
        .unwrap();
    let endpoint = xpub.bind(endpoint).await.unwrap();
    let mut stays = subscriber(&endpoint, &["a"]);
    hear(&mut xpub).await;
    assert!(xpub.subscribe("a"));
    xpub.send("a1").await.unwrap();
    assert_eq!(news(&mut stays).await, "a1");
    let mut goes = subscriber(&endpoint, &["a"]);
    hear(&mut xpub).await;
    assert!(xpub.subscribe("a"));
    if unsubscribes {
        xpub.send("a1").await.unwrap();
        assert_eq!(news(&mut goes).await, "a1");
        goes.unsubscribe("a");
        assert_eq!(hear(&mut xpub).await, "\0a");
        assert!(xpub.unsubscribe("a"));
    } else {
        // It is the one that what is sent next would be for.
        goes.close().await;
        within("its departure", async {
            while xpub.subscriber_count() > 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    xpub.send("a2").await.unwrap();
    assert_eq!(news(&mut stays).await, "a2", "{endpoint}, {unsubscribes}");
    xpub.send("a3").await.unwrap();
    assert_eq!(news(&mut stays).await, "a3", "{endpoint}, {unsubscribes}");
    if !unsubscribes {
        assert_eq!(hear(&mut xpub).await, "\0a");
        xpub.send("a4").await.unwrap();
        assert_eq!(news(&mut stays).await, "a4", "{endpoint}, after the notice");
    }
}

#[tokio::test]
async fn a_message_is_whole_from_its_first_frame_that_is_no_subscription() {
    // R-XPUB-8, R-XSUB-4
    for strict in [false, true] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            let place = Place::any(transport);
            for end in ["inproc://whole", place.endpoint.as_str()] {
                let mut xpub = XPubSocket::builder()
                    .only_first_subscribe(strict)
                    .build()
                    .unwrap();
                let endpoint = xpub.bind(end).await.unwrap();
                let mut xsub = relay(&endpoint);
                xsub.send("\x01before").await.unwrap();
                assert_eq!(hear(&mut xpub).await, "\x01before");
                let user = Message::from(["user", "\x01a", "\0before", "", "end"]);
                xsub.send(user.clone()).await.unwrap();
                xsub.send("\x01after").await.unwrap();
                assert_eq!(hear(&mut xpub).await, user, "{end}");
                assert_eq!(hear(&mut xpub).await, "\x01after");
                xsub.send(["\x01b", "\x01c", "user", "\x01d"])
                    .await
                    .unwrap();
                for notice in ["\x01b", "\x01c"] {
                    assert_eq!(hear(&mut xpub).await, notice);
                }
                assert_eq!(hear(&mut xpub).await, Message::from(["user", "\x01d"]));
                assert_eq!((xsub.topics_count(), xpub.topics_count()), (4, 4));
            }
        }
    }
}

#[tokio::test]
async fn a_publisher_takes_no_frame_of_a_users_message_for_a_subscription() {
    // R-PUB-7
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut xsub = relay(&endpoint);
    xsub.send(["\x01a", "user", "\x01b"]).await.unwrap();
    xsub.send(["user", "\x01c"]).await.unwrap();
    xsub.send("\x01end").await.unwrap();
    within("both", async {
        while publisher.topics_count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for topic in ["b", "c", "a", "end"] {
        publisher.send(topic).await.unwrap();
    }
    for expected in ["a", "end"] {
        assert_eq!(within("news", xsub.recv()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn topics_and_subscribers_are_counted() {
    // R-XPUB-9
    let (mut xpub, endpoint) = xpub!();
    let mut one = subscriber(&endpoint, &["a", "ab"]);
    let two = subscriber(&endpoint, &["a", ""]);
    let _none = subscriber(&endpoint, &[]);
    within("two", xpub.wait_for_subscribers(2)).await;
    assert_eq!((xpub.subscriber_count(), xpub.topics_count()), (2, 3));
    for _ in 0..3 {
        hear(&mut xpub).await;
    }
    drop(two);
    assert_eq!(hear(&mut xpub).await, "\x00");
    assert_eq!((xpub.subscriber_count(), xpub.topics_count()), (1, 2));
    one.unsubscribe("a");
    hear(&mut xpub).await;
    assert_eq!((xpub.subscriber_count(), xpub.topics_count()), (1, 1));
}

#[tokio::test]
async fn an_xpub_that_only_sends_keeps_a_bounded_number_of_notices() {
    // R-PUB-7: libzmq's number is unbounded.
    let (mut xpub, endpoint) = xpub!(recv_hwm(3));
    let mut xsub = relay(&endpoint);
    for number in 0..10 {
        xsub.subscribe(number.to_string());
    }
    xsub.subscribe("end");
    within("all", async {
        while xpub.topics_count() < 11 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    xpub.send("9 is heard").await.unwrap();
    assert_eq!(within("news", xsub.recv()).await.unwrap(), "9 is heard");
    for number in 0..3 {
        assert_eq!(hear(&mut xpub).await, format!("\x01{number}"));
    }
    assert_eq!(xpub.missed(), 8);
}

#[tokio::test]
async fn a_manual_xpub_that_only_sends_loses_no_notice() {
    // R-XPUB-5: a notice that the application does not get is a subscription that never takes effect.
    let (mut xpub, endpoint) = xpub!(manual(true), recv_hwm(3));
    let mut xsub = relay(&endpoint);
    let mut told = xpub.monitor();
    connected(&mut told).await;
    for number in 0..10 {
        xsub.subscribe(number.to_string());
    }
    xsub.send("the last").await.unwrap();
    for _ in 0..1000 {
        xpub.send("nobody wants it").await.unwrap();
        tokio::task::yield_now().await;
    }
    for number in 0..10 {
        assert_eq!(hear(&mut xpub).await, format!("\x01{number}"));
        assert!(xpub.subscribe(number.to_string()));
    }
    assert_eq!(hear(&mut xpub).await, "the last");
    assert_eq!((xpub.missed(), xpub.topics_count()), (0, 10));
    xpub.send("9 is wanted").await.unwrap();
    assert_eq!(within("news", xsub.recv()).await.unwrap(), "9 is wanted");
}

// ---------------------------------------------------------------- XSUB

#[tokio::test]
async fn an_xsub_never_waits_and_drops_for_who_is_full() {
    // R-XSUB-2
    let context = Context::new();
    let mut xsub = XSubSocket::builder()
        .context(&context)
        .send_hwm(2)
        .build()
        .unwrap();
    xsub.send("to nobody").await.unwrap();
    for name in ["inproc://one", "inproc://two"] {
        xsub.connect(name).unwrap();
    }
    let mut one = XPubSocket::builder().context(&context).build().unwrap();
    one.bind("inproc://one").await.unwrap();
    for number in 0..5 {
        xsub.send(number.to_string()).await.unwrap();
    }
    assert_eq!(xsub.dropped(), 3, "by the one who has not bound yet");
    for number in 0..5 {
        assert_eq!(hear(&mut one).await, number.to_string());
    }
    xsub.subscribe("a");
    assert_eq!(hear(&mut one).await, "\x01a");
    // Whoever comes now hears of the subscription, and what was queued.
    let mut two = XPubSocket::builder().context(&context).build().unwrap();
    two.bind("inproc://two").await.unwrap();
    for expected in ["\x01a", "0", "1"] {
        assert_eq!(hear(&mut two).await, expected);
    }
}

#[tokio::test]
async fn subscriptions_come_again_with_each_connection_and_messages_stay() {
    // R-CONN-21, R-CONN-3, R-XSUB-1
    let place = Place::fixed(Transport::Tcp4);
    let mut xsub = XSubSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    let mut events = xsub.monitor();
    xsub.subscribe("a");
    xsub.subscribe("a");
    xsub.subscribe("b");
    xsub.connect(place.endpoint.as_str()).unwrap();
    xsub.send("queued").await.unwrap();
    for queued in ["queued", "meanwhile"] {
        let mut xpub = XPubSocket::new();
        xpub.bind(place.endpoint.as_str()).await.unwrap();
        for expected in ["\x01a", "\x01b", queued] {
            assert_eq!(hear(&mut xpub).await, expected);
        }
        xpub.send("b!").await.unwrap();
        assert_eq!(within("news", xsub.recv()).await.unwrap(), "b!");
        xpub.close().await;
        event(&mut events, "the end of the connection", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
        xsub.subscribe("c");
        xsub.unsubscribe("c");
        xsub.send("meanwhile").await.unwrap();
    }
}

#[tokio::test]
async fn subscriptions_are_queued_beyond_the_limit() {
    // R-HWM-11: libzmq drops those that a pipe has no room for, and the subscriber never hears the topic.
    const TOPICS: usize = 1000;
    let context = Context::new();
    for endpoint in ["tcp://127.0.0.1:*", "inproc://subscriptions"] {
        let xpub = XPubSocket::builder().context(&context).recv_hwm(1);
        let mut xpub = xpub.build().expect("options");
        let endpoint = xpub.bind(endpoint).await.expect("bind");
        let xsub = XSubSocket::builder().context(&context).send_hwm(1);
        let mut xsub = xsub.build().expect("options");
        xsub.connect(&endpoint).expect("connect");
        for topic in 0..TOPICS {
            xsub.send(format!("\x01{topic}")).await.expect("send");
        }
        let mut heard = std::collections::BTreeSet::new();
        while heard.len() < TOPICS {
            let notice = within("a subscription", xpub.recv()).await.expect("recv");
            assert!(heard.insert(notice[0].to_vec()), "each once");
        }
    }
}
