//! Pipeline, second stage: takes work, does it, and passes the result on. Start as many as you
//! like; see ventilator.rs for the whole. Type:
//!
//!     cargo run --example worker
//!
//! Other endpoints can be given: the ventilator's (tcp://localhost:5557) and the sink's
//! (tcp://localhost:5558). Runs until it is stopped with Ctrl-C.

use std::error::Error;
use std::time::Duration;

use purezmq::{PullSocket, PushSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let ventilator_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://localhost:5557".to_owned());
    let sink_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://localhost:5558".to_owned());
    let mut ventilator = PullSocket::new();
    ventilator.connect(ventilator_at.as_str())?;
    let mut sink = PushSocket::new();
    sink.connect(sink_at.as_str())?;
    loop {
        let work = ventilator.recv().await?;
        let milliseconds = work.as_str()?.parse()?;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        println!("worked {milliseconds} ms");
        sink.send(work).await?;
    }
}
