//! A proxy that drains: what came goes on, what was asked is answered, and then it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::events::connected;
use common::{until, within};
use purezmq::{
    DealerSocket, Proxy, ProxyEnd, ProxyHandle, PubSocket, PullSocket, PushSocket, RecvError,
    RepSocket, ReqSocket, RouterSocket, SubSocket, ToEndpoint, XPubSocket, XSubSocket, blocking,
};
use tokio::task::JoinHandle;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

/// A broker that runs, and gives its sockets back when it has ended.
struct Broker {
    front: purezmq::Endpoint,
    back: purezmq::Endpoint,
    handle: ProxyHandle,
    running: JoinHandle<(RouterSocket, DealerSocket)>,
}

async fn broker() -> Broker {
    broker_at(ANY_PORT, ANY_PORT).await
}

/// Binds as soon as the places are free.
async fn broker_at(front: impl ToEndpoint, back: impl ToEndpoint) -> Broker {
    let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
    let front = clients.bind(front).await.unwrap();
    let back = workers.bind(back).await.unwrap();
    let mut proxy = Proxy::new(clients, workers);
    Broker {
        front,
        back,
        handle: proxy.handle(),
        running: tokio::spawn(async move {
            proxy.run().await;
            proxy.into_parts()
        }),
    }
}

impl Broker {
    /// Waits for its end, in which nothing may be lost.
    async fn ended(self) {
        let (clients, workers) = within("it is drained", self.running).await.unwrap();
        for (which, report) in [
            ("front", clients.close().await),
            ("back", workers.close().await),
        ] {
            assert_eq!((report.unread, report.unsent), (0, 0), "{which}");
        }
    }
}

/// Runs a proxy in a task.
fn run<F, B>(mut proxy: Proxy<F, B>) -> (ProxyHandle, JoinHandle<()>)
where
    F: ProxyEnd + Send + 'static,
    B: ProxyEnd + Send + 'static,
{
    let handle = proxy.handle();
    let running = tokio::spawn(async move { proxy.run().await });
    (handle, running)
}

fn echo(back: &purezmq::Endpoint) -> JoinHandle<()> {
    let mut worker = RepSocket::new();
    worker.connect(back).unwrap();
    tokio::spawn(async move {
        while let Ok(question) = worker.recv().await {
            worker.send(question).await.unwrap();
        }
    })
}

/// Those who wait are those whose question nobody has taken, whether they have been connected or not. The next broker at
/// the same place answers them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_is_answered_and_the_others_wait() {
    const CLIENTS: usize = 50;
    let first = broker().await;
    let (front, back) = (first.front.clone(), first.back.clone());
    let workers = [echo(&back), echo(&back)];
    let is_replaced = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mut client = ReqSocket::new();
            client.connect(&front).unwrap();
            let is_replaced = is_replaced.clone();
            tokio::spawn(async move {
                for question in 0.. {
                    let is_last = is_replaced.load(Ordering::Relaxed);
                    let question = format!("{number} {question}");
                    client.send(question.as_str()).await.unwrap();
                    assert_eq!(client.recv().await.unwrap(), question.as_str());
                    if is_last {
                        return;
                    }
                }
            })
        })
        .collect();
    until("they are busy", || {
        first.handle.statistics().frontend.messages_out >= 1000
    })
    .await;
    first.handle.drain(LONG);
    first.ended().await;
    is_replaced.store(true, Ordering::Relaxed);
    let next = broker_at(&front, &back).await;
    for client in clients {
        within("all are answered", client).await.unwrap();
    }
    next.handle.drain(LONG);
    next.ended().await;
    drop(workers);
}

#[tokio::test]
async fn no_answer_is_waited_for_of_a_worker_that_went() {
    let broker = broker().await;
    let mut client = DealerSocket::new();
    client.connect(&broker.front).unwrap();
    let mut worker = RepSocket::new();
    worker.connect(&broker.back).unwrap();
    client.send(["", "question"]).await.unwrap();
    assert_eq!(within("asked", worker.recv()).await.unwrap(), "question");
    broker.handle.drain(LONG);
    // Those that went before it heard go with the worker, too.
    until("it hears", || client.try_send(["", "another"]).is_err()).await;
    assert!(!broker.running.is_finished());
    drop(worker);
    let (clients, _workers) = within("it ends", broker.running).await.unwrap();
    clients.close().await;
}

#[tokio::test]
async fn it_ends_at_the_limit() {
    let broker = broker().await;
    let mut client = DealerSocket::new();
    client.connect(&broker.front).unwrap();
    let mut worker = RepSocket::new();
    worker.connect(&broker.back).unwrap();
    client.send(["", "question"]).await.unwrap();
    within("asked", worker.recv()).await.unwrap();
    broker.handle.pause();
    broker.handle.drain(Duration::from_millis(50));
    within("it ends", broker.running).await.unwrap();
}

