//! One call does a bounded amount, whatever peers send: it comes back in time, hears who comes meanwhile, and lets others
//! have their turn.

use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::SocketType::{Channel, Client, Dish, Gather, Peer, Rep, Server, Sub};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, Context, Endpoint, PubSocket, RadioSocket, RecvError, RepSocket, ReqSocket,
    SocketType, SubSocket, XPubSocket,
};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

/// Far more than one call does.
const MANY: usize = 100_000;

/// What one call, or one poll of it, throws away at most.
const SHARES: u64 = 10_000;

/// Who throws away what, and from whom.
fn what_is_thrown_away() -> [(SocketType, &'static str, Vec<u8>); 9] {
    let multipart = [&[1, 1, b'x'][..], &short_frame(b"y")].concat();
    [
        (Sub, "PUB", short_frame(b"unwanted")),
        (Rep, "REQ", short_frame(b"no envelope")),
        (Gather, "SCATTER", multipart.clone()),
        (Client, "SERVER", multipart.clone()),
        (Server, "CLIENT", multipart.clone()),
        (Channel, "CHANNEL", multipart.clone()),
        (Peer, "PEER", multipart.clone()),
        (Dish, "RADIO", multipart),
        (SocketType::Req, "REP", short_frame(b"not asked")),
    ]
}

fn open(socket_type: SocketType, chosen: &[(&str, Value)]) -> AnySocket {
    let mut options = Options::of(socket_type);
    for (name, value) in chosen {
        let id = OptionId::by_name(name).expect("an option");
        options.set(id, value.clone()).expect("a value in range");
    }
    let mut socket =
        AnySocket::with_options(socket_type, &Context::new(), options).expect("options");
    if socket_type == Sub {
        assert!(socket.subscribe("wanted"));
    }
    socket
}

#[tokio::test]
async fn one_poll_throws_away_so_much_and_no_more() {
    for (socket_type, peer_type, message) in what_is_thrown_away() {
        for waits in [false, true] {
            let mut socket = open(
                socket_type,
                &[("recv_hwm", 0.into()), ("recv_hwm_bytes", 0.into())],
            );
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.shake_hands(peer_type).await;
            if socket_type == SocketType::Req {
                within("send", socket.send("question")).await.unwrap();
            }
            for _ in 0..10 {
                peer.send(&message.repeat(MANY / 10)).await;
            }
            within("all of it", async {
                while socket.stats().received.messages < MANY as u64 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            if waits {
                let mut receiving = pin!(socket.recv());
                let mut cx = TaskContext::from_waker(Waker::noop());
                assert!(matches!(receiving.as_mut().poll(&mut cx), Poll::Pending));
            } else {
                assert!(matches!(socket.try_recv(), Err(RecvError::Empty)));
            }
            let discarded = socket.stats().dropped.discarded;
            assert!(
                discarded > 0 && discarded <= SHARES,
                "{socket_type}: {discarded}"
            );
            // It goes on where it has stopped.
            while socket.stats().dropped.discarded < MANY as u64 {
                assert!(matches!(socket.try_recv(), Err(RecvError::Empty)));
            }
        }
    }
}

/// Peers that send the same for ever, from another thread.
struct Flood {
    _peers: JoinSet<()>,
}

impl Flood {
    async fn begin(endpoint: &Endpoint, peer_type: &'static str, message: Vec<u8>) -> Flood {
        let mut peers = JoinSet::new();
        let count = if peer_type == "CHANNEL" { 1 } else { 4 };
        for _ in 0..count {
            let mut peer = RawPeer::connect(endpoint).await;
            peer.shake_hands(peer_type).await;
            let flood = message.repeat(1000);
            peers.spawn(async move { while peer.stream.write_all(&flood).await.is_ok() {} });
        }
        Flood { _peers: peers }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_time_limit_holds_under_a_flood_of_what_is_thrown_away() {
    for (socket_type, peer_type, message) in what_is_thrown_away() {
        let limit = Duration::from_millis(50);
        let mut socket = open(socket_type, &[("recv_timeout", limit.into())]);
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        let _flood = Flood::begin(&endpoint, peer_type, message).await;
        if socket_type == SocketType::Req {
            within("send", socket.send("question")).await.unwrap();
        }
        // Never, if the call goes on for as long as there is something to throw away.
        let received = within("the time limit", socket.recv()).await;
        assert!(matches!(received, Err(RecvError::Timeout)), "{socket_type}");
        // The application's own limit, too.
        let mut options = socket.options();
        let id = OptionId::by_name("recv_timeout").expect("an option");
        options.set(id, Value::None).expect("a value in range");
        socket.set_options(options).expect("options");
        let limited = tokio::time::timeout(limit, socket.recv());
        assert!(within("the limit", limited).await.is_err(), "{socket_type}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_comes_during_a_flood_is_heard() {
    let mut sub = SubSocket::new();
    sub.subscribe("wanted");
    let endpoint = sub.bind("tcp://127.0.0.1:*").await.unwrap();
    let _flood = Flood::begin(&endpoint, "PUB", short_frame(b"unwanted")).await;
    let honest = tokio::spawn(async move {
        let mut publisher = PubSocket::new();
        publisher.connect(&endpoint).unwrap();
        publisher.wait_for_subscribers(1).await;
        publisher.send("wanted").await.unwrap();
        publisher
    });
    assert_eq!(within("the news", sub.recv()).await.unwrap(), "wanted");
    drop(honest);

    let mut rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let _flood = Flood::begin(&endpoint, "REQ", short_frame(b"no envelope")).await;
    let honest = tokio::spawn(async move {
        let mut req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        req.send("question").await.unwrap();
        req.recv().await.unwrap()
    });
    assert_eq!(within("a request", rep.recv()).await.unwrap(), "question");
    rep.send("answer").await.unwrap();
    assert_eq!(within("the reply", honest).await.unwrap(), "answer");
}

/// Subscriptions that come and go for ever keep nobody from publishing, counting, or waiting for others.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_flood_of_subscriptions_holds_no_call_up() {
    let flood = [short_frame(b"\x01a"), short_frame(b"\x00a")].concat();
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let _flood = Flood::begin(&endpoint, "SUB", flood.clone()).await;
    let waits = publisher.wait_for_subscribers(100);
    let limited = tokio::time::timeout(Duration::from_millis(50), waits);
    assert!(within("the limit", limited).await.is_err());
    let counts = tokio::task::spawn_blocking(move || {
        let counted = (publisher.subscriber_count(), publisher.topics_count());
        (publisher, counted)
    });
    let (mut publisher, counted) = within("counting", counts).await.unwrap();
    assert!(counted.0 <= 4 && counted.1 <= 1, "{counted:?}");
    within("send", publisher.send("b")).await.unwrap();

    let groups = [&b"\x04\x06\x04JOINa"[..], b"\x04\x07\x05LEAVEa"].concat();
    let mut radio = RadioSocket::new();
    let endpoint = radio.bind("tcp://127.0.0.1:*").await.unwrap();
    let _flood = Flood::begin(&endpoint, "DISH", groups).await;
    let waits = radio.wait_for_subscribers(100);
    let limited = tokio::time::timeout(Duration::from_millis(50), waits);
    assert!(within("the limit", limited).await.is_err());
    within("send", radio.send_to("b", "it")).await.unwrap();

    let mut publisher = XPubSocket::builder().recv_hwm(100).build().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    // What changes nothing gives the application nothing.
    let repeated = short_frame(b"\x01a");
    let _flood = Flood::begin(&endpoint, "SUB", repeated).await;
    assert_eq!(
        within("a notice", publisher.recv()).await.unwrap(),
        "\u{1}a"
    );
    let limited = tokio::time::timeout(Duration::from_millis(50), publisher.recv());
    assert!(within("the limit", limited).await.is_err());
    within("send", publisher.send("b")).await.unwrap();
    within("counting", async { publisher.subscriber_count() }).await;
}
