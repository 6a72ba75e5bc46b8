//! Peers that are killed, again and again, while traffic runs: a real libzmq (pyzmq) in a process of its own, ended with
//! SIGKILL and started again on the same endpoint. Peers that come late are here, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::payload::{Digest, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::python::Pyzmq;
use common::within;
use purezmq::{
    MonitorEventKind, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, SubSocket,
};
use serde_json::json;

/// How often a peer is killed in each test.
const KILLS: u64 = 20;

/// Short enough for the tests, long enough that a dead endpoint is not hammered.
const RECONNECT: Duration = Duration::from_millis(10);

/// One test over TCP and one over a Unix socket.
macro_rules! over_tcp_and_ipc {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn tcp() {
                super::$name(Transport::Tcp4).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn ipc() {
                super::$name(Transport::Ipc).await;
            }
        })*
    };
}

over_tcp_and_ipc! {
    sub_has_its_subscriptions_back_after_each_kill
    push_carries_on_after_each_kill
    req_carries_on_after_each_kill
    relaxed_req_asks_again_after_each_kill
    pull_outlives_its_pushers
    rep_outlives_its_clients
    pub_outlives_its_subscribers
    connect_before_bind
}

/// A bound real peer of the given type, in a process.
async fn bound(kind: &str, place: &Place) -> Pyzmq {
    let mut peer = Pyzmq::open(kind).await;
    peer.bind(&place.endpoint).await;
    peer
}

/// A connected real peer of the given type, in a process.
async fn connecting(kind: &str, place: &Place) -> Pyzmq {
    let mut peer = Pyzmq::open(kind).await;
    peer.connect(&place.endpoint).await;
    peer
}

/// A message of `flood`: "topic.generation.number".
fn parse(message: &purezmq::Message) -> (String, u64, u64) {
    let text = std::str::from_utf8(message.get(0).expect("one frame")).expect("text");
    let mut words = text.split('.');
    let topic = words.next().expect("topic").to_owned();
    let [generation, number] = [(); 2].map(|()| words.next().unwrap().parse().expect("number"));
    (topic, generation, number)
}

async fn sub_has_its_subscriptions_back_after_each_kill(transport: Transport) {
    let place = Place::fixed(transport);
    let mut sub = SubSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    sub.subscribe("a.");
    sub.subscribe("b.");
    sub.subscribe("dropped.");
    sub.connect(place.endpoint.as_str()).expect("connect");
    for generation in 0..=KILLS {
        let mut publisher = bound("PUB", &place).await;
        if generation == KILLS / 2 {
            sub.unsubscribe("dropped.");
        }
        let prefixes = ["a", "c", "b", "dropped"].map(|topic| format!("{topic}.{generation}."));
        publisher
            .start(json!({ "do": "flood", "prefixes": prefixes, "pause": 0.0005 }))
            .await;

        // Per topic: the last number heard of this generation.
        let mut last: [Option<u64>; 2] = [None, None];
        let mut heard = 0;
        while heard < 60 || last.contains(&None) {
            let message = within("hear the new publisher", sub.recv())
                .await
                .expect("recv");
            let (topic, from, number) = parse(&message);
            assert_eq!(
                from, generation,
                "a message of a publisher that is dead: {message:?}"
            );
            let last = match topic.as_str() {
                "a" => &mut last[0],
                "b" => &mut last[1],
                "dropped" if generation <= KILLS / 2 => continue,
                other => panic!("{other} is not subscribed to"),
            };
            if let Some(last) = *last {
                assert_eq!(number, last + 1, "{topic}: lost or twice");
            }
            *last = Some(number);
            heard += 1;
        }
        publisher.kill().await;
        // What the dead one had sent is still delivered; it must not be mixed with the next one's.
        while let Ok(message) = tokio::time::timeout(RECONNECT / 2, sub.recv()).await {
            assert_eq!(parse(&message.expect("recv")).1, generation);
        }
    }
}

