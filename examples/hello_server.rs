//! Request-reply, the answering side. Type, in two terminals:
//!
//!     cargo run --example hello_server
//!     cargo run --example hello_client
//!
//! Another endpoint than tcp://*:5555 can be given to both, such as ipc:///tmp/hello.
//! Runs until it is stopped with Ctrl-C.

use std::error::Error;

use purezmq::RepSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://*:5555".to_owned());
    let mut socket = RepSocket::new();
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);
    loop {
        let request = socket.recv().await?;
        println!("asked: {}", request.as_str()?);
        socket
            .send(format!("{} to you, too", request.as_str()?))
            .await?;
    }
}
