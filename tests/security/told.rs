//! What is told of peers: by properties, user ids and the log. No peer says what is this side's to say, writes lines of its
//! own, or passes for another; and no secret is told.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use common::events::event;
use common::raw::{RawPeer, greeting, short_frame};
use common::within;
use purezmq::security::{Admission, AuthRequest, Credentials, KeyPair, PlainUsers, Security};
use purezmq::{Context, MonitorEventKind as Kind, PullSocket, PushSocket, RepSocket};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::doors::{Sides, Way};

/// What is logged on a thread: an event a line, as a plain formatter would write it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    // As they are: whoever logs has to see to what is in them.
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        text.push_str(event.metadata().level().as_str());
        event.record(&mut Line(&mut text));
        text.push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const FORGED: &str = "joe\nWARN forged user_id=root\x1b[31m";

fn is_clean(log: &Log) -> bool {
    let text = log.text();
    assert!(text.contains("forged"), "it is told at all: {text}");
    !text.contains("\nWARN forged") && !text.contains('\x1b')
}

/// A user's name, and an ERROR's reason.
#[tokio::test]
async fn a_peers_words_are_no_lines_of_the_log() {
    let log = Log::default();
    let _guard = log.begin();
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([(FORGED, "x")]));
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let security = Security::plain_client(FORGED, "x").unwrap();
    let mut push = PushSocket::builder().security(security).build().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("in").await.unwrap();
    within("a message", pull.recv()).await.unwrap();
    assert_eq!(pull.last_peer().unwrap().user_id.as_deref(), Some(FORGED));
    assert!(is_clean(&log), "{}", log.text());

    let log = Log::default();
    let _guard = log.begin();
    let mut push = PushSocket::new();
    let mut monitor = push.monitor();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    push.connect(format!("tcp://{}", listener.local_addr().unwrap()).as_str())
        .unwrap();
    let (stream, _) = within("a client", listener.accept()).await.unwrap();
    let mut peer = RawPeer { stream };
    let reason = FORGED.as_bytes();
    let len = u8::try_from(reason.len()).unwrap();
    peer.send(&greeting()).await;
    peer.send(&[&[4, 7 + len][..], b"\x05ERROR", &[len], reason].concat())
        .await;
    let gone = event(&mut monitor, "gone", |kind| matches!(kind, Kind::Gone(_))).await;
    let Kind::Gone(gone) = gone.kind else {
        unreachable!("asked for");
    };
    assert!(!gone.to_string().contains('\n'), "{gone}");
    assert!(is_clean(&log), "{}", log.text());
}

/// Handlers have been seen to send back what they were asked.
#[tokio::test]
async fn a_malformed_reply_is_not_quoted() {
    let log = Log::default();
    let _guard = log.begin();
    let context = Context::new();
    let mut handler = RepSocket::builder().context(&context).build().unwrap();
    handler.bind("inproc://zeromq.zap.01").await.unwrap();
    let sides = Sides::of(Way::Plain);
    let (pull, endpoint) = sides.pull(&context, "tcp://127.0.0.1:*", false).await;
    let mut monitor = pull.monitor();
    let _push = sides.push(endpoint.to_string());
    let request = within("a request", handler.recv()).await.unwrap();
    assert!(request.iter().any(|frame| frame == b"secret"));
    handler.send(request).await.unwrap();
    event(&mut monitor, "a failure", |kind| {
        matches!(kind, Kind::HandshakeFailed(_))
    })
    .await;
    let text = log.text();
    assert!(
        text.contains("ZAP handler") && !text.contains("secret"),
        "{text}"
    );
}

/// A HELLO of these octets, which may be no text.
fn hello(name: &[u8]) -> Vec<u8> {
    let mut plain = greeting();
    plain[12..20].copy_from_slice(b"PLAIN\0\0\0");
    let len = u8::try_from(name.len()).unwrap();
    let body = [&b"\x05HELLO"[..], &[len], name, b"\x01x"].concat();
    let property = b"\x0bSocket-Type\0\0\0\x04PUSH";
    let initiate = [&b"\x08INITIATE"[..], property].concat();
    let command = |body: &[u8]| [&[4, u8::try_from(body.len()).unwrap()], body].concat();
    [
        &plain[..],
        &command(&body),
        &command(&initiate),
        &short_frame(b"in"),
    ]
    .concat()
}

