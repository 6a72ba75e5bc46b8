//! Options that are changed after the socket was made: what takes effect at once, what for later peers, and
//! what for later endpoints, as the table of options says.

use std::time::Duration;

use common::events::connected;
use common::within;
use purezmq::error::{RecvError, SendError};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    Context, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterEvent, RouterSocket, SubSocket, XPubSocket, XSubSocket,
};

const ANYWHERE: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn timeouts_at_once() {
    let mut pair = PairSocket::new();
    pair.set_options(|options| {
        options
            .send_timeout(Duration::ZERO)
            .recv_timeout(Duration::ZERO)
    })
    .expect("in range");
    let sent = within("send without a peer", pair.send("nobody")).await;
    assert!(matches!(sent, Err(SendError::Timeout(_))));
    let received = within("recv without a peer", pair.recv()).await;
    assert!(matches!(received, Err(RecvError::Timeout)));
}

fn get(options: &Options, name: &str) -> Value {
    let id = OptionId::by_name(name).expect("an option");
    options.get(id).expect("the type has it")
}

/// What the halves of a socket change is one set of options, of which the newest holds, whichever half has read of it.
#[tokio::test]
async fn halves_change_the_same_options() {
    macro_rules! halves {
        ($($socket:ident)*) => {
            $(
                let (mut sender, mut receiver) = $socket::new().split();
                receiver
                    .set_options(|options| options.recv_timeout(Duration::ZERO))
                    .expect("in range");
                let zero = Value::from(Some(Duration::ZERO));
                assert_eq!(get(&sender.options(), "recv_timeout"), zero);
                sender.set_options(|options| options.recv_hwm(7)).expect("in range");
                sender.set_linger(Some(Duration::ZERO));
                receiver.set_options(|options| options.send_hwm(8)).expect("in range");
                for options in [sender.options(), receiver.options()] {
                    for (name, value) in [
                        ("recv_timeout", &zero),
                        ("recv_hwm", &7_usize.into()),
                        ("send_hwm", &8_usize.into()),
                        ("linger", &zero),
                    ] {
                        assert_eq!(get(&options, name), *value, "{name}");
                    }
                }
                let received = within("a limit", receiver.recv()).await;
                assert!(matches!(received, Err(RecvError::Timeout)));

                // Neither half has read of the other's last change.
                sender.set_options(|options| options.send_hwm(9)).expect("in range");
                receiver.set_options(|options| options.recv_timeout(None)).expect("in range");
                let mut whole = sender.reunite(receiver).expect("of one socket");
                let options = whole.options();
                assert_eq!(get(&options, "send_hwm"), 9_usize.into());
                assert_eq!(get(&options, "recv_timeout"), None::<Duration>.into());
                whole
                    .set_options(|options| options.recv_timeout(Duration::ZERO))
                    .expect("in range");
                let received = within("a limit", whole.recv()).await;
                assert!(matches!(received, Err(RecvError::Timeout)));
                assert_eq!(get(&whole.options(), "recv_timeout"), zero);
                // And apart again.
                let (sender, mut receiver) = whole.split();
                assert_eq!(get(&sender.options(), "recv_timeout"), zero);
                let received = within("a limit", receiver.recv()).await;
                assert!(matches!(received, Err(RecvError::Timeout)));
            )*
        };
    }
    halves!(PairSocket DealerSocket RouterSocket XPubSocket XSubSocket);
}

#[tokio::test]
async fn a_limit_set_after_halves_are_joined_holds_for_senders_that_share_the_socket() {
    let (sender, mut receiver) = PairSocket::new().split();
    receiver
        .set_options(|options| options.send_timeout(Duration::from_secs(60)))
        .expect("in range");
    let mut whole = sender.reunite(receiver).expect("of one socket");
    whole
        .set_options(|options| options.send_timeout(Duration::ZERO))
        .expect("in range");
    let shared = whole.into_shared();
    let sent = within("a limit", shared.send("nobody")).await;
    assert!(matches!(sent, Err(SendError::Timeout(_))));
}

#[tokio::test]
async fn linger_at_once() {
    let mut push = PushSocket::new();
    push.connect("tcp://127.0.0.1:1").expect("connect");
    push.send("never arrives").await.expect("queued");
    push.set_options(|options| options.linger(Duration::ZERO))
        .expect("in range");
    assert_eq!(within("close", push.close()).await.unsent, 1);
}

#[tokio::test]
async fn linger_set_alone_outlives_other_changes() {
    let mut push = PushSocket::new();
    push.connect("tcp://127.0.0.1:1").expect("connect");
    push.send("never arrives").await.expect("queued");
    push.set_linger(Some(Duration::ZERO));
    push.set_options(|options| options.send_hwm(7))
        .expect("in range");
    assert_eq!(within("close", push.close()).await.unsent, 1);
}

