//! Reconnecting, by hand (`docs/rules.md`, R-CONN), and the edges of its options. More of it is in
//! `tests/api/lifecycle.rs` and `failures.rs`.

use std::time::Duration;

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::place::free_port;
use common::within;
use purezmq::socket::Builder;
use purezmq::{
    ConnectFailure, Monitor, MonitorEventKind, PullSocket, PushSocket, SendError, SubSocket,
};
use tokio::net::TcpListener;

const MS: Duration = Duration::from_millis(1);

/// An endpoint at which nobody listens.
fn vacant() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

fn push(options: Builder<PushSocket>) -> PushSocket {
    options.linger(Duration::ZERO).build().expect("options")
}

/// The next `count` delays before another attempt.
async fn delays(monitor: &mut Monitor, count: usize) -> Vec<Duration> {
    let mut delays = Vec::new();
    while delays.len() < count {
        let next = within("a retry", monitor.recv()).await.expect("open");
        if let MonitorEventKind::ConnectRetried { delay } = next.kind {
            delays.push(delay);
        }
    }
    delays
}

/// The same from libzmq's PUSH, with its two options.
async fn their_delays(
    endpoint: String,
    interval: i32,
    max: i32,
    count: usize,
) -> (Libzmq, Vec<Duration>) {
    const CONNECT_RETRIED: u16 = 0x0004;
    let (socket, mut monitor) = Libzmq::monitored(zmq::PUSH);
    socket
        .run(move |socket| {
            socket.set_reconnect_ivl(interval).expect("option");
            socket.set_reconnect_ivl_max(max).expect("option");
            socket.connect(&endpoint).expect("connect");
        })
        .await;
    let mut delays = Vec::new();
    while delays.len() < count {
        let told = within("a retry", monitor.recv()).await.expect("open");
        if told.number == CONNECT_RETRIED {
            delays.push(Duration::from_millis(told.value.into()));
        }
    }
    (socket, delays)
}

#[tokio::test]
async fn without_a_maximum_delays_are_random() {
    // R-CONN-5
    let mut push = push(
        PushSocket::builder()
            .reconnect_interval(10 * MS)
            .reconnect_interval_max(None),
    );
    let mut monitor = push.monitor();
    push.connect(vacant().as_str()).expect("connect");
    let delays = delays(&mut monitor, 20).await;
    for delay in &delays {
        assert!((10 * MS..=20 * MS).contains(delay), "{delays:?}");
    }
    assert!(delays.iter().any(|delay| *delay != delays[0]), "at random");
}

#[tokio::test]
async fn a_maximum_below_the_interval_caps_all_delays() {
    // R-CONN-6: so in libzmq since 4.3.5; before, such a maximum was ignored.
    let mut push = push(
        PushSocket::builder()
            .reconnect_interval(Duration::from_secs(3600))
            .reconnect_interval_max(10 * MS),
    );
    let mut monitor = push.monitor();
    push.connect(vacant().as_str()).expect("connect");
    let here = delays(&mut monitor, 3).await;
    assert!(here.iter().all(|delay| *delay <= 10 * MS), "{here:?}");
}

/// A server that takes connections and drops them before the handshake.
async fn dropper() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", free_port()))
        .await
        .expect("bind");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("address"));
    let dropping = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    (endpoint, dropping)
}

