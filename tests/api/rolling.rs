//! Brokers that are replaced one after the other, under load: each is a process that gets SIGTERM, drains, and ends, and
//! another takes its place. Clients are connected to all of them. No question is lost, and none is answered twice.
//!
//! With a thousand clients it is an ignored test, which `scripts/rolling` runs.

#![cfg(unix)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::place::{Place, Transport};
use common::{until, within};
use purezmq::{CloseReport, DealerSocket, Proxy, RepSocket, ReqSocket, RouterSocket};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::helper::Helper;

const BROKERS: usize = 3;
const WORKERS: usize = 4;

/// How long a broker may take to drain. It is done long before.
const LIMIT: Duration = Duration::from_secs(60);

/// Set for one that asks ready workers.
const READY: &str = "PUREZMQ_READY_WORKERS";
const FRONT: &str = "PUREZMQ_FRONT";
const BACK: &str = "PUREZMQ_BACK";

/// What kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Proxy,
    Ready,
}

/// A broker in a process of its own.
struct Broker(Helper);

impl Broker {
    async fn start(kind: Kind, front: &Place, back: &Place) -> Self {
        let mut variables = vec![(FRONT, &*front.endpoint), (BACK, &*back.endpoint)];
        if kind == Kind::Ready {
            variables.push((READY, "yes"));
        }
        let mut broker = Broker(Helper::start("rolling::the_broker", variables));
        broker.says("is bound").await;
        broker
    }

    /// Waits for a line that ends so.
    async fn says(&mut self, word: &str) {
        let said = self.0.says(|line| line.ends_with(word).then_some(()));
        within(word, said).await;
    }

    /// Has it drain, and waits for its end.
    async fn replace(mut self) {
        let id = self.0.child.id().expect("it runs");
        let id = Pid::from_raw(id.try_into().expect("an id")).expect("not 0");
        kill_process(id, Signal::TERM).expect("it runs");
        self.says("0 unread, 0 unsent").await;
        let status = within("its end", self.0.child.wait()).await;
        assert!(status.expect("a status").success());
    }
}

#[test]
#[ignore = "it is a broker of the tests here"]
fn the_broker() {
    let (Ok(front), Ok(back)) = (std::env::var(FRONT), std::env::var(BACK)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut told = signal(SignalKind::terminate()).expect("a signal");
        if std::env::var_os(READY).is_some() {
            let mut broker = purezmq::Broker::new();
            broker.clients().bind(front.as_str()).await.expect("bind");
            broker.workers().bind(back.as_str()).await.expect("bind");
            let handle = broker.handle();
            tokio::spawn(async move {
                told.recv().await;
                handle.drain(LIMIT);
            });
            println!("\nis bound");
            broker.run().await;
            return tell(broker.close().await);
        }
        let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
        clients.bind(front.as_str()).await.expect("bind");
        workers.bind(back.as_str()).await.expect("bind");
        let mut proxy = Proxy::new(clients, workers);
        let handle = proxy.handle();
        tokio::spawn(async move {
            told.recv().await;
            handle.drain(LIMIT);
        });
        println!("\nis bound");
        proxy.run().await;
        let (clients, workers) = proxy.into_parts();
        tell([clients.close().await, workers.close().await]);
    });
}

fn tell(reports: [CloseReport; 2]) {
    let unread: usize = reports.iter().map(|report| report.unread).sum();
    let unsent: usize = reports.iter().map(|report| report.unsent).sum();
    println!("\n{unread} unread, {unsent} unsent");
}

/// What is known of all questions.
#[derive(Default)]
struct Ledger {
    /// What its questions begin with. The port of a broker that is being replaced is free for a moment, and somebody of
    /// another test may be there, or come.
    mark: String,
    done: Mutex<HashMap<String, usize>>,
    asked: AtomicUsize,
    answered: AtomicUsize,
    stop: AtomicBool,
}

impl Ledger {
    fn done(&self, question: &str) {
        if !question.starts_with(&self.mark) {
            println!("from another test: {question}");
            return;
        }
        let mut done = self.done.lock().unwrap();
        *done.entry(question.to_owned()).or_default() += 1;
    }

