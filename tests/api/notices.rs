//! What an XPUB tells of its subscribers while it publishes: through a proxy, a loop written by hand, and halves, every
//! subscription and every departure is passed on.

use std::time::Duration;

use common::events::{connected, ended};
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    AnySocket, Context, Endpoint, Message, Proxy, SocketType, SubSocket, XPubSocket, XSubSocket,
};
use tokio::task::{JoinHandle, yield_now};

const SUBSCRIBERS: usize = 4;
const TOPICS: usize = 900;

/// How two sockets are joined.
type Join = fn(XSubSocket, XPubSocket) -> JoinHandle<()>;

fn by_proxy(mut front: XSubSocket, mut back: XPubSocket) -> JoinHandle<()> {
    tokio::spawn(async move { Proxy::new(&mut front, &mut back).run().await })
}

fn by_hand(mut front: XSubSocket, mut back: XPubSocket) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                message = front.recv() => back.send(message.unwrap()).await.unwrap(),
                notice = back.recv() => front.send(notice.unwrap()).await.unwrap(),
            }
        }
    })
}

fn by_halves(front: XSubSocket, back: XPubSocket) -> JoinHandle<()> {
    let (mut to_publishers, mut from_publishers) = front.split();
    let (mut to_subscribers, mut from_subscribers) = back.split();
    tokio::spawn(async move {
        let there = async {
            loop {
                let message = from_publishers.recv().await.unwrap();
                to_subscribers.send(message).await.unwrap();
            }
        };
        let back_again = async {
            loop {
                let notice = from_subscribers.recv().await.unwrap();
                to_publishers.send(notice).await.unwrap();
            }
        };
        tokio::join!(there, back_again);
    })
}

/// Publishes until the publisher has heard of so many topics.
async fn hears(publisher: &mut XPubSocket, topics: usize) {
    let heard = async {
        while publisher.topics_count() != topics {
            for _ in 0..10 {
                publisher.send("flood").await.unwrap();
            }
            yield_now().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(60), heard)
        .await
        .is_err()
    {
        panic!("{} topics, not {topics}", publisher.topics_count());
    }
}

fn subscriber(number: usize, at: &Endpoint) -> SubSocket {
    let mut sub = SubSocket::new();
    for topic in 0..TOPICS {
        sub.subscribe(format!("{number}.{topic:05}"));
    }
    sub.connect(at).unwrap();
    sub
}

async fn all_is_passed_on(join: Join) {
    let (mut front, mut back) = (XSubSocket::new(), XPubSocket::new());
    let publishers_at = front.bind("tcp://127.0.0.1:*").await.unwrap();
    let subscribers_at = back.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut publisher = XPubSocket::builder().recv_hwm(0).build().unwrap();
    publisher.connect(&publishers_at).unwrap();
    front.subscribe("flood");
    within("flood", publisher.wait_for_subscribers(1)).await;
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|number| subscriber(number, &subscribers_at))
        .collect();
    // All of it is there before anything is moved, and publications are, too.
    let mut arrived = 0;
    within("the subscriptions", async {
        while arrived < SUBSCRIBERS {
            let peers = back.stats().peers.into_iter();
            arrived = peers
                .filter(|peer| peer.received.messages + peer.queued_to_receive as u64 > 0)
                .count();
            publisher.send("flood").await.unwrap();
            yield_now().await;
        }
    })
    .await;
    let joined = join(front, back);
    hears(&mut publisher, 1 + SUBSCRIBERS * TOPICS).await;
    subscribers.pop();
    hears(&mut publisher, 1 + (SUBSCRIBERS - 1) * TOPICS).await;
    subscribers.clear();
    hears(&mut publisher, 1).await;
    // And once more, to who has been read for long.
    subscribers.extend((0..SUBSCRIBERS).map(|number| subscriber(number, &subscribers_at)));
    hears(&mut publisher, 1 + SUBSCRIBERS * TOPICS).await;
    joined.abort();
}

#[tokio::test]
async fn a_proxy_passes_on_all_subscriptions_and_departures_while_publications_flow() {
    all_is_passed_on(by_proxy).await;
}

