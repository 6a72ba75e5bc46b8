//! Weaknesses that libzmq and its users have had, by their numbers: the same input, and what becomes of it here.

use std::time::Duration;

use common::events::ended;
use common::raw::{RawPeer, greeting, ready, short_frame};
use common::within;
use purezmq::security::{KeyPair, PublicKey, Security};
use purezmq::zmtp::{Error, Incompatible, Violation};
use purezmq::{
    Context, DisconnectReason, Endpoint, Message, PubSocket, PullSocket, PushSocket, SubSocket,
    XPubSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A CURVE server that lets in whoever knows its key.
async fn curve_pull() -> (PullSocket, Endpoint, PublicKey) {
    let keys = KeyPair::generate();
    let public = *keys.public();
    let mut pull = PullSocket::builder()
        .context(&Context::new())
        .security(Security::curve_server(keys))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    (pull, endpoint, public)
}

async fn honest(endpoint: &Endpoint, server: PublicKey) -> PushSocket {
    let security = Security::curve_client(KeyPair::generate(), server);
    let mut push = PushSocket::builder().security(security).build().unwrap();
    push.connect(endpoint).unwrap();
    push
}

/// A relay between a client and `server`: its own endpoint, and what is to be awaited. It passes on what the client says
/// until `change` has something else to say instead, and the connections stay as they are then.
async fn relay(
    server: Endpoint,
    change: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> (Endpoint, impl Future<Output = (TcpStream, RawPeer)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("tcp://{}", listener.local_addr().unwrap());
    let relay = async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut peer = RawPeer::connect(&server).await;
        let (mut said, mut back) = ([0; 4096], [0; 4096]);
        loop {
            tokio::select! {
                count = client.read(&mut said) => {
                    let piece = &said[..count.unwrap()];
                    match change(piece) {
                        None => peer.send(piece).await,
                        Some(other) => {
                            peer.try_send(&other).await;
                            return (client, peer);
                        }
                    }
                }
                count = peer.stream.read(&mut back) => {
                    client.write_all(&back[..count.unwrap()]).await.unwrap();
                }
            }
        }
    };
    (place.parse().unwrap(), relay)
}

fn curve_greeting() -> [u8; 64] {
    let mut greeting = greeting();
    greeting[12..17].copy_from_slice(b"CURVE");
    greeting
}

/// A peer that claims to be too old for security came in past it.
#[tokio::test]
async fn cve_2014_7202_and_9721_an_old_version_is_no_way_around_security() {
    for (old, message) in [
        (&b"\x01\x00"[..], &b"\x03\x00hi"[..]),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x00\x08", b"\x01\x00\x03\x00hi"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08", b"\x00\x00\x00\x02hi"),
    ] {
        let (mut pull, endpoint, server) = curve_pull().await;
        let mut monitor = pull.monitor();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(old).await;
        peer.try_send(message).await;
        peer.await_close().await;
        let reason = ended(&mut monitor).await;
        assert!(
            matches!(
                reason,
                DisconnectReason::Protocol(Error::Incompatible(Incompatible::Version { .. }))
            ),
            "{reason:?}"
        );
        honest(&endpoint, server)
            .await
            .send("honest")
            .await
            .unwrap();
        assert_eq!(within("a message", pull.recv()).await.unwrap(), "honest");
    }
    // Nor is it a way around an authenticator that is asked about NULL peers.
    let mut pull = PullSocket::builder()
        .context(&Context::new())
        .zap_domain("here")
        .zap_enforce_domain(true)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(b"\x01\x00").await;
    peer.await_close().await;
    assert!(matches!(
        ended(&mut monitor).await,
        DisconnectReason::Protocol(Error::Incompatible(Incompatible::Version { .. }))
    ));
}

/// Messages under CURVE could be recorded and sent once more.
#[tokio::test]
async fn cve_2014_7203_a_recorded_message_is_refused() {
    let (mut pull, endpoint, server) = curve_pull().await;
    let mut monitor = pull.monitor();
    let (place, relay) = relay(endpoint, |piece| {
        // MESSAGE: a short frame without flags. It is sent twice.
        let is_message = piece.starts_with(&[0, 33 + 8]);
        is_message.then(|| [piece, piece].concat())
    })
    .await;
    let mut push = honest(&place, server).await;
    let said = push.send("pay once");
    let (sent, _held) = within("a replay", async { tokio::join!(said, relay) }).await;
    sent.unwrap();
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "pay once");
    let reason = ended(&mut monitor).await;
    let expected = Error::Violation(Violation::Nonce);
    assert!(matches!(reason, DisconnectReason::Protocol(error) if error == expected));
    assert!(pull.try_recv().is_err());
}

