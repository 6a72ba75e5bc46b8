//! A yardstick that is not ZeroMQ: gRPC by tonic, with messages of prost. Who binds is the server.
//!
//! PUSH and PULL are one call that streams from the client to the server, REQ and REP a plain (unary) call for each round
//! trip, PUB and SUB a call for each subscriber, with a connection of its own, that streams from the server to the client.
//! Mode `ct`: a current-thread runtime; default: tokio's multi-thread one.

use bytes::Bytes;
use common::*;
use futures_util::{stream, Stream};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, Notify};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

// What build.rs has written.
include!(concat!(env!("OUT_DIR"), "/bench.Bench.rs"));
use bench_client::BenchClient;
use bench_server::{Bench, BenchServer};

const NAME: &str = "tonic";
const VERSION: &str = env!("RIVAL_VERSION");
/// Messages between the publisher and the call of one subscriber. A publisher waits for room: nothing is lost.
const QUEUE: usize = 1024;

/// What is sent: `message Note { bytes data = 1; }`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Note {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

/// An answer, or a request, that says nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Nothing {}

/// Makes `count` messages as they are asked for.
fn notes(source: Source<Bytes>, count: u64) -> impl Stream<Item = Note> + Send {
    stream::unfold((source, count), |(mut source, left)| async move {
        let left = left.checked_sub(1)?;
        let data = source.waited().await;
        Some((Note { data }, (source, left)))
    })
}

type Subscriber = mpsc::Sender<Result<Note, Status>>;

/// The server's side of all calls.
struct Service {
    a: Args,
    echoed: AtomicU64,
    subscribers: Arc<Mutex<Vec<Subscriber>>>,
    done: Arc<Notify>,
}

#[tonic::async_trait]
impl Bench for Service {
    async fn push(&self, request: Request<Streaming<Note>>) -> Result<Response<Nothing>, Status> {
        let mut notes = request.into_inner();
        let mut meter = Meter::new(&self.a);
        while let Some(note) = notes.message().await? {
            if meter.msg(&note.data) {
                meter.report(&self.a, NAME, VERSION);
                self.done.notify_one();
            }
        }
        Ok(Response::new(Nothing {}))
    }

    async fn echo(&self, request: Request<Note>) -> Result<Response<Note>, Status> {
        if self.echoed.fetch_add(1, Ordering::Relaxed) + 1 == self.a.total() {
            self.done.notify_one();
        }
        Ok(Response::new(request.into_inner()))
    }

    type SubscribeStream = ReceiverStream<Result<Note, Status>>;

    async fn subscribe(
        &self,
        _: Request<Nothing>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (subscriber, notes) = mpsc::channel(QUEUE);
        self.subscribers.lock().unwrap().push(subscriber);
        Ok(Response::new(ReceiverStream::new(notes)))
    }
}

async fn client(a: &Args) -> BenchClient<Channel> {
    attaching();
    BenchClient::connect(a.endpoint().replace("tcp://", "http://"))
        .await
        .unwrap()
}

fn main() {
    let a = Args::parse(NAME, VERSION);
    let ctl = Ctl::start(&a);
    let rt = if a.mode == "ct" {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    rt.block_on(run(&a, &ctl));
    std::process::exit(0);
}

async fn run(a: &Args, ctl: &Ctl) {
    match a.role.as_str() {
        "pull" | "lat-rep" | "rep" | "pub" => serve(a, ctl).await,
        "push" => {
            let mut client = client(a).await;
            let u0 = Usage::now();
            client.push(notes(Source::new(a), a.total())).await.unwrap();
            hold_async!(ctl, tokio::time::sleep);
            sender_report(a, NAME, VERSION, u0);
        }
        "sub" => subscribers(a).await,
        "lat-req" | "req" => {
            let mut client = client(a).await;
            let mut source = Source::new(a);
            let mut lat = Lat::new(a);
            loop {
                let data = source.next();
                lat.begin();
                let reply = client.echo(Note { data }).await.unwrap().into_inner();
                if lat.end(&reply.data) {
                    break;
                }
            }
            lat.report(a, NAME, VERSION);
        }
        r => die(&format!("{r}: not in the tonic peer")),
    }
}

/// Answers calls until all of them are done, and then holds.
async fn serve(a: &Args, ctl: &Ctl) {
    attaching();
    let address = a.endpoint().trim_start_matches("tcp://").parse().unwrap();
    let incoming = TcpIncoming::bind(address).unwrap().with_nodelay(Some(true));
    let (subscribers, done) = (Arc::default(), Arc::new(Notify::new()));
    let service = Service {
        a: a.clone(),
        echoed: AtomicU64::new(0),
        subscribers: Arc::clone(&subscribers),
        done: Arc::clone(&done),
    };
    tokio::spawn(
        Server::builder()
            .add_service(BenchServer::new(service))
            .serve_with_incoming(incoming),
    );
    ready();
    if a.role == "pub" {
        // It goes on until a queue is full. On one thread tokio would otherwise have it stop after every fourth message to
        // 32 subscribers.
        tokio::task::unconstrained(publish(a, ctl, &subscribers)).await;
    } else {
        done.notified().await;
        hold_async!(ctl, tokio::time::sleep);
    }
}

async fn publish(a: &Args, ctl: &Ctl, subscribers: &Mutex<Vec<Subscriber>>) {
    while !ctl.go() {
        for subscriber in subscribers.lock().unwrap().iter() {
            // Who has no room has probes enough.
            let _ = subscriber.try_send(Ok(Note {
                data: Bytes::from_static(&[0; PROBE]),
            }));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let subscribers = subscribers.lock().unwrap().clone();
    let mut source = Source::new(a);
    let u0 = Usage::now();
    for _ in 0..a.total() {
        let data = source.waited().await;
        let note = Note { data };
        for subscriber in &subscribers {
            let _ = subscriber.send(Ok(note.clone())).await;
        }
    }
    hold_async!(ctl, tokio::time::sleep);
    sender_report(a, NAME, VERSION, u0);
}

async fn subscribers(a: &Args) {
    let meter = Rc::new(RefCell::new(SubMeter::new(a)));
    let (tx, mut rx) = mpsc::unbounded_channel::<()>();
    let local = tokio::task::LocalSet::new();
    for i in 0..a.peers {
        let mut client = client(a).await;
        let mut notes = client.subscribe(Nothing {}).await.unwrap().into_inner();
        let (meter, tx) = (meter.clone(), tx.clone());
        local.spawn_local(async move {
            while let Some(note) = notes.message().await.unwrap() {
                if meter.borrow_mut().msg(i, &note.data) {
                    let _ = tx.send(());
                }
            }
        });
    }
    let until_done = async {
        let mut before = 0;
        loop {
            let done = tokio::time::timeout(Duration::from_secs(3), rx.recv())
                .await
                .is_ok();
            let now = meter.borrow().progress();
            if done || (now > 0 && now == before) {
                return;
            }
            before = now;
        }
    };
    local.run_until(until_done).await;
    meter.borrow_mut().report(a, NAME, VERSION);
}
