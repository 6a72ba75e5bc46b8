//! What peers may take: connections, handshakes, frames, commands, subscriptions, time without reading; and the guard against sockets that are
//! open to the world without anybody having meant it.

use std::net::TcpListener as StdListener;
use std::time::Duration;

use common::events::ended;
use common::raw::{RawPeer, greeting, ready, socket_address};
use common::within;
use purezmq::security::{KeyPair, Security};
use purezmq::{
    BindError, Context, DisconnectReason, Endpoint, Message, PubSocket, PullSocket, PushSocket,
    SendError, SubSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn connections_above_the_limit_are_closed_and_the_others_stay() {
    for (connections, per_address, expected) in [
        (Some(2), None, "max_connections"),
        (None, Some(2), "max_connections_per_address"),
    ] {
        let mut pull = PullSocket::builder()
            .max_connections(connections)
            .max_connections_per_address(per_address)
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut pushers = Vec::new();
        for number in 0..2 {
            let mut push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            push.send(number.to_string()).await.unwrap();
            assert_eq!(
                within("a message", pull.recv()).await.unwrap(),
                number.to_string().as_bytes()
            );
            pushers.push(push);
        }
        RawPeer::connect(&endpoint).await.await_close().await;
        let reason = ended(&mut monitor).await;
        assert!(
            matches!(reason, DisconnectReason::TooManyConnections { option } if option == expected)
        );
        assert_eq!(pull.stats().handshake_failures, 1);
        for push in &mut pushers {
            push.send("still here").await.unwrap();
            assert_eq!(
                within("a message", pull.recv()).await.unwrap(),
                "still here"
            );
        }
        // When one goes, there is room.
        drop(pushers.pop());
        assert!(matches!(ended(&mut monitor).await, DisconnectReason::Peer));
        let mut late = PushSocket::new();
        late.connect(&endpoint).unwrap();
        late.send("late").await.unwrap();
        assert_eq!(within("a message", pull.recv()).await.unwrap(), "late");
    }
}

#[tokio::test]
async fn silent_peers_keep_nobody_out() {
    let mut pull = PullSocket::builder().max_handshakes(3).build().unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(RawPeer::connect(&endpoint).await);
    }
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.send("let me in").await.unwrap();
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "let me in");
    let reason = ended(&mut monitor).await;
    assert!(matches!(
        reason,
        DisconnectReason::TooManyConnections {
            option: "max_handshakes"
        }
    ));
    silent[0].await_close().await;
    assert_eq!(pull.stats().handshake_failures, 1);
}

#[tokio::test]
async fn dripping_bytes_does_not_make_a_handshake_last_longer() {
    let mut pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut stream = TcpStream::connect(socket_address(&endpoint)).await.unwrap();
    let drip = async {
        loop {
            if stream.write_all(&[0xff]).await.is_err() {
                std::future::pending::<()>().await;
            }
            // A byte now and then is what is tested: the time for a handshake is not counted from the last one.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = drip => {}
        reason = ended(&mut monitor) => {
            assert!(matches!(reason, DisconnectReason::HandshakeTimeout(_)), "{reason:?}");
            assert_eq!(pull.stats().handshake_failures, 1);
        }
    }
}

#[tokio::test]
async fn a_peer_that_goes_over_a_limit_is_disconnected() {
    // Endless MORE frames; a command longer than allowed; an announcement of 2^63-1 bytes; a message of two frames that are
    // small enough, but not together.
    let frames = b"\x01\x01x".repeat(5);
    let command = [&[6][..], &513_u64.to_be_bytes()].concat();
    let huge = [&[2][..], &i64::MAX.to_be_bytes()].concat();
    let message = [&[1, 200][..], &[b'x'; 200], &[0, 200], &[b'x'; 200]].concat();
    for bytes in [frames, command, huge, message] {
        let mut pull = PullSocket::builder()
            .max_frames(4)
            .max_message_size(399)
            .max_command_size(512)
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&greeting()).await;
        peer.send(&ready("PUSH")).await;
        peer.try_send(&bytes).await;
        let reason = ended(&mut monitor).await;
        let over = zmtp_limit(&reason);
        assert!(over, "{reason:?}");
        assert_eq!(pull.stats().expelled, 1);
    }
}

fn zmtp_limit(reason: &DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Protocol(purezmq::zmtp::Error::Limit(_))
    )
}

#[tokio::test]
async fn a_long_handshake_command_is_refused_before_it_has_come() {
    let mut pull = PullSocket::builder()
        .max_handshake_size(512)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.send(&[&[6][..], &513_u64.to_be_bytes()].concat())
        .await;
    let reason = ended(&mut monitor).await;
    assert!(zmtp_limit(&reason), "{reason:?}");
    assert_eq!(pull.stats().handshake_failures, 1);
}

