//! A requester and libzmq's REP and ROUTER: many requests under way, each with its own answer.

use common::libzmq::Libzmq;
use common::within;
use futures::future::join_all;
use purezmq::{DealerSocket, Requester};

const REQUESTS: usize = 1000;

/// Has libzmq's socket answer so many requests: it sends back what it got, several at a time in the opposite order.
async fn answered_by(kind: zmq::SocketType, at_a_time: usize) {
    let server = Libzmq::new(kind);
    let endpoint = server
        .run(|socket| {
            socket.bind("tcp://127.0.0.1:*").unwrap();
            socket.get_last_endpoint().unwrap().unwrap()
        })
        .await;
    let requester = Requester::builder()
        .max_under_way(100)
        .build(DealerSocket::new());
    let requester = requester.unwrap();
    requester.connect(endpoint.as_str()).unwrap();
    let tasks = (0..10).map(|task| {
        let requester = requester.clone();
        tokio::spawn(async move {
            let requests = (0..REQUESTS / 10).map(|number| {
                let requester = requester.clone();
                async move {
                    let question = format!("{task} asks {number}");
                    let answer = requester.request(question.as_str()).await.unwrap();
                    assert_eq!(answer, question);
                }
            });
            join_all(requests).await;
        })
    });
    let tasks: Vec<_> = tasks.collect();
    server
        .run(move |socket| {
            let mut requests = Vec::new();
            for _ in 0..REQUESTS {
                requests.push(socket.recv_multipart(0).unwrap());
                if requests.len() == at_a_time {
                    for request in requests.drain(..).rev() {
                        socket.send_multipart(request, 0).unwrap();
                    }
                }
            }
        })
        .await;
    for task in within("all are answered", join_all(tasks)).await {
        task.unwrap();
    }
    let counted = requester.statistics();
    assert_eq!(
        (counted.answered, counted.late, counted.unasked),
        (REQUESTS as u64, 0, 0)
    );
}

#[tokio::test]
async fn their_rep_answers_our_requester() {
    answered_by(zmq::REP, 1).await;
}

/// It gets 100 at most at a time, and answers 50 of them, the last first.
#[tokio::test]
async fn their_router_answers_our_requester_out_of_order() {
    answered_by(zmq::ROUTER, 50).await;
}
