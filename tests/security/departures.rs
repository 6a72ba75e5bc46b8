//! Handshakes that fail, and who hears of it: both sides of two mechanisms that do not fit, a peer that leaves while it is
//! decided about, handlers whose replies make no sense.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::events::event;
use common::peer::Peer;
use common::place::{Place, Transport};
use common::python::Pyzmq;
use common::raw::{greeting, ready, socket_address};
use common::within;
use purezmq::error::ZapError;
use purezmq::security::{Admission, AuthRequest, KeyPair, Refusal, Security};
use purezmq::zmtp::{Error, Incompatible};
use purezmq::{
    AnySocket, Context, DisconnectReason, Endpoint, GoneReason, Message, Monitor,
    MonitorEventKind as Kind, PairSocket, PullSocket, PushSocket, RepSocket,
};
use serde_json::json;

use super::doors::{Sides, WAYS, status};

fn securities() -> [Security; 5] {
    let keys = KeyPair::generate();
    let public = *keys.public();
    [
        Security::Null,
        Security::plain_client("joe", "secret").unwrap(),
        Security::plain_server(),
        Security::curve_client(KeyPair::generate(), public),
        Security::curve_server(keys),
    ]
}

async fn failed(monitor: &mut Monitor) -> DisconnectReason {
    let failed = event(monitor, "a failed handshake", |kind| {
        matches!(kind, Kind::HandshakeFailed(_))
    });
    failed.await.reason().unwrap().clone()
}

fn is_mismatch(reason: &DisconnectReason) -> bool {
    let DisconnectReason::Protocol(Error::Incompatible(incompatible)) = reason else {
        return false;
    };
    matches!(incompatible, Incompatible::Mechanism { .. })
}

/// Each with each, whoever binds. Who dials stops, but for a CURVE client: it waits longer, as the greeting is nobody's word
/// that it knows.
#[tokio::test]
async fn mechanisms_that_do_not_fit_are_told_to_both_sides() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for bound in securities() {
            for connecting in securities() {
                if bound.name() == connecting.name() {
                    continue;
                }
                println!("{transport:?} {} {}", bound.name(), connecting.name());
                let is_careful = connecting.knows_peer();
                let open = |security| {
                    let context = Context::new();
                    let socket = PairSocket::builder().context(&context).security(security);
                    socket.build().unwrap()
                };
                let (mut one, mut other) = (open(bound.clone()), open(connecting));
                let (mut heard, mut told) = (one.monitor(), other.monitor());
                let place = Place::any(transport);
                let endpoint = one.bind(&place.endpoint).await.unwrap();
                other.connect(&endpoint).unwrap();
                for monitor in [&mut heard, &mut told] {
                    let reason = failed(monitor).await;
                    assert!(is_mismatch(&reason), "{reason:?}");
                }
                let next = event(&mut told, "what comes of it", |kind| {
                    matches!(kind, Kind::Gone(_) | Kind::ConnectRetried { .. })
                });
                match next.await.kind {
                    Kind::ConnectRetried { delay } => {
                        assert!(is_careful && delay >= Duration::from_secs(5), "{delay:?}");
                    }
                    Kind::Gone(gone) => {
                        let is_final = matches!(gone.reason, GoneReason::Incompatible { .. });
                        assert!(!is_careful && is_final, "{gone}");
                    }
                    _ => unreachable!("asked for"),
                }
                assert_eq!(one.stats().handshake_failures, 1);
            }
        }
    }
}

/// libzmq hears it, too, and stops.
#[tokio::test]
async fn libzmq_is_told_that_the_mechanisms_do_not_fit() {
    let mut pull = PullSocket::builder()
        .context(&Context::new())
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut theirs = Pyzmq::with_options("PUSH", json!({})).await;
    theirs.call(json!({ "do": "watch" })).await;
    theirs.connect(&endpoint.to_string()).await;
    loop {
        let event = theirs.call(json!({ "do": "event" })).await;
        let (number, value) = (event[0].as_u64().unwrap(), event[1].as_u64().unwrap());
        assert_ne!(number, 0x800, "not even a reason");
        if number == 0x2000 {
            assert_eq!(
                value, 0x1100_0002,
                "ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH"
            );
            return;
        }
    }
}

