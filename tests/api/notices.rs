//! What an XPUB tells of its subscribers while it publishes: through a proxy, a loop written by hand, and halves, every
//! subscription and every departure is passed on.

use std::time::Duration;

use common::within;
use purezmq::{Endpoint, Proxy, SubSocket, XPubSocket, XSubSocket};
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