/// A frame size that overflows when something is added to it wrote beyond the buffer.
#[tokio::test]
async fn cve_2019_6250_a_size_that_overflows_ends_the_connection() {
    for size in [u64::MAX, u64::MAX - 8, 1 << 63, i64::MAX as u64] {
        let mut pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("PUSH").await;
        peer.send(&short_frame(b"before")).await;
        peer.send(&[&[2][..], &size.to_be_bytes(), &[b'x'; 100]].concat())
            .await;
        peer.await_close().await;
        let reason = ended(&mut monitor).await;
        let blamed = Error::Violation(Violation::FrameSize);
        assert!(
            matches!(&reason, DisconnectReason::Protocol(error) if *error == blamed)
                || matches!(reason, DisconnectReason::Protocol(Error::Limit(_))),
            "{reason:?}"
        );
        assert_eq!(within("a message", pull.recv()).await.unwrap(), "before");
    }
}

/// An INITIATE that is longer than the buffer it was decrypted to, and other commands of any length.
#[tokio::test]
async fn cve_2019_13132_and_2020_36400_long_handshakes_end_the_connection() {
    for len in [257, 512, 10_000, 65_536, 65_537, 1 << 30] {
        for name in [&b"\x05HELLO\x01\0"[..], b"\x08INITIATE", b"\x07MESSAGE"] {
            let (mut pull, endpoint, server) = curve_pull().await;
            let mut monitor = pull.monitor();
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.send(&curve_greeting()).await;
            let mut command = [&[6][..], &(len as u64).to_be_bytes(), name].concat();
            command.resize(9 + len.min(100_000), 0x55);
            peer.try_send(&command).await;
            peer.await_close().await;
            let reason = ended(&mut monitor).await;
            assert!(
                matches!(reason, DisconnectReason::Protocol(_)),
                "{reason:?}"
            );
            if len == 512 {
                honest(&endpoint, server)
                    .await
                    .send("honest")
                    .await
                    .unwrap();
                assert_eq!(within("a message", pull.recv()).await.unwrap(), "honest");
            }
        }
    }
}

/// The same at the point where the buffer was: an INITIATE that follows WELCOME, and is longer than it should be.
#[tokio::test]
async fn cve_2019_13132_a_long_initiate_after_welcome_ends_the_connection() {
    for (more, is_limited) in [(1, false), (512, false), (60_000, false), (70_000, true)] {
        let (mut pull, endpoint, server) = curve_pull().await;
        let mut monitor = pull.monitor();
        let (place, relay) = relay(endpoint.clone(), |piece| {
            let name = piece.windows(9).position(|name| name == b"\x08INITIATE")?;
            let mut body = piece[name..].to_vec();
            body.resize(body.len() + more, 0x55);
            Some([&[6][..], &(body.len() as u64).to_be_bytes(), &body].concat())
        })
        .await;
        let _lured = honest(&place, server).await;
        let _held = within("an INITIATE", relay).await;
        let DisconnectReason::Protocol(error) = ended(&mut monitor).await else {
            panic!("not for the protocol's sake");
        };
        if is_limited {
            assert!(matches!(error, Error::Limit(_)), "{error:?}");
        } else {
            assert_eq!(error, Error::Violation(Violation::Box));
        }
        let mut push = honest(&endpoint, server).await;
        push.send("honest").await.unwrap();
        assert_eq!(within("a message", pull.recv()).await.unwrap(), "honest");
    }
}

/// Clients that never finish their handshake took the places of those that do; what they sent before was kept.
#[tokio::test]
async fn cve_2020_15166_and_2021_20234_who_has_not_shaken_hands_holds_nothing() {
    let keys = KeyPair::generate();
    let server = *keys.public();
    let mut publisher = XPubSocket::builder()
        .context(&Context::new())
        .security(Security::curve_server(keys))
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let (mut strangers, mut silent) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&curve_greeting()).await;
        silent.push(peer);
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&curve_greeting()).await;
        // A subscription in the clear, before any handshake.
        peer.try_send(b"\x04\x0b\x09SUBSCRIBEA").await;
        strangers.push(peer);
    }
    for peer in &mut strangers {
        peer.await_close().await;
    }
    let security = Security::curve_client(KeyPair::generate(), server);
    let mut sub = SubSocket::builder().security(security).build().unwrap();
    sub.subscribe("honest");
    sub.connect(&endpoint).unwrap();
    let first = within("a subscription", publisher.recv()).await.unwrap();
    assert_eq!(first, "\u{1}honest");
    publisher.send("honest news").await.unwrap();
    let news = within("a publication", sub.recv()).await.unwrap();
    assert_eq!(news, "honest news");
    let stats = publisher.stats();
    assert_eq!(stats.handshake_failures, 50);
    assert_eq!((stats.peers.len(), stats.queued_to_send), (1, 0));
    assert_eq!(publisher.topics_count(), 1);
    // Those who have said nothing more got our greeting, and nothing else.
    for peer in &mut silent {
        peer.receive(64).await;
        let mut more = [0];
        assert!(peer.stream.try_read(&mut more).is_err());
    }
}

