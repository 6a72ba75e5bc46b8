//! Simple pirate: a queue between clients that ask again and workers that come and go. Each question goes to the worker that
//! has been ready for longest. Type, in three terminals or more, in any order:
//!
//!     cargo run --example simple_pirate_queue
//!     cargo run --example simple_pirate_worker -- tcp://localhost:5556 one
//!     cargo run --example lazy_pirate_client
//!
//! To break: kill a worker, or have it be late (its first lines say how). The client asks again, and another worker answers.
//! What this pattern does not survive is the end of the queue: its workers wait for it in vain. See paranoid_pirate_queue.
//!
//! The queue is what the library calls a `Broker`. It could do more: `tell_lost` answers a client whose worker has gone, so
//! that it need not wait; `repeat_lost` gives the question to another worker; `drain` ends it in peace (ready_broker).

use std::error::Error;

use purezmq::Broker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());

    let mut broker = Broker::new();
    let clients_at = argument("tcp://*:5555");
    let clients_at = broker.clients().bind(clients_at.as_str()).await?;
    let workers_at = argument("tcp://*:5556");
    let workers_at = broker.workers().bind(workers_at.as_str()).await?;
    println!("clients connect to {clients_at}, workers to {workers_at}");
    broker.run().await;
    Ok(())
}
