//! Peers of `ws://` that break WebSocket, ZWS or HTTP in every way that is known: each ends its own connection and is told
//! why, while an honest peer of the same socket goes on.

use std::time::Duration;

use common::events::{connected, ended};
use common::within;
use purezmq::{DisconnectReason, Endpoint, Monitor, PullSocket, PushSocket};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::websocket::Browser;

/// A socket, and an honest peer that is connected to it all the time.
struct Both {
    pull: PullSocket,
    push: PushSocket,
    monitor: Monitor,
    endpoint: Endpoint,
}

impl Both {
    async fn new() -> Both {
        let mut pull = PullSocket::builder()
            .max_message_size(1000)
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("ws://127.0.0.1:*/here").await.unwrap();
        let mut push = PushSocket::builder()
            .reconnect_interval(None)
            .build()
            .unwrap();
        push.connect(&endpoint).unwrap();
        connected(&mut monitor).await;
        Both {
            pull,
            push,
            monitor,
            endpoint,
        }
    }

    /// Lets a peer in that says its routing id and nothing more.
    async fn let_in(&mut self) -> Browser {
        let (mut browser, head) = Browser::ask(
            &self.endpoint,
            "/here",
            "Sec-WebSocket-Protocol: ZWS2.0\r\n",
        )
        .await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        browser.frame(2, b"\0").await;
        browser.expect(b"\x82\x01\0").await;
        connected(&mut self.monitor).await;
        browser
    }

    /// Sees that the other one's connection has ended, and that the honest one's has not.
    async fn goes_on(&mut self, what: &str) -> DisconnectReason {
        let reason = ended(&mut self.monitor).await;
        self.push.send("honest").await.expect(what);
        let message = within(what, self.pull.recv()).await.expect(what);
        assert_eq!(message, "honest", "{what}");
        reason
    }

    /// Sends a request as it is.
    async fn request(&self, request: &[u8]) -> Browser {
        let port = self.endpoint.port().expect("a port");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // Who is refused early may be cut off while it still writes.
        let _ = stream.write_all(request).await;
        Browser { stream }
    }
}

/// Makes a CLOSE frame of the server's.
fn close(code: u16) -> Vec<u8> {
    [&[0x88, 2][..], &code.to_be_bytes()].concat()
}

#[tokio::test]
async fn frames_that_nobody_may_send_end_their_connection_alone() {
    let mut both = Both::new().await;
    for (what, frames, code) in [
        ("text", &b"\x81\x82\0\0\0\0hi"[..], 1003),
        ("a binary frame in fragments", b"\x02\x82\0\0\0\0\0a", 1002),
        ("text in fragments", b"\x01\x82\0\0\0\0hi", 1003),
        ("a continuation of nothing", b"\x80\x82\0\0\0\0\0a", 1002),
        (
            "a control frame between two fragments",
            b"\x02\x82\0\0\0\0\0a\x89\x80\0\0\0\0\x80\x81\0\0\0\0b",
            1002,
        ),
        ("a PING in fragments", b"\x09\x80\0\0\0\0", 1002),
        ("a PONG in fragments", b"\x0a\x80\0\0\0\0", 1002),
        ("a CLOSE in fragments", b"\x08\x80\0\0\0\0", 1002),
        ("the first reserved bit", b"\xc2\x82\0\0\0\0\0a", 1002),
        ("the second one", b"\xa2\x82\0\0\0\0\0a", 1002),
        ("the third one, of a PING", b"\x99\x80\0\0\0\0", 1002),
        ("opcode 3", b"\x83\x82\0\0\0\0\0a", 1002),
        ("opcode 7", b"\x87\x82\0\0\0\0\0a", 1002),
        ("opcode 11", b"\x8b\x80\0\0\0\0", 1002),
        ("opcode 15", b"\x8f\x80\0\0\0\0", 1002),
        ("no mask", b"\x82\x02\0a", 1002),
        ("a PING without a mask", b"\x89\x00", 1002),
        ("a CLOSE without a mask", b"\x88\x02\x03\xe8", 1002),
        ("a wrong mask", b"\x82\x82\xff\0\0\0\0a", 1002),
        ("no octet of flags", b"\x82\x80\0\0\0\0", 1002),
        (
            "flags that ZWS does not have",
            b"\x82\x82\0\0\0\0\x08a",
            1002,
        ),
        ("a PING that is too long", b"\x89\xfe\x00\x7e\0\0\0\0", 1002),
        (
            "a CLOSE that is too long",
            b"\x88\xfe\x01\x00\0\0\0\0",
            1002,
        ),
        (
            "a size of 2^63 and more",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0",
            1002,
        ),
        ("a CLOSE of one byte", b"\x88\x81\0\0\0\0\x03", 1002),
        ("a CLOSE with code 0", b"\x88\x82\0\0\0\0\0\0", 1002),
        ("a CLOSE with code 999", b"\x88\x82\0\0\0\0\x03\xe7", 1002),
        ("a CLOSE with code 1005", b"\x88\x82\0\0\0\0\x03\xed", 1002),
        ("a CLOSE with code 1006", b"\x88\x82\0\0\0\0\x03\xee", 1002),
        ("a CLOSE with code 2999", b"\x88\x82\0\0\0\0\x0b\xb7", 1002),
        ("a CLOSE with code 5000", b"\x88\x82\0\0\0\0\x13\x88", 1002),
        (
            "a CLOSE whose reason is no text",
            b"\x88\x84\0\0\0\0\x03\xe8\xff\xfe",
            1007,
        ),
        (
            "another request",
            b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n",
            1002,
        ),
    ] {
        let mut browser = both.let_in().await;
        browser.stream.write_all(frames).await.unwrap();
        assert_eq!(browser.rest().await, close(code), "{what}");
        let reason = both.goes_on(what).await;
        assert!(
            matches!(reason, DisconnectReason::Io(_)),
            "{what}: {reason}"
        );
    }
    assert_eq!(both.pull.stats().received.messages, 33);
}

