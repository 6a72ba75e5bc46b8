//! Peers that die, come late, stay silent, talk garbage, are of the wrong kind or hang up rudely.
//!
//! The peer that dies is a real libzmq (pyzmq) in a process of its own, killed with SIGKILL and
//! started again on the same endpoint while traffic runs. No misbehaviour may cost more than the
//! connection of the peer that misbehaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::payload::{Digest, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::python::Pyzmq;
use common::raw::{RawPeer, greeting, ready, short_frame};
use common::within;
use purezmq::{
    Monitor, MonitorEvent, MonitorEventKind, PubSocket, PullSocket, PushSocket, RecvError,
    RepSocket, ReqSocket, SubSocket,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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

/// A TCP server that is not a ZeroMQ peer: what it does with each connection is up to the test.
async fn bare_server() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", common::place::free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    (listener, endpoint)
}

/// After the bare server is gone, a real PULL on the same endpoint gets what was pushed.
async fn works_after_all(mut push: PushSocket, listener: TcpListener, endpoint: &str) {
    drop(listener);
    let mut pull = Libzmq::open("PULL").await;
    pull.bind(endpoint).await;
    within("push", push.send("still here")).await.expect("send");
    assert_eq!(pull.recv(1).await, [Digest::of(["still here"])]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_handshake_timeout() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .handshake_timeout(Duration::from_millis(100))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(
            within("a connection", listener.accept())
                .await
                .expect("accept"),
        );
        event(&mut monitor, "the handshake timeout", |kind| {
            matches!(kind, MonitorEventKind::HandshakeFailed(_))
        })
        .await;
    }
    drop(silent);
    works_after_all(push, listener, &endpoint).await;
}

#[tokio::test]
async fn a_silent_client_is_hung_up_on_and_harms_nobody() {
    let mut pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(200))
        .build()
        .expect("options");
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut silent = RawPeer::connect(&bound).await;
    let mut half = RawPeer::connect(&bound).await;
    half.send(&greeting()[..20]).await;
    let mut greeted = RawPeer::connect(&bound).await;
    greeted.send(&greeting()).await;

    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    push.send(&[text("meanwhile")]).await;
    assert_eq!(
        within("meanwhile", pull.recv()).await.expect("recv"),
        "meanwhile"
    );
    silent.await_close().await;
    half.await_close().await;
    greeted.await_close().await;
    push.send(&[text("afterwards")]).await;
    assert_eq!(
        within("afterwards", pull.recv()).await.expect("recv"),
        "afterwards"
    );
}

/// A peer that was fine and then says nothing more, not even to a PING, is given up and dialled again.
#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .heartbeat_interval(Duration::from_millis(20))
        .heartbeat_timeout(Duration::from_millis(100))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    for _ in 0..2 {
        let (stream, _) = within("a connection", listener.accept())
            .await
            .expect("accept");
        let mut silent = RawPeer { stream };
        silent.shake_hands("PULL").await;
        let end = event(&mut monitor, "the end of the connection", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
        let reason = format!("{:?}", end.kind);
        assert!(reason.contains("Silent"), "says why: {reason}");
        silent.await_close().await;
    }
    works_after_all(push, listener, &endpoint).await;
}

/// Byte strings that no ZeroMQ peer sends, before and after a proper handshake.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let noise: Vec<u8> = (0..4096_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let after_greeting = |bytes: &[u8]| [&greeting()[..], bytes].concat();
    let after_handshake = |bytes: &[u8]| [&greeting()[..], &ready("PUSH"), bytes].concat();
    vec![
        ("noise", noise.clone()),
        ("ones only", vec![0xff; 4096]),
        ("noise after the greeting", after_greeting(&noise)),
        (
            "a message instead of READY",
            after_greeting(&short_frame(b"hello")),
        ),
        (
            "a command of 2^62 bytes",
            after_greeting(b"\x06\x40\0\0\0\0\0\0\0"),
        ),
        (
            "READY with a property cut short",
            after_greeting(b"\x04\x0d\x05READY\x0bSocket"),
        ),
        ("an unknown mechanism", {
            let mut bytes = after_handshake(b"");
            bytes[12..16].copy_from_slice(b"WHAT");
            bytes
        }),
        (
            "a message of 2^63 bytes",
            after_handshake(b"\x02\x80\0\0\0\0\0\0\0"),
        ),
    ]
}

#[tokio::test]
async fn a_client_that_sends_garbage_loses_its_own_connection_only() {
    for (what, bytes) in garbage() {
        costs_its_own_connection_only(what, &bytes).await;
    }
}

/// ZMTP 1.0 has no greeting: nearly anything may be its first bytes. Its frames have seven reserved bits
/// that SHALL be zero (RFC 13), which tells its peers from browsers and port scanners, whose words must
/// not end up with the application.
#[tokio::test]
async fn programs_of_other_protocols_are_not_taken_for_old_peers() {
    for (what, bytes) in [
        (
            "HTTP",
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10)[..],
        ),
        (
            "TLS",
            &[
                &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
                &[7; 600],
            ]
            .concat(),
        ),
        (
            "SSH",
            &b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".repeat(10),
        ),
        ("Redis", &b"*1\r\n$4\r\nPING\r\n".repeat(20)),
    ] {
        costs_its_own_connection_only(what, bytes).await;
    }
}

