//! The client of the pirates, as this library has it: a `Requester` asks again by itself what is not answered in time, by
//! the same socket and under the same number, so that a late answer is one, and none is taken for another's. Many tasks may
//! ask at once. Type, in two terminals, in any order:
//!
//!     cargo run --example lazy_pirate_server
//!     cargo run --example pirate_requester
//!
//! To break: what lazy_pirate_client says; the arguments are the same.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Requester};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://localhost:5555");
    let requester = Requester::builder()
        .timeout(Duration::from_millis(argument("2500").parse()?))
        .retries(argument("3").parse::<u32>()?.saturating_sub(1))
        .build(DealerSocket::new())?;
    requester.connect(endpoint.as_str())?;

    for number in 1..=argument("10").parse::<u32>()? {
        let answer = requester.request(format!("Hello {number}")).await?;
        println!("Hello {number}: {}", answer.as_str()?);
    }
    let done = requester.statistics();
    println!("{} answered, {} asked again", done.answered, done.repeated);
    Ok(())
}
