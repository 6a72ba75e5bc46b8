//! Majordomo: services by name. Workers say what they do, clients what they want, and one broker brings them together
//! (RFC 7); the service `mmi.service` says whether there is a service (RFC 8). Type, in three terminals or more:
//!
//!     cargo run --example majordomo_broker
//!     cargo run --example majordomo_worker -- tcp://localhost:5555 echo one
//!     cargo run --example majordomo_client -- tcp://localhost:5555 echo
//!
//! To break: kill and restart any of them, or stop one with `kill -STOP`. A worker that has gone, or says nothing for
//! three heartbeats (2500 ms, the second argument), is asked nothing; its client asks again.
//!
//! Heartbeats are messages here, sent by the application's own loop: they say that the application lives, not only its
//! process. That a connection has ended, the option `notify` tells at once. For a single service there is less to write:
//! the library's `Broker`, in simple_pirate_queue and ready_broker.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use guide::majordomo::{Error, LIVENESS, ServiceMessage, WorkerMessage, split_address};
use purezmq::{Frame, Message, Routed, RouterEvent, RouterSocket, RoutingId};
use tokio::time::{Instant, interval};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let endpoint = argument("tcp://*:5555");
    let heartbeat = Duration::from_millis(argument("2500").parse()?);

    let mut socket = RouterSocket::builder().notify(true).build()?;
    println!("listening on {}", socket.bind(endpoint.as_str()).await?);
    let mut broker = Broker::default();
    let mut beats = interval(heartbeat);
    loop {
        tokio::select! {
            event = socket.recv() => match event? {
                RouterEvent::Message(routed) => broker.hear(routed),
                RouterEvent::Connected(_) => {}
                RouterEvent::Disconnected(peer) => broker.forget(&peer),
            },
            _ = beats.tick() => broker.beat(heartbeat * LIVENESS),
        }
        for message in broker.to_send.drain(..) {
            socket.send(message).await?;
        }
    }
}

#[derive(Default)]
struct Broker {
    services: HashMap<Frame, Service>,
    workers: HashMap<RoutingId, Worker>,
    to_send: Vec<Routed>,
}

#[derive(Default)]
struct Service {
    ready: VecDeque<RoutingId>,
    /// Each with the address of its client.
    requests: VecDeque<(Message, Message)>,
}

struct Worker {
    service: Frame,
    heard: Instant,
    has_request: bool,
}

impl Broker {
    fn hear(&mut self, Routed { peer, mut message }: Routed) {
        let mut address = split_address(&mut message);
        if let Some(asked) = ServiceMessage::parse(message.clone()) {
            address.push_front(peer);
            self.ask(address, asked);
        } else if let Some(said) = WorkerMessage::parse(message) {
            self.hear_worker(peer, said);
        }
    }

    fn ask(&mut self, client: Message, ServiceMessage { service, body }: ServiceMessage) {
        if service.starts_with(b"mmi.") {
            let mut workers = self.workers.values();
            let code = match service == "mmi.service" {
                true if workers.any(|worker| body == worker.service) => "200",
                true => "404",
                false => "501",
            };
            return self.answer(client, service, code.into());
        }
        let requests = &mut self.services.entry(service.clone()).or_default().requests;
        // Asked again, it is not done twice.
        requests.retain(|(other, _)| *other != client);
        requests.push_back((client, body));
        self.hand_out(&service);
    }

    fn answer(&mut self, mut client: Message, service: Frame, body: Message) {
        let peer = client.pop_front().unwrap_or_default();
        let answer = ServiceMessage { service, body }.to(client);
        self.to_send.push(Routed::from((peer, answer)));
    }

    fn hear_worker(&mut self, peer: RoutingId, said: WorkerMessage) {
        if let Some(worker) = self.workers.get_mut(&peer) {
            worker.heard = Instant::now();
        }
        match (said, self.workers.get_mut(&peer)) {
            (WorkerMessage::Heartbeat, Some(_)) => {}
            (WorkerMessage::Ready(name), Some(worker)) if name == worker.service => {}
            (WorkerMessage::Ready(service), None) if !service.starts_with(b"mmi.") => {
                println!("ready: {}", service.escape_ascii());
                self.rest(peer, service);
            }
            (WorkerMessage::Reply(client, body), Some(worker)) if worker.has_request => {
                let service = worker.service.clone();
                self.answer(client, service.clone(), body);
                self.rest(peer, service);
            }
            (WorkerMessage::Disconnect, _) => self.forget(&peer),
            // Who is not known, or confused, is told to begin anew.
            _ => self.dismiss(&peer),
        }
    }

    /// Has a worker wait for the next request.
    fn rest(&mut self, peer: RoutingId, service: Frame) {
        let line = &mut self.services.entry(service.clone()).or_default().ready;
        line.push_back(peer.clone());
        let worker = Worker {
            service: service.clone(),
            heard: Instant::now(),
            has_request: false,
        };
        self.workers.insert(peer, worker);
        self.hand_out(&service);
    }

    fn hand_out(&mut self, service: &Frame) {
        let line = self.services.entry(service.clone()).or_default();
        if let Some(peer) = line.ready.front()
            && let Some(worker) = self.workers.get_mut(peer)
            && let Some((client, body)) = line.requests.pop_front()
        {
            worker.has_request = true;
            let request = WorkerMessage::Request(client, body);
            self.to_send.push(Routed::from((peer, request)));
            line.ready.pop_front();
        }
    }

    fn beat(&mut self, patience: Duration) {
        let all: Vec<RoutingId> = self.workers.keys().cloned().collect();
        for peer in all {
            if self.workers[&peer].heard.elapsed() > patience {
                self.dismiss(&peer);
            } else {
                self.to_send.push((peer, WorkerMessage::Heartbeat).into());
            }
        }
    }

    fn dismiss(&mut self, peer: &RoutingId) {
        self.forget(peer);
        self.to_send.push((peer, WorkerMessage::Disconnect).into());
    }

    /// Forgets a worker, and the request that it had; or what a client had asked.
    fn forget(&mut self, peer: &RoutingId) {
        if let Some(worker) = self.workers.remove(peer) {
            println!("gone: {}", worker.service.escape_ascii());
        }
        self.services.retain(|_, line| {
            line.ready.retain(|other| other != peer);
            line.requests
                .retain(|(client, _)| client.first() != Some(peer));
            !line.ready.is_empty() || !line.requests.is_empty()
        });
    }
}
