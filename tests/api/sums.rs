//! Sums: at every moment, what `send` has taken is sent, queued, or dropped for one reason, whatever an option does with
//! it; and what was received was given to the application, is queued, or dropped. `ends.rs` has the ends.

use std::time::Duration;

use common::events::{connected, event};
use common::place::Role;
use common::{until, within};
use futures::StreamExt;
use purezmq::SocketType::{
    Channel, Client, Dealer, Pair, Peer, Pub, Push, Radio, Rep, Req, Router, Scatter, Server, Sub,
    XPub, XSub,
};
use purezmq::options::Value;
use purezmq::{AnySocket, Context, Message, MonitorEventKind as Kind, SocketType};

use super::cells::{
    Cell, Counts, Home, Joined, PAIRINGS, REQUESTS, WAYS, Way, addressed, count, count_more, named,
    open, send, settled,
};

const SENT: usize = 10;
const LENGTH: usize = 100_000;
const TAKEN: u64 = SENT as u64;

/// What an option makes of messages for a peer that does not read.
#[derive(Clone, Copy, Debug)]
enum Dropping {
    /// Queues are full.
    Full,
    Conflating,
    ConflatingTopics,
    Expiring,
    TheOldest,
    /// And the peer, with what is queued for it.
    Evicting,
}

const DROPPINGS: [Dropping; 6] = [
    Dropping::Full,
    Dropping::Conflating,
    Dropping::ConflatingTopics,
    Dropping::Expiring,
    Dropping::TheOldest,
    Dropping::Evicting,
];

impl Dropping {
    fn options(self) -> Vec<(&'static str, Value)> {
        let mut options = vec![
            ("send_buffer", Value::from(16usize << 10)),
            ("recv_buffer", Value::from(16usize << 10)),
            ("recv_hwm", Value::from(1usize)),
            ("reconnect_interval", Value::from(Duration::from_secs(60))),
        ];
        options.push(match self {
            Dropping::Full => ("send_hwm", Value::from(3usize)),
            Dropping::Conflating => ("conflate", Value::from(true)),
            Dropping::ConflatingTopics => ("conflate_topics", Value::from(true)),
            Dropping::Expiring => ("send_ttl", Value::from(Duration::from_millis(20))),
            Dropping::TheOldest => ("slow_subscriber", Value::from("DropOldest")),
            Dropping::Evicting => ("slow_subscriber", Value::from("Disconnect")),
        });
        if let Dropping::TheOldest | Dropping::Evicting = self {
            options.push(("send_hwm", Value::from(3usize)));
        }
        options
    }

    fn concerns(self, sender: SocketType) -> bool {
        match self {
            Dropping::Full | Dropping::Expiring => true,
            Dropping::Conflating => matches!(sender, Push | Dealer | Pub),
            Dropping::ConflatingTopics => matches!(sender, Pub | XPub),
            Dropping::TheOldest | Dropping::Evicting => matches!(sender, Pub | XPub | Radio),
        }
    }

    /// Those of the counts that are to go up.
    fn dropped(self, counts: &Counts) -> u64 {
        match self {
            Dropping::Full | Dropping::TheOldest | Dropping::Evicting => counts.full,
            Dropping::Conflating | Dropping::ConflatingTopics => counts.conflated,
            Dropping::Expiring => counts.expired,
        }
    }

    /// Sends all messages, without waiting. Returns how many were taken.
    async fn send_all(self, sender: &mut AnySocket) -> u64 {
        let mut taken = 0;
        for number in 0..SENT {
            if sender.socket_type() == Rep {
                within("a request", sender.recv()).await.expect("recv");
            }
            let mut message = addressed(sender, number, LENGTH);
            if let Dropping::ConflatingTopics = self {
                message.push_front("topic");
            }
            taken += u64::from(sender.try_send(message).is_ok());
        }
        taken
    }
}

