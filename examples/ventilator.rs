//! Pipeline, first stage: hands 100 pieces of work to whatever workers are there, in turn. Type, in
//! as many terminals as you like workers and two more:
//!
//!     cargo run --example sink
//!     cargo run --example worker
//!     cargo run --example ventilator
//!
//! Other endpoints can be given: where the workers connect (tcp://*:5557), and the sink's
//! (tcp://localhost:5558).

use std::error::Error;
use std::time::Duration;

use purezmq::PushSocket;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let workers_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5557".to_owned());
    let sink_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://localhost:5558".to_owned());
    let mut workers = PushSocket::new();
    workers.bind(workers_at.as_str()).await?;
    let mut sink = PushSocket::new();
    sink.connect(sink_at.as_str())?;

    println!("Press Enter when the workers are there.");
    BufReader::new(tokio::io::stdin())
        .read_line(&mut String::new())
        .await?;

    sink.send("100").await?;
    let mut total = Duration::ZERO;
    for number in 0..100_u64 {
        // Each piece of work says how many milliseconds it takes.
        let work = 1 + number * 37 % 20;
        total += Duration::from_millis(work);
        workers.send(work.to_string()).await?;
    }
    println!("100 pieces of work, {total:?} in all");
    // Waits until everything is handed to the operating system.
    workers.close().await;
    sink.close().await;
    Ok(())
}
