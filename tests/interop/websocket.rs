//! `ws://` and `wss://` with libzmq's own WebSockets, both ways, with each mechanism that RFC 45 has.
//!
//! The libzmq with drafts in `.drafts` (see `drafts.rs`) speaks `ws://`. `wss://` speaks one that scripts/setup builds of
//! libzmq's sources, where there are a C++ compiler and GnuTLS; where there are not, its tests say that they are skipped.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::events::event;
use common::python::Program;
use common::within;
use purezmq::monitor::MonitorEventKind;
use purezmq::rustls::pki_types::PrivatePkcs8KeyDer;
use purezmq::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};
use purezmq::security::{CurveKeys, KeyPair, PlainUsers, Security};
use purezmq::{
    ClientSocket, Context, DealerSocket, DishSocket, Message, Monitor, PubSocket, RadioSocket,
    RepSocket, ReqSocket, RouterSocket, ServerSocket, SubSocket,
};
use serde_json::{Value, json};

use crate::drafts::{Theirs, body};

/// Lengths at which WebSocket's framing changes, and one that is longer than all buffers.
const SIZES: [usize; 8] = [0, 1, 124, 125, 126, 65_534, 65_536, 3 << 20];

/// libzmq's numbers of options.
const ROUTING_ID: i32 = 5;
const SUBSCRIBE: i32 = 6;
const PLAIN_SERVER: i32 = 44;
const PLAIN_USERNAME: i32 = 45;
const PLAIN_PASSWORD: i32 = 46;
const CURVE_SERVER: i32 = 47;
const CURVE_PUBLICKEY: i32 = 48;
const CURVE_SECRETKEY: i32 = 49;
const CURVE_SERVERKEY: i32 = 50;
const HEARTBEAT_IVL: i32 = 75;
const HEARTBEAT_TIMEOUT: i32 = 77;
const WSS_KEY_PEM: i32 = 103;
const WSS_CERT_PEM: i32 = 104;
const WSS_TRUST_PEM: i32 = 105;
const WSS_HOSTNAME: i32 = 106;

const SNDMORE: i32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Ws,
    Wss,
}

impl Scheme {
    fn wildcard(self) -> &'static str {
        match self {
            Scheme::Ws => "ws://127.0.0.1:*/feed",
            Scheme::Wss => "wss://127.0.0.1:*/feed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Null,
    Plain,
    Curve,
}

const MECHANISMS: [Mechanism; 3] = [Mechanism::Null, Mechanism::Plain, Mechanism::Curve];

impl Theirs {
    /// Opens one that speaks such WebSockets. `None`, said loudly: there is none here.
    async fn of_web(scheme: Scheme, kind: &str) -> Option<Theirs> {
        if scheme == Scheme::Ws {
            return Theirs::open(kind).await;
        }
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if !root.join(".drafts/websocket/libzmq.so.5").exists() {
            eprintln!(
                "\n*** SKIPPED: there is no libzmq with wss. Run scripts/setup where there are g++ and GnuTLS. ***\n"
            );
            return None;
        }
        let mut theirs = Theirs(Program::start_with("drafts.py", &["websocket"]));
        theirs.call(json!({ "do": "open", "type": kind })).await;
        Some(theirs)
    }

    async fn set(&mut self, option: i32, value: impl Into<Value>) {
        let value: Value = value.into();
        let order = match value.is_string() {
            true => json!({ "do": "set_bytes", "option": option, "text": value }),
            false => json!({ "do": "set", "option": option, "value": value }),
        };
        self.call(order).await;
    }

    async fn set_pem(&mut self, option: i32, label: &str, der: &[u8]) {
        let order = json!({ "do": "set_pem", "option": option, "label": label, "der": der });
        self.call(order).await;
    }