#[tokio::test]
async fn a_message_over_the_limit_ends_its_connection_before_it_comes() {
    let mut both = Both::new().await;
    for (what, frames) in [
        ("4 GiB", &b"\x82\xff\0\0\0\x01\0\0\0\0\0\0\0\0\0"[..]),
        (
            "the largest size",
            b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0",
        ),
        ("1001 bytes", b"\x82\xfe\x03\xea\0\0\0\0\0"),
    ] {
        let mut browser = both.let_in().await;
        browser.stream.write_all(frames).await.unwrap();
        browser.rest().await;
        let reason = both.goes_on(what).await;
        assert!(
            matches!(reason, DisconnectReason::Protocol(_)),
            "{what}: {reason}"
        );
    }
}

#[tokio::test]
async fn codes_that_may_be_sent_are_answered_with_themselves() {
    let mut both = Both::new().await;
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let mut browser = both.let_in().await;
        let reason = [&u16::to_be_bytes(code)[..], "tschüß".as_bytes()].concat();
        browser.frame(8, &reason).await;
        assert_eq!(browser.rest().await, close(code));
        let reason = both.goes_on("a close").await;
        assert!(matches!(reason, DisconnectReason::Peer), "{code}: {reason}");
    }
    let mut browser = both.let_in().await;
    browser.frame(8, b"").await;
    assert_eq!(browser.rest().await, b"\x88\0");
    both.goes_on("a close without a code").await;
}

