//! Publish-subscribe, the subscribing side: averages 20 reports of one place. Type, in two
//! terminals, in any order:
//!
//!     cargo run --example weather_publisher
//!     cargo run --example weather_subscriber
//!
//! Another endpoint than tcp://localhost:5556 can be given to both, and then another place than
//! 10001 (10000 to 10009 have weather).

use std::error::Error;

use purezmq::SubSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments
        .next()
        .unwrap_or_else(|| "tcp://localhost:5556".to_owned());
    let place = arguments.next().unwrap_or_else(|| "10001".to_owned());
    let mut socket = SubSocket::new();
    // A subscription is a prefix of the message: the blank keeps 100010 out.
    socket.subscribe(format!("{place} "));
    socket.connect(endpoint.as_str())?;

    let mut sum = 0;
    for number in 1..=20 {
        let report = socket.recv().await?;
        let temperature = report
            .as_str()?
            .split(' ')
            .nth(1)
            .ok_or("a report without a temperature")?;
        sum += temperature.parse::<i64>()?;
        println!("{number:2}: {temperature} degrees at {place}");
    }
    println!("average: {} degrees at {place}", sum / 20);
    Ok(())
}
