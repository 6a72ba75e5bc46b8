//! Standard input to a socket: each line becomes a message. Type, in two terminals, in any order:
//!
//!     cargo run --example socket_to_stdout -- ipc:///tmp/lines
//!     seq 5 | cargo run --example stdin_to_socket -- ipc:///tmp/lines
//!
//! Without an endpoint it is tcp://localhost:5559. Ends with its input, when all of it is sent.

use std::error::Error;

use purezmq::PushSocket;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://localhost:5559".to_owned());
    let mut socket = PushSocket::new();
    socket.connect(endpoint.as_str())?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        // Waits while the other side is not keeping up: input is read no faster than it leaves.
        socket.send(line).await?;
    }
    socket.close().await;
    Ok(())
}