/// Numbers flow without a pause. What each incarnation of the PULL got must be one run of numbers
/// without gap or repetition, later than its predecessor's, that begins no later than the first
/// number accepted after the reconnect.
async fn push_carries_on_after_each_kill(transport: Transport) {
    let place = Place::fixed(transport);
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .send_hwm(100)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(place.endpoint.as_str()).expect("connect");

    let accepted = Arc::new(AtomicU64::new(0));
    let count = accepted.clone();
    let traffic = tokio::spawn(async move {
        for number in 0_u64.. {
            push.send(number.to_string()).await.expect("send");
            count.store(number + 1, Ordering::SeqCst);
        }
    });

    let mut last: Option<u64> = None;
    for _ in 0..=KILLS {
        let mut pull = bound("PULL", &place).await;
        connected(&mut monitor).await;
        let first_after_reconnect = accepted.load(Ordering::SeqCst);
        pull.start(json!({ "do": "report" })).await;
        let mut got = Vec::new();
        while got.len() < 500 || !got.iter().any(|&number| number >= first_after_reconnect) {
            let more = within("a report", pull.reported()).await;
            got.extend(more.iter().map(|text| text.parse::<u64>().expect("number")));
        }
        got.extend(
            pull.kill()
                .await
                .iter()
                .map(|text| text.parse::<u64>().expect("number")),
        );

        assert!(
            last.is_none_or(|last| got[0] > last),
            "{} came twice",
            got[0]
        );
        assert!(
            got[0] <= first_after_reconnect,
            "lost after the reconnect: up to {}",
            got[0]
        );
        for pair in got.windows(2) {
            assert_eq!(pair[1], pair[0] + 1, "lost or twice");
        }
        last = got.last().copied();
    }
    traffic.abort();
}

/// Requests go out while the server is there and while it is not; those of the latter kind wait.
async fn req_carries_on_after_each_kill(transport: Transport) {
    let place = Place::fixed(transport);
    let mut req = ReqSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let mut monitor = req.monitor();
    req.connect(place.endpoint.as_str()).expect("connect");
    let mut number = 0;
    let mut served = Vec::new();
    for generation in 0..=KILLS {
        // Sent to nobody: the previous server is dead, and we know.
        let early = number.to_string();
        number += 1;
        within("queue a request", req.send(early.as_str()))
            .await
            .expect("send");
        let mut server = bound("REP", &place).await;
        server.start(json!({ "do": "serve" })).await;
        assert_eq!(
            within("the first reply", req.recv()).await.expect("recv"),
            early
        );
        for _ in 0..10 {
            let request = number.to_string();
            number += 1;
            within("send", req.send(request.as_str()))
                .await
                .expect("send");
            assert_eq!(within("a reply", req.recv()).await.expect("recv"), request);
        }
        served.extend(server.kill().await);
        if generation < KILLS {
            event(&mut monitor, "the loss of the server", |kind| {
                matches!(kind, MonitorEventKind::Disconnected(_))
            })
            .await;
        }
    }
    let all: Vec<String> = (0..number).map(|number| number.to_string()).collect();
    assert_eq!(served, all, "each request is served exactly once, in order");
}

/// A server dies with the request in its hands. The requester's patience ends, it asks again, and gets
/// the answer to what it asked last, never an older one.
async fn relaxed_req_asks_again_after_each_kill(transport: Transport) {
    let place = Place::fixed(transport);
    let mut req = ReqSocket::builder()
        .reconnect_interval(RECONNECT)
        .recv_timeout(Duration::from_millis(20))
        .relaxed(true)
        .correlate(true)
        .build()
        .expect("options");
    req.connect(place.endpoint.as_str()).expect("connect");
    for generation in 0..KILLS {
        // This one takes a request and never answers.
        let mut mute = bound("REP", &place).await;
        let request = format!("{generation} to the mute");
        within("ask", req.send(request.as_str()))
            .await
            .expect("send");
        assert_eq!(mute.recv(1).await, [Digest::of([&request])]);
        assert_eq!(
            within("no reply", req.recv()).await,
            Err(RecvError::Timeout)
        );
        mute.kill().await;

        let mut server = bound("REP", &place).await;
        server.start(json!({ "do": "serve" })).await;
        let request = format!("{generation} to the server");
        let reply = within("a reply in the end", async {
            loop {
                req.send(request.as_str())
                    .await
                    .expect("relaxed: send is always allowed");
                if let Ok(reply) = req.recv().await {
                    break reply;
                }
            }
        });
        assert_eq!(reply.await, request);
        server.kill().await;
    }
}

/// Our bound PULL: each pusher is killed while it floods. What arrives from each is one run of
/// numbers from 0 on.
async fn pull_outlives_its_pushers(transport: Transport) {
    let mut pull = PullSocket::new();
    let place = Place::fixed(transport);
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    let mut next = vec![0; KILLS as usize + 1];
    for generation in 0..=KILLS {
        let mut pusher = connecting("PUSH", &place).await;
        let prefixes = [format!("n.{generation}.")];
        pusher
            .start(json!({ "do": "flood", "prefixes": prefixes, "pause": 0 }))
            .await;
        while next[generation as usize] < 500 {
            let message = within("a message", pull.recv()).await.expect("recv");
            let (_, from, number) = parse(&message);
            assert_eq!(number, next[from as usize], "from {from}: lost or twice");
            next[from as usize] += 1;
        }
        pusher.kill().await;
    }
}

