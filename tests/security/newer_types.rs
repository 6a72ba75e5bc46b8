//! CLIENT, SERVER, RADIO, DISH, CHANNEL and PEER with PLAIN and CURVE: who is let in, as whom, and that what is joined
//! arrives though it is sealed.

use common::{until, within};
use purezmq::options::Options;
use purezmq::security::{CurveKeys, KeyPair, PlainUsers, Security};
use purezmq::{Addressed, AnySocket, Context, Message, MonitorEventKind, SocketType};

const PAIRS: [(SocketType, SocketType); 5] = [
    (SocketType::Client, SocketType::Server),
    (SocketType::Server, SocketType::Client),
    (SocketType::Radio, SocketType::Dish),
    (SocketType::Channel, SocketType::Channel),
    (SocketType::Peer, SocketType::Peer),
];

fn open(socket_type: SocketType, context: &Context, security: Security) -> AnySocket {
    let mut options = Options::of(socket_type);
    options.set_security(security);
    let mut socket = AnySocket::with_options(socket_type, context, options).expect("options");
    if socket_type == SocketType::Dish {
        socket.join("group").expect("join");
    }
    socket
}

/// What one says to the other, over a connection of the first's.
async fn say(sender: &mut AnySocket, receiver: &mut AnySocket, endpoint: &purezmq::Endpoint) {
    let mut message = Message::from("hello");
    match sender.socket_type() {
        SocketType::Radio => {
            sender.connect(endpoint).expect("connect");
            until("a group", || sender.subscriber_count() > 0).await;
            message.push_front("group");
        }
        SocketType::Server | SocketType::Peer => {
            let peer = sender.connect_peer(endpoint).expect("connect");
            message = Addressed::from((peer, "hello")).into();
        }
        _ => sender.connect(endpoint).expect("connect"),
    }
    within("send", sender.send(message)).await.expect("send");
    let said = within("it", receiver.recv()).await.expect("recv");
    assert_eq!(said.last(), Some(&b"hello"[..]));
}

#[tokio::test]
async fn who_may_come_in_does_and_is_known() {
    let keys = KeyPair::generate();
    for (sends, receives) in PAIRS {
        let context = Context::new();
        context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
        let mut receiver = open(receives, &context, Security::plain_server());
        let endpoint = receiver.bind("tcp://127.0.0.1:*").await.expect("bind");
        let joe = Security::plain_client("joe", "secret").expect("short");
        let mut sender = open(sends, &Context::new(), joe);
        say(&mut sender, &mut receiver, &endpoint).await;
        let peer = receiver.last_peer().expect("it has sent something");
        assert_eq!(peer.user_id.as_deref(), Some("joe"), "{sends}");
        assert_eq!(peer.socket_type, Some(sends));

        let context = Context::new();
        context.set_authenticator(CurveKeys::any());
        let mut receiver = open(receives, &context, Security::curve_server(keys.clone()));
        let endpoint = receiver.bind("tcp://127.0.0.1:*").await.expect("bind");
        let client = KeyPair::generate();
        let public = *client.public();
        let security = Security::curve_client(client, *keys.public());
        let mut sender = open(sends, &Context::new(), security);
        say(&mut sender, &mut receiver, &endpoint).await;
        let peer = receiver.last_peer().expect("it has sent something");
        assert_eq!(peer.public_key, Some(public), "{sends}");
    }
}

#[tokio::test]
async fn who_may_not_does_not() {
    for (sends, receives) in PAIRS {
        let context = Context::new();
        context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
        let mut receiver = open(receives, &context, Security::plain_server());
        let mut events = receiver.monitor();
        let endpoint = receiver.bind("tcp://127.0.0.1:*").await.expect("bind");
        let wrong = Security::plain_client("joe", "guessed").expect("short");
        let mut sender = open(sends, &Context::new(), wrong);
        sender.connect(&endpoint).expect("connect");
        common::events::event(&mut events, "a refusal", |kind| {
            matches!(kind, MonitorEventKind::HandshakeFailed(_))
        })
        .await;
        assert!(receiver.try_recv().is_err(), "{sends}");
        assert_eq!(receiver.stats().received.messages, 0, "{sends}");
    }
}
