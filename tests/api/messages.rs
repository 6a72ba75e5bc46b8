//! What happens to single messages: turns, limits, timeouts, cancellation. Both ends are ours.

use std::time::Duration;

use common::within;
use futures::FutureExt;
use purezmq::{
    Frame, Message, PairSocket, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket,
    SendError, SubSocket,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

async fn pipeline() -> (PushSocket, PullSocket) {
    let mut sink = PullSocket::new();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut source = PushSocket::new();
    source.connect(&endpoint).unwrap();
    (source, sink)
}

async fn dialogue() -> (ReqSocket, RepSocket) {
    let mut server = RepSocket::new();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut client = ReqSocket::new();
    client.connect(&endpoint).unwrap();
    (client, server)
}

#[tokio::test]
async fn req_and_rep_take_turns() {
    // R-REQ-1, R-REP-1
    let (mut client, mut server) = dialogue().await;
    assert!(matches!(client.recv().await, Err(RecvError::State { .. })));
    assert!(matches!(client.try_recv(), Err(RecvError::State { .. })));
    assert!(matches!(
        server.send("unasked").await,
        Err(SendError::State { .. })
    ));
    client.send("question").await.unwrap();
    let refused = client.send("another").await.unwrap_err();
    assert!(matches!(&refused, SendError::State { .. }));
    assert_eq!(refused.into_message(), "another", "it comes back as it was");
    assert!(matches!(
        client.try_send("third"),
        Err(SendError::State { .. })
    ));
    within("request", server.recv()).await.unwrap();
    assert!(matches!(server.recv().await, Err(RecvError::State { .. })));
    server.send(["an", "answer"]).await.unwrap();
    assert!(matches!(
        server.try_send("twice"),
        Err(SendError::State { .. })
    ));
    let answer = within("reply", client.recv()).await.unwrap();
    assert_eq!(answer, Message::from(["an", "answer"]));
}

#[tokio::test]
async fn req_without_a_peer_is_mute_and_gives_the_request_back() {
    // R-REQ-5
    let mut client = ReqSocket::builder()
        .send_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    client.bind(ANY_PORT).await.unwrap();
    let error = client.try_send(["to", "nobody"]).unwrap_err();
    assert!(error.is_full());
    assert_eq!(error.into_message(), Message::from(["to", "nobody"]));
    let error = client.send(["to", "nobody"]).await.unwrap_err();
    assert!(matches!(error, SendError::Timeout(_)));
    assert_eq!(error.into_message(), Message::from(["to", "nobody"]));
}

#[tokio::test]
async fn req_asks_its_peers_in_turn_and_listens_to_the_one_it_asked() {
    // R-REQ-3
    let (mut client, mut first) = dialogue().await;
    let mut second = RepSocket::new();
    client
        .connect(second.bind(ANY_PORT).await.unwrap())
        .unwrap();
    for _ in 0..3 {
        for server in [&mut first, &mut second] {
            client.send("who?").await.unwrap();
            within("asked in turn", server.recv()).await.unwrap();
            server.send("me").await.unwrap();
            within("reply", client.recv()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_relaxed_req_asks_again_and_takes_no_late_reply() {
    // R-REQ-7, R-REQ-8
    let (_, mut server) = dialogue().await;
    let mut client = ReqSocket::builder()
        .relaxed(true)
        .correlate(true)
        .recv_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    client.connect(server.last_endpoint().unwrap()).unwrap();
    client.send("first").await.unwrap();
    assert_eq!(client.recv().await, Err(RecvError::Timeout));
    client.send("second").await.unwrap();
    assert_eq!(within("first", server.recv()).await.unwrap(), "first");
    server.send("late").await.unwrap();
    assert_eq!(within("second", server.recv()).await.unwrap(), "second");
    assert_eq!(
        client.recv().await,
        Err(RecvError::Timeout),
        "the late one is not for us"
    );
    server.send("in time").await.unwrap();
    let reply = within("in time", async {
        loop {
            match client.recv().await {
                Err(RecvError::Timeout) => {}
                reply => break reply,
            }
        }
    });
    assert_eq!(reply.await.unwrap(), "in time");
}

#[tokio::test]
async fn a_reply_to_a_vanished_client_is_dropped_and_counted() {
    // R-REP-5
    let (mut client, mut server) = dialogue().await;
    client.send("question").await.unwrap();
    within("request", server.recv()).await.unwrap();
    let mut monitor = server.monitor();
    drop(client);
    common::events::event(&mut monitor, "gone", |kind| {
        matches!(kind, purezmq::MonitorEventKind::Disconnected(_))
    })
    .await;
    server.send("too late").await.unwrap();
    assert_eq!(server.dropped(), 1);
    let mut next = ReqSocket::new();
    next.connect(server.last_endpoint().unwrap()).unwrap();
    next.send("next").await.unwrap();
    assert_eq!(
        within("the next one is served", server.recv())
            .await
            .unwrap(),
        "next"
    );
}

#[tokio::test]
async fn messages_without_frames_are_refused() {
    let (mut source, _sink) = pipeline().await;
    let nothing = Message::new();
    assert!(matches!(
        source.send(nothing.clone()).await,
        Err(SendError::NoFrames(_))
    ));
    assert!(matches!(
        source.try_send(nothing.clone()),
        Err(SendError::NoFrames(_))
    ));
    let (mut client, mut server) = dialogue().await;
    assert!(matches!(
        client.send(nothing.clone()).await,
        Err(SendError::NoFrames(_))
    ));
    client.send("").await.unwrap();
    assert_eq!(
        within("an empty frame is a frame", server.recv())
            .await
            .unwrap(),
        ""
    );
    assert!(matches!(
        server.send(nothing).await,
        Err(SendError::NoFrames(_))
    ));
    server.send("").await.unwrap();
    assert_eq!(within("reply", client.recv()).await.unwrap(), "");
}

/// A socket whose pipes are at work takes a shorter way than one that has just heard of a peer.
#[tokio::test]
async fn messages_without_frames_are_refused_in_the_middle_of_traffic() {
    let (mut source, mut sink) = pipeline().await;
    source.send("before").await.unwrap();
    assert_eq!(within("before", sink.recv()).await.unwrap(), "before");
    assert!(matches!(
        source.send(Message::new()).await,
        Err(SendError::NoFrames(_))
    ));
    source.send("after").await.unwrap();
    assert_eq!(within("after", sink.recv()).await.unwrap(), "after");

    let mut one = PairSocket::new();
    let endpoint = one.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut other = PairSocket::new();
    other.connect(&endpoint).unwrap();
    other.send("before").await.unwrap();
    assert_eq!(within("before", one.recv()).await.unwrap(), "before");
    one.send("back").await.unwrap();
    assert!(matches!(
        one.send(Message::new()).await,
        Err(SendError::NoFrames(_))
    ));
}

#[tokio::test]
async fn send_and_receive_give_up_in_time() {
    // R-ALL-8
    let mut sink = PullSocket::builder()
        .recv_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    assert_eq!(sink.recv().await, Err(RecvError::Timeout));
    assert_eq!(sink.try_recv(), Err(RecvError::Empty));
    let mut source = PushSocket::builder()
        .send_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    let error = source.send("unwanted").await.unwrap_err();
    assert_eq!(error.into_message(), "unwanted");
}

#[tokio::test]
async fn six_messages_to_three_idle_peers_are_two_for_each() {
    // R-ALL-13, R-PUSH-1
    let mut source = PushSocket::new();
    let mut sinks = Vec::new();
    for _ in 0..3 {
        let mut sink = PullSocket::new();
        source.connect(sink.bind(ANY_PORT).await.unwrap()).unwrap();
        sinks.push(sink);
    }
    for number in 0..6 {
        source.send(number.to_string()).await.unwrap();
    }
    for (at, sink) in sinks.iter_mut().enumerate() {
        for number in [at, at + 3] {
            let message = within("its share", sink.recv()).await.unwrap();
            assert_eq!(message, number.to_string().as_bytes());
        }
        assert!(sink.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_back_the_sender_and_loses_nothing() {
    // R-HWM-6, R-HWM-10
    let mut sink = PullSocket::builder().recv_hwm(10).build().unwrap();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut source = PushSocket::builder().send_hwm(10).build().unwrap();
    source.connect(&endpoint).unwrap();
    let payload = Frame::from(vec![7; 100_000]);
    let mut sent = 0;
    // The kernel's buffers take some megabytes; then nothing moves.
    while tokio::time::timeout(Duration::from_millis(300), source.send(payload.clone()))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 10_000, "a stalled peer holds back the sender");
    }
    assert!(sent >= 20);
    for _ in 0..sent {
        assert_eq!(
            within("nothing is lost", sink.recv())
                .await
                .unwrap()
                .byte_len(),
            100_000
        );
    }
}

#[tokio::test]
async fn a_publisher_never_waits_and_counts_what_it_drops() {
    // R-PUB-2, R-PUB-3
    let mut publisher = PubSocket::builder().send_hwm(10).build().unwrap();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    publisher.send("nobody listens").await.unwrap();
    assert_eq!(
        publisher.dropped(),
        0,
        "without a subscriber nothing is missed"
    );
    let mut subscriber = SubSocket::builder().recv_hwm(10).build().unwrap();
    subscriber.subscribe("");
    subscriber.connect(&endpoint).unwrap();
    let payload = Frame::from(vec![1; 1 << 20]);
    within("the subscriber stalls", async {
        while publisher.dropped() < 100 {
            publisher.send(payload.clone()).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_goes_once_to_each_subscriber_however_many_topics_match() {
    // R-PUB-1
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut subscriber = SubSocket::new();
    for topic in ["", "a", "ab", "abc"] {
        subscriber.subscribe(topic);
    }
    subscriber.connect(&endpoint).unwrap();
    let mut number = 0u32;
    let first = within("subscribed", async {
        loop {
            publisher.send(["abc", &number.to_string()]).await.unwrap();
            number += 1;
            tokio::task::yield_now().await;
            if let Ok(message) = subscriber.try_recv() {
                break message;
            }
        }
    })
    .await;
    let first: u32 = std::str::from_utf8(&first[1]).unwrap().parse().unwrap();
    for expected in first + 1..number {
        let message = within("each once", subscriber.recv()).await.unwrap();
        assert_eq!(&message[1], expected.to_string().as_bytes());
    }
    assert!(subscriber.try_recv().is_err());
}

#[tokio::test]
async fn subscriptions_are_counted() {
    // R-SUB-2
    let mut subscriber = SubSocket::new();
    assert!(!subscriber.unsubscribe("never"));
    subscriber.subscribe("twice");
    subscriber.subscribe("twice");
    assert!(subscriber.unsubscribe("twice"));
    assert!(subscriber.unsubscribe("twice"));
    assert!(!subscriber.unsubscribe("twice"));
}

/// Cancels every second receive and every second send at its first wait: nothing is lost, doubled or reordered.
#[tokio::test]
async fn cancelled_calls_lose_nothing() {
    let mut sink = PullSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut source = PushSocket::builder().send_hwm(3).build().unwrap();
    source.connect(&endpoint).unwrap();
    const COUNT: u32 = 20_000;
    let sender = tokio::spawn(async move {
        for number in 0..COUNT {
            let text = number.to_string();
            if number % 2 == 0 {
                while source.send(text.as_str()).now_or_never().is_none() {
                    tokio::task::yield_now().await;
                }
            } else {
                source.send(text.as_str()).await.unwrap();
            }
        }
        source
    });
    for number in 0..COUNT {
        let message = loop {
            if let Some(message) = sink.recv().now_or_never() {
                break message.unwrap();
            }
            if number % 2 == 1 {
                break within("next", sink.recv()).await.unwrap();
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(message, number.to_string().as_bytes());
    }
    sender.await.unwrap();
    assert!(sink.try_recv().is_err());
}

/// A publisher that never waits still lets its sessions send: on one thread, with the default HWM, a
/// subscriber that reads gets everything.
#[tokio::test(flavor = "current_thread")]
async fn a_busy_publisher_leaves_its_sessions_time() {
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("");
    subscriber.connect(&endpoint).unwrap();
    within("subscribed", async {
        while subscriber.try_recv().is_err() {
            publisher.send("probe").await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    while subscriber.try_recv().is_ok() {}
    let reader = tokio::spawn(async move {
        let mut count = 0;
        while within("all of them", subscriber.recv()).await.unwrap() != "end" {
            count += 1;
        }
        count
    });
    for _ in 0..20_000 {
        publisher.send("news").await.unwrap();
    }
    publisher.send("end").await.unwrap();
    assert_eq!(publisher.dropped(), 0);
    assert!(reader.await.unwrap() >= 20_000);
}

#[test]
fn without_a_runtime_connecting_is_an_error_that_says_so() {
    let mut source = PushSocket::new();
    let error = source.connect("tcp://127.0.0.1:5555").unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

#[test]
fn wrong_endpoints_name_the_wrong_part() {
    let mut source = PushSocket::new();
    for (endpoint, part) in [
        ("127.0.0.1:5555", "://"),
        ("carrier-pigeon://coop", "carrier-pigeon"),
        ("tcp://127.0.0.1:70000", "70000"),
        ("tcp://127.0.0.1:*", "*"),
        ("inproc://", "name"),
    ] {
        let error = source.connect(endpoint).unwrap_err().to_string();
        assert!(error.contains(part), "{endpoint}: {error}");
    }
}
