//! Dialling that has ended, because reconnecting is off or the peer refused for good: the endpoint is gone, calls say so
//! with the last reason, and connecting to it dials again.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use purezmq::options::{OptionId, Options, Value};
use purezmq::rules::{Protocol, RULES, Rules};
use purezmq::security::{AuthRequest, Refusal, Security};
use purezmq::{
    AnySocket, Context, DealerSocket, DisconnectError, GoneReason, Monitor, MonitorEventKind,
    PairSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, RouterSocket, SendError,
    SocketType,
};
use tokio::net::TcpListener;

const TRANSPORTS: [Transport; 2] = [Transport::Tcp4, Transport::Ipc];
const RECONNECT: OptionId = OptionId::by_name("reconnect_interval").unwrap();
const AFTER_REFUSAL: OptionId = OptionId::by_name("reconnect_after_refusal").unwrap();

async fn gone(monitor: &mut Monitor) -> GoneReason {
    let is_gone = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Gone(_));
    match event(monitor, "the endpoint is gone", is_gone).await.kind {
        MonitorEventKind::Gone(gone) => gone.reason.clone(),
        other => unreachable!("{other:?} is not that"),
    }
}

fn partner_of(rules: &Rules) -> SocketType {
    let mut others = RULES.iter().map(|rules| rules.socket_type);
    let other = others.find(|other| rules.socket_type.accepts(*other));
    other.expect("there is one for each")
}

