//! PLAIN and CURVE against libzmq (pyzmq): every socket type, in both roles, bound and connected; peers that are
//! refused, on either side; heartbeats, large and many messages in the encrypted channel.

use std::net::SocketAddr;
use std::time::Duration;

use common::events::event;
use common::matrix::{await_our_subscription, await_their_subscription};
use common::payload::{Digest, every_shape, message, text};
use common::peer::Peer;
use common::place::{Place, Transport, free_port};
use common::python::Pyzmq;
use common::within;
use purezmq::security::{
    Admission, AuthRequest, Certificate, Credentials, CurveKeys, KeyPair, PlainUsers, Refusal,
    Security, save_certificate,
};
use purezmq::{
    Context, DealerSocket, DisconnectReason, Message, MonitorEventKind, PairSocket, PubSocket,
    PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket, XPubSocket, XSubSocket,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, PartialEq)]
enum Mechanism {
    Plain,
    Curve,
}

/// One side's role; the other side has the other.
#[derive(Clone, Copy, PartialEq)]
enum We {
    Serve,
    Ask,
}

/// What both sides need to trust each other.
struct Trust {
    mechanism: Mechanism,
    server: KeyPair,
    client: KeyPair,
}

impl Trust {
    fn new(mechanism: Mechanism) -> Self {
        Trust {
            mechanism,
            server: KeyPair::generate(),
            client: KeyPair::generate(),
        }
    }

    fn ours(&self, we: We) -> Security {
        match (self.mechanism, we) {
            (Mechanism::Plain, We::Serve) => Security::plain_server(),
            (Mechanism::Plain, We::Ask) => Security::plain_client("joe", "secret").unwrap(),
            (Mechanism::Curve, We::Serve) => Security::curve_server(self.server.clone()),
            (Mechanism::Curve, We::Ask) => {
                Security::curve_client(self.client.clone(), *self.server.public())
            }
        }
    }

    /// A context that knows the client.
    fn context(&self) -> Context {
        let context = Context::new();
        match self.mechanism {
            Mechanism::Plain => {
                context.set_authenticator(PlainUsers::new().add("joe", "secret"));
            }
            Mechanism::Curve => {
                context.set_authenticator(CurveKeys::from_iter([*self.client.public()]));
            }
        }
        context
    }

    /// Their options, if that is our role.
    fn theirs(&self, we: We) -> Value {
        let pair = |keys: &KeyPair| {
            (
                keys.public().to_string(),
                keys.secret().to_z85().to_string(),
            )
        };
        match (self.mechanism, we) {
            (Mechanism::Plain, We::Serve) => {
                json!({ "PLAIN_USERNAME": "joe", "PLAIN_PASSWORD": "secret" })
            }
            (Mechanism::Plain, We::Ask) => json!({ "PLAIN_SERVER": 1 }),
            (Mechanism::Curve, We::Serve) => {
                let (public, secret) = pair(&self.client);
                json!({
                    "CURVE_PUBLICKEY": public,
                    "CURVE_SECRETKEY": secret,
                    "CURVE_SERVERKEY": self.server.public().to_string(),
                })
            }
            (Mechanism::Curve, We::Ask) => {
                let (public, secret) = pair(&self.server);
                json!({ "CURVE_SERVER": 1, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret })
            }
        }
    }

    /// Their socket; a server gets its ZAP handler.
    async fn open(&self, kind: &str, we: We, more: Value) -> Pyzmq {
        let mut options = self.theirs(we);
        for (name, value) in more.as_object().unwrap() {
            options[name] = value.clone();
        }
        let mut theirs = Pyzmq::with_options(kind, options).await;
        if we == We::Ask {
            let order = match self.mechanism {
                Mechanism::Plain => {
                    json!({ "do": "authenticate", "passwords": { "joe": "secret" } })
                }
                Mechanism::Curve => json!({ "do": "authenticate", "keys": "*" }),
            };
            theirs.call(order).await;
        }
        theirs
    }
}

/// Opens both sides and brings them together: `$ours` and `$theirs` from here on.
macro_rules! meet {
    ($socket:ident, $kind:literal, $trust:expr, $we:expr, $bind:expr, $place:expr) => {{
        let mut ours = $socket::builder()
            .context(&$trust.context())
            .security($trust.ours($we))
            .heartbeat_interval(Duration::from_millis(50))
            .heartbeat_timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let mut theirs = $trust.open($kind, $we, json!({})).await;
        if $bind {
            let endpoint = ours.bind($place.endpoint.as_str()).await.unwrap();
            theirs.connect(&endpoint.to_string()).await;
        } else {
            let endpoint = theirs.bind(&$place.endpoint).await;
            ours.connect(endpoint.as_str()).unwrap();
        }
        (ours, theirs)
    }};
}