/// Whatever is asked, and however long it thinks.
#[tokio::test]
async fn who_leaves_while_it_is_decided_about_is_noticed_at_once() {
    for way in WAYS {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            for by_handler in [false, true] {
                println!("{way:?} {transport:?} {by_handler}");
                let context = Context::new();
                let asked = Arc::new(tokio::sync::Notify::new());
                let heard = asked.clone();
                let mut handler = RepSocket::builder().context(&context).build().unwrap();
                if by_handler {
                    handler.bind("inproc://zeromq.zap.01").await.unwrap();
                } else {
                    context.set_authenticator(move |_: AuthRequest| {
                        heard.notify_one();
                        std::future::pending()
                    });
                }
                let (sides, place) = (Sides::of(way), Place::any(transport));
                let (pull, endpoint) = sides.pull(&context, &place.endpoint, false).await;
                let mut monitor = pull.monitor();
                let push = sides.push(endpoint.to_string());
                if by_handler {
                    within("a request", handler.recv()).await.unwrap();
                } else {
                    within("a question", asked.notified()).await;
                }
                drop(push);
                // Long before the time for a handshake is over.
                let reason = failed(&mut monitor).await;
                assert!(
                    matches!(reason, DisconnectReason::Peer | DisconnectReason::Io(_)),
                    "{reason:?}"
                );
            }
        }
    }
}

