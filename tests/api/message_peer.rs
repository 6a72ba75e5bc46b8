//! `last_peer`: who has sent the message that was received last, for every socket that receives, under every
//! mechanism, and the same as libzmq's `zmq_msg_gets`.

use std::sync::Arc;
use std::time::Duration;

use common::place::{Place, Transport};
use common::raw::{RawPeer, greeting, short_frame};
use common::within;
use purezmq::capability::{Receives, Streams};
use purezmq::security::{
    Admission, AuthRequest, Credentials, KeyPair, Metadata, PlainUsers, Security,
};
use purezmq::socket::{RecvSide, Socket};
use purezmq::{
    Context, DealerSocket, PairSocket, Peer, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterEvent, RouterSocket, SocketType, SubSocket, XPubSocket, XSubSocket, blocking,
};
use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mechanism {
    Null,
    Plain,
    Curve,
}

pub(super) const MECHANISMS: [Mechanism; 3] = [Mechanism::Null, Mechanism::Plain, Mechanism::Curve];

/// What both sides need: the server's context calls everybody `user-` and the last letter of the mechanism's credentials.
struct Trust {
    context: Context,
    server: Security,
    client: Security,
}

impl Trust {
    fn new(mechanism: Mechanism) -> Self {
        let context = Context::new();
        context.set_authenticator(|request: AuthRequest| async move {
            let mut admission = Admission::user(match &request.credentials {
                Credentials::Plain { username, .. } => String::from_utf8_lossy(username).into(),
                other => format!("a {} user", other.mechanism()),
            });
            admission.metadata.push("Colour", "blue").unwrap();
            Ok(admission)
        });
        let (server, client) = match mechanism {
            Mechanism::Null => (Security::Null, Security::Null),
            Mechanism::Plain => (
                Security::plain_server(),
                Security::plain_client("joe", "secret").unwrap(),
            ),
            Mechanism::Curve => {
                let keys = KeyPair::generate();
                let client = Security::curve_client(KeyPair::generate(), *keys.public());
                (Security::curve_server(keys), client)
            }
        };
        Trust {
            context,
            server,
            client,
        }
    }
}

fn user(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Null => "a NULL user",
        Mechanism::Plain => "joe",
        Mechanism::Curve => "a CURVE user",
    }
}

fn check(peer: Option<Arc<Peer>>, mechanism: Mechanism, socket_type: SocketType) {
    let peer = peer.expect("a message has been received");
    assert_eq!(peer.user_id.as_deref(), Some(user(mechanism)));
    assert_eq!(peer.socket_type, Some(socket_type));
    assert!(peer.address.ip().is_some_and(|ip| ip.is_loopback()));
    assert_eq!(peer.properties.get("Colour"), Some(&b"blue"[..]));
    assert_eq!(
        peer.get("User-Id").as_deref(),
        Some(user(mechanism).as_bytes())
    );
    assert_eq!(peer.get("Peer-Address").as_deref(), Some(&b"127.0.0.1"[..]));
    assert_eq!(
        peer.get("Socket-Type").as_deref(),
        Some(socket_type.to_string().as_bytes())
    );
    assert_eq!(peer.get("Colour").as_deref(), Some(&b"blue"[..]));
    assert_eq!(peer.get("X-None"), None);
}

/// A test of a socket type under each mechanism: `$server` asks its context who `$client` is.
macro_rules! each_mechanism {
    ($($name:ident: $server:ident, $client:ident, |$ours:ident, $theirs:ident| $talk:block)*) => {$(
        #[tokio::test]
        async fn $name() {
            for mechanism in MECHANISMS {
                let trust = Trust::new(mechanism);
                let mut $ours = $server::builder()
                    .context(&trust.context)
                    .zap_domain("test")
                    .security(trust.server)
                    .build()
                    .unwrap();
                assert!($ours.last_peer().is_none());
                let mut $theirs = $client::builder().security(trust.client).build().unwrap();
                let endpoint = $ours.bind("tcp://127.0.0.1:*").await.unwrap();
                $theirs.connect(&endpoint).unwrap();
                within("messages", async { $talk }).await;
                check($ours.last_peer(), mechanism, $theirs.socket_type());
                // Nothing else has come, and that changes nothing.
                assert!($ours.try_recv().is_err());
                check($ours.last_peer(), mechanism, $theirs.socket_type());
            }
        }
    )*};
}