    /// Waits until so many more have been answered.
    async fn goes_on(&self, more: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        until("traffic goes on", || {
            self.answered.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }
}

/// A worker of proxies.
fn work(ledger: &Arc<Ledger>, backs: &[Place]) {
    let mut worker = RepSocket::new();
    for back in backs {
        worker.connect(back.endpoint.as_str()).expect("connect");
    }
    let ledger = ledger.clone();
    tokio::spawn(async move {
        loop {
            let question = worker.recv().await.expect("recv");
            ledger.done(question.as_str().expect("text"));
            worker.send(question).await.expect("send");
        }
    });
}

/// A worker that says when it is ready.
fn work_when_ready(ledger: &Arc<Ledger>, backs: &[Place]) {
    let mut worker = RouterSocket::builder()
        .probe_router(true)
        .build()
        .expect("options");
    for back in backs {
        worker.connect(back.endpoint.as_str()).expect("connect");
    }
    let ledger = ledger.clone();
    tokio::spawn(async move {
        loop {
            let request = worker.recv_message().await.expect("recv");
            let text = request.body().next().expect("a question");
            let text = std::str::from_utf8(text).expect("text");
            ledger.done(text);
            worker.send(request.respond(text)).await.expect("send");
        }
    });
}

async fn ask(ledger: Arc<Ledger>, number: usize, fronts: Arc<Vec<Place>>) {
    let mut client = ReqSocket::new();
    for front in fronts.iter() {
        client.connect(front.endpoint.as_str()).expect("connect");
    }
    for question in 0.. {
        if ledger.stop.load(Ordering::Relaxed) {
            return;
        }
        let question = format!("{} {number} {question}", ledger.mark);
        client.send(question.as_str()).await.expect("send");
        ledger.asked.fetch_add(1, Ordering::Relaxed);
        let answer = client.recv().await.expect("recv");
        assert_eq!(answer, question.as_str());
        ledger.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Replaces each broker while so many clients ask.
async fn roll(kind: Kind, clients: usize) {
    let places = || {
        (0..BROKERS)
            .map(|_| Place::fixed(Transport::Tcp4))
            .collect()
    };
    let (fronts, backs): (Vec<Place>, Vec<Place>) = (places(), places());
    let mut brokers = Vec::new();
    for (front, back) in fronts.iter().zip(&backs) {
        brokers.push(Broker::start(kind, front, back).await);
    }
    let ledger = Arc::new(Ledger {
        mark: format!("{kind:?}"),
        ..Ledger::default()
    });
    for _ in 0..WORKERS {
        match kind {
            Kind::Proxy => work(&ledger, &backs),
            Kind::Ready => work_when_ready(&ledger, &backs),
        }
    }
    let fronts = Arc::new(fronts);
    let asking: Vec<_> = (0..clients)
        .map(|number| tokio::spawn(ask(ledger.clone(), number, fronts.clone())))
        .collect();
    for (number, broker) in brokers.drain(..).enumerate().collect::<Vec<_>>() {
        ledger.goes_on(3 * clients).await;
        broker.replace().await;
        // The others do the work meanwhile.
        ledger.goes_on(clients).await;
        brokers.push(Broker::start(kind, &fronts[number], &backs[number]).await);
    }
    ledger.goes_on(3 * clients).await;
    ledger.stop.store(true, Ordering::Relaxed);
    for client in asking {
        within("each is answered", client).await.expect("a client");
    }
    let asked = ledger.asked.load(Ordering::Relaxed);
    let done = ledger.done.lock().unwrap();
    let lost = asked - ledger.answered.load(Ordering::Relaxed);
    let twice = done.values().filter(|times| **times > 1).count();
    println!("{kind:?}, {clients} clients: {asked} asked, {lost} lost, {twice} done twice");
    assert_eq!((lost, twice, done.len()), (0, 0, asked));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_are_replaced_and_nothing_is_lost_or_done_twice() {
    roll(Kind::Proxy, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_worker_brokers_are_replaced_and_nothing_is_lost_or_done_twice() {
    roll(Kind::Ready, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a thousand clients: scripts/rolling"]
async fn brokers_are_replaced_under_a_thousand_clients() {
    for kind in [Kind::Proxy, Kind::Ready] {
        roll(kind, 1000).await;
    }
}