/// A libzmq REQ that is a server sends its request and never hears the reply; not from libzmq either.
const DEAF: &[(We, bool)] = &[(We::Ask, true), (We::Ask, false)];

/// Who serves, whether we bind, and where.
fn combinations() -> impl Iterator<Item = (We, bool, Transport)> {
    let roles = [We::Serve, We::Ask].into_iter();
    let ends = roles.flat_map(|we| [(we, true), (we, false)]);
    ends.flat_map(|(we, bind)| [Transport::Tcp4, Transport::Ipc].map(|on| (we, bind, on)))
}

/// Two tests of a socket type, each with all combinations of roles and ends but those of which libzmq is not capable.
macro_rules! cells {
    ($(
        $name:ident: $socket:ident, $kind:literal, without $without:expr,
        |$ours:ident, $theirs:ident| $talk:block
    )*) => {$(
        mod $name {
            use super::*;

            async fn talk(mechanism: Mechanism) {
                for (we, bind, transport) in combinations() {
                    let without: &[(We, bool)] = $without;
                    if without.contains(&(we, bind)) {
                        continue;
                    }
                    let (trust, place) = (Trust::new(mechanism), Place::any(transport));
                    let (mut $ours, mut $theirs) = meet!($socket, $kind, trust, we, bind, place);
                    let serve = we == We::Serve;
                    let what = format!("we serve: {serve}, we bind: {bind}, {transport:?}");
                    within(&what, async { $talk }).await;
                }
            }

            #[tokio::test]
            async fn plain() {
                talk(Mechanism::Plain).await;
            }

            #[tokio::test]
            async fn curve() {
                talk(Mechanism::Curve).await;
            }
        }
    )*};
}

fn one(frame: &str) -> Vec<Digest> {
    vec![Digest::of([frame])]
}

cells! {
    req: ReqSocket, "REP", without &[], |ours, theirs| {
        ours.send("ask").await.unwrap();
        assert_eq!(theirs.echo(1).await, one("ask"));
        assert_eq!(ours.recv().await.unwrap(), "ask");
    }
    rep: RepSocket, "REQ", without DEAF, |ours, theirs| {
        theirs.send(&[text("ask")]).await;
        let request = ours.recv().await.unwrap();
        ours.send(request).await.unwrap();
        assert_eq!(theirs.recv(1).await, one("ask"));
    }
    dealer: DealerSocket, "ROUTER", without &[], |ours, theirs| {
        ours.send("ask").await.unwrap();
        // The peer's name, which it made up, is a frame of what it echoes.
        theirs.echo(1).await;
        assert_eq!(ours.recv().await.unwrap(), "ask");
    }
    router: RouterSocket, "DEALER", without &[], |ours, theirs| {
        theirs.send(&[text("ask")]).await;
        let asked = ours.recv_message().await.unwrap();
        assert_eq!(asked.message, "ask");
        ours.send_to(&asked.peer, "answer").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("answer"));
    }
    push: PushSocket, "PULL", without &[], |ours, theirs| {
        let shapes = every_shape();
        for recipe in &shapes {
            ours.send(message(recipe)).await.unwrap();
        }
        let digests: Vec<_> = shapes.iter().map(|recipe| Digest::of_message(&message(recipe))).collect();
        assert_eq!(theirs.recv(shapes.len()).await, digests);
    }
    pull: PullSocket, "PUSH", without &[], |ours, theirs| {
        let shapes = every_shape();
        let sent = theirs.send(&shapes).await;
        for digest in sent {
            assert_eq!(Digest::of_message(&ours.recv().await.unwrap()), digest);
        }
    }
    publisher: PubSocket, "SUB", without &[], |ours, theirs| {
        theirs.subscribe("").await;
        await_their_subscription(&mut ours, &mut theirs).await;
        ours.send("news").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("news"));
    }
    subscriber: SubSocket, "PUB", without &[], |ours, theirs| {
        ours.subscribe("");
        await_our_subscription(&mut ours, &mut theirs).await;
        theirs.send(&[text("news")]).await;
        assert_eq!(ours.recv().await.unwrap(), "news");
    }
    xpub: XPubSocket, "XSUB", without &[], |ours, theirs| {
        // An XSUB that is bound drops what it sends before it has a peer.
        let heard = async {
            loop {
                theirs.send(&[text("\u{1}news")]).await;
                let hear = tokio::time::timeout(Duration::from_millis(20), ours.recv());
                if let Ok(heard) = hear.await {
                    return heard.unwrap();
                }
            }
        };
        assert_eq!(heard.await, "\u{1}news");
        ours.send("news!").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("news!"));
    }
    xsub: XSubSocket, "XPUB", without &[], |ours, theirs| {
        ours.subscribe("news");
        assert_eq!(theirs.recv(1).await, one("\u{1}news"));
        theirs.send(&[text("news!")]).await;
        assert_eq!(ours.recv().await.unwrap(), "news!");
    }
    pair: PairSocket, "PAIR", without &[], |ours, theirs| {
        ours.send("there").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("there"));
        theirs.send(&[text("back")]).await;
        assert_eq!(ours.recv().await.unwrap(), "back");
    }
}