#[tokio::test]
async fn users_whose_names_are_no_text_are_not_one_user() {
    let names = [
        &b"j\xf8e"[..],
        b"j\xf9e",
        b"j\xfae",
        "j\u{fffd}e".as_bytes(),
        b"joe",
    ];
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter(names.map(|name| (name, "x"))));
    let mut pull = PullSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut known = Vec::new();
    for name in names {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&hello(name)).await;
        within("a message", pull.recv()).await.unwrap();
        let id = pull.last_peer().unwrap().user_id.clone().unwrap();
        assert!(!known.contains(&id), "{id:?} was another one before");
        known.push(id);
    }
    assert_eq!(known.last().unwrap(), "joe");
}

/// Whatever a peer says of itself in its handshake, in any spelling.
#[tokio::test]
async fn a_peer_does_not_say_what_is_this_sides_to_say() {
    const NAMES: [&str; 6] = [
        "User-Id",
        "user-id",
        "USER-ID",
        "Peer-Address",
        "peer-address",
        "routing-id",
    ];
    for has_user in [false, true] {
        let context = Context::new();
        context.set_authenticator(move |request: AuthRequest| async move {
            assert!(matches!(request.credentials, Credentials::Null));
            Ok(if has_user {
                Admission::user("joe")
            } else {
                Admission::default()
            })
        });
        let mut pull = PullSocket::builder()
            .context(&context)
            .zap_domain("here")
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut body = b"\x05READY\x0bSocket-Type\0\0\0\x04PUSH\x05X-Own\0\0\0\x04mine".to_vec();
        for name in NAMES {
            body.push(u8::try_from(name.len()).unwrap());
            body.extend(name.as_bytes());
            body.extend(b"\0\0\0\x04root");
        }
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&greeting()).await;
        peer.send(&[&[4, u8::try_from(body.len()).unwrap()], &body[..]].concat())
            .await;
        peer.send(&short_frame(b"in")).await;
        within("a message", pull.recv()).await.unwrap();
        let known = pull.last_peer().unwrap();
        let user = has_user.then_some(&b"joe"[..]);
        for name in ["User-Id", "user-id", "uSER-iD"] {
            assert_eq!(known.get(name).as_deref(), user, "{name}");
        }
        assert_eq!(
            known.get("peer-ADDRESS").as_deref(),
            Some(&b"127.0.0.1"[..])
        );
        assert_eq!(known.get("Routing-Id"), None);
        assert_eq!(known.get("x-own").as_deref(), Some(&b"mine"[..]));
        for properties in [&known.properties, &pull.stats().peers[0].properties] {
            assert!(
                !properties.iter().any(|(_, value)| value == b"root"),
                "{properties:?}"
            );
        }
    }
}

/// With the option, a PLAIN client says its password to nobody who does not claim to be a server: another client, or libzmq.
#[tokio::test]
async fn a_password_is_for_servers() {
    for (claims, demands) in [(false, false), (false, true), (true, true)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = format!("tcp://{}", listener.local_addr().unwrap());
        let mut push = PushSocket::builder()
            .security(Security::plain_client("joe", "hunter2").unwrap())
            .require_server_role(demands)
            .build()
            .unwrap();
        let mut monitor = push.monitor();
        push.connect(place.as_str()).unwrap();
        let (stream, _) = within("a client", listener.accept()).await.unwrap();
        let mut peer = RawPeer { stream };
        let mut plain = greeting();
        plain[12..17].copy_from_slice(b"PLAIN");
        plain[32] = claims.into();
        peer.send(&plain).await;
        peer.receive(64).await;
        if claims || !demands {
            assert_eq!(peer.receive(8).await[2..], *b"\x05HELLO");
            continue;
        }
        let failed = event(&mut monitor, "a failure", |kind| {
            matches!(kind, Kind::HandshakeFailed(_))
        });
        let reason = failed.await.reason().unwrap().to_string();
        assert!(reason.contains("server"), "{reason}");
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut peer.stream, &mut rest);
        within("the end", read).await.unwrap();
        assert_eq!(rest, b"");
    }
}

/// Nothing of a connection's secrets is in what is shown of the pieces that have them.
#[test]
fn what_is_shown_has_no_secrets() {
    let keys = KeyPair::generate();
    let secret = keys.secret().to_z85();
    let shown = [
        format!("{:?}", Security::plain_client("joe", "hunter2").unwrap()),
        format!("{:?}", Security::curve_server(keys.clone())),
        format!(
            "{:?}",
            PullSocket::builder().security(Security::curve_server(keys))
        ),
        format!(
            "{:?}",
            PushSocket::builder().security(Security::plain_client("joe", "hunter2").unwrap())
        ),
    ];
    for text in shown {
        assert!(
            !text.contains("hunter2") && !text.contains(secret.as_str()),
            "{text}"
        );
    }
}