#[tokio::test]
async fn a_peer_that_subscribes_to_too_much_is_disconnected_and_others_are_not() {
    for (topics, bytes, expected) in [
        (Some(10), None, "max_subscriptions"),
        (None, Some(10 * 8), "max_subscription_bytes"),
    ] {
        let mut publisher = PubSocket::builder()
            .max_subscriptions(topics)
            .max_subscription_bytes(bytes)
            .build()
            .unwrap();
        let mut monitor = publisher.monitor();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut modest = SubSocket::new();
        for number in 0..10 {
            modest.subscribe(format!("topic-{number:02}"));
        }
        modest.connect(&endpoint).unwrap();
        within("a subscriber", publisher.wait_for_subscribers(1)).await;
        let mut greedy = SubSocket::builder()
            .reconnect_interval(None)
            .build()
            .unwrap();
        for number in 0..1000 {
            greedy.subscribe(format!("topic-{number:02}"));
        }
        greedy.connect(&endpoint).unwrap();
        // Hears its subscribers as long as it waits.
        tokio::select! {
            () = publisher.wait_for_subscribers(usize::MAX) => {}
            reason = ended(&mut monitor) => {
                let DisconnectReason::TooManySubscriptions { option } = reason else {
                    panic!("{reason:?}");
                };
                assert_eq!(option, expected);
            }
        }
        assert_eq!(publisher.stats().expelled, 1);
        assert_eq!(publisher.subscriber_count(), 1);
        assert_eq!(publisher.topics_count(), 10);
        publisher.send("topic-09 after").await.unwrap();
        let after = Message::from("topic-09 after");
        within("a message", async {
            while modest.recv().await.unwrap() != after {}
        })
        .await;
    }
}

/// A message that fills buffers.
fn large() -> Message {
    Message::from(vec![7; 100_000])
}

/// A peer that has shaken hands, wants all, and does not read.
async fn deaf(endpoint: &Endpoint, kind: &str) -> RawPeer {
    let mut peer = RawPeer::connect(endpoint).await;
    peer.shake_hands(kind).await;
    if kind == "SUB" {
        peer.send(b"\x04\x0a\x09SUBSCRIBE").await;
    }
    peer
}

