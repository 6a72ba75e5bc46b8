//! Counters: what `stats` says agrees with what happened, for the socket and for each peer.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    Context, DealerSocket, MonitorEventKind as Kind, PeerAddress, PubSocket, PullSocket,
    PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const ANYWHERE: &str = "tcp://127.0.0.1:*";

/// Frames of up to 255 bytes have a header of two.
const HEADER: u64 = 2;

#[tokio::test]
async fn both_sides_count_the_same_messages_and_bytes() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::any(transport);
        let mut pull = PullSocket::new();
        let endpoint = pull.bind(place.endpoint.as_str()).await.expect("bind");
        let mut push = PushSocket::new();
        push.connect(&endpoint).expect("connect");
        let mut bytes = 0;
        for length in 0..250 {
            push.send(vec![7; length]).await.expect("send");
            push.send([vec![1; length], vec![2; 3]])
                .await
                .expect("send");
            bytes += 2 * length as u64 + 3 + 3 * HEADER;
        }
        for _ in 0..500 {
            within("a message", pull.recv()).await.expect("recv");
        }
        let (sent, received) = (push.stats(), pull.stats());
        assert_eq!((sent.sent.messages, sent.sent.bytes), (500, bytes));
        assert_eq!(received.received, sent.sent);
        assert_eq!((sent.queued_to_send, received.queued_to_receive), (0, 0));
        assert_eq!((sent.peers.len(), received.peers.len()), (1, 1));
        for (peer, all) in [(&sent.peers[0], &sent), (&received.peers[0], &received)] {
            assert_eq!((peer.sent, peer.received), (all.sent, all.received));
            assert_eq!(peer.endpoint.as_ref(), Some(&endpoint));
            assert_eq!(
                peer.address.as_ref().and_then(PeerAddress::ip).is_some(),
                transport == Transport::Tcp4
            );
            assert!(peer.address.is_some());
        }
        assert_eq!(sent.dropped.total() + received.dropped.total(), 0);
    }
}

#[tokio::test]
async fn inproc_counts_as_well() {
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    let mut push = PushSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    push.connect("inproc://counted").expect("connect");
    push.send("one").await.expect("send");
    assert_eq!(push.stats().queued_to_send, 1);
    assert_eq!(push.stats().peers[0].address, None, "nobody is there yet");
    pull.bind("inproc://counted").await.expect("bind");
    push.send("three").await.expect("send");
    assert_eq!(pull.stats().queued_to_receive, 2);
    pull.recv().await.expect("recv");
    assert_eq!(pull.stats().queued_to_receive, 1);
    pull.recv().await.expect("recv");
    let (sent, received) = (push.stats(), pull.stats());
    let is_inproc =
        |address: &Option<PeerAddress>| address.as_ref().is_some_and(PeerAddress::is_inproc);
    assert_eq!((sent.sent.messages, sent.sent.bytes), (2, 8 + 2 * HEADER));
    assert_eq!(received.received, sent.sent);
    assert!(is_inproc(&sent.peers[0].address));
    assert!(is_inproc(&received.peers[0].address));
    drop(push);
    let after = pull.stats();
    assert_eq!((after.received, after.peers.len()), (received.received, 0));
}

#[tokio::test]
async fn what_peers_that_left_have_added_stays() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANYWHERE).await.expect("bind");
    let mut monitor = pull.monitor();
    // Enough for the ledger to sum up several times.
    for round in 1..=100 {
        let mut push = PushSocket::new();
        push.connect(&endpoint).expect("connect");
        push.send("hello").await.expect("send");
        within("hello", pull.recv()).await.expect("recv");
        within("close", push.close()).await;
        event(&mut monitor, "the peer's end", |kind| {
            matches!(kind, Kind::Disconnected(_))
        })
        .await;
        assert_eq!(pull.try_recv().ok(), None);
        let stats = pull.stats();
        assert_eq!(stats.received.messages, round);
        assert_eq!(stats.received.bytes, round * (5 + HEADER));
        assert_eq!(stats.peers.len(), 0);
    }
}

