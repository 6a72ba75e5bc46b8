//! Paranoid pirate, a worker: it notices when the queue dies or hangs, and is ready again as soon as there is one.
//! paranoid_pirate_queue says what to type. Arguments are the queue's endpoint (tcp://localhost:5556), the worker's name,
//! and the interval of its heartbeats (1000 ms).
//!
//! To break: `kill -STOP` the queue, and `kill -CONT` it; or kill it, and start it again.
//!
//! The socket dials again by itself, with growing delays, and `probe_router` says at each new connection that the worker is
//! ready. A DEALER is never stuck with an answer that nobody takes, as a REQ would be.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Message, Monitor, MonitorEventKind, Routed};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://localhost:5556");
    let name = argument("a worker");
    let interval = Duration::from_millis(argument("1000").parse()?);

    let mut socket = DealerSocket::builder()
        .routing_id(&name)
        .probe_router(true)
        .heartbeat_interval(interval)
        .heartbeat_timeout(interval * 3)
        .build()?;
    tokio::spawn(tell(socket.monitor()));
    socket.connect(endpoint.as_str())?;
    loop {
        // The client's name stands in front, and goes back with the answer.
        let asked = Routed::from(socket.recv().await?);
        let question = String::from_utf8_lossy(asked.body().next().unwrap_or_default());
        println!("asked: {question}");
        let answer = asked.respond(format!("{question} to you, too, says {name}"));
        socket.send(Message::from(answer)).await?;
    }
}

/// Says when the queue comes and goes.
async fn tell(mut queue: Monitor) {
    while let Some(event) = queue.recv().await {
        match event.kind {
            MonitorEventKind::HandshakeSucceeded => println!("the queue is there"),
            MonitorEventKind::Disconnected(reason) => println!("the queue has gone: {reason}"),
            _ => {}
        }
    }
}
