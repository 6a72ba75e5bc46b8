//! `ws://` on a web server's port: connections that somebody else has accepted and upgraded, as streams in memory and by
//! axum. What follows the upgrade is `websocket.rs` and `websocket_hostile.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http;
use axum::response::Response;
use axum::routing::any;
use common::events::{connected, ended, event};
use common::within;
use futures::executor::block_on;
use hyper_util::rt::TokioIo;
use purezmq::monitor::MonitorEventKind as Kind;
use purezmq::security::{Admission, AuthRequest, CurveKeys, KeyPair, Security};
use purezmq::{
    AnySocket, BindError, Context, DealerSocket, DisconnectReason, Endpoint, EndpointError,
    PeerSelector, PubSocket, PullSocket, RepSocket, ReqSocket, SocketType, WsUpgrades, blocking,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;

use super::websocket::Browser;

const AT: &str = "ws://127.0.0.1:8080/zmq";
const PEER: ([u8; 4], u16) = ([10, 0, 0, 1], 4000);

/// Makes a request for an upgrade.
fn request(lines: &[(&str, &str)]) -> http::Request<()> {
    let mut request = http::Request::get("/some/path")
        .header("Host", "example.org")
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Asks as a browser does. Returns the status.
fn status(upgrades: &WsUpgrades, lines: &[(&str, &str)]) -> u16 {
    let (response, upgrade) = upgrades.answer::<_, ()>(&request(lines));
    let status = response.status().as_u16();
    assert_eq!(upgrade.is_some(), status == 101);
    status
}

const ZWS: (&str, &str) = ("Sec-WebSocket-Protocol", "ZWS2.0");

/// Has the socket adopt one end of a stream, and returns the other.
async fn comes(upgrades: &WsUpgrades, peer: Option<SocketAddr>) -> Browser<DuplexStream> {
    let (response, upgrade) = upgrades.answer::<_, ()>(&request(&[ZWS]));
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "ZWS2.0");
    // The sample of RFC 6455.
    let accept = &response.headers()["Sec-WebSocket-Accept"];
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let (theirs, ours) = duplex(4096);
    let upgrade = upgrade.expect("it is let in");
    upgrade.adopt(ours, peer).await.expect("a socket is there");
    Browser { stream: theirs }
}

/// The same, and its handshake is through.
async fn is_let_in(upgrades: &WsUpgrades) -> Browser<DuplexStream> {
    let mut browser = comes(upgrades, Some(PEER.into())).await;
    browser.frame(2, b"\0").await;
    browser.expect(b"\x82\x01\0").await;
    browser
}

#[tokio::test]
async fn an_adopted_connection_is_as_one_that_was_accepted() {
    let upgrades = WsUpgrades::new(AT).unwrap();
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let endpoint = pull.adopt(upgrades.clone()).await.unwrap();
    assert_eq!(endpoint.to_string(), AT);
    assert_eq!(upgrades.endpoint(), &endpoint);
    event(&mut monitor, "listening", |kind| {
        matches!(kind, Kind::Listening)
    })
    .await;

    let mut browser = is_let_in(&upgrades).await;
    let accepted = event(&mut monitor, "a peer", |kind| {
        matches!(kind, Kind::Accepted)
    })
    .await;
    assert_eq!(accepted.endpoint.as_ref(), Some(&endpoint));
    let address = accepted.peer.expect("it was told");
    assert_eq!(address.socket_address(), Some(PEER.into()));
    connected(&mut monitor).await;
    browser.frame(2, b"\0hello").await;
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "hello");
    assert_eq!(pull.last_peer().expect("a peer").address, address);
    let stats = pull.stats();
    assert_eq!(stats.endpoints[0].endpoint.as_ref(), Some(&endpoint));
    assert_eq!(stats.endpoints[0].handshakes, 1);
    assert_eq!(stats.peers.len(), 1);

    browser.frame(1, b"text").await;
    assert_eq!(browser.rest().await, b"\x88\x02\x03\xeb");
    let reason = ended(&mut monitor).await;
    assert!(matches!(reason, DisconnectReason::Io(_)), "{reason}");

    // Nobody knows where that one is.
    let mut other = comes(&upgrades, None).await;
    other.frame(2, b"\0").await;
    other.frame(2, b"\0from somewhere").await;
    let message = within("a message", pull.recv()).await.unwrap();
    assert_eq!(message, "from somewhere");
    let address = &pull.last_peer().expect("a peer").address;
    assert_eq!((address.to_string(), address.ip()), ("ws".to_owned(), None));

    other.expect(b"\x82\x01\0").await;
    pull.unbind(&endpoint).await.unwrap();
    assert_eq!(other.rest().await, b"\x88\x02\x03\xe8");
    assert_eq!(status(&upgrades, &[ZWS]), 503);
}

