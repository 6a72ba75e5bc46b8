//! Equals that all talk to each other, without a server: each says its lines of standard input to all whom it knows, and
//! prints what they say. Type each in a terminal of its own:
//!
//!     cargo run --example mesh tcp://127.0.0.1:5570
//!     cargo run --example mesh tcp://127.0.0.1:5571 tcp://127.0.0.1:5570
//!     cargo run --example mesh tcp://127.0.0.1:5572 tcp://127.0.0.1:5570 tcp://127.0.0.1:5571
//!
//! Ends when standard input does.

use std::error::Error;

use purezmq::PeerSocket;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(endpoint) = arguments.next() else {
        return Err("usage: mesh ENDPOINT [ENDPOINT OF ANOTHER]...".into());
    };
    let mut peer = PeerSocket::new();
    println!("at {}", peer.bind(endpoint.as_str()).await?);
    for other in arguments {
        // Who connects has a number for the other at once; the other has one when something comes.
        let id = peer.connect_peer(other.as_str())?;
        peer.send_to(id, "hello").await?;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            said = peer.recv() => {
                let said = said?;
                println!("{}: {}", said.peer, said.message.as_str().unwrap_or("(not text)"));
            }
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                for id in peer.peers() {
                    // Nobody waits for one that does not read, or has just gone.
                    if let Err(error) = peer.try_send((id, line.as_str())) {
                        println!("not to {id}: {error}");
                    }
                }
            }
        }
    }
    peer.close().await;
    Ok(())
}