/// Publishes until there is no room: for the system, and in the pipe.
async fn fill(publisher: &mut PubSocket) {
    let dropped = publisher.stats().dropped.full;
    within("a full pipe", async {
        while publisher.stats().dropped.full < dropped + 20 {
            publisher.send(large()).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Lets the clock alone go on, and all that waits for it have its turn.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
}

#[tokio::test]
async fn a_subscriber_that_takes_nothing_for_a_minute_is_disconnected() {
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .send_buffer(4096)
        .build()
        .unwrap();
    let mut monitor = publisher.monitor();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut deaf = deaf(&endpoint, "SUB").await;
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    // Twice almost a minute: in between it takes a little.
    for _ in 0..2 {
        fill(&mut publisher).await;
        pass(Duration::from_secs(58)).await;
        assert_eq!(publisher.stats().expelled, 0);
        let mut some = vec![0; 100_000];
        within("room", async {
            while publisher.stats().queued_to_send > 8 {
                deaf.stream.read_exact(&mut some).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    fill(&mut publisher).await;
    pass(Duration::from_secs(61)).await;
    let reason = ended(&mut monitor).await;
    let limit = Duration::from_secs(60);
    assert!(
        matches!(reason, DisconnectReason::WriteTimeout(after) if after == limit),
        "{reason:?}"
    );
    assert_eq!(publisher.subscriber_count(), 0);
    let stats = publisher.stats();
    assert_eq!((stats.expelled, stats.queued_to_send), (1, 0));
    deaf.await_close().await;
}

#[tokio::test]
async fn who_is_waited_for_by_design_is_waited_for() {
    let hour = Duration::from_secs(3600);
    let mut push = PushSocket::builder()
        .send_timeout(Duration::ZERO)
        .send_hwm_bytes(0)
        .build()
        .unwrap();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut busy = deaf(&endpoint, "PULL").await;
    let mut publisher = PubSocket::builder()
        .no_drop(true)
        .send_timeout(Duration::ZERO)
        .send_hwm_bytes(0)
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut slow = deaf(&endpoint, "SUB").await;
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    within("a full pipe", async {
        while push.stats().queued_to_send < 1000 {
            drop(push.send(large()).await);
            tokio::task::yield_now().await;
        }
    })
    .await;
    within("a full pipe", async {
        while publisher.stats().queued_to_send < 1000 {
            drop(publisher.send(large()).await);
            tokio::task::yield_now().await;
        }
    })
    .await;
    pass(hour).await;
    for (stats, peer) in [(push.stats(), &mut busy), (publisher.stats(), &mut slow)] {
        assert_eq!((stats.expelled, stats.peers.len()), (0, 1));
        // Much more than what the system had.
        peer.receive(50_000_000).await;
    }
}

#[tokio::test]
async fn a_lone_message_that_is_not_taken_has_its_time_too() {
    // The message is written by `send` itself, and only the connection's task has a clock.
    let mut push = PushSocket::builder()
        .write_timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let _deaf = deaf(&endpoint, "PULL").await;
    push.send(vec![7; 50_000_000]).await.unwrap();
    tokio::task::yield_now().await;
    pass(Duration::from_secs(11)).await;
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(reason, DisconnectReason::WriteTimeout(_)),
        "{reason:?}"
    );
}

#[tokio::test]
async fn what_a_peer_did_not_take_goes_to_the_next_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut push = PushSocket::builder()
        .write_timeout(Duration::from_secs(10))
        .send_timeout(Duration::ZERO)
        .send_hwm_bytes(0)
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(format!("tcp://{}", listener.local_addr().unwrap()).as_str())
        .unwrap();
    let accept = async || {
        let (stream, _) = within("a connection", listener.accept()).await.unwrap();
        let mut peer = RawPeer { stream };
        peer.shake_hands("PULL").await;
        peer
    };
    let _deaf = accept().await;
    let mut sent = 0_u32;
    within("a full pipe", async {
        while push.stats().queued_to_send < 1000 {
            let mut payload = vec![0; 100_000];
            payload[..4].copy_from_slice(&sent.to_be_bytes());
            match push.send(payload).await {
                Ok(()) => sent += 1,
                Err(SendError::Timeout(_)) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    pass(Duration::from_secs(11)).await;
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(reason, DisconnectReason::WriteTimeout(_)),
        "{reason:?}"
    );
    assert_eq!(push.stats().expelled, 1);
    let mut next = accept().await;
    // Whole messages in order, without a gap up to the last.
    let mut expected = None;
    while expected != Some(sent) {
        let head = next.receive(9 + 4).await;
        assert_eq!(head[..9], [2, 0, 0, 0, 0, 0, 1, 0x86, 0xa0]);
        let number = u32::from_be_bytes(head[9..].try_into().unwrap());
        assert_eq!(*expected.get_or_insert(number), number);
        expected = Some(number + 1);
        next.receive(100_000 - 4).await;
    }
}

#[tokio::test]
async fn who_asks_and_does_not_read_the_answers_is_disconnected() {
    let mut pull = PullSocket::builder()
        .send_buffer(4096)
        .write_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = deaf(&endpoint, "PUSH").await;
    let pings = b"\x04\x17\x04PING\0\0sixteen bytes: a".repeat(1000);
    let flood = async {
        while peer.stream.write_all(&pings).await.is_ok() {}
        std::future::pending().await
    };
    tokio::select! {
        () = flood => {}
        reason = ended(&mut monitor) => {
            assert!(matches!(reason, DisconnectReason::WriteTimeout(_)), "{reason:?}");
        }
    }
    assert_eq!(pull.stats().expelled, 1);
}

#[tokio::test]
async fn a_socket_without_authentication_can_be_kept_from_listening_to_the_world() {
    let keys = KeyPair::generate();
    let plain = Security::plain_client("joe", "secret").unwrap();
    let open = [Security::Null, Security::curve_server(keys.clone()), plain];
    for security in open {
        let strict = PullSocket::builder()
            .context(&Context::new())
            .security(security)
            .require_authentication(true);
        let mut pull = strict.build().unwrap();
        let everywhere = [
            "tcp://*:*",
            "tcp://0.0.0.0:*",
            "tcp://[::]:*",
            "tcp://[::ffff:0.0.0.0]:*",
        ];
        for endpoint in everywhere {
            let refused = pull.bind(endpoint).await;
            assert!(
                matches!(refused, Err(BindError::Unauthenticated { .. })),
                "{refused:?}"
            );
        }
        let refused = pull.adopt(StdListener::bind("0.0.0.0:0").unwrap()).await;
        assert!(
            matches!(refused, Err(BindError::Unauthenticated { .. })),
            "{refused:?}"
        );
        let near = StdListener::bind("127.0.0.1:0").unwrap();
        pull.adopt(near).await.unwrap();
        pull.bind("tcp://127.0.0.1:*").await.unwrap();
        pull.bind("tcp://[::1]:*").await.unwrap();
        pull.bind("inproc://here").await.unwrap();
    }
    let closed = [
        Security::plain_server(),
        Security::curve_client(KeyPair::generate(), *keys.public()),
    ];
    for security in closed {
        let mut pull = PullSocket::builder()
            .security(security)
            .require_authentication(true)
            .build()
            .unwrap();
        pull.bind("tcp://*:*").await.unwrap();
    }
    // Somebody to ask is enough.
    let context = Context::new();
    context.set_authenticator(purezmq::security::CurveKeys::any());
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(Security::curve_server(keys))
        .require_authentication(true)
        .build()
        .unwrap();
    pull.bind("tcp://*:*").await.unwrap();
}