async fn drops(dropping: Dropping, cell: Cell) {
    let what = format!("{dropping:?}: {cell}");
    let homes = (&Home::default(), &Home::default());
    let mut joined = Joined::new(cell, &dropping.options(), homes).await;
    let mut monitor = joined.sender.monitor();
    let taken = dropping.send_all(&mut joined.sender).await;
    let waits = matches!(
        cell.pairing.0,
        Push | Scatter | Dealer | Pair | Req | Client | Server | Channel | Peer
    );
    let expected = match (dropping, cell.way) {
        // Who waits has not taken it.
        (Dropping::Full, _) if waits => taken,
        // The pipe is gone with the message that does not fit: the others are for nobody.
        (Dropping::Evicting, Way::Inproc) => 5,
        _ => TAKEN,
    };
    assert!(taken >= expected && expected > 0, "{what}: {taken} taken");
    let is_dropped = |counts: &Counts| match dropping {
        Dropping::Full if waits => true,
        _ => dropping.dropped(counts) > 0,
    };
    settled(&what, expected, || joined.counts(), is_dropped).await;
    if let (Dropping::Evicting, Way::Tcp | Way::Ipc) = (dropping, cell.way) {
        event(&mut monitor, &what, |kind| {
            matches!(kind, Kind::Disconnected(_))
        })
        .await;
    }
    // Now it reads.
    let (sender, before) = (&joined.sender, &joined.before);
    let counts = || Counts::of(before, &sender.stats());
    let settling = settled(&what, expected, counts, |counts| counts.queued == 0);
    let reading = async {
        loop {
            let message = joined.receiver.recv().await.expect("recv");
            assert!(!message.is_empty());
        }
    };
    tokio::select! {
        biased;
        counts = settling => assert!(is_dropped(&counts), "{what}: {counts:?}"),
        () = reading => {}
    }
}

/// Whatever is dropped on the way to a peer that does not read is counted once, at every look.
#[tokio::test]
async fn what_is_dropped_by_an_option_is_counted_once() {
    let mut cells = Vec::new();
    for dropping in DROPPINGS {
        let pairings = PAIRINGS.into_iter().chain(REQUESTS);
        for pairing in pairings.filter(|(sender, _)| dropping.concerns(*sender)) {
            for way in WAYS {
                for role in [Role::WeBind, Role::WeConnect] {
                    cells.push((dropping, Cell { pairing, way, role }));
                }
            }
        }
    }
    let cells = cells
        .into_iter()
        .map(|(dropping, cell)| drops(dropping, cell));
    let mut running = futures::stream::iter(cells).buffer_unordered(6);
    while running.next().await.is_some() {}
}

/// A name that another one takes over: what was for the one before is still counted.
#[tokio::test]
async fn what_waits_for_a_peer_whose_name_is_taken_over_is_counted() {
    for way in WAYS {
        let what = format!("{way:?}");
        let options = [
            ("handover", Value::from(true)),
            ("recv_hwm", Value::from(1usize)),
            ("send_buffer", Value::from(16usize << 10)),
            ("recv_buffer", Value::from(16usize << 10)),
        ];
        let cell = Cell {
            pairing: (Router, Dealer),
            way,
            role: Role::WeBind,
        };
        let homes = (&Home::default(), &Home::default());
        let mut joined = Joined::new(cell, &options, homes).await;
        for number in 0..SENT {
            send(&mut joined.sender, number, LENGTH).await;
        }
        let mut monitor = joined.sender.monitor();
        let mut heir = open(Dealer, &joined.context, &named("receiver", &options));
        heir.connect(joined.endpoint.as_str()).expect("connect");
        if way != Way::Inproc {
            connected(&mut monitor).await;
        }
        for number in 0..SENT {
            send(&mut joined.sender, number, LENGTH).await;
        }
        let counts = || Counts::of(&joined.before, &joined.sender.stats());
        settled(&what, 2 * TAKEN, counts, |_| true).await;
        assert_eq!(count(&mut heir, SENT).await, SENT, "{what}");
        drop(joined.receiver);
        let counts = settled(&what, 2 * TAKEN, counts, |counts| counts.queued == 0).await;
        assert!(counts.unsent > 0, "{what}: {counts:?}");
    }
}