each_mechanism! {
    pull: PullSocket, PushSocket, |ours, theirs| {
        theirs.send("x").await.unwrap();
        ours.recv().await.unwrap();
    }
    dealer: DealerSocket, RouterSocket, |ours, theirs| {
        ours.send("x").await.unwrap();
        let asked = theirs.recv_message().await.unwrap();
        theirs.send(asked.reply("y")).await.unwrap();
        ours.recv().await.unwrap();
    }
    router: RouterSocket, DealerSocket, |ours, theirs| {
        theirs.send("x").await.unwrap();
        ours.recv_message().await.unwrap();
    }
    pair: PairSocket, PairSocket, |ours, theirs| {
        theirs.send("x").await.unwrap();
        ours.recv().await.unwrap();
    }
    rep: RepSocket, ReqSocket, |ours, theirs| {
        theirs.send("x").await.unwrap();
        ours.recv().await.unwrap();
    }
    req: ReqSocket, RepSocket, |ours, theirs| {
        ours.send("x").await.unwrap();
        let request = theirs.recv().await.unwrap();
        theirs.send(request).await.unwrap();
        ours.recv().await.unwrap();
    }
    sub: SubSocket, PubSocket, |ours, theirs| {
        ours.subscribe("");
        theirs.wait_for_subscribers(1).await;
        theirs.send("x").await.unwrap();
        ours.recv().await.unwrap();
    }
    xsub: XSubSocket, XPubSocket, |ours, theirs| {
        ours.subscribe("");
        theirs.recv().await.unwrap();
        theirs.send("x").await.unwrap();
        ours.recv().await.unwrap();
    }
    xpub: XPubSocket, XSubSocket, |ours, theirs| {
        theirs.subscribe("");
        assert_eq!(ours.recv().await.unwrap(), "\u{1}");
        theirs.send("x").await.unwrap();
        // What is heard while something is sent keeps its sender.
        ours.send("y").await.unwrap();
        assert_eq!(ours.recv().await.unwrap(), "x");
    }
}

/// A context that knows joe and eve.
fn two_users() -> Context {
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "1"), ("eve", "2")]));
    context
}

fn name(peer: Option<Arc<Peer>>) -> String {
    peer.and_then(|peer| peer.user_id.clone())
        .unwrap_or_default()
}