    async fn send_more(&mut self, text: &str) {
        self.call(json!({ "do": "send", "text": text, "flags": SNDMORE }))
            .await;
    }
}

/// What both sides know of each other.
struct Known {
    server: KeyPair,
    client: KeyPair,
    certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Known {
    fn new() -> Known {
        let name = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        Known {
            server: KeyPair::generate(),
            client: KeyPair::generate(),
            certificate: rcgen::generate_simple_self_signed(name).expect("a certificate"),
        }
    }

    /// What our side has, if it binds, or connects.
    fn ours(&self, mechanism: Mechanism, binds: bool) -> (Context, Security) {
        let context = Context::new();
        let security = match (mechanism, binds) {
            (Mechanism::Null, _) => Security::Null,
            (Mechanism::Plain, true) => {
                context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
                Security::plain_server()
            }
            (Mechanism::Plain, false) => {
                Security::plain_client("joe", "secret").expect("it is short")
            }
            (Mechanism::Curve, true) => {
                context.set_authenticator(CurveKeys::from_iter([*self.client.public()]));
                Security::curve_server(self.server.clone())
            }
            (Mechanism::Curve, false) => {
                Security::curve_client(self.client.clone(), *self.server.public())
            }
        };
        (context, security)
    }

    fn tls_server(&self) -> Arc<ServerConfig> {
        let chain = vec![self.certificate.cert.der().clone()];
        let key = PrivatePkcs8KeyDer::from(self.certificate.signing_key.serialize_der());
        let config =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(chain, key.into());
        Arc::new(config.expect("they fit together"))
    }

    fn tls_client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.cert.der().clone())
            .expect("a certificate");
        let config =
            ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
        Arc::new(config)
    }

    /// Gives their side what it needs to bind.
    async fn theirs_binds(&self, theirs: &mut Theirs, scheme: Scheme, mechanism: Mechanism) {
        match mechanism {
            Mechanism::Null => {}
            Mechanism::Plain => {
                theirs.call(json!({ "do": "allow", "user": "joe" })).await;
                theirs.set(PLAIN_SERVER, 1).await;
            }
            Mechanism::Curve => {
                theirs.set(CURVE_SERVER, 1).await;
                let secret = self.server.secret().to_z85();
                theirs.set(CURVE_SECRETKEY, secret.as_str()).await;
            }
        }
        if scheme == Scheme::Wss {
            let key = self.certificate.signing_key.serialize_der();
            theirs.set_pem(WSS_KEY_PEM, "PRIVATE KEY", &key).await;
            let certificate = self.certificate.cert.der();
            theirs
                .set_pem(WSS_CERT_PEM, "CERTIFICATE", certificate)
                .await;
        }
    }

    /// Gives their side what it needs to connect.
    async fn theirs_connects(&self, theirs: &mut Theirs, scheme: Scheme, mechanism: Mechanism) {
        match mechanism {
            Mechanism::Null => {}
            Mechanism::Plain => {
                theirs.set(PLAIN_USERNAME, "joe").await;
                theirs.set(PLAIN_PASSWORD, "secret").await;
            }
            Mechanism::Curve => {
                let secret = self.client.secret().to_z85();
                theirs.set(CURVE_SECRETKEY, secret.as_str()).await;
                let public = self.client.public().to_string();
                theirs.set(CURVE_PUBLICKEY, public).await;
                theirs
                    .set(CURVE_SERVERKEY, self.server.public().to_string())
                    .await;
            }
        }
        if scheme == Scheme::Wss {
            let certificate = self.certificate.cert.der();
            theirs
                .set_pem(WSS_TRUST_PEM, "CERTIFICATE", certificate)
                .await;
            theirs.set(WSS_HOSTNAME, "localhost").await;
        }
    }
}

/// A socket of ours and one of theirs, linked.
macro_rules! linked {
    ($type:ty, $theirs:literal, $scheme:expr, $mechanism:expr, $binds:expr) => {{
        let (scheme, mechanism) = ($scheme, $mechanism);
        let Some(mut theirs) = Theirs::of_web(scheme, $theirs).await else {
            return;
        };
        let known = Known::new();
        let (context, security) = known.ours(mechanism, $binds);
        let mut ours = <$type>::builder()
            .context(&context)
            .security(security)
            .tls_server(known.tls_server())
            .tls_client(known.tls_client())
            .build()
            .expect("it can be built");
        if $binds {
            let endpoint = ours.bind(scheme.wildcard()).await.expect("bind");
            known.theirs_connects(&mut theirs, scheme, mechanism).await;
            theirs.connect(&endpoint.to_string()).await;
            (ours, theirs, endpoint.to_string())
        } else {
            known.theirs_binds(&mut theirs, scheme, mechanism).await;
            // A socket of both kinds, as theirs are: the certificate is for the address as we write it.
            let endpoint = theirs.bind(scheme.wildcard()).await;
            let endpoint = endpoint.replace("[::ffff:127.0.0.1]", "127.0.0.1");
            let mut monitor = ours.monitor();
            ours.connect(endpoint.as_str()).expect("connect");
            let begun = event(&mut monitor, "a handshake", |kind| {
                let failed = matches!(kind, MonitorEventKind::HandshakeFailed(_));
                assert!(!failed, "{kind:?}");
                matches!(kind, MonitorEventKind::HandshakeSucceeded)
            });
            begun.await;
            (ours, theirs, endpoint)
        }
    }};
}