// ---- refusals

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
async fn our_client_hears_the_status_of_their_handler_and_stops() {
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
            event(&mut monitor, "an event", |kind| {
                matches!(kind, MonitorEventKind::Closed)
            })
            .await;
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

// ---- traffic

#[tokio::test]
async fn messages_survive_a_reconnect_with_a_new_handshake() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let mut push = PushSocket::builder()
            .security(trust.ours(We::Ask))
            .reconnect_interval(Duration::from_millis(10))
            .build()
            .unwrap();
        let mut theirs = trust.open("PULL", We::Ask, json!({})).await;
        let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
        push.connect(endpoint.as_str()).unwrap();
        push.send("first").await.unwrap();
        assert_eq!(theirs.recv(1).await, one("first"));
        let mut monitor = push.monitor();
        theirs.kill().await;
        let gone = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
        event(&mut monitor, "a connection's end", gone).await;
        for number in 0..100 {
            push.send(number.to_string()).await.unwrap();
        }
        let mut again = trust.open("PULL", We::Ask, json!({})).await;
        again.bind(&endpoint).await;
        let expected: Vec<_> = (0..100).map(|n| Digest::of([n.to_string()])).collect();
        assert_eq!(again.recv(100).await, expected);
        assert_eq!(push.stats().reconnects, 1);
    }
}

#[tokio::test]
async fn their_client_comes_back_with_a_new_handshake() {
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        let trust = Trust::new(mechanism);
        let endpoint = format!("tcp://127.0.0.1:{}", free_port());
        let mut theirs = trust.open("PUSH", We::Serve, json!({})).await;
        theirs.connect(&endpoint).await;
        for number in ["1", "2"] {
            let mut pull = PullSocket::builder()
                .context(&trust.context())
                .security(trust.ours(We::Serve))
                .build()
                .unwrap();
            let mut monitor = pull.monitor();
            pull.bind(endpoint.as_str()).await.unwrap();
            event(&mut monitor, "an event", |kind| {
                matches!(kind, MonitorEventKind::HandshakeSucceeded)
            })
            .await;
            theirs.send(&[text(number)]).await;
            assert_eq!(within("a message", pull.recv()).await.unwrap(), number);
            pull.close().await;
        }
    }
}

/// Passes connections on to `to`, and breaks the first one after so many bytes of the client.
async fn relay(listener: TcpListener, to: SocketAddr, mut break_after: Option<u64>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let most = break_after.take().unwrap_or(u64::MAX);
        let mut forth = (&mut from_client).take(most);
        tokio::select! {
            _ = tokio::io::copy(&mut forth, &mut to_server) => {}
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        }
    }
}

/// A batch of them is far more than what is encrypted at once.
#[tokio::test]
async fn large_messages_keep_their_order_when_a_connection_breaks() {
    const COUNT: usize = 400;
    let trust = Trust::new(Mechanism::Curve);
    let mut pull = PullSocket::builder()
        .context(&trust.context())
        .security(trust.ours(We::Serve))
        .build()
        .unwrap();
    let bound = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let relay = tokio::spawn(relay(
        listener,
        common::raw::socket_address(&bound),
        Some(5_000_000),
    ));
    let mut push = PushSocket::builder()
        .security(trust.ours(We::Ask))
        .reconnect_interval(Duration::from_millis(10))
        .build()
        .unwrap();
    // They are queued before there is a connection.
    push.connect(endpoint.as_str()).unwrap();
    for number in 0..COUNT {
        let body = vec![number as u8; 64 * 1024];
        push.send([number.to_string().into_bytes(), body])
            .await
            .unwrap();
    }
    let mut numbers = Vec::new();
    while numbers.last() != Some(&(COUNT - 1)) {
        let message = within("a message", pull.recv()).await.unwrap();
        let number: usize = std::str::from_utf8(&message[0]).unwrap().parse().unwrap();
        assert!(message[1].iter().all(|byte| *byte == number as u8));
        numbers.push(number);
    }
    // What was written when the connection broke is lost, in one piece.
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1);
    assert!(numbers.is_sorted() && gaps.count() <= 1, "{numbers:?}");
    assert!(numbers.len() > COUNT / 2, "{}", numbers.len());
    assert_eq!(push.stats().reconnects, 1);
    relay.abort();
}

