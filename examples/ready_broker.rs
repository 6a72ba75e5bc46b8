//! A broker whose workers say when they are ready: each has one request at a time, and a slow one holds up nobody. The
//! hello_client asks; two workers are in this program, of which one is slow. Type:
//!
//!     cargo run --example ready_broker
//!
//! Other endpoints can be given: the clients' (tcp://*:5555) and the workers' (tcp://*:5556). Ctrl-C or SIGTERM drains it:
//! what was asked is answered, and clients that are connected to another broker, too, go on there.

use std::error::Error;
use std::time::Duration;

use purezmq::{Broker, DealerSocket, Endpoint, Message, Routed};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let clients_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5555".to_owned());
    let workers_at = arguments
        .next()
        .unwrap_or_else(|| "tcp://*:5556".to_owned());

    let mut broker = Broker::new().tell_lost("the worker has gone: ask again");
    let clients_at = broker.clients().bind(clients_at.as_str()).await?;
    let workers_at = broker.workers().bind(workers_at.as_str()).await?;
    println!("clients connect to {clients_at}, workers to {workers_at}");

    for pause in [Duration::ZERO, Duration::from_millis(100)] {
        let worker = work(workers_at.clone(), pause);
        tokio::spawn(async move {
            if let Err(error) = worker.await {
                println!("a worker ends: {error}");
            }
        });
    }

    let handle = broker.handle();
    let steering = handle.clone();
    tokio::spawn(async move {
        if told_to_end().await.is_ok() {
            steering.drain(Duration::from_secs(30));
        }
    });
    broker.run().await;
    let [clients, _] = broker.close().await;
    let done = handle.statistics();
    println!(
        "{} questions, {} answers, {} lost with workers, {} unread",
        done.traffic.frontend.messages_in,
        done.traffic.frontend.messages_out,
        done.lost,
        clients.unread
    );
    Ok(())
}

/// Says by its probe that it is ready, whenever it is connected, and then by each answer.
async fn work(broker: Endpoint, pause: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut worker = DealerSocket::builder().probe_router(true).build()?;
    worker.connect(&broker)?;
    loop {
        let request = Routed::from(worker.recv().await?);
        tokio::time::sleep(pause).await;
        let question = request.body().next().unwrap_or_default();
        let answer = format!("{} to you, too", String::from_utf8_lossy(question));
        worker.send(Message::from(request.respond(answer))).await?;
    }
}

/// Waits for Ctrl-C, or what service managers send.
async fn told_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
