//! Peers that are refused, by us and by libzmq (pyzmq): who hears what of it, and who tries again.

use std::time::Duration;

use common::events::event;
use common::payload::text;
use common::peer::Peer;
use common::python::Pyzmq;
use common::within;
use purezmq::security::{
    Admission, AuthRequest, Certificate, Credentials, CurveKeys, KeyPair, Refusal, Security,
    save_certificate,
};
use purezmq::{
    Context, DisconnectReason, Message, MonitorEventKind, PullSocket, PushSocket, RepSocket,
};
use serde_json::json;

use super::interop::{Mechanism, Trust, We, one};

fn is_failure(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::HandshakeFailed(_))
}

/// libzmq's numbers.
const HANDSHAKE_FAILED_PROTOCOL: u64 = 0x2000;
const HANDSHAKE_FAILED_AUTH: u64 = 0x4000;

/// The next failed handshake that they tell of.
async fn their_failure(theirs: &mut Pyzmq) -> (u64, u64) {
    loop {
        let event = theirs.call(json!({ "do": "event" })).await;
        let (number, value) = (event[0].as_u64().unwrap(), event[1].as_u64().unwrap());
        if matches!(
            number,
            0x800 | HANDSHAKE_FAILED_PROTOCOL | HANDSHAKE_FAILED_AUTH
        ) {
            return (number, value);
        }
    }
}

#[tokio::test]
async fn their_client_hears_our_status() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        for (refusal, status) in [(Refusal::Denied, 400), (Refusal::Internal, 500)] {
            let trust = Trust::new(mechanism);
            let context = Context::new();
            context.set_authenticator(move |_: AuthRequest| async move { Err(refusal) });
            let mut pull = PullSocket::builder()
                .context(&context)
                .security(trust.ours(We::Serve))
                .build()
                .unwrap();
            let mut monitor = pull.monitor();
            let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
            let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
            theirs.call(json!({ "do": "watch" })).await;
            theirs.connect(&endpoint.to_string()).await;
            let failed = event(&mut monitor, "a failed handshake", is_failure).await;
            let libzmq = failed.libzmq().unwrap();
            assert_eq!(
                (u64::from(libzmq.number), libzmq.value),
                (HANDSHAKE_FAILED_AUTH, status)
            );
            assert_eq!(
                their_failure(&mut theirs).await,
                (HANDSHAKE_FAILED_AUTH, status.into())
            );
            assert_eq!(pull.stats().handshake_failures, 1);
        }
    }
}

#[tokio::test]
async fn a_temporary_failure_is_tried_again() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let context = Context::new();
        context.set_authenticator(|_: AuthRequest| async { Err(Refusal::Temporary) });
        let mut pull = PullSocket::builder()
            .context(&context)
            .security(trust.ours(We::Serve))
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
        theirs.call(json!({ "do": "watch" })).await;
        theirs.connect(&endpoint.to_string()).await;
        for _ in 0..2 {
            let failed = event(&mut monitor, "a failed handshake", is_failure).await;
            assert_eq!(failed.libzmq().unwrap().value, 300);
            // The connection is closed without a word: to them, a broken pipe.
            assert_eq!(their_failure(&mut theirs).await, (0x800, 32));
        }
        context.set_authenticator(|_: AuthRequest| async { Ok(Admission::user("late")) });
        theirs.send(&[text("at last")]).await;
        let got = within("a message", pull.recv()).await.unwrap();
        assert_eq!(got, "at last");
        let stats = pull.stats();
        assert_eq!(stats.peers[0].user_id.as_deref(), Some("late"));
    }
}

