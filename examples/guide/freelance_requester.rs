//! Freelance, as this library has it: one `Requester` that is connected to all servers. Its questions go in turn to those that
//! are there (`immediate`, and heartbeats), and to the next one what is not answered in time. Type, in three terminals or
//! more, in any order:
//!
//!     cargo run --example freelance_server -- tcp://*:5555 one
//!     cargo run --example freelance_server -- tcp://*:5556 two
//!     cargo run --example freelance_requester -- 1000 10 tcp://localhost:5555 tcp://localhost:5556
//!
//! Arguments are how long to wait for an answer, how much to ask, and where. To break: kill servers, or have one be late. All
//! share the work, which none of the three ways of freelance_client does. What is asked may be done twice.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Requester};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("the first lines say what to type");
    let limit = Duration::from_millis(argument()?.parse()?);
    let questions: u32 = argument()?.parse()?;

    let socket = DealerSocket::builder().immediate(true);
    let socket = socket.heartbeat_interval(Duration::from_secs(1)).build()?;
    let builder = Requester::builder().timeout(limit).retries(5);
    let requester = builder.build(socket)?;
    for server in arguments {
        requester.connect(server)?;
    }
    for number in 1..=questions {
        let answer = requester.request(format!("Hello {number}")).await?;
        println!("Hello {number}: {}", answer.as_str()?);
    }
    let done = requester.statistics();
    println!("{} answered, {} asked again", done.answered, done.repeated);
    Ok(())
}
