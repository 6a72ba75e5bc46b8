//! Plain TCP, the serving side: answers every program that connects, whatever it is written in. Type, in two terminals:
//!
//!     cargo run --example tcp_server
//!     cargo run --example tcp_client
//!
//! or `nc localhost 5561` in the second one, and some lines. Another endpoint than tcp://*:5561 can be given to both.
//! Runs until it is stopped with Ctrl-C.

use std::collections::HashMap;
use std::error::Error;

use purezmq::{StreamEvent, StreamSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://*:5561".to_owned());
    let mut socket = StreamSocket::new();
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);
    // A stream has no messages: what of a line has come so far, for each client.
    let mut begun = HashMap::new();
    loop {
        match socket.recv().await? {
            StreamEvent::Accepted(client) | StreamEvent::Connected(client) => {
                begun.insert(client, Vec::new());
            }
            StreamEvent::Data(data) => {
                let line = begun.entry(data.peer.clone()).or_default();
                line.extend(data.message.iter().flatten());
                while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                    let rest = line.split_off(end + 1);
                    let said = std::mem::replace(line, rest).to_ascii_uppercase();
                    // It may have gone, with more to read than it has waited for.
                    let _ = socket.send_to(&data.peer, said).await;
                }
            }
            StreamEvent::Closed(client) => {
                begun.remove(&client);
                println!("a client has gone, {} are left", begun.len());
            }
        }
    }
}
