//! `wss://`: what TLS says holds for it as for `tls+tcp://`, before there is a word of HTTP; and then the path does.

use std::sync::Arc;

use common::events::ended;
use common::within;
use purezmq::rustls;
use purezmq::rustls::{ClientConfig, ServerConfig};
use purezmq::{
    ConnectError, DisconnectReason, Endpoint, PullSocket, PushSocket, RepSocket, ReqSocket,
};

use super::authority::Authority;
use super::tls::{goes_through, pusher, refused};

async fn bound(server: Arc<ServerConfig>) -> PullSocket {
    let mut pull = PullSocket::builder().tls_server(server).build().unwrap();
    pull.bind("wss://127.0.0.1:*/service").await.unwrap();
    pull
}

fn at(pull: &PullSocket) -> Endpoint {
    pull.last_endpoint().expect("it is bound")
}

/// Connects to a name, which the certificate is for or not, and sends a text.
async fn pushes_to(pull: &mut PullSocket, client: Arc<ClientConfig>, host: &str) {
    let endpoint = at(pull).to_string().replace("127.0.0.1", host);
    let mut push = pusher(client);
    push.connect(endpoint.as_str()).unwrap();
    goes_through(&mut push, pull, "hello").await;
}

#[tokio::test]
async fn requests_go_both_ways() {
    let authority = Authority::new();
    let mut rep = RepSocket::builder()
        .tls_server(authority.server())
        .build()
        .unwrap();
    let endpoint = rep.bind("wss://127.0.0.1:*/service").await.unwrap();
    assert!(endpoint.to_string().starts_with("wss://127.0.0.1:"));
    let without = ReqSocket::new().connect(&endpoint);
    assert!(matches!(without, Err(ConnectError::NoTls { .. })));
    let mut req = ReqSocket::builder()
        .tls_client(authority.client())
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    for size in [1, 300, 300_000] {
        req.send(vec![7; size]).await.unwrap();
        let request = within("a request", rep.recv()).await.unwrap();
        rep.send(request).await.unwrap();
        let reply = within("a reply", req.recv()).await.unwrap();
        assert_eq!(reply[0].len(), size);
    }
}

#[tokio::test]
async fn the_client_s_certificate_is_demanded_and_shown() {
    let authority = Authority::new();
    let mut pull = bound(authority.strict_server()).await;
    let mut monitor = pull.monitor();
    let mut unknown = pusher(authority.client());
    unknown.connect(at(&pull)).unwrap();
    let reason = ended(&mut monitor).await;
    assert!(
        matches!(
            reason,
            DisconnectReason::Tls(rustls::Error::NoCertificatesPresented)
        ),
        "{reason}"
    );
    drop(unknown);

    let (chain, key) = authority.sign("joe", 2100);
    let own = chain[0].clone();
    let client = authority.client_with(chain, key);
    pushes_to(&mut pull, client, "127.0.0.1").await;
    let peer = pull.last_peer().expect("a peer");
    assert_eq!(peer.certificate.as_deref(), Some(&own[..]));
}

#[tokio::test]
async fn the_host_is_whom_the_certificate_has_to_name() {
    let authority = Authority::new();
    let mut pull = bound(authority.server_for("localhost", 2100)).await;
    pushes_to(&mut pull, authority.client(), "localhost").await;

    let is_of_another_name = |reason: &DisconnectReason| {
        matches!(
            reason,
            DisconnectReason::Tls(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                    | rustls::CertificateError::NotValidForNameContext { .. }
            ))
        )
    };
    let mut named = PushSocket::builder()
        .tls_client(authority.client())
        .tls_server_name("localhost".to_owned())
        .build()
        .unwrap();
    named.connect(at(&pull)).unwrap();
    goes_through(&mut named, &mut pull, "hello").await;

    // By its address, it is not whom the certificate names.
    let (_, at_client) = refused(pull, pusher(authority.client())).await;
    assert!(is_of_another_name(&at_client), "{at_client}");
}

#[tokio::test]
async fn a_server_that_another_authority_vouches_for_is_refused() {
    let pull = bound(Authority::new().server()).await;
    let (_, at_client) = refused(pull, pusher(Authority::new().client())).await;
    assert!(
        matches!(
            at_client,
            DisconnectReason::Tls(rustls::Error::InvalidCertificate(_))
        ),
        "{at_client}"
    );
}

#[tokio::test]
async fn another_path_is_not_there() {
    let authority = Authority::new();
    let pull = bound(authority.server()).await;
    let mut push = pusher(authority.client());
    let (mut at_server, mut at_client) = (pull.monitor(), push.monitor());
    push.connect(at(&pull).to_string().replace("/service", "/services"))
        .unwrap();
    let reason = ended(&mut at_server).await.to_string();
    assert!(reason.contains("another path"), "{reason}");
    let reason = ended(&mut at_client).await.to_string();
    assert!(reason.contains("404"), "{reason}");
}