#[tokio::test]
async fn our_client_hears_their_status_and_stops() {
    let wrong = [
        (
            Mechanism::Plain,
            Security::plain_client("joe", "guess").unwrap(),
        ),
        (
            Mechanism::Plain,
            Security::plain_client("eve", "secret").unwrap(),
        ),
    ];
    for (mechanism, security) in wrong {
        let mut theirs = Trust::new(mechanism).open("PULL", We::Ask, json!({})).await;
        let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
        let mut push = PushSocket::builder().security(security).build().unwrap();
        let mut monitor = push.monitor();
        push.connect(endpoint.as_str()).unwrap();
        let failed = event(&mut monitor, "a failed handshake", is_failure).await;
        let libzmq = failed.libzmq().unwrap();
        assert_eq!(
            (u64::from(libzmq.number), libzmq.value),
            (HANDSHAKE_FAILED_AUTH, 400)
        );
        event(&mut monitor, "an event", |kind| {
            matches!(kind, MonitorEventKind::Closed)
        })
        .await;
    }
}

#[tokio::test]
async fn our_client_hears_the_status_of_their_handler() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        for status in [400_u32, 500] {
            let trust = Trust::new(mechanism);
            let (mut theirs, endpoint) = their_server(&trust, status).await;
            let mut push = PushSocket::builder()
                .security(trust.ours(We::Ask))
                .build()
                .unwrap();
            let mut monitor = push.monitor();
            push.connect(endpoint.as_str()).unwrap();
            let failed = event(&mut monitor, "a failed handshake", is_failure).await;
            let libzmq = failed.libzmq().unwrap();
            assert_eq!(
                (u64::from(libzmq.number), libzmq.value),
                (HANDSHAKE_FAILED_AUTH, status)
            );
            let expected = (HANDSHAKE_FAILED_AUTH, status.into());
            assert_eq!(their_failure(&mut theirs).await, expected);
            // Under CURVE, that is anybody's word: it asks again, if not soon.
            let end = event(&mut monitor, "an event", |kind| {
                let is_retried = matches!(kind, MonitorEventKind::ConnectRetried { .. });
                is_retried || matches!(kind, MonitorEventKind::Closed)
            });
            let is_retried = matches!(end.await.kind, MonitorEventKind::ConnectRetried { .. });
            assert_eq!(is_retried, mechanism == Mechanism::Curve);
        }
    }
}

#[tokio::test]
async fn our_client_tries_again_after_their_temporary_failure() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let (mut theirs, endpoint) = their_server(&trust, 300).await;
        // They say nothing, and wait for the client to go, which is up to its patience; unless their handler answers
        // before they have looked at anything else: then they close.
        let mut push = PushSocket::builder()
            .security(trust.ours(We::Ask))
            .handshake_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let mut monitor = push.monitor();
        push.connect(endpoint.as_str()).unwrap();
        for _ in 0..2 {
            let told = their_failure(&mut theirs).await;
            assert_eq!(told, (HANDSHAKE_FAILED_AUTH, 300));
            let failed = event(&mut monitor, "a failed handshake", is_failure).await;
            let MonitorEventKind::HandshakeFailed(reason) = &failed.kind else {
                panic!("{failed:?}");
            };
            use DisconnectReason::{HandshakeTimeout, Peer};
            assert!(matches!(reason, HandshakeTimeout(_) | Peer), "{reason}");
        }
    }
}

/// A server of theirs whose ZAP handler gives everybody this status, and where it is.
async fn their_server(trust: &Trust, status: u32) -> (Pyzmq, String) {
    let mut theirs = Pyzmq::with_options("PULL", trust.theirs(We::Ask)).await;
    let order = json!({ "do": "authenticate", "status": status.to_string() });
    theirs.call(order).await;
    theirs.call(json!({ "do": "watch" })).await;
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    (theirs, endpoint)
}

#[tokio::test]
async fn their_server_takes_the_keys_in_its_directory_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let trust = Trust::new(Mechanism::Curve);
    let known = Certificate::new(trust.client.clone());
    save_certificate(&known, folder.path().join("client.key")).unwrap();
    let mut theirs = Pyzmq::with_options("PULL", trust.theirs(We::Ask)).await;
    let order = json!({ "do": "authenticate", "keys": folder.path().to_str() });
    theirs.call(order).await;
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;

    let stranger = Security::curve_client(KeyPair::generate(), *trust.server.public());
    let mut push = PushSocket::builder().security(stranger).build().unwrap();
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).unwrap();
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    assert_eq!(failed.libzmq().unwrap().value, 400);

    let mut push = PushSocket::builder()
        .security(trust.ours(We::Ask))
        .build()
        .unwrap();
    push.connect(endpoint.as_str()).unwrap();
    push.send("known").await.unwrap();
    assert_eq!(theirs.recv(1).await, one("known"));
}

