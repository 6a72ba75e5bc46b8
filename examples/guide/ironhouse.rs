//! Ironhouse: CURVE, with an authenticator. Messages are encrypted, the client knows that it talks to this server, and the
//! server lets in only clients whose certificates lie in its folder. Type:
//!
//!     cargo run --example ironhouse -- keys house server
//!     cargo run --example ironhouse -- keys house joe
//!     cargo run --example ironhouse -- server tcp://*:5568 house
//!     cargo run --example ironhouse -- client tcp://localhost:5568 house joe
//!
//! `keys` makes a certificate: `house/joe.key` for all to read, `house/joe.key_secret` for joe alone, and a copy of the first
//! in `house/known/`, where the server looks when a client comes: nothing is to be restarted. These are CZMQ's files.
//!
//! To break: remove `house/known/joe.key`, and start joe's client again: it is refused, and both sides say so. Give the client
//! another server's key in place of `house/server.key`: it says nothing to this one. A client without CURVE is `plain`.

use std::error::Error;
use std::fs;
use std::path::Path;

use purezmq::monitor::MonitorEventKind;
use purezmq::security::{
    Certificate, CurveKeys, KeyPair, Security, load_certificate, save_certificate,
};
use purezmq::{Context, PullSocket, PushSocket};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["keys", folder, name] => make_keys(Path::new(folder), name),
        ["server", endpoint, folder] => server(endpoint, Path::new(folder)).await,
        ["client", endpoint, folder, name] => {
            let folder = Path::new(folder);
            let server = *load_certificate(folder.join("server.key"))?.public_key();
            let keys = key_pair(folder, name)?;
            client(endpoint, Security::curve_client(keys, server)).await
        }
        ["plain", endpoint] => client(endpoint, Security::Null).await,
        _ => Err("keys FOLDER NAME, server ENDPOINT FOLDER, client ENDPOINT FOLDER NAME, or plain ENDPOINT".into()),
    }
}

fn make_keys(folder: &Path, name: &str) -> Outcome {
    let known = folder.join("known");
    fs::create_dir_all(&known)?;
    let file = format!("{name}.key");
    save_certificate(&Certificate::new(KeyPair::generate()), folder.join(&file))?;
    if name != "server" {
        fs::copy(folder.join(&file), known.join(&file))?;
    }
    Ok(())
}

/// Reads both keys of a certificate.
fn key_pair(folder: &Path, name: &str) -> Result<KeyPair, Box<dyn Error>> {
    let certificate = load_certificate(folder.join(format!("{name}.key_secret")))?;
    Ok(certificate
        .key_pair()
        .ok_or("a certificate without a secret key")?)
}

async fn server(endpoint: &str, folder: &Path) -> Outcome {
    let context = Context::new();
    context.set_authenticator(CurveKeys::directory(folder.join("known")));
    let mut socket = PullSocket::builder()
        .context(&context)
        .security(Security::curve_server(key_pair(folder, "server")?))
        .build()?;
    let mut monitor = socket.monitor();
    println!("listening on {}", socket.bind(endpoint).await?);
    loop {
        tokio::select! {
            message = socket.recv() => println!("received: {}", message?.as_str()?),
            Some(event) = monitor.recv() => match event.kind {
                MonitorEventKind::HandshakeSucceeded => println!("comes in: a known key"),
                MonitorEventKind::HandshakeFailed(reason) => {
                    let who = event.refused.as_deref().unwrap_or("somebody without a key");
                    println!("kept out: {who}: {reason}");
                }
                _ => {}
            },
        }
    }
}

/// Sends a message, and ends when it has left.
async fn client(endpoint: &str, security: Security) -> Outcome {
    let mut socket = PushSocket::builder()
        .security(security)
        .immediate(true) // `send` waits until the server has let it in.
        .build()?;
    let mut monitor = socket.monitor();
    socket.connect(endpoint)?;
    loop {
        let refusal = tokio::select! {
            sent = socket.send("nobody else can read this") => match sent {
                Ok(()) => break,
                // The two speak different mechanisms, which no further attempt will change.
                Err(error) => error.to_string(),
            },
            // With CURVE a refusal is no error of `send`, for it might be a forger's: the socket asks again, and the
            // monitor tells. This client takes it for the last word.
            Some(event) = monitor.recv() => match event.kind {
                MonitorEventKind::HandshakeFailed(reason) => reason.to_string(),
                _ => continue,
            },
        };
        println!("refused: {refusal}");
        return Err("this server does not let it in".into());
    }
    socket.close().await;
    println!("sent");
    Ok(())
}
