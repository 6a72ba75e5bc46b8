//! Cuts that nobody tells of: who notices them, and when.

use std::time::{Duration, Instant};

use common::events::connected;
use common::libzmq::Told;
use common::{until, within};
use purezmq::{DisconnectReason, MonitorEventKind, PullSocket, PushSocket};
use tokio::time::timeout;

use super::{LIBZMQ, OTHERS, SLACK, US, assert_between, ended};
use crate::hosts::{Network, address};

#[tokio::test]
async fn heartbeats_notice_a_silent_cut_in_the_configured_time_on_both_sides() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let (interval, patience) = (Duration::from_millis(500), Duration::from_millis(300));
    let server = network.host(OTHERS).spawn(async move {
        let mut pull = PullSocket::builder()
            .heartbeat_interval(interval)
            .heartbeat_timeout(patience)
            .build()
            .unwrap();
        let monitor = pull.monitor();
        pull.bind("tcp://*:5555").await.unwrap();
        (pull, monitor)
    });
    let (mut pull, monitor) = within("bind", server).await.unwrap();
    // libzmq beside it: both of ours are to notice the same from it.
    let (address_of_ours, theirs) = (address(OTHERS), address(LIBZMQ));
    let libzmq = network.host(LIBZMQ).thread(move || {
        let socket = zmq::Context::new().socket(zmq::PULL).unwrap();
        socket.bind("tcp://*:5556").unwrap();
        socket.set_rcvtimeo(20_000).unwrap();
        // One message of each of our connections: before the cut, and after.
        [(); 2].map(|()| socket.recv_bytes(0).unwrap())
    });
    let open = move |address: String, port: u16| async move {
        let mut push = PushSocket::builder()
            .heartbeat_interval(interval)
            .heartbeat_timeout(patience)
            .connect_timeout(Duration::from_millis(250))
            .build()
            .unwrap();
        let mut monitor = push.monitor();
        push.connect(format!("tcp://{address}:{port}")).unwrap();
        connected(&mut monitor).await;
        push.send("before").await.unwrap();
        (push, monitor)
    };
    let ours = within(
        "connect",
        network.host(US).spawn(open(address_of_ours, 5555)),
    )
    .await
    .unwrap();
    let to_libzmq = within("connect", network.host(US).spawn(open(theirs, 5556)))
        .await
        .unwrap();
    assert_eq!(within("before", pull.recv()).await.unwrap(), "before");

    let cut = Instant::now();
    network.cut(US);
    let noticed = [
        ("the listener", network.host(OTHERS).spawn(ended(monitor))),
        ("the dialler", network.host(US).spawn(ended(ours.1))),
        (
            "the dialler at libzmq",
            network.host(US).spawn(ended(to_libzmq.1)),
        ),
    ];
    for (who, noticed) in noticed {
        let (when, event) = within(who, noticed).await.unwrap();
        let MonitorEventKind::Disconnected(DisconnectReason::Protocol(reason)) = event.kind else {
            panic!("{who}: {:?}", event.kind);
        };
        assert!(
            matches!(reason, purezmq::zmtp::Error::Silent(_)),
            "{reason}"
        );
        assert_between(who, when - cut, patience, interval + patience + SLACK);
    }

    network.heal(US);
    let (mut first, mut second) = (ours.0, to_libzmq.0);
    let sent = network.host(US).spawn(async move {
        first.send("after").await.unwrap();
        second.send("after").await.unwrap();
        (first, second)
    });
    let _sockets = within("send", sent).await.unwrap();
    assert_eq!(within("after", pull.recv()).await.unwrap(), "after");
    let heard = within(
        "libzmq hears it",
        tokio::task::spawn_blocking(|| libzmq.join()),
    )
    .await;
    assert_eq!(
        heard.unwrap().unwrap(),
        [b"before".to_vec(), b"after".to_vec()]
    );
}

#[tokio::test]
async fn libzmq_notices_a_silent_cut_by_our_answers_to_its_heartbeats_and_comes_back() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let server = network.host(OTHERS).spawn(async {
        let mut pull = PullSocket::new();
        pull.bind("tcp://*:5555").await.unwrap();
        pull
    });
    let mut pull = within("bind", server).await.unwrap();
    let endpoint = format!("tcp://{}:5555", address(OTHERS));
    let (libzmq, told) = {
        // Made in a thread of the host, so that libzmq's own threads are there, too.
        let host = network.host(LIBZMQ);
        let made = host.thread(|| common::libzmq::Libzmq::monitored(zmq::PUSH));
        made.join().unwrap()
    };
    libzmq
        .run(move |socket| {
            socket.set_heartbeat_ivl(300).unwrap();
            socket.set_connect_timeout(250).unwrap();
            socket.connect(&endpoint).unwrap();
            socket.send("before", 0).unwrap();
        })
        .await;
    assert_eq!(within("before", pull.recv()).await.unwrap(), "before");
    // Long enough for several heartbeats, all of which we answer: it stays connected.
    let mut told = told;
    let disconnected = async |told: &mut tokio::sync::mpsc::UnboundedReceiver<Told>| {
        while told.recv().await.expect("events").number != zmq::SocketEvent::DISCONNECTED as u16 {}
    };
    assert!(
        timeout(Duration::from_secs(1), disconnected(&mut told))
            .await
            .is_err()
    );
    let cut = Instant::now();
    network.cut(LIBZMQ);
    within("libzmq notices", disconnected(&mut told)).await;
    assert_between(
        "libzmq",
        cut.elapsed(),
        Duration::ZERO,
        Duration::from_millis(600) + SLACK,
    );
    network.heal(LIBZMQ);
    libzmq.run(|socket| socket.send("after", 0).unwrap()).await;
    assert_eq!(within("after", pull.recv()).await.unwrap(), "after");
}

