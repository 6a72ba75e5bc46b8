//! Publish-subscribe, the publishing side: invents the weather of all places, a thousand times a
//! second. Type, in two terminals, in any order:
//!
//!     cargo run --example weather_publisher
//!     cargo run --example weather_subscriber
//!
//! Another endpoint than tcp://*:5556 can be given to both. Runs until it is stopped with Ctrl-C.

use std::error::Error;
use std::time::Duration;

use purezmq::PubSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://*:5556".to_owned());
    let mut socket = PubSocket::new();
    println!("publishing on {}", socket.bind(endpoint.as_str()).await?);
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut chance: u64 = 88_172_645_463_325_252;
    let mut below = |limit: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % limit
    };
    loop {
        tick.tick().await;
        let (place, temperature, humidity) = (10_000 + below(10), below(45), 20 + below(80));
        // Never waits: without a subscriber for this place the message is dropped.
        socket
            .send(format!("{place} {temperature} {humidity}"))
            .await?;
    }
}
