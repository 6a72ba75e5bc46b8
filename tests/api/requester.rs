//! A requester: many tasks ask by one socket, and each has its own answer, in whatever order they come; places, time, and
//! what is counted.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};

use common::requests::{ANY_PORT, LONG, SHORT, requester, taken, until};
use common::within;
use futures::future::join_all;
use purezmq::{
    DealerSocket, Message, RepSocket, RequestError, Requester, Routed, RouterSocket, blocking,
};
use tokio::task::JoinHandle;

fn text(request: &Routed) -> String {
    let body: Vec<_> = request.body().collect();
    String::from_utf8(body.concat()).unwrap()
}

/// Starts it: it is sent, or in the line, when this returns.
fn begun(request: &mut (impl Future + Unpin)) {
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(pin!(request).poll(&mut cx).is_pending());
}

/// Answers as many as are there at a time, the last one first.
fn backwards(mut router: RouterSocket) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let mut requests = vec![router.recv_message().await.unwrap()];
            while let Ok(request) = router.try_recv_message() {
                requests.push(request);
            }
            for request in requests.iter().rev() {
                router.send(request.respond(text(request))).await.unwrap();
            }
        }
    })
}

fn echo(mut rep: RepSocket) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    })
}

async fn all_are_answered(requester: &Requester) {
    let tasks = (0..50).map(|task| {
        let requester = requester.clone();
        tokio::spawn(async move {
            for number in 0..40 {
                let question = format!("{task} asks {number}");
                let answer = requester.request(question.as_str()).await.unwrap();
                assert_eq!(answer, question);
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in within("all are answered", join_all(tasks)).await {
        task.unwrap();
    }
    let counted = requester.statistics();
    assert_eq!((counted.waiting, counted.under_way), (0, 0));
    assert_eq!((counted.late, counted.unasked, counted.failed), (0, 0, 0));
    assert_eq!(counted.answered, 2000);
}

#[tokio::test]
async fn many_tasks_ask_a_router_that_answers_out_of_order() {
    for place in [ANY_PORT, "ipc://*", "inproc://requester-router"] {
        let mut router = RouterSocket::new();
        let endpoint = router.bind(place).await.unwrap();
        let server = backwards(router);
        all_are_answered(&requester(&endpoint)).await;
        server.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_ask_several_reps_on_several_threads() {
    for place in ["tcp", "ipc", "inproc"] {
        let requester = Requester::new(DealerSocket::new()).unwrap();
        for number in 0..3 {
            let mut rep = RepSocket::new();
            let place = match place {
                "tcp" => ANY_PORT.to_owned(),
                "ipc" => "ipc://*".to_owned(),
                _ => format!("inproc://requester-rep-{number}"),
            };
            requester
                .connect(rep.bind(place.as_str()).await.unwrap())
                .unwrap();
            echo(rep);
        }
        all_are_answered(&requester).await;
    }
}

#[tokio::test]
async fn servers_may_connect() {
    let requester = Requester::new(DealerSocket::new()).unwrap();
    let endpoint = requester.bind(ANY_PORT).await.unwrap();
    let first = tokio::spawn(requester.request("before anybody is there"));
    for _ in 0..2 {
        let mut rep = RepSocket::new();
        rep.connect(&endpoint).unwrap();
        echo(rep);
    }
    let answer = within("the first answer", first).await.unwrap().unwrap();
    assert_eq!(answer, "before anybody is there");
    let all = join_all((0..100).map(|number| requester.request(number.to_string())));
    for (number, answer) in within("all", all).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
}

#[tokio::test]
async fn frames_come_as_they_were_sent() {
    let mut rep = RepSocket::new();
    let requester = requester(&rep.bind(ANY_PORT).await.unwrap());
    echo(rep);
    let large = vec![7; 1 << 20];
    for question in [
        Message::from(""),
        Message::from(["", ""]),
        Message::from(["one", "", "two"]),
        Message::from(large),
    ] {
        let answer = within("the answer", requester.request(question.clone())).await;
        assert_eq!(answer.unwrap(), question);
    }
    let refused = within("no frames", requester.request(Message::new())).await;
    assert_eq!(refused, Err(RequestError::NoFrames));
}

#[tokio::test]
async fn no_more_are_under_way_than_may_be() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let builder = Requester::builder().timeout(None).max_under_way(3);
    let requester = builder.build(DealerSocket::new()).unwrap();
    requester.connect(&endpoint).unwrap();
    let all = join_all((0..100).map(|number| requester.request(number.to_string())));
    let all = tokio::spawn(all);
    let mut order = Vec::new();
    for left in (0..100_usize).rev() {
        // Each answer lets one more come.
        let request = taken(&mut router).await;
        order.push(text(&request));
        let counted = requester.statistics();
        assert!(counted.under_way <= 3);
        assert!(counted.waiting <= 97 && counted.waiting + 3 >= left.min(97));
        router.send(request.respond(text(&request))).await.unwrap();
    }
    for (number, answer) in within("all", all).await.unwrap().into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
    // First come, first served.
    assert!(
        order
            .iter()
            .enumerate()
            .all(|(at, text)| *text == at.to_string())
    );
}

/// Nobody is moved on by a future of the application's, which may be held and not polled.
#[tokio::test]
async fn a_request_that_is_not_polled_holds_up_nobody() {
    let mut rep = RepSocket::new();
    let requester = requester(&rep.bind(ANY_PORT).await.unwrap());
    echo(rep);
    let mut held = requester.request("held");
    begun(&mut held);
    for number in 0..100 {
        let answer = within("another", requester.request(number.to_string())).await;
        assert_eq!(answer.unwrap(), number.to_string());
    }
    assert_eq!(within("the held one", held).await.unwrap(), "held");
}

#[tokio::test]
async fn without_an_answer_in_time_it_fails_and_a_late_answer_is_dropped() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    let asked = within("its time is over", requester.request("slow").timeout(SHORT)).await;
    let error = RequestError::Timeout {
        timeout: SHORT,
        tries: 1,
    };
    assert_eq!(asked, Err(error.clone()));
    assert!(error.is_timeout() && error.to_string().contains("`timeout`"));
    let slow = taken(&mut router).await;
    router.send(slow.respond("too late")).await.unwrap();
    until(&requester, "the answer is dropped", |counted| {
        counted.late == 1
    })
    .await;
    assert_eq!(requester.stats().unwrap().dropped.discarded, 1);
    // Others are answered.
    let next = tokio::spawn(requester.request("next"));
    let request = taken(&mut router).await;
    router.send(request.respond("in time")).await.unwrap();
    assert_eq!(within("the next", next).await.unwrap().unwrap(), "in time");
    let counted = requester.statistics();
    assert_eq!((counted.timed_out, counted.answered), (1, 1));
}

#[tokio::test]
async fn all_tries_have_one_number_and_the_first_answer_counts() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    let request = requester
        .request("question")
        .timeout(SHORT)
        .retries(u32::MAX);
    let asked = tokio::spawn(request);
    let tries = [taken(&mut router).await, taken(&mut router).await];
    assert_eq!(tries[0], tries[1]);
    // That of the first try, after the second was sent.
    router.send(tries[0].respond("first")).await.unwrap();
    router.send(tries[1].respond("second")).await.unwrap();
    assert_eq!(within("an answer", asked).await.unwrap().unwrap(), "first");
    until(&requester, "the other is dropped", |counted| {
        counted.late == 1
    })
    .await;
    let counted = requester.statistics();
    assert!(counted.repeated >= 1);
    assert_eq!((counted.answered, counted.timed_out), (1, 0));
}

#[tokio::test]
async fn retries_come_to_an_end() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let builder = Requester::builder().timeout(SHORT).retries(2);
    let requester = builder.build(DealerSocket::new()).unwrap();
    requester.connect(&endpoint).unwrap();
    let asked = within("it fails", requester.request("question")).await;
    let error = RequestError::Timeout {
        timeout: SHORT,
        tries: 3,
    };
    assert_eq!(asked, Err(error));
    for _ in 0..3 {
        assert_eq!(text(&taken(&mut router).await), "question");
    }
    assert!(router.try_recv_message().is_err());
    assert_eq!(requester.statistics().repeated, 2);
}

#[tokio::test]
async fn what_could_not_be_sent_comes_back() {
    let requester = Requester::builder().max_under_way(1).timeout(SHORT);
    let requester = requester.build(DealerSocket::new()).unwrap();
    requester.bind(ANY_PORT).await.unwrap();
    let unsent = |retries| RequestError::Unsent {
        timeout: SHORT * (retries + 1),
        message: "nobody is there".into(),
    };
    for retries in 0..2 {
        let asked = requester.request("nobody is there").retries(retries);
        let asked = within("it fails", asked).await.unwrap_err();
        assert_eq!(asked, unsent(retries));
        assert_eq!(asked.into_message().unwrap(), "nobody is there");
    }
    let mut first = requester.request("waits for a peer").timeout(None);
    begun(&mut first);
    // It waits for a place.
    let asked = within("it fails", requester.request("nobody is there")).await;
    assert_eq!(asked, Err(unsent(0)));
    assert_eq!(requester.statistics().timed_out, 3);
}

#[tokio::test]
async fn the_answer_of_a_cancelled_request_is_dropped() {
    let mut router = RouterSocket::new();
    let requester = requester(&router.bind(ANY_PORT).await.unwrap());
    // Before it is begun it is nothing.
    drop(requester.request("nothing"));
    let asked = tokio::spawn(requester.request("dropped"));
    let request = taken(&mut router).await;
    asked.abort();
    within("it is dropped", asked).await.unwrap_err();
    router.send(request.respond("for nobody")).await.unwrap();
    until(&requester, "the answer is dropped", |counted| {
        counted.late == 1
    })
    .await;
    // Its answer has come, and nobody has looked.
    let mut held = requester.request("held");
    begun(&mut held);
    let request = taken(&mut router).await;
    router.send(request.respond("for nobody")).await.unwrap();
    until(&requester, "the answer has come", |counted| {
        counted.answered == 1
    })
    .await;
    drop(held);
    let counted = requester.statistics();
    assert_eq!((counted.cancelled, counted.late), (1, 2));
    assert_eq!((counted.under_way, counted.waiting), (0, 0));
    assert_eq!(requester.stats().unwrap().dropped.discarded, 2);
}

#[tokio::test]
async fn cancelled_requests_leave_the_line() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let builder = Requester::builder().timeout(None).max_under_way(1);
    let requester = builder.build(DealerSocket::new()).unwrap();
    requester.connect(&endpoint).unwrap();
    let mut requests: HashMap<_, _> = (0..10)
        .map(|number| (number, requester.request(number.to_string())))
        .collect();
    for number in 0..10 {
        begun(requests.get_mut(&number).unwrap());
    }
    assert_eq!(requester.statistics().waiting, 9);
    // Half of those that wait, and the one that has the place.
    for number in [0, 2, 3, 5, 7] {
        requests.remove(&number);
    }
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let request = taken(&mut router).await;
        seen.push(text(&request));
        router.send(request.respond("answer")).await.unwrap();
    }
    assert_eq!(seen, ["0", "1", "4", "6", "8", "9"]);
    for (_, request) in requests {
        assert_eq!(within("an answer", request).await.unwrap(), "answer");
    }
    let counted = requester.statistics();
    assert_eq!((counted.answered, counted.cancelled), (5, 5));
}

/// The futures keep the requester, whoever has dropped its handles.
#[tokio::test]
async fn requests_outlive_the_handles() {
    let mut rep = RepSocket::new();
    let requester = requester(&rep.bind(ANY_PORT).await.unwrap());
    let requests: Vec<_> = (0..10)
        .map(|number| tokio::spawn(requester.request(number.to_string())))
        .collect();
    drop(requester);
    echo(rep);
    for (number, request) in requests.into_iter().enumerate() {
        let answer = within("an answer", request).await.unwrap().unwrap();
        assert_eq!(answer, number.to_string());
    }
}

#[test]
fn threads_ask_without_a_runtime() {
    let mut rep = blocking::RepSocket::new();
    let endpoint = rep.bind(ANY_PORT).unwrap();
    std::thread::spawn(move || {
        while let Ok(request) = rep.recv() {
            rep.send(request).unwrap();
        }
    });
    let requester = blocking::Requester::new(blocking::DealerSocket::new()).unwrap();
    requester.inner().connect(&endpoint).unwrap();
    let threads = [0, 1, 2, 3].map(|thread| {
        let requester = requester.clone();
        std::thread::spawn(move || {
            for number in 0..100 {
                let question = format!("{thread} asks {number}");
                let answer = requester.request(question.as_str()).unwrap();
                assert_eq!(answer, question);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let report = requester.drain(LONG);
    assert_eq!(report.unanswered, 0);
    assert_eq!(requester.request("more"), Err(RequestError::Closed));
}

#[test]
fn the_time_of_a_thread_without_a_runtime_is_over_too() {
    let mut router = blocking::RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).unwrap();
    let requester = blocking::Requester::new(blocking::DealerSocket::new()).unwrap();
    requester.inner().connect(&endpoint).unwrap();
    let asked = requester.request_within("question", SHORT);
    assert!(asked.unwrap_err().is_timeout());
}