/// What is for nobody.
#[tokio::test]
async fn what_is_for_nobody_is_unroutable() {
    for way in WAYS {
        let role = Role::WeBind;
        let homes = (&Home::default(), &Home::default());
        let pairing = (Router, Dealer);
        let mut joined = Joined::new(Cell { pairing, way, role }, &[], homes).await;
        joined.sender.send(["nobody", "it"]).await.expect("send");
        let counts = settled("ROUTER", 1, || joined.counts(), |_| true).await;
        assert_eq!(counts.unroutable, 1, "{way:?}");

        let pairing = (Rep, Dealer);
        let mut joined = Joined::new(Cell { pairing, way, role }, &[], homes).await;
        let mut monitor = joined.sender.monitor();
        within("a request", joined.sender.recv())
            .await
            .expect("recv");
        drop(joined.receiver);
        if way != Way::Inproc {
            event(&mut monitor, "the asker's end", |kind| {
                matches!(kind, Kind::Disconnected(_))
            })
            .await;
        }
        joined.sender.send("an answer").await.expect("send");
        let look = || Counts::of(&joined.before, &joined.sender.stats());
        let counts = settled("REP", 1, look, |_| true).await;
        assert_eq!(counts.unroutable, 1, "{way:?}");
    }
}

/// The peer sends on while what we had sent before `disconnect` is still under way. It is not given to anybody, and counted.
#[tokio::test]
async fn what_comes_after_disconnect_is_unread() {
    const CAME: u64 = 10;
    let options = [
        ("send_buffer", Value::from(16usize << 10)),
        ("recv_buffer", Value::from(16usize << 10)),
        ("recv_hwm", Value::from(1usize)),
        ("linger", Value::None),
    ];
    for pairing in [
        (Dealer, Router),
        (Dealer, Dealer),
        (Router, Dealer),
        (Pair, Pair),
        (XSub, XPub),
    ] {
        for way in [Way::Tcp, Way::Ipc] {
            let what = format!("{pairing:?} {way:?}");
            let role = Role::WeConnect;
            let homes = (&Home::default(), &Home::default());
            let mut joined = Joined::new(Cell { pairing, way, role }, &options, homes).await;
            if pairing.1 == XPub {
                until("a subscriber", || joined.receiver.subscriber_count() > 0).await;
            }
            for number in 0..SENT {
                send(&mut joined.sender, number, LENGTH).await;
            }
            let endpoint = joined.endpoint.as_str();
            joined.sender.disconnect(endpoint).expect("disconnect");
            let before = joined.sender.stats();
            for number in 0..CAME {
                let mut message = Message::from(number.to_string());
                if pairing.1 == Router {
                    message.push_front("sender");
                }
                joined.receiver.send(message).await.expect("send");
            }
            let received = || joined.sender.stats().received.messages - before.received.messages;
            until(&what, || received() == CAME).await;
            let stats = joined.sender.stats();
            assert_eq!(stats.dropped.unread - before.dropped.unread, CAME, "{what}");
            assert_eq!(stats.queued_to_receive, 0, "{what}");
            // And what we had sent arrives.
            assert_eq!(count(&mut joined.receiver, SENT).await, SENT, "{what}");
            settled(
                &what,
                TAKEN,
                || Counts::of(&joined.before, &joined.sender.stats()),
                |counts| counts.sent == TAKEN,
            )
            .await;
        }
    }
}

