//! Who is refused over `tls+tcp://`, with what reason on either side, and who is tried again.

use std::time::Duration;

use common::events::ended;
use purezmq::rustls;
use purezmq::{DisconnectReason, PullSocket, PushSocket};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::authority::Authority;
use super::tls::{WILDCARD, bound, goes_through, pair, pusher, refused};

#[tokio::test]
async fn a_server_that_another_authority_vouches_for_is_refused() {
    let (pull, push) = pair(Authority::new().server(), Authority::new().client()).await;
    let (at_server, at_client) = refused(pull, push).await;
    assert!(
        matches!(
            at_client,
            DisconnectReason::Tls(rustls::Error::InvalidCertificate(_))
        ),
        "{at_client}"
    );
    assert!(
        matches!(
            at_server,
            DisconnectReason::Tls(rustls::Error::AlertReceived(_))
        ),
        "{at_server}"
    );
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_unless_that_name_is_wanted() {
    let authority = Authority::new();
    let server = authority.server_for("elsewhere.example", 2100);
    let (pull, push) = pair(server.clone(), authority.client()).await;
    let (_, at_client) = refused(pull, push).await;
    assert!(
        matches!(
            at_client,
            DisconnectReason::Tls(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                    | rustls::CertificateError::NotValidForNameContext { .. }
            ))
        ),
        "{at_client}"
    );

    let mut pull = bound(server).await;
    let mut push = PushSocket::builder()
        .tls_client(authority.client())
        .tls_server_name("elsewhere.example".to_owned())
        .build()
        .unwrap();
    push.connect(pull.last_endpoint().unwrap()).unwrap();
    goes_through(&mut push, &mut pull, "hello").await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let (pull, push) = pair(authority.server_for("127.0.0.1", 2001), authority.client()).await;
    let (_, at_client) = refused(pull, push).await;
    assert!(
        matches!(
            at_client,
            DisconnectReason::Tls(rustls::Error::InvalidCertificate(
                rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. }
            ))
        ),
        "{at_client}"
    );
}

#[tokio::test]
async fn a_client_without_the_certificate_that_is_demanded_is_refused() {
    let authority = Authority::new();
    let (mut pull, mut push) = pair(authority.strict_server(), authority.client()).await;
    let mut monitor = pull.monitor();
    push.connect(pull.last_endpoint().unwrap()).unwrap();
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(
            reason,
            DisconnectReason::Tls(rustls::Error::NoCertificatesPresented)
        ),
        "{reason}"
    );
    drop(push);

    let mut known = pusher(authority.known_client());
    known.connect(pull.last_endpoint().unwrap()).unwrap();
    goes_through(&mut known, &mut pull, "it is me").await;
}

#[tokio::test]
async fn peers_without_tls_and_servers_without_tls_are_refused() {
    let authority = Authority::new();
    let pull = bound(authority.server()).await;
    let plain = pull.last_endpoint().unwrap().to_string();
    let plain = plain.strip_prefix("tls+").unwrap().to_owned();
    let mut push = PushSocket::new();
    let mut monitor = pull.monitor();
    push.connect(plain.as_str()).unwrap();
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(
            reason,
            DisconnectReason::Tls(rustls::Error::InvalidMessage(_))
        ),
        "{reason}"
    );

    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = pusher(authority.client());
    let mut monitor = push.monitor();
    push.connect(format!("tls+{endpoint}")).unwrap();
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(reason, DisconnectReason::Tls(_) | DisconnectReason::Io(_)),
        "{reason}"
    );
}

#[tokio::test]
async fn a_silent_client_keeps_nobody_out_and_has_no_longer_than_a_handshake() {
    let authority = Authority::new();
    let limit = Duration::from_millis(500);
    let mut pull = PullSocket::builder()
        .tls_server(authority.server())
        .handshake_timeout(limit)
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind(WILDCARD).await.unwrap();
    let address = ("127.0.0.1", endpoint.port().unwrap());
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut push = pusher(authority.client());
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "let me in").await;
    let reason = ended(&mut monitor).await;
    assert!(matches!(reason, DisconnectReason::HandshakeTimeout(after) if after == limit));
    assert_eq!(pull.stats().handshake_failures, 1);
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_comes_back_when_its_server_does() {
    let authority = Authority::new();
    let mut pull = bound(authority.server()).await;
    let endpoint = pull.last_endpoint().unwrap().clone();
    let mut push = PushSocket::builder()
        .tls_client(authority.client())
        .reconnect_interval(Duration::from_millis(10))
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    goes_through(&mut push, &mut pull, "first").await;
    pull.close().await;
    assert!(matches!(ended(&mut monitor).await, DisconnectReason::Peer));
    let mut pull = PullSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    pull.bind(&endpoint).await.unwrap();
    goes_through(&mut push, &mut pull, "second").await;
}