/// A client sends `bytes`; another one's messages before and after are all that arrives.
async fn costs_its_own_connection_only(what: &str, bytes: &[u8]) {
    println!("{what}");
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    push.send(&[text("before")]).await;
    assert_eq!(within(what, pull.recv()).await.expect("recv"), "before");
    let mut client = RawPeer::connect(&bound).await;
    client.try_send(bytes).await;
    within(what, client.await_close()).await;
    push.send(&[text("after")]).await;
    assert_eq!(within(what, pull.recv()).await.expect("recv"), "after");
}

#[tokio::test]
async fn a_server_that_sends_garbage_is_tried_again() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    push.connect(endpoint.as_str()).expect("connect");
    for (what, bytes) in garbage() {
        println!("{what}");
        let (stream, _) = within(what, listener.accept()).await.expect("accept");
        let mut server = RawPeer { stream };
        server.try_send(&bytes).await;
        server.await_close().await;
    }
    works_after_all(push, listener, &endpoint).await;
}

#[tokio::test]
async fn a_client_of_the_wrong_type_is_refused() {
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut wrong = RawPeer::connect(&bound).await;
    wrong.send(&greeting()).await;
    wrong.send(&ready("PUB")).await;
    let refused = handshake_failure(&mut monitor).await;
    let reason = format!("{:?}", refused.kind);
    assert!(reason.contains("PUB"), "names the type: {reason}");
    wrong.await_close().await;

    // libzmq sees for itself that the two do not go together; who says so first is open.
    let mut wrong = Libzmq::open("PUB").await;
    wrong.connect(&bound.to_string()).await;
    handshake_failure(&mut monitor).await;
    let mut right = Libzmq::open("PUSH").await;
    right.connect(&bound.to_string()).await;
    right.send(&[text("right")]).await;
    assert_eq!(within("right", pull.recv()).await.expect("recv"), "right");
}

async fn handshake_failure(monitor: &mut Monitor) -> MonitorEvent {
    event(monitor, "the refusal", |kind| {
        matches!(kind, MonitorEventKind::HandshakeFailed(_))
    })
    .await
}

#[tokio::test]
async fn a_server_of_the_wrong_type_is_reported() {
    // R-CONN-19
    let mut wrong = Libzmq::open("PUB").await;
    let bound = wrong.bind("tcp://127.0.0.1:*").await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(bound.as_str())
        .expect("connect does not wait for the peer");
    handshake_failure(&mut monitor).await;
    // The same socket works with a right one.
    let mut right = Libzmq::open("PULL").await;
    let bound = right.bind("tcp://127.0.0.1:*").await;
    push.disconnect(wrong_endpoint(&mut wrong).await.as_str())
        .expect("disconnect");
    push.connect(bound.as_str()).expect("connect");
    within("push", push.send("right")).await.expect("send");
    assert_eq!(right.recv(1).await, [Digest::of(["right"])]);
}

async fn wrong_endpoint(peer: &mut Libzmq) -> String {
    peer.run(|socket| socket.get_last_endpoint().expect("endpoint").expect("text"))
        .await
}

#[tokio::test]
async fn clients_that_reset_in_the_middle_of_the_handshake_harm_nobody() {
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = Libzmq::open("PUSH").await;
    push.connect(&bound.to_string()).await;
    let opening = [
        &greeting()[..],
        &ready("PUSH"),
        &short_frame(b"incomplete")[..5],
    ]
    .concat();
    // Cut at every place that matters: nothing, in the signature, the greeting, READY, a message.
    for (round, cut) in [0, 1, 9, 10, 11, 63, 64, 65, 70, opening.len()]
        .into_iter()
        .cycle()
        .enumerate()
    {
        if round == 100 {
            break;
        }
        let mut client = RawPeer::connect(&bound).await;
        client.send(&opening[..cut]).await;
        client.reset();
    }
    push.send(&[text("unharmed")]).await;
    assert_eq!(
        within("unharmed", pull.recv()).await.expect("recv"),
        "unharmed"
    );
}

#[tokio::test]
async fn a_server_that_resets_in_the_middle_of_the_handshake_is_tried_again() {
    // R-CONN-10
    let (listener, endpoint) = bare_server().await;
    let mut push = PushSocket::builder()
        .reconnect_interval(RECONNECT)
        .build()
        .expect("options");
    push.connect(endpoint.as_str()).expect("connect");
    let opening = [&greeting()[..], &ready("PULL")].concat();
    for cut in [0, 1, 10, 11, 63, 64, 65, 70] {
        let (mut stream, _) = within("a connection", listener.accept())
            .await
            .expect("accept");
        stream.write_all(&opening[..cut]).await.expect("write");
        let _ = within("its greeting", stream.read(&mut [0; 64])).await;
        RawPeer { stream }.reset();
    }
    works_after_all(push, listener, &endpoint).await;
}
