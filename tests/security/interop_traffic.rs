//! Encrypted connections between us and libzmq (pyzmq) that break and come back, are idle, or carry much.

use std::net::SocketAddr;
use std::time::Duration;

use common::events::event;
use common::payload::{Digest, text};
use common::peer::Peer;
use common::place::{Place, Transport, free_port};
use common::within;
use purezmq::{MonitorEventKind, PairSocket, PullSocket, PushSocket};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::interop::{Mechanism, Trust, We, meet, one};

#[tokio::test]
async fn messages_survive_a_reconnect_with_a_new_handshake() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let mut push = PushSocket::builder()
            .security(trust.ours(We::Ask))
            .reconnect_interval(Duration::from_millis(10))
            .build()
            .unwrap();
        let mut theirs = trust.open("PULL", We::Ask, json!({})).await;
        let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
        push.connect(endpoint.as_str()).unwrap();
        push.send("first").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("first"));
        let mut monitor = push.monitor();
        theirs.kill().await;
        let gone = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
        event(&mut monitor, "a connection's end", gone).await;
        for number in 0..100 {
            push.send(number.to_string()).await.unwrap();
        }
        let mut again = trust.open("PULL", We::Ask, json!({})).await;
        again.bind(&endpoint).await;
        let expected: Vec<_> = (0..100).map(|n| Digest::of([n.to_string()])).collect();
        assert_eq!(again.recv(100).await, expected);
        assert_eq!(push.stats().reconnects, 1);
    }
}

#[tokio::test]
async fn their_client_comes_back_with_a_new_handshake() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let endpoint = format!("tcp://127.0.0.1:{}", free_port());
        let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
        theirs.connect(&endpoint).await;
        for number in ["1", "2"] {
            let mut pull = PullSocket::builder()
                .context(&trust.context())
                .security(trust.ours(We::Serve))
                .build()
                .unwrap();
            let mut monitor = pull.monitor();
            pull.bind(endpoint.as_str()).await.unwrap();
            event(&mut monitor, "an event", |kind| {
                matches!(kind, MonitorEventKind::HandshakeSucceeded)
            })
            .await;
            theirs.send(&[text(number)]).await;
            assert_eq!(within("a message", pull.recv()).await.unwrap(), number);
            pull.close().await;
        }
    }
}

/// Passes connections on to `to`, and breaks the first one after so many bytes of the client.
async fn relay(listener: TcpListener, to: SocketAddr, mut break_after: Option<u64>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let most = break_after.take().unwrap_or(u64::MAX);
        let mut forth = (&mut from_client).take(most);
        tokio::select! {
            _ = tokio::io::copy(&mut forth, &mut to_server) => {}
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        }
    }
}

/// A batch of them is far more than what is encrypted at once.
#[tokio::test]
async fn large_messages_keep_their_order_when_a_connection_breaks() {
    const COUNT: usize = 400;
    let trust = Trust::new(Mechanism::Curve);
    let mut pull = PullSocket::builder()
        .context(&trust.context())
        .security(trust.ours(We::Serve))
        .build()
        .unwrap();
    let bound = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let relay = tokio::spawn(relay(
        listener,
        common::raw::socket_address(&bound),
        Some(5_000_000),
    ));
    let mut push = PushSocket::builder()
        .security(trust.ours(We::Ask))
        .reconnect_interval(Duration::from_millis(10))
        .build()
        .unwrap();
    // They are queued before there is a connection.
    push.connect(endpoint.as_str()).unwrap();
    for number in 0..COUNT {
        let body = vec![number as u8; 64 * 1024];
        push.send([number.to_string().into_bytes(), body])
            .await
            .unwrap();
    }
    let mut numbers = Vec::new();
    while numbers.last() != Some(&(COUNT - 1)) {
        let message = within("a message", pull.recv()).await.unwrap();
        let number: usize = std::str::from_utf8(&message[0]).unwrap().parse().unwrap();
        assert!(message[1].iter().all(|byte| *byte == number as u8));
        numbers.push(number);
    }
    // What is left of the first connection and what comes by the second is read in turn; each is in order.
    let in_order = |range: std::ops::Range<usize>| {
        let of_one = numbers.iter().filter(|number| range.contains(number));
        of_one.is_sorted_by(|earlier, later| earlier < later)
    };
    let breaks = (0..=COUNT).any(|at| in_order(0..at) && in_order(at..COUNT));
    assert!(breaks, "{numbers:?}");
    // What was written when the connection broke is lost, in one piece.
    numbers.sort_unstable();
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1);
    assert!(gaps.count() <= 1, "{numbers:?}");
    assert!(numbers.len() > COUNT / 2, "{}", numbers.len());
    assert_eq!(push.stats().reconnects, 1);
    relay.abort();
}

