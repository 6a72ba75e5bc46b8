//! Every socket type with libzmq itself (the `zmq` crate, in threads of the test), in every role and
//! over every transport. The matrix is `tests/common/src/matrix.rs`.

use std::time::Duration;

use common::libzmq::Libzmq;
use common::matrix::{await_our_subscription, await_their_subscription};
use common::payload::{Digest, FrameRecipe, message, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::within;
use purezmq::{
    DisconnectReason, Message, MonitorEventKind, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, SubSocket,
};

common::interop_matrix!(Libzmq, "current_thread");

/// A publisher sends 5 MiB and then nothing more. No later send may be needed to push it out.
#[tokio::test]
async fn last_large_message_of_our_publisher_arrives() {
    let (mut ours, mut theirs) = (PubSocket::new(), Libzmq::open("SUB").await);
    theirs.subscribe("").await;
    let bound = ours.bind("tcp://127.0.0.1:*").await.expect("bind");
    theirs.connect(&bound.to_string()).await;
    await_their_subscription(&mut ours, &mut theirs).await;
    let last = message(&vec![FrameRecipe::Random {
        size: 5 << 20,
        seed: 5,
    }]);
    let digest = Digest::of_message(&last);
    ours.send(last).await.expect("send");
    assert_eq!(theirs.recv(1).await, [digest]);
}

#[tokio::test]
async fn last_large_message_of_their_publisher_arrives() {
    let (mut ours, mut theirs) = (SubSocket::new(), Libzmq::open("PUB").await);
    ours.subscribe("");
    let bound = theirs.bind("tcp://127.0.0.1:*").await;
    ours.connect(bound.as_str()).expect("connect");
    await_our_subscription(&mut ours, &mut theirs).await;
    let sent = theirs
        .send(&[vec![FrameRecipe::Random {
            size: 5 << 20,
            seed: 5,
        }]])
        .await;
    let last = within("the last message", ours.recv()).await.expect("recv");
    assert_eq!([Digest::of_message(&last)][..], sent);
}

/// Our publisher filters by what libzmq subscribes to, also when that changes on the way.
#[tokio::test]
async fn our_publisher_follows_their_subscriptions() {
    let (mut ours, mut theirs) = (PubSocket::new(), Libzmq::open("SUB").await);
    theirs.subscribe("probe").await;
    theirs.subscribe("a.").await;
    theirs.subscribe("a.").await;
    let bound = ours.bind("tcp://127.0.0.1:*").await.expect("bind");
    theirs.connect(&bound.to_string()).await;
    await_their_subscription(&mut ours, &mut theirs).await;
    for topic in ["a", "a.1", "b.1", "a.2"] {
        ours.send(topic).await.expect("send");
    }
    assert_eq!(
        theirs.recv(2).await,
        [Digest::of(["a.1"]), Digest::of(["a.2"])]
    );

    // One of two equal subscriptions goes: nothing changes. The other goes, and a new one comes,
    // which is the sign that all three have arrived.
    theirs
        .run(|socket| {
            socket.set_unsubscribe(b"a.").expect("unsubscribe");
            socket.set_unsubscribe(b"a.").expect("unsubscribe");
            socket.set_subscribe(b"b.").expect("subscribe");
        })
        .await;
    let heard = theirs.recv(1);
    let speak = async {
        loop {
            ours.send("b.again").await.expect("send");
            // Their subscription shows in what they receive only: the pause is between two questions.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        heard = heard => assert_eq!(heard, [Digest::of(["b.again"])]),
        () = speak => unreachable!("it never ends"),
    }
    ours.send("a.3").await.expect("send");
    ours.send("b.end").await.expect("send");
    loop {
        let got = theirs.recv(1).await;
        if got == [Digest::of(["b.end"])] {
            break;
        }
        assert_eq!(got, [Digest::of(["b.again"])], "a.3 was unsubscribed");
    }
}

/// libzmq's publisher gets our subscriptions, counted: two subscribes need two unsubscribes.
#[tokio::test]
async fn their_publisher_follows_our_subscriptions() {
    let (mut ours, mut theirs) = (SubSocket::new(), Libzmq::open("PUB").await);
    ours.subscribe("probe");
    ours.subscribe("a.");
    ours.subscribe("a.");
    let bound = theirs.bind("tcp://127.0.0.1:*").await;
    ours.connect(bound.as_str()).expect("connect");
    await_our_subscription(&mut ours, &mut theirs).await;
    ours.unsubscribe("a.");
    theirs.send(&["a", "a.1", "b.1", "a.2"].map(text)).await;
    assert_eq!(within("a.1", ours.recv()).await.expect("recv"), "a.1");
    assert_eq!(within("a.2", ours.recv()).await.expect("recv"), "a.2");
    ours.unsubscribe("a.");
    theirs.send(&["a.3", "probe"].map(text)).await;
    assert_eq!(within("probe", ours.recv()).await.expect("recv"), "probe");
}

/// Three libzmq workers, one of our ventilators: each gets its turn.
#[tokio::test]
async fn our_push_takes_turns_among_their_pulls() {
    let mut ours = PushSocket::new();
    let mut workers = Vec::new();
    for _ in 0..3 {
        let mut worker = Libzmq::open("PULL").await;
        let place = Place::any(Transport::Tcp4);
        let bound = worker.bind(&place.endpoint).await;
        ours.connect(bound.as_str()).expect("connect");
        workers.push(worker);
    }
    for number in 0..30 {
        within("push", ours.send(number.to_string()))
            .await
            .expect("send");
    }
    let mut all = Vec::new();
    for worker in &mut workers {
        all.extend(worker.recv(10).await);
    }
    for number in 0..30 {
        assert!(
            all.contains(&Digest::of([number.to_string()])),
            "{number} is missing"
        );
    }
}

/// A ROUTER sees our REQ's routing id and the delimiter, and answers a later request first.
#[tokio::test]
async fn our_req_with_their_router() {
    let router = Libzmq::new(zmq::ROUTER);
    let bound = router.run(|socket| bind(socket, "tcp://127.0.0.1:*")).await;
    let mut clients = Vec::new();
    for name in ["one", "two"] {
        let mut client = ReqSocket::builder()
            .routing_id(name)
            .build()
            .expect("options");
        client.connect(bound.as_str()).expect("connect");
        within("ask", client.send([name, "asks"]))
            .await
            .expect("send");
        clients.push(client);
    }
    let mut requests = router
        .run(|socket| {
            [(); 2]
                .map(|()| socket.recv_multipart(0).expect("receive"))
                .to_vec()
        })
        .await;
    requests.sort();
    assert_eq!(requests[0], [&b"one"[..], b"", b"one", b"asks"]);
    assert_eq!(requests[1], [&b"two"[..], b"", b"two", b"asks"]);
    for name in ["two", "one"] {
        router
            .run(move |socket| {
                socket
                    .send_multipart([name, "", "hello", name], 0)
                    .expect("send")
            })
            .await;
    }
    for (client, name) in clients.iter_mut().zip(["one", "two"]) {
        let reply = within("a reply", client.recv()).await.expect("recv");
        assert_eq!(reply, Message::from(["hello", name]));
    }
}

/// A DEALER has many requests under way, with addresses in front as they come through a ROUTER. Each
/// reply has the envelope of its request; a request without a delimiter is passed over.
#[tokio::test]
async fn our_rep_with_their_dealer() {
    let dealer = Libzmq::new(zmq::DEALER);
    let mut rep = RepSocket::new();
    let bound = rep.bind("tcp://127.0.0.1:*").await.expect("bind");
    let endpoint = bound.to_string();
    dealer
        .run(move |socket| {
            socket.connect(&endpoint).expect("connect");
            socket.send("no delimiter", 0).expect("send");
            for number in 0..10 {
                let number = number.to_string();
                socket
                    .send_multipart(["far", "near", "", &number], 0)
                    .expect("send");
            }
        })
        .await;
    for number in 0..10 {
        let request = within("a request", rep.recv()).await.expect("recv");
        assert_eq!(request, number.to_string());
        rep.send(["reply", &number.to_string()])
            .await
            .expect("send");
    }
    let replies = dealer
        .run(|socket| [(); 10].map(|()| socket.recv_multipart(0).expect("receive")))
        .await;
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(
            reply,
            &["far", "near", "", "reply", &number.to_string()].map(Vec::from)
        );
    }
}

/// What an XPUB is told of our subscriptions: each topic once when the first of equal ones comes, and once
/// when the last goes.
#[tokio::test]
async fn our_sub_with_their_xpub() {
    let publisher = Libzmq::new(zmq::XPUB);
    let bound = publisher
        .run(|socket| bind(socket, "tcp://127.0.0.1:*"))
        .await;
    let mut sub = SubSocket::new();
    sub.subscribe("early");
    sub.connect(bound.as_str()).expect("connect");
    let notice = || publisher.run(|socket| socket.recv_bytes(0).expect("receive"));
    assert_eq!(notice().await, b"\x01early");
    sub.subscribe("late");
    sub.subscribe("late");
    assert_eq!(notice().await, b"\x01late");
    sub.unsubscribe("late");
    sub.subscribe("");
    assert_eq!(
        notice().await,
        b"\x01",
        "the second of two equal subscriptions is left"
    );
    sub.unsubscribe("late");
    assert_eq!(notice().await, b"\x00late");
    publisher
        .run(|socket| socket.send_multipart(["any", "thing"], 0).expect("send"))
        .await;
    let message = within("a message", sub.recv()).await.expect("recv");
    assert_eq!(message, Message::from(["any", "thing"]));
    drop(sub);
    let mut rest = [notice().await, notice().await];
    rest.sort();
    assert_eq!(rest, [&b"\x00"[..], b"\x00early"]);
}

/// An XSUB subscribes by sending messages.
#[tokio::test]
async fn our_pub_with_their_xsub() {
    let mut publisher = PubSocket::new();
    let bound = publisher.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut subscriber = Libzmq::new(zmq::XSUB);
    subscriber.connect(&bound.to_string()).await;
    subscriber
        .run(|socket| {
            socket.send(&b"\x01probe"[..], 0).expect("send");
            socket.send(&b"\x01a"[..], 0).expect("send");
            socket.send(&b"not a subscription"[..], 0).expect("send");
        })
        .await;
    await_their_subscription(&mut publisher, &mut subscriber).await;
    for message in ["b", "a1", "n"] {
        publisher.send(message).await.expect("send");
    }
    publisher.send("probe").await.expect("send");
    assert_eq!(
        subscriber.recv(2).await,
        [Digest::of(["a1"]), Digest::of(["probe"])]
    );
}

/// Both sides send PINGs on a connection without messages; it stays, and works afterwards.
#[tokio::test]
async fn heartbeats_keep_a_quiet_connection() {
    let mut theirs = Libzmq::new(zmq::PUSH);
    theirs
        .run(|socket| {
            socket.set_heartbeat_ivl(20).expect("interval");
            socket.set_heartbeat_timeout(2000).expect("timeout");
            socket.set_heartbeat_ttl(2000).expect("time to live");
        })
        .await;
    let mut pull = PullSocket::builder()
        .heartbeat_interval(Duration::from_millis(20))
        .heartbeat_timeout(Duration::from_secs(2))
        .heartbeat_ttl(Duration::from_secs(2))
        .build()
        .expect("options");
    let mut monitor = pull.monitor();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    theirs.connect(&bound.to_string()).await;
    common::events::connected(&mut monitor).await;
    let quiet = tokio::time::timeout(Duration::from_millis(300), monitor.recv()).await;
    assert!(quiet.is_err(), "nothing happens: {quiet:?}");
    theirs.send(&[text("still there")]).await;
    assert_eq!(
        within("a message", pull.recv()).await.expect("recv"),
        "still there"
    );
}

/// A message above our limit costs its sender the connection; what came before is delivered, others are
/// not affected.
#[tokio::test]
async fn a_message_above_the_limit_ends_its_connection() {
    let mut pull = PullSocket::builder()
        .max_message_size(1000)
        .build()
        .expect("options");
    let mut monitor = pull.monitor();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let (mut modest, mut greedy) = (Libzmq::open("PUSH").await, Libzmq::open("PUSH").await);
    modest.connect(&bound.to_string()).await;
    greedy.connect(&bound.to_string()).await;
    let random = |size| vec![FrameRecipe::Random { size, seed: 1 }];
    let sent = greedy.send(&[random(1000), random(1001)]).await;
    let received = within("the legal one", pull.recv()).await.expect("recv");
    assert_eq!(Digest::of_message(&received), sent[0]);
    common::events::event(&mut monitor, "the end of the connection", |kind| {
        matches!(
            kind,
            MonitorEventKind::Disconnected(DisconnectReason::Protocol(_))
        )
    })
    .await;
    let sent = modest.send(&[random(999)]).await;
    let received = within("the other's", pull.recv()).await.expect("recv");
    assert_eq!(Digest::of_message(&received), sent[0]);
}

fn bind(socket: &zmq::Socket, endpoint: &str) -> String {
    socket.bind(endpoint).expect("libzmq bind");
    socket
        .get_last_endpoint()
        .expect("last endpoint")
        .expect("endpoints are text")
}
