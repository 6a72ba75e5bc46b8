//! The bytes that a queue may hold by default, beside its HWM: large messages wait for their turn, or are dropped where
//! messages are.

use std::time::Duration;

use common::place::{Place, Transport};
use common::within;
use purezmq::{Context, Frame, Message, PairSocket, PubSocket, PullSocket, PushSocket, SubSocket};

const MIB: usize = 1 << 20;

/// Says how many messages of so many bytes a queue takes, all of which are one in memory.
fn takes(push: &mut PushSocket, size: usize) -> usize {
    let message = Frame::from(vec![7; size]);
    (0..100_000)
        .take_while(|_| push.try_send(message.clone()).is_ok())
        .count()
}

#[tokio::test]
async fn large_messages_have_a_limit_of_bytes_by_default() {
    // Messages, bytes each, and how many fit. The last may reach beyond.
    let rows = [
        (None, None, MIB, 32),
        (None, None, 64 * MIB, 1),
        (None, None, 32 << 10, 1000),
        (None, None, 3, 1000),
        // Nobody who asks for few or many messages is surprised.
        (Some(10), None, 3 * MIB, 10),
        (Some(2000), None, MIB, 63),
        (Some(2000), None, 32 << 10, 2000),
        // None, as in libzmq.
        (Some(0), None, MIB, 100_000),
        (None, Some(0), MIB, 1000),
        (Some(0), Some(4 * MIB), MIB, 4),
        (None, Some(4 * MIB), MIB, 4),
    ];
    for (hwm, bytes, size, fit) in rows {
        let mut push = PushSocket::builder()
            .send_hwm_bytes(bytes)
            .linger(Duration::ZERO);
        if let Some(hwm) = hwm {
            push = push.send_hwm(hwm);
        }
        let mut push = push.build().expect("options");
        push.connect("tcp://127.0.0.1:1").expect("connect");
        assert_eq!(takes(&mut push, size), fit, "{hwm:?} {bytes:?} {size}");
        assert_eq!(push.stats().queued_to_send, fit);
    }
}

/// Both sides' limits are added up, as their HWMs are (R-HWM-4).
#[tokio::test]
async fn inproc_has_the_bytes_of_both_sides() {
    // The receiver's limit, and how many messages of 1 MiB fit.
    for (bytes, fit) in [(None, 63), (Some(4 * MIB), 36), (Some(0), 2000)] {
        let context = Context::new();
        let mut pull = PullSocket::builder()
            .recv_hwm_bytes(bytes)
            .context(&context)
            .build()
            .expect("options");
        pull.bind("inproc://both").await.expect("bind");
        let mut push = PushSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        push.connect("inproc://both").expect("connect");
        assert_eq!(takes(&mut push, MIB), fit, "{bytes:?}");
        for _ in 0..fit {
            pull.try_recv().expect("what was taken");
        }
        within("room", push.send("again")).await.expect("send");
        assert_eq!(within("it", pull.recv()).await.expect("recv"), "again");
    }
}

#[tokio::test]
async fn a_raised_hwm_is_worth_more_bytes_at_once() {
    let mut push = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    assert_eq!(takes(&mut push, MIB), 32);
    push.set_options(|options| options.send_hwm(2000))
        .expect("options");
    assert_eq!(takes(&mut push, MIB), 31);
    push.set_options(|options| options.send_hwm(0))
        .expect("options");
    assert_eq!(takes(&mut push, MIB), 100_000);
    push.set_options(|options| options.send_hwm(1000))
        .expect("options");
    assert_eq!(takes(&mut push, MIB), 0);
}

/// Large messages, of which more are sent than may wait, on each transport and in both directions of a pipe.
#[tokio::test]
async fn more_than_the_bytes_of_a_queue_gets_through() {
    let ipc = Place::any(Transport::Ipc);
    for place in ["tcp://127.0.0.1:*", ipc.endpoint.as_str(), "inproc://echo"] {
        let context = Context::new();
        let mut one = PairSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        let endpoint = one.bind(place).await.expect("bind");
        let mut other = PairSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        other.connect(&endpoint).expect("connect");
        let (mut sender, mut receiver) = one.split();
        let (mut back, mut forth) = other.split();
        let large = Message::from(vec![7; 3 * MIB]);
        let sending = async {
            for _ in 0..60 {
                within("send", sender.send(large.clone()))
                    .await
                    .expect("send");
            }
        };
        let returning = async {
            for _ in 0..60 {
                let message = within("recv", forth.recv()).await.expect("recv");
                within("send", back.send(message)).await.expect("send");
            }
        };
        let receiving = async {
            for _ in 0..60 {
                let message = within("recv", receiver.recv()).await.expect("recv");
                assert_eq!(message.byte_len(), 3 * MIB);
            }
        };
        tokio::join!(sending, returning, receiving);
    }
}

/// A publisher's peer that is slow misses large messages sooner, and the publisher counts them.
#[tokio::test]
async fn a_publisher_drops_by_bytes() {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://large").await.expect("bind");
    let mut sub = SubSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://large").expect("connect");
    let large = Message::from(vec![7; MIB]);
    for _ in 0..100 {
        publisher.send(large.clone()).await.expect("send");
    }
    let stats = publisher.stats();
    assert_eq!((stats.queued_to_send, stats.dropped.full), (63, 37));
}
