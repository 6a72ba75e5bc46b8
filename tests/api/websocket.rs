//! `ws://`: ZMTP over WebSocket. Both ends ours, and a client under the test's control that speaks as a browser does,
//! or as no browser would.

use std::time::Duration;

use common::events::{connected, ended, event};
use common::within;
use purezmq::monitor::MonitorEventKind;
use purezmq::security::{Admission, AuthRequest, CurveKeys, KeyPair, PlainUsers, Security};
use purezmq::{
    Context, DealerSocket, DisconnectReason, Endpoint, EndpointError, Message, PubSocket,
    PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket, XPubSocket,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const WILDCARD: &str = "ws://127.0.0.1:*";

/// A client that writes what the test wants.
pub(super) struct Browser<S = TcpStream> {
    pub(super) stream: S,
}

impl Browser {
    /// Connects and asks for an upgrade, with more lines than every request has.
    pub(super) async fn ask(endpoint: &Endpoint, path: &str, lines: &str) -> (Browser, String) {
        let port = endpoint.port().expect("a port");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut browser = Browser { stream };
        let head = browser.head().await;
        (browser, head)
    }

    /// The same, and is let in.
    pub(super) async fn upgraded(endpoint: &Endpoint, subprotocol: &str) -> Browser {
        let line = format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
        let (browser, head) = Self::ask(endpoint, "/", &line).await;
        assert!(
            head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
            "{head}"
        );
        // The sample of RFC 6455.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        browser
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Browser<S> {
    /// Reads the head of an answer.
    pub(super) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("an answer", self.stream.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Sends a frame, masked with nothing.
    pub(super) async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let head = [0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        self.stream
            .write_all(&[&head, payload].concat())
            .await
            .unwrap();
    }

    pub(super) async fn expect(&mut self, bytes: &[u8]) {
        let mut came = vec![0; bytes.len()];
        within("bytes of the server", self.stream.read_exact(&mut came))
            .await
            .unwrap();
        assert_eq!(came, bytes);
    }

    /// Reads a frame of less than 126 bytes.
    async fn command(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0], 0x82);
        let mut body = vec![0; head[1].into()];
        let read = self.stream.read_exact(&mut body);
        within("a frame of the server", read).await.unwrap();
        body
    }

    /// Reads to the end.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = within("the end", self.stream.read_to_end(&mut rest)).await;
        drop(read);
        rest
    }
}

#[tokio::test]
async fn messages_of_all_sizes_go_both_ways() {
    let mut server = DealerSocket::new();
    let endpoint = server.bind("ws://127.0.0.1:*/feed?x=1").await.unwrap();
    assert!(endpoint.to_string().ends_with("/feed?x=1"), "{endpoint}");
    let mut client = DealerSocket::new();
    client.connect(&endpoint).unwrap();
    for size in [0, 1, 39, 124, 125, 126, 255, 256, 65_534, 65_536, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        client.send([&b"a"[..], &body, b""]).await.unwrap();
        let message = within("a message", server.recv()).await.unwrap();
        assert_eq!(message.len(), 3, "{size}");
        assert!(message[0] == *b"a" && message[1] == body[..], "{size}");
        server.send(message).await.unwrap();
        let message = within("its echo", client.recv()).await.unwrap();
        assert_eq!(message[1], body, "{size}");
    }
    let peer = server.last_peer().expect("a peer");
    assert_eq!(peer.address.transport(), "tcp");
}

#[tokio::test]
async fn a_thousand_small_messages_keep_their_order() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    let sending = async {
        for number in 0..10_000_u32 {
            push.send(number.to_be_bytes().to_vec()).await.unwrap();
        }
    };
    let receiving = async {
        for number in 0..10_000_u32 {
            let message = within("a message", pull.recv()).await.unwrap();
            assert_eq!(message[0], number.to_be_bytes()[..]);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn subscriptions_requests_and_names_are_as_over_tcp() {
    let mut publisher = XPubSocket::new();
    let endpoint = publisher.bind(WILDCARD).await.unwrap();
    let mut sub = SubSocket::new();
    sub.connect(&endpoint).unwrap();
    sub.subscribe("a");
    let notice = within("a subscription", publisher.recv()).await.unwrap();
    assert_eq!(notice, "\u{1}a");
    publisher.send("b0").await.unwrap();
    publisher.send("a0").await.unwrap();
    assert_eq!(within("a0", sub.recv()).await.unwrap(), "a0");
    sub.unsubscribe("a");
    let notice = within("its end", publisher.recv()).await.unwrap();
    assert_eq!(notice, "\0a");

    let mut router = RouterSocket::new();
    let endpoint = router.bind(WILDCARD).await.unwrap();
    let mut req = ReqSocket::builder().routing_id("joe").build().unwrap();
    req.connect(&endpoint).unwrap();
    req.send("question").await.unwrap();
    let request = within("the question", router.recv_message()).await.unwrap();
    assert_eq!(request.peer, "joe");
    assert_eq!(request.message, Message::from(["", "question"]));
    router.send(request).await.unwrap();
    assert_eq!(within("the answer", req.recv()).await.unwrap(), "question");
}

#[tokio::test]
async fn the_mechanisms_are_those_of_zmtp() {
    let keys = KeyPair::generate();
    let curve = (
        Security::curve_server(keys.clone()),
        Security::curve_client(KeyPair::generate(), *keys.public()),
    );
    let plain = (
        Security::plain_server(),
        Security::plain_client("joe", "secret").unwrap(),
    );
    for (server, client) in [plain, curve] {
        let context = Context::new();
        match server.name() {
            "CURVE" => context.set_authenticator(CurveKeys::any()),
            _ => context.set_authenticator(|_: AuthRequest| async { Ok(Admission::user("joe")) }),
        }
        let mut rep = RepSocket::builder()
            .context(&context)
            .security(server)
            .build()
            .unwrap();
        let endpoint = rep.bind(WILDCARD).await.unwrap();
        let mut req = ReqSocket::builder().security(client).build().unwrap();
        req.connect(&endpoint).unwrap();
        req.send("question").await.unwrap();
        assert_eq!(
            within("the question", rep.recv()).await.unwrap(),
            "question"
        );
        rep.send("answer").await.unwrap();
        assert_eq!(within("the answer", req.recv()).await.unwrap(), "answer");
    }
}

#[tokio::test]
async fn a_browser_subscribes_and_asks_without_ready() {
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0").await;
    browser.frame(2, b"\0").await;
    browser.frame(2, b"\0\x01news").await;
    browser.expect(b"\x82\x01\0").await;
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    publisher.send("news of today").await.unwrap();
    browser.expect(b"\x82\x0e\0news of today").await;

    let mut rep = RepSocket::new();
    let endpoint = rep.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "chat, ZWS2.0").await;
    // Its routing id may come with the first request, and this side's before it.
    browser.expect(b"\x82\x01\0").await;
    browser.frame(2, b"\0id").await;
    browser.frame(2, b"\x01").await;
    browser.frame(2, b"\0ask").await;
    assert_eq!(within("a request", rep.recv()).await.unwrap(), "ask");
    rep.send("told").await.unwrap();
    browser.expect(b"\x82\x01\x01\x82\x05\0told").await;
}

/// As RFC 45 has it, written by hand: what libzmq says, of which no build with `ws://` is to be had.
#[tokio::test]
async fn a_peer_with_ready_says_what_the_rfc_has_it_say() {
    let ready = |command: &[u8], kind: &[u8]| {
        let size = (kind.len() as u32).to_be_bytes();
        [b"\x02", command, b"\x0bSocket-Type", &size, kind].concat()
    };
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0/NULL,ZWS2.0").await;
    let said = browser.command().await;
    assert!(said.starts_with(&ready(b"\x05READY", b"PULL")), "{said:?}");
    browser.frame(2, &ready(b"\x05READY", b"PUSH")).await;
    browser.frame(2, b"\x01two").await;
    browser.frame(2, b"\0frames").await;
    let message = within("a message", pull.recv()).await.unwrap();
    assert_eq!(message, Message::from(["two", "frames"]));

    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
    let mut rep = RepSocket::builder()
        .context(&context)
        .security(Security::plain_server())
        .build()
        .unwrap();
    let endpoint = rep.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0/PLAIN").await;
    browser.frame(2, b"\x02\x05HELLO\x03joe\x06secret").await;
    browser.expect(b"\x82\x09\x02\x07WELCOME").await;
    browser.frame(2, &ready(b"\x08INITIATE", b"REQ")).await;
    let said = browser.command().await;
    assert!(said.starts_with(&ready(b"\x05READY", b"REP")), "{said:?}");
    browser.frame(2, b"\x01").await;
    browser.frame(2, b"\0ask").await;
    assert_eq!(within("a request", rep.recv()).await.unwrap(), "ask");
    rep.send("told").await.unwrap();
    browser.expect(b"\x82\x01\x01\x82\x05\0told").await;

    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0/PLAIN").await;
    browser.frame(2, b"\x02\x05HELLO\x03joe\x06public").await;
    let refused = browser.rest().await;
    // Written as libzmq writes it.
    assert_eq!(refused[2..8], *b"\x02\x5eRROR", "{refused:?}");
}

#[tokio::test]
async fn a_browser_s_ping_is_answered_and_its_close_ends_the_connection() {
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0").await;
    browser.frame(2, b"\0").await;
    browser.expect(b"\x82\x01\0").await;
    connected(&mut monitor).await;
    browser.frame(9, b"hi").await;
    browser.expect(b"\x8a\x02hi").await;
    browser.frame(2, b"\0last").await;
    browser.frame(8, b"\x03\xe8").await;
    assert_eq!(within("the last", pull.recv()).await.unwrap(), "last");
    assert_eq!(browser.rest().await, b"\x88\x02\x03\xe8");
    assert!(matches!(ended(&mut monitor).await, DisconnectReason::Peer));
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_gone() {
    let mut pull = PullSocket::builder()
        .heartbeat_interval(Duration::from_millis(20))
        .heartbeat_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let mut browser = Browser::upgraded(&endpoint, "ZWS2.0").await;
    browser.frame(2, b"\0").await;
    browser.expect(b"\x82\x01\0").await;
    for _ in 0..3 {
        browser.expect(b"\x89\0").await;
        browser.frame(10, b"").await;
    }
    assert!(matches!(
        ended(&mut monitor).await,
        DisconnectReason::Protocol(_)
    ));
}

#[tokio::test]
async fn who_does_not_fit_is_told_by_http_and_others_come_in() {
    let mut pull = PullSocket::builder()
        .ws_origins("http://page.example")
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("ws://127.0.0.1:*/here").await.unwrap();
    let zws = "Sec-WebSocket-Protocol: ZWS2.0\r\n";
    let port = endpoint.port().unwrap();
    let other_page = format!("{zws}Origin: http://evil.example\r\n");
    let listed_page = format!("{zws}Origin: http://page.example\r\n");
    let own_page = format!("{zws}Origin: http://127.0.0.1:{port}\r\n");
    let long = format!("{zws}X: {}\r\n", "x".repeat(20_000));
    for (path, lines, status) in [
        ("/", zws, "404"),
        ("/here/", zws, "404"),
        ("/here", "", "400"),
        ("/here", "Sec-WebSocket-Protocol: ZWS2.0/PLAIN\r\n", "400"),
        ("/here", &other_page, "403"),
        ("/here", &long, "431"),
        ("/here", &listed_page, "101"),
        ("/here", &own_page, "101"),
    ] {
        let (mut browser, head) = Browser::ask(&endpoint, path, lines).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {lines:.90}: {head}"
        );
        if status != "101" {
            browser.rest().await;
            let failed = event(&mut monitor, "a failed handshake", |kind| {
                matches!(kind, MonitorEventKind::HandshakeFailed(_))
            });
            failed.await;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_told_and_asked_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("ws://{}", listener.local_addr().unwrap());
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: bm8gYW5zd2VyIHRvIHRoaXM=\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let (mut stream, _) = within("a dial", listener.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("a request", stream.read_u8()).await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let reason = ended(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::Io(_)), "{reason}");
    }
}

#[test]
fn an_endpoint_has_a_path_and_says_what_is_wrong_with_it() {
    let parse = |text: &str| text.parse::<Endpoint>();
    assert_eq!(parse("ws://h:1").unwrap(), parse("ws://h:1/").unwrap());
    assert_ne!(parse("ws://h:1/a").unwrap(), parse("ws://h:1/b").unwrap());
    assert_eq!(
        parse("ws://[::1]:1/a").unwrap().to_string(),
        "ws://[::1]:1/a"
    );
    assert!(parse("wss://h:1/a").is_ok());
    let long = format!("ws://h:1/{}", "a".repeat(2000));
    for wrong in ["ws://h:1/a b", "ws://h:1/a#b", "ws://a:1;h:1/", &long] {
        assert!(
            matches!(parse(wrong), Err(EndpointError::Address { .. })),
            "{wrong}"
        );
    }
}
