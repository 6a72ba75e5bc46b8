//! High-water marks that are changed while peers send, and peers that bring more than there is room for: what waits is
//! counted exactly all the time, and the mark holds again.

use std::time::Duration;

use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use purezmq::{Context, PubSocket, PullSocket, PushSocket, XPubSocket};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_mark_that_is_changed_under_a_flood_holds() {
    const EACH: usize = 20_000;
    let ipc = Place::any(Transport::Ipc);
    for place in [
        "tcp://127.0.0.1:*",
        ipc.endpoint.as_str(),
        "inproc://changed",
    ] {
        let context = Context::new();
        let mut pull = PullSocket::builder().context(&context).build().unwrap();
        let endpoint = pull.bind(place).await.unwrap();
        let mut senders = Vec::new();
        for _ in 0..3 {
            let mut push = PushSocket::builder().context(&context).build().unwrap();
            push.connect(&endpoint).unwrap();
            senders.push(tokio::spawn(async move {
                for number in 0..EACH {
                    push.send(number.to_string()).await.unwrap();
                }
                push
            }));
        }
        let marks = [1, 700, 2, 1000, 0, 3, 50];
        for number in 0..3 * EACH {
            if number % 100 == 0 {
                let mark = marks[number / 100 % marks.len()];
                pull.set_options(|options| options.recv_hwm(mark)).unwrap();
                let waiting = pull.stats().queued_to_receive;
                assert!(waiting <= 3 * EACH, "{place}: {waiting}");
            }
            within("a message", pull.recv()).await.unwrap();
        }
        assert_eq!(pull.stats().queued_to_receive, 0);
        // The last mark holds.
        pull.set_options(|options| options.recv_hwm(2)).unwrap();
        let mut kept = Vec::new();
        for sender in senders {
            kept.push(sender.await.unwrap());
        }
        assert_eq!(pull.stats().queued_to_receive, 0, "{place}");
    }
}

/// A subscriber of that age never subscribes: it is taken to want everything, which is one message more than it sends.
#[tokio::test]
async fn a_subscriber_of_zmtp_1_comes_within_the_smallest_mark() {
    const MANY: usize = 50;
    let mut publisher = XPubSocket::builder().recv_hwm(1).build().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut old = RawPeer::connect(&endpoint).await;
    let identity = b"\x01\x00";
    old.send(&[&identity[..], &b"\x02\x00x".repeat(MANY)].concat())
        .await;
    assert_eq!(
        within("a subscription", publisher.recv()).await.unwrap(),
        "\u{1}"
    );
    for _ in 0..MANY {
        assert_eq!(within("a message", publisher.recv()).await.unwrap(), "x");
        assert!(publisher.stats().queued_to_receive <= MANY);
    }
    assert_eq!(publisher.stats().queued_to_receive, 0);
    publisher.send("news").await.unwrap();
    // What is a signature to others is our identity to it.
    old.receive(10).await;
    assert_eq!(old.receive(6).await, b"\x05\x00news");

    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut old = RawPeer::connect(&endpoint).await;
    old.send(identity).await;
    let waiting = publisher.wait_for_subscribers(1);
    within(
        "a subscriber",
        tokio::time::timeout(Duration::from_secs(20), waiting),
    )
    .await
    .unwrap();
}
