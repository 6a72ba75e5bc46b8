//! What has come is delivered, and in order, whatever ends: an endpoint, a connection, one direction of it, an attempt.

use std::thread;
use std::time::Duration;

use common::events::{connected, ended, event};
use common::place::{Place, Transport};
use common::{until, within};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, Context, DealerSocket, DisconnectReason, Endpoint, Message, MonitorEventKind,
    PairSocket, RepSocket, ReqSocket, SendError, SocketType, XPubSocket, XSubSocket,
};

const ALL: [&str; 3] = ["tcp://127.0.0.1:*", "ipc://*", "inproc://delivery"];
const STREAMS: [&str; 2] = ["tcp://127.0.0.1:*", "ipc://*"];

/// Who sends to whom, of all types that receive messages without having asked.
const PAIRS: [(SocketType, SocketType); 11] = [
    (SocketType::Push, SocketType::Pull),
    (SocketType::Client, SocketType::Server),
    (SocketType::Channel, SocketType::Channel),
    (SocketType::Radio, SocketType::Dish),
    (SocketType::Dealer, SocketType::Dealer),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Pair, SocketType::Pair),
    (SocketType::Pub, SocketType::Sub),
    (SocketType::XPub, SocketType::XSub),
    (SocketType::Scatter, SocketType::Gather),
];

/// A socket with options of its own.
fn open(kind: SocketType, context: &Context, options: &[(&str, Value)]) -> AnySocket {
    let mut given = Options::of(kind);
    for (option, value) in options {
        let id = OptionId::by_name(option).unwrap();
        given.set(id, value.clone()).unwrap();
    }
    let mut socket = AnySocket::with_options(kind, context, given).unwrap();
    if [SocketType::Sub, SocketType::XSub].contains(&kind) {
        socket.subscribe("");
    }
    if kind == SocketType::Dish {
        socket.join("group").unwrap();
    }
    socket
}

/// A socket that others connect to, under a name that a ROUTER can send to.
fn receiver(kind: SocketType, context: &Context) -> AnySocket {
    match kind {
        SocketType::Dealer => open(kind, context, &[("routing_id", "receiver".into())]),
        _ => open(kind, context, &[]),
    }
}

