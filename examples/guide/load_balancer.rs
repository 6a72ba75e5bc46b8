//! Load balancing from ROUTER to ROUTER: a worker says that it is ready, gets one request, and says by its answer that it
//! is ready again. So a slow worker holds up nobody. Type, in four terminals, in any order:
//!
//!     cargo run --example load_balancer -- broker tcp://*:5570 tcp://*:5571
//!     cargo run --example load_balancer -- worker tcp://localhost:5571
//!     cargo run --example load_balancer -- worker tcp://localhost:5571
//!     cargo run --example hello_client tcp://localhost:5570
//!
//! ```text
//!   client ── REQ ──► ROUTER   broker   ROUTER ◄── READY ────────────── ROUTER ── worker
//!                                              ─── client, "", request ──►
//!                                              ◄── client, "", answer ───    and ready again
//! ```
//!
//! The workers are ROUTERs, too: each may connect to several brokers (give it more endpoints), and answers the one that
//! has asked.
//!
//! To break: kill a worker while it has a request, which takes it a second. The broker hears that it has gone, and gives the
//! request to another one: so a request may be carried out twice. `purezmq::Broker` does all this, and drains
//! ([ready_broker](../ready_broker.rs)); here it is by hand.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::time::Duration;

use purezmq::{Message, Routed, RouterEvent, RouterSocket, RoutingId};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["broker", clients, workers] => broker(clients, workers).await,
        ["worker", ref brokers @ ..] if !brokers.is_empty() => worker(brokers).await,
        _ => Err("broker CLIENTS WORKERS, or worker BROKER...".into()),
    }
}

async fn broker(clients_at: &str, workers_at: &str) -> Outcome {
    let mut clients = RouterSocket::new();
    // `notify`: it is told when a worker goes. `mandatory`: it is told that nobody has the name.
    let mut workers = RouterSocket::builder()
        .notify(true)
        .mandatory(true)
        .build()?;
    let clients_at = clients.bind(clients_at).await?;
    let workers_at = workers.bind(workers_at).await?;
    println!("clients connect to {clients_at}, workers to {workers_at}");

    let mut ready: VecDeque<RoutingId> = VecDeque::new();
    let mut busy: HashMap<RoutingId, Message> = HashMap::new();
    // Requests whose workers have gone.
    let mut again: VecDeque<Message> = VecDeque::new();
    loop {
        while !again.is_empty()
            && let Some(worker) = ready.pop_front()
        {
            let request = again.pop_front().expect("there is one");
            give(&mut workers, worker, request, &mut busy, &mut again).await;
        }
        tokio::select! {
            // Without a worker that is ready, requests wait at their clients.
            request = clients.recv_message(), if !ready.is_empty() => {
                let worker = ready.pop_front().expect("one is ready");
                give(&mut workers, worker, request?.into(), &mut busy, &mut again).await;
            }
            event = workers.recv() => match event? {
                RouterEvent::Connected(_) => {}
                RouterEvent::Message(said) => {
                    busy.remove(&said.peer);
                    ready.push_back(said.peer);
                    if said.message.len() > 1 {
                        clients.send(Routed::from(said.message)).await?;
                    }
                }
                RouterEvent::Disconnected(worker) => {
                    ready.retain(|one| *one != worker);
                    if let Some(request) = busy.remove(&worker) {
                        println!("a worker has gone with a request");
                        again.push_back(request);
                    }
                }
            },
        }
    }
}

/// Gives a worker a request, or keeps that for another one.
async fn give(
    workers: &mut RouterSocket,
    worker: RoutingId,
    request: Message,
    busy: &mut HashMap<RoutingId, Message>,
    again: &mut VecDeque<Message>,
) {
    match workers.send_to(&worker, &request).await {
        Ok(()) => drop(busy.insert(worker, request)),
        Err(_) => again.push_front(request),
    }
}

async fn worker(brokers: &[&str]) -> Outcome {
    let mut socket = RouterSocket::builder().notify(true).build()?;
    for (number, broker) in brokers.iter().enumerate() {
        // A ROUTER sends to whom it can name.
        socket.connect_as(*broker, format!("broker {number}"))?;
    }
    loop {
        match socket.recv().await? {
            // Also after each reconnection.
            RouterEvent::Connected(broker) => socket.send_to(broker, "READY").await?,
            RouterEvent::Disconnected(_) => {}
            RouterEvent::Message(request) => {
                let question = request.body().next().unwrap_or_default();
                let question = String::from_utf8_lossy(question).into_owned();
                println!("works on {question}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                socket
                    .send(request.respond(format!("{question} to you, too")))
                    .await?;
            }
        }
    }
}