/// ZMTP 1.0 frames overran a buffer; the sizes are those at its edges.
#[tokio::test]
async fn cve_2021_20235_frames_of_version_1_of_any_size_arrive_or_end_the_connection() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(b"\x01\x00").await;
    for size in [0, 1, 253, 254, 255, 8191, 8192, 8193, 65_536, 300_000] {
        let mut frame = vec![0xff];
        frame.extend(u64::to_be_bytes(size as u64 + 1));
        frame.push(0);
        frame.resize(frame.len() + size, b'x');
        peer.send(&frame).await;
        let got = within("a message", pull.recv()).await.unwrap();
        assert_eq!(got.first().map(<[u8]>::len), Some(size));
    }
    let mut monitor = pull.monitor();
    peer.send(&[&[0xff][..], &u64::MAX.to_be_bytes(), &[0]].concat())
        .await;
    peer.await_close().await;
    assert!(matches!(
        ended(&mut monitor).await,
        DisconnectReason::Protocol(_)
    ));
}

/// Long topics overflowed the stack when the tree of subscriptions was taken down.
#[tokio::test]
async fn cve_2021_20236_long_topics_do_no_harm() {
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("SUB").await;
    let topic = vec![b'A'; 1_000_000];
    // The topic, and each of many of its beginnings, so that the tree is as deep as it gets.
    let feed = tokio::spawn(async move {
        for len in (1..20_000).step_by(7).chain([topic.len()]) {
            let body = [&b"\x09SUBSCRIBE"[..], &topic[..len]].concat();
            let header = [&[6][..], &(body.len() as u64).to_be_bytes()].concat();
            peer.send(&[header, body].concat()).await;
        }
        peer
    });
    within("a deep tree", async {
        while publisher.topics_count() < 2858 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(feed.await.unwrap());
    within("an empty tree", async {
        while publisher.topics_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Subscriptions of strangers stayed in memory; cancelled and repeated ones, too.
#[tokio::test]
async fn cve_2021_20237_subscriptions_go_with_their_subscriber() {
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    for _ in 0..20 {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("SUB").await;
        for _ in 0..100 {
            peer.send(b"\x04\x0b\x09SUBSCRIBEA\x04\x08\x06CANCELB")
                .await;
        }
        within("a subscriber", publisher.wait_for_subscribers(1)).await;
        assert_eq!(publisher.topics_count(), 1);
        drop(peer);
        within("nobody", async {
            while publisher.subscriber_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(publisher.topics_count(), 0);
    }
}

/// A subscriber that connects and never reads made the publisher keep all that it published.
#[tokio::test]
async fn cve_2025_30202_a_subscriber_that_never_reads_costs_what_the_options_say() {
    let mut publisher = PubSocket::builder()
        .send_hwm(10)
        .send_buffer(4096)
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut deaf = RawPeer::connect(&endpoint).await;
    deaf.shake_hands("SUB").await;
    deaf.send(b"\x04\x0a\x09SUBSCRIBE").await;
    let mut listener = SubSocket::new();
    listener.subscribe("");
    listener.connect(&endpoint).unwrap();
    within("two subscribers", publisher.wait_for_subscribers(2)).await;
    let large = Message::from(vec![7; 100_000]);
    for _ in 0..200 {
        publisher.send(large.clone()).await.unwrap();
        // The other one misses nothing.
        assert_eq!(within("a message", listener.recv()).await.unwrap(), large);
    }
    let stats = publisher.stats();
    assert!(stats.queued_to_send <= 10, "{}", stats.queued_to_send);
    assert!(stats.dropped.full > 100, "{:?}", stats.dropped);
    // Nor does it stay: that is for a minute, in which nobody else is disturbed.
    let mut monitor = publisher.monitor();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let reason = ended(&mut monitor).await;
    tokio::time::resume();
    assert!(
        matches!(reason, DisconnectReason::WriteTimeout(_)),
        "{reason:?}"
    );
    deaf.await_close().await;
    publisher.send("after").await.unwrap();
    assert_eq!(within("a message", listener.recv()).await.unwrap(), "after");
    let stats = publisher.stats();
    assert_eq!((stats.expelled, stats.peers.len()), (1, 1));
    assert_eq!(publisher.subscriber_count(), 1);
}

/// A peer that says READY and then nothing, again and again, leaves nothing behind.
#[tokio::test]
async fn half_open_peers_leave_nothing_behind() {
    let mut pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut monitor = pull.monitor();
    let mut peers = Vec::new();
    for (number, begin) in [&b""[..], &greeting()[..10], &greeting(), &ready("PUSH")]
        .into_iter()
        .cycle()
        .take(100)
        .enumerate()
    {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.try_send(begin).await;
        if number % 2 == 0 {
            peers.push(peer);
        }
    }
    for _ in 0..100 {
        ended(&mut monitor).await;
    }
    let stats = pull.stats();
    assert_eq!(stats.handshake_failures, 100);
    assert!(stats.peers.is_empty());
}
