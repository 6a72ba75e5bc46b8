//! Two people talk over a PAIR: one task reads standard input and sends, another receives and prints, each with
//! its half of the socket. Type in one terminal, and in another:
//!
//!     cargo run --example chat bind tcp://127.0.0.1:5560
//!     cargo run --example chat connect tcp://127.0.0.1:5560
//!
//! Ends when standard input does.

use std::error::Error;

use purezmq::PairSocket;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(how), Some(endpoint)) = (arguments.next(), arguments.next()) else {
        return Err("usage: chat (bind | connect) ENDPOINT".into());
    };
    let mut pair = PairSocket::new();
    match how.as_str() {
        "bind" => {
            pair.bind(endpoint.as_str()).await?;
        }
        _ => pair.connect(endpoint.as_str())?,
    }
    let (mut sender, mut receiver) = pair.split();
    let listening = tokio::spawn(async move {
        while let Ok(message) = receiver.recv().await {
            if message.byte_len() == 0 {
                break;
            }
            println!("> {}", message.as_str().unwrap_or("(not text)"));
        }
        receiver
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        sender.send(line).await?;
    }
    sender.send("").await?; // the end
    let receiver = listening.await?;
    let pair = sender.reunite(receiver)?;
    pair.close().await;
    Ok(())
}
