//! A socket to standard output: each message becomes a line. Type, in two terminals, in any order:
//!
//!     cargo run --example socket_to_stdout -- ipc:///tmp/lines
//!     seq 5 | cargo run --example stdin_to_socket -- ipc:///tmp/lines
//!
//! Without an endpoint it is tcp://*:5559. A number after the endpoint makes it end after so many
//! messages; otherwise it runs until it is stopped with Ctrl-C.

use std::error::Error;

use purezmq::PullSocket;
use tokio::io::{AsyncWriteExt, stdout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5559".to_owned());
    let limit = arguments
        .next()
        .map(|limit| limit.parse())
        .transpose()?
        .unwrap_or(u64::MAX);
    let mut socket = PullSocket::new();
    socket.bind(endpoint.as_str()).await?;
    let mut output = stdout();
    for _ in 0..limit {
        // Any bytes may come, not only text; frames are joined.
        let message = socket.recv().await?;
        for frame in message.iter() {
            output.write_all(frame).await?;
        }
        output.write_all(b"\n").await?;
        output.flush().await?;
    }
    Ok(())
}
