//! A libzmq socket (the `zmq` crate) that lives in a thread of its own.
//!
//! libzmq's calls block, and its sockets must stay with one thread. So the test hands closures to
//! that thread and awaits what they return. Timeouts are libzmq's own (`SNDTIMEO`, `RCVTIMEO`).

use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::payload::{Digest, Recipe, frames};
use super::peer::Peer;
use super::{PATIENCE, within};

type Job = Box<dyn FnOnce(&zmq::Socket) + Send>;

/// A libzmq socket in a thread. Closed, with nothing lingering, when dropped.
pub struct Libzmq {
    jobs: mpsc::Sender<Job>,
}

impl Libzmq {
    pub fn new(kind: zmq::SocketType) -> Libzmq {
        Libzmq::with(kind, |_, _| ())
    }

    /// A socket with its monitor: all events, as libzmq sends them, up to "monitor stopped".
    pub fn monitored(kind: zmq::SocketType) -> (Libzmq, UnboundedReceiver<Told>) {
        let (teller, told) = unbounded_channel();
        let start = move |context: &zmq::Context, socket: &zmq::Socket| {
            socket
                .monitor("inproc://monitor", zmq::SocketEvent::ALL as i32)
                .expect("monitor");
            let monitor = context.socket(zmq::PAIR).expect("libzmq socket");
            monitor.connect("inproc://monitor").expect("connect");
            thread::spawn(move || {
                loop {
                    let frames = recv(&monitor);
                    let event = Told::parse(&frames);
                    let is_last = event.number == zmq::SocketEvent::MONITOR_STOPPED as u16;
                    let _ = teller.send(event);
                    if is_last {
                        return;
                    }
                }
            });
        };
        (Libzmq::with(kind, start), told)
    }

    fn with(
        kind: zmq::SocketType,
        start: impl FnOnce(&zmq::Context, &zmq::Socket) + Send + 'static,
    ) -> Libzmq {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || {
            let context = zmq::Context::new();
            let socket = context.socket(kind).expect("libzmq socket");
            start(&context, &socket);
            let patience = PATIENCE.as_millis() as i32;
            socket.set_linger(0).expect("linger");
            socket.set_ipv6(true).expect("ipv6");
            socket.set_sndtimeo(patience).expect("send timeout");
            socket.set_rcvtimeo(patience).expect("receive timeout");
            for job in queue {
                job(&socket);
            }
        });
        Libzmq { jobs }
    }

    /// Runs `job` with the socket, after those that were handed in before it.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&zmq::Socket) -> T + Send + 'static,
    ) -> T {
        let (answer, result) = oneshot::channel();
        self.jobs
            .send(Box::new(move |socket| drop(answer.send(job(socket)))))
            .expect("the libzmq thread has panicked: its message is above");
        within("libzmq", result)
            .await
            .expect("a libzmq call failed: its message is above")
    }
}

/// What libzmq's monitor says: man zmq_socket_monitor, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub number: u16,
    pub value: u32,
    pub endpoint: String,
}

impl Told {
    fn parse(frames: &[Vec<u8>]) -> Told {
        let [event, endpoint] = frames else {
            panic!("an event has two frames: {frames:?}");
        };
        let (number, value) = event.split_at(2);
        Told {
            number: u16::from_ne_bytes(number.try_into().expect("two bytes")),
            value: u32::from_ne_bytes(value.try_into().expect("four bytes")),
            endpoint: String::from_utf8(endpoint.clone()).expect("endpoints are text"),
        }
    }
}

/// Returns libzmq's number of a socket type.
pub fn socket_type(kind: &str) -> zmq::SocketType {
    match kind {
        "REQ" => zmq::REQ,
        "REP" => zmq::REP,
        "DEALER" => zmq::DEALER,
        "ROUTER" => zmq::ROUTER,
        "PUB" => zmq::PUB,
        "SUB" => zmq::SUB,
        "XPUB" => zmq::XPUB,
        "XSUB" => zmq::XSUB,
        "PAIR" => zmq::PAIR,
        "PUSH" => zmq::PUSH,
        "PULL" => zmq::PULL,
        _ => panic!("no socket type {kind}"),
    }
}

impl Peer for Libzmq {
    async fn open(kind: &str) -> Libzmq {
        Libzmq::new(socket_type(kind))
    }

    async fn bind(&mut self, endpoint: &str) -> String {
        let endpoint = endpoint.to_owned();
        self.run(move |socket| {
            socket
                .bind(&endpoint)
                .unwrap_or_else(|error| panic!("libzmq bind {endpoint}: {error}"));
            let resolved = socket.get_last_endpoint().expect("last endpoint");
            resolved.expect("endpoints are text")
        })
        .await
    }

    async fn connect(&mut self, endpoint: &str) {
        let endpoint = endpoint.to_owned();
        self.run(move |socket| {
            socket
                .connect(&endpoint)
                .unwrap_or_else(|error| panic!("libzmq connect {endpoint}: {error}"));
        })
        .await
    }

    async fn subscribe(&mut self, topic: &str) {
        let topic = topic.to_owned();
        self.run(move |socket| socket.set_subscribe(topic.as_bytes()).expect("subscribe"))
            .await
    }

    async fn send(&mut self, recipes: &[Recipe]) -> Vec<Digest> {
        let recipes = recipes.to_vec();
        self.run(move |socket| recipes.iter().map(|recipe| send(socket, recipe)).collect())
            .await
    }

    async fn recv(&mut self, count: usize) -> Vec<Digest> {
        self.run(move |socket| (0..count).map(|_| Digest::of(recv(socket))).collect())
            .await
    }

    async fn echo(&mut self, count: usize) -> Vec<Digest> {
        self.run(move |socket| {
            let echo = |_| {
                let frames = recv(socket);
                socket.send_multipart(&frames, 0).expect("libzmq send");
                Digest::of(frames)
            };
            (0..count).map(echo).collect()
        })
        .await
    }

    async fn request(&mut self, recipes: &[Recipe]) -> Vec<Digest> {
        let recipes = recipes.to_vec();
        self.run(move |socket| {
            recipes
                .iter()
                .flat_map(|recipe| [send(socket, recipe), Digest::of(recv(socket))])
                .collect()
        })
        .await
    }
}

fn send(socket: &zmq::Socket, recipe: &Recipe) -> Digest {
    let frames = frames(recipe);
    socket.send_multipart(&frames, 0).expect("libzmq send");
    Digest::of(frames)
}

fn recv(socket: &zmq::Socket) -> Vec<Vec<u8>> {
    socket.recv_multipart(0).expect("libzmq receive")
}
