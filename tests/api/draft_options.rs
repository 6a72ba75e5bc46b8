//! What libzmq has as drafts, or asks by number: options `reconnect_stop` (R-CONN-11), `properties` and
//! `verbose_unsubscribe`; and by which descriptor a message has come (ZMQ_SRCFD).

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use purezmq::options::ReconnectStop;
use purezmq::security::{AuthRequest, Refusal, Security};
use purezmq::{
    Context, DealerSocket, GoneReason, Monitor, MonitorEventKind as Kind, PullSocket, PushSocket,
    RouterSocket, SendError, XPubSocket, XSubSocket,
};
use tokio::net::TcpListener;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Waits until an endpoint is gone or is to be tried again: then `None`.
async fn gone(monitor: &mut Monitor) -> Option<GoneReason> {
    let decided = event(monitor, "an end", |kind| {
        matches!(kind, Kind::Gone(_) | Kind::ConnectRetried { .. })
    });
    match decided.await.kind {
        Kind::Gone(gone) => Some(gone.reason.clone()),
        _ => None,
    }
}

fn pusher(conditions: &[ReconnectStop]) -> (PushSocket, Monitor) {
    let push = PushSocket::builder()
        .reconnect_stop(conditions.iter().copied())
        .build()
        .unwrap();
    let monitor = push.monitor();
    (push, monitor)
}

#[tokio::test]
async fn nobody_listening_ends_an_endpoint_that_is_to_stop_then() {
    // R-CONN-11
    let place = Place::fixed(Transport::Tcp4);
    let (mut push, mut monitor) = pusher(&[ReconnectStop::Refused]);
    push.connect(place.endpoint.as_str()).expect("connect");
    let reason = gone(&mut monitor).await;
    assert!(
        matches!(reason, Some(GoneReason::Stopped { .. })),
        "{reason:?}"
    );
    event(&mut monitor, "its end", |kind| matches!(kind, Kind::Closed)).await;
    let error = within("send", push.send("x")).await.unwrap_err();
    assert!(matches!(error, SendError::Gone { .. }), "{error}");
    assert!(error.to_string().contains("reconnect_stop"), "{error}");
    // Connecting makes it anew.
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("y").await.expect("send");
    assert_eq!(within("y", pull.recv()).await.expect("recv"), "y");
    // Other ends are none of its business.
    pull.close().await;
    assert_eq!(gone(&mut monitor).await, None);
    let (mut other, mut monitor) =
        pusher(&[ReconnectStop::HandshakeFailed, ReconnectStop::Disconnected]);
    other
        .connect(Place::fixed(Transport::Tcp4).endpoint.as_str())
        .expect("connect");
    assert_eq!(gone(&mut monitor).await, None);
}

#[tokio::test]
async fn a_failed_handshake_ends_an_endpoint_that_is_to_stop_then() {
    // R-CONN-11
    for (stop, stops) in [
        (ReconnectStop::HandshakeFailed, true),
        (ReconnectStop::Refused, false),
        (ReconnectStop::Disconnected, false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address = listener.local_addr().expect("address");
        let (mut push, mut monitor) = pusher(&[stop]);
        push.connect(format!("tcp://{address}").as_str())
            .expect("connect");
        let (stream, _) = within("accept", listener.accept()).await.expect("accept");
        drop(stream);
        let reason = gone(&mut monitor).await;
        let is_stopped = matches!(reason, Some(GoneReason::Stopped { .. }));
        assert_eq!(is_stopped, stops, "{stop:?} {reason:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_failed_handshake_whatever_is_to_be_done_about_refusals() {
    // R-CONN-11
    let context = Context::new();
    context.set_authenticator(async |_: AuthRequest| Err(Refusal::Denied));
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut push = PushSocket::builder()
        .security(Security::plain_client("joe", "secret").unwrap())
        .reconnect_after_refusal(Duration::from_millis(1))
        .reconnect_stop([ReconnectStop::HandshakeFailed])
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&bound).expect("connect");
    let reason = gone(&mut monitor).await;
    assert!(
        matches!(reason, Some(GoneReason::Stopped { .. })),
        "{reason:?}"
    );
}

#[tokio::test]
async fn a_lost_connection_ends_an_endpoint_that_is_to_stop_then() {
    // R-CONN-11
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for (stop, stops) in [
            (ReconnectStop::Disconnected, true),
            (ReconnectStop::HandshakeFailed, false),
        ] {
            let place = Place::any(transport);
            let mut pull = PullSocket::new();
            let bound = pull.bind(place.endpoint.as_str()).await.expect("bind");
            let (mut push, mut monitor) = pusher(&[stop]);
            push.connect(&bound).expect("connect");
            connected(&mut monitor).await;
            pull.close().await;
            let reason = gone(&mut monitor).await;
            let is_stopped = matches!(reason, Some(GoneReason::Stopped { .. }));
            assert_eq!(is_stopped, stops, "{transport:?} {stop:?} {reason:?}");
        }
    }
}

// ---------------------------------------------------------------- properties

/// Has a dealer and a router tell each other of themselves, and returns what each has heard.
async fn told(place: &str, context: &Context, security: [Security; 2]) -> [Option<String>; 2] {
    let [ours, theirs] = security;
    let mut router = RouterSocket::builder()
        .context(context)
        .security(ours)
        .properties([("X-Role", "broker"), ("X-Role", "second")])
        .build()
        .unwrap();
    let mut dealer = DealerSocket::builder()
        .context(context)
        .security(theirs)
        .properties([("X-Role", "worker"), ("X-Host", "a: b")])
        .build()
        .unwrap();
    let bound = router.bind(place).await.expect("bind");
    dealer.connect(&bound).expect("connect");
    dealer.send("hello").await.expect("send");
    let hello = within("hello", router.recv_message()).await.expect("recv");
    let text = |value: std::borrow::Cow<'_, [u8]>| String::from_utf8(value.into_owned()).unwrap();
    let dealer_is = router.last_peer().expect("a peer");
    assert_eq!(dealer_is.get("x-host").map(text), Some("a: b".to_owned()));
    assert_eq!(dealer_is.get("X-None"), None);
    let heard = dealer_is.get("X-Role").map(text);
    router.send(hello.reply("hi")).await.expect("send");
    within("hi", dealer.recv()).await.expect("recv");
    let router_is = dealer.last_peer().expect("a peer");
    [heard, router_is.get("X-Role").map(text)]
}

#[tokio::test]
async fn properties_are_read_at_the_peer_with_every_mechanism_and_by_inproc() {
    let context = Context::new();
    context.set_authenticator(async |_: AuthRequest| Ok(Default::default()));
    let expected = ["worker", "broker"].map(|role| Some(role.to_owned()));
    let server = purezmq::security::KeyPair::generate();
    let plain = || Security::plain_client("joe", "secret").unwrap();
    for place in [ANY_PORT, "ipc://*", "inproc://place"] {
        for security in [
            [Security::Null, Security::Null],
            [Security::plain_server(), plain()],
            [
                Security::curve_server(server.clone()),
                Security::curve_client(purezmq::security::KeyPair::generate(), *server.public()),
            ],
        ] {
            let heard = told(place, &context, security).await;
            assert_eq!(heard, expected, "{place}");
        }
    }
}

#[tokio::test]
async fn properties_go_out_in_ready_behind_the_librarys_own() {
    let mut pull = PullSocket::builder()
        .properties([("X-a", "1")])
        .build()
        .unwrap();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&bound).await;
    peer.send(&common::raw::greeting()).await;
    peer.send(&common::raw::ready("PUSH")).await;
    peer.receive(64).await;
    let header = peer.receive(2).await;
    let ready = peer.receive(usize::from(header[1])).await;
    let expected = b"\x03X-a\0\0\0\x011";
    assert!(
        ready.windows(expected.len()).any(|part| part == expected),
        "{}",
        ready.escape_ascii()
    );
    assert!(ready.starts_with(b"\x05READY\x0bSocket-Type\0\0\0\x04PULL"));
}

