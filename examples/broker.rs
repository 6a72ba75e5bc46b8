//! A broker: clients of any number ask at the one endpoint, workers of any number answer at the other, and a proxy
//! joins them. The hello_client asks, and the hello_server answers if it connects: here one does, in this
//! program. Type:
//!
//!     cargo run --example broker
//!
//! Other endpoints can be given: the clients' (tcp://*:5555) and the workers' (tcp://*:5556). Ctrl-C drains it: what was
//! asked is answered, and it says what it has moved.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Proxy, RepSocket, RouterSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let clients_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5555".to_owned());
    let workers_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5556".to_owned());

    let mut clients = RouterSocket::new();
    let clients_at = clients.bind(clients_at.as_str()).await?;
    let mut workers = DealerSocket::new();
    let workers_at = workers.bind(workers_at.as_str()).await?;
    println!("clients connect to {clients_at}, workers to {workers_at}");

    let mut worker = RepSocket::new();
    worker.connect(&workers_at)?;
    tokio::spawn(async move {
        while let Ok(question) = worker.recv().await {
            let answer = format!("{} to you, too", question.as_str().unwrap_or("whatever"));
            if worker.send(answer).await.is_err() {
                break;
            }
        }
    });

    let mut broker = Proxy::new(clients, workers);
    let handle = broker.handle();
    let steering = handle.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            steering.drain(Duration::from_secs(30));
        }
    });
    broker.run().await;
    let (clients, workers) = broker.into_parts();
    clients.close().await;
    workers.close().await;
    let moved = handle.statistics();
    println!(
        "{} questions, {} answers",
        moved.frontend.messages_in, moved.frontend.messages_out
    );
    Ok(())
}
