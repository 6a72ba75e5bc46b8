//! A ROUTER or REP whose requests a tower service answers: bounded, in any order, and drained without loss.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{until, within};
use futures::future::join_all;
use purezmq::serve::{Server, ServerError, ServerHandle, ServerReport, Serves};
use purezmq::{
    DealerSocket, Endpoint, Message, RepSocket, ReqSocket, RequestError, Requester, RouterSocket,
    Socket,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower::{Service, ServiceBuilder, service_fn};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

type Running<E> = JoinHandle<Result<ServerReport, ServerError<E>>>;

async fn echoing<P: Serves>(
    mut socket: Socket<P>,
) -> (Endpoint, ServerHandle, Running<Infallible>) {
    let endpoint = socket.bind(ANY_PORT).await.unwrap();
    let echo = service_fn(|request: Message| async move { Ok::<_, Infallible>(request) });
    let server = Server::new(socket, echo);
    (endpoint, server.handle(), tokio::spawn(server.run()))
}

fn requester(endpoint: &Endpoint) -> Requester {
    let requester = Requester::builder()
        .timeout(LONG)
        .build(DealerSocket::new());
    let requester = requester.unwrap();
    requester.connect(endpoint).unwrap();
    requester
}

async fn nothing_is_left<E: std::fmt::Debug>(handle: &ServerHandle, running: Running<E>) {
    handle.drain(LONG);
    let report = within("it is drained", running).await.unwrap().unwrap();
    assert_eq!(report.unanswered, 0);
    assert_eq!((report.socket.unread, report.socket.unsent), (0, 0));
    assert_eq!(handle.statistics().under_way, 0);
}

async fn answers_all_kinds_of_clients<P: Serves>(socket: Socket<P>) {
    let (endpoint, handle, running) = echoing(socket).await;
    let requester = requester(&endpoint);
    let all = (0..200).map(|number| requester.request(["", "of", &number.to_string()]));
    for (number, answer) in within("all", join_all(all)).await.into_iter().enumerate() {
        assert_eq!(
            answer.unwrap(),
            Message::from(["", "of", &number.to_string()])
        );
    }
    let mut req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    req.send("question").await.unwrap();
    assert_eq!(within("the answer", req.recv()).await.unwrap(), "question");
    let mut dealer = DealerSocket::builder().probe_router(true).build().unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send(["", "question"]).await.unwrap();
    let answer = within("the answer", dealer.recv()).await.unwrap();
    assert_eq!(answer, Message::from(["", "question"]));
    assert_eq!(handle.statistics().answered, 202);
    drop((requester, req, dealer));
    nothing_is_left(&handle, running).await;
}

#[tokio::test]
async fn a_router_answers_all_kinds_of_clients() {
    answers_all_kinds_of_clients(RouterSocket::new()).await;
    let told_of_peers = RouterSocket::builder().notify(true).mandatory(true);
    answers_all_kinds_of_clients(told_of_peers.build().unwrap()).await;
}

#[tokio::test]
async fn a_rep_answers_all_kinds_of_clients() {
    answers_all_kinds_of_clients(RepSocket::new()).await;
}

/// Calls that wait until they are let go; the most that there were at once.
#[derive(Clone, Default)]
struct Held {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    gate: Option<Arc<Semaphore>>,
}

impl Held {
    fn new() -> Self {
        Held {
            gate: Some(Arc::new(Semaphore::new(0))),
            ..Held::default()
        }
    }

    fn gate(&self) -> Arc<Semaphore> {
        self.gate.clone().unwrap()
    }

    async fn call(self, request: Message) -> Result<Message, Infallible> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.gate().acquire().await.unwrap().forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(request)
    }
}

#[tokio::test]
async fn no_more_calls_are_made_at_once_than_may_be() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let held = Held::new();
    let calls = held.clone();
    let service = service_fn(move |request| calls.clone().call(request));
    let server = Server::new(router, service).concurrency(3);
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let requester = requester(&endpoint);
    let all = tokio::spawn(join_all(
        (0..50).map(|number| requester.request(number.to_string())),
    ));
    until("three are made", || handle.statistics().under_way >= 3).await;
    held.gate().add_permits(50);
    for (number, answer) in within("all", all).await.unwrap().into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
    assert_eq!(held.most.load(Ordering::SeqCst), 3);
    nothing_is_left(&handle, running).await;
}

