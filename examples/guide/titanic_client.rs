//! Titanic, a client: asks something, and comes back for the answer. Type, with the programs that titanic names:
//!
//!     cargo run --features titanic --example titanic_client -- request echo hello
//!     cargo run --features titanic --example titanic_client -- reply TICKET
//!     cargo run --features titanic --example titanic_client -- close TICKET
//!
//! To break: anything, between the lines. A further argument is the broker's endpoint (tcp://localhost:5555).

use std::time::Duration;

use guide::majordomo::{Client, Error};
use purezmq::Message;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("the first lines say what to type");
    let what = argument()?;
    let body = match what.as_str() {
        "request" => Message::from([argument()?, argument()?]),
        "reply" | "close" => argument()?.into(),
        _ => return Err("there are request, reply and close".into()),
    };
    let broker = argument().unwrap_or_else(|_| "tcp://localhost:5555".to_owned());

    let client = Client::connect(&broker, Duration::from_millis(2500), 10)?;
    let service = format!("titanic.{what}");
    loop {
        let mut answer = client.request(service.as_str(), body.clone()).await?;
        let code = answer.pop_front().unwrap_or_default();
        match &code[..] {
            b"200" => println!("{}", String::from_utf8_lossy(answer.payload())),
            // There is no answer yet.
            b"300" => {
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            }
            b"400" => println!("nothing is known of this ticket"),
            _ => println!("titanic has failed: it says why"),
        }
        return Ok(());
    }
}
