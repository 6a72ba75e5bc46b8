//! Defects that ZeroMQ implementations have had, one test each. Every test was seen to fail with the defect put
//! into the code:
//!
//! | test | defect tried |
//! |---|---|
//! | `the_fair_queue_does_not_sleep_at_an_idle_peer` | `FairQueue::recv_with` gives up at the first pipe that is empty |
//! | `a_message_is_never_split_between_two_peers` | `LoadBalance::send` takes the next pipe for each frame |
//! | `a_relaxed_req_is_not_stuck_when_its_peer_has_died` | `ReqSocket::may_send` takes no notice of `relaxed` |
//! | `a_blocked_sender_is_woken_when_its_peer_leaves` | `LaneState::bereave_writer` tells the writer nothing |
//! | `the_routing_id_is_sent_with_the_first_connection` | `session::config` leaves the first connection's routing id out |
//! | `a_server_that_hangs_up_is_not_hammered` | `session::dial` sleeps for no time |
//! | `the_backoff_does_not_overflow` | `Backoff::next_delay` doubles 32-bit milliseconds |
//! | `a_disconnect_ends_an_endpoint_that_is_reconnecting` | `session::dial` does not look whether it is wanted while it waits; or while it greets |
//! | `unmatched_and_empty_unsubscriptions_do_no_harm` | `SubSocket::unsubscribe` takes another topic back; `FanOut::unsubscribe` takes everybody's back |
//! | `a_batch_in_flight_is_not_lost_with_its_connection` | `Session::return_batch` drops the batch |

use std::time::Duration;

use common::events::{connected, event};
use common::place::free_port;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{
    Context, DealerSocket, Monitor, MonitorEventKind, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SendError, SubSocket, XPubSocket,
};
use tokio::net::TcpListener;

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const MS: Duration = Duration::from_millis(1);

fn is_disconnected(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

async fn bare_server() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    (listener, endpoint)
}

async fn accept(listener: &TcpListener) -> RawPeer {
    let accepted = within("a connection", listener.accept()).await;
    RawPeer {
        stream: accepted.expect("accept").0,
    }
}

/// A receiver that finds nothing at the first peer of its turn must look at the others before it sleeps.
#[tokio::test]
async fn the_fair_queue_does_not_sleep_at_an_idle_peer() {
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut pushers = Vec::new();
    for _ in 0..8 {
        let mut push = PushSocket::new();
        push.connect(&bound).expect("connect");
        connected(&mut monitor).await;
        pushers.push(push);
    }
    // One is the only one that sends; the others are before and behind it.
    for round in 0..24 {
        let text = round.to_string();
        let (sent, received) = tokio::join!(
            pushers[(4 + 3 * round) % 8].send(text.as_str()),
            within("a message", pull.recv())
        );
        sent.expect("send");
        assert_eq!(received.expect("recv"), text);
    }
}

/// Round-robin goes by messages, not by frames, also while peers come and go.
#[tokio::test]
async fn a_message_is_never_split_between_two_peers() {
    let mut dealer = DealerSocket::new();
    let bound = dealer.bind(ANY_PORT).await.expect("bind");
    let mut monitor = dealer.monitor();
    for round in 0..10 {
        let (mut one, mut other) = (DealerSocket::new(), DealerSocket::new());
        for peer in [&mut one, &mut other] {
            peer.connect(&bound).expect("connect");
            connected(&mut monitor).await;
        }
        for number in 0..20 {
            let tag = format!("{round}.{number}");
            let message = [tag.as_str(), tag.as_str(), tag.as_str()];
            dealer.send(message).await.expect("send");
        }
        for peer in [&mut one, &mut other] {
            for _ in 0..10 {
                let message = within("a share", peer.recv()).await.expect("recv");
                assert_eq!(message.len(), 3, "{message:?}");
                assert!(message[0] == message[1] && message[1] == message[2]);
            }
        }
        for peer in [one, other] {
            drop(peer);
            event(&mut monitor, "gone", is_disconnected).await;
        }
    }
}

