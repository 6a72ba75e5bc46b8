//! Calls by limits: `send_timeout` and `recv_timeout`, none, zero and short, hold on each way of the same call.
//!
//! A limit is looked at by tokio's paused clock, which moves only while everything waits, so the sockets have no peers.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use common::within;
use futures::{SinkExt, StreamExt};
use purezmq::blocking;
use purezmq::{
    AnySocket, BindError, ChannelSocket, ClientSocket, DealerSocket, DishSocket, GatherSocket,
    Message, PairSocket, PeerSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket,
    RouterSocket, ScatterSocket, SendError, ServerSocket, SubSocket, XPubSocket, XSubSocket,
};
use tokio::time::{Instant, timeout};

const SHORT: Duration = Duration::from_millis(100);
/// The clock's grain, and some.
const GRAIN: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

/// Whether the call ended by its limit.
type Outcome = Pin<Box<dyn Future<Output = bool>>>;

type Call = (&'static str, fn(Option<Duration>) -> Outcome);

fn timed_out<T>(sent: Result<T, SendError>, text: &str) -> bool {
    match sent {
        Err(SendError::Timeout(message)) => {
            assert_eq!(message, Message::from(text), "the message comes back");
            true
        }
        _ => false,
    }
}

/// Makes a row: a socket with the limit, and what is done with it.
macro_rules! call {
    ($kind:ident.$option:ident $name:literal, |$socket:ident| $outcome:expr) => {
        (
            concat!(stringify!($kind), ": ", $name),
            |limit: Option<Duration>| {
                #[allow(unused_mut, reason = "some calls take the socket")]
                let mut $socket = $kind::builder().$option(limit).build().unwrap();
                Box::pin(async move { $outcome })
            },
        )
    };
}

macro_rules! sends {
    ($($kind:ident)*) => {
        vec![$(
            call!($kind.send_timeout "send", |socket| timed_out(socket.send("it").await, "it")),
        )*]
    };
}

macro_rules! streams_out {
    ($($kind:ident)*) => {
        vec![$(
            call!($kind.send_timeout "reserve", |socket| socket.reserve().await.is_err()),
            call!($kind.send_timeout "sink", |socket| {
                let mut sink = socket.sink();
                let sent = SinkExt::<&str>::send(&mut sink, "it").await;
                matches!(sent, Err(SendError::Timeout(_)))
            }),
            call!($kind.send_timeout "sink, the second time", |socket| {
                let mut sink = socket.into_sink();
                let mut both = true;
                for _ in 0..2 {
                    let from = Instant::now();
                    let sent = SinkExt::<&str>::send(&mut sink, "it").await;
                    both &= matches!(sent, Err(SendError::Timeout(_)));
                    // Each waits anew.
                    assert!(from.elapsed() <= SHORT + GRAIN);
                }
                both
            }),
            call!($kind.send_timeout "sink, flushing what it was given", |socket| {
                let mut sink = socket.sink();
                SinkExt::<&str>::start_send_unpin(&mut sink, "it").unwrap();
                timed_out(SinkExt::<&str>::flush(&mut sink).await, "it")
            }),
            call!($kind.send_timeout "shared sender", |socket| {
                timed_out(socket.into_shared().send("it").await, "it")
            }),
            call!($kind.send_timeout "shared sender, second in the line", |socket| {
                let shared = socket.into_shared();
                let (one, two) = tokio::join!(shared.send("one"), shared.send("two"));
                timed_out(one, "one") && timed_out(two, "two")
            }),
        )*]
    };
}

macro_rules! receives {
    ($($kind:ident)*) => {
        vec![$(
            call!($kind.recv_timeout "recv", |socket| {
                matches!(socket.recv().await, Err(RecvError::Timeout))
            }),
        )*]
    };
}

macro_rules! streams_in {
    ($($kind:ident)*) => {
        vec![$(
            call!($kind.recv_timeout "recv_many", |socket| {
                let received = socket.recv_many(&mut Vec::new(), 10).await;
                matches!(received, Err(RecvError::Timeout))
            }),
            call!($kind.recv_timeout "stream", |socket| {
                matches!(socket.stream().next().await, Some(Err(RecvError::Timeout)))
            }),
            call!($kind.recv_timeout "stream, the second time", |socket| {
                let mut stream = socket.into_stream();
                let first = stream.next().await;
                let second = stream.next().await;
                matches!(first, Some(Err(RecvError::Timeout)))
                    && matches!(second, Some(Err(RecvError::Timeout)))
            }),
        )*]
    };
}

macro_rules! halves {
    ($($kind:ident)*) => {
        vec![$(
            call!($kind.send_timeout "send of a half", |socket| {
                let (mut sender, _receiver) = socket.split();
                timed_out(sender.send("it").await, "it")
            }),
            call!($kind.send_timeout "sink of a half", |socket| {
                let (sender, _receiver) = socket.split();
                let sent = SinkExt::<&str>::send(&mut sender.into_sink(), "it").await;
                matches!(sent, Err(SendError::Timeout(_)))
            }),
            call!($kind.recv_timeout "recv of a half", |socket| {
                let (_sender, mut receiver) = socket.split();
                matches!(receiver.recv().await, Err(RecvError::Timeout))
            }),
            call!($kind.recv_timeout "stream of a half", |socket| {
                let (_sender, mut receiver) = socket.split();
                matches!(receiver.stream().next().await, Some(Err(RecvError::Timeout)))
            }),
        )*]
    };
}

fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    calls
        .extend::<Vec<Call>>(sends! { PushSocket DealerSocket PairSocket ReqSocket ScatterSocket ClientSocket ChannelSocket });
    calls.extend::<Vec<Call>>(streams_out! { PushSocket DealerSocket PairSocket ScatterSocket ClientSocket ChannelSocket });
    calls.extend::<Vec<Call>>(receives! {
        PullSocket SubSocket DealerSocket RouterSocket RepSocket PairSocket GatherSocket
        XPubSocket XSubSocket ClientSocket ServerSocket ChannelSocket PeerSocket DishSocket
    });
    calls.extend::<Vec<Call>>(streams_in! {
        PullSocket SubSocket DealerSocket RouterSocket PairSocket GatherSocket XPubSocket
        XSubSocket ClientSocket ServerSocket ChannelSocket PeerSocket DishSocket
    });
    calls.extend::<Vec<Call>>(halves! { DealerSocket PairSocket ClientSocket ChannelSocket });
    let more: Vec<Call> = vec![
        call!(RouterSocket.recv_timeout "recv_message", |socket| {
            matches!(socket.recv_message().await, Err(RecvError::Timeout))
        }),
        call!(XPubSocket.recv_timeout "recv of a half", |socket| {
            let (_sender, mut receiver) = socket.split();
            matches!(receiver.recv().await, Err(RecvError::Timeout))
        }),
        call!(PullSocket.recv_timeout "recv of any", |socket| {
            matches!(AnySocket::from(socket).recv().await, Err(RecvError::Timeout))
        }),
        call!(PushSocket.send_timeout "send of any", |socket| {
            timed_out(AnySocket::from(socket).send("it").await, "it")
        }),
    ];
    calls.extend(more);
    calls
}