/// Sends numbers to the receiver, once it can be sent to.
async fn send(sender: &mut AnySocket, numbers: std::ops::Range<usize>) {
    let kind = sender.socket_type();
    if [SocketType::Pub, SocketType::XPub, SocketType::Radio].contains(&kind) {
        until("a subscriber", || sender.subscriber_count() > 0).await;
    }
    for number in numbers {
        let mut message = Message::from(number.to_string());
        match kind {
            SocketType::Router => message.push_front("receiver"),
            SocketType::Radio => message.push_front("group"),
            _ => {}
        }
        // A ROUTER drops what is for a peer that it does not know yet.
        let sent = async {
            while let Err(SendError::Unroutable { .. }) = sender.send(message.clone()).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within("sent", sent).await;
    }
}

fn number(message: &Message) -> usize {
    let last = message.iter().last().unwrap();
    std::str::from_utf8(last).unwrap().parse().unwrap()
}

/// What can be taken without waiting.
fn waiting(receiver: &mut AnySocket) -> Vec<usize> {
    std::iter::from_fn(|| receiver.try_recv().ok())
        .map(|message| number(&message))
        .collect()
}

/// Two sockets, the first of which connects to the second, and can send to it.
async fn join(
    (sends, receives): (SocketType, SocketType),
    way: &str,
) -> (AnySocket, AnySocket, Endpoint, Context) {
    let context = Context::new();
    let mut receiver = receiver(receives, &context);
    let endpoint = receiver.bind(way).await.unwrap();
    let sender = connect(sends, &context, &endpoint).await;
    (sender, receiver, endpoint, context)
}

async fn connect(kind: SocketType, context: &Context, endpoint: &Endpoint) -> AnySocket {
    let mut sender = match kind {
        SocketType::Router => open(kind, context, &[("mandatory", true.into())]),
        _ => open(kind, context, &[]),
    };
    let mut monitor = sender.monitor();
    sender.connect(endpoint).unwrap();
    if endpoint.inproc().is_none() {
        connected(&mut monitor).await;
    }
    sender
}

#[tokio::test]
async fn who_stops_listening_still_reads_what_has_come() {
    // R-CONN-4, R-CONN-16
    for pair in PAIRS {
        for (way, has_left) in ALL
            .map(|way| (way, false))
            .into_iter()
            .chain(STREAMS.map(|way| (way, true)))
        {
            let (mut sender, mut receiver, endpoint, _context) = join(pair, way).await;
            send(&mut sender, 0..100).await;
            if endpoint.inproc().is_none() {
                until("all are here", || receiver.stats().queued_to_receive == 100).await;
            }
            let mut sender = Some(sender);
            if has_left {
                let mut monitor = receiver.monitor();
                sender.take().unwrap().close().await;
                ended(&mut monitor).await;
            }
            receiver.unbind(&endpoint).await.unwrap();
            let came = waiting(&mut receiver);
            assert!(
                came.iter().copied().eq(0..100),
                "{pair:?} {way} {has_left}: {came:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_sending_half_that_stops_listening_leaves_the_other_what_has_come() {
    for way in STREAMS {
        let mut dealer = DealerSocket::new();
        let endpoint = dealer.bind(way).await.unwrap();
        let (mut sender, mut receiver) = dealer.split();
        let mut peer = DealerSocket::new();
        peer.connect(&endpoint).unwrap();
        for number in 0..100 {
            peer.send(number.to_string()).await.unwrap();
        }
        until("all are here", || receiver.stats().queued_to_receive == 100).await;
        // The receiving half has not heard of the connection yet.
        sender.unbind(&endpoint).await.unwrap();
        for number in 0..100 {
            assert_eq!(receiver.try_recv().unwrap(), number.to_string().as_str());
        }
    }
}

#[tokio::test]
async fn what_a_disconnected_peer_sent_is_dropped() {
    // R-CONN-14
    for way in STREAMS {
        let mut peer = DealerSocket::new();
        let endpoint = peer.bind(way).await.unwrap();
        let mut dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        within("sent", peer.send("unread")).await.unwrap();
        until("it is here", || dealer.stats().queued_to_receive == 1).await;
        dealer.disconnect(&endpoint).unwrap();
        assert!(dealer.try_recv().is_err());
    }
}

/// A peer sends more than there is room for, and goes; what is sent to it afterwards fails.
#[tokio::test]
async fn what_a_peer_sent_before_it_went_is_read_though_writing_to_it_fails() {
    for kind in [SocketType::Dealer, SocketType::Pair, SocketType::Channel] {
        for way in STREAMS {
            for we_bind in [true, false] {
                let context = Context::new();
                let mut receiver = open(kind, &context, &[("recv_hwm", 10_usize.into())]);
                let mut sender = open(kind, &context, &[]);
                let mut monitor = receiver.monitor();
                if we_bind {
                    let endpoint = receiver.bind(way).await.unwrap();
                    sender.connect(&endpoint).unwrap();
                } else {
                    let endpoint = sender.bind(way).await.unwrap();
                    receiver.connect(&endpoint).unwrap();
                }
                connected(&mut monitor).await;
                for number in 0..100 {
                    within("sent", sender.send(number.to_string()))
                        .await
                        .unwrap();
                }
                until("as many as there is room for", || {
                    receiver.stats().queued_to_receive >= 10
                })
                .await;
                within("closed", sender.close()).await;
                // Writing fails sooner or later, and tells nobody: what came has to be there whenever it does.
                for _ in 0..20 {
                    let _ = receiver.try_send("to nobody");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                for expected in 0..100 {
                    let message = within("what was sent", receiver.recv()).await.unwrap();
                    assert_eq!(number(&message), expected, "{kind:?} {way} {we_bind}");
                }
                ended(&mut monitor).await;
            }
        }
    }
}

#[tokio::test]
async fn who_is_turned_away_keeps_what_it_has() {
    for way in STREAMS {
        let mut server = PairSocket::new();
        let endpoint = server.bind(way).await.unwrap();
        let mut monitor = server.monitor();
        let mut first = PairSocket::new();
        first.connect(&endpoint).unwrap();
        connected(&mut monitor).await;
        let mut second = PairSocket::new();
        second.connect(&endpoint).unwrap();
        for number in 0..10 {
            second.send(number.to_string()).await.unwrap();
        }
        let mut told = second.monitor();
        assert!(matches!(
            ended(&mut monitor).await,
            DisconnectReason::Occupied
        ));
        ended(&mut told).await;
        assert_eq!(second.stats().sent.messages, 0);
        first.close().await;
        for number in 0..10 {
            let message = within("its turn", server.recv()).await.unwrap();
            assert_eq!(message, number.to_string().as_str());
        }
    }
}

/// A thread with a runtime of its own, in which a socket binds, receives one message, and closes at the word.
fn receiver_elsewhere(
    kind: SocketType,
    way: String,
) -> (
    Endpoint,
    std::sync::mpsc::Sender<()>,
    thread::JoinHandle<()>,
) {
    let (bound, at) = std::sync::mpsc::channel();
    let (word, go) = std::sync::mpsc::channel();
    let peer = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut socket = receiver(kind, &Context::new());
            bound.send(socket.bind(way).await.unwrap()).unwrap();
            within("the first", socket.recv()).await.unwrap();
            tokio::task::spawn_blocking(move || go.recv())
                .await
                .unwrap()
                .unwrap();
            within("closed", socket.close()).await;
        });
    });
    (at.recv().unwrap(), word, peer)
}

/// The sender's thread, which is its runtime's only one, is busy while the peer ends.
#[tokio::test(flavor = "current_thread")]
async fn what_is_sent_after_the_peer_has_gone_waits_for_the_next() {
    const COUNT: usize = 500;
    for (sends, receives) in [
        (SocketType::Push, SocketType::Pull),
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::Dealer, SocketType::Router),
        (SocketType::Pair, SocketType::Pair),
        (SocketType::Scatter, SocketType::Gather),
        (SocketType::Client, SocketType::Server),
        (SocketType::Channel, SocketType::Channel),
    ] {
        for way in [Transport::Tcp4, Transport::Ipc] {
            let place = Place::any(way);
            let (endpoint, word, peer) = receiver_elsewhere(receives, place.endpoint.clone());
            let context = Context::new();
            let mut sender = connect(sends, &context, &endpoint).await;
            let mut monitor = sender.monitor();
            sender.send("0").await.unwrap();
            until("it is written", || sender.stats().sent.messages == 1).await;
            // As for any connection that has been quiet.
            tokio::time::sleep(Duration::from_millis(20)).await;
            word.send(()).unwrap();
            peer.join().unwrap();
            for number in 0..COUNT {
                sender.try_send(number.to_string()).unwrap();
            }
            ended(&mut monitor).await;
            let mut next = receiver(receives, &context);
            within("the address", async {
                // Nothing tells that the system has freed it.
                while next.bind(&endpoint).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .await;
            for expected in 0..COUNT {
                let message = within("all of it", next.recv()).await.unwrap();
                assert_eq!(number(&message), expected, "{sends:?} {way:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_departure_is_told_after_what_the_peer_said() {
    // R-XPUB-3
    for way in ALL {
        for manual in [false, true] {
            let context = Context::new();
            let mut publisher = XPubSocket::builder()
                .context(&context)
                .manual(manual)
                .build()
                .unwrap();
            let endpoint = publisher.bind(way).await.unwrap();
            let mut monitor = publisher.monitor();
            let mut subscriber = XSubSocket::builder()
                .context(&context)
                .linger(None)
                .build()
                .unwrap();
            subscriber.subscribe("T");
            subscriber.connect(&endpoint).unwrap();
            let notice = within("a notice", publisher.recv()).await.unwrap();
            assert_eq!(notice, "\u{1}T");
            for said in ["1", "2", "3"] {
                subscriber.send(said).await.unwrap();
            }
            subscriber.close().await;
            if endpoint.inproc().is_none() {
                ended(&mut monitor).await;
            }
            for said in ["1", "2", "3", "\u{0}T"] {
                let heard = within(said, publisher.recv()).await.unwrap();
                assert_eq!(heard, said, "{way} {manual}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_leaves_the_answer_that_waits() {
    for way in STREAMS {
        let mut req = ReqSocket::builder()
            .relaxed(true)
            .correlate(true)
            .build()
            .unwrap();
        let endpoint = req.bind(way).await.unwrap();
        let mut monitor = req.monitor();
        let mut rep = RepSocket::new();
        rep.connect(&endpoint).unwrap();
        within("asked", req.send("question")).await.unwrap();
        within("heard", rep.recv()).await.unwrap();
        rep.send("answer").await.unwrap();
        rep.close().await;
        ended(&mut monitor).await;
        let full = req.try_send("again");
        assert!(matches!(full, Err(SendError::Full(_))), "{full:?}");
        let cancelled = tokio::time::timeout(Duration::from_millis(1), req.send("again"));
        assert!(cancelled.await.is_err());
        assert_eq!(within("the answer", req.recv()).await.unwrap(), "answer");
    }
}

#[tokio::test]
async fn a_peer_that_connects_again_is_heard_in_order() {
    for pair in PAIRS {
        if pair.1 == SocketType::Pair {
            continue; // has one peer
        }
        for way in ALL {
            let (mut sender, mut receiver, endpoint, context) = join(pair, way).await;
            send(&mut sender, 0..10).await;
            let mut monitor = receiver.monitor();
            within("closed", sender.close()).await;
            if endpoint.inproc().is_none() {
                ended(&mut monitor).await;
            }
            let mut again = connect(pair.0, &context, &endpoint).await;
            send(&mut again, 10..20).await;
            if endpoint.inproc().is_none() {
                until("all are here", || receiver.stats().queued_to_receive == 20).await;
            }
            let came = waiting(&mut receiver);
            assert!(came.iter().copied().eq(0..20), "{pair:?} {way}: {came:?}");
        }
    }
}

#[tokio::test]
async fn what_came_before_a_reconnect_is_taken_first_also_by_who_is_at_it() {
    for way in STREAMS {
        let (mut sender, mut receiver, endpoint, context) =
            join((SocketType::Push, SocketType::Pull), way).await;
        let mut other = connect(SocketType::Push, &context, &endpoint).await;
        send(&mut sender, 0..10).await;
        send(&mut other, 100..110).await;
        until("all are here", || receiver.stats().queued_to_receive == 20).await;
        // They take turns.
        let first: Vec<_> = (0..4)
            .map(|_| number(&receiver.try_recv().unwrap()))
            .collect();
        assert_eq!(first.iter().filter(|one| **one < 100).count(), 2);
        let mut monitor = receiver.monitor();
        sender.close().await;
        event(&mut monitor, "the end", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
        let came = waiting(&mut receiver);
        assert!(
            came.iter().copied().eq((2..10).chain(102..110)),
            "{way}: {came:?}"
        );
    }
}