/// Messages of all sizes, in one frame and in three, there and back.
async fn messages_go_both_ways(scheme: Scheme, mechanism: Mechanism) {
    for binds in [true, false] {
        let (mut ours, mut theirs, _) = linked!(DealerSocket, "DEALER", scheme, mechanism, binds);
        let ask = async {
            for (number, size) in SIZES.into_iter().enumerate() {
                let sent = body(number, size);
                ours.send(sent.as_str()).await.expect("send");
                let back = within("it", ours.recv()).await.expect("recv");
                assert_eq!(back, sent.as_str(), "{scheme:?} {mechanism:?} {binds}");
            }
        };
        tokio::join!(
            ask,
            theirs.call(json!({ "do": "echo", "count": SIZES.len() }))
        );

        theirs.send_more("a").await;
        theirs.send_more("").await;
        theirs.send("c", 300, None, None).await;
        let got = within("frames", ours.recv()).await.expect("recv");
        assert_eq!(got, Message::from(["a", "", &format!("{:300}", "c")]));
        ours.send(["", "two"]).await.expect("send");
        assert_eq!(theirs.recv().await.text, "");
        assert_eq!(theirs.recv().await.text, "two");
    }
}

#[tokio::test]
async fn messages_go_both_ways_over_ws() {
    for mechanism in MECHANISMS {
        messages_go_both_ways(Scheme::Ws, mechanism).await;
    }
}

#[tokio::test]
async fn messages_go_both_ways_over_wss() {
    for mechanism in MECHANISMS {
        messages_go_both_ways(Scheme::Wss, mechanism).await;
    }
}

/// Whoever has another key than the server's, or than the server lets in, hears nothing.
#[tokio::test]
async fn a_wrong_key_keeps_out() {
    let (mut ours, mut theirs, endpoint) =
        linked!(DealerSocket, "DEALER", Scheme::Ws, Mechanism::Curve, false);
    let strange = Security::curve_client(KeyPair::generate(), *KeyPair::generate().public());
    let mut stranger = DealerSocket::builder().security(strange).build().unwrap();
    let mut monitor = stranger.monitor();
    stranger.connect(endpoint.as_str()).expect("connect");
    stranger.send("not for you").await.expect("it is queued");
    refusal(&mut monitor).await;
    ours.send("for you").await.expect("send");
    assert_eq!(theirs.recv().await.text, "for you");

    // Ours is the server, and knows another client.
    let (mut ours, mut theirs, endpoint) =
        linked!(DealerSocket, "DEALER", Scheme::Ws, Mechanism::Curve, true);
    let Some(mut stranger) = Theirs::open("DEALER").await else {
        return;
    };
    let other = Known::new();
    let mut monitor = ours.monitor();
    other
        .theirs_connects(&mut stranger, Scheme::Ws, Mechanism::Curve)
        .await;
    stranger.connect(&endpoint).await;
    refusal(&mut monitor).await;
    theirs.send("known", 0, None, None).await;
    assert_eq!(within("it", ours.recv()).await.expect("recv"), "known");
}

async fn refusal(monitor: &mut Monitor) {
    let failed = event(monitor, "a failed handshake", |kind| {
        matches!(kind, MonitorEventKind::HandshakeFailed(_))
    });
    failed.await;
}

/// The other patterns, with the mechanism whose frames are the least like those of TCP.
#[tokio::test]
async fn every_pattern_works_over_ws_with_curve_and_without() {
    for mechanism in [Mechanism::Null, Mechanism::Curve] {
        for binds in [true, false] {
            patterns(mechanism, binds).await;
        }
    }
}