/// What would wait for ever says why not, in words that have this in them.
async fn says_so(socket: &mut AnySocket, rules: &Rules, why: &str) {
    if rules.mute == "waits" {
        let error = within("send", socket.send("x")).await.unwrap_err();
        assert!(matches!(error, SendError::Gone { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    if !rules.receives.is_empty() && rules.socket_type != SocketType::Req {
        let error = within("recv", socket.recv()).await.unwrap_err();
        assert!(matches!(error, RecvError::Gone(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Every type, by `connect` and `connect_as`: with reconnecting off, the peer goes and another one comes.
#[tokio::test]
async fn connect_connects_again_when_dialling_had_ended() {
    for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
        for transport in TRANSPORTS {
            println!("{} {transport:?}", rules.socket_type);
            let mut options = Options::of(rules.socket_type);
            options.set(RECONNECT, Value::None).unwrap();
            let mut socket =
                AnySocket::with_options(rules.socket_type, &Context::new(), options).unwrap();
            let mut monitor = socket.monitor();
            let place = Place::fixed(transport);
            for by_name in [false, true] {
                for _ in 0..2 {
                    let mut peer = AnySocket::new(partner_of(rules), &Context::new()).unwrap();
                    peer.bind(&place.endpoint).await.unwrap();
                    if by_name {
                        socket.connect_as(&place.endpoint, "peer").unwrap();
                    } else {
                        socket.connect(&place.endpoint).unwrap();
                    }
                    connected(&mut monitor).await;
                    within("close", peer.close()).await;
                    let reason = gone(&mut monitor).await;
                    assert!(
                        matches!(reason, GoneReason::NotReconnecting { .. }),
                        "{reason}"
                    );
                    says_so(&mut socket, rules, "reconnecting is off").await;
                }
            }
            // Each was in the place of the one before.
            let mut disconnect = || socket.disconnect(&place.endpoint);
            assert!(matches!(disconnect(), Err(DisconnectError::Gone(_))));
            assert!(matches!(
                disconnect(),
                Err(DisconnectError::NotConnected { .. })
            ));
        }
    }
}

/// The same over inproc, where nothing is dialled: the pipe goes with the peer.
#[tokio::test]
async fn connect_connects_again_over_inproc() {
    for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
        let context = Context::new();
        let mut socket = AnySocket::new(rules.socket_type, &context).unwrap();
        for by_name in [false, true, true] {
            let mut peer = AnySocket::new(partner_of(rules), &context).unwrap();
            peer.bind("inproc://again").await.unwrap();
            if by_name {
                socket.connect_as("inproc://again", "peer").unwrap();
            } else {
                socket.connect("inproc://again").unwrap();
            }
            let peers = socket.stats().peers.len();
            assert_eq!(peers, 1, "{} {by_name}", rules.socket_type);
            within("close", peer.close()).await;
        }
    }
}

/// Every type: the peer refuses with an ERROR command, and then lets us in.
#[tokio::test]
async fn connect_connects_again_after_a_final_refusal() {
    for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
        for transport in TRANSPORTS {
            println!("{} {transport:?}", rules.socket_type);
            let (context, _server, place) = refusing(partner_of(rules), transport).await;
            let mut socket = client(rules.socket_type, Value::None);
            let mut monitor = socket.monitor();
            for _ in 0..2 {
                socket.connect(&place.endpoint).unwrap();
                let reason = gone(&mut monitor).await;
                let expected = GoneReason::Refused {
                    reason: "400".into(),
                };
                assert_eq!(reason, expected);
                says_so(&mut socket, rules, "refused for good: \"400\"").await;
            }
            let_in(&context);
            socket.connect(&place.endpoint).unwrap();
            connected(&mut monitor).await;
        }
    }
}

/// With `reconnect_after_refusal` it goes on, and nothing is lost.
#[tokio::test]
async fn a_client_that_may_ask_again_comes_in_when_it_is_let_in() {
    for transport in TRANSPORTS {
        let (context, mut server, place) = refusing(SocketType::Pull, transport).await;
        let mut socket = client(SocketType::Push, Duration::from_millis(5).into());
        let mut monitor = socket.monitor();
        socket.connect(&place.endpoint).unwrap();
        socket.send("early").await.unwrap();
        for _ in 0..3 {
            let retried = event(&mut monitor, "another attempt", |kind| {
                assert!(!matches!(kind, MonitorEventKind::Gone(_)));
                matches!(kind, MonitorEventKind::ConnectRetried { .. })
            });
            let MonitorEventKind::ConnectRetried { delay } = retried.await.kind else {
                unreachable!("it was looked for");
            };
            assert!(delay >= Duration::from_millis(5) && delay <= Duration::from_millis(10));
        }
        let_in(&context);
        let early = within("what was sent", server.recv()).await.unwrap();
        assert_eq!(early, "early");
    }
}

/// A PLAIN server whose authenticator says no.
async fn refusing(socket_type: SocketType, transport: Transport) -> (Context, AnySocket, Place) {
    let context = Context::new();
    context.set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
    let mut options = Options::of(socket_type);
    options.set_security(Security::plain_server());
    let mut server = AnySocket::with_options(socket_type, &context, options).unwrap();
    let place = Place::fixed(transport);
    server.bind(&place.endpoint).await.unwrap();
    (context, server, place)
}

fn let_in(context: &Context) {
    let users = [("joe", "secret")];
    context.set_authenticator(purezmq::security::PlainUsers::from_iter(users));
}

fn client(socket_type: SocketType, after_refusal: Value) -> AnySocket {
    let mut options = Options::of(socket_type);
    options.set_security(Security::plain_client("joe", "secret").unwrap());
    options.set(AFTER_REFUSAL, after_refusal).unwrap();
    AnySocket::with_options(socket_type, &Context::new(), options).unwrap()
}

/// A strict REQ whose question went down with its endpoint may ask again, elsewhere.
#[tokio::test]
async fn a_request_that_went_down_with_its_endpoint_is_over() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut req = ReqSocket::builder()
        .reconnect_interval(None)
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    req.send("first").await.unwrap();
    assert_eq!(within("a question", rep.recv()).await.unwrap(), "first");
    within("close", rep.close()).await;
    let answer = within("no answer", req.recv()).await;
    assert!(matches!(answer, Err(RecvError::Gone(_))), "{answer:?}");
    let mut rep = RepSocket::new();
    rep.bind(&endpoint).await.unwrap();
    req.connect(&endpoint).unwrap();
    req.send("second").await.unwrap();
    assert_eq!(within("a question", rep.recv()).await.unwrap(), "second");
}

/// A connecting endpoint whose peer has lost its name to another one stays.
#[tokio::test]
async fn an_endpoint_whose_peer_has_lost_its_name_stays() {
    let named = || async {
        let mut dealer = DealerSocket::builder()
            .routing_id("the same")
            .build()
            .unwrap();
        let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap();
        (dealer, endpoint)
    };
    let ((mut one, first), (mut two, second)) = (named().await, named().await);
    let mut router = RouterSocket::builder()
        .handover(true)
        .mandatory(true)
        .build()
        .unwrap();
    let mut monitor = router.monitor();
    router.connect(&first).unwrap();
    connected(&mut monitor).await;
    router.connect(&second).unwrap();
    connected(&mut monitor).await;
    router.send(("the same", "to the second")).await.unwrap();
    assert_eq!(within("it", two.recv()).await.unwrap(), "to the second");
    one.send("from the first").await.unwrap();
    let heard = within("a message", router.recv_message()).await.unwrap();
    assert_eq!(heard.message, "from the first");
    router.send(heard.reply("to the first")).await.unwrap();
    assert_eq!(within("it", one.recv()).await.unwrap(), "to the first");
    router.disconnect(&first).unwrap();
}

/// PAIR has its place free for another peer, at another endpoint as well.
#[tokio::test]
async fn a_pair_can_connect_elsewhere_when_its_endpoint_is_gone() {
    let mut first = PairSocket::new();
    let mut pair = PairSocket::builder()
        .reconnect_interval(None)
        .build()
        .unwrap();
    let mut monitor = pair.monitor();
    pair.connect(first.bind("tcp://127.0.0.1:*").await.unwrap())
        .unwrap();
    connected(&mut monitor).await;
    within("close", first.close()).await;
    gone(&mut monitor).await;
    let mut second = PairSocket::new();
    pair.connect(second.bind("tcp://127.0.0.1:*").await.unwrap())
        .unwrap();
    pair.send("hello").await.unwrap();
    assert_eq!(within("it", second.recv()).await.unwrap(), "hello");
}

/// What had come is received before the error, and a socket with another endpoint that dials waits.
#[tokio::test]
async fn an_end_takes_nothing_away_from_what_had_come() {
    let mut push = PushSocket::new();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut pull = PullSocket::builder()
        .reconnect_interval(None)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    pull.connect(&endpoint).unwrap();
    for number in 0..100 {
        within("send", push.send(number.to_string())).await.unwrap();
    }
    assert_eq!(within("close", push.close()).await.unsent, 0);
    gone(&mut monitor).await;
    for number in 0..100 {
        let message = within("what had come", pull.recv()).await.unwrap();
        assert_eq!(message, number.to_string());
    }
    assert!(matches!(pull.try_recv(), Err(RecvError::Gone(_))));
    pull.bind("inproc://dialling-again").await.unwrap();
    assert!(matches!(pull.try_recv(), Err(RecvError::Empty)));
}

/// The task may have come to its end on another thread before `connect` returns.
#[test]
fn connecting_is_no_error_though_the_first_attempt_fails_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for _ in 0..100 {
        let push = purezmq::blocking::PushSocket::builder()
            .reconnect_interval(None)
            .build();
        let mut push = push.expect("options");
        push.connect(&endpoint).expect("connect");
        let sent = push.send("nobody is there");
        // Whether the message was queued before the attempt failed is a matter of chance.
        assert!(
            matches!(sent, Ok(()) | Err(SendError::Gone { .. })),
            "{sent:?}"
        );
        push.close_within(Duration::ZERO);
    }
}

/// An endpoint is let go of before its handshake is through, and lingers: its place, or its peer's name, is free all the
/// same when the handshake is done.
#[tokio::test]
async fn what_lingers_takes_no_place_again() {
    for (kind, its, message) in [
        (SocketType::Pair, "PAIR", vec![vec![7; 32 << 20]]),
        (
            SocketType::Router,
            "DEALER",
            vec![b"name".to_vec(), vec![7; 32 << 20]],
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        let mut socket = AnySocket::new(kind, &Context::new()).unwrap();
        let mut monitor = socket.monitor();
        socket.connect_as(&endpoint, "name").unwrap();
        socket.send(message).await.unwrap();
        let (stream, _) = within("a connection", listener.accept()).await.unwrap();
        let mut peer = RawPeer { stream };
        socket.disconnect(&endpoint).unwrap();
        peer.shake_hands(its).await;
        // The peer does not read, so it lingers from here on.
        connected(&mut monitor).await;
        let again = socket.connect_as(&endpoint, "name");
        assert!(again.is_ok(), "{kind}: {again:?}");
        socket.set_linger(Some(Duration::ZERO));
    }
}
