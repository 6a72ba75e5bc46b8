//! Every socket type with libzmq itself (the `zmq` crate, in threads of the test), in every role and
//! over every transport. The matrix is `tests/common/matrix.rs`.

mod common;

use std::time::Duration;

use common::libzmq::Libzmq;
use common::matrix::{await_our_subscription, await_their_subscription};
use common::payload::{Digest, FrameRecipe, message, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::within;
use purezmq::{PubSocket, SubSocket};

interop_matrix!(Libzmq, "current_thread");

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
    let mut ours = purezmq::PushSocket::new();
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