#[tokio::test]
async fn pings_that_nobody_hears_answered_pile_up_nowhere() {
    let mut both = Both::new().await;
    let mut browser = both.let_in().await;
    let ping = [&b"\x89\xfd\0\0\0\0"[..], &[b'x'; 125]].concat();
    let many = ping.repeat(1000);
    // 13 MB, and none of the answers is read. Either it is all taken in, or the peer is not read any more: both is fair.
    for _ in 0..100 {
        let written =
            tokio::time::timeout(Duration::from_millis(500), browser.stream.write_all(&many));
        match written.await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
        both.push.send("honest").await.unwrap();
        let message = within("an honest message", both.pull.recv()).await;
        assert_eq!(message.unwrap(), "honest");
    }
    drop(browser);
    both.goes_on("after the pings").await;
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE: &str = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const ZWS: &str = "Sec-WebSocket-Protocol: ZWS2.0\r\n";

#[tokio::test]
async fn upgrades_that_lie_are_refused_and_others_come_in() {
    let mut both = Both::new().await;
    let get = "GET /here HTTP/1.1\r\n";
    let long = format!("X: {}\r\n", "x".repeat(100_000));
    let many: String = (0..500).map(|at| format!("X{at}: y\r\n")).collect();
    let other = format!("GET /there HTTP/1.1\r\n{UPGRADE}{KEY}{VERSION}{ZWS}\r\n");
    for (what, request, status) in [
        ("no key", format!("{get}{UPGRADE}{VERSION}{ZWS}\r\n"), "400"),
        (
            "a key that is none",
            format!("{get}{UPGRADE}Sec-WebSocket-Key: eA==\r\n{VERSION}{ZWS}\r\n"),
            "400",
        ),
        (
            "version 12",
            format!("{get}{UPGRADE}{KEY}Sec-WebSocket-Version: 12\r\n{ZWS}\r\n"),
            "426",
        ),
        ("no version", format!("{get}{UPGRADE}{KEY}{ZWS}\r\n"), "426"),
        (
            "HTTP/1.0",
            format!("GET /here HTTP/1.0\r\n{UPGRADE}{KEY}{VERSION}{ZWS}\r\n"),
            "426",
        ),
        (
            "POST",
            format!("POST /here HTTP/1.1\r\n{UPGRADE}{KEY}{VERSION}{ZWS}\r\n"),
            "426",
        ),
        (
            "no upgrade",
            format!("{get}Host: a\r\n{KEY}{VERSION}{ZWS}\r\n"),
            "426",
        ),
        (
            "an upgrade to something else",
            format!(
                "{get}Host: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n{KEY}{VERSION}{ZWS}\r\n"
            ),
            "426",
        ),
        (
            "a page that does not say whose it is",
            format!("{get}{UPGRADE}{KEY}{VERSION}{ZWS}Origin: \u{fc}\r\n\r\n"),
            "403",
        ),
        (
            "a subprotocol of another mechanism",
            format!("{get}{UPGRADE}{KEY}{VERSION}Sec-WebSocket-Protocol: ZWS2.0/CURVE\r\n\r\n"),
            "400",
        ),
        ("a long line", format!("{get}{long}{UPGRADE}\r\n"), "431"),
        ("many lines", format!("{get}{many}{UPGRADE}\r\n"), "400"),
        ("no HTTP", "\0\u{1}\u{2} SSH-2.0\r\n\r\n".to_owned(), "400"),
        (
            "another path, and a request behind it",
            other.repeat(2),
            "404",
        ),
    ] {
        let mut browser = both.request(request.as_bytes()).await;
        let head = browser.head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {head}"
        );
        assert_eq!(
            head.contains("Sec-WebSocket-Version: 13")
                || head.contains("sec-websocket-version: 13"),
            status == "426",
            "{what}: {head}"
        );
        assert_eq!(browser.rest().await, b"", "{what}: nothing is behind it");
        both.goes_on(what).await;
    }
}

#[tokio::test]
async fn a_request_may_come_in_pieces_and_with_what_follows() {
    let mut both = Both::new().await;
    let request = format!("GET /here HTTP/1.1\r\n{UPGRADE}{KEY}{VERSION}{ZWS}\r\n");
    let frames = b"\x82\x81\0\0\0\0\0\x82\x86\0\0\0\0\0hello";
    let whole = [request.as_bytes(), frames].concat();
    for size in [1, 7, whole.len()] {
        let mut browser = both.request(b"").await;
        browser.stream.set_nodelay(true).unwrap();
        for piece in whole.chunks(size) {
            browser.stream.write_all(piece).await.unwrap();
        }
        let head = browser.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let message = within("what follows", both.pull.recv()).await.unwrap();
        assert_eq!(message, "hello");
        drop(browser);
        both.goes_on("pieces").await;
    }
}

#[tokio::test]
async fn a_request_without_an_end_is_over_with_the_handshake() {
    let mut pull = PullSocket::builder()
        .handshake_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("ws://127.0.0.1:*").await.unwrap();
    let port = endpoint.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(reason, DisconnectReason::HandshakeTimeout(_)),
        "{reason}"
    );
}

/// An upgrade is a part of the handshake, and what has come of it counts as that.
#[tokio::test]
async fn what_requests_without_an_end_hold_is_bounded_for_all_of_them() {
    const PEERS: usize = 10;
    let mut pull = PullSocket::builder()
        .max_all_handshake_bytes(40_000)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("ws://127.0.0.1:*").await.unwrap();
    let port = endpoint.port().unwrap();
    let request = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(12_000));
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let mut peer = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        peer.write_all(request.as_bytes()).await.unwrap();
        peers.push(peer);
    }
    // Three of them are 36,000 bytes.
    for _ in 0..PEERS - 3 {
        let reason = ended(&mut monitor).await;
        assert!(
            matches!(reason, DisconnectReason::TooManyConnections { option, .. }
                if option == "max_all_handshake_bytes"),
            "{reason}"
        );
    }
}
