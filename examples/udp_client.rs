//! Datagrams, the side that asks: any server that answers to where a datagram comes from. Type, in two terminals:
//!
//!     cargo run --example udp_server
//!     cargo run --example udp_client
//!
//! Another address than 127.0.0.1:5562 can be given.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use purezmq::DgramSocket;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:5562".to_owned());
    let server: SocketAddr = server.parse()?;
    let mut socket = DgramSocket::new();
    // Any port: answers come back there.
    socket.bind("udp://*:*").await?;
    // Either way may lose it, and nobody says so: who needs an answer asks again.
    for _ in 0..5 {
        socket.send_to(server, "hello").await?;
        if let Ok(answer) = timeout(Duration::from_secs(1), socket.recv()).await {
            let answer = answer?;
            println!("answer: {}", String::from_utf8_lossy(&answer.payload));
            return Ok(());
        }
    }
    Err("no answer".into())
}