/// Our bound REP: clients are killed with their request unanswered; the next one is served.
async fn rep_outlives_its_clients(transport: Transport) {
    let mut rep = RepSocket::new();
    let place = Place::fixed(transport);
    rep.bind(place.endpoint.as_str()).await.expect("bind");
    for generation in 0..=KILLS {
        let mut client = connecting("REQ", &place).await;
        let request = format!("request {generation}");
        client.send(&[text(&*request)]).await;
        assert_eq!(
            within("a request", rep.recv()).await.expect("recv"),
            request
        );
        if generation % 2 == 0 {
            client.kill().await;
            within("reply to a dead client", rep.send("too late"))
                .await
                .expect("dropped, no error");
        } else {
            within("reply", rep.send(request.as_str()))
                .await
                .expect("send");
            assert_eq!(client.recv(1).await, [Digest::of([request])]);
            client.kill().await;
        }
    }
}

/// Our bound PUB: subscribers are killed while it floods. Each new one is served, and one that
/// stays misses nothing.
async fn pub_outlives_its_subscribers(transport: Transport) {
    let mut publisher = PubSocket::new();
    let place = Place::fixed(transport);
    publisher.bind(place.endpoint.as_str()).await.expect("bind");
    let mut witness = SubSocket::builder().recv_hwm(0).build().expect("options");
    witness.subscribe("");
    witness.connect(place.endpoint.as_str()).expect("connect");

    let traffic = tokio::spawn(async move {
        for number in 0_u64.. {
            publisher
                .send(format!("n.0.{number}"))
                .await
                .expect("a publisher never fails");
            // A steady trickle, so that numbers tell how long a subscriber was away.
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    });
    let watch = tokio::spawn(async move {
        let mut last: Option<u64> = None;
        loop {
            let message = witness.recv().await.expect("recv");
            let (_, _, number) = parse(&message);
            if let Some(last) = last {
                assert_eq!(number, last + 1, "the witness missed one");
            }
            last = Some(number);
        }
    });
    for _ in 0..=KILLS {
        let mut subscriber = Pyzmq::open("SUB").await;
        subscriber.subscribe("n.").await;
        subscriber.connect(&place.endpoint).await;
        subscriber.start(json!({ "do": "report" })).await;
        let mut got = 0;
        while got < 20 {
            got += within("a report", subscriber.reported()).await.len();
        }
        subscriber.kill().await;
        assert!(
            !watch.is_finished(),
            "the witness has failed: its message is above"
        );
    }
    traffic.abort();
    watch.abort();
}

/// Each of the six connects to nothing, is refused at least twice, and works once the peer binds.
async fn connect_before_bind(transport: Transport) {
    /// Connects, waits for two refusals, and has the peer bind.
    macro_rules! late {
        ($ours:ident, $theirs:expr) => {{
            let place = Place::fixed(transport);
            let mut monitor = $ours.monitor();
            $ours
                .connect(place.endpoint.as_str())
                .expect("connect to nobody");
            for _ in 0..2 {
                event(&mut monitor, "a refused connection", |kind| {
                    matches!(kind, MonitorEventKind::ConnectRetried { .. })
                })
                .await;
            }
            let mut theirs = Libzmq::open($theirs).await;
            theirs.bind(&place.endpoint).await;
            (theirs, place)
        }};
    }

    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let (mut theirs, _place) = late!(push, "PULL");
    within("push", push.send("late")).await.expect("send");
    assert_eq!(theirs.recv(1).await, [Digest::of(["late"])]);

    let mut pull = PullSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let (mut theirs, _place) = late!(pull, "PUSH");
    theirs.send(&[text("late")]).await;
    assert_eq!(within("pull", pull.recv()).await.expect("recv"), "late");

    let mut req = ReqSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let (mut theirs, _place) = late!(req, "REP");
    within("ask", req.send("late")).await.expect("send");
    theirs.echo(1).await;
    assert_eq!(within("reply", req.recv()).await.expect("recv"), "late");

    let mut rep = RepSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let (mut theirs, _place) = late!(rep, "REQ");
    theirs.send(&[text("late")]).await;
    assert_eq!(within("request", rep.recv()).await.expect("recv"), "late");
    rep.send("answer").await.expect("send");
    assert_eq!(theirs.recv(1).await, [Digest::of(["answer"])]);

    let mut sub = SubSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    sub.subscribe("");
    let (mut theirs, _place) = late!(sub, "PUB");
    common::matrix::await_our_subscription(&mut sub, &mut theirs).await;

    let mut publisher = PubSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let (mut theirs, _place) = late!(publisher, "SUB");
    theirs.subscribe("").await;
    common::matrix::await_their_subscription(&mut publisher, &mut theirs).await;
}