/// The runtime has had no turn in which to see that it came, let alone that it left.
#[tokio::test]
async fn nobody_is_asked_about_who_has_left() {
    let context = Context::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    context.set_authenticator(move |_: AuthRequest| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(Admission::default()) }
    });
    let mut pull = PullSocket::builder()
        .context(&context)
        .zap_domain("here")
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    for _ in 0..10 {
        let mut peer = std::net::TcpStream::connect(socket_address(&endpoint)).unwrap();
        peer.write_all(&greeting()).unwrap();
        peer.write_all(&ready("PUSH")).unwrap();
        drop(peer);
        failed(&mut monitor).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

/// A handler that is busy meanwhile finds no request of theirs, whatever it is. Those of others wait.
#[tokio::test]
async fn no_request_waits_for_a_handler_once_its_peer_has_left() {
    for way in WAYS {
        for kind in ["REP", "ROUTER", "DEALER"] {
            for transport in [Transport::Tcp4, Transport::Ipc] {
                println!("{way:?} {kind} {transport:?}");
                let context = Context::new();
                let kind = kind.parse().unwrap();
                let mut handler = AnySocket::new(kind, &context).unwrap();
                handler.bind("inproc://zeromq.zap.01").await.unwrap();
                let (sides, place) = (Sides::of(way), Place::any(transport));
                let (pull, endpoint) = sides.pull(&context, &place.endpoint, false).await;
                let mut monitor = pull.monitor();
                let mut here = None;
                for leaves in [true, true, false] {
                    let push = sides.push(endpoint.to_string());
                    within("a request", async {
                        while handler.stats().queued_to_receive == 0 {
                            tokio::task::yield_now().await;
                        }
                    })
                    .await;
                    if leaves {
                        drop(push);
                        failed(&mut monitor).await;
                        assert_eq!(handler.stats().queued_to_receive, 0);
                    } else {
                        here = Some(push);
                    }
                }
                within("a request", handler.recv_message()).await.unwrap();
                assert!(handler.try_recv().is_err(), "one peer is there");
                drop(here);
            }
        }
    }
}

/// A server whose handler is played here.
async fn asked(way: super::doors::Way) -> (RepSocket, PullSocket, PushSocket, Monitor) {
    let context = Context::new();
    let mut handler = RepSocket::builder().context(&context).build().unwrap();
    handler.bind("inproc://zeromq.zap.01").await.unwrap();
    let sides = Sides::of(way);
    let (pull, endpoint): (_, Endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
    let monitor = pull.monitor();
    let push = sides.push(endpoint.to_string());
    (handler, pull, push, monitor)
}

/// As libzmq tells them apart, and with its numbers.
#[tokio::test]
async fn replies_that_make_no_sense_are_told_as_what_they_are() {
    for way in WAYS {
        for (change, error, number) in [
            ("frames", ZapError::Frames, 0x2000_0001),
            ("version", ZapError::Version, 0x2000_0003),
            ("id", ZapError::RequestId, 0x2000_0002),
            ("status", ZapError::Status, 0x2000_0004),
            ("metadata", ZapError::Metadata, 0x2000_0005),
        ] {
            println!("{way:?} {change}");
            let (mut handler, _pull, _push, mut monitor) = asked(way).await;
            let request = within("a request", handler.recv()).await.unwrap();
            let id = request.iter().nth(1).unwrap();
            let mut frames = vec![&b"1.0"[..], id, b"200", b"OK", b"joe", b""];
            match change {
                "frames" => drop(frames.pop()),
                "version" => frames[0] = b"2.0",
                "id" => frames[1] = b"another",
                "status" => frames[2] = b"201",
                _ => frames[5] = b"\x05x",
            }
            handler
                .send(frames.into_iter().collect::<Message>())
                .await
                .unwrap();
            let failed = event(&mut monitor, "a failed handshake", |kind| {
                matches!(kind, Kind::HandshakeFailed(_))
            });
            let failed = failed.await;
            let is_told =
                matches!(failed.reason(), Some(DisconnectReason::Zap(told)) if *told == error);
            assert!(is_told, "{failed:?}");
            let libzmq = failed.libzmq().unwrap();
            assert_eq!((libzmq.number, libzmq.value), (0x2000, number));
            // It may come again.
            let request = within("a request", handler.recv()).await.unwrap();
            handler
                .send(super::doors::reply(&request, b"200"))
                .await
                .unwrap();
            assert_eq!(status(&mut monitor).await, 200);
        }
    }
}

/// And asked again when there is another one: the peer comes again.
#[tokio::test]
async fn a_handler_that_goes_without_a_word_refuses() {
    for way in WAYS {
        let (mut handler, _pull, _push, mut monitor) = asked(way).await;
        within("a request", handler.recv()).await.unwrap();
        within("close", handler.close()).await;
        let reason = failed(&mut monitor).await;
        assert!(
            matches!(reason, DisconnectReason::Zap(ZapError::HandlerGone)),
            "{reason:?}"
        );
    }
}

/// A refusal in the clear is anybody's word to a CURVE client: it asks again. Others take it.
#[tokio::test]
async fn an_error_ends_no_curve_client_for_good() {
    for way in WAYS {
        let context = Context::new();
        context.set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
        let sides = Sides::of(way);
        let (_pull, endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
        let push = sides.push(endpoint.to_string());
        let mut monitor = push.monitor();
        let next = event(&mut monitor, "what comes of it", |kind| {
            matches!(kind, Kind::Gone(_) | Kind::ConnectRetried { .. })
        });
        match next.await.kind {
            Kind::ConnectRetried { delay } => {
                assert_eq!(way, super::doors::Way::Curve);
                assert!(delay >= Duration::from_secs(5), "{delay:?}");
            }
            _ => assert_ne!(way, super::doors::Way::Curve),
        }
    }
    // Unless it is not to come again at all.
    let context = Context::new();
    context.set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
    let sides = Sides::of(super::doors::Way::Curve);
    let (_pull, endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
    let mut push = PushSocket::builder()
        .security(sides.client())
        .reconnect_interval(None)
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    event(&mut monitor, "the end", |kind| {
        matches!(kind, Kind::Gone(_))
    })
    .await;
}
