//! Freelance, a server: one of several that clients know by their endpoints, with no broker between. freelance_client says
//! what to type. Arguments are the endpoint (tcp://*:5555) and the server's name.
//!
//! To break: kill it. Or have it be late: with `tcp://*:5555 one 3 4000` it takes four seconds for each third question.

use std::error::Error;
use std::time::Duration;

use purezmq::RouterSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://*:5555");
    let name = argument("a server");
    let late_each: u32 = argument("0").parse()?;
    let late_by = Duration::from_millis(argument("4000").parse()?);

    // A ROUTER, since a `tracked` client is one, and a ROUTER talks to no REP. REQ and DEALER may ask it, too.
    let mut socket = RouterSocket::new();
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);
    for number in 1u32.. {
        let asked = socket.recv_message().await?;
        let question = String::from_utf8_lossy(asked.body().next().unwrap_or_default());
        // `late_each` is 0 for never.
        if number.checked_rem(late_each) == Some(0) {
            println!("late: {question}");
            tokio::time::sleep(late_by).await;
        }
        let answer = format!("{question} to you, too, says {name}");
        socket.send(asked.respond(answer)).await?;
    }
    Ok(())
}