async fn patterns(mechanism: Mechanism, binds: bool) {
    let (mut ours, mut theirs, _) = linked!(ReqSocket, "REP", Scheme::Ws, mechanism, binds);
    let echo = json!({ "do": "echo", "count": 1 });
    ours.send("question").await.expect("send");
    let (answer, _) = tokio::join!(within("the answer", ours.recv()), theirs.call(echo));
    assert_eq!(answer.expect("recv"), "question");

    let (mut ours, mut theirs, _) = linked!(RepSocket, "REQ", Scheme::Ws, mechanism, binds);
    theirs.send("question", 0, None, None).await;
    let asked = within("a question", ours.recv()).await.expect("recv");
    assert_eq!(asked, "question");
    ours.send("answer").await.expect("send");
    assert_eq!(theirs.recv().await.text, "answer");

    let (mut ours, mut theirs, _) = linked!(PubSocket, "SUB", Scheme::Ws, mechanism, binds);
    theirs.set(SUBSCRIBE, "a").await;
    // A socket of theirs notices whom it is connected to while it is in a call.
    let publish = async {
        within("a subscriber", ours.wait_for_subscribers(1)).await;
        for message in ["b: no", "a: yes"] {
            ours.send(message).await.expect("send");
        }
    };
    let (heard, ()) = tokio::join!(theirs.recv(), publish);
    assert_eq!(heard.text, "a: yes");

    let (mut ours, mut theirs, _) = linked!(SubSocket, "XPUB", Scheme::Ws, mechanism, binds);
    ours.subscribe("a");
    assert_eq!(theirs.recv().await.text, "\u{1}a");
    for message in ["b: no", "a: yes"] {
        theirs.send(message, 0, None, None).await;
    }
    assert_eq!(within("it", ours.recv()).await.expect("recv"), "a: yes");

    let (mut ours, mut theirs, _) = linked!(ClientSocket, "SERVER", Scheme::Ws, mechanism, binds);
    ours.send("question").await.expect("send");
    let echo = json!({ "do": "echo", "count": 1 });
    let (answer, _) = tokio::join!(within("the answer", ours.recv()), theirs.call(echo));
    assert_eq!(answer.expect("recv"), "question");

    let (mut ours, mut theirs, _) = linked!(ServerSocket, "CLIENT", Scheme::Ws, mechanism, binds);
    theirs.send("question", 0, None, None).await;
    let asked = within("a question", ours.recv()).await.expect("recv");
    ours.send(asked).await.expect("send");
    assert_eq!(theirs.recv().await.text, "question");

    let (mut ours, mut theirs, _) = linked!(RadioSocket, "DISH", Scheme::Ws, mechanism, binds);
    theirs.call(json!({ "do": "join", "group": "a" })).await;
    within("a message", async {
        loop {
            ours.send_to("a", "it").await.expect("send");
            if let Some(heard) = theirs.try_recv().await {
                break assert_eq!((&*heard.text, &*heard.group), ("it", "a"));
            }
        }
    })
    .await;

    let (mut ours, mut theirs, _) = linked!(DishSocket, "RADIO", Scheme::Ws, mechanism, binds);
    ours.join("a").expect("join");
    within("a message", async {
        loop {
            theirs.send("it", 0, Some("a"), None).await;
            if let Ok(heard) = ours.try_recv() {
                break assert_eq!(heard, ("a", "it"));
            }
        }
    })
    .await;
}

/// Their name is known, and their heartbeats, which are WebSocket's, keep the connection.
#[tokio::test]
async fn a_name_and_heartbeats_are_theirs() {
    for mechanism in MECHANISMS {
        let Some(mut theirs) = Theirs::of_web(Scheme::Ws, "DEALER").await else {
            return;
        };
        let known = Known::new();
        let (context, security) = known.ours(mechanism, true);
        let mut ours = RouterSocket::builder()
            .context(&context)
            .security(security)
            .heartbeat_interval(Duration::from_millis(20))
            .heartbeat_timeout(Duration::from_secs(20))
            .build()
            .expect("it can be built");
        let endpoint = ours.bind(Scheme::Ws.wildcard()).await.expect("bind");
        known
            .theirs_connects(&mut theirs, Scheme::Ws, mechanism)
            .await;
        theirs.set(ROUTING_ID, "joe").await;
        theirs.set(HEARTBEAT_IVL, 20).await;
        theirs.set(HEARTBEAT_TIMEOUT, 20_000).await;
        theirs.connect(&endpoint.to_string()).await;
        // For as long as some heartbeats take; a connection that was ended for one would have another number.
        let begun = Instant::now();
        let mut number = None;
        while begun.elapsed() < Duration::from_millis(300) || number.is_none() {
            theirs.send("hello", 0, None, None).await;
            let heard = within("it", ours.recv_message()).await.expect("recv");
            assert_eq!(heard.peer, "joe");
            ours.send(heard).await.expect("send");
            assert_eq!(theirs.recv().await.text, "hello");
            let now = ours.stats().peers[0].number;
            assert_eq!(*number.get_or_insert(now), now, "{mechanism:?}");
        }
    }
}
