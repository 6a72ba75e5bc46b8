//! The ready-worker broker: one request at a time for each worker, the one that has been ready for longest first; workers
//! that come, go and drain; and clients that hear what became of their requests.

use std::time::Duration;

use common::events::connected;
use common::raw::{RawPeer, short_frame};
use common::{until, within};
use purezmq::{
    Broker, BrokerHandle, CloseReport, DealerSocket, Endpoint, Message, RecvError, ReqSocket,
    Routed, RouterSocket, blocking,
};
use tokio::task::JoinHandle;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

struct Running {
    front: Endpoint,
    back: Endpoint,
    handle: BrokerHandle,
    task: JoinHandle<[CloseReport; 2]>,
}

impl Running {
    async fn start(mut broker: Broker) -> Self {
        Running {
            front: broker.clients().bind(ANY_PORT).await.unwrap(),
            back: broker.workers().bind(ANY_PORT).await.unwrap(),
            handle: broker.handle(),
            task: tokio::spawn(async move {
                broker.run().await;
                broker.close().await
            }),
        }
    }

    fn client(&self) -> ReqSocket {
        let mut client = ReqSocket::new();
        client.connect(&self.front).unwrap();
        client
    }

    fn worker(&self) -> DealerSocket {
        let mut worker = DealerSocket::builder().probe_router(true).build().unwrap();
        worker.connect(&self.back).unwrap();
        worker
    }

    async fn until_ready(&self, workers: usize) {
        until("they are ready", || {
            self.handle.statistics().ready == workers
        })
        .await;
    }

    /// Drains it: nothing may be left.
    async fn drained(self) {
        self.handle.drain(LONG);
        for report in within("it is drained", self.task).await.unwrap() {
            assert_eq!((report.unread, report.unsent), (0, 0));
        }
    }
}

async fn taken(worker: &mut DealerSocket) -> Routed {
    Routed::from(within("a request", worker.recv()).await.unwrap())
}