#[tokio::test(start_paused = true)]
async fn each_way_of_a_call_waits_for_as_long_as_its_limit_says() {
    for (name, call) in calls() {
        let from = Instant::now();
        assert!(timeout(LONG, call(None)).await.is_err(), "{name}: none");
        assert!(from.elapsed() >= LONG, "{name}: none");
        let from = Instant::now();
        let ended = timeout(LONG, call(Some(Duration::ZERO))).await;
        assert_eq!(ended, Ok(true), "{name}: zero");
        assert!(from.elapsed() <= GRAIN, "{name}: zero {:?}", from.elapsed());
        let from = Instant::now();
        let ended = timeout(LONG, call(Some(SHORT))).await;
        assert_eq!(ended, Ok(true), "{name}: short");
        let took = from.elapsed();
        let times = if name.ends_with("second time") { 2 } else { 1 };
        assert!(
            took >= SHORT * times && took <= (SHORT + GRAIN) * times,
            "{name}: short {took:?}"
        );
    }
}

#[tokio::test]
async fn a_sink_over_a_full_pipe_ends_by_its_limit() {
    let mut pull = PullSocket::builder().recv_hwm(1).build().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::builder()
        .send_hwm(1)
        .send_timeout(SHORT)
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    let mut sink = push.into_sink();
    let full = async {
        loop {
            if let Err(error) = sink.send(vec![7; 1 << 20]).await {
                return error;
            }
        }
    };
    let error = within("the sink is full", full).await;
    assert!(matches!(error, SendError::Timeout(_)), "{error}");
}