#[tokio::test]
async fn keys_can_be_added_to_our_directory_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let trust = Trust::new(Mechanism::Curve);
    let context = Context::new();
    context.set_authenticator(CurveKeys::directory(folder.path()));
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(trust.ours(We::Serve))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap().to_string();

    let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
    theirs.connect(&endpoint).await;
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    assert_eq!(failed.libzmq().unwrap().value, 400);

    let mut known = Certificate::new(trust.client.clone());
    known.metadata.push(("name".into(), "sensor 4".into()));
    save_certificate(&known, folder.path().join("client.key")).unwrap();
    std::fs::remove_file(folder.path().join("client.key_secret")).unwrap();
    let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
    theirs.connect(&endpoint).await;
    theirs.send(&[text("known")]).await;
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "known");
    let stats = pull.stats();
    let key = trust.client.public().to_string();
    assert_eq!(stats.peers[0].user_id, Some(key));
    assert_eq!(
        stats.peers[0].properties.get("name"),
        Some(&b"sensor 4"[..])
    );

    std::fs::remove_file(folder.path().join("client.key")).unwrap();
    let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
    theirs.connect(&endpoint).await;
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    assert_eq!(failed.libzmq().unwrap().value, 400);
}

#[tokio::test]
async fn a_client_with_the_wrong_server_key_gets_nowhere() {
    let trust = Trust::new(Mechanism::Curve);
    let wrong = KeyPair::generate();
    // Ours, at their server.
    let mut theirs = trust.open("PULL", We::Ask, json!({})).await;
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let security = Security::curve_client(trust.client.clone(), *wrong.public());
    let mut push = PushSocket::builder().security(security).build().unwrap();
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).unwrap();
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    assert!(matches!(
        failed.reason(),
        Some(DisconnectReason::Peer | DisconnectReason::Io(_))
    ));
    // Theirs, at ours.
    let mut pull = PullSocket::builder()
        .security(Security::curve_server(wrong))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
    theirs.connect(&endpoint.to_string()).await;
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    let libzmq = failed.libzmq().unwrap();
    // ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
    assert_eq!(
        (u64::from(libzmq.number), libzmq.value),
        (HANDSHAKE_FAILED_PROTOCOL, 0x1100_0001)
    );
}

#[tokio::test]
async fn null_asks_if_there_is_a_domain() {
    let context = Context::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    context.set_authenticator(move |request: AuthRequest| {
        tell.send(request).unwrap();
        async { Ok(Admission::user("nobody in particular")) }
    });
    let mut pull = PullSocket::builder()
        .context(&context)
        .zap_domain("global")
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut theirs = Pyzmq::open("PUSH").await;
    theirs.connect(&endpoint.to_string()).await;
    theirs.send(&[text("hello")]).await;
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "hello");
    let request = told.recv().await.unwrap();
    assert_eq!(request.domain, "global");
    assert_eq!(request.credentials, Credentials::Null);
    assert!(request.address.to_string().starts_with("tcp://127.0.0.1:"));
    let ready = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::HandshakeSucceeded);
    let user_id = event(&mut monitor, "READY", ready).await.user_id;
    assert_eq!(user_id.as_deref(), Some("nobody in particular"));
}

#[tokio::test]
async fn a_plain_server_without_an_authenticator_takes_nobody() {
    let trust = Trust::new(Mechanism::Plain);
    let mut pull = PullSocket::builder()
        .context(&Context::new())
        .security(Security::plain_server())
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
    theirs.connect(&endpoint.to_string()).await;
    let failed = event(&mut monitor, "a failed handshake", is_failure).await;
    assert_eq!(failed.libzmq().unwrap().value, 300);
}

