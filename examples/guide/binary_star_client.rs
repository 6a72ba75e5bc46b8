//! Binary star, a client: asks one server, and turns to the other one when there is no answer. binary_star_server says what
//! to type. Arguments are the endpoints of the two, how long to wait for an answer (1000 ms), and how much to ask (10).
//!
//! To break: kill the server that answers.
//!
//! A `Requester` for each server: a question that is given up is withdrawn, and the answer that comes late is dropped.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Requester};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoints = [
        argument("tcp://localhost:5001"),
        argument("tcp://localhost:5002"),
    ];
    let timeout = Duration::from_millis(argument("1000").parse()?);

    // The one that is asked first is the one that has answered last.
    let mut servers = Vec::new();
    for endpoint in &endpoints {
        let requester = Requester::builder().timeout(timeout);
        let requester = requester.build(DealerSocket::new())?;
        requester.connect(endpoint)?;
        servers.push(requester);
    }
    for number in 1..=argument("10").parse::<u32>()? {
        let question = format!("Hello {number}");
        let answer = loop {
            match servers[0].request(question.as_str()).await {
                Ok(answer) => break answer,
                Err(error) if error.is_timeout() => {
                    println!("no answer to {question}: asking the other server");
                    servers.rotate_left(1);
                }
                Err(error) => return Err(error.into()),
            }
        };
        println!("{question}: {}", answer.as_str()?);
    }
    Ok(())
}
