//! Lazy pirate, the server: a plain one, which may be killed and started again at any time. Type, in two terminals:
//!
//!     cargo run --example lazy_pirate_server
//!     cargo run --example lazy_pirate_client
//!
//! To break: kill it. Or have it be late: with `tcp://*:5555 3 4000` each third question is answered after four seconds,
//! when the client has given up waiting.

use std::error::Error;
use std::time::Duration;

use purezmq::RepSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://*:5555");
    let late_each: u32 = argument("0").parse()?;
    let late_by = Duration::from_millis(argument("4000").parse()?);

    let mut socket = RepSocket::new();
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);
    for number in 1u32.. {
        let question = socket.recv().await?;
        let question = question.as_str()?;
        // `late_each` is 0 for never.
        if number.checked_rem(late_each) == Some(0) {
            println!("late: {question}");
            tokio::time::sleep(late_by).await;
        }
        println!("asked: {question}");
        socket.send(format!("{question} to you, too")).await?;
    }
    Ok(())
}
