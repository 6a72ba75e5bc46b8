//! What an operator sees: a socket's name, the failures of each endpoint, who was refused. Lines in the log are looked at in
//! `patterns/tests/log_lines.rs`, in a process of their own.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use purezmq::security::{Addresses, KeyPair, PlainUsers, Security};
use purezmq::{
    AnySocket, Context, GoneReason, MonitorEventKind, PullSocket, PushSocket, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn is_failed(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::ConnectFailed(_))
}

fn is_refused(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::HandshakeFailed(_))
}

#[tokio::test]
async fn a_name_is_in_events_statistics_and_debug_and_can_be_changed() {
    let pull = PullSocket::builder().name("orders").build();
    let mut pull = pull.expect("options");
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let listening = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Listening);
    let heard = event(&mut monitor, "listening", listening).await;
    assert_eq!(heard.socket.as_deref(), Some("orders"));
    assert_eq!(pull.stats().name.as_deref(), Some("orders"));
    assert!(format!("{pull:?}").contains("orders"), "{pull:?}");

    pull.set_options(|options| options.name("bills"))
        .expect("options");
    let mut push = PushSocket::new();
    push.connect(&bound).expect("connect");
    let accepted = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Accepted);
    let heard = event(&mut monitor, "a connection", accepted).await;
    assert_eq!(heard.socket.as_deref(), Some("bills"), "at once");
    assert_eq!(pull.stats().name.as_deref(), Some("bills"));
    let any = AnySocket::from(pull);
    assert!(format!("{any:?}").contains("bills"), "{any:?}");
    assert_eq!(push.stats().name, None);

    for refused in ["line\nbreak", &"x".repeat(256)] {
        assert!(PullSocket::builder().name(refused).build().is_err());
    }
}

#[tokio::test]
async fn an_endpoint_that_was_never_reached_says_so() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::fixed(transport);
        let push = PushSocket::builder().reconnect_interval(Duration::from_millis(1));
        let mut push = push.build().expect("options");
        let mut monitor = push.monitor();
        push.connect(&place.endpoint).expect("connect");
        for _ in 0..3 {
            event(&mut monitor, "a failure", is_failed).await;
        }
        let stats = push.stats().endpoints.remove(0);
        assert!(!stats.is_bound && !stats.is_gone);
        assert_eq!(stats.handshakes, 0);
        assert!(stats.failed_attempts >= 3);
        let why = stats.last_error.expect("it has failed");
        assert!(why.starts_with("cannot reach"), "{why}");

        let mut pull = PullSocket::new();
        pull.bind(&place.endpoint).await.expect("bind");
        connected(&mut monitor).await;
        let stats = push.stats().endpoints.remove(0);
        assert_eq!(stats.handshakes, 1);
        assert_eq!(stats.last_error.as_ref(), Some(&why), "it stays");
        push.disconnect(&place.endpoint).expect("it is connected");
        assert!(push.stats().endpoints.is_empty());
    }
}

#[tokio::test]
async fn failed_handshakes_are_counted_at_both_ends() {
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "right")]));
    let server = PullSocket::builder()
        .context(&context)
        .security(Security::plain_server());
    let mut server = server.build().expect("options");
    let mut at_server = server.monitor();
    let bound = server.bind(ANY_PORT).await.expect("bind");
    let security = Security::plain_client("joe", "wrong").expect("short");
    let client = PushSocket::builder().security(security);
    let mut client = client.build().expect("options");
    let mut at_client = client.monitor();
    client.connect(&bound).expect("connect");
    let is_gone = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Gone(_));
    let gone = event(&mut at_client, "the end", is_gone).await;
    let MonitorEventKind::Gone(gone) = gone.kind else {
        unreachable!("it is that");
    };
    assert!(matches!(gone.reason, GoneReason::Refused { .. }));
    event(&mut at_server, "a refusal", is_refused).await;

    let here = client.stats().endpoints.remove(0);
    assert_eq!((here.handshakes, here.handshake_failures), (0, 1));
    assert!(here.is_gone);
    assert!(here.last_error.expect("it was refused").contains("400"));
    let there = server.stats().endpoints.remove(0);
    assert!(there.is_bound && !there.is_gone);
    assert_eq!((there.handshakes, there.handshake_failures), (0, 1));
    assert!(
        there
            .last_error
            .expect("it has refused")
            .contains("refused")
    );

    // Garbage is a failure, too.
    let mut raw = RawPeer::connect(&bound).await;
    raw.send(b"GET / HTTP/1.1\r\n\r\n").await;
    event(&mut at_server, "a failure", is_refused).await;
    assert_eq!(server.stats().endpoints[0].handshake_failures, 2);
}

#[tokio::test]
async fn the_refused_user_or_key_is_in_the_event_escaped_and_cut() {
    let keys = KeyPair::generate();
    let server_keys = KeyPair::generate();
    let long = "x".repeat(200);
    let plain = |name: &str| {
        let client = Security::plain_client(name, "secret word").expect("short");
        (Security::plain_server(), client)
    };
    let cases = [
        (plain("eve"), "user \"eve\"".to_owned()),
        (
            plain("eve\nadmin \"joe\""),
            "user \"eve\\nadmin \\\"joe\\\"\"".to_owned(),
        ),
        (plain(&long), format!("user \"{}\"...", &long[..64])),
        (
            (
                Security::curve_server(server_keys.clone()),
                Security::curve_client(keys.clone(), *server_keys.public()),
            ),
            format!("key {}", keys.public()),
        ),
    ];
    for ((server, client), expected) in cases {
        // Either side may be the one that binds.
        for server_binds in [true, false] {
            let context = Context::new();
            let nobody = Addresses::new().deny("127.0.0.1".parse().expect("a place"));
            context.set_authenticator(nobody);
            let pull = PullSocket::builder()
                .context(&context)
                .security(server.clone());
            let mut pull = pull.build().expect("options");
            let push = PushSocket::builder().security(client.clone());
            let mut push = push.build().expect("options");
            let (mut at_pull, mut at_push) = (pull.monitor(), push.monitor());
            if server_binds {
                push.connect(pull.bind(ANY_PORT).await.expect("bind"))
                    .expect("connect");
            } else {
                pull.connect(push.bind(ANY_PORT).await.expect("bind"))
                    .expect("connect");
            }
            let refused = event(&mut at_pull, "a refusal", is_refused).await;
            assert_eq!(refused.refused.as_deref(), Some(expected.as_str()));
            assert!(!format!("{refused:?}").contains("secret word"));
            let told = event(&mut at_push, "a refusal", is_refused).await;
            assert_eq!(told.refused, None, "it is the other that wanted to come in");
        }
    }
}

#[tokio::test]
async fn an_endpoint_by_inproc_is_listed_as_well() {
    let context = Context::new();
    let mut pair = AnySocket::new(SocketType::Pair, &context).expect("it is built");
    pair.bind("inproc://here").await.expect("bind");
    let stats = within("statistics", async { pair.stats() }).await;
    assert_eq!(stats.endpoints.len(), 1);
    assert!(stats.endpoints[0].is_bound);
    assert_eq!(stats.endpoints[0].last_error, None);
}
