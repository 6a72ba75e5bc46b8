//! A call that is dropped has done all or nothing, whatever the socket: here more than a million sends and receives
//! are dropped while they wait, by hand, in `select!` and under `timeout`, and nothing is lost, doubled or
//! reordered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::within;
use futures::FutureExt;
use purezmq::capability::{Receives, Sends};
use purezmq::socket::{Pattern, Socket};
use purezmq::{
    DealerSocket, Message, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterEvent, RouterSocket, SubSocket, XPubSocket, XSubSocket,
};
use tokio::task::yield_now;
use tokio::time::timeout;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Calls that each direction of each test drops while they wait. Fifteen directions wait. The sessions
/// run on other threads meanwhile.
const CANCELLED: usize = 90_000;

/// Attempts before the others have their turn.
const IN_A_ROW: usize = 20;

/// Rounds of attempts in which one is under a time-out: tokio's clock has no less than a millisecond.
const TIMEOUTS: usize = 16;

/// A time-out that mostly passes.
const SHORT: Duration = Duration::from_micros(1);

#[derive(Default)]
struct Cancelled {
    sends: AtomicUsize,
    receives: AtomicUsize,
}

impl Cancelled {
    fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn is_enough(&self, sender_waits: bool) -> bool {
        let reached = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) >= CANCELLED;
        reached(&self.receives) && (!sender_waits || reached(&self.sends))
    }
}

/// Makes a send succeed after many that were dropped.
async fn send<P: Sends>(
    socket: &mut Socket<P>,
    make: &impl Fn() -> P::Sent,
    cancelled: &Cancelled,
) {
    for round in 1.. {
        for _ in 0..IN_A_ROW {
            if let Some(sent) = socket.send(make()).now_or_never() {
                return sent.expect("sent");
            }
            Cancelled::count(&cancelled.sends);
        }
        if round % TIMEOUTS == 0 {
            if let Ok(sent) = timeout(SHORT, socket.send(make())).await {
                return sent.expect("sent");
            }
            Cancelled::count(&cancelled.sends);
        }
        let sent = tokio::select! {
            biased;
            sent = socket.send(make()) => Some(sent),
            () = yield_now() => None,
        };
        if let Some(sent) = sent {
            return sent.expect("sent");
        }
        Cancelled::count(&cancelled.sends);
    }
    unreachable!("the rounds do not end")
}

/// The same for a receive.
async fn recv<P: Receives>(socket: &mut Socket<P>, cancelled: &Cancelled) -> P::Received {
    for round in 1.. {
        for _ in 0..IN_A_ROW {
            if let Some(received) = socket.recv().now_or_never() {
                return received.expect("received");
            }
            Cancelled::count(&cancelled.receives);
        }
        if round % TIMEOUTS == 0 {
            if let Ok(received) = timeout(SHORT, socket.recv()).await {
                return received.expect("received");
            }
            Cancelled::count(&cancelled.receives);
        }
        let received = tokio::select! {
            biased;
            received = socket.recv() => Some(received),
            () = yield_now() => None,
        };
        if let Some(received) = received {
            return received.expect("received");
        }
        Cancelled::count(&cancelled.receives);
    }
    unreachable!("the rounds do not end")
}

/// Sends numbers from one task to another, over queues of three, until enough calls have been dropped.
async fn stress<S, R>(
    mut sender: Socket<S>,
    mut receiver: Socket<R>,
    sender_waits: bool,
    make: impl Fn(String) -> <S as Pattern>::Sent,
    read: impl Fn(<R as Pattern>::Received) -> Message,
) where
    S: Sends,
    R: Receives,
{
    let cancelled = Arc::new(Cancelled::default());
    let sending = async {
        let mut number = 0;
        while !cancelled.is_enough(sender_waits) {
            send(&mut sender, &|| make(number.to_string()), &cancelled).await;
            number += 1;
            if !sender_waits && number % 16 == 0 {
                // This one never waits for the receiver: it would be far ahead.
                yield_now().await;
            }
        }
        send(&mut sender, &|| make("end".to_owned()), &cancelled).await;
        number
    };
    let receiving = async {
        for number in 0.. {
            let message = read(recv(&mut receiver, &cancelled).await);
            if message == "end" {
                return number;
            }
            assert_eq!(message, number.to_string());
        }
        unreachable!("more messages than numbers")
    };
    let (sent, received) = within("all", async { tokio::join!(sending, receiving) }).await;
    assert_eq!(sent, received);
    let nothing = receiver.recv().now_or_never();
    assert!(nothing.is_none(), "nothing came twice");
}

