//! Simple pirate, a worker: says that it is ready, then answers one question after the other. simple_pirate_queue says what
//! to type. Arguments are the queue's endpoint (tcp://localhost:5556) and the worker's name.
//!
//! To break: kill it. Or have it be late: with `tcp://localhost:5556 one 3 4000` it takes four seconds for each third
//! question.

use std::error::Error;
use std::time::Duration;

use purezmq::{Message, ReqSocket, Routed};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://localhost:5556");
    let name = argument("a worker");
    let late_each: u32 = argument("0").parse()?;
    let late_by = Duration::from_millis(argument("4000").parse()?);

    // A REQ asks for questions: the first time by this word, then by its answers.
    let mut socket = ReqSocket::new();
    socket.connect(endpoint.as_str())?;
    socket.send("READY").await?;
    for number in 1u32.. {
        // The client's name stands in front, and goes back with the answer.
        let asked = Routed::from(socket.recv().await?);
        let question = String::from_utf8_lossy(asked.body().next().unwrap_or_default());
        // `late_each` is 0 for never.
        if number.checked_rem(late_each) == Some(0) {
            println!("late: {question}");
            tokio::time::sleep(late_by).await;
        }
        println!("asked: {question}");
        let answer = asked.respond(format!("{question} to you, too, says {name}"));
        socket.send(Message::from(answer)).await?;
    }
    Ok(())
}