/// Looks, again and again, at a socket without peers, with far more `busy_poll` than time.
async fn ends_in_spite_of_busy_poll() {
    const MOST: Duration = Duration::from_millis(700);
    let busy = |limit: Option<Duration>| {
        let socket = PullSocket::builder().busy_poll(Duration::from_secs(1));
        let mut socket = socket.recv_timeout(limit).build().unwrap();
        async move { socket.recv().await }
    };
    for limit in [Duration::ZERO, Duration::from_millis(20)] {
        // A loaded machine may take its time, not every time.
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let from = std::time::Instant::now();
            let received = busy(Some(limit)).await;
            assert!(matches!(received, Err(RecvError::Timeout)));
            took = took.min(from.elapsed());
        }
        assert!(took < MOST, "recv_timeout {limit:?}: {took:?}");
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let from = std::time::Instant::now();
            assert!(timeout(limit, busy(None)).await.is_err());
            took = took.min(from.elapsed());
        }
        assert!(took < MOST, "timeout {limit:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_limit_ends_a_call_that_polls_busily() {
    ends_in_spite_of_busy_poll().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_ends_a_call_that_polls_busily_on_a_runtime_of_threads() {
    ends_in_spite_of_busy_poll().await;
    tokio::spawn(ends_in_spite_of_busy_poll()).await.unwrap();
}

#[test]
fn a_limit_ends_a_call_of_a_blocking_socket() {
    for limit in [Duration::ZERO, Duration::from_millis(20)] {
        for busy_poll in [None, Some(Duration::from_millis(5))] {
            let pull = blocking::PullSocket::builder().busy_poll(busy_poll);
            let mut pull = pull.recv_timeout(limit).build().unwrap();
            let from = std::time::Instant::now();
            assert!(matches!(pull.recv(), Err(RecvError::Timeout)));
            assert!(from.elapsed() >= limit);
            let many = pull.recv_many(&mut Vec::new(), 3);
            assert!(matches!(many, Err(RecvError::Timeout)));
            assert!(matches!(
                pull.messages().next(),
                Some(Err(RecvError::Timeout))
            ));
        }
        let push = blocking::PushSocket::builder().send_timeout(limit);
        let mut push = push.build().unwrap();
        assert!(timed_out(push.send("it"), "it"));
        assert!(push.reserve().is_err());
        assert!(timed_out(push.into_shared().send("it"), "it"));
    }
}

#[test]
fn every_blocking_wait_has_a_limit() {
    let mut publisher = blocking::PubSocket::new();
    let endpoint = publisher.bind_within("tcp://localhost:*", common::PATIENCE);
    let endpoint = endpoint.unwrap();
    match blocking::PubSocket::new().bind_within("tcp://127.0.0.1:*", Duration::ZERO) {
        Ok(_) => {}
        Err(BindError::Io { source, .. }) => assert_eq!(source.kind(), ErrorKind::TimedOut),
        Err(other) => panic!("{other}"),
    }
    assert!(!publisher.wait_for_subscribers_within(1, Duration::from_millis(20)));
    assert!(!publisher.wait_for_subscribers_within(1, Duration::ZERO));
    let mut monitor = publisher.monitor();
    let event = blocking::wait_within(Duration::from_millis(20), monitor.recv());
    assert!(event.is_none(), "{event:?}");
    let mut subscriber = blocking::SubSocket::new();
    subscriber.subscribe("");
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_subscribers_within(1, common::PATIENCE));
    assert!(publisher.wait_for_subscribers_within(1, Duration::ZERO));
    let event = blocking::wait_within(common::PATIENCE, monitor.recv());
    assert!(event.is_some());
}

/// A ROUTER that is to receive messages, told again and again of peers that come.
#[tokio::test(start_paused = true)]
async fn what_is_passed_over_does_not_begin_a_limit_anew() {
    let open = |name: &'static str| async move {
        let router = RouterSocket::builder().notify(true).recv_timeout(SHORT);
        let mut router = router.build().unwrap();
        router.bind(name).await.unwrap();
        router
    };
    let coming = |name: &'static str| async move {
        let mut dealers = Vec::new();
        loop {
            // Before the limit is over, by the paused clock.
            tokio::time::sleep(SHORT / 2).await;
            let mut dealer = DealerSocket::new();
            dealer.connect(name).unwrap();
            dealers.push(dealer);
        }
    };
    let calls: [(&'static str, Outcome); 4] = [
        ("inproc://passed-over-typed", {
            let mut router = open("inproc://passed-over-typed").await;
            Box::pin(async move { router.recv_message().await == Err(RecvError::Timeout) })
        }),
        ("inproc://passed-over-half", {
            let (_, mut half) = open("inproc://passed-over-half").await.split();
            Box::pin(async move { half.recv_message().await == Err(RecvError::Timeout) })
        }),
        ("inproc://passed-over-any", {
            let mut any = AnySocket::from(open("inproc://passed-over-any").await);
            Box::pin(async move { any.recv_message().await == Err(RecvError::Timeout) })
        }),
        ("inproc://passed-over-any-half", {
            let any = AnySocket::from(open("inproc://passed-over-any-half").await);
            let (_, mut half) = any.split().unwrap();
            Box::pin(async move { half.recv_message().await == Err(RecvError::Timeout) })
        }),
    ];
    for (name, call) in calls {
        let from = Instant::now();
        let ended = tokio::select! {
            ended = timeout(LONG, call) => ended,
            () = coming(name) => unreachable!("they come for ever"),
        };
        assert_eq!(ended, Ok(true), "{name}");
        assert!(
            from.elapsed() <= SHORT + GRAIN,
            "{name} {:?}",
            from.elapsed()
        );
    }
}