fn same<T>(message: T) -> T {
    message
}

fn text(text: String) -> Message {
    text.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_pull() {
    let mut pull = PullSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::builder().send_hwm(3).build().unwrap();
    push.connect(&endpoint).unwrap();
    stress(push, pull, true, text, same).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dealer_to_router() {
    let mut router = RouterSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let mut dealer = DealerSocket::builder().send_hwm(3).build().unwrap();
    dealer.connect(&endpoint).unwrap();
    stress(dealer, router, true, text, |event: RouterEvent| {
        event.into_message().expect("no event is asked for").message
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn router_to_dealer() {
    let mut dealer = DealerSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = dealer.bind(ANY_PORT).await.unwrap();
    let mut router = RouterSocket::builder()
        .mandatory(true)
        .send_hwm(3)
        .build()
        .unwrap();
    router.connect_as(&endpoint, "dealer").unwrap();
    stress(router, dealer, true, |text| ("dealer", text).into(), same).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pair_to_pair() {
    let mut receiver = PairSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = receiver.bind(ANY_PORT).await.unwrap();
    let mut sender = PairSocket::builder().send_hwm(3).build().unwrap();
    sender.connect(&endpoint).unwrap();
    stress(sender, receiver, true, text, same).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publisher_to_subscriber() {
    let mut sub = SubSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = sub.bind(ANY_PORT).await.unwrap();
    sub.subscribe("");
    let mut publisher = PubSocket::builder()
        .no_drop(true)
        .send_hwm(3)
        .build()
        .unwrap();
    publisher.connect(&endpoint).unwrap();
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    stress(publisher, sub, true, text, same).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xpub_to_xsub() {
    let mut xsub = XSubSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = xsub.bind(ANY_PORT).await.unwrap();
    xsub.subscribe("");
    let mut xpub = XPubSocket::builder()
        .no_drop(true)
        .send_hwm(3)
        .build()
        .unwrap();
    xpub.connect(&endpoint).unwrap();
    within("a subscriber", xpub.wait_for_subscribers(1)).await;
    stress(xpub, xsub, true, text, same).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xsub_to_xpub() {
    // An XSUB never waits, so its queue is long.
    let mut xpub = XPubSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = xpub.bind(ANY_PORT).await.unwrap();
    let mut xsub = XSubSocket::builder().send_hwm(0).build().unwrap();
    xsub.connect(&endpoint).unwrap();
    stress(xsub, xpub, false, text, same).await;
}

/// Requests and replies take turns, and a dropped call takes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_to_rep_and_back() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANY_PORT).await.unwrap();
    let mut req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let (asking, answering) = (Cancelled::default(), Cancelled::default());
    let ask = async {
        let mut number = 0;
        while !asking.is_enough(false) || !answering.is_enough(false) {
            send(&mut req, &|| text(number.to_string()), &asking).await;
            let reply = recv(&mut req, &asking).await;
            assert_eq!(reply, format!("{number} too"));
            number += 1;
        }
        send(&mut req, &|| text("end".to_owned()), &asking).await;
        number
    };
    let answer = async {
        for number in 0.. {
            let request = recv(&mut rep, &answering).await;
            if request == "end" {
                return number;
            }
            assert_eq!(request, number.to_string());
            send(&mut rep, &|| text(format!("{number} too")), &answering).await;
        }
        unreachable!("more requests than numbers")
    };
    let (asked, answered) = within("all", async { tokio::join!(ask, answer) }).await;
    assert_eq!(asked, answered);
}

/// A request that waits for a peer to take it, and is dropped, was not made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_request_is_not_under_way() {
    let mut req = ReqSocket::new();
    for _ in 0..10_000 {
        assert!(req.send("to nobody").now_or_never().is_none());
    }
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANY_PORT).await.unwrap();
    req.connect(&endpoint).unwrap();
    within("a peer", req.send("the first")).await.unwrap();
    assert_eq!(
        within("the request", rep.recv()).await.unwrap(),
        "the first"
    );
    assert!(rep.send("the reply").now_or_never().unwrap().is_ok());
    assert_eq!(within("the reply", req.recv()).await.unwrap(), "the reply");
    assert!(rep.recv().now_or_never().is_none(), "nothing else was sent");
}
