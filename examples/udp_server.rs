//! Datagrams, the serving side: answers every program that sends one, whatever it is written in. Type, in two terminals:
//!
//!     cargo run --example udp_server
//!     cargo run --example udp_client
//!
//! or `nc -u localhost 5562` in the second one, and some lines. Another endpoint than udp://*:5562 can be given to both.
//! Runs until it is stopped with Ctrl-C.

use std::error::Error;

use purezmq::DgramSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "udp://*:5562".to_owned());
    let mut socket = DgramSocket::new();
    println!("bound to {}", socket.bind(endpoint.as_str()).await?);
    loop {
        // A datagram is a message: nothing has to be put together. It comes with the address of who has sent it.
        let asked = socket.recv().await?;
        println!("{} bytes from {}", asked.payload.len(), asked.peer);
        let answer = asked.payload.to_ascii_uppercase();
        socket.send(asked.reply(answer)).await?;
    }
}