#[tokio::test]
async fn only_a_connection_that_lasted_restarts_the_delays() {
    // R-CONN-7: for libzmq, a TCP connection is enough, and it comes back at the same pace for ever.
    let (endpoint, dropping) = dropper().await;
    let mut push = push(
        PushSocket::builder()
            .reconnect_interval(5 * MS)
            .reconnect_interval_max(80 * MS),
    );
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).expect("connect");
    let here = delays(&mut monitor, 5).await;
    assert!(here[4] >= 40 * MS, "{here:?}");
    let (_socket, there) = their_delays(endpoint.clone(), 5, 80, 5).await;
    assert!(there.iter().all(|delay| *delay <= 10 * MS), "{there:?}");

    dropping.abort();
    let _ = dropping.await;
    let mut pull = PullSocket::new();
    pull.bind(endpoint.as_str()).await.expect("bind");
    connected(&mut monitor).await;
    // Longer than the longest delay.
    tokio::time::sleep(100 * MS).await;
    pull.close().await;
    let afterwards = delays(&mut monitor, 1).await;
    assert!(afterwards[0] <= 10 * MS, "{afterwards:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_that_does_not_answer_is_tried_again() {
    // R-CONN-9. Linux ignores connection requests once the backlog is full.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    socket2::SockRef::from(&silent).listen(1).expect("listen");
    let address = silent.local_addr().expect("address");
    let mut filling = Vec::new();
    for _ in 0..8 {
        let filler = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(100 * MS, filler).await {
            Ok(filler) => filling.push(filler),
            Err(_) => break,
        }
    }
    let mut push = push(
        PushSocket::builder()
            .reconnect_interval(MS)
            .connect_timeout(50 * MS),
    );
    let mut monitor = push.monitor();
    push.connect(format!("tcp://{address}").as_str())
        .expect("connect");
    for _ in 0..2 {
        event(&mut monitor, "no answer", |kind| {
            matches!(kind, MonitorEventKind::ConnectFailed(ConnectFailure::TimedOut { after, .. })
                if *after == 50 * MS)
        })
        .await;
        delays(&mut monitor, 1).await;
    }
}

// ---------------------------------------------------------------- the edges of the reconnect options

/// No delay at all would be a loop; "never" is said by `None`, and a delay that no timer can hold is refused.
#[test]
fn delays_without_a_meaning_are_refused_with_the_range() {
    for interval in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        for options in [
            PushSocket::builder().reconnect_interval(interval),
            PushSocket::builder().reconnect_interval_max(interval),
        ] {
            let error = options.build().expect_err("out of range").to_string();
            assert!(error.contains("reconnect_interval"), "{error}");
            assert!(error.contains("1 ms to 2147483 s"), "{error}");
        }
    }
}

/// Years of refusals, without overflow of the delay, and without a pause that is longer than allowed.
#[tokio::test(start_paused = true)]
async fn the_longest_delays_do_not_overflow() {
    let longest = Duration::from_secs(2_147_483);
    for max in [Some(longest), None] {
        let mut push = push(
            PushSocket::builder()
                .reconnect_interval(longest)
                .reconnect_interval_max(max)
                .connect_timeout(None),
        );
        let mut monitor = push.monitor();
        push.connect(vacant().as_str()).expect("connect");
        let mut last = Duration::ZERO;
        for _ in 0..200 {
            let next = loop {
                // The clock is paused: no real waiting, and no limit of real time.
                let event = monitor.recv().await.expect("open");
                if let MonitorEventKind::ConnectRetried { delay } = event.kind {
                    break delay;
                }
            };
            assert!(next <= max.unwrap_or(2 * longest) && next >= longest / 2);
            last = next;
        }
        assert!(last >= longest / 2);
    }
}

/// The smallest interval is still a pause: a peer that is away is not hammered.
#[tokio::test]
async fn the_shortest_interval_is_no_busy_loop() {
    let mut sub = SubSocket::builder()
        .reconnect_interval(MS)
        .reconnect_interval_max(None)
        .build()
        .expect("options");
    let mut monitor = sub.monitor();
    sub.connect(vacant().as_str()).expect("connect");
    let start = std::time::Instant::now();
    let pauses = delays(&mut monitor, 50).await;
    assert!(pauses.iter().all(|delay| *delay >= MS));
    // The last of them is yet to pass.
    assert!(start.elapsed() >= pauses[..49].iter().sum::<Duration>());
}

/// Without reconnecting, a lost connection is the end of the endpoint.
#[tokio::test]
async fn without_reconnecting_a_lost_connection_is_not_made_again() {
    // R-CONN-8
    let mut pull = PullSocket::new();
    let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = push(PushSocket::builder().reconnect_interval(None));
    let mut monitor = push.monitor();
    push.connect(&bound).expect("connect");
    connected(&mut monitor).await;
    pull.close().await;
    event(&mut monitor, "the end of the endpoint", |kind| {
        assert!(!matches!(kind, MonitorEventKind::ConnectRetried { .. }));
        matches!(kind, MonitorEventKind::Closed)
    })
    .await;
    let refused = push.try_send("nobody").unwrap_err();
    assert!(matches!(refused, SendError::Gone { .. }), "{refused}");
}
