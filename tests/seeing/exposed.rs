//! `Context::expose`: what it tells of sockets that are busy, many, or gone.

use std::time::Duration;

use common::within;
use purezmq::expose::{SCHEMA, Snapshot, TOPIC};
use purezmq::{
    Context, Endpoint, PubSocket, PullSocket, PushSocket, ReqSocket, SocketType, SubSocket,
};

/// Asks, and has the answer read.
pub(crate) async fn ask(req: &mut ReqSocket, question: &str) -> Snapshot {
    within("a question", req.send(question)).await.unwrap();
    let answer = within("an answer", req.recv()).await.unwrap();
    assert_eq!(answer.len(), 1);
    serde_json::from_slice(&answer[0]).expect("a snapshot")
}

pub(crate) fn asker(endpoint: Option<&Endpoint>) -> ReqSocket {
    let mut req = ReqSocket::new();
    req.connect(endpoint.expect("it is bound")).unwrap();
    req
}

/// Asks until what is told is as it is to be: an answer may be a tenth of a second old.
async fn until(req: &mut ReqSocket, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    within(what, async {
        loop {
            let snapshot = ask(req, "snapshot").await;
            if is_so(&snapshot) {
                return snapshot;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn it_tells_of_busy_sockets_and_of_what_was_counted() {
    let context = Context::new();
    let mut pull = PullSocket::builder().context(&context).name("work");
    pull = pull.recv_hwm(7);
    let mut pull = pull.build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(&endpoint).unwrap();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let mut req = asker(exposed.endpoint());

    let busy = tokio::spawn(async move {
        for _ in 0..20_000 {
            push.send("some work").await.unwrap();
        }
        push
    });
    let taken = tokio::spawn(async move {
        for _ in 0..20_000 {
            pull.recv().await.unwrap();
        }
        pull
    });
    let mut last: Option<Snapshot> = None;
    while !taken.is_finished() {
        let now = ask(&mut req, "snapshot").await;
        assert_eq!((now.schema, now.process.id), (SCHEMA, std::process::id()));
        if let Some(before) = &last {
            assert!(now.micros >= before.micros);
            for (one, before) in now.sockets.iter().zip(&before.sockets) {
                assert_eq!(one.number, before.number);
                assert!(one.stats.received.messages >= before.stats.received.messages);
            }
        }
        last = Some(now);
    }
    let (push, pull) = (busy.await.unwrap(), taken.await.unwrap());

    let done = until(&mut req, "all is sent", |now| {
        let [work, source, _] = &now.sockets[..] else {
            return false;
        };
        (work.stats.received.messages, source.stats.sent.messages) == (20_000, 20_000)
    })
    .await;
    let [work, source, own] = &done.sockets[..] else {
        panic!("three sockets: {done:?}");
    };
    assert_eq!(work.stats.name.as_deref(), Some("work"));
    assert_eq!((work.socket_type, work.recv_hwm), (SocketType::Pull, 7));
    assert_eq!(work.stats.endpoints[0].endpoint, Some(endpoint));
    assert!(work.stats.endpoints[0].is_bound);
    assert_eq!(work.stats.received.messages, 20_000);
    assert_eq!(work.stats.peers[0].socket_type, Some(SocketType::Push));
    assert_eq!(
        (source.socket_type, source.send_hwm),
        (SocketType::Push, 1000)
    );
    assert_eq!(source.stats.peers.len(), source.peers);
    assert_eq!(
        (own.socket_type, own.stats.name.as_deref()),
        (SocketType::Rep, Some("expose"))
    );
    drop((push, pull));
}

#[tokio::test]
async fn it_tells_of_many_peers_and_without_them_as_well() {
    let context = Context::new();
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let mut req = asker(exposed.endpoint());
    let elsewhere = Context::new();
    let mut peers = Vec::new();
    for _ in 0..200 {
        let push = PushSocket::builder().context(&elsewhere);
        let mut push = push.build().unwrap();
        push.connect(&endpoint).unwrap();
        push.send("here").await.unwrap();
        peers.push(push);
    }
    let all = until(&mut req, "all are there", |now| {
        now.sockets[0].stats.received.messages == 200
    })
    .await;
    let socket = &all.sockets[0];
    assert_eq!((socket.peers, socket.stats.peers.len()), (200, 200));
    let mut numbers: Vec<_> = socket.stats.peers.iter().map(|peer| peer.number).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 200, "each has a number of its own");

    let short = ask(&mut req, "sockets").await;
    assert_eq!(short.sockets.len(), 2);
    assert_eq!(
        (short.sockets[0].peers, short.sockets[0].stats.peers.len()),
        (200, 0)
    );
    assert_eq!(short.sockets[0].stats.received.messages, 200);
    let one = ask(&mut req, &format!("socket {}", socket.number)).await;
    assert_eq!(
        (one.sockets.len(), one.sockets[0].stats.peers.len()),
        (1, 200)
    );

    peers.truncate(10);
    until(&mut req, "most have gone", |now| now.sockets[0].peers == 10).await;
}

#[tokio::test]
async fn sockets_that_are_closed_vanish_and_those_that_linger_are_told() {
    let context = Context::new();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let mut req = asker(exposed.endpoint());
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect("tcp://127.0.0.1:9").unwrap();
    push.send("nobody takes it").await.unwrap();
    let pull = PullSocket::builder().context(&context).build().unwrap();
    until(&mut req, "three sockets", |now| now.sockets.len() == 3).await;
    drop(push);
    drop(pull);
    let left = until(&mut req, "one has gone", |now| now.sockets.len() == 2).await;
    let lingers = &left.sockets[1];
    assert_eq!(
        (lingers.socket_type, lingers.is_ended),
        (SocketType::Push, true)
    );
    assert_eq!(lingers.stats.queued_to_send, 1);
    assert!(!left.sockets[0].is_ended);
}

#[tokio::test]
async fn looking_keeps_nobodys_address() {
    let context = Context::new();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let looks = {
        let context = context.clone();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while stopped.try_recv().is_err() {
                looks += context.stats().len();
            }
            looks
        });
        (stop, thread)
    };
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    for _ in 0..200 {
        drop(pull);
        pull = PullSocket::builder().context(&context).build().unwrap();
        pull.bind(&endpoint).await.expect("the drop has freed it");
    }
    looks.0.send(()).unwrap();
    assert!(looks.1.join().unwrap() > 0);
    exposed.close().await;
}

#[tokio::test]
async fn it_publishes_while_anybody_is_subscribed() {
    let context = Context::new();
    let mut exposed = context.expose("inproc://ask").await.unwrap();
    let publisher = PubSocket::builder().context(&context).build().unwrap();
    let mut publisher = publisher;
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    exposed.publish_by(publisher, Duration::from_millis(1));
    let second = exposed.publish("tcp://127.0.0.1:*").await.unwrap();
    for endpoint in [endpoint, second] {
        let mut sub = SubSocket::new();
        sub.subscribe(TOPIC);
        sub.connect(&endpoint).unwrap();
        // Two that follow each other may be one that is not old enough to be made anew.
        let mut made = std::collections::BTreeSet::new();
        while made.len() < 3 {
            let message = within("a message of the stream", sub.recv()).await.unwrap();
            assert_eq!((message.len(), &message[0][..]), (2, TOPIC.as_bytes()));
            let snapshot: Snapshot = serde_json::from_slice(&message[1]).unwrap();
            assert!(made.last().is_none_or(|last| *last <= snapshot.micros));
            assert_eq!(snapshot.sockets.len(), 3);
            made.insert(snapshot.micros);
        }
    }
}

#[tokio::test]
async fn it_ends_with_its_handle_and_with_the_context() {
    let context = Context::new();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let endpoint = exposed.endpoint().expect("it is bound").clone();
    assert_eq!(context.stats().len(), 1);
    exposed.close().await;
    assert!(context.stats().iter().all(|one| one.is_ended));
    let mut again = PullSocket::new();
    again.bind(&endpoint).await.expect("the address is free");

    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    drop(exposed);
    within("it ends", async {
        while !context.stats().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    context.close(Duration::from_secs(1)).await;
    assert!(context.stats().is_empty());
    exposed.close().await;
    assert!(context.expose("tcp://127.0.0.1:*").await.is_err());
}