/// A PUSH on our host and a PULL on another, without heartbeats; two more that have none of the options.
async fn without_heartbeats(
    network: &Network,
    tune: fn(purezmq::socket::Builder<PushSocket>) -> purezmq::socket::Builder<PushSocket>,
) -> [(PushSocket, purezmq::Monitor); 2] {
    let server = network.host(OTHERS).spawn(async {
        let mut pull = PullSocket::new();
        pull.bind("tcp://*:5555").await.unwrap();
        pull
    });
    let mut pull = within("bind", server).await.unwrap();
    let endpoint = format!("tcp://{}:5555", address(OTHERS));
    let sockets = network.host(US).spawn(async move {
        let open = async |builder: purezmq::socket::Builder<PushSocket>| {
            let mut push = builder.build().unwrap();
            let mut monitor = push.monitor();
            push.connect(endpoint.as_str()).unwrap();
            connected(&mut monitor).await;
            push.send("before").await.unwrap();
            (push, monitor)
        };
        [
            open(tune(PushSocket::builder())).await,
            open(PushSocket::builder()).await,
        ]
    });
    let sockets = within("connect", sockets).await.unwrap();
    for _ in 0..2 {
        assert_eq!(within("before", pull.recv()).await.unwrap(), "before");
    }
    // Stays open until the network goes.
    network
        .host(OTHERS)
        .spawn(async move { while pull.recv().await.is_ok() {} });
    sockets
}

#[tokio::test]
async fn tcp_user_timeout_notices_what_stays_unacknowledged() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let limit = Duration::from_millis(1500);
    let sockets = without_heartbeats(&network, |builder| {
        builder.tcp_user_timeout(Duration::from_millis(1500))
    });
    let [(mut tuned, monitor), (mut plain, plain_monitor)] = sockets.await;
    network.cut(US);
    let since = Instant::now();
    let noticed = network.host(US).spawn(ended(monitor));
    let silent = network.host(US).spawn(ended(plain_monitor));
    let sent = network.host(US).spawn(async move {
        tuned.send("into the void").await.unwrap();
        plain.send("into the void").await.unwrap();
        (tuned, plain)
    });
    let _sockets = within("send", sent).await.unwrap();
    let (when, event) = within("the system gives up", noticed).await.unwrap();
    assert!(event.errno().is_some(), "{event:?}");
    // The system looks when it sends again, at growing intervals: up to the double.
    assert_between(
        "tcp_user_timeout",
        when - since,
        limit - SLACK,
        2 * limit + SLACK,
    );
    assert!(
        !silent.is_finished(),
        "without the option nothing is noticed for minutes"
    );
    silent.abort();
}

#[tokio::test]
async fn keep_alive_notices_a_silent_cut_of_an_idle_connection() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let sockets = without_heartbeats(&network, |builder| {
        builder
            .tcp_keepalive(true)
            .tcp_keepalive_idle(Duration::from_secs(1))
            .tcp_keepalive_interval(Duration::from_secs(1))
            .tcp_keepalive_count(2)
    });
    let [(_tuned, monitor), (_plain, plain_monitor)] = sockets.await;
    // What is not acknowledged yet is sent again and again, and keep-alive has to wait for that.
    until("all is acknowledged", || network.host(US).has_sent_all()).await;
    network.cut(US);
    let since = Instant::now();
    let noticed = network.host(US).spawn(ended(monitor));
    let silent = network.host(US).spawn(ended(plain_monitor));
    let (when, event) = within("keep-alive gives up", noticed).await.unwrap();
    assert!(event.errno().is_some(), "{event:?}");
    // Idle for a second, and then two probes, a second apart.
    let second = Duration::from_secs(1);
    assert_between("keep-alive", when - since, second, 3 * second + second);
    assert!(
        !silent.is_finished(),
        "without the option nothing is noticed for hours"
    );
    silent.abort();
}
