//! Paranoid pirate: the queue and its workers look after each other, by heartbeats both ways. Who hangs is dropped, and
//! taken back when it is well again. Type, in three terminals or more, in any order:
//!
//!     cargo run --example paranoid_pirate_queue
//!     cargo run --example paranoid_pirate_worker -- tcp://localhost:5556 one
//!     cargo run --example lazy_pirate_client
//!
//! To break: kill and restart any of them; stop one with `kill -STOP` and have it go on with `kill -CONT`; pull a cable.
//!
//! No heartbeat is sent by hand. With `heartbeat_interval` the connections do it, below the messages, and a connection that
//! has died of it is an event: the `Broker` drops its worker. This asks whether the process lives and can be reached. Whether
//! the application still does its work, only heartbeats of its own can say: majordomo_broker has those.

use std::error::Error;
use std::time::Duration;

use purezmq::{Broker, Monitor, MonitorEventKind, RouterSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let clients_at = argument("tcp://*:5555");
    let workers_at = argument("tcp://*:5556");
    let interval = Duration::from_millis(argument("1000").parse()?);

    let workers = RouterSocket::builder()
        .heartbeat_interval(interval)
        .heartbeat_timeout(interval * 3)
        .build()?;
    let mut broker = Broker::of(RouterSocket::new(), workers)?;
    tokio::spawn(tell(broker.workers().monitor()));
    let clients_at = broker.clients().bind(clients_at.as_str()).await?;
    let workers_at = broker.workers().bind(workers_at.as_str()).await?;
    println!("clients connect to {clients_at}, workers to {workers_at}");
    broker.run().await;
    Ok(())
}

/// Says which workers come and go.
async fn tell(mut workers: Monitor) {
    while let Some(event) = workers.recv().await {
        let name = event.routing_id.unwrap_or_default();
        let name = name.escape_ascii();
        match event.kind {
            MonitorEventKind::HandshakeSucceeded => println!("has come: {name}"),
            MonitorEventKind::Disconnected(reason) => println!("has gone: {name}, {reason}"),
            _ => {}
        }
    }
}