#[tokio::test]
async fn heartbeats_go_on_in_the_encrypted_channel() {
    for we in [We::Serve, We::Ask] {
        let trust = Trust::new(Mechanism::Curve);
        let more = json!({ "HEARTBEAT_IVL": 30, "HEARTBEAT_TIMEOUT": 10_000 });
        let mut ours = PairSocket::builder()
            .context(&trust.context())
            .security(trust.ours(we))
            .heartbeat_interval(Duration::from_millis(30))
            .heartbeat_timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let mut monitor = ours.monitor();
        let mut theirs = trust.open("PAIR", we, more).await;
        let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap();
        theirs.connect(&endpoint.to_string()).await;
        // The connection stands while nothing else is said: all that comes in that time is PING and PONG.
        for number in 0..20 {
            let number = number.to_string();
            ours.send(number.as_str()).await.unwrap();
            assert_eq!(theirs.recv(1).await, one(&number));
            tokio::time::sleep(Duration::from_millis(35)).await;
        }
        theirs.send(&[text("still here")]).await;
        assert_eq!(
            within("a message", ours.recv()).await.unwrap(),
            "still here"
        );
        let ended = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
        drop(theirs);
        event(&mut monitor, "a connection's end", ended).await;
        assert_eq!(ours.stats().handshake_failures, 0);
    }
}

#[tokio::test]
async fn large_messages_pass_both_ways() {
    let large: Vec<u8> = (0..10 << 20).map(|i: u32| (i % 251) as u8).collect();
    let digest = Digest::of([&large[..]]);
    for mechanism in [Mechanism::Plain, Mechanism::Curve] {
        for we in [We::Serve, We::Ask] {
            let (trust, place) = (Trust::new(mechanism), Place::any(Transport::Tcp4));
            let (mut ours, mut theirs) = meet!(PairSocket, "PAIR", trust, we, true, place);
            ours.send(large.clone()).await.unwrap();
            assert_eq!(theirs.echo(1).await, std::slice::from_ref(&digest));
            let back = within("a large message", ours.recv()).await.unwrap();
            assert!(back == large[..]);
        }
    }
}

/// `PUREZMQ_MESSAGES=1000000` sends as many, or any other number.
fn many() -> usize {
    let number = std::env::var("PUREZMQ_MESSAGES").ok();
    number.map_or(50_000, |number| number.parse().expect("a number"))
}

#[tokio::test]
async fn many_small_messages_pass_both_ways() {
    /// What they are asked for in one order, which has to be done in time.
    const ORDER: usize = 50_000;
    let count = many();
    let (trust, place) = (Trust::new(Mechanism::Curve), Place::any(Transport::Tcp4));
    let (mut push, mut theirs) = meet!(PushSocket, "PULL", trust, We::Ask, false, place);
    let feed = async {
        for number in 0..count {
            push.send(number.to_string()).await.unwrap();
        }
    };
    let take = async {
        for from in (0..count).step_by(ORDER) {
            let to = count.min(from + ORDER);
            let expected: Vec<_> = (from..to).map(|n| Digest::of([n.to_string()])).collect();
            assert!(theirs.recv(to - from).await == expected);
        }
    };
    tokio::join!(feed, take);

    let place = Place::any(Transport::Tcp4);
    let (mut pull, mut theirs) = meet!(PullSocket, "PUSH", trust, We::Serve, true, place);
    theirs
        .start(json!({ "do": "flood", "prefixes": [""], "pause": 0 }))
        .await;
    for number in 0..count {
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message, number.to_string().as_bytes());
    }
}

// ---- NULL and ZAP

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
        assert_eq!(we_let_in(asks).await, expected, "we: {asks:?}");
    }
}