/// Both halves see what there is, also what the other one has just taken.
#[tokio::test]
async fn both_halves_count_the_same() {
    const TAKEN: usize = 3;
    for pairing in [
        (Dealer, Dealer),
        (Dealer, Router),
        (Router, Dealer),
        (Pair, Pair),
        (Pub, XSub),
        (XSub, XPub),
    ] {
        for way in WAYS {
            let what = format!("{pairing:?} {way:?}");
            let role = Role::WeBind;
            let homes = (&Home::default(), &Home::default());
            let mut joined = Joined::new(Cell { pairing, way, role }, &[], homes).await;
            for number in 0..SENT {
                send(&mut joined.sender, number, 1).await;
            }
            let queued = || joined.receiver.stats().queued_to_receive;
            until(&what, || queued() >= SENT).await;
            let (sender, mut receiver) = joined.receiver.split().expect("it has halves");
            let all = sender.stats().queued_to_receive;
            for taken in 1..=TAKEN {
                within(&what, receiver.recv()).await.expect("recv");
                assert_eq!(sender.stats(), receiver.stats(), "{what}");
                if pairing.1 != XPub {
                    assert_eq!(sender.stats().queued_to_receive, all - taken, "{what}");
                }
            }
        }
    }
}

/// A peer whose name another one has is not heard. What it had sent is counted when it goes.
#[tokio::test]
async fn what_an_ignored_peer_sent_is_unread() {
    for way in [Way::Tcp, Way::Ipc] {
        let context = Context::new();
        let (endpoint, _place) = way.place();
        let mut router = open(Router, &context, &[]);
        router.bind(endpoint.as_str()).await.expect("bind");
        let mut monitor = router.monitor();
        let mut dealers = Vec::new();
        for _ in 0..2 {
            let mut dealer = open(Dealer, &context, &named("the name", &[]));
            dealer.connect(endpoint.as_str()).expect("connect");
            connected(&mut monitor).await;
            for number in 0..5 {
                send(&mut dealer, number, 1).await;
            }
            dealers.push(dealer);
        }
        assert_eq!(count(&mut router, 5).await, 5);
        let ignored = dealers.pop().expect("the second");
        assert_eq!(within("close", ignored.close()).await.unsent, 0);
        until("its end", || router.stats().dropped.unread == 5).await;
        let stats = router.stats();
        assert_eq!((stats.received.messages, stats.queued_to_receive), (10, 0));
        assert_eq!(count_more(&mut router), 0);
    }
}

/// A PUB has no use for messages. A peer with too many subscriptions is not heard any more.
#[tokio::test]
async fn what_a_publisher_does_not_heed_is_counted() {
    for way in WAYS {
        let context = Context::new();
        let (endpoint, _place) = way.place();
        let mut publisher = open(Pub, &context, &[("max_subscriptions", Value::from(2usize))]);
        publisher.bind(endpoint.as_str()).await.expect("bind");
        let mut subscriber = open(XSub, &context, &[]);
        subscriber.connect(endpoint.as_str()).expect("connect");
        subscriber.send("hello").await.expect("send");
        until("a message", || {
            publisher.subscriber_count();
            publisher.stats().dropped.discarded == 1
        })
        .await;

        if way == Way::Inproc {
            let mut greedy = open(Sub, &context, &[]);
            for number in 0..100 {
                greedy.subscribe(number.to_string());
            }
            greedy.connect(endpoint.as_str()).expect("connect");
            // Two of its hundred and one are heeded, and one more is heard.
            publisher.subscriber_count();
            let stats = publisher.stats();
            let counts = (stats.received.messages, stats.dropped.unread);
            assert_eq!(counts, (2 + 101, 98));
        }
    }
}

/// Whoever binds last, a ROUTER hears the probe.
#[tokio::test]
async fn a_probe_by_inproc_is_received() {
    for binds_first in [false, true] {
        let context = Context::new();
        let mut router = open(Router, &context, &[]);
        let mut dealer = open(
            Dealer,
            &context,
            &named("prober", &[("probe_router", Value::from(true))]),
        );
        if binds_first {
            router.bind("inproc://probe").await.expect("bind");
        }
        dealer.connect("inproc://probe").expect("connect");
        dealer.send("it").await.expect("send");
        if !binds_first {
            router.bind("inproc://probe").await.expect("bind");
        }
        for expected in ["", "it"] {
            let received = within("it", router.recv()).await.expect("recv");
            assert_eq!(received, Message::from(["prober", expected]));
        }
    }
}
