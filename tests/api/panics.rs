//! What the application has a task call may panic: what of TLS's configurations is the application's own does it here. (An
//! authenticator that panics refuses: `tests/security/doors.rs`.)

use std::sync::Arc;

use common::events::event;
use common::place::free_port;
use common::within;
use purezmq::rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue};
use purezmq::rustls::client::{Tls13ClientSessionValue, danger};
use purezmq::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use purezmq::rustls::server::{ClientHello, ResolvesServerCert};
use purezmq::rustls::sign::CertifiedKey;
use purezmq::rustls::{
    self, ClientConfig, DigitallySignedStruct, NamedGroup, ServerConfig, SignatureScheme,
};
use purezmq::{DisconnectReason, GoneReason, MonitorEventKind, PullSocket, PushSocket, SendError};

/// Panics whatever it is asked.
#[derive(Debug)]
struct Panics;

impl ResolvesServerCert for Panics {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        panic!("on purpose")
    }
}

impl ClientSessionStore for Panics {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        panic!("on purpose")
    }
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// Trusts everybody: it does not come to that here.
#[derive(Debug)]
struct Trusting;

impl danger::ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<danger::ServerCertVerified, rustls::Error> {
        Ok(danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Ok(danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Ok(danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server() -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Panics))
}

fn client() -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth()
}

/// Whatever panics in the task of an accepted connection, only that connection ends by it.
#[tokio::test]
async fn a_panic_in_the_task_of_a_connection_costs_that_connection() {
    let mut pull = PullSocket::builder().tls_server(server()).build().unwrap();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tls+tcp://127.0.0.1:*").await.unwrap();
    let other = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    for _ in 0..2 {
        // It listens as before.
        let push = PushSocket::builder().reconnect_interval(None);
        let mut push = push.tls_client(client()).build().unwrap();
        push.connect(&endpoint).unwrap();
        let cut = event(&mut monitor, "the connection ends", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        });
        let reason = DisconnectReason::TaskEnded(GoneReason::Panicked).to_string();
        assert_eq!(cut.await.reason().unwrap().to_string(), reason);
    }
    let mut push = PushSocket::new();
    push.connect(&other).unwrap();
    push.send("let in").await.unwrap();
    assert_eq!(within("let in", pull.recv()).await.unwrap(), "let in");
    assert_eq!(pull.stats().handshake_failures, 0);
}

/// In the task that dials it ends the endpoint, which can be connected again.
#[tokio::test]
async fn a_panic_in_the_task_that_dials_is_the_end_of_the_endpoint() {
    let port = free_port();
    let _listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .unwrap();
    let place = format!("tls+tcp://127.0.0.1:{port}");
    let mut config = client();
    config.resumption = Resumption::store(Arc::new(Panics));
    let mut push = PushSocket::builder().tls_client(config).build().unwrap();
    let mut monitor = push.monitor();
    for attempt in 1..3 {
        push.connect(place.as_str()).unwrap();
        push.send("is lost").await.unwrap();
        let gone = event(&mut monitor, "the endpoint goes", |kind| {
            matches!(kind, MonitorEventKind::Gone(_))
        });
        let MonitorEventKind::Gone(gone) = gone.await.kind else {
            unreachable!("asked for");
        };
        assert_eq!(gone.reason, GoneReason::Panicked);
        let sent = within("an error", push.send("x")).await;
        assert!(matches!(sent, Err(SendError::Gone { .. })), "{sent:?}");
        assert_eq!(push.stats().dropped.unsent, attempt);
    }
}