#[tokio::test]
async fn the_limits_of_connections_count_them() {
    let upgrades = WsUpgrades::new(AT).unwrap();
    let mut pull = PullSocket::builder()
        .max_connections_per_address(1)
        .max_connections(3)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    pull.adopt(upgrades.clone()).await.unwrap();
    let _first = is_let_in(&upgrades).await;
    let mut second = comes(&upgrades, Some(PEER.into())).await;
    assert_eq!(second.rest().await, b"");
    let reason = ended(&mut monitor).await;
    let option = "max_connections_per_address";
    assert!(
        matches!(reason, DisconnectReason::TooManyConnections { option: of } if of == option),
        "{reason}"
    );
    // Those of which nobody knows where they are count together with all alone.
    let _unknown = [comes(&upgrades, None).await, comes(&upgrades, None).await];
    let mut last = comes(&upgrades, None).await;
    assert_eq!(last.rest().await, b"");
    let reason = ended(&mut monitor).await;
    let option = "max_connections";
    assert!(
        matches!(reason, DisconnectReason::TooManyConnections { option: of } if of == option),
        "{reason}"
    );
}

#[tokio::test]
async fn an_endpoint_of_a_web_server_is_one_socket_s_at_a_time() {
    let upgrades = WsUpgrades::new(AT).unwrap();
    assert_eq!(status(&upgrades, &[ZWS]), 503);
    let mut pull = PullSocket::new();
    pull.adopt(upgrades.clone()).await.unwrap();
    let mut other = PullSocket::new();
    let twice = other.adopt(upgrades.clone()).await;
    assert!(matches!(twice, Err(BindError::AddressInUse { .. })));

    // One that has been answered, and comes too late.
    let (_, upgrade) = upgrades.answer::<_, ()>(&request(&[ZWS]));
    drop(pull);
    let late = upgrade.expect("it is let in").adopt(duplex(1).1, None);
    let error = within("an error", late).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);

    other.adopt(upgrades.clone()).await.unwrap();
    is_let_in(&upgrades).await.frame(2, b"\0hello").await;
    assert_eq!(within("a message", other.recv()).await.unwrap(), "hello");
    // A socket that takes no more work takes no more peers.
    other.drain(Duration::from_secs(10));
    assert_eq!(status(&upgrades, &[ZWS]), 503);
}

#[tokio::test]
async fn requests_are_answered_as_a_bound_endpoint_answers_them() {
    let upgrades = WsUpgrades::new(AT).unwrap();
    let mut rep = RepSocket::builder()
        .ws_origins("http://page.example")
        .build()
        .unwrap();
    rep.adopt(upgrades.clone()).await.unwrap();
    assert_eq!(status(&upgrades, &[ZWS]), 101);
    let plain = ("Sec-WebSocket-Protocol", "ZWS2.0/PLAIN");
    assert_eq!(status(&upgrades, &[]), 400);
    assert_eq!(status(&upgrades, &[plain]), 400);
    for (origin, expected) in [
        ("http://example.org", 101),
        ("http://page.example", 101),
        ("http://example.org:81", 403),
        ("null", 403),
    ] {
        assert_eq!(
            status(&upgrades, &[ZWS, ("Origin", origin)]),
            expected,
            "{origin}"
        );
    }
    let get = http::Request::get("/").body(()).unwrap();
    let (response, _) = upgrades.answer::<_, String>(&get);
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["Upgrade"], "websocket");
    assert_eq!(response.headers()["Sec-WebSocket-Version"], "13");
    assert_eq!(response.body(), "");
}