#[tokio::test]
async fn work_goes_on_to_who_does_it() {
    let (mut pull, mut push) = (PullSocket::new(), PushSocket::new());
    let front = pull.bind(ANY_PORT).await.unwrap();
    let back = push.bind(ANY_PORT).await.unwrap();
    let mut proxy = Proxy::new(pull, push);
    let handle = proxy.handle();
    let running = tokio::spawn(async move {
        proxy.run().await;
        proxy.into_parts()
    });
    let mut source = PushSocket::new();
    source.connect(&front).unwrap();
    // They wait in all queues on the way, since nobody takes them yet.
    for number in 0..=1000 {
        source.send(number.to_string()).await.unwrap();
    }
    handle.drain(LONG);
    let mut sink = PullSocket::new();
    sink.connect(&back).unwrap();
    for number in 0..=1000 {
        let message = within("it comes", sink.recv()).await.unwrap();
        assert_eq!(message, number.to_string());
    }
    let (pull, push) = within("it ends", running).await.unwrap();
    assert_eq!(pull.close().await.unread, 0);
    assert_eq!(push.close().await.unsent, 0);
    assert!(source.try_send("more").is_err());
}

#[tokio::test]
async fn publications_under_way_arrive_whichever_side_subscribes() {
    for subscribes_in_front in [true, false] {
        let (mut xsub, mut xpub) = (XSubSocket::new(), XPubSocket::new());
        let upstream = xsub.bind(ANY_PORT).await.unwrap();
        let downstream = xpub.bind(ANY_PORT).await.unwrap();
        let (handle, running) = match subscribes_in_front {
            true => run(Proxy::new(xsub, xpub)),
            false => run(Proxy::new(xpub, xsub)),
        };
        let mut publisher = PubSocket::new();
        publisher.connect(&upstream).unwrap();
        let mut subscriber = SubSocket::new();
        subscriber.subscribe("");
        subscriber.connect(&downstream).unwrap();
        within("subscribed", publisher.wait_for_subscribers(1)).await;
        for number in 0..500 {
            publisher.send(number.to_string()).await.unwrap();
        }
        handle.drain(LONG);
        for number in 0..500 {
            let message = within("it comes", subscriber.recv()).await.unwrap();
            assert_eq!(message, number.to_string());
        }
        within("it ends", running).await.unwrap();
        assert_eq!(publisher.subscriber_count(), 0);
    }
}

#[tokio::test]
async fn a_blocking_proxy_drains_as_well() {
    let thread = std::thread::spawn(|| {
        let (mut clients, mut workers) =
            (blocking::RouterSocket::new(), blocking::DealerSocket::new());
        let front = clients.bind(ANY_PORT).unwrap();
        let back = workers.bind(ANY_PORT).unwrap();
        let mut broker = Proxy::new(clients, workers);
        let handle = broker.handle();
        let running = std::thread::spawn(move || {
            broker.run_blocking();
            broker.into_parts().0.close()
        });
        let (mut worker, mut client) = (blocking::RepSocket::new(), blocking::ReqSocket::new());
        worker.connect(&back).unwrap();
        client.connect(&front).unwrap();
        client.send("question").unwrap();
        assert_eq!(worker.recv().unwrap(), "question");
        handle.drain(LONG);
        worker.send("answer").unwrap();
        assert_eq!(client.recv().unwrap(), "answer");
        assert_eq!(running.join().unwrap().unread, 0);
    });
    let joined = tokio::task::spawn_blocking(|| thread.join().unwrap());
    within("the thread", joined).await.unwrap();
}

/// A worker that drains hands nothing back, and what follows goes to the others.
#[tokio::test]
async fn a_worker_that_drains_answers_what_it_has() {
    let mut broker = broker().await;
    let mut workers = Vec::new();
    let mut client = DealerSocket::new();
    client.connect(&broker.front).unwrap();
    for _ in 0..2 {
        let mut worker = RepSocket::new();
        let mut monitor = worker.monitor();
        worker.connect(&broker.back).unwrap();
        connected(&mut monitor).await;
        workers.push(worker);
    }
    let mut going = workers.remove(0);
    for number in 0..10 {
        client.send(["", &number.to_string()]).await.unwrap();
    }
    going.recv().await.unwrap();
    going.send("first").await.unwrap();
    going.drain(LONG);
    let mut done = 1;
    loop {
        match within("it goes", going.recv()).await {
            Ok(_) => going.send("first").await.unwrap(),
            Err(RecvError::Drained) => break,
            Err(error) => panic!("{error}"),
        }
        done += 1;
    }
    assert_eq!(going.close().await.unread, 0);
    let mut staying = workers.remove(0);
    client.send(["", "last"]).await.unwrap();
    for _ in done..=10 {
        within("the other is asked", staying.recv()).await.unwrap();
        staying.send("second").await.unwrap();
    }
    for _ in 0..=10 {
        within("answered", client.recv()).await.unwrap();
    }
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut broker.running)
            .await
            .is_err()
    );
    broker.handle.terminate();
    within("it ends", broker.running).await.unwrap();
}
