//! The life of endpoints and sockets: binding, connecting, unbinding, disconnecting, lingering, closing.
//! Both ends are ours; the same against libzmq is in `failures.rs` and the interop tests.

use std::time::Duration;

use common::events::{connected, event};
use common::within;
use purezmq::{
    BindError, Context, DisconnectError, Endpoint, MonitorEventKind, PubSocket, PullSocket,
    PushSocket, RepSocket, ReqSocket, SubSocket, UnbindError,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// An endpoint at which nobody listens.
async fn vacant() -> Endpoint {
    let mut socket = PullSocket::new();
    let endpoint = socket.bind(ANY_PORT).await.unwrap();
    socket.unbind(&endpoint).await.unwrap();
    endpoint
}

#[tokio::test]
async fn one_socket_binds_and_connects_many_endpoints_of_mixed_transports() {
    // R-CONN-20
    let mut sink = PullSocket::new();
    let directory = tempfile::tempdir().unwrap();
    let ipc = format!("ipc://{}/socket", directory.path().display());
    let mut endpoints = vec![
        sink.bind(ANY_PORT).await.unwrap(),
        sink.bind("tcp://[::1]:*").await.unwrap(),
        sink.bind(ipc).await.unwrap(),
        sink.bind("inproc://mixed-transports").await.unwrap(),
    ];
    let mut dialled = PushSocket::new();
    endpoints.push(dialled.bind(ANY_PORT).await.unwrap());
    sink.connect(&endpoints[4]).unwrap();
    within("connected", dialled.send("4")).await.unwrap();
    let mut pushers = Vec::new();
    for (number, endpoint) in endpoints.iter().enumerate().take(4) {
        let mut push = PushSocket::new();
        push.connect(endpoint).unwrap();
        push.send(number.to_string()).await.unwrap();
        pushers.push(push);
    }
    let mut got = Vec::new();
    for _ in 0..5 {
        let message = within("from every endpoint", sink.recv()).await.unwrap();
        got.push(String::from_utf8(message[0].to_vec()).unwrap());
    }
    got.sort();
    assert_eq!(got, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn the_last_endpoint_is_resolved_after_bind_and_as_given_after_connect() {
    // R-CONN-17
    let mut socket = PushSocket::new();
    assert!(socket.last_endpoint().is_none());
    let bound = socket.bind(ANY_PORT).await.unwrap();
    assert_eq!(socket.last_endpoint(), Some(bound.clone()));
    assert!(!bound.to_string().ends_with('*'));
    socket.connect("tcp://localhost:7").unwrap();
    assert_eq!(
        socket.last_endpoint().unwrap().to_string(),
        "tcp://localhost:7"
    );
    let mut on_all = PullSocket::new();
    let endpoint = on_all.bind("tcp://*:*").await.unwrap().to_string();
    assert!(endpoint.starts_with("tcp://[::]:") || endpoint.starts_with("tcp://0.0.0.0:"));
}

#[tokio::test]
async fn an_address_in_use_is_refused_and_the_socket_stays_usable() {
    // R-CONN-18
    let mut first = PullSocket::new();
    let endpoint = first.bind(ANY_PORT).await.unwrap();
    let mut second = PullSocket::new();
    let error = second.bind(&endpoint).await.unwrap_err();
    assert!(matches!(&error, BindError::AddressInUse { endpoint: at } if *at == endpoint));
    second.bind(ANY_PORT).await.unwrap();
}

#[tokio::test]
async fn unbind_frees_the_address_and_ends_the_accepted_connections() {
    // R-CONN-15, R-CONN-16
    let mut sink = PullSocket::new();
    let mut monitor = sink.monitor();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    connected(&mut monitor).await;
    assert!(matches!(
        sink.unbind("tcp://127.0.0.1:*").await,
        Err(UnbindError::NotBound { .. })
    ));
    sink.unbind(&endpoint).await.unwrap();
    event(&mut monitor, "the connection ends", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    assert!(matches!(
        sink.unbind(&endpoint).await,
        Err(UnbindError::NotBound { .. })
    ));
    let mut heir = PullSocket::new();
    let mut monitor = push.monitor();
    heir.bind(&endpoint).await.unwrap();
    connected(&mut monitor).await;
    push.send("for whoever listens there").await.unwrap();
    within("the heir gets it", heir.recv()).await.unwrap();
}

#[tokio::test]
async fn disconnect_sends_what_is_queued_and_then_goes() {
    // R-CONN-13, R-CONN-14
    let mut sink = PullSocket::new();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for number in 0..100 {
        push.send(number.to_string()).await.unwrap();
    }
    push.disconnect(&endpoint).unwrap();
    assert!(matches!(
        push.disconnect(&endpoint),
        Err(DisconnectError::NotConnected { .. })
    ));
    for number in 0..100 {
        let message = within("queued before", sink.recv()).await.unwrap();
        assert_eq!(message, number.to_string().as_bytes());
    }
    assert!(push.try_send("nobody is there").unwrap_err().is_full());
}

#[tokio::test]
async fn disconnect_drops_what_has_come_and_was_not_read() {
    // R-CONN-14
    let mut push = PushSocket::new();
    let endpoint = push.bind(ANY_PORT).await.unwrap();
    let mut sink = PullSocket::new();
    sink.connect(&endpoint).unwrap();
    within("there", push.send("read")).await.unwrap();
    push.send("unread").await.unwrap();
    assert_eq!(within("first", sink.recv()).await.unwrap(), "read");
    sink.disconnect(&endpoint).unwrap();
    assert!(sink.try_recv().is_err());
}

#[tokio::test]
async fn connecting_twice_makes_one_connection_for_req_sub_and_pub() {
    // R-CONN-12
    let mut rep = RepSocket::new();
    let mut monitor = rep.monitor();
    let endpoint = rep.bind(ANY_PORT).await.unwrap();
    let mut req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    req.connect(&endpoint).unwrap();
    req.send("one").await.unwrap();
    within("request", rep.recv()).await.unwrap();
    rep.send("two").await.unwrap();
    within("reply", req.recv()).await.unwrap();
    req.close().await;
    let mut accepted = 0;
    loop {
        match within("events", monitor.recv()).await.unwrap().kind {
            MonitorEventKind::Accepted => accepted += 1,
            MonitorEventKind::Disconnected(_) => break,
            _ => {}
        }
    }
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn close_waits_until_everything_is_sent() {
    // R-LING-1
    let mut sink = PullSocket::builder().recv_hwm(0).build().unwrap();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for number in 0..1000 {
        push.send(number.to_string()).await.unwrap();
    }
    let closed = within("close", push.close()).await;
    assert_eq!(closed.unsent, 0);
    for _ in 0..1000 {
        within("all came", sink.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn dropping_a_socket_lingers_in_the_background() {
    let endpoint = vacant().await;
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.send("left behind").await.unwrap();
    drop(push);
    let mut sink = PullSocket::new();
    sink.bind(&endpoint).await.unwrap();
    assert_eq!(
        within("lingering", sink.recv()).await.unwrap(),
        "left behind"
    );
}

#[tokio::test]
async fn close_says_what_was_left_when_the_linger_time_is_over() {
    // R-LING-1, R-LING-4
    let endpoint = vacant().await;
    for linger in [Duration::ZERO, Duration::from_millis(50)] {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        for _ in 0..7 {
            push.send("never").await.unwrap();
        }
        // R-LING-3: until the close.
        push.set_linger(Some(linger));
        assert_eq!(within("close", push.close()).await.unsent, 7);
    }
}

#[tokio::test]
async fn lingering_ends_in_time_when_the_peer_does_not_read() {
    let mut sink = PullSocket::builder().recv_hwm(1).build().unwrap();
    let endpoint = sink.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::builder()
        .linger(Duration::from_millis(100))
        .send_hwm_bytes(0)
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    let large = purezmq::Frame::from(vec![1; 1 << 20]);
    for _ in 0..100 {
        push.send(large.clone()).await.unwrap();
    }
    let closed = within("close", push.close()).await;
    assert!(closed.unsent > 50, "{closed:?}");
}

#[tokio::test]
async fn a_subscriber_does_not_linger() {
    // R-LING-2
    let mut sub = SubSocket::new();
    sub.connect(&vacant().await).unwrap();
    sub.subscribe("topic");
    assert_eq!(within("close", sub.close()).await.unsent, 0);
}

#[tokio::test]
async fn without_immediate_messages_wait_for_a_peer_that_is_not_there() {
    // R-CONN-1, R-HWM-2
    let mut push = PushSocket::builder()
        .send_hwm(5)
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    push.connect(&vacant().await).unwrap();
    for _ in 0..5 {
        push.try_send("waits").unwrap();
    }
    assert!(push.try_send("too many").unwrap_err().is_full());
}

#[tokio::test]
async fn with_immediate_a_socket_without_a_connection_is_mute() {
    // R-CONN-2
    let endpoint = vacant().await;
    let mut push = PushSocket::builder().immediate(true).build().unwrap();
    push.connect(&endpoint).unwrap();
    assert!(push.try_send("nobody").unwrap_err().is_full());
    let mut sink = PullSocket::new();
    sink.bind(&endpoint).await.unwrap();
    within("connected", push.send("somebody")).await.unwrap();
    assert_eq!(within("there", sink.recv()).await.unwrap(), "somebody");
    let mut monitor = push.monitor();
    sink.close().await;
    event(&mut monitor, "gone", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    assert!(push.try_send("nobody again").unwrap_err().is_full());
}

#[tokio::test]
async fn a_bound_socket_without_peers_is_mute() {
    // R-HWM-3
    let mut push = PushSocket::new();
    push.bind(ANY_PORT).await.unwrap();
    assert!(push.try_send("nobody").unwrap_err().is_full());
}

#[tokio::test]
async fn never_reconnecting_is_possible() {
    // R-CONN-8
    let mut push = PushSocket::builder()
        .reconnect_interval(None)
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&vacant().await).unwrap();
    event(&mut monitor, "given up", |kind| {
        assert!(!matches!(kind, MonitorEventKind::ConnectRetried { .. }));
        matches!(kind, MonitorEventKind::Closed)
    })
    .await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_tried_again() {
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect("tcp://no-such-host.invalid:5555").unwrap();
    for _ in 0..2 {
        event(&mut monitor, "resolving fails", |kind| {
            matches!(kind, MonitorEventKind::ConnectFailed(_))
        })
        .await;
    }
    push.set_linger(Some(Duration::ZERO));
    within("close", push.close()).await;
}

#[tokio::test]
async fn subscriptions_come_back_with_a_new_publisher() {
    // R-CONN-21, R-SUB-7
    let mut sub = SubSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    let endpoint = vacant().await;
    sub.subscribe("a");
    sub.connect(&endpoint).unwrap();
    for round in 0..5 {
        let mut publisher = PubSocket::new();
        publisher.bind(&endpoint).await.unwrap();
        if round == 2 {
            sub.unsubscribe("a");
            sub.subscribe("ab");
        }
        let heard = within("heard again", async {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            loop {
                tokio::select! {
                    message = sub.recv() => break message.unwrap(),
                    _ = ticks.tick() => {
                        publisher.send("b not wanted").await.unwrap();
                        publisher.send(format!("ab{round}")).await.unwrap();
                    }
                }
            }
        })
        .await;
        assert_eq!(heard, format!("ab{round}").as_bytes());
        // What is still on its way from this publisher must not be taken for the next one's.
        let mut monitor = sub.monitor();
        publisher.close().await;
        event(&mut monitor, "gone", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
        while sub.try_recv().is_ok() {}
    }
}

#[tokio::test]
async fn inproc_names_belong_to_their_context() {
    // R-INP-1, R-INP-2, R-INP-4
    let (one, other) = (Context::new(), Context::new());
    let mut push = PushSocket::builder().context(&one).build().unwrap();
    push.connect("inproc://name").unwrap();
    push.send("before bind").await.unwrap();
    let mut elsewhere = PullSocket::builder().context(&other).build().unwrap();
    elsewhere.bind("inproc://name").await.unwrap();
    let mut sink = PullSocket::builder().context(&one).build().unwrap();
    let name = sink.bind("inproc://name").await.unwrap();
    assert_eq!(
        within("after bind", sink.recv()).await.unwrap(),
        "before bind"
    );
    assert!(elsewhere.try_recv().is_err());
    let mut second = PullSocket::builder().context(&one).build().unwrap();
    assert!(matches!(
        second.bind("inproc://name").await,
        Err(BindError::AddressInUse { .. })
    ));
    assert!(second.unbind("inproc://name").await.is_err());
    // R-CONN-16: the name goes, the connection stays.
    sink.unbind(&name).await.unwrap();
    second.bind("inproc://name").await.unwrap();
    push.send("old friends").await.unwrap();
    assert_eq!(
        within("still joined", sink.recv()).await.unwrap(),
        "old friends"
    );
}

#[tokio::test]
async fn inproc_messages_outlive_their_sender() {
    // R-INP-3
    let context = Context::new();
    let mut sink = PullSocket::builder().context(&context).build().unwrap();
    sink.bind("inproc://name").await.unwrap();
    let mut push = PushSocket::builder()
        .context(&context)
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    push.connect("inproc://name").unwrap();
    push.send("last words").await.unwrap();
    drop(push);
    assert_eq!(within("read", sink.recv()).await.unwrap(), "last words");
}

#[tokio::test]
async fn inproc_carries_subscriptions_both_ways_round() {
    let context = Context::new();
    let mut publisher = PubSocket::builder().context(&context).build().unwrap();
    publisher.bind("inproc://bound-publisher").await.unwrap();
    let mut bound = SubSocket::builder().context(&context).build().unwrap();
    bound.bind("inproc://bound-subscriber").await.unwrap();
    bound.subscribe("a");
    publisher.connect("inproc://bound-subscriber").unwrap();
    let mut connecting = SubSocket::builder().context(&context).build().unwrap();
    connecting.subscribe("b");
    connecting.connect("inproc://bound-publisher").unwrap();
    connecting.subscribe("c");
    for text in ["a", "b", "c", "d"] {
        publisher.send(text).await.unwrap();
    }
    assert_eq!(within("a", bound.recv()).await.unwrap(), "a");
    assert!(bound.try_recv().is_err());
    assert_eq!(within("b", connecting.recv()).await.unwrap(), "b");
    assert_eq!(within("c", connecting.recv()).await.unwrap(), "c");
    assert!(connecting.try_recv().is_err());
}
