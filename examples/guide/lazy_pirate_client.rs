//! Lazy pirate, the client: it asks until it is answered, whatever happens to the server. No answer in time means that the
//! socket is thrown away, and a new one asks again. Type, in two terminals, in any order:
//!
//!     cargo run --example lazy_pirate_server
//!     cargo run --example lazy_pirate_client
//!
//! To break: kill the server and start it again, or tell it to be late (its first lines say how). Arguments are the endpoint
//! (tcp://localhost:5555), how long to wait for an answer (2500 ms), how often to try (3), and how much to ask (10).
//!
//! This is the pattern by hand. A REQ with the options `relaxed` and `correlate` asks again by the socket that it has, and
//! a `Requester` does all of this by itself, for many tasks at once: pirate_requester.

use std::error::Error;
use std::time::Duration;

use purezmq::{Message, ReqSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://localhost:5555");
    let timeout = Duration::from_millis(argument("2500").parse()?);
    let tries: u32 = argument("3").parse()?;
    let questions: u32 = argument("10").parse()?;

    let mut socket = connect(&endpoint, timeout)?;
    for number in 1..=questions {
        let question = format!("Hello {number}");
        let mut tried = 1;
        let answer = loop {
            match ask(&mut socket, &question).await {
                Ok(answer) => break answer,
                Err(error) if tried == tries => return Err(error),
                Err(_) => println!("no answer to {question}: asking again"),
            }
            tried += 1;
            // Without linger, the question that nobody has taken goes with the socket.
            socket = connect(&endpoint, timeout)?;
        };
        println!("{question}: {}", answer.as_str()?);
    }
    Ok(())
}

fn connect(endpoint: &str, timeout: Duration) -> Result<ReqSocket, Box<dyn Error>> {
    let builder = ReqSocket::builder()
        .recv_timeout(timeout)
        .linger(Duration::ZERO);
    let mut socket = builder.build()?;
    socket.connect(endpoint)?;
    Ok(socket)
}

async fn ask(socket: &mut ReqSocket, question: &str) -> Result<Message, Box<dyn Error>> {
    socket.send(question).await?;
    Ok(socket.recv().await?)
}