// ---------------------------------------------------------------- unsubscriptions

/// What an XPUB that tells all hears of an XSUB.
async fn heard(place: &str, verbose: bool) -> Vec<String> {
    let context = Context::new();
    let mut station = XPubSocket::builder()
        .context(&context)
        .verbose(true)
        .verboser(true)
        .build()
        .unwrap();
    let mut relay = XSubSocket::builder()
        .context(&context)
        .verbose_unsubscribe(verbose)
        .build()
        .unwrap();
    let bound = station.bind(place).await.expect("bind");
    relay.connect(&bound).expect("connect");
    // Changes before it is connected are not told one by one.
    relay.send("\x01first").await.expect("send");
    let first = within("first", station.recv()).await.expect("recv");
    assert_eq!(first, "\x01first");
    for sent in ["\x01A", "\x01A", "\0A", "\0B", "\0A", "\0A", "end"] {
        relay.send(sent).await.expect("send");
    }
    let mut heard = Vec::new();
    loop {
        let message = within("a message", station.recv()).await.expect("recv");
        match message.as_str().expect("text") {
            "end" => return heard,
            text => heard.push(text.to_owned()),
        }
    }
}

#[tokio::test]
async fn with_verbose_unsubscribe_each_unsubscription_goes_out() {
    for place in [ANY_PORT, "inproc://place"] {
        assert_eq!(heard(place, false).await, ["\x01A", "\x01A", "\0A"]);
        let all = ["\x01A", "\x01A", "\0A", "\0B", "\0A", "\0A"];
        assert_eq!(heard(place, true).await, all, "{place}");
    }
}

// ---------------------------------------------------------------- descriptors

/// Waits for a connection, and returns its descriptor.
async fn descriptor(monitor: &mut Monitor) -> Option<i32> {
    let connected = event(monitor, "a connection", |kind| {
        matches!(kind, Kind::HandshakeSucceeded)
    });
    connected.await.fd
}

#[cfg(unix)]
#[tokio::test]
async fn the_peer_of_a_message_has_the_descriptor_that_it_has_come_by() {
    for place in [ANY_PORT, "ipc://*"] {
        let mut pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let bound = pull.bind(place).await.expect("bind");
        for text in ["one", "two"] {
            let mut push = PushSocket::new();
            push.connect(&bound).expect("connect");
            push.send(text).await.expect("send");
            let fd = descriptor(&mut monitor).await;
            assert!(fd.is_some());
            assert_eq!(within("it", pull.recv()).await.expect("recv"), text);
            assert_eq!(pull.last_peer().expect("a peer").fd, fd, "{place}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_comes_by_a_connection_that_is_made_anew_has_its_descriptor() {
    let place = Place::fixed(Transport::Tcp4);
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    pull.connect(place.endpoint.as_str()).expect("connect");
    // Descriptors are used again: those that are held keep the second one apart.
    let mut held = Vec::new();
    for text in ["one", "two"] {
        let mut push = PushSocket::new();
        push.bind(place.endpoint.as_str()).await.expect("bind");
        let fd = descriptor(&mut monitor).await;
        push.send(text).await.expect("send");
        assert_eq!(within("it", pull.recv()).await.expect("recv"), text);
        assert_eq!(pull.last_peer().expect("a peer").fd, fd);
        push.close().await;
        common::events::ended(&mut monitor).await;
        held.push(std::fs::File::open("/dev/null").expect("a descriptor"));
    }
}