#[tokio::test]
async fn a_loop_by_hand_passes_on_all_subscriptions_and_departures_while_publications_flow() {
    all_is_passed_on(by_hand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_pass_on_all_subscriptions_and_departures_while_publications_flow() {
    all_is_passed_on(by_halves).await;
}

#[tokio::test]
async fn an_xpub_that_is_never_read_follows_subscriptions_and_counts_the_notices() {
    let mut publisher = XPubSocket::builder().recv_hwm(10).build().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut sub = SubSocket::new();
    sub.connect(&endpoint).unwrap();
    for topic in 0..100 {
        sub.subscribe(format!("{topic:03}"));
    }
    let told = async {
        loop {
            publisher.send("099").await.unwrap();
            if let Ok(message) = sub.try_recv() {
                return message;
            }
            yield_now().await;
        }
    };
    assert_eq!(within("the last of them", told).await, "099");
    assert_eq!(publisher.missed(), 90);
}

/// What peers of an XPUB send is messages, too, and may be long.
#[tokio::test]
async fn what_an_xpub_keeps_that_is_never_read_is_bounded_in_bytes() {
    let publisher = XPubSocket::builder().recv_hwm(1000).recv_hwm_bytes(10_000);
    let mut publisher = publisher.build().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = XSubSocket::new();
    peer.connect(&endpoint).unwrap();
    for _ in 0..100 {
        let sent = peer.send("x".repeat(1000));
        within("sent", sent).await.unwrap();
    }
    let told = async {
        while publisher.missed() < 90 {
            publisher.send("nobody's").await.unwrap();
            yield_now().await;
        }
    };
    within("all is heard", told).await;
    let mut kept = 0;
    while let Ok(message) = publisher.try_recv() {
        assert_eq!(message.byte_len(), 1000);
        kept += 1;
    }
    // Ten of them are the first to be more than 10,000 bytes.
    assert_eq!((kept, publisher.missed()), (10, 90));
}

/// A subscriber leaves when another one has subscribed to its topic, and the publisher has not looked since. Nobody was
/// the first then, and nobody the last.
#[tokio::test]
async fn a_topic_that_is_taken_over_neither_begins_nor_ends() {
    for transport in [Some(Transport::Tcp4), Some(Transport::Ipc), None] {
        let place = transport.map(Place::any);
        let at = place
            .as_ref()
            .map_or("inproc://taken-over", |place| &place.endpoint);
        let mut publisher = XPubSocket::new();
        let mut monitor = publisher.monitor();
        let at = publisher.bind(at).await.unwrap();
        let open = || {
            let mut subscriber = SubSocket::new();
            subscriber.connect(&at).unwrap();
            subscriber
        };
        let (mut one, mut other) = (open(), open());
        if transport.is_some() {
            connected(&mut monitor).await;
            connected(&mut monitor).await;
        }
        // Both are known before it is about topics.
        other.subscribe("other");
        assert_eq!(
            within("a notice", publisher.recv()).await.unwrap(),
            "\x01other"
        );
        one.subscribe("topic");
        assert_eq!(
            within("a notice", publisher.recv()).await.unwrap(),
            "\x01topic"
        );
        other.subscribe("topic");
        if transport.is_some() {
            within("it is there", async {
                while publisher.stats().queued_to_receive == 0 {
                    yield_now().await;
                }
            })
            .await;
        }
        one.close().await;
        if transport.is_some() {
            ended(&mut monitor).await;
        }
        other.subscribe("last");
        let next = within("a notice", publisher.recv()).await.unwrap();
        assert_eq!(next, "\x01last", "{transport:?}");
        assert_eq!(publisher.topics_count(), 3, "{transport:?}");
        publisher.send("topic").await.unwrap();
        assert_eq!(within("a message", other.recv()).await.unwrap(), "topic");
    }
}

/// A publisher that connects has one pipe for all connections of an endpoint. What was subscribed to through the one
/// before counts until the next one says what is wanted, and no longer.
#[tokio::test]
async fn a_publisher_that_connects_again_forgets_what_is_not_wanted_any_more() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for (kind, its) in [
            (SocketType::Pub, SocketType::Sub),
            (SocketType::Pub, SocketType::XSub),
            (SocketType::XPub, SocketType::Sub),
            (SocketType::XPub, SocketType::XSub),
        ] {
            forgets(transport, kind, its).await;
        }
    }
}

async fn forgets(transport: Transport, kind: SocketType, its: SocketType) {
    let what = format!("{transport:?} {kind} {its}");
    let place = Place::fixed(transport);
    let mut publisher = AnySocket::new(kind, &Context::new()).unwrap();
    let mut monitor = publisher.monitor();
    publisher.connect(&place.endpoint).unwrap();
    let open = |topics: &'static [&'static str]| {
        let mut subscriber = AnySocket::new(its, &Context::new()).unwrap();
        topics.iter().for_each(|topic| {
            subscriber.subscribe(topic);
        });
        subscriber
    };
    let mut first = open(&["dropped", "kept"]);
    first.bind(&place.endpoint).await.unwrap();
    until_topics(&mut publisher, 2).await;
    first.close().await;
    ended(&mut monitor).await;
    // Sent while nobody is there: it waits for the next connection.
    publisher.send("kept").await.unwrap();
    let mut second = open(&["kept"]);
    second.bind(&place.endpoint).await.unwrap();
    let kept = within("what was sent meanwhile", second.recv()).await;
    assert_eq!(kept.unwrap(), "kept", "{what}");
    until_topics(&mut publisher, 1).await;
    if kind != SocketType::XPub {
        return;
    }
    let mut notices = Vec::new();
    while let Ok(notice) = publisher.try_recv() {
        notices.push(notice);
    }
    notices[2..4].sort_by_key(|notice| notice[0].to_vec());
    let expected = ["\x01dropped", "\x01kept", "\0dropped", "\0kept", "\x01kept"];
    assert_eq!(notices, expected.map(Message::from), "{what}");
}

async fn until_topics(publisher: &mut AnySocket, count: usize) {
    within("the topics", async {
        while publisher.topics_count() != count {
            yield_now().await;
        }
    })
    .await;
}
