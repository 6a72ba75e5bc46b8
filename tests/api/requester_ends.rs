//! Requesters whose peers go, come again, or misbehave; and their own ends: whoever waits is told why.

use std::time::Duration;

use common::raw::{RawPeer, short_frame};
use common::requests::{ANY_PORT, LONG, SHORT, requester, taken, until};
use common::within;
use futures::future::join_all;
use purezmq::requester::RequesterError;
use purezmq::{
    Context, DealerSocket, Message, RepSocket, RequestError, Requester, Routed, RouterSocket,
};
use tokio::runtime::Builder;

#[tokio::test]
async fn a_server_that_restarts_is_asked_again() {
    let mut first = RepSocket::new();
    let endpoint = first.bind(ANY_PORT).await.unwrap();
    let requester = requester(&endpoint);
    let asked = tokio::spawn(
        requester
            .request("question")
            .timeout(SHORT)
            .retries(u32::MAX),
    );
    assert_eq!(within("a try", first.recv()).await.unwrap(), "question");
    first.close().await;
    let mut second = RepSocket::new();
    within("the address is free", async {
        // Nothing tells that the system has freed it.
        while second.bind(&endpoint).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(within("another", second.recv()).await.unwrap(), "question");
    second.send("answer").await.unwrap();
    assert_eq!(
        within("the answer", asked).await.unwrap().unwrap(),
        "answer"
    );
}

#[tokio::test]
async fn another_server_is_asked_when_one_does_not_answer() {
    let mut silent = RouterSocket::new();
    let mut rep = RepSocket::new();
    let requester = requester(&silent.bind(ANY_PORT).await.unwrap());
    requester
        .connect(rep.bind(ANY_PORT).await.unwrap())
        .unwrap();
    tokio::spawn(async move {
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
    let all = (0..20).map(|number| {
        let request = requester.request(number.to_string());
        request.timeout(SHORT).retries(u32::MAX)
    });
    for (number, answer) in within("all", join_all(all)).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
}

#[tokio::test]
async fn answers_that_nobody_waits_for_are_dropped_and_counted() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    let asked = tokio::spawn(requester.request("question"));
    let request = taken(&mut router).await;
    let number = request.message.frame(0).unwrap().clone();
    let mut unknown: [u8; 4] = number.as_slice().try_into().unwrap();
    unknown[0] ^= 0x55;
    unknown[2] ^= 0x55;
    let junk = [
        Message::from("no envelope"),
        Message::from(""),
        Message::from(["", "no number"]),
        Message::from(["12345", "", "a long number"]),
        Message::from((unknown.to_vec(), "", "unknown")),
        Message::from((number.clone(), "no empty frame")),
        Message::from((number.clone(), "")),
        Message::from((number.clone(), "more", "", "frames in front")),
    ];
    for _ in 0..500 {
        for message in &junk {
            router
                .send_to(&request.peer, message.clone())
                .await
                .unwrap();
        }
    }
    // It answers twice.
    router.send(request.respond("answer")).await.unwrap();
    router.send(request.respond("once more")).await.unwrap();
    assert_eq!(
        within("the answer", asked).await.unwrap().unwrap(),
        "answer"
    );
    until(&requester, "the second is dropped", |counted| {
        counted.late == 1
    })
    .await;
    let dropped = 500 * junk.len() as u64;
    assert_eq!(requester.statistics().unasked, dropped);
    assert_eq!(requester.stats().unwrap().dropped.discarded, dropped + 1);
}

/// What a peer does that never stops is a share of the task's work: others are answered, and the runtime runs.
#[tokio::test]
async fn a_peer_that_floods_holds_up_nobody() {
    let requester = Requester::builder()
        .timeout(LONG)
        .build(DealerSocket::new())
        .unwrap();
    let endpoint = requester.bind(ANY_PORT).await.unwrap();
    let mut flooder = RawPeer::connect(&endpoint).await;
    flooder.shake_hands("ROUTER").await;
    let flood = tokio::spawn(async move {
        let junk = short_frame(b"junk").repeat(1000);
        loop {
            flooder.try_send(&junk).await;
            tokio::task::yield_now().await;
        }
    });
    until(&requester, "junk comes", |counted| counted.unasked > 1000).await;
    let mut rep = RepSocket::new();
    rep.connect(&endpoint).unwrap();
    tokio::spawn(async move {
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
    // The flooder is asked, too, and answers nothing: another try goes to the other one.
    for number in 0..10 {
        let request = requester.request(number.to_string());
        let request = request.timeout(SHORT).retries(u32::MAX);
        assert_eq!(
            within("an answer", request).await.unwrap(),
            number.to_string()
        );
    }
    flood.abort();
}

/// Whoever knows the number of a request that somebody else was asked does not answer it.
#[tokio::test]
async fn only_who_was_asked_may_answer() {
    let (mut asked, mut other) = (RouterSocket::new(), RouterSocket::new());
    let requester = requester(&asked.bind(ANY_PORT).await.unwrap());
    let request = tokio::spawn(requester.request("question"));
    let question = taken(&mut asked).await;
    requester
        .connect(other.bind(ANY_PORT).await.unwrap())
        .unwrap();
    // Both have room: one of two requests goes to the other.
    let others = [
        tokio::spawn(requester.request("another")),
        tokio::spawn(requester.request("another")),
    ];
    let another = taken(&mut other).await;
    let forged = Routed::from((&another.peer, question.message.clone()));
    other.send(forged.respond("forged")).await.unwrap();
    until(&requester, "it is dropped", |counted| counted.unasked == 1).await;
    asked.send(question.respond("genuine")).await.unwrap();
    assert_eq!(
        within("the answer", request).await.unwrap().unwrap(),
        "genuine"
    );
    for other in others {
        other.abort();
    }
}

#[tokio::test]
async fn when_all_endpoints_are_gone_all_are_told() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let dealer = DealerSocket::builder()
        .reconnect_interval(None)
        .build()
        .unwrap();
    let builder = Requester::builder().timeout(LONG).max_under_way(2);
    let requester = builder.build(dealer).unwrap();
    requester.connect(&endpoint).unwrap();
    // Two are sent, the others wait.
    let all = tokio::spawn(join_all((0..5).map(|_| requester.request("question"))));
    for _ in 0..2 {
        taken(&mut router).await;
    }
    router.close().await;
    for told in within("all are told", all).await.unwrap() {
        match told {
            Err(RequestError::Gone(last)) => assert_eq!(last.endpoint, endpoint),
            other => panic!("{other:?}"),
        }
    }
    let told = within("at once", requester.request("question")).await;
    assert!(matches!(told, Err(RequestError::Gone(_))), "{told:?}");
    assert_eq!(requester.statistics().failed, 6);
    // There is a way out.
    let mut rep = RepSocket::new();
    requester
        .connect(rep.bind(ANY_PORT).await.unwrap())
        .unwrap();
    let asked = tokio::spawn(requester.request("question"));
    assert_eq!(within("it is asked", rep.recv()).await.unwrap(), "question");
    rep.send("answer").await.unwrap();
    assert_eq!(
        within("the answer", asked).await.unwrap().unwrap(),
        "answer"
    );
}

#[tokio::test]
async fn a_closed_context_is_told() {
    let context = Context::new();
    let dealer = DealerSocket::builder().context(&context).build().unwrap();
    let requester = Requester::new(dealer).unwrap();
    let mut router = RouterSocket::new();
    requester
        .connect(router.bind(ANY_PORT).await.unwrap())
        .unwrap();
    let asked = tokio::spawn(requester.request("question"));
    taken(&mut router).await;
    within("it is closed", context.close(Duration::ZERO)).await;
    let told = within("it is told", asked).await.unwrap();
    assert_eq!(told, Err(RequestError::ContextClosed));
    let told = within("at once", requester.request("question")).await;
    assert_eq!(told, Err(RequestError::ContextClosed));
}

#[tokio::test]
async fn closing_tells_all() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    let asked = tokio::spawn(requester.request("question"));
    taken(&mut router).await;
    let report = within("it is closed", requester.clone().close()).await;
    assert_eq!((report.unanswered, report.socket.unsent), (1, 0));
    let told = within("it is told", asked).await.unwrap();
    assert_eq!(told, Err(RequestError::Closed));
    let told = within("at once", requester.request("question")).await;
    assert_eq!(told, Err(RequestError::Closed));
    assert!(requester.stats().is_none());
    assert!(requester.connect(ANY_PORT).is_err());
    assert_eq!(within("again", requester.close()).await.unanswered, 0);
}

#[tokio::test]
async fn draining_answers_all_that_was_begun() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let builder = Requester::builder().timeout(LONG).max_under_way(10);
    let requester = builder.build(DealerSocket::new()).unwrap();
    requester.connect(&endpoint).unwrap();
    let all = tokio::spawn(join_all(
        (0..100).map(|number| requester.request(number.to_string())),
    ));
    let first = taken(&mut router).await;
    let draining = requester.clone();
    let draining = tokio::spawn(async move { draining.drain(LONG).await });
    within("new ones are refused", async {
        while requester.request("more").timeout(Duration::ZERO).await != Err(RequestError::Draining)
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut request = first;
    let mut answered = 0;
    let answering = async {
        loop {
            let body: Vec<_> = request.body().collect();
            router.send(request.respond(body.concat())).await.unwrap();
            answered += 1;
            request = router.recv_message().await.unwrap();
        }
    };
    let report = tokio::select! {
        report = within("it is drained", draining) => report.unwrap(),
        () = answering => unreachable!(),
    };
    assert_eq!((report.unanswered, report.socket.unsent), (0, 0));
    assert!(answered >= 100);
    for (number, answer) in within("all", all).await.unwrap().into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
}

#[tokio::test]
async fn draining_ends_at_its_limit() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    let asked = tokio::spawn(requester.request("question"));
    taken(&mut router).await;
    let report = within("it is drained", requester.drain(SHORT)).await;
    assert_eq!(report.unanswered, 1);
    let told = within("it is told", asked).await.unwrap();
    assert_eq!(told, Err(RequestError::Closed));
}

#[test]
fn the_end_of_a_runtime_is_told() {
    let runtime = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (own, other) = (runtime(), runtime());
    let mut router = RouterSocket::new();
    let endpoint = other.block_on(router.bind(ANY_PORT)).unwrap();
    let requester = own.block_on(async { requester(&endpoint) });
    let asked = other.spawn(requester.request("question"));
    other.block_on(taken(&mut router));
    drop(own);
    let told = other.block_on(within_runtime(asked));
    assert_eq!(told, Err(RequestError::RuntimeEnded));
    let told = other.block_on(async { requester.request("question").await });
    assert_eq!(told, Err(RequestError::RuntimeEnded));
    assert!(told.unwrap_err().to_string().contains("with_io_threads"));
}

async fn within_runtime(
    asked: tokio::task::JoinHandle<Result<Message, RequestError>>,
) -> Result<Message, RequestError> {
    within("it is told", asked).await.unwrap()
}

#[test]
fn a_requester_needs_a_runtime_and_sane_options() {
    let made = Requester::new(DealerSocket::new());
    assert!(matches!(made, Err(RequesterError::NoRuntime)));
    let context = Context::with_io_threads(1).unwrap();
    let dealer = || DealerSocket::builder().context(&context);
    Requester::new(dealer().build().unwrap()).unwrap();
    let conflating = dealer().conflate(true).build().unwrap();
    let made = Requester::new(conflating);
    assert!(matches!(made, Err(RequesterError::Option(_))));
    let builder = Requester::builder().max_under_way(0);
    let made = builder.build(dealer().build().unwrap());
    assert!(made.unwrap_err().to_string().contains("max_under_way"));
}