#[tokio::test]
async fn mandatory_at_once() {
    let mut router = RouterSocket::new();
    router.send_to("nobody", "dropped").await.expect("dropped");
    assert_eq!(router.dropped(), 1);
    router
        .set_options(|options| options.mandatory(true))
        .expect("in range");
    let sent = router.send_to("nobody", "refused").await;
    assert!(matches!(sent, Err(SendError::Unroutable { .. })));
    assert_eq!(router.dropped(), 1);
}

#[tokio::test]
async fn relaxed_and_correlate_at_once() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANYWHERE).await.expect("bind");
    let mut req = ReqSocket::new();
    req.connect(&endpoint).expect("connect");
    req.send("one").await.expect("send");
    let one = within("one", router.recv_message()).await.expect("recv");
    assert_eq!(one.message.len(), 2, "delimiter and body");
    assert!(matches!(
        req.send("too early").await,
        Err(SendError::State { .. })
    ));
    req.set_options(|options| options.relaxed(true).correlate(true))
        .expect("in range");
    req.send("two").await.expect("relaxed");
    let two = within("two", router.recv_message()).await.expect("recv");
    assert_eq!(two.message.len(), 3, "number, delimiter and body");
}

#[tokio::test]
async fn handover_at_once() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANYWHERE).await.expect("bind");
    let named = || {
        DealerSocket::builder()
            .routing_id("me")
            .build()
            .expect("id")
    };
    let mut first = named();
    first.connect(&endpoint).expect("connect");
    first.send("first").await.expect("send");
    assert_eq!(
        within("first", router.recv_message())
            .await
            .expect("recv")
            .message,
        "first"
    );
    router
        .set_options(|options| options.handover(true))
        .expect("in range");
    let mut second = named();
    second.connect(&endpoint).expect("connect");
    second.send("second").await.expect("send");
    assert_eq!(
        within("the newcomer", router.recv_message())
            .await
            .expect("recv")
            .message,
        "second"
    );
}

#[tokio::test]
async fn matching_at_once() {
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANYWHERE).await.expect("bind");
    let mut sub = SubSocket::new();
    sub.subscribe("a");
    sub.connect(&endpoint).expect("connect");
    within("subscription", publisher.wait_for_subscribers(1)).await;
    for round in ["a", "b"] {
        publisher.send("a: news").await.expect("send");
        publisher.send("b: news").await.expect("send");
        let news = within("news", sub.recv()).await.expect("recv");
        assert_eq!(news, format!("{round}: news"));
        publisher
            .set_options(|options| options.invert_matching(true))
            .expect("in range");
        sub.set_options(|options| options.invert_matching(true))
            .expect("in range");
    }
}

#[tokio::test]
async fn verbosity_at_once() {
    let mut publisher = XPubSocket::new();
    let endpoint = publisher.bind(ANYWHERE).await.expect("bind");
    let subscribe = || {
        let mut sub = SubSocket::new();
        sub.subscribe("a");
        sub.connect(&endpoint).expect("connect");
        sub
    };
    let _one = subscribe();
    assert_eq!(
        within("the first", publisher.recv()).await.expect("recv"),
        "\x01a"
    );
    publisher
        .set_options(|options| options.verbose(true))
        .expect("in range");
    let _two = subscribe();
    assert_eq!(
        within("a repeated one", publisher.recv())
            .await
            .expect("recv"),
        "\x01a"
    );
}

#[tokio::test]
async fn the_probe_for_peers_that_come_later() {
    let mut dealer = DealerSocket::new();
    let endpoint = dealer.bind(ANYWHERE).await.expect("bind");
    let connect = || {
        let mut router = RouterSocket::new();
        router.connect(&endpoint).expect("connect");
        router
    };
    let mut monitor = dealer.monitor();
    let mut before = connect();
    // The connection has begun when the dealer says so: this test has one thread.
    connected(&mut monitor).await;
    dealer
        .set_options(|options| options.probe_router(true))
        .expect("in range");
    let mut after = connect();
    assert_eq!(
        within("the probe", after.recv_message())
            .await
            .expect("recv")
            .message,
        ""
    );
    dealer.send("to the first").await.expect("send");
    let first = within("no probe", before.recv_message())
        .await
        .expect("recv");
    assert_eq!(first.message, "to the first");
}

#[tokio::test]
async fn the_welcome_for_peers_that_come_later() {
    let mut publisher = XPubSocket::new();
    let endpoint = publisher.bind(ANYWHERE).await.expect("bind");
    publisher
        .set_options(|options| options.welcome("hello"))
        .expect("in range");
    let mut sub = SubSocket::new();
    sub.subscribe("");
    sub.connect(&endpoint).expect("connect");
    assert_eq!(
        within("the welcome", sub.recv()).await.expect("recv"),
        "hello"
    );
}