#[tokio::test]
async fn each_message_has_its_own_sender() {
    let mut pull = PullSocket::builder()
        .context(&two_users())
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut clients = Vec::new();
    for (user, password) in [("joe", "1"), ("eve", "2")] {
        let security = Security::plain_client(user, password).unwrap();
        let mut push = PushSocket::builder().security(security).build().unwrap();
        push.connect(&endpoint).unwrap();
        for _ in 0..100 {
            push.send(user).await.unwrap();
        }
        clients.push(push);
    }
    for _ in 0..150 {
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message, name(pull.last_peer()).as_bytes());
    }
    // The sender of what is last in the buffer.
    let mut rest = Vec::new();
    while rest.len() < 50 {
        within("messages", pull.recv_many(&mut rest, 7))
            .await
            .unwrap();
        assert_eq!(rest[rest.len() - 1], name(pull.last_peer()).as_bytes());
    }
    // Also when it has gone, and its endpoint with it.
    let last = name(pull.last_peer());
    drop(clients);
    within("both are gone", async {
        while !pull.stats().peers.is_empty() {
            assert!(pull.try_recv().is_err());
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(pull.try_recv().is_err());
    assert_eq!(name(pull.last_peer()), last);
    pull.unbind(&endpoint).await.unwrap();
    assert_eq!(name(pull.last_peer()), last);
}

#[tokio::test]
async fn a_disconnected_endpoints_last_message_keeps_its_sender() {
    let mut pull = PullSocket::new();
    let mut push = PushSocket::new();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    pull.connect(&endpoint).unwrap();
    push.send("x").await.unwrap();
    within("a message", pull.recv()).await.unwrap();
    let before = pull.last_peer();
    assert_eq!(before.as_ref().unwrap().socket_type, Some(SocketType::Push));
    pull.disconnect(&endpoint).unwrap();
    assert_eq!(pull.last_peer(), before);
}

/// READY with a property of its own.
fn ready_as(colour: &str) -> Vec<u8> {
    let mut properties = Metadata::new();
    properties.push("Socket-Type", "PUSH").unwrap();
    properties.push("X-Colour", colour.to_owned()).unwrap();
    let mut body = bytes::BytesMut::from(&b"\x05READY"[..]);
    properties.put(&mut body);
    [&[0x04, body.len() as u8], &body[..]].concat()
}

/// Whoever is dialled says its messages in this colour and goes.
async fn speak(listener: &TcpListener, colour: &str, messages: &[&str]) {
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    let mut peer = RawPeer { stream };
    peer.send(&greeting()).await;
    peer.send(&ready_as(colour)).await;
    for message in messages {
        peer.send(&short_frame(message.as_bytes())).await;
    }
    // All of it is read before the end is seen.
    peer.receive(64 + 2).await;
}

fn colour(pull: &PullSocket) -> String {
    let peer = pull.last_peer().expect("a message has been received");
    String::from_utf8(peer.get("X-Colour").unwrap().into_owned()).unwrap()
}

#[tokio::test]
async fn messages_of_an_older_connection_keep_their_sender() {
    for conflate in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut pull = PullSocket::builder()
            .conflate(conflate)
            .reconnect_interval(Duration::from_millis(1))
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        pull.connect(format!("tcp://{}", listener.local_addr().unwrap()).as_str())
            .unwrap();
        // Nothing is received before all of them have come and gone. Those who say nothing leave nothing.
        for (colour, messages) in [
            ("red", &["red 1", "red 2"][..]),
            ("grey", &[]),
            ("white", &[]),
            ("blue", &["blue 1", "blue 2"]),
        ] {
            speak(&listener, colour, messages).await;
            let ended = |kind: &_| matches!(kind, purezmq::MonitorEventKind::Disconnected(_));
            common::events::event(&mut monitor, "its end", ended).await;
        }
        let expected: &[&str] = if conflate {
            &["blue 2"]
        } else {
            &["red 1", "red 2", "blue 1", "blue 2"]
        };
        for text in expected {
            let message = within("a message", pull.recv()).await.unwrap();
            assert_eq!(message, *text);
            assert!(text.starts_with(&colour(&pull)), "{text}");
        }
        // The next one has come, and has said nothing yet.
        speak(&listener, "green", &[]).await;
        assert!(pull.try_recv().is_err());
        assert_eq!(colour(&pull), "blue");
    }
}

#[tokio::test]
async fn a_routers_notices_tell_who_came_and_left() {
    let mut router = RouterSocket::builder()
        .context(&two_users())
        .security(Security::plain_server())
        .notify(true)
        .build()
        .unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut dealer = DealerSocket::builder()
        .security(Security::plain_client("eve", "2").unwrap())
        .routing_id("worker")
        .build()
        .unwrap();
    dealer.connect(&endpoint).unwrap();
    let came = within("an event", router.recv()).await.unwrap();
    assert_eq!(came, RouterEvent::Connected("worker".into()));
    assert_eq!(name(router.last_peer()), "eve");
    assert_eq!(
        router.last_peer().unwrap().get("Routing-Id").as_deref(),
        Some(&b"worker"[..])
    );
    drop(dealer);
    let left = within("an event", router.recv()).await.unwrap();
    assert_eq!(left, RouterEvent::Disconnected("worker".into()));
    assert_eq!(name(router.last_peer()), "eve");
}

#[tokio::test]
async fn halves_and_blocking_sockets_know_it_too() {
    let context = two_users();
    let mut router = RouterSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let (_sender, mut receiver) = router.split();
    let joe = || Security::plain_client("joe", "1").unwrap();
    let mut dealer = DealerSocket::builder().security(joe()).build().unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("x").await.unwrap();
    /// Any socket without turns.
    async fn receive<P: Receives + Streams, D: RecvSide>(socket: &mut Socket<P, D>) -> String {
        let mut messages = Vec::new();
        within("a message", socket.recv_many(&mut messages, 1))
            .await
            .unwrap();
        name(socket.last_peer())
    }
    assert_eq!(receive(&mut receiver).await, "joe");

    let mut xpub = XPubSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = xpub.bind("tcp://127.0.0.1:*").await.unwrap();
    let (mut sender, mut receiver) = xpub.split();
    let mut xsub = XSubSocket::builder().security(joe()).build().unwrap();
    xsub.connect(&endpoint).unwrap();
    xsub.subscribe("a");
    // The sending half hears it first.
    within("a subscriber", sender.wait_for_subscribers(1)).await;
    assert_eq!(receive(&mut receiver).await, "joe");
    drop(xsub);
    let gone = within("the end of it", receiver.recv()).await.unwrap();
    assert_eq!(gone, "\0a");
    assert!(
        receiver.last_peer().is_none(),
        "it is the socket that says so"
    );

    let thread = std::thread::spawn(|| {
        let context = Context::with_io_threads(1).unwrap();
        context.set_authenticator(PlainUsers::from_iter([("joe", "1")]));
        let mut pull = blocking::PullSocket::builder()
            .context(&context)
            .security(Security::plain_server())
            .build()
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
        let mut push = blocking::PushSocket::builder()
            .security(Security::plain_client("joe", "1").unwrap())
            .build()
            .unwrap();
        push.connect(&endpoint).unwrap();
        push.send("x").unwrap();
        pull.recv().unwrap();
        name(pull.last_peer())
    });
    assert_eq!(thread.join().unwrap(), "joe");
}

#[tokio::test]
async fn inproc_and_ipc_tell_what_there_is_to_tell() {
    let context = Context::new();
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let mut dealer = DealerSocket::builder()
        .context(&context)
        .routing_id("me")
        .build()
        .unwrap();
    // Sent before anybody is bound there.
    dealer.connect("inproc://here").unwrap();
    dealer.send("x").await.unwrap();
    pull.bind("inproc://here").await.unwrap();
    pull.recv().await.unwrap();
    let peer = pull.last_peer().unwrap();
    assert!(peer.address.is_inproc());
    assert_eq!(peer.socket_type, Some(SocketType::Dealer));
    assert_eq!(peer.get("Routing-Id").as_deref(), Some(&b"me"[..]));
    assert_eq!(peer.get("Peer-Address"), None);

    let place = Place::any(Transport::Ipc);
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(place.endpoint.as_str()).unwrap();
    push.send("x").await.unwrap();
    within("a message", pull.recv()).await.unwrap();
    let peer = pull.last_peer().unwrap();
    let process = peer.address.process().expect("a process");
    let (uid, gid) = (process.uid, process.gid);
    assert_eq!(process.pid, Some(std::process::id().cast_signed()));
    let address = format!(":{uid}:{gid}:{}", std::process::id());
    assert_eq!(
        peer.get("Peer-Address").as_deref(),
        Some(address.as_bytes())
    );
}