#[tokio::test]
async fn heartbeats_go_on_in_the_encrypted_channel() {
    for we in [We::Serve, We::Ask] {
        let trust = Trust::new(Mechanism::Curve);
        let more = json!({ "HEARTBEAT_IVL": 30, "HEARTBEAT_TIMEOUT": 10_000 });
        let mut ours = PairSocket::builder()
            .context(&trust.context())
            .security(trust.ours(we))
            .heartbeat_interval(Duration::from_millis(30))
            .heartbeat_timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let mut monitor = ours.monitor();
        let mut theirs = trust.open("PAIR", we, more).await;
        let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap();
        theirs.connect(&endpoint.to_string()).await;
        // The connection stands while nothing else is said: all that comes in that time is PING and PONG.
        for number in 0..20 {
            let number = number.to_string();
            ours.send(number.as_str()).await.unwrap();
            assert_eq!(theirs.recv(1).await, one(&number));
            // Longer than the interval.
            tokio::time::sleep(Duration::from_millis(35)).await;
        }
        theirs.send(&[text("still here")]).await;
        assert_eq!(
            within("a message", ours.recv()).await.unwrap(),
            "still here"
        );
        let ended = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
        drop(theirs);
        event(&mut monitor, "a connection's end", ended).await;
        assert_eq!(ours.stats().handshake_failures, 0);
    }
}

#[tokio::test]
async fn large_messages_pass_both_ways() {
    let large: Vec<u8> = (0..10 << 20).map(|i: u32| (i % 251) as u8).collect();
    let digest = Digest::of([&large[..]]);
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        for we in [We::Serve, We::Ask] {
            let (trust, place) = (Trust::new(mechanism), Place::any(Transport::Tcp4));
            let (mut ours, mut theirs) = meet!(PairSocket, "PAIR", trust, we, true, place);
            ours.send(large.clone()).await.unwrap();
            assert_eq!(theirs.echo(1).await, std::slice::from_ref(&digest));
            let back = within("a large message", ours.recv()).await.unwrap();
            assert!(back == large[..]);
        }
    }
}

/// `PUREZMQ_MESSAGES=1000000` sends as many, or any other number.
fn many() -> usize {
    let number = std::env::var("PUREZMQ_MESSAGES").ok();
    number.map_or(50_000, |number| number.parse().expect("a number"))
}

#[tokio::test]
async fn many_small_messages_pass_both_ways() {
    /// What they are asked for in one order, which has to be done in time.
    const ORDER: usize = 50_000;
    let count = many();
    let (trust, place) = (Trust::new(Mechanism::Curve), Place::any(Transport::Tcp4));
    let (mut push, mut theirs) = meet!(PushSocket, "PULL", trust, We::Ask, false, place);
    let feed = async {
        for number in 0..count {
            push.send(number.to_string()).await.unwrap();
        }
    };
    let take = async {
        for from in (0..count).step_by(ORDER) {
            let to = count.min(from + ORDER);
            let expected: Vec<_> = (from..to).map(|n| Digest::of([n.to_string()])).collect();
            assert!(theirs.recv(to - from).await == expected);
        }
    };
    tokio::join!(feed, take);

    let place = Place::any(Transport::Tcp4);
    let (mut pull, mut theirs) = meet!(PullSocket, "PUSH", trust, We::Serve, true, place);
    theirs
        .start(json!({ "do": "flood", "prefixes": [""], "pause": 0 }))
        .await;
    for number in 0..count {
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message, number.to_string().as_bytes());
    }
}