#[tokio::test]
async fn the_routing_id_for_endpoints_connected_later() {
    let mut routers = [RouterSocket::new(), RouterSocket::new()];
    let mut dealer = DealerSocket::builder()
        .routing_id("one")
        .build()
        .expect("id");
    for (router, name) in routers.iter_mut().zip(["one", "two"]) {
        let endpoint = router.bind(ANYWHERE).await.expect("bind");
        dealer
            .set_options(|options| options.routing_id(name))
            .expect("in range");
        dealer.connect(&endpoint).expect("connect");
    }
    for _ in 0..2 {
        dealer.send("hello").await.expect("send");
    }
    for (router, name) in routers.iter_mut().zip(["one", "two"]) {
        let hello = within("a name", router.recv_message()).await.expect("recv");
        assert_eq!(hello.peer, name);
    }
}

#[tokio::test]
async fn a_size_limit_for_endpoints_bound_later() {
    let mut pull = PullSocket::new();
    let before = pull.bind(ANYWHERE).await.expect("bind");
    pull.set_options(|options| options.max_message_size(10))
        .expect("in range");
    let after = pull.bind(ANYWHERE).await.expect("bind");
    let mut monitor = pull.monitor();
    let mut push = PushSocket::new();
    push.connect(&before).expect("connect");
    push.send("more than ten bytes").await.expect("send");
    let message = within("no limit", pull.recv()).await.expect("recv");
    assert_eq!(message, "more than ten bytes");
    let mut push = PushSocket::new();
    push.connect(&after).expect("connect");
    push.send("more than ten bytes").await.expect("send");
    common::events::event(&mut monitor, "the refusal", |kind| {
        matches!(kind, purezmq::MonitorEventKind::Disconnected(_))
    })
    .await;
}

#[tokio::test]
async fn notices_for_endpoints_bound_later() {
    let mut router = RouterSocket::new();
    let before = router.bind(ANYWHERE).await.expect("bind");
    router
        .set_options(|options| options.notify(true))
        .expect("in range");
    let after = router.bind(ANYWHERE).await.expect("bind");
    let mut silent = DealerSocket::new();
    silent.connect(&before).expect("connect");
    silent.send("first").await.expect("send");
    let first = within("first", router.recv()).await.expect("recv");
    assert_eq!(first.into_message().expect("no event").message, "first");
    let mut told = DealerSocket::new();
    told.connect(&after).expect("connect");
    let event = within("an event", router.recv()).await.expect("recv");
    assert!(matches!(event, RouterEvent::Connected(_)));
}

#[tokio::test]
async fn conflation_for_endpoints_bound_later() {
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    pull.bind("inproc://history").await.expect("bind");
    pull.set_options(|options| options.conflate(true))
        .expect("in range");
    pull.bind("inproc://latest").await.expect("bind");
    for (name, expected) in [("history", vec!["1", "2", "3"]), ("latest", vec!["3"])] {
        let mut push = PushSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        push.connect(format!("inproc://{name}")).expect("connect");
        for message in ["1", "2", "3"] {
            push.send(message).await.expect("send");
        }
        for message in expected {
            assert_eq!(pull.recv().await.expect("recv"), message);
        }
        assert!(pull.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_bound_name_stays_bound() {
    let context = Context::new();
    let mut rep = RepSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    rep.bind("inproc://service").await.expect("bind");
    rep.set_options(|options| options.recv_hwm(5))
        .expect("in range");
    let mut req = ReqSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    req.connect("inproc://service").expect("connect");
    req.send("question").await.expect("send");
    assert_eq!(
        within("request", rep.recv()).await.expect("recv"),
        "question"
    );
    rep.unbind("inproc://service").await.expect("unbind");
    rep.bind("inproc://service")
        .await
        .expect("the name is free");
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let mut push = PushSocket::new();
    let error = push
        .set_options(|options| options.send_timeout(Duration::ZERO).backlog(0))
        .expect_err("backlog is out of range");
    assert_eq!(
        error.to_string(),
        "option backlog cannot be 0: allowed is 1 to 65535"
    );
    // That a send waits can only be seen by waiting; a timeout of zero would be over at once.
    let waits = tokio::time::timeout(Duration::from_millis(20), push.send("waits")).await;
    assert!(waits.is_err(), "send_timeout is as it was");
    let error = push
        .set_options(|options| options.context(&Context::new()))
        .expect_err("a socket stays in its context");
    assert_eq!(error.option(), "context");
}
