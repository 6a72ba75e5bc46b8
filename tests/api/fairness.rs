//! Nobody waits behind a greedy peer, and nobody suffers from a stalled one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::libzmq::Libzmq;
use common::peer::Peer;
use common::raw::{RawPeer, short_frame};
use common::within;
use futures::{FutureExt, SinkExt, StreamExt};
use purezmq::{
    AnySocket, Context, Endpoint, Message, PubSocket, PullSocket, PushSocket, SocketType, SubSocket,
};
use tokio::task::JoinHandle;

const SLOW_PUSHERS: usize = 9;

/// A PULL that takes a message each millisecond, a fast pusher whose queues are full all the time
/// (thousands of messages), nine slow ones. Each slow message says how many messages the PULL had
/// taken when it was sent; fair turns let it through after some ten, a common queue after thousands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_pushers_do_not_wait_behind_a_fast_one() {
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let taken = Arc::new(AtomicU64::new(0));

    let mut fast = PushSocket::new();
    fast.connect(&bound).expect("connect");
    // Full when a send has to wait. Nothing is taken yet, so it stays full.
    while let Ok(sent) = tokio::time::timeout(Duration::from_millis(200), fast.send("fast")).await {
        sent.expect("send");
    }
    let flood = tokio::spawn(async move {
        loop {
            fast.send("fast").await.expect("send");
        }
    });

    let mut slow = Vec::new();
    for number in 0..SLOW_PUSHERS {
        let mut pusher = PushSocket::new();
        pusher.connect(&bound).expect("connect");
        let taken = taken.clone();
        slow.push(tokio::spawn(async move {
            for _ in 0..20 {
                let before = taken.load(Ordering::SeqCst).to_string();
                pusher
                    .send(["slow".to_owned(), number.to_string(), before])
                    .await
                    .expect("send");
                // Slow by nature: twenty messages over a good part of the test.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            pusher
        }));
    }

    let (mut seen, mut worst) = ([0; SLOW_PUSHERS], 0);
    while seen != [20; SLOW_PUSHERS] {
        let message = within("a message", pull.recv()).await.expect("recv");
        let now = taken.fetch_add(1, Ordering::SeqCst);
        if message.len() == 3 {
            let number = |i| {
                std::str::from_utf8(&message[i])
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            };
            seen[number(1) as usize] += 1;
            worst = worst.max(now - number(2));
        }
        // The pace at which it takes messages keeps the fast one's queues full.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    flood.abort();
    // Ten turns, and what the PULL takes while the message is on its way.
    assert!(
        worst < 200,
        "a slow pusher's message waited for {worst} others"
    );
    println!("the longest wait was {worst} messages");
}

/// A subscriber that reads nothing: the publisher goes on without blocking, the others get all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_subscriber_costs_the_others_nothing() {
    const BURST: usize = 500;
    const BURSTS: usize = 60;
    let mut publisher = PubSocket::new();
    let bound = publisher.bind("tcp://127.0.0.1:*").await.expect("bind");

    // Subscribes to everything, and never reads again.
    let mut stalled = RawPeer::connect(&bound).await;
    stalled.shake_hands("SUB").await;
    stalled.send(&short_frame(b"\x01")).await;

    let mut ours = SubSocket::new();
    ours.subscribe("");
    ours.connect(&bound).expect("connect");
    within("both subscriptions", publisher.wait_for_subscribers(2)).await;
    let mut theirs = Libzmq::open("SUB").await;
    theirs.subscribe("").await;
    theirs.connect(&bound.to_string()).await;
    common::matrix::await_their_subscription(&mut publisher, &mut theirs).await;
    // Theirs is past the probes when both see this.
    publisher.send("start").await.expect("send");
    while within("start", ours.recv()).await.expect("recv") != "start" {}
    theirs.recv(1).await;

    // 30,000 messages of 1 KiB: far beyond the stalled one's socket buffers and high-water mark. A
    // burst stays below the high-water mark, so that only stalling can lose anything.
    for burst in 0..BURSTS {
        for number in 0..BURST {
            let mut body = vec![0; 1024];
            body[..16].copy_from_slice(format!("{burst:08}{number:08}").as_bytes());
            within("a publisher never blocks", publisher.send(body))
                .await
                .expect("send");
        }
        let at_theirs = theirs.run(move |socket| {
            (0..BURST)
                .map(|_| socket.recv_bytes(0).expect("receive")[..16].to_vec())
                .collect::<Vec<_>>()
        });
        let at_ours = async {
            let mut got = Vec::new();
            for _ in 0..BURST {
                let message = within("a message", ours.recv()).await.expect("recv");
                got.push(message.get(0).expect("a frame")[..16].to_vec());
            }
            got
        };
        let (at_theirs, at_ours) = tokio::join!(at_theirs, at_ours);
        for number in 0..BURST {
            let expected = format!("{burst:08}{number:08}").into_bytes();
            assert_eq!(at_ours[number], expected);
            assert_eq!(at_theirs[number], expected);
        }
    }
    drop(stalled);
}