#[test]
fn an_endpoint_is_one_of_websocket_and_has_a_port() {
    for wrong in ["tcp://127.0.0.1:80", "ws://127.0.0.1:*", "inproc://a"] {
        let made = WsUpgrades::new(wrong).map(drop);
        assert!(
            matches!(made, Err(EndpointError::Address { .. })),
            "{wrong}: {made:?}"
        );
    }
    assert!(WsUpgrades::new("nonsense").is_err());
    assert!(
        WsUpgrades::new("wss://page.example/zmq").is_err(),
        "no port"
    );
    assert!(WsUpgrades::new("wss://page.example:443/zmq").is_ok());
}

#[tokio::test]
async fn where_all_can_come_a_socket_has_to_authenticate_if_that_is_required() {
    let mut pull = PullSocket::builder()
        .require_authentication(true)
        .build()
        .unwrap();
    let refused = pull.adopt(WsUpgrades::new("ws://*:80/").unwrap()).await;
    assert!(matches!(refused, Err(BindError::Unauthenticated { .. })));
    pull.adopt(WsUpgrades::new(AT).unwrap()).await.unwrap();
}

#[test]
fn sockets_of_any_type_and_of_threads_adopt_as_well() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upgrades = WsUpgrades::new(AT).unwrap();
    let mut any = AnySocket::new(SocketType::Pull, &Context::new()).unwrap();
    let adopted = block_on(any.adopt(upgrades.clone()));
    assert!(matches!(adopted, Err(BindError::NoRuntime { .. })));
    runtime.block_on(async {
        any.adopt(upgrades.clone()).await.unwrap();
        is_let_in(&upgrades).await.frame(2, b"\0hello").await;
        assert_eq!(within("a message", any.recv()).await.unwrap(), "hello");
    });
    drop(any);

    let mut pull = blocking::PullSocket::new();
    pull.adopt(upgrades.clone()).unwrap();
    runtime.block_on(async { is_let_in(&upgrades).await.frame(2, b"\0hello").await });
    assert_eq!(pull.recv().unwrap(), "hello");
}

/// Answers a request for a socket, and gives the connection to it.
async fn upgrade(
    State(upgrades): State<WsUpgrades>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let (response, upgrade) = upgrades.answer(&request);
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            let stream = hyper::upgrade::on(&mut request).await.unwrap();
            let _ = upgrade.adopt(TokioIo::new(stream), Some(peer)).await;
        });
    }
    response
}

