//! Request-reply, the asking side. Type, in two terminals, in any order:
//!
//!     cargo run --example hello_server
//!     cargo run --example hello_client
//!
//! Another endpoint than tcp://localhost:5555 can be given to both, such as ipc:///tmp/hello.

use std::error::Error;

use purezmq::ReqSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://localhost:5555".to_owned());
    let mut socket = ReqSocket::new();
    // Returns at once. The server need not be there yet.
    socket.connect(endpoint.as_str())?;
    for number in 1..=10 {
        socket.send(format!("Hello {number}")).await?;
        let reply = socket.recv().await?;
        println!("answer: {}", reply.as_str()?);
    }
    Ok(())
}