/// The server dies with the request; a relaxed client asks the next one and hears its answer.
#[tokio::test]
async fn a_relaxed_req_is_not_stuck_when_its_peer_has_died() {
    let mut req = ReqSocket::builder()
        .relaxed(true)
        .correlate(true)
        .reconnect_interval(MS)
        .build()
        .expect("options");
    let mut monitor = req.monitor();
    let mut server = RepSocket::new();
    let bound = server.bind(ANY_PORT).await.expect("bind");
    req.connect(&bound).expect("connect");
    for round in 0..5 {
        req.send("unanswered").await.expect("send");
        within("a request", server.recv()).await.expect("recv");
        drop(server);
        event(&mut monitor, "the death", is_disconnected).await;
        server = RepSocket::new();
        within("the address", async {
            while server.bind(&bound).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let question = format!("question {round}");
        within("ask again", req.send(question.as_str()))
            .await
            .expect("relaxed");
        let request = within("a request", server.recv()).await.expect("recv");
        assert_eq!(request, question);
        server.send("answer").await.expect("send");
        let answer = within("the answer", req.recv()).await.expect("recv");
        assert_eq!(answer, "answer");
    }
}

/// Who waits for room at a peer that leaves is told, instead of waiting for ever.
#[tokio::test]
async fn a_blocked_sender_is_woken_when_its_peer_leaves() {
    let mut router = RouterSocket::builder()
        .mandatory(true)
        .send_hwm(2)
        .build()
        .expect("options");
    let mut monitor = router.monitor();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let dealer = DealerSocket::builder().routing_id("slow").recv_hwm(1);
    let mut dealer = dealer.build().expect("options");
    dealer.connect(&bound).expect("connect");
    connected(&mut monitor).await;
    // The pipe fills, and then the system's buffers, until nothing moves any more.
    let large = || vec![7; 1 << 20];
    while let Ok(sent) = tokio::time::timeout(100 * MS, router.send_to("slow", large())).await {
        sent.expect("the peer is there");
    }
    let waiting = tokio::spawn(async move {
        loop {
            if let Err(failed) = router.send_to("slow", large()).await {
                return failed;
            }
        }
    });
    tokio::task::yield_now().await;
    drop(dealer);
    let failed = within("the sender is told", waiting).await;
    let failed = failed.expect("no panic");
    assert!(matches!(failed, SendError::Unroutable { .. }), "{failed}");

    // The same without a session in between.
    let context = Context::new();
    let router = RouterSocket::builder().context(&context).mandatory(true);
    let mut router = router.send_hwm(1).build().expect("options");
    router.bind("inproc://blocked").await.expect("bind");
    let dealer = DealerSocket::builder().context(&context);
    let dealer = dealer.routing_id("slow").recv_hwm(1).build();
    let mut dealer = dealer.expect("options");
    dealer.connect("inproc://blocked").expect("connect");
    router.send_to("slow", "one").await.expect("send");
    router.send_to("slow", "two").await.expect("send");
    let waiting = tokio::spawn(async move { router.send_to("slow", "three").await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(dealer);
    let failed = within("the sender is told", waiting)
        .await
        .expect("no panic");
    assert!(matches!(failed, Err(SendError::Unroutable { .. })));

    // A PUSH goes on with the next peer.
    let mut push = PushSocket::builder().send_hwm(1).build().expect("options");
    let bound = push.bind(ANY_PORT).await.expect("bind");
    let mut silent = RawPeer::connect(&bound).await;
    silent.shake_hands("PULL").await;
    let sending = tokio::spawn(async move {
        for _ in 0..50 {
            push.send(vec![7; 1 << 20]).await.expect("send");
        }
        push
    });
    silent.receive(100).await;
    silent.reset();
    let mut pull = PullSocket::new();
    pull.connect(&bound).expect("connect");
    for _ in 0..20 {
        within("the next one's share", pull.recv())
            .await
            .expect("recv");
    }
    drop(pull);
    sending.abort();
}

/// The name is part of the very first handshake.
#[tokio::test]
async fn the_routing_id_is_sent_with_the_first_connection() {
    let mut router = RouterSocket::new();
    let mut monitor = router.monitor();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let dealer = DealerSocket::builder().routing_id("from the first on");
    let mut dealer = dealer.build().expect("options");
    dealer.connect(&bound).expect("connect");
    dealer.send("hello").await.expect("send");
    let hello = within("a message", router.recv_message())
        .await
        .expect("recv");
    assert_eq!(hello.peer, "from the first on");
    let accepted = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Accepted);
    event(&mut monitor, "the first connection", accepted).await;
    assert_eq!(dealer.stats().reconnects, 0, "and this was the first");
}

/// `count` further delays, with the time that has really passed until the last was announced.
async fn retries(monitor: &mut Monitor, count: usize) -> (Vec<Duration>, Duration) {
    let (start, mut delays) = (tokio::time::Instant::now(), Vec::new());
    while delays.len() < count {
        let next = monitor.recv().await.expect("open");
        if let MonitorEventKind::ConnectRetried { delay } = next.kind {
            delays.push(delay);
        }
    }
    (delays, start.elapsed())
}

/// However the connection ends, there is a pause before the next one.
#[tokio::test]
async fn a_server_that_hangs_up_is_not_hammered() {
    for shakes_hands in [false, true] {
        let (listener, endpoint) = bare_server().await;
        tokio::spawn(async move {
            loop {
                let mut peer = accept(&listener).await;
                if shakes_hands {
                    peer.shake_hands("PULL").await;
                }
            }
        });
        let mut push = PushSocket::builder()
            .reconnect_interval(10 * MS)
            .build()
            .expect("options");
        let mut monitor = push.monitor();
        push.connect(endpoint.as_str()).expect("connect");
        let (delays, took) = within("retries", retries(&mut monitor, 6)).await;
        assert!(delays.iter().all(|delay| *delay >= 10 * MS), "{delays:?}");
        let pauses: Duration = delays[..5].iter().sum();
        assert!(took >= pauses, "{took:?} for {delays:?}");
    }
}

/// Doubling goes on for days, beyond what 32 bits of milliseconds hold.
#[tokio::test(start_paused = true)]
async fn the_backoff_does_not_overflow() {
    let longest = Duration::from_secs(2_147_483);
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_secs(1))
        .reconnect_interval_max(longest)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    push.connect(endpoint.as_str()).expect("connect");
    let (delays, took) = retries(&mut monitor, 100).await;
    for (at, delay) in delays.iter().enumerate() {
        let ceiling = Duration::from_secs(2 << at.min(40)).min(longest);
        assert!((ceiling / 2..=ceiling).contains(delay), "{at}: {delay:?}");
    }
    assert!(took >= delays[..99].iter().sum::<Duration>());
}

/// `disconnect` ends the endpoint whatever it is doing: waiting to try again, or half connected.
#[tokio::test]
async fn a_disconnect_ends_an_endpoint_that_is_reconnecting() {
    let closed = |kind: &MonitorEventKind| {
        assert!(!matches!(kind, MonitorEventKind::HandshakeSucceeded));
        matches!(kind, MonitorEventKind::Closed)
    };
    // While it waits for an hour.
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_secs(3600))
        .reconnect_interval_max(None)
        .handshake_timeout(None)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    push.connect(endpoint.as_str()).expect("connect");
    within("a retry", retries(&mut monitor, 1)).await;
    push.disconnect(endpoint.as_str()).expect("disconnect");
    event(&mut monitor, "the end, within the hour", closed).await;

    // While a handshake is under way that will never end.
    let (listener, endpoint) = bare_server().await;
    push.connect(endpoint.as_str()).expect("connect");
    let _silent = accept(&listener).await;
    push.disconnect(endpoint.as_str()).expect("disconnect");
    event(&mut monitor, "the end, without a handshake", closed).await;

    // At any moment: afterwards there is no endpoint, and a new one makes one connection.
    let mut push = PushSocket::builder()
        .reconnect_interval(MS)
        .reconnect_interval_max(None)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    for round in 0..30 {
        let (listener, endpoint) = bare_server().await;
        push.connect(endpoint.as_str()).expect("connect");
        for _ in 0..round % 4 {
            drop(accept(&listener).await);
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        push.disconnect(endpoint.as_str()).expect("disconnect");
        event(&mut monitor, "the end", closed).await;
        drop(listener);
        let mut pull = PullSocket::new();
        pull.bind(endpoint.as_str()).await.expect("bind");
        assert!(push.try_send("nobody").unwrap_err().is_full());
        push.connect(endpoint.as_str()).expect("connect again");
        push.send("somebody").await.expect("send");
        let message = within("a message", pull.recv()).await.expect("recv");
        assert_eq!(message, "somebody");
        assert_eq!(pull.stats().peers.len(), 1);
        push.disconnect(endpoint.as_str()).expect("disconnect");
        event(&mut monitor, "the end", |kind| {
            matches!(kind, MonitorEventKind::Closed)
        })
        .await;
    }
}

/// Taking back what was never subscribed, and the empty topic, leaves all else as it was, at both ends.
#[tokio::test]
async fn unmatched_and_empty_unsubscriptions_do_no_harm() {
    let mut xpub = XPubSocket::new();
    let bound = xpub.bind(ANY_PORT).await.expect("bind");
    let mut sub = SubSocket::new();
    sub.connect(&bound).expect("connect");
    sub.subscribe("topic");
    let first = within("a subscription", xpub.recv()).await.expect("recv");
    assert_eq!(first, "\x01topic");
    for unmatched in ["", "top", "topic and more", "other"] {
        sub.unsubscribe(unmatched);
    }
    sub.subscribe("");
    sub.unsubscribe("");
    sub.unsubscribe("");
    for expected in ["\x01", "\0"] {
        let notice = within("a notice", xpub.recv()).await.expect("recv");
        assert_eq!(notice, expected, "nothing is told of the unmatched");
    }
    xpub.send("topic is still wanted").await.expect("send");
    let message = within("a message", sub.recv()).await.expect("recv");
    assert_eq!(message, "topic is still wanted");

    // And a peer that sends such cancellations itself.
    let mut rude = RawPeer::connect(&bound).await;
    rude.shake_hands("SUB").await;
    for notice in ["\x01a", "\0", "\0ab", "\0b", "\0topic", "\x01z"] {
        rude.send(&short_frame(notice.as_bytes())).await;
    }
    loop {
        let notice = within("a notice", xpub.recv()).await.expect("recv");
        if notice == "\x01z" {
            break;
        }
    }
    xpub.send("b").await.expect("send");
    xpub.send("a").await.expect("send");
    xpub.send("topic").await.expect("send");
    assert_eq!(rude.receive(3).await, short_frame(b"a"));
    let message = within("a message", sub.recv()).await.expect("recv");
    assert_eq!(message, "topic", "another peer's cancellation is its own");
}

/// A connection breaks while a batch of hundreds of messages is in the session's hands: those that were not
/// written go to the next connection, in order.
#[tokio::test]
async fn a_batch_in_flight_is_not_lost_with_its_connection() {
    const COUNT: usize = 500;
    const SIZE: usize = 64 << 10;
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(MS)
        .send_buffer(256 << 10)
        .build()
        .expect("options");
    push.connect(endpoint.as_str()).expect("connect");
    // Queued before there is a connection, so that one batch takes them.
    for number in 0..COUNT {
        let number = u32::try_from(number).expect("small").to_be_bytes();
        push.send([number.to_vec(), vec![7; SIZE]].concat())
            .await
            .expect("send");
    }
    let mut broken = accept(&listener).await;
    broken.shake_hands("PULL").await;
    broken.receive(SIZE).await;
    broken.reset();
    drop(listener);
    let mut pull = PullSocket::new();
    within("the address", async {
        while pull.bind(endpoint.as_str()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let number = |message: purezmq::Message| {
        let number = message[0][..4].try_into().expect("four bytes");
        u32::from_be_bytes(number) as usize
    };
    let first = number(within("a message", pull.recv()).await.expect("recv"));
    // What the system's buffers have taken is gone: at most some megabytes.
    assert!(first < COUNT / 2, "{first} messages are lost");
    for expected in first + 1..COUNT {
        let next = within("the next message", pull.recv()).await.expect("recv");
        assert_eq!(number(next), expected);
    }
    assert_eq!(within("close", push.close()).await.unsent, 0);
}