async fn answer(worker: &mut DealerSocket, request: &Routed, answer: &str) {
    worker
        .send(Message::from(request.respond(answer)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_slow_worker_holds_up_nobody() {
    let broker = Running::start(Broker::new()).await;
    // Whoever has been ready for longest is asked first.
    let mut slow = broker.worker();
    broker.until_ready(1).await;
    let mut fast = broker.worker();
    broker.until_ready(2).await;
    let (mut first, mut second) = (broker.client(), broker.client());
    first.send("slow").await.unwrap();
    let held = taken(&mut slow).await;
    for number in 0..100 {
        second.send(number.to_string()).await.unwrap();
        let request = taken(&mut fast).await;
        assert!(request.body().eq([number.to_string().as_bytes()]));
        answer(&mut fast, &request, "done").await;
        assert_eq!(within("done", second.recv()).await.unwrap(), "done");
    }
    let counted = broker.handle.statistics();
    assert_eq!((counted.busy, counted.lost), (1, 0));
    answer(&mut slow, &held, "at last").await;
    assert_eq!(within("at last", first.recv()).await.unwrap(), "at last");
    broker.drained().await;
}

#[tokio::test]
async fn workers_of_all_types_take_turns() {
    let broker = Running::start(Broker::new()).await;
    let mut req = ReqSocket::new();
    req.connect(&broker.back).unwrap();
    req.send("READY").await.unwrap();
    broker.until_ready(1).await;
    let mut dealer = DealerSocket::new();
    dealer.connect(&broker.back).unwrap();
    dealer.send("READY").await.unwrap();
    broker.until_ready(2).await;
    let mut router = RouterSocket::builder().probe_router(true).build().unwrap();
    router.connect(&broker.back).unwrap();
    broker.until_ready(3).await;
    let mut client = broker.client();
    for _ in 0..3 {
        client.send("question").await.unwrap();
        let request = Routed::from(within("REQ", req.recv()).await.unwrap());
        req.send(Message::from(request.respond("by REQ")))
            .await
            .unwrap();
        assert_eq!(within("answered", client.recv()).await.unwrap(), "by REQ");

        client.send("question").await.unwrap();
        let request = taken(&mut dealer).await;
        answer(&mut dealer, &request, "by DEALER").await;
        assert_eq!(
            within("answered", client.recv()).await.unwrap(),
            "by DEALER"
        );

        client.send("question").await.unwrap();
        let request = within("ROUTER", router.recv_message()).await.unwrap();
        router.send(request.respond("by ROUTER")).await.unwrap();
        assert_eq!(
            within("answered", client.recv()).await.unwrap(),
            "by ROUTER"
        );
    }
    let traffic = broker.handle.statistics().traffic;
    assert_eq!(
        (traffic.frontend.messages_in, traffic.frontend.messages_out),
        (9, 9)
    );
    assert_eq!(
        (traffic.backend.messages_in, traffic.backend.messages_out),
        (12, 9)
    );
    broker.drained().await;
}

#[tokio::test]
async fn a_client_is_told_of_a_worker_that_went_with_its_request() {
    let broker = Running::start(Broker::new().tell_lost(["error", "the worker has gone"])).await;
    let mut client = broker.client();
    let mut worker = broker.worker();
    client.send("question").await.unwrap();
    taken(&mut worker).await;
    drop(worker);
    let told = within("told", client.recv()).await.unwrap();
    assert_eq!(told, Message::from(["error", "the worker has gone"]));
    let counted = broker.handle.statistics();
    assert_eq!((counted.lost, counted.repeated, counted.busy), (1, 0, 0));
    broker.drained().await;
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_given_to_another_worker() {
    let broker = Running::start(Broker::new().repeat_lost(1).tell_lost("lost")).await;
    let (mut client, mut other) = (broker.client(), broker.client());
    let mut worker = broker.worker();
    client.send("question").await.unwrap();
    taken(&mut worker).await;
    // What is repeated comes before what came after it.
    other.send("another").await.unwrap();
    drop(worker);
    let mut worker = broker.worker();
    let request = taken(&mut worker).await;
    assert!(request.body().eq([b"question"]));
    answer(&mut worker, &request, "answer").await;
    assert_eq!(within("answered", client.recv()).await.unwrap(), "answer");
    for _ in 0..2 {
        taken(&mut worker).await;
        drop(worker);
        worker = broker.worker();
    }
    assert_eq!(within("told", other.recv()).await.unwrap(), "lost");
    let counted = broker.handle.statistics();
    assert_eq!((counted.lost, counted.repeated), (1, 2));
    // One that had not said a word when the broker drains would be let in afterwards.
    broker.until_ready(1).await;
    broker.drained().await;
}

#[tokio::test]
async fn a_worker_that_is_silent_has_gone() {
    let beating = RouterSocket::builder()
        .heartbeat_interval(Duration::from_millis(20))
        .build()
        .unwrap();
    let broker = Broker::of(RouterSocket::new(), beating).unwrap();
    let broker = Running::start(broker.tell_lost("lost")).await;
    let mut client = broker.client();
    let mut silent = RawPeer::connect(&broker.back).await;
    silent.shake_hands("DEALER").await;
    silent.send(&short_frame(b"READY")).await;
    client.send("question").await.unwrap();
    assert_eq!(within("told", client.recv()).await.unwrap(), "lost");
    broker.drained().await;
}

#[tokio::test]
async fn a_worker_that_drains_answers_what_it_has_and_is_let_go() {
    let broker = Running::start(Broker::new()).await;
    let (mut client, mut other) = (broker.client(), broker.client());
    let mut going = broker.worker();
    broker.until_ready(1).await;
    let mut idle = broker.worker();
    broker.until_ready(2).await;
    client.send("question").await.unwrap();
    let request = taken(&mut going).await;
    // One that has nothing to do is let go at once.
    idle.drain(LONG);
    assert_eq!(within("let go", idle.recv()).await, Err(RecvError::Drained));
    going.drain(LONG);
    other.send("another").await.unwrap();
    answer(&mut going, &request, "answer").await;
    assert_eq!(within("answered", client.recv()).await.unwrap(), "answer");
    assert_eq!(
        within("let go", going.recv()).await,
        Err(RecvError::Drained)
    );
    assert_eq!(going.close().await.unread, 0);
    let mut next = broker.worker();
    let request = taken(&mut next).await;
    assert!(request.body().eq([b"another"]));
    answer(&mut next, &request, "answer").await;
    assert_eq!(within("answered", other.recv()).await.unwrap(), "answer");
    assert_eq!(broker.handle.statistics().lost, 0);
    broker.drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_drains_under_load_without_losing_a_request() {
    let broker = Running::start(Broker::new()).await;
    for _ in 0..3 {
        let mut worker = broker.worker();
        tokio::spawn(async move {
            while let Ok(request) = worker.recv().await {
                let request = Routed::from(request);
                let body: Message = request
                    .body()
                    .map(purezmq::Frame::copy_from_slice)
                    .collect();
                worker
                    .send(Message::from(request.respond(body)))
                    .await
                    .unwrap();
            }
        });
    }
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let mut client = ReqSocket::builder()
                .send_timeout(Duration::from_secs(1))
                .build()
                .unwrap();
            client.connect(&broker.front).unwrap();
            tokio::spawn(async move {
                for question in 0.. {
                    let question = format!("{number} {question}");
                    if client.send(question.as_str()).await.is_err() {
                        return;
                    }
                    assert_eq!(client.recv().await.unwrap(), question.as_str());
                }
            })
        })
        .collect();
    until("they are busy", || {
        broker.handle.statistics().traffic.frontend.messages_out >= 500
    })
    .await;
    broker.drained().await;
    for client in clients {
        within("all are answered", client).await.unwrap();
    }
}

#[tokio::test]
async fn it_is_steered_as_a_proxy_is() {
    let mut broker = Broker::new();
    let front = broker.clients().bind(ANY_PORT).await.unwrap();
    let back = broker.workers().bind(ANY_PORT).await.unwrap();
    let handle = broker.handle();
    let mut monitor = broker.clients().monitor();
    let mut client = ReqSocket::new();
    client.connect(&front).unwrap();
    connected(&mut monitor).await;
    client.send("question").await.unwrap();
    let mut worker = DealerSocket::builder().probe_router(true).build().unwrap();
    worker.connect(&back).unwrap();
    handle.pause();
    {
        let running = std::pin::pin!(broker.run());
        let none = tokio::time::timeout(Duration::from_millis(20), running).await;
        assert!(none.is_err());
    }
    assert_eq!(worker.try_recv(), Err(RecvError::Empty));
    handle.resume();
    handle.terminate();
    within("it ends", broker.run()).await;
    let running = tokio::spawn(async move { broker.run().await });
    let request = taken(&mut worker).await;
    answer(&mut worker, &request, "answer").await;
    assert_eq!(within("answered", client.recv()).await.unwrap(), "answer");
    // Nobody asked for that.
    answer(&mut worker, &request, "again").await;
    until("it is counted", || handle.statistics().unasked > 0).await;
    // With a worker that never answers, the limit ends it.
    client.send("question").await.unwrap();
    taken(&mut worker).await;
    handle.drain(Duration::from_millis(20));
    within("it ends", running).await.unwrap();
}

#[tokio::test]
async fn it_runs_without_a_runtime() {
    let thread = std::thread::spawn(|| {
        let (clients, workers) = (blocking::RouterSocket::new(), blocking::RouterSocket::new());
        let mut broker = Broker::of(clients.into_inner(), workers.into_inner()).unwrap();
        let front = blocking::wait(broker.clients().bind(ANY_PORT)).unwrap();
        let back = blocking::wait(broker.workers().bind(ANY_PORT)).unwrap();
        let handle = broker.handle();
        let running = std::thread::spawn(move || {
            broker.run_blocking();
            blocking::wait(broker.close())
        });
        let mut worker = blocking::DealerSocket::builder()
            .probe_router(true)
            .build()
            .unwrap();
        worker.connect(&back).unwrap();
        let mut client = blocking::ReqSocket::new();
        client.connect(&front).unwrap();
        client.send("question").unwrap();
        let request = Routed::from(worker.recv().unwrap());
        worker
            .send(Message::from(request.respond("answer")))
            .unwrap();
        assert_eq!(client.recv().unwrap(), "answer");
        handle.drain(LONG);
        let [clients, workers] = running.join().unwrap();
        assert_eq!((clients.unread, workers.unread), (0, 0));
    });
    let joined = tokio::task::spawn_blocking(|| thread.join().unwrap());
    within("the thread", joined).await.unwrap();
}
