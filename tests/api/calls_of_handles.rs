//! Calls that handles of other kinds have as the socket itself has them: shared senders, and sockets of any type.

use std::time::Duration;

use common::within;
use purezmq::options::OptionId;
use purezmq::{
    AnySocket, DealerSocket, Message, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket,
    SocketType, blocking,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_shared_sender_drains_the_socket() {
    let mut dealer = DealerSocket::new();
    let endpoint = dealer.bind(ANY_PORT).await.unwrap();
    let mut peer = DealerSocket::new();
    peer.connect(&endpoint).unwrap();
    peer.send("work").await.unwrap();
    let (sender, mut receiver) = dealer.split();
    assert_eq!(receiver.recv().await.unwrap(), "work");
    let senders = [sender.into_shared()];
    let [sender, other] = [senders[0].clone(), senders[0].clone()];
    drop(senders);
    sender.drain(LONG);
    let end = within("it is over", receiver.recv()).await;
    assert_eq!(end, Err(RecvError::Drained));
    other.send("answer").await.unwrap();
    assert_eq!(within("an answer", peer.recv()).await.unwrap(), "answer");
}

#[test]
fn a_blocking_shared_sender_drains_the_socket() {
    let mut dealer = blocking::DealerSocket::new();
    let endpoint = dealer.bind(ANY_PORT).unwrap();
    let mut peer = blocking::DealerSocket::new();
    peer.connect(&endpoint).unwrap();
    peer.send("work").unwrap();
    let (sender, mut receiver) = dealer.split();
    assert_eq!(receiver.recv().unwrap(), "work");
    let sender = sender.into_shared();
    sender.clone().drain(LONG);
    assert_eq!(receiver.recv(), Err(RecvError::Drained));
    sender.send("answer").unwrap();
    assert_eq!(peer.recv().unwrap(), "answer");
}

/// As many as are there, with who has sent each.
#[tokio::test]
async fn a_socket_of_any_type_receives_many() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut pull = AnySocket::from(pull);
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for number in 0..4 {
        push.send(number.to_string()).await.unwrap();
    }
    while pull.stats().queued_to_receive < 4 {
        tokio::task::yield_now().await;
    }
    let mut messages = vec![Message::from("there before")];
    let first = within("many", pull.recv_many(&mut messages, 2)).await;
    assert_eq!(first, Ok(2));
    assert_eq!(messages, ["there before", "0", "1"]);
    let mut received = Vec::new();
    let rest = within("many", pull.recv_many_from(&mut received, 100)).await;
    assert_eq!(rest, Ok(2));
    for ((message, peer), number) in received.iter().zip(["2", "3"]) {
        assert_eq!(message, number);
        let peer = peer.as_ref().expect("somebody has sent it");
        assert_eq!(peer.socket_type, Some(SocketType::Push));
    }
    let mut options = pull.options();
    let recv_timeout = OptionId::by_name("recv_timeout").unwrap();
    options.set(recv_timeout, Duration::ZERO).unwrap();
    pull.set_options(options).unwrap();
    let nothing = pull.recv_many_from(&mut received, 100).await;
    assert_eq!(nothing, Err(RecvError::Timeout));
    let mut push = AnySocket::from(push);
    let nothing = push.recv_many(&mut messages, 1).await;
    assert!(
        matches!(nothing, Err(RecvError::Unsupported { .. })),
        "{nothing:?}"
    );
    let nothing = push.recv_many_from(&mut received, 1).await;
    assert!(
        matches!(nothing, Err(RecvError::Unsupported { .. })),
        "{nothing:?}"
    );
    assert_eq!((messages.len(), received.len()), (3, 2));
}

/// One that has to answer each gets one.
#[tokio::test]
async fn a_rep_receives_one_at_a_time() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANY_PORT).await.unwrap();
    let mut rep = AnySocket::from(rep);
    let mut asking = Vec::new();
    for number in 0..2 {
        let mut req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        req.send(number.to_string()).await.unwrap();
        asking.push(req);
    }
    while rep.stats().queued_to_receive < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        let mut received = Vec::new();
        let one = within("one", rep.recv_many_from(&mut received, 10)).await;
        assert_eq!((one, received.len()), (Ok(1), 1));
        rep.send(received.remove(0).0).await.unwrap();
    }
    for (number, req) in asking.iter_mut().enumerate() {
        let answer = within("an answer", req.recv()).await.unwrap();
        assert_eq!(answer, number.to_string());
    }
}