#[tokio::test]
async fn what_a_peer_left_behind_is_queued_until_it_is_read() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANYWHERE).await.expect("bind");
    let mut monitor = pull.monitor();
    let mut push = PushSocket::new();
    push.connect(&endpoint).expect("connect");
    for number in 0..10 {
        push.send(number.to_string()).await.expect("send");
    }
    within("close", push.close()).await;
    event(&mut monitor, "the peer's end", |kind| {
        matches!(kind, Kind::Disconnected(_))
    })
    .await;
    for left in (0..10).rev() {
        within("a message", pull.recv()).await.expect("recv");
        let stats = pull.stats();
        assert_eq!((stats.queued_to_receive, stats.peers.len()), (left, 0));
    }
}

#[tokio::test]
async fn queues_and_what_is_left_of_them() {
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    for number in 0..7 {
        push.send(number.to_string()).await.expect("send");
    }
    let stats = push.stats();
    assert_eq!((stats.queued_to_send, stats.sent.messages), (7, 0));
    assert_eq!(stats.peers[0].queued_to_send, 7);
    let mut monitor = push.monitor();
    push.disconnect(place.endpoint.as_str())
        .expect("disconnect");
    event(&mut monitor, "the end", |kind| matches!(kind, Kind::Closed)).await;
    let stats = push.stats();
    assert_eq!((stats.queued_to_send, stats.dropped.unsent), (0, 7));
}

#[tokio::test]
async fn received_messages_of_an_endpoint_that_is_disconnected_are_unread() {
    let mut push = PushSocket::new();
    let endpoint = push.bind(ANYWHERE).await.expect("bind");
    let mut pull = PullSocket::new();
    pull.connect(&endpoint).expect("connect");
    for number in 0..5 {
        push.send(number.to_string()).await.expect("send");
    }
    within("one of five", pull.recv()).await.expect("recv");
    within("all to arrive", async {
        while pull.stats().received.messages < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    pull.disconnect(&endpoint).expect("disconnect");
    let stats = pull.stats();
    assert_eq!((stats.queued_to_receive, stats.dropped.unread), (0, 4));
}

#[tokio::test]
async fn a_slow_subscriber_is_told_from_the_others() {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://news").await.expect("bind");
    let mut subscribers = Vec::new();
    for hwm in [10, 1000] {
        let mut sub = SubSocket::builder()
            .recv_hwm(hwm)
            .context(&context)
            .build()
            .expect("options");
        sub.subscribe("");
        sub.connect("inproc://news").expect("connect");
        subscribers.push(sub);
    }
    for number in 0..100 {
        publisher.send(number.to_string()).await.expect("send");
    }
    let stats = publisher.stats();
    assert_eq!((stats.dropped.full, publisher.dropped()), (80, 80));
    let by_peer: Vec<_> = stats.peers.iter().map(|peer| peer.dropped.full).collect();
    assert_eq!(by_peer, [80, 0]);
}

#[tokio::test]
async fn a_router_counts_what_it_cannot_deliver_and_names_its_peers() {
    let context = Context::new();
    let mut router = RouterSocket::builder()
        .send_hwm(3)
        .context(&context)
        .build()
        .expect("options");
    router.bind("inproc://named").await.expect("bind");
    let mut dealer = DealerSocket::builder()
        .routing_id("worker")
        .recv_hwm(2)
        .context(&context)
        .build()
        .expect("options");
    dealer.connect("inproc://named").expect("connect");
    router.send_to("nobody", "x").await.expect("dropped");
    for _ in 0..8 {
        router.send_to("worker", "x").await.expect("sent");
    }
    let stats = router.stats();
    assert_eq!((stats.dropped.unroutable, stats.dropped.full), (1, 3));
    assert_eq!(router.dropped(), 4);
    let worker = &stats.peers[0];
    assert_eq!(worker.dropped.full, 3);
    assert_eq!(worker.routing_id.as_deref(), Some(&b"worker"[..]));
}

#[tokio::test]
async fn malformed_and_late_messages_are_discarded() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANYWHERE).await.expect("bind");
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).expect("connect");
    dealer.send("no envelope").await.expect("send");
    dealer.send(["", "request"]).await.expect("send");
    within("the request", rep.recv()).await.expect("recv");
    assert_eq!(rep.stats().dropped.discarded, 1);

    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANYWHERE).await.expect("bind");
    let mut req = ReqSocket::builder()
        .correlate(true)
        .build()
        .expect("options");
    req.connect(&endpoint).expect("connect");
    req.send("question").await.expect("send");
    let question = within("question", router.recv_message())
        .await
        .expect("recv");
    router
        .send(question.reply("no envelope"))
        .await
        .expect("send");
    let mut answer = question.message.clone();
    answer.pop_back();
    answer.push_back("answer");
    router.send(question.reply(answer)).await.expect("send");
    let reply = within("the reply", req.recv()).await.expect("recv");
    assert_eq!(reply, "answer");
    assert_eq!(req.stats().dropped.discarded, 1);
}