#[tokio::test]
async fn a_handler_bound_to_the_zap_endpoint_decides() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let context = Context::new();
        let mut handler = RepSocket::builder().context(&context).build().unwrap();
        handler.bind("inproc://zeromq.zap.01").await.unwrap();
        let mut pull = PullSocket::builder()
            .context(&context)
            .security(trust.ours(We::Serve))
            .zap_domain("here")
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
        theirs.connect(&endpoint.to_string()).await;

        let request = within("a ZAP request", handler.recv()).await.unwrap();
        let frames: Vec<Vec<u8>> = request.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(frames[0], b"1.0");
        assert_eq!(frames[2], b"here");
        assert_eq!(frames[3], b"127.0.0.1");
        assert_eq!(frames[4], b"");
        match mechanism {
            Mechanism::Plain => {
                assert_eq!(frames[5..], [&b"PLAIN"[..], b"joe", b"secret"]);
            }
            Mechanism::Curve => {
                assert_eq!(
                    frames[5..],
                    [&b"CURVE"[..], trust.client.public().as_bytes()]
                );
            }
        }
        let metadata = b"\x05Level\0\0\0\x04high";
        let reply: Message = [b"1.0", &frames[1][..], b"200", b"OK", b"joe", metadata]
            .into_iter()
            .collect();
        handler.send(reply).await.unwrap();

        theirs.send(&[text("in")]).await;
        assert_eq!(within("a message", pull.recv()).await.unwrap(), "in");
        let stats = pull.stats();
        assert_eq!(stats.peers[0].user_id.as_deref(), Some("joe"));
        assert_eq!(stats.peers[0].properties.get("level"), Some(&b"high"[..]));
    }
}

/// A NULL server with or without a domain, that it must not do without, and a handler, who lets nobody in.
#[derive(Clone, Copy, Debug)]
struct Asks {
    domain: bool,
    enforce: bool,
    handler: bool,
}

/// Whether a libzmq NULL server lets a client of ours in.
async fn they_let_in(asks: Asks) -> bool {
    let mut options = json!({ "IPV6": 0, "HANDSHAKE_IVL": 500 });
    if asks.domain {
        options["ZAP_DOMAIN"] = "global".into();
    }
    options["ZAP_ENFORCE_DOMAIN"] = i32::from(asks.enforce).into();
    let mut theirs = Pyzmq::with_options("PULL", options).await;
    if asks.handler {
        theirs
            .call(json!({ "do": "authenticate", "deny": ["127.0.0.1"] }))
            .await;
    }
    let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    push.connect(endpoint.as_str()).unwrap();
    comes_in(&mut monitor).await
}

/// Whether ours lets a client of libzmq in.
async fn we_let_in(asks: Asks) -> bool {
    let context = Context::new();
    if asks.handler {
        context.set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
    }
    let mut builder = PullSocket::builder()
        .context(&context)
        .zap_enforce_domain(asks.enforce);
    if asks.domain {
        builder = builder.zap_domain("global");
    }
    let mut pull = builder.build().unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut theirs = Pyzmq::open("PUSH").await;
    theirs.connect(&endpoint.to_string()).await;
    comes_in(&mut monitor).await
}

async fn comes_in(monitor: &mut purezmq::Monitor) -> bool {
    let end = |kind: &MonitorEventKind| {
        is_failure(kind) || matches!(kind, MonitorEventKind::HandshakeSucceeded)
    };
    !is_failure(&event(monitor, "the end of a handshake", end).await.kind)
}

#[tokio::test]
async fn null_asks_when_libzmq_asks() {
    for number in 0..8 {
        let [domain, enforce, handler] = [1, 2, 4].map(|bit| number & bit != 0);
        let asks = Asks {
            domain,
            enforce,
            handler,
        };
        // A handler that is there is asked if there is a domain; one that is not there matters if it must.
        let expected = !(domain && (handler || enforce));
        assert_eq!(they_let_in(asks).await, expected, "libzmq: {asks:?}");
        if domain || !enforce {
            assert_eq!(we_let_in(asks).await, expected, "we: {asks:?}");
        } // Who must ask, and has no domain to ask in, is not made.
    }
}
