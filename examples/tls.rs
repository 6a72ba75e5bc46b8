//! TLS over TCP: a server with a certificate, and a client that trusts it. Both are in this one program, which makes
//! the certificate itself; real ones come from files and an authority. rustls's own types say all that TLS asks.
//! Type:
//!
//!     cargo run --features tls --example tls

use std::error::Error;
use std::sync::Arc;

use purezmq::rustls::pki_types::PrivatePkcs8KeyDer;
use purezmq::rustls::{ClientConfig, RootCertStore, ServerConfig};
use purezmq::{RepSocket, ReqSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());

    // Whose cryptography it is, the application says: any provider that rustls knows.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();

    let mut rep = RepSocket::builder().tls_server(Arc::new(server)).build()?;
    let bound = rep.bind("tls+tcp://127.0.0.1:*").await?;
    println!("listening on {bound}");

    // The name is what the certificate has to be for.
    let mut req = ReqSocket::builder()
        .tls_client(Arc::new(client))
        .tls_server_name("localhost".to_owned())
        .build()?;
    req.connect(&bound)?;

    req.send("hello").await?;
    let question = rep.recv().await?;
    println!("asked: {}", question.as_str()?);
    rep.send(question.as_str()?.to_uppercase()).await?;
    println!("answer: {}", req.recv().await?.as_str()?);
    Ok(())
}
