//! A requester as a tower service: tower's limits, timeouts, retries and balancing apply.

use std::future::{poll_fn, ready};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::requests::{ANY_PORT, SHORT, taken};
use common::{until, within};
use futures::future::join_all;
use purezmq::{DealerSocket, Endpoint, Message, RepSocket, RequestError, Requester, RouterSocket};
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PendingRequests};
use tower::retry::Policy;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

fn requester(endpoint: &Endpoint, most: usize) -> Requester {
    let builder = Requester::builder().timeout(None).max_under_way(most);
    let requester = builder.build(DealerSocket::new()).unwrap();
    requester.connect(endpoint).unwrap();
    requester
}

fn echo(mut rep: RepSocket) {
    tokio::spawn(async move {
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
}

fn is_ready(service: &mut Requester) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(())))
}

#[tokio::test]
async fn ready_means_that_there_is_a_place() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let mut first = requester(&endpoint, 1);
    let mut second = first.clone();
    assert!(is_ready(&mut first) && !is_ready(&mut second));
    // A place that is not used is given back.
    drop(first);
    poll_fn(|cx| second.poll_ready(cx)).await.unwrap();
    let asked = tokio::spawn(second.call("question".into()));
    let request = taken(&mut router).await;
    assert!(!is_ready(&mut second));
    router.send(request.respond("answer")).await.unwrap();
    assert_eq!(
        within("the answer", asked).await.unwrap().unwrap(),
        "answer"
    );
    within("a place", poll_fn(|cx| second.poll_ready(cx)))
        .await
        .unwrap();
    // Who calls without that waits for a place.
    let mut third = second.clone();
    let waits = tokio::spawn(third.call("waits".into()));
    drop(second);
    let request = taken(&mut router).await;
    router.send(request.respond("answered")).await.unwrap();
    assert_eq!(
        within("the answer", waits).await.unwrap().unwrap(),
        "answered"
    );
}

#[tokio::test]
async fn places_are_taken_back_by_a_drain_and_a_close() {
    let endpoint = RouterSocket::new().bind(ANY_PORT).await.unwrap();
    let mut holds = requester(&endpoint, 1);
    let mut waits = holds.clone();
    assert!(is_ready(&mut holds) && !is_ready(&mut waits));
    let report = within("nothing is under way", holds.clone().drain(Duration::MAX)).await;
    assert_eq!(report.unanswered, 0);
    let told = within("it is told", holds.call("question".into())).await;
    assert_eq!(told, Err(RequestError::Draining));
    let told = within("it is told", poll_fn(|cx| waits.poll_ready(cx))).await;
    assert_eq!(told, Err(RequestError::Draining));
    let told = within("it is told", poll_fn(|cx| waits.poll_ready(cx))).await;
    assert_eq!(told, Err(RequestError::Closed));
}

#[tokio::test]
async fn a_timeout_layer_cancels() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap(), 10);
    let service = ServiceBuilder::new()
        .timeout(SHORT)
        .service(requester.clone());
    let asked = within("its time is over", service.oneshot("question".into())).await;
    assert!(asked.unwrap_err().is::<tower::timeout::error::Elapsed>());
    let request = taken(&mut router).await;
    router.send(request.respond("late")).await.unwrap();
    until("it is counted", || requester.statistics().late > 0).await;
    assert_eq!(requester.statistics().cancelled, 1);
}

/// Tries again whatever was too late.
#[derive(Clone)]
struct Again;

impl Policy<Message, Message, RequestError> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Message,
        result: &mut Result<Message, RequestError>,
    ) -> Option<Self::Future> {
        let is_timeout = matches!(result, Err(error) if error.is_timeout());
        is_timeout.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Message) -> Option<Message> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_layer_asks_again() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let requester = Requester::builder()
        .timeout(SHORT)
        .build(DealerSocket::new());
    let requester = requester.unwrap();
    requester.connect(&endpoint).unwrap();
    let service = ServiceBuilder::new()
        .retry(Again)
        .service(requester.clone());
    let asked = tokio::spawn(service.oneshot("question".into()));
    // Each of its tries is a request of its own, with a number of its own.
    let first = taken(&mut router).await;
    let second = taken(&mut router).await;
    assert_ne!(first.message, second.message);
    let answering = async move {
        loop {
            let request = router.recv_message().await.unwrap();
            router.send(request.respond("answer")).await.unwrap();
        }
    };
    let answer = tokio::select! {
        answer = within("the answer", asked) => answer.unwrap().unwrap(),
        () = answering => unreachable!(),
    };
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn a_concurrency_limit_and_load_shedding_apply() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap(), 1);
    // The limit's place, and the requester's own.
    let limited = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service(requester.clone());
    for mut service in [
        tower::util::BoxCloneService::new(limited.map_err(BoxError::from)),
        tower::util::BoxCloneService::new(ServiceBuilder::new().load_shed().service(requester)),
    ] {
        let mut other = service.clone();
        let first = service.ready().await.unwrap().call("question".into());
        let first = tokio::spawn(first);
        let request = taken(&mut router).await;
        let shed = other.ready().await.unwrap().call("too much".into()).await;
        assert!(
            shed.unwrap_err()
                .is::<tower::load_shed::error::Overloaded>()
        );
        router.send(request.respond("answer")).await.unwrap();
        assert_eq!(
            within("the answer", first).await.unwrap().unwrap(),
            "answer"
        );
    }
}

#[tokio::test]
async fn a_balancer_asks_who_is_least_busy() {
    let mut silent = RouterSocket::new();
    let mut rep = RepSocket::new();
    let places = [
        silent.bind(ANY_PORT).await.unwrap(),
        rep.bind(ANY_PORT).await.unwrap(),
    ];
    echo(rep);
    let servers = places
        .map(|place| PendingRequests::new(requester(&place, 100), CompleteOnResponse::default()));
    let mut balanced = Balance::new(ServiceList::new::<Message>(servers));
    // The first that the silent one is given stays with it: from then on the other one is asked.
    let mut held = Vec::new();
    for number in 0..100 {
        let ready = within("one is ready", balanced.ready()).await.unwrap();
        let asked = tokio::spawn(ready.call(number.to_string().into()));
        let heard = tokio::select! {
            request = silent.recv_message() => Some(request.unwrap()),
            answer = asked => {
                assert_eq!(answer.unwrap().unwrap(), number.to_string());
                None
            }
        };
        held.extend(heard);
    }
    assert!(held.len() <= 1, "{}", held.len());
}

#[tokio::test]
async fn many_calls_of_one_stack_have_their_own_answers() {
    let mut rep = RepSocket::new();
    let requester = requester(&rep.bind(ANY_PORT).await.unwrap(), 7);
    echo(rep);
    let service = ServiceBuilder::new()
        .concurrency_limit(20)
        .timeout(common::PATIENCE)
        .service(requester);
    let all = (0..500).map(|number| {
        let service = service.clone();
        tokio::spawn(service.oneshot(number.to_string().into()))
    });
    let all: Vec<_> = all.collect();
    for (number, answer) in within("all", join_all(all)).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().unwrap(), number.to_string());
    }
}
