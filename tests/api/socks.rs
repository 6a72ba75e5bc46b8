//! SOCKS5 proxies that ask who is there (RFC 1929), and that are reached from a source address: options `socks_proxy`,
//! `socks_username` and `socks_password`.

use std::net::SocketAddr;

use common::events::event;
use common::within;
use purezmq::{ConnectFailure, MonitorEventKind as Kind, PullSocket, PushSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a proxy was told.
#[derive(Debug, PartialEq)]
struct Told {
    from: SocketAddr,
    methods: Vec<u8>,
    /// The request of RFC 1929, if it was asked for.
    login: Vec<u8>,
}

/// A proxy that wants to know who is there (method 2), lets in or not, and connects to the peer whoever is asked for.
async fn proxy(peer: SocketAddr, lets_in: bool) -> (SocketAddr, JoinHandle<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = listener.local_addr().expect("address");
    let serving = tokio::spawn(async move {
        let (mut client, from) = listener.accept().await.expect("accept");
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.expect("greeting");
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await.expect("methods");
        let mut told = Told {
            from,
            login: Vec::new(),
            methods,
        };
        if !told.methods.contains(&2) {
            client.write_all(&[5, 0xff]).await.expect("no method");
            return told;
        }
        client.write_all(&[5, 2]).await.expect("method");
        // version, length and name, length and password
        for _ in 0..2 {
            let start = told.login.len();
            let header = if start == 0 { 2 } else { 1 };
            told.login.resize(start + header, 0);
            client
                .read_exact(&mut told.login[start..])
                .await
                .expect("login");
            let length = usize::from(told.login[start + header - 1]);
            told.login.resize(start + header + length, 0);
            client
                .read_exact(&mut told.login[start + header..])
                .await
                .expect("login");
        }
        let verdict = if lets_in { 0 } else { 1 };
        client.write_all(&[1, verdict]).await.expect("verdict");
        if lets_in {
            let mut request = [0; 10];
            client.read_exact(&mut request).await.expect("request");
            let reply = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            client.write_all(&reply).await.expect("reply");
            let mut server = TcpStream::connect(peer).await.expect("peer");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
        told
    });
    (address, serving)
}

/// A PULL that is bound, and where.
async fn bound() -> (PullSocket, String, SocketAddr) {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let text = endpoint.to_string();
    let address = text.trim_start_matches("tcp://").parse().expect("address");
    (pull, text, address)
}

#[tokio::test]
async fn a_proxy_is_told_the_name_and_the_password_that_it_asks_for() {
    let (mut pull, endpoint, peer) = bound().await;
    let longest = "x".repeat(255);
    // The standard wants a password of one byte at least, libzmq and proxies do not.
    for (name, password) in [("joe", "secret"), ("j", longest.as_str()), ("joe", "")] {
        let (address, served) = proxy(peer, true).await;
        let mut push = PushSocket::builder()
            .socks_proxy(address.to_string())
            .socks_username(name)
            .socks_password(password)
            .build()
            .unwrap();
        assert!(!format!("{push:?}").contains("secret"));
        push.connect(endpoint.as_str()).expect("connect");
        push.send("hello").await.expect("send");
        assert_eq!(within("hello", pull.recv()).await.expect("recv"), "hello");
        let told = served.await.expect("proxy");
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        let expected = [
            &[1, length(name)],
            name.as_bytes(),
            &[length(password)],
            password.as_bytes(),
        ]
        .concat();
        assert_eq!(told.login, expected);
    }
}

#[tokio::test]
async fn a_proxy_that_knows_another_password_or_is_told_none_is_a_failure_of_the_attempt() {
    let (_pull, endpoint, peer) = bound().await;
    for name in [Some("joe"), None] {
        let (address, served) = proxy(peer, false).await;
        let mut builder = PushSocket::builder().socks_proxy(address.to_string());
        if let Some(name) = name {
            builder = builder.socks_username(name).socks_password("pa55word");
        }
        let mut push = builder.build().unwrap();
        let mut monitor = push.monitor();
        push.connect(endpoint.as_str()).expect("connect");
        let failed = event(&mut monitor, "a failure", |kind| {
            matches!(kind, Kind::ConnectFailed(_))
        })
        .await;
        let Kind::ConnectFailed(ConnectFailure::Proxy { reason, .. }) = failed.kind else {
            panic!("{failed:?}");
        };
        assert!(!reason.contains("pa55word"), "{reason}");
        let told = served.await.expect("proxy");
        assert_eq!(told.methods.contains(&2), name.is_some());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_proxy_is_reached_from_the_source_that_stands_before_it() {
    let (mut pull, endpoint, peer) = bound().await;
    let (address, served) = proxy(peer, true).await;
    let mut push = PushSocket::builder()
        .socks_proxy(format!("127.0.0.3:0;{address}"))
        .socks_username("joe")
        .socks_password("secret")
        .build()
        .unwrap();
    // It goes before the endpoint's own.
    let target = endpoint.replace("tcp://", "tcp://127.0.0.2:0;");
    push.connect(target.as_str()).expect("connect");
    push.send("hello").await.expect("send");
    assert_eq!(within("hello", pull.recv()).await.expect("recv"), "hello");
    let told = served.await.expect("proxy");
    assert_eq!(told.from.ip().to_string(), "127.0.0.3");
}