/// Starts a web server with axum, and names its one endpoint.
async fn served() -> WsUpgrades {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let upgrades = WsUpgrades::new(format!("ws://{host}/zmq")).unwrap();
    let router = Router::new()
        .route("/", axum::routing::get(|| async { "a page" }))
        .route("/zmq", any(upgrade))
        .with_state(upgrades.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    upgrades
}

fn port(endpoint: &Endpoint) -> u16 {
    endpoint.port().expect("a port")
}

#[tokio::test]
async fn axum_serves_a_page_and_its_sockets_with_every_mechanism() {
    let keys = KeyPair::generate();
    for (server, client) in [
        (Security::default(), Security::default()),
        (
            Security::plain_server(),
            Security::plain_client("joe", "secret").unwrap(),
        ),
        (
            Security::curve_server(keys.clone()),
            Security::curve_client(KeyPair::generate(), *keys.public()),
        ),
    ] {
        let context = Context::new();
        match server.name() {
            "CURVE" => context.set_authenticator(CurveKeys::any()),
            _ => context.set_authenticator(|_: AuthRequest| async { Ok(Admission::user("joe")) }),
        }
        let upgrades = served().await;
        let mut rep = RepSocket::builder()
            .context(&context)
            .security(server)
            .build()
            .unwrap();
        let endpoint = rep.adopt(upgrades).await.unwrap();
        let mut req = ReqSocket::builder().security(client).build().unwrap();
        req.connect(&endpoint).unwrap();
        for size in [1, 300, 1_000_000] {
            req.send(vec![7; size]).await.unwrap();
            let asked = within("a question", rep.recv()).await.unwrap();
            rep.send(asked).await.unwrap();
            let answer = within("an answer", req.recv()).await.unwrap();
            assert_eq!(answer[0].len(), size);
        }
        let peer = rep.last_peer().expect("a peer");
        assert!(peer.address.ip().is_some_and(|ip| ip.is_loopback()));

        let mut stream = TcpStream::connect(("127.0.0.1", port(&endpoint)))
            .await
            .unwrap();
        let get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(get).await.unwrap();
        let mut page = String::new();
        within("a page", stream.read_to_string(&mut page))
            .await
            .unwrap();
        assert!(page.ends_with("\r\n\r\na page"), "{page}");
    }
}

#[tokio::test]
async fn what_came_with_the_request_is_not_lost() {
    let upgrades = served().await;
    let mut pull = PullSocket::new();
    let endpoint = pull.adopt(upgrades).await.unwrap();
    let port = port(&endpoint);
    let request = format!(
        "GET /zmq HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: ZWS2.0\r\n\r\n"
    );
    let frames = b"\x82\x81\0\0\0\0\0\x82\x86\0\0\0\0\0hello";
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let both = [request.as_bytes(), frames].concat();
    stream.write_all(&both).await.unwrap();
    let mut browser = Browser { stream };
    let head = browser.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(within("a message", pull.recv()).await.unwrap(), "hello");
}

#[tokio::test]
async fn peers_come_back_to_a_web_server_and_what_is_hostile_goes_alone() {
    let upgrades = served().await;
    let mut dealer = DealerSocket::new();
    let mut monitor = dealer.monitor();
    let endpoint = dealer.adopt(upgrades).await.unwrap();
    let mut client = DealerSocket::builder().routing_id("joe").build().unwrap();
    let mut seen_by_client = client.monitor();
    client.connect(&endpoint).unwrap();
    client.send("one").await.unwrap();
    assert_eq!(within("a message", dealer.recv()).await.unwrap(), "one");

    let zws = "Sec-WebSocket-Protocol: ZWS2.0\r\n";
    let (mut browser, head) = Browser::ask(&endpoint, "/zmq", zws).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    browser.frame(1, b"text").await;
    browser.rest().await;
    ended(&mut monitor).await;
    let (_, head) = Browser::ask(&endpoint, "/elsewhere", zws).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");

    client.send("two").await.unwrap();
    assert_eq!(within("a message", dealer.recv()).await.unwrap(), "two");
    assert_eq!(client.stats().reconnects, 0);
    assert_eq!(dealer.disconnect_peer(PeerSelector::routing_id("joe")), 1);
    ended(&mut seen_by_client).await;
    client.send("three").await.unwrap();
    assert_eq!(within("a message", dealer.recv()).await.unwrap(), "three");
}

#[tokio::test]
async fn subscribers_of_a_page_are_subscribers() {
    let upgrades = served().await;
    let mut publisher = PubSocket::new();
    let endpoint = publisher.adopt(upgrades).await.unwrap();
    let zws = "Sec-WebSocket-Protocol: ZWS2.0\r\n";
    let (mut browser, _) = Browser::ask(&endpoint, "/zmq", zws).await;
    browser.frame(2, b"\0").await;
    browser.frame(2, b"\0\x01news").await;
    browser.expect(b"\x82\x01\0").await;
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    publisher.send("news of today").await.unwrap();
    browser.expect(b"\x82\x0e\0news of today").await;
}
