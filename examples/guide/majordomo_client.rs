//! Majordomo, a client: asks whether there is a service, and then the service. majordomo_broker says what to type. Arguments
//! are the broker's endpoint (tcp://localhost:5555), the service (echo), how long to wait for an answer (2500 ms), how often
//! to try (3), and how much to ask (10).

use std::time::Duration;

use guide::majordomo::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let broker = argument("tcp://localhost:5555");
    let service = argument("echo");
    let timeout = Duration::from_millis(argument("2500").parse()?);
    let tries = argument("3").parse()?;

    let client = Client::connect(&broker, timeout, tries)?;
    let found = client.request("mmi.service", service.as_str()).await?;
    println!("{service}: {}", found.as_str()?);
    for number in 1..=argument("10").parse::<u32>()? {
        let answer = client
            .request(service.as_str(), format!("Hello {number}"))
            .await?;
        println!("Hello {number}: {}", answer.as_str()?);
    }
    Ok(())
}