#[tokio::test]
async fn a_reply_to_nobody_is_unroutable() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANYWHERE).await.expect("bind");
    let mut req = ReqSocket::new();
    req.connect(&endpoint).expect("connect");
    req.send("question").await.expect("send");
    within("question", rep.recv()).await.expect("recv");
    let mut monitor = rep.monitor();
    within("close", req.close()).await;
    event(&mut monitor, "the asker's end", |kind| {
        matches!(kind, Kind::Disconnected(_))
    })
    .await;
    rep.send("answer").await.expect("dropped");
    assert_eq!((rep.stats().dropped.unroutable, rep.dropped()), (1, 1));
}

#[tokio::test]
async fn unwanted_messages_are_discarded_by_the_subscriber() {
    let mut publisher = PubSocket::builder()
        .invert_matching(true)
        .build()
        .expect("options");
    let endpoint = publisher.bind(ANYWHERE).await.expect("bind");
    let mut sub = SubSocket::new();
    sub.subscribe("a");
    sub.connect(&endpoint).expect("connect");
    within("subscription", publisher.wait_for_subscribers(1)).await;
    publisher.send("b").await.expect("send");
    within("it to arrive", async {
        while sub.stats().dropped.discarded == 0 {
            assert!(sub.try_recv().is_err());
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(sub.stats().received.messages, 1);
}

#[tokio::test]
async fn replaced_messages_are_conflated() {
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .conflate(true)
        .context(&context)
        .build()
        .expect("options");
    pull.bind("inproc://latest").await.expect("bind");
    let mut push = PushSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    push.connect("inproc://latest").expect("connect");
    for number in 0..10 {
        push.send(number.to_string()).await.expect("send");
    }
    assert_eq!(pull.recv().await.expect("recv"), "9");
    assert_eq!(pull.stats().dropped.conflated, 9);
    assert_eq!(pull.stats().received.messages, 1);
}

#[tokio::test]
async fn reconnects_and_failed_handshakes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = listener.local_addr().expect("address");
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("options");
    push.connect(format!("tcp://{address}")).expect("connect");
    // A peer that hangs up at once.
    let mut monitor = push.monitor();
    drop(
        within("the first call", listener.accept())
            .await
            .expect("accept"),
    );
    event(&mut monitor, "a failed handshake", |kind| {
        matches!(kind, Kind::HandshakeFailed(_))
    })
    .await;
    drop(listener);
    for round in 0..3 {
        let mut pull = PullSocket::new();
        within("the port", async {
            while pull.bind(format!("tcp://{address}")).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        connected(&mut monitor).await;
        let stats = push.stats();
        assert_eq!(
            (stats.reconnects, stats.peers[0].reconnects),
            (round, round)
        );
        assert!(stats.handshake_failures >= 1);
        assert_eq!(stats.peers[0].handshake_failures, stats.handshake_failures);
        assert!(stats.peers[0].address.is_some());
        within("close", pull.close()).await;
        event(&mut monitor, "the peer's end", |kind| {
            matches!(kind, Kind::Disconnected(_))
        })
        .await;
        assert_eq!(push.stats().peers[0].address, None);
    }
}

#[tokio::test]
async fn a_stranger_is_a_failed_handshake() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANYWHERE).await.expect("bind");
    let mut monitor = pull.monitor();
    let address = endpoint.to_string();
    let mut stranger = TcpStream::connect(address.trim_start_matches("tcp://"))
        .await
        .expect("connect");
    stranger
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("write");
    event(&mut monitor, "a failed handshake", |kind| {
        matches!(kind, Kind::HandshakeFailed(_))
    })
    .await;
    let stats = pull.stats();
    assert_eq!((stats.handshake_failures, stats.peers.len()), (1, 0));
}