/// What a publisher does for a message grows with its subscribers, and so does how often it lets others go first.
/// Time stands still: what counts is not how long that took.
#[tokio::test(start_paused = true)]
async fn a_publisher_of_many_copies_yields_more_often() {
    const SUBSCRIBERS: usize = 512;
    const MESSAGES: usize = 450;
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .context(&context)
        .build()
        .expect("build");
    publisher.bind("inproc://copies").await.expect("bind");
    let mut subscribers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut subscriber = SubSocket::builder()
            .context(&context)
            .build()
            .expect("build");
        subscriber.subscribe("");
        subscriber.connect("inproc://copies").expect("connect");
        subscribers.push(subscriber);
    }
    within("all", publisher.wait_for_subscribers(SUBSCRIBERS)).await;

    let turns = Arc::new(AtomicU64::new(0));
    let counter = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    tokio::task::yield_now().await;
    let begin = turns.load(Ordering::SeqCst);
    // The subscriptions that it has heard count, too.
    while turns.load(Ordering::SeqCst) == begin {
        publisher.send("to all").await.expect("send");
    }
    let before = turns.load(Ordering::SeqCst);
    for _ in 0..MESSAGES {
        publisher.send("to all").await.expect("send");
    }
    // 512 copies count as two calls more: 1,350 calls, and one yield after each 500.
    assert_eq!(turns.load(Ordering::SeqCst) - before, 2);
    other.abort();
}

/// Senders of one socket that wait have their turn, though others send as long as there is room: at most a thousand
/// messages go before the first in the line. And who sends without a pause needs no turn of the scheduler for each
/// message, only because somebody has waited once.
#[tokio::test]
async fn who_waits_in_the_line_of_a_shared_sender_is_overtaken_by_a_thousand_at_most() {
    const ROOM: usize = 1500;
    const OVERTAKING: usize = 1000;
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .recv_hwm(1)
        .build()
        .unwrap();
    pull.bind("inproc://line").await.unwrap();
    let mut push = PushSocket::builder()
        .context(&context)
        .send_hwm(ROOM)
        .build()
        .unwrap();
    push.connect("inproc://line").unwrap();
    while push.try_send("full").is_ok() {}
    let push = push.into_shared();
    let mut waiting = Box::pin(push.send("first in the line"));
    assert!((&mut waiting).now_or_never().is_none(), "there is no room");
    while pull.try_recv().is_ok() {}

    for at in 0..OVERTAKING {
        let sent = push.send("overtakes").now_or_never();
        assert!(matches!(sent, Some(Ok(()))), "message {at} is sent at once");
    }
    let mut behind = Box::pin(push.send("behind"));
    assert!(
        (&mut behind).now_or_never().is_none(),
        "it is the first's turn"
    );
    within("the first", waiting).await.unwrap();
    within("the next", behind).await.unwrap();
    assert!(
        matches!(push.send("free").now_or_never(), Some(Ok(()))),
        "nobody waits"
    );

    let mut taken = Vec::new();
    while let Ok(message) = pull.try_recv() {
        taken.push(message);
    }
    assert_eq!(taken.len(), OVERTAKING + 3);
    let last = ["first in the line", "behind", "free"];
    assert_eq!(taken[OVERTAKING..], last.map(Message::from));
}

const NEWS: usize = 20_000;

/// A subscriber in a task of its own, which counts what comes up to the end.
fn reader(endpoint: &Endpoint) -> JoinHandle<usize> {
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("");
    subscriber.connect(endpoint).unwrap();
    tokio::spawn(async move {
        let mut stream = subscriber.into_stream();
        let mut count = 0;
        while within("all of them", stream.next()).await.unwrap().unwrap() != "end" {
            count += 1;
        }
        count
    })
}

/// A publisher that never waits lets its sessions send, on one thread, with the default HWM: also one whose type is known at
/// run time only.
#[tokio::test(flavor = "current_thread")]
async fn a_busy_publisher_of_any_type_leaves_its_sessions_time() {
    let context = Context::new();
    let mut publisher = AnySocket::new(SocketType::Pub, &context).unwrap();
    let reader = reader(&publisher.bind("tcp://127.0.0.1:*").await.unwrap());
    within("subscribed", async {
        while publisher.subscriber_count() < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..NEWS {
        publisher.send("news").await.unwrap();
    }
    publisher.send("end").await.unwrap();
    assert_eq!(reader.await.unwrap(), NEWS);
}

/// And one that is a sink, whose subscriber is a stream.
#[tokio::test(flavor = "current_thread")]
async fn a_busy_sink_of_a_publisher_leaves_its_sessions_time() {
    let mut publisher = PubSocket::new();
    let reader = reader(&publisher.bind("tcp://127.0.0.1:*").await.unwrap());
    within("subscribed", publisher.wait_for_subscribers(1)).await;
    let mut sink = publisher.into_sink();
    for _ in 0..NEWS {
        sink.send("news").await.unwrap();
    }
    sink.send("end").await.unwrap();
    assert_eq!(reader.await.unwrap(), NEWS);
}
