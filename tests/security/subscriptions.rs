//! What subscribers may do to a publisher, and to each other: nobody takes back what is another's, and what all of them
//! subscribe to is bounded.

use std::time::Duration;

use common::events::ended;
use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, Context, DisconnectReason, Endpoint, PubSocket, SocketType, SubSocket, XPubSocket,
    XSubSocket, proxy,
};
use tokio::task::JoinHandle;

/// The command of ZMTP 3.1.
fn command(name: &str, topic: &str) -> Vec<u8> {
    let length = 1 + name.len() + topic.len();
    let mut bytes = vec![4, length as u8, name.len() as u8];
    bytes.extend(name.as_bytes());
    bytes.extend(topic.as_bytes());
    bytes
}

/// What a message or command says of a topic, in both forms.
fn both_forms(subscribe: bool, topic: &str) -> Vec<u8> {
    let (name, octet) = match subscribe {
        true => ("SUBSCRIBE", 1),
        false => ("CANCEL", 0),
    };
    let message = [&[octet], topic.as_bytes()].concat();
    [command(name, topic), short_frame(&message)].concat()
}

/// A publisher, and a broker in front of it.
async fn brokered(verbose: bool, verboser: bool) -> (XPubSocket, Endpoint, JoinHandle<()>) {
    let mut publisher = XPubSocket::new();
    let up = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut xsub = XSubSocket::new();
    xsub.connect(&up).unwrap();
    let mut xpub = XPubSocket::builder()
        .verbose(verbose)
        .verboser(verboser)
        .build()
        .unwrap();
    let down = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    (publisher, down, tokio::spawn(proxy(xsub, xpub)))
}

async fn hear(publisher: &mut XPubSocket) -> Vec<u8> {
    let notice = within("a notice", publisher.recv()).await.unwrap();
    notice[0].to_vec()
}

#[tokio::test]
async fn nobody_takes_back_anothers_subscription() {
    for (verbose, verboser) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut publisher, down, broker) = brokered(verbose, verboser).await;
        let mut alice = SubSocket::new();
        alice.subscribe("a");
        alice.connect(&down).unwrap();
        assert_eq!(hear(&mut publisher).await, b"\x01a");
        let mut eve = RawPeer::connect(&down).await;
        eve.shake_hands("SUB").await;
        for _ in 0..3 {
            eve.send(&both_forms(false, "a")).await;
        }
        // Behind all that eve has said so far.
        eve.send(&command("SUBSCRIBE", "end")).await;
        assert_eq!(
            hear(&mut publisher).await,
            b"\x01end",
            "{verbose} {verboser}"
        );
        publisher.send("a publication").await.unwrap();
        let news = within("the news", alice.recv()).await.unwrap();
        assert_eq!(news, "a publication");
        broker.abort();
    }
}

/// An application that decides itself what a peer gets, and passes the notices on.
#[tokio::test]
async fn a_manual_publisher_is_not_told_to_take_back_what_the_peer_never_asked_for() {
    let mut publisher = XPubSocket::builder().manual(true).build().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut alice = SubSocket::new();
    alice.subscribe("a");
    alice.connect(&endpoint).unwrap();
    assert_eq!(hear(&mut publisher).await, b"\x01a");
    let mut eve = RawPeer::connect(&endpoint).await;
    eve.shake_hands("SUB").await;
    eve.send(&both_forms(false, "a")).await;
    eve.send(&command("SUBSCRIBE", "b")).await;
    eve.send(&command("CANCEL", "b")).await;
    assert_eq!(hear(&mut publisher).await, b"\x01b");
    assert_eq!(hear(&mut publisher).await, b"\x00b");
}

/// Each end is told once, and each begin: so nothing stays upstream, nor goes too early.
#[tokio::test]
async fn what_a_peer_asked_for_again_and_again_ends_with_it() {
    for leaves in [false, true] {
        let (mut publisher, down, broker) = brokered(false, true).await;
        let mut peers = Vec::new();
        for number in 0..2 {
            let mut peer = RawPeer::connect(&down).await;
            peer.shake_hands("SUB").await;
            for _ in 0..3 {
                peer.send(&both_forms(true, "a")).await;
            }
            if number == 0 {
                assert_eq!(hear(&mut publisher).await, b"\x01a");
            }
            peer.send(&command("SUBSCRIBE", &number.to_string())).await;
            let expected = format!("\u{1}{number}");
            // The second one of a topic is told, too, and an XSUB passes on what it is told.
            let mut heard = hear(&mut publisher).await;
            if heard == b"\x01a" {
                heard = hear(&mut publisher).await;
            }
            assert_eq!(heard, expected.as_bytes());
            peers.push(peer);
        }
        let mut told = Vec::new();
        for mut peer in peers {
            if leaves {
                drop(peer);
            } else {
                peer.send(&both_forms(false, "a")).await;
                drop(peer);
            }
            told.push([hear(&mut publisher).await, vec![]].concat());
        }
        told.push(hear(&mut publisher).await);
        told.sort();
        assert_eq!(told, [b"\x000", b"\x001", b"\x00a"]);
        assert_eq!(publisher.topics_count(), 0);
        broker.abort();
    }
}