/// What was begun when the server was told to drain is answered, and the rest is another server's.
#[tokio::test]
async fn draining_under_load_loses_nothing() {
    let done = Arc::new(AtomicUsize::new(0));
    let serve = |mut router: RouterSocket| {
        let done = done.clone();
        async move {
            let endpoint = router.bind(ANY_PORT).await.unwrap();
            let service = service_fn(move |request: Message| {
                let done = done.clone();
                async move {
                    tokio::task::yield_now().await;
                    done.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Infallible>(request)
                }
            });
            let server = Server::new(router, service).concurrency(10);
            (endpoint, server.handle(), tokio::spawn(server.run()))
        }
    };
    let mut old = serve(RouterSocket::new()).await;
    let requester = requester(&old.0);
    let asking = (0..50).map(|task| {
        let requester = requester.clone();
        tokio::spawn(async move {
            for number in 0..60 {
                let question = format!("{task} asks {number}");
                let answer = requester.request(question.as_str()).await.unwrap();
                assert_eq!(answer, question);
            }
        })
    });
    let asking: Vec<_> = asking.collect();
    // Replaced while it is asked, three times.
    for replaced in 1..=3 {
        until("some are done", || {
            done.load(Ordering::SeqCst) >= replaced * 500
        })
        .await;
        let new = serve(RouterSocket::new()).await;
        requester.connect(&new.0).unwrap();
        nothing_is_left(&old.1, old.2).await;
        old = new;
    }
    for task in within("all are answered", join_all(asking)).await {
        task.unwrap();
    }
    // Each was done once.
    assert_eq!(done.load(Ordering::SeqCst), 3000);
    assert_eq!(requester.statistics().answered, 3000);
    nothing_is_left(&old.1, old.2).await;
}

#[tokio::test]
async fn draining_ends_at_its_limit() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let held = Held::new();
    let service = service_fn(move |request| held.clone().call(request));
    let server = Server::new(router, service);
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let requester = requester(&endpoint);
    let asked = tokio::spawn(requester.request("question"));
    until("it is taken", || handle.statistics().under_way > 0).await;
    handle.drain(Duration::from_millis(20));
    let report = within("it ends", running).await.unwrap().unwrap();
    assert_eq!(report.unanswered, 1);
    asked.abort();
}

#[tokio::test]
async fn calls_that_fail_and_panic_are_answered() {
    async fn all<P: Serves>(mut socket: Socket<P>, tells: bool) {
        let endpoint = socket.bind(ANY_PORT).await.unwrap();
        let service = service_fn(|request: Message| async move {
            match request.as_str() {
                Ok("panic") => panic!("as it was asked to"),
                Ok("fail") => Err("it failed"),
                _ => Ok(request),
            }
        });
        let mut server = Server::new(socket, service);
        if tells {
            server = server.answer_failed(|error| Message::from(*error));
        }
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        let requester = requester(&endpoint);
        let told = if tells { "it failed" } else { "" };
        for (question, answer) in [("panic", ""), ("fail", told), ("else", "else")] {
            let answered = within("an answer", requester.request(question)).await;
            assert_eq!(answered.unwrap(), answer, "{question}");
        }
        let counted = handle.statistics();
        assert_eq!((counted.answered, counted.failed), (1, 2));
        nothing_is_left(&handle, running).await;
    }
    for tells in [false, true] {
        all(RouterSocket::new(), tells).await;
        all(RepSocket::new(), tells).await;
    }
}

/// Ready so many times.
struct Wearing(usize);

impl Service<Message> for Wearing {
    type Response = Message;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Message, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match self.0 {
            0 => Poll::Ready(Err("worn out")),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Message) -> Self::Future {
        self.0 -= 1;
        std::future::ready(Ok(request))
    }
}

#[tokio::test]
async fn a_service_that_fails_ends_the_server() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let running = tokio::spawn(Server::new(router, Wearing(3)).run());
    let requester = requester(&endpoint);
    for _ in 0..3 {
        let answer = within("an answer", requester.request("question")).await;
        assert_eq!(answer.unwrap(), "question");
    }
    let ended = within("it ends", running).await.unwrap();
    assert!(matches!(ended, Err(ServerError::Service("worn out"))));
    let more = requester
        .request("question")
        .timeout(Duration::from_millis(20));
    assert!(matches!(
        within("nobody answers", more).await,
        Err(RequestError::Timeout { .. } | RequestError::Unsent { .. })
    ));
}

#[tokio::test]
async fn layers_apply_to_what_is_served() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let service = ServiceBuilder::new()
        .timeout(Duration::from_millis(20))
        .concurrency_limit(2)
        .service_fn(|request: Message| async move {
            if request == "slow" {
                tokio::time::sleep(LONG).await;
            }
            Ok::<_, Infallible>(request)
        });
    let server = Server::new(router, service).answer_failed(|error| error.to_string().into());
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let requester = requester(&endpoint);
    let answer = within("its time is over", requester.request("slow")).await;
    assert_eq!(answer.unwrap(), "request timed out");
    nothing_is_left(&handle, running).await;
}
