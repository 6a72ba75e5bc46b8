//! What an XPUB is told, told apart; and messages to one of its peers.

use std::collections::HashMap;
use std::time::Duration;

use common::raw::RawPeer;
use common::within;
use purezmq::{
    Context, SendError, SubSocket, Subscriber, XPubEvent, XPubSocket, XSubSocket, blocking,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

async fn next(publisher: &mut XPubSocket) -> XPubEvent {
    within("an event", publisher.recv_event())
        .await
        .expect("recv")
}

async fn subscribed(publisher: &mut XPubSocket) -> (Vec<u8>, Subscriber) {
    match next(publisher).await {
        XPubEvent::Subscribed { topic, subscriber } => (topic.to_vec(), subscriber),
        other => panic!("{other:?} is no subscription"),
    }
}

/// Over connections and by inproc.
async fn linked(endpoint: &str) -> (XPubSocket, XSubSocket) {
    let context = Context::new();
    let publisher = XPubSocket::builder().context(&context);
    let mut publisher = publisher.verboser(true).build().expect("options");
    let bound = publisher.bind(endpoint).await.expect("bind");
    let subscriber = XSubSocket::builder().context(&context);
    let mut subscriber = subscriber.build().expect("options");
    subscriber.connect(&bound).expect("connect");
    (publisher, subscriber)
}

#[tokio::test]
async fn notices_and_messages_are_told_apart() {
    for endpoint in [ANY_PORT, "inproc://events"] {
        let (mut publisher, mut xsub) = linked(endpoint).await;
        xsub.subscribe("topic");
        let (topic, subscriber) = subscribed(&mut publisher).await;
        assert_eq!(topic, b"topic");
        xsub.send(["up", "\u{1}the stream"]).await.expect("send");
        let XPubEvent::Message {
            message,
            subscriber: sender,
        } = next(&mut publisher).await
        else {
            panic!("it is a message");
        };
        assert_eq!((sender, message.len()), (subscriber, 2));
        xsub.unsubscribe("topic");
        let expected = XPubEvent::Unsubscribed {
            topic: "topic".into(),
            subscriber,
        };
        assert_eq!(next(&mut publisher).await, expected);
        // Who leaves takes back what it had.
        xsub.subscribe("");
        let (topic, _) = subscribed(&mut publisher).await;
        assert_eq!(topic, b"");
        drop(xsub);
        let expected = XPubEvent::Unsubscribed {
            topic: "".into(),
            subscriber,
        };
        assert_eq!(next(&mut publisher).await, expected);
    }
}

/// With `only_first_subscribe`, a message of a user's may look like a notice in libzmq's form.
#[tokio::test]
async fn a_message_that_looks_like_a_notice_is_a_message() {
    let publisher = XPubSocket::builder().only_first_subscribe(true).build();
    let mut publisher = publisher.expect("options");
    let bound = publisher.bind(ANY_PORT).await.expect("bind");
    let mut raw = RawPeer::connect(&bound).await;
    raw.shake_hands("XSUB").await;
    // One message of two frames.
    raw.send(b"\x01\x02\x01a\x00\x02\x01b").await;
    let (topic, subscriber) = subscribed(&mut publisher).await;
    assert_eq!(topic, b"a");
    let expected = XPubEvent::Message {
        message: "\u{1}b".into(),
        subscriber,
    };
    assert_eq!(next(&mut publisher).await, expected);
}

#[tokio::test]
async fn a_message_goes_to_one_peer_alone() {
    for endpoint in [ANY_PORT, "inproc://alone"] {
        let context = Context::new();
        let publisher = XPubSocket::builder().context(&context).verbose(true);
        let mut publisher = publisher.build().expect("options");
        let bound = publisher.bind(endpoint).await.expect("bind");
        let (mut peers, mut subs) = (HashMap::new(), Vec::new());
        for name in ["one", "two"] {
            let mut sub = SubSocket::builder()
                .context(&context)
                .build()
                .expect("options");
            sub.connect(&bound).expect("connect");
            sub.subscribe(name);
            sub.subscribe("all");
            subs.push(sub);
            for _ in 0..2 {
                let (topic, subscriber) = subscribed(&mut publisher).await;
                peers.insert(topic, subscriber);
            }
        }
        // Prefixes that both have: only one of them gets it.
        publisher
            .send_to(peers[&b"one"[..]], "all yours")
            .await
            .expect("send");
        publisher
            .try_send_to(peers[&b"two"[..]], "two alone")
            .expect("send");
        publisher.send("all of you").await.expect("send");
        for (sub, expected) in subs
            .iter_mut()
            .zip([["all yours", "all of you"], ["two alone", "all of you"]])
        {
            for expected in expected {
                let message = within("a message", sub.recv()).await.expect("recv");
                assert_eq!(message, expected, "{endpoint}");
            }
        }
    }
}

#[tokio::test]
async fn a_subscriber_that_has_gone_is_an_error_and_one_that_comes_back_is_another() {
    let (mut publisher, mut xsub) = linked(ANY_PORT).await;
    xsub.subscribe("a");
    let (_, gone) = subscribed(&mut publisher).await;
    let endpoint = publisher.last_endpoint().expect("it is bound");
    drop(xsub);
    assert!(matches!(
        next(&mut publisher).await,
        XPubEvent::Unsubscribed { .. }
    ));
    for error in [
        publisher.send_to(gone, "anything").await,
        publisher.try_send_to(gone, "anything"),
    ] {
        let error = error.expect_err("it has gone");
        assert!(matches!(error, SendError::SubscriberGone(_)), "{error:?}");
        assert_eq!(error.into_message(), "anything");
    }
    let mut again = XSubSocket::new();
    again.connect(&endpoint).expect("connect");
    again.subscribe("a");
    let (_, subscriber) = subscribed(&mut publisher).await;
    assert!(subscriber != gone);
    let empty = publisher.send_to(subscriber, purezmq::Message::new()).await;
    assert!(matches!(empty, Err(SendError::NoFrames(_))));
}

#[tokio::test]
async fn a_full_peer_misses_it_or_is_waited_for() {
    for no_drop in [false, true] {
        let publisher = XPubSocket::builder()
            .send_hwm(1)
            .no_drop(no_drop)
            .send_timeout(Duration::from_millis(20));
        let mut publisher = publisher.build().expect("options");
        publisher.bind("inproc://full").await.expect("bind");
        let mut sub = SubSocket::builder().recv_hwm(1).build().expect("options");
        sub.connect("inproc://full").expect("connect");
        sub.subscribe("");
        let (_, subscriber) = subscribed(&mut publisher).await;
        let mut sent = 0;
        let missed = loop {
            match publisher.send_to(subscriber, "x").await {
                Ok(()) if publisher.dropped() > 0 => break false,
                Ok(()) => sent += 1,
                Err(error) => {
                    assert!(matches!(error, SendError::Timeout(_)), "{error:?}");
                    let full = publisher.try_send_to(subscriber, "x");
                    assert!(matches!(full, Err(SendError::Full(_))));
                    break true;
                }
            }
        };
        assert_eq!((missed, sent), (no_drop, 2));
        drop(publisher);
    }
}

/// With `manual`, a permission goes to whoever was told of last, as with `recv`.
#[tokio::test]
async fn manual_subscriptions_work_with_events_and_halves() {
    let publisher = XPubSocket::builder().manual(true).build();
    let mut publisher = publisher.expect("options");
    let bound = publisher.bind(ANY_PORT).await.expect("bind");
    let mut sub = SubSocket::new();
    sub.connect(&bound).expect("connect");
    sub.subscribe("wish");
    let (sender, receiver) = publisher.split();
    let (mut sender, mut receiver) = (sender, receiver);
    let event = within("an event", receiver.recv_event()).await;
    let XPubEvent::Subscribed { topic, subscriber } = event.expect("recv") else {
        panic!("it is a subscription");
    };
    assert_eq!(topic, "wish");
    assert!(receiver.subscribe("wish"));
    sender
        .send_to(subscriber, "wish alone")
        .await
        .expect("send");
    sender.send("wish for all").await.expect("send");
    for expected in ["wish alone", "wish for all"] {
        let message = within("a message", sub.recv()).await.expect("recv");
        assert_eq!(message, expected);
    }
}

#[test]
fn blocking_sockets_tell_them_apart_as_well() {
    let mut publisher = blocking::XPubSocket::builder()
        .recv_timeout(common::PATIENCE)
        .build()
        .expect("options");
    let endpoint = publisher.bind(ANY_PORT).expect("bind");
    assert!(publisher.try_recv_event().is_err());
    let mut sub = blocking::SubSocket::new();
    sub.connect(&endpoint).expect("connect");
    sub.subscribe("a");
    let XPubEvent::Subscribed { subscriber, .. } = publisher.recv_event().expect("recv") else {
        panic!("it is a subscription");
    };
    publisher.send_to(subscriber, "a one").expect("send");
    publisher.try_send_to(subscriber, "a two").expect("send");
    for expected in ["a one", "a two"] {
        assert_eq!(sub.recv().expect("recv"), expected);
    }
}