#[tokio::test]
async fn what_all_peers_subscribe_to_is_bounded_and_who_has_most_goes() {
    for (topics, bytes, expected) in [
        (Some(100), None, "max_all_subscriptions"),
        (None, Some(100 * 8), "max_all_subscription_bytes"),
    ] {
        let mut publisher = PubSocket::builder()
            .max_all_subscriptions(topics)
            .max_all_subscription_bytes(bytes)
            .build()
            .unwrap();
        let mut monitor = publisher.monitor();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut greedy = RawPeer::connect(&endpoint).await;
        greedy.shake_hands("SUB").await;
        for number in 0..90 {
            greedy
                .send(&command("SUBSCRIBE", &format!("greedy{number:02}")))
                .await;
        }
        within("its topics", async {
            while publisher.topics_count() < 90 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut modest = SubSocket::new();
        for number in 0..20 {
            modest.subscribe(format!("modest{number:02}"));
        }
        modest.connect(&endpoint).unwrap();
        tokio::select! {
            () = publisher.wait_for_subscribers(usize::MAX) => {}
            reason = ended(&mut monitor) => {
                let DisconnectReason::TooManySubscriptions { option } = reason else {
                    panic!("{reason:?}");
                };
                assert_eq!(option, expected);
            }
        }
        greedy.await_close().await;
        within("the modest one's topics", async {
            while publisher.topics_count() != 20 || publisher.subscriber_count() != 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(publisher.stats().expelled, 1);
        publisher.send("modest19 after").await.unwrap();
        let news = within("the news", modest.recv()).await.unwrap();
        assert_eq!(news, "modest19 after");
    }
}

#[tokio::test]
async fn what_a_peer_asks_a_manual_publisher_for_is_bounded() {
    for (topics, bytes, expected) in [
        (Some(10), None, "max_subscriptions"),
        (None, Some(20), "max_subscription_bytes"),
    ] {
        let mut publisher = XPubSocket::builder()
            .manual(true)
            .max_subscriptions(topics)
            .max_subscription_bytes(bytes)
            .build()
            .unwrap();
        let mut monitor = publisher.monitor();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut greedy = RawPeer::connect(&endpoint).await;
        greedy.shake_hands("SUB").await;
        for number in 0..11 {
            greedy
                .send(&command("SUBSCRIBE", &format!("{number:02}")))
                .await;
        }
        for octet in [1, 0] {
            for number in 0..10 {
                let expected = [&[octet], format!("{number:02}").as_bytes()].concat();
                assert_eq!(hear(&mut publisher).await, expected);
            }
        }
        let DisconnectReason::TooManySubscriptions { option } = ended(&mut monitor).await else {
            panic!("it has asked for too much");
        };
        assert_eq!(option, expected);
        greedy.await_close().await;
    }
}

#[tokio::test]
async fn what_all_peers_ask_a_manual_publisher_for_is_bounded_and_who_has_most_goes() {
    let mut publisher = XPubSocket::builder()
        .manual(true)
        .max_all_subscriptions(10)
        .build()
        .unwrap();
    let mut monitor = publisher.monitor();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut greedy = RawPeer::connect(&endpoint).await;
    greedy.shake_hands("SUB").await;
    for number in 0..9 {
        greedy
            .send(&command("SUBSCRIBE", &number.to_string()))
            .await;
    }
    for number in 0..9 {
        let expected = format!("\u{1}{number}");
        assert_eq!(hear(&mut publisher).await, expected.as_bytes());
    }
    let mut modest = RawPeer::connect(&endpoint).await;
    modest.shake_hands("SUB").await;
    for topic in ["a", "b"] {
        modest.send(&command("SUBSCRIBE", topic)).await;
    }
    let mut heard = Vec::new();
    while heard.len() < 11 {
        heard.push(hear(&mut publisher).await);
    }
    heard.sort();
    assert_eq!(
        heard[8..],
        [b"\x008".to_vec(), b"\x01a".to_vec(), b"\x01b".to_vec()]
    );
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(reason, DisconnectReason::TooManySubscriptions { option } if option == "max_all_subscriptions"),
        "{reason:?}"
    );
    greedy.await_close().await;
}

/// A publisher that connects finds that a peer had subscribed to too much when it has left, and there is no connection to
/// be closed: that is no matter of who comes next.
#[tokio::test]
async fn who_comes_after_one_that_subscribed_to_too_much_is_heard() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for (kind, manual) in [
            (SocketType::Pub, false),
            (SocketType::XPub, false),
            (SocketType::XPub, true),
        ] {
            println!("{transport:?} {kind} {manual}");
            let place = Place::fixed(transport);
            let mut options = Options::of(kind);
            let mut set = |name, value: Value| {
                let id = OptionId::by_name(name).expect("an option");
                options.set(id, value).expect("a value of it");
            };
            set("max_subscriptions", 10_usize.into());
            set("reconnect_interval", Duration::from_millis(5).into());
            if manual {
                set("manual", true.into());
            }
            let mut publisher = AnySocket::with_options(kind, &Context::new(), options).unwrap();
            let mut monitor = publisher.monitor();
            let mut greedy = SubSocket::new();
            for number in 0..20 {
                greedy.subscribe(format!("topic {number}"));
            }
            greedy.bind(&place.endpoint).await.unwrap();
            publisher.connect(&place.endpoint).unwrap();
            within("what it subscribes to", async {
                while publisher.stats().received.messages < 20 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            greedy.close().await;
            ended(&mut monitor).await;
            // Hears all of it.
            publish(&mut publisher, manual, "topic 1").await;
            let mut modest = SubSocket::new();
            modest.subscribe("mine");
            within("the address is free", async {
                while modest.bind(&place.endpoint).await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            within("a publication", async {
                while modest.try_recv().is_err() {
                    publish(&mut publisher, manual, "mine").await;
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }
}

/// Publishes, and grants before that what has been asked for, if that is the application's to do.
async fn publish(publisher: &mut AnySocket, manual: bool, topic: &str) {
    while manual && let Ok(notice) = publisher.try_recv() {
        if let Some([1, topic @ ..]) = notice.first() {
            publisher.subscribe(topic);
        }
    }
    publisher.send(topic).await.unwrap();
}
