//! What speaks at a port that does not speak ZMTP: told by its first bytes, or by its answers to other protocols' questions.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::probe::{self, Place};

const HTTP: &str = "is a web server: it speaks HTTP (ZMTP over WebSocket is ws://)";
const TLS: &str = "speaks TLS: connect to it by tls+tcp:// or wss://";

/// Names the protocol whose first bytes these are.
pub(super) fn named(first: &[u8]) -> Option<&'static str> {
    match first {
        [b'H', b'T', b'T', b'P', b'/', ..] => Some(HTTP),
        // An alert, or a handshake.
        [0x15 | 0x16, 3, ..] => Some(TLS),
        [b'S', b'S', b'H', b'-', ..] => Some("is an SSH server"),
        _ => None,
    }
}

/// Returns whether a ZMTP 1.0 peer may begin so: with a frame that holds its identity, and no flags.
pub(super) fn is_identity(first: &[u8]) -> bool {
    matches!(first, [1..=u8::MAX, 0, ..] | [1])
}

/// Asks one that says nothing by itself in other protocols.
pub(super) async fn ask(place: &Place, limit: Duration) -> Option<&'static str> {
    let limit = limit.min(Duration::from_secs(2));
    let request = b"GET / HTTP/1.0\r\n\r\n";
    for question in [request.to_vec(), hello()?] {
        let answer = timeout(limit, answer(place, &question, limit)).await;
        if let Ok(Some(first)) = answer
            && let Some(what) = named(&first)
        {
            return Some(what);
        }
    }
    None
}

/// Returns the first bytes that come after a question.
async fn answer(place: &Place, question: &[u8], limit: Duration) -> Option<Vec<u8>> {
    let mut stream = probe::dial(place, limit).await.ok()?;
    stream.write_all(question).await.ok()?;
    let mut bytes = vec![0; 16];
    let count = stream.read(&mut bytes).await.ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Returns how a TLS client begins.
fn hello() -> Option<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = "localhost".try_into().ok()?;
    let mut client = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).ok()?;
    Some(bytes)
}
