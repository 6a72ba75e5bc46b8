//! Plain TCP, the side that connects: to any server that answers lines. Type, in two terminals:
//!
//!     cargo run --example tcp_server
//!     cargo run --example tcp_client
//!
//! or `nc -l 5561` in the first one. Another endpoint than tcp://localhost:5561 can be given to both.

use std::error::Error;

use purezmq::{StreamEvent, StreamSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://localhost:5561".to_owned());
    let mut socket = StreamSocket::new();
    // The name is ours: a TCP server has none.
    socket.connect_as(endpoint.as_str(), "server")?;
    socket.send_to("server", "hello\n").await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        match socket.recv().await? {
            StreamEvent::Data(data) => answer.extend(data.message.iter().flatten()),
            StreamEvent::Closed(_) => return Err("the server has closed".into()),
            StreamEvent::Accepted(_) | StreamEvent::Connected(_) => {}
        }
    }
    print!("answer: {}", String::from_utf8_lossy(&answer));
    socket.close_peer("server")?;
    socket.close().await;
    Ok(())
}
