//! A page and its sockets on one port: axum serves the page, and gives the connections that ask for `/zmq` to a publisher.
//! The page needs no library: its few lines speak ZWS 2.0 (RFC 45) by the browser's own WebSocket. Any SUB of ZeroMQ that
//! knows `ws://` can connect as well. Type, and open the address that it prints:
//!
//!     cargo run --features web --example web
//!     cargo run --features web --example web -- 127.0.0.1:8081

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{Html, Response};
use axum::routing::{any, get};
use hyper_util::rt::TokioIo;
use purezmq::{PubSocket, WsUpgrades};
use tokio::net::TcpListener;

/// Each message of a WebSocket is one frame: an octet of flags, and the body. The first one is a routing id, here an
/// empty one; a body of 1 and a topic subscribes.
const PAGE: &str = r#"<!doctype html>
<title>ZeroMQ in a page</title>
<h1 id="clock">...</h1>
<script>
  const socket = new WebSocket(`ws://${location.host}/zmq`, "ZWS2.0");
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    socket.send(new Uint8Array([0]));
    socket.send(new Uint8Array([0, 1, ...new TextEncoder().encode("clock")]));
  };
  socket.onmessage = (frame) => {
    const text = new TextDecoder().decode(frame.data.slice(1));
    if (text) document.getElementById("clock").textContent = text;
  };
</script>
"#;

/// Answers who wants to speak WebSocket, and gives the connection to the socket that has adopted `upgrades`.
async fn zmq(
    State(upgrades): State<WsUpgrades>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let (response, upgrade) = upgrades.answer(&request);
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            match hyper::upgrade::on(&mut request).await {
                Ok(stream) => upgrade.adopt(TokioIo::new(stream), Some(peer)).await,
                Err(error) => Err(std::io::Error::other(error)),
            }
        });
    }
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let host = listener.local_addr()?;

    let upgrades = WsUpgrades::new(format!("ws://{host}/zmq"))?;
    let mut publisher = PubSocket::new();
    publisher.adopt(upgrades.clone()).await?;
    println!("open http://{host}/");

    let router = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/zmq", any(zmq))
        .with_state(upgrades);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let started = Instant::now();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        let seconds = started.elapsed().as_secs();
        publisher.send(format!("clock: {seconds} s")).await?;
    }
}
