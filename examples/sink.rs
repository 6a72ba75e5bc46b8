//! Pipeline, last stage: collects the results of all workers. See ventilator.rs for the whole. Type:
//!
//!     cargo run --example sink
//!
//! Another endpoint than tcp://*:5558 can be given.

use std::error::Error;
use std::time::{Duration, Instant};

use purezmq::PullSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "tcp://*:5558".to_owned());
    let mut socket = PullSocket::new();
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);

    // The ventilator says how many results there will be. A quick worker's may come before that.
    let (mut expected, mut results, mut work) = (None, 0, Duration::ZERO);
    let started = Instant::now();
    while expected != Some(results) {
        let message = socket.recv().await?;
        let number: u64 = message.as_str()?.parse()?;
        if number == 100 {
            expected = Some(number);
        } else {
            results += 1;
            work += Duration::from_millis(number);
        }
    }
    println!(
        "{results} results: {work:?} of work in {:?}",
        started.elapsed()
    );
    Ok(())
}
