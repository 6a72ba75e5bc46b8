//! The shape of a request broker: REQ clients, a ROUTER and a DEALER joined, REP workers. A worker is killed
//! with a request in its hands; its clients ask again, and none of them misses a reply or has one twice.
//! Each side in turn is pyzmq's (`tests/peers/broker.py`): the broker, or all others.

use std::time::Duration;

use common::place::{Place, Transport};
use common::python::Program;
use common::within;
use futures::future::join_all;
use purezmq::{DealerSocket, Message, RepSocket, ReqSocket, Routed, RouterSocket};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Requests of each client.
const REQUESTS: usize = 100;
/// Requests that the worker serves which is killed at the next one.
const SERVED: usize = 5;
/// How long a client waits before it asks again.
const AGAIN: Duration = Duration::from_millis(300);

trait Broker: Sized {
    async fn start(front: &str, back: &str) -> Self;
}

trait Worker: Sized {
    /// Answers so many requests with its name, and keeps the next one without an answer.
    async fn start(back: &str, name: &str, served: usize) -> Self;
    /// Waits until it keeps one.
    async fn held(&mut self);
    async fn kill(self);
}

trait Client: Sized {
    async fn start(front: &str) -> Self;
    /// Asks "request 0" and so on, each until it is answered.
    async fn ask(&mut self, count: usize) -> Vec<String>;
}

async fn session<B: Broker, W: Worker, C: Client>() {
    let front = Place::fixed(Transport::Tcp4).endpoint;
    let back = Place::fixed(Transport::Tcp4).endpoint;
    let _broker = B::start(&front, &back).await;
    let mut workers = Vec::new();
    for name in ["a", "b"] {
        workers.push(W::start(&back, name, usize::MAX >> 1).await);
    }
    let mut doomed = W::start(&back, "doomed", SERVED).await;
    let ask = join_all((0..3).map(|_| async {
        let mut client = C::start(&front).await;
        client.ask(REQUESTS).await
    }));
    let death = async {
        doomed.held().await;
        doomed.kill().await;
    };
    let (answers, ()) = within("all replies", async { tokio::join!(ask, death) }).await;
    let mut by_doomed = 0;
    for replies in answers {
        assert_eq!(replies.len(), REQUESTS);
        for (number, reply) in replies.iter().enumerate() {
            let (name, request) = reply.split_once(": ").expect("name and request");
            assert_eq!(
                request,
                format!("request {number}"),
                "the reply to this one"
            );
            by_doomed += usize::from(name == "doomed");
        }
    }
    // A reply that takes longer than its client waits is asked for again, and discarded.
    assert!(by_doomed <= SERVED, "{by_doomed}");
}

#[tokio::test]
async fn our_broker_with_their_workers_and_clients() {
    session::<OurBroker, Program, Program>().await;
}

#[tokio::test]
async fn their_broker_with_our_workers_and_clients() {
    session::<Program, OurWorker, ReqSocket>().await;
}

// ---------------------------------------------------------------- theirs

impl Broker for Program {
    async fn start(front: &str, back: &str) -> Self {
        let mut program = Program::start("broker.py");
        let order = json!({ "do": "broker", "front": front, "back": back });
        program.call(order).await;
        program
    }
}

impl Worker for Program {
    async fn start(back: &str, name: &str, served: usize) -> Self {
        let mut program = Program::start("broker.py");
        let order = json!({ "do": "worker", "back": back, "name": name, "served": served });
        program.call(order).await;
        program
    }

    async fn held(&mut self) {
        self.call(json!({ "do": "held" })).await;
    }

    async fn kill(self) {
        Program::kill(self).await;
    }
}

impl Client for Program {
    async fn start(front: &str) -> Self {
        let mut program = Program::start("broker.py");
        program
            .call(json!({ "do": "client", "front": front }))
            .await;
        program
    }

    async fn ask(&mut self, count: usize) -> Vec<String> {
        let replies = self.call(json!({ "do": "ask", "count": count })).await;
        serde_json::from_value(replies).expect("a list of texts")
    }
}

// ---------------------------------------------------------------- ours

struct OurBroker {
    task: JoinHandle<()>,
}

impl Drop for OurBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broker for OurBroker {
    async fn start(front: &str, back: &str) -> Self {
        let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
        clients.bind(front).await.unwrap();
        workers.bind(back).await.unwrap();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    request = clients.recv() => {
                        workers.send(Message::from(request.unwrap())).await.unwrap();
                    }
                    reply = workers.recv() => {
                        clients.send(Routed::from(reply.unwrap())).await.unwrap();
                    }
                }
            }
        });
        OurBroker { task }
    }
}

struct OurWorker {
    task: JoinHandle<()>,
    holds: Option<oneshot::Receiver<()>>,
}

impl Worker for OurWorker {
    async fn start(back: &str, name: &str, served: usize) -> Self {
        let mut socket = RepSocket::builder().linger(Duration::ZERO).build().unwrap();
        socket.connect(back).unwrap();
        let name = name.to_owned();
        let (held, holds) = oneshot::channel();
        let task = tokio::spawn(async move {
            for _ in 0..served {
                let request = socket.recv().await.unwrap();
                let reply = format!("{name}: {}", request.as_str().unwrap());
                socket.send(reply).await.unwrap();
            }
            let _kept = socket.recv().await.unwrap();
            held.send(()).expect("the test waits for it");
            std::future::pending::<()>().await;
        });
        OurWorker {
            task,
            holds: Some(holds),
        }
    }

    async fn held(&mut self) {
        let holds = self.holds.take().expect("asked once");
        within("a request is held", holds).await.expect("it runs");
    }

    async fn kill(mut self) {
        self.task.abort();
        let ended = (&mut self.task).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
}

impl Drop for OurWorker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client for ReqSocket {
    async fn start(front: &str) -> Self {
        let builder = ReqSocket::builder().relaxed(true).correlate(true);
        let mut socket = builder.build().unwrap();
        socket.connect(front).unwrap();
        socket
    }

    async fn ask(&mut self, count: usize) -> Vec<String> {
        let mut replies = Vec::new();
        for number in 0..count {
            let reply = loop {
                self.send(format!("request {number}")).await.unwrap();
                if let Ok(reply) = timeout(AGAIN, self.recv()).await {
                    break reply.unwrap();
                }
            };
            replies.push(reply.as_str().unwrap().to_owned());
        }
        replies
    }
}
