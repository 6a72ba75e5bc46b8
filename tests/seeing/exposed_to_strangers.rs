//! Who asks an exposed context what it does not know, sends it garbage, or is not to see anything.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use common::within;
use purezmq::security::{CurveKeys, KeyPair, Security};
use purezmq::{Context, DealerSocket, Message, MonitorEventKind, RepSocket, ReqSocket};
use serde_json::Value;

use crate::exposed::{ask, asker};

#[tokio::test]
async fn a_question_that_is_none_is_answered_with_an_error() {
    let context = Context::new();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let mut req = asker(exposed.endpoint());
    let wrong = [
        Message::from("sackets"),
        Message::from("socket"),
        Message::from("socket -1"),
        Message::from("socket 99999999999999999999999"),
        Message::from(&[0xff, 0xfe][..]),
        Message::from(["snapshot", "and more"]),
        Message::from("x".repeat(256)),
    ];
    for question in wrong {
        within("a question", req.send(question)).await.unwrap();
        let answer = within("an answer", req.recv()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer[0]).unwrap();
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert!(ask(&mut req, "socket 0").await.sockets.is_empty());
    assert_eq!(ask(&mut req, "").await.sockets.len(), 1);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_nothing_else() {
    let context = Context::new();
    let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
    let endpoint = exposed.endpoint().expect("it is bound").to_string();
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut strangers = Vec::new();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0; 100],
        b"\xff",
    ] {
        let mut stranger = TcpStream::connect(address).unwrap();
        // It may be sent away while it still writes.
        let _ = stranger.write_all(bytes);
        strangers.push(stranger);
    }
    // Envelopes without a body, and without an end.
    let mut dealer = DealerSocket::new();
    dealer.connect(endpoint.as_str()).unwrap();
    dealer.send("no empty frame").await.unwrap();
    dealer.send(["a", ""]).await.unwrap();
    dealer.send(["", "x"]).await.unwrap();
    within("the answer to what was well-formed", dealer.recv())
        .await
        .unwrap();
    // One that is too long costs its connection, and is dialled anew.
    let mut monitor = dealer.monitor();
    dealer.send(["", &"x".repeat(100_000)]).await.unwrap();
    within("the end", async {
        while !matches!(
            monitor.recv().await.unwrap().kind,
            MonitorEventKind::Disconnected(_)
        ) {}
    })
    .await;
    let mut req = asker(exposed.endpoint());
    let snapshot = ask(&mut req, "snapshot").await;
    assert_eq!(snapshot.sockets.len(), 1);
    drop(strangers);
}

#[tokio::test]
async fn with_curve_only_who_has_the_key_sees_anything() {
    let (server, client, stranger) = (
        KeyPair::generate(),
        KeyPair::generate(),
        KeyPair::generate(),
    );
    let context = Context::new();
    context.set_authenticator(CurveKeys::from_iter([*client.public()]));
    let mut rep = RepSocket::builder()
        .context(&context)
        .security(Security::curve_server(server.clone()))
        .max_message_size(256)
        .build()
        .unwrap();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let exposed = context.expose_by(rep).unwrap();
    assert_eq!(exposed.endpoint(), Some(&endpoint));
    let curve = |own: KeyPair| {
        let security = Security::curve_client(own, *server.public());
        let mut req = ReqSocket::builder().security(security).build().unwrap();
        let monitor = req.monitor();
        req.connect(&endpoint).unwrap();
        (req, monitor)
    };
    let (mut req, _) = curve(client);
    assert_eq!(ask(&mut req, "snapshot").await.sockets.len(), 1);
    let (_refused, mut monitor) = curve(stranger);
    within("a refusal", async {
        while !matches!(
            monitor.recv().await.unwrap().kind,
            MonitorEventKind::HandshakeFailed(_)
        ) {}
    })
    .await;
    let mut plain = ReqSocket::builder()
        .recv_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let mut monitor = plain.monitor();
    plain.connect(&endpoint).unwrap();
    within("a refusal", async {
        while !matches!(
            monitor.recv().await.unwrap().kind,
            MonitorEventKind::HandshakeFailed(_)
        ) {}
    })
    .await;
}
