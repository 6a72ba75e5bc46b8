//! What peers may take: connections, handshakes, frames, commands, subscriptions; and the guard against sockets that are
//! open to the world without anybody having meant it.

mod common;

use std::time::Duration;

use common::events::ended;
use common::raw::{RawPeer, greeting, ready, socket_address};
use common::within;
use purezmq::security::{KeyPair, Security};
use purezmq::{
    BindError, Context, DisconnectReason, Message, PubSocket, PullSocket, PushSocket, SubSocket,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
        assert!(matches!(reason, DisconnectReason::Crowded { option } if option == expected));
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
        DisconnectReason::Crowded {
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
                let DisconnectReason::Subscriptions { option } = reason else {
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
        for endpoint in ["tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*"] {
            let refused = pull.bind(endpoint).await;
            assert!(
                matches!(refused, Err(BindError::Unauthenticated { .. })),
                "{refused:?}"
            );
        }
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
