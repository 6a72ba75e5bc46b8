//! A socket's handles beside the socket itself: halves, shared senders, streams and sinks, permits, and
//! many messages at once.

use std::time::Duration;

use common::events::{connected, ended};
use common::within;
use futures::{FutureExt, SinkExt, StreamExt};
use purezmq::{
    DealerSocket, Message, PairSocket, PubSocket, PullSocket, PushSocket, RecvError, ReserveError,
    RouterEvent, RouterSocket, SendError, SubSocket, XPubSocket, XSubSocket,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const COUNT: usize = 5000;

async fn push_pull() -> (PushSocket, PullSocket) {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    (push, pull)
}

/// Sends from the half while it receives what comes back.
macro_rules! both_ways {
    ($sender:ident, $receiver:ident, $message:expr, $check:expr) => {{
        let task = tokio::spawn(async move {
            for number in 0..COUNT {
                $sender.send(($message)(number)).await.unwrap();
            }
            $sender
        });
        for number in 0..COUNT {
            let received = within("an echo", $receiver.recv()).await.unwrap();
            ($check)(number, received);
        }
        let sender = task.await.unwrap();
        sender.reunite($receiver).unwrap()
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dealer_and_router_halves_work_in_tasks_of_their_own() {
    let mut router = RouterSocket::builder().mandatory(true).build().unwrap();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let (mut answers, mut questions) = router.split();
    let echo = tokio::spawn(async move {
        for _ in 0..COUNT {
            let question = questions.recv_message().await.unwrap();
            answers.send(question).await.unwrap();
        }
        answers.reunite(questions).unwrap()
    });
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    let (mut sender, mut receiver) = dealer.split();
    let mut dealer = both_ways!(
        sender,
        receiver,
        |number: usize| number.to_string(),
        |number: usize, text: Message| {
            assert_eq!(text, number.to_string());
        }
    );
    // Whole again, both go on over the same connection.
    let mut router = echo.await.unwrap();
    dealer.send("whole").await.unwrap();
    let question = within("the question", router.recv_message()).await.unwrap();
    router.send(question.reply("again")).await.unwrap();
    assert_eq!(within("the answer", dealer.recv()).await.unwrap(), "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pair_halves_work_in_tasks_of_their_own() {
    let mut here = PairSocket::new();
    let endpoint = here.bind(ANY_PORT).await.unwrap();
    let mut there = PairSocket::new();
    there.connect(&endpoint).unwrap();
    let echo = tokio::spawn(async move {
        for _ in 0..COUNT {
            let message = there.recv().await.unwrap();
            there.send(message).await.unwrap();
        }
        there
    });
    let (mut sender, mut receiver) = here.split();
    let here = both_ways!(
        sender,
        receiver,
        |number: usize| number.to_string(),
        |number: usize, text: Message| {
            assert_eq!(text, number.to_string());
        }
    );
    drop((here, echo.await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xpub_and_xsub_halves_publish_while_they_hear() {
    let mut xpub = XPubSocket::builder().no_drop(true).build().unwrap();
    let endpoint = xpub.bind(ANY_PORT).await.unwrap();
    let mut xsub = XSubSocket::new();
    xsub.connect(&endpoint).unwrap();
    let (mut publish, mut hear) = xpub.split();
    let (mut subscribe, mut listen) = xsub.split();
    subscribe.subscribe("news");
    // The receiving half waits while the sending half hears the subscription.
    let (heard, ()) = within("the subscription", async {
        tokio::join!(hear.recv(), publish.wait_for_subscribers(1))
    })
    .await;
    assert_eq!(heard.unwrap(), "\x01news");
    let publisher = tokio::spawn(async move {
        for number in 0..COUNT {
            publish.send(format!("news {number}")).await.unwrap();
        }
        publish
    });
    let talker = tokio::spawn(async move {
        for number in 0..100 {
            subscribe.send(format!("question {number}")).await.unwrap();
        }
        subscribe
    });
    for number in 0..100 {
        let question = within("a question", hear.recv()).await.unwrap();
        assert_eq!(question, format!("question {number}"));
    }
    for number in 0..COUNT {
        let news = within("news", listen.recv()).await.unwrap();
        assert_eq!(news, format!("news {number}"));
    }
    let mut subscribe = talker.await.unwrap();
    assert!(subscribe.unsubscribe("news"));
    assert_eq!(within("the end", hear.recv()).await.unwrap(), "\0news");
    publisher.await.unwrap().reunite(hear).unwrap();
    subscribe.reunite(listen).unwrap();
}

#[tokio::test]
async fn halves_of_two_sockets_do_not_fit() {
    let (one, _rest) = PairSocket::new().split();
    let (_, other) = PairSocket::new().split();
    assert!(one.reunite(other).is_err());
    let (one, _rest) = XPubSocket::new().split();
    let (_, other) = XPubSocket::new().split();
    assert!(one.reunite(other).is_err());
}

#[tokio::test]
async fn a_dropped_half_leaves_the_socket_open_for_the_other() {
    let mut peer = RouterSocket::builder().notify(true).build().unwrap();
    let endpoint = peer.bind(ANY_PORT).await.unwrap();
    let mut dealer = DealerSocket::builder().routing_id("me").build().unwrap();
    dealer.connect(&endpoint).unwrap();
    let (mut sender, mut receiver) = dealer.split();
    sender.send("last words").await.unwrap();
    drop(sender);
    assert!(matches!(
        within("arrival", peer.recv()).await.unwrap(),
        RouterEvent::Connected(_)
    ));
    assert_eq!(
        within("last words", peer.recv_message())
            .await
            .unwrap()
            .message,
        "last words"
    );
    peer.send_to("me", "answer").await.unwrap();
    assert_eq!(
        within("the answer", receiver.recv()).await.unwrap(),
        "answer"
    );
    // The last half closes the socket.
    drop(receiver);
    let end = within("departure", peer.recv()).await.unwrap();
    assert!(matches!(end, RouterEvent::Disconnected(_)));
}

#[tokio::test]
async fn the_last_half_lingers() {
    let mut pair = PairSocket::new();
    let address = within("an address", pair.bind(ANY_PORT)).await.unwrap();
    pair.unbind(&address).await.unwrap();
    let mut sender = PairSocket::new();
    sender.connect(&address).unwrap();
    let (mut half, other) = sender.split();
    half.send("sent before anyone listened").await.unwrap();
    drop(other);
    drop(half);
    pair.bind(&address).await.unwrap();
    let message = within("what lingered", pair.recv()).await.unwrap();
    assert_eq!(message, "sent before anyone listened");
}

#[tokio::test]
async fn a_half_disconnects_for_both_also_when_the_other_is_gone() {
    for drop_first in [false, true] {
        let mut peer = RouterSocket::builder().notify(true).build().unwrap();
        let endpoint = peer.bind(ANY_PORT).await.unwrap();
        let (sender, mut receiver) = DealerSocket::new().split();
        receiver.connect(&endpoint).unwrap();
        let mut sender = Some(sender);
        assert!(matches!(
            within("arrival", peer.recv()).await.unwrap(),
            RouterEvent::Connected(_)
        ));
        if drop_first {
            sender = None;
        }
        receiver.disconnect(&endpoint).unwrap();
        assert!(receiver.disconnect(&endpoint).is_err());
        if let Some(sender) = &mut sender {
            // It hears of it when it is used.
            assert!(matches!(
                sender.try_send("no peer"),
                Err(SendError::Full(_))
            ));
        }
        let end = within("departure", peer.recv()).await.unwrap();
        assert!(matches!(end, RouterEvent::Disconnected(_)));
    }
}

#[tokio::test]
async fn a_connection_ends_when_one_half_disconnects_and_the_other_rests() {
    // Else the peer would go on sending to a connection that nobody reads.
    for sender_disconnects in [false, true] {
        let mut peer = DealerSocket::new();
        let mut events = peer.monitor();
        let endpoint = peer.bind(ANY_PORT).await.unwrap();
        let mut dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        connected(&mut events).await;
        let (mut sender, mut receiver) = dealer.split();
        for number in 0..100 {
            sender.send(number.to_string()).await.unwrap();
        }
        if sender_disconnects {
            sender.disconnect(&endpoint).unwrap();
        } else {
            receiver.disconnect(&endpoint).unwrap();
        }
        for number in 0..100 {
            let received = within("what was sent before", peer.recv()).await.unwrap();
            assert_eq!(received, number.to_string());
        }
        ended(&mut events).await;
        assert!(peer.try_send("nobody is there").is_err());
        // And both are for the next connection.
        receiver.connect(&endpoint).unwrap();
        sender.send("again").await.unwrap();
        assert_eq!(within("it", peer.recv()).await.unwrap(), "again");
        peer.send("yes").await.unwrap();
        assert_eq!(within("it", receiver.recv()).await.unwrap(), "yes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_senders_keep_the_order_of_each_and_wait_in_line() {
    const TASKS: usize = 8;
    let mut pull = PullSocket::builder().recv_hwm(3).build().unwrap();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::builder().send_hwm(3).build().unwrap();
    push.connect(&endpoint).unwrap();
    let push = push.into_shared();
    for task in 0..TASKS {
        let push = push.clone();
        tokio::spawn(async move {
            for number in 0..COUNT / TASKS {
                let text = format!("{task} {number}");
                // Some give up while they wait in the line.
                if number % 3 == 0
                    && let Some(sent) = push.send(text.clone()).now_or_never()
                {
                    sent.unwrap();
                } else {
                    push.send(text).await.unwrap();
                }
            }
        });
    }
    let mut next = [0; TASKS];
    for _ in 0..COUNT {
        let message = within("a message", pull.recv()).await.unwrap();
        let text = message.as_str().unwrap();
        let (task, number) = text.split_once(' ').unwrap();
        let next = &mut next[task.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<usize>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [COUNT / TASKS; TASKS]);
    assert!(pull.try_recv().is_err());
}

#[tokio::test]
async fn shared_senders_of_other_sockets() {
    let mut router = RouterSocket::builder().mandatory(true).build().unwrap();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let mut dealer = DealerSocket::builder()
        .routing_id("dealer")
        .build()
        .unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("here").await.unwrap();
    let (sender, mut receiver) = router.split();
    within("the dealer", receiver.recv()).await.unwrap();
    let sender = sender.into_shared();
    sender.clone().send(("dealer", "hello")).await.unwrap();
    assert_eq!(within("hello", dealer.recv()).await.unwrap(), "hello");
    assert!(sender.try_send(("nobody", "hello")).is_err());
    let sender = sender.try_into_inner().expect("the clone is gone");
    drop(sender.reunite(receiver).unwrap());

    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("");
    subscriber.connect(&endpoint).unwrap();
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    let publisher = publisher.into_shared();
    publisher.send("news").await.unwrap();
    assert_eq!(within("news", subscriber.recv()).await.unwrap(), "news");
    assert_eq!(publisher.with(|socket| socket.subscriber_count()), 1);
}

#[tokio::test]
async fn recv_many_takes_what_is_there_up_to_the_limit() {
    let mut pull = PullSocket::builder()
        .recv_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    pull.bind("inproc://recv-many").await.unwrap();
    let mut buffer = Vec::new();
    assert_eq!(
        pull.recv_many(&mut buffer, 9).await,
        Err(RecvError::Timeout)
    );
    assert_eq!(pull.recv_many(&mut buffer, 0).await, Ok(0));
    let mut push = PushSocket::new();
    push.connect("inproc://recv-many").unwrap();
    for number in 0..10 {
        push.send(number.to_string()).await.unwrap();
    }
    assert_eq!(pull.recv_many(&mut buffer, 4).await, Ok(4));
    assert_eq!(pull.recv_many(&mut buffer, 100).await, Ok(6));
    for (number, message) in buffer.iter().enumerate() {
        assert_eq!(*message, number.to_string());
    }
    assert_eq!(buffer.len(), 10);
}

#[tokio::test]
async fn recv_many_of_router_sub_pair_and_xpub() {
    let mut router = RouterSocket::new();
    router.bind("inproc://many-router").await.unwrap();
    let mut dealer = DealerSocket::builder().routing_id("d").build().unwrap();
    dealer.connect("inproc://many-router").unwrap();
    dealer.send("a").await.unwrap();
    dealer.send("b").await.unwrap();
    let mut routed = Vec::new();
    assert_eq!(router.recv_many(&mut routed, 9).await, Ok(2));
    let message = |text: &str| RouterEvent::Message(("d", text).into());
    assert_eq!(routed, [message("a"), message("b")]);

    let mut xpub = XPubSocket::new();
    xpub.bind("inproc://many-xpub").await.unwrap();
    let mut sub = SubSocket::new();
    sub.subscribe("a");
    sub.subscribe("b");
    sub.connect("inproc://many-xpub").unwrap();
    within("a subscriber", xpub.wait_for_subscribers(1)).await;
    for text in ["a", "none", "b"] {
        xpub.send(text).await.unwrap();
    }
    let mut messages = Vec::new();
    assert_eq!(sub.recv_many(&mut messages, 9).await, Ok(2));
    assert_eq!(xpub.recv_many(&mut messages, 9).await, Ok(2));
    assert_eq!(messages, ["a", "b", "\x01a", "\x01b"].map(Message::from));
}

#[tokio::test]
async fn sockets_are_streams_and_sinks() {
    let (push, pull) = push_pull().await;
    let mut sink = push.into_sink();
    let mut numbers = futures::stream::iter(0..COUNT).map(|number| Ok(number.to_string()));
    let mut stream = pull.into_stream().enumerate().take(COUNT);
    let receive = async {
        while let Some((number, message)) = stream.next().await {
            assert_eq!(message.unwrap(), number.to_string());
        }
    };
    let (sent, ()) = within("all", async {
        tokio::join!(sink.send_all(&mut numbers), receive)
    })
    .await;
    sent.unwrap();
    let (mut push, unsent) = sink.into_inner();
    assert!(unsent.is_none());
    push.send("still a socket").await.unwrap();
}

#[tokio::test]
async fn a_stream_tells_of_timeouts_and_goes_on() {
    let mut pull = PullSocket::builder()
        .recv_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut stream = pull.stream();
    assert_eq!(
        within("a time-out", stream.next()).await.unwrap(),
        Err(RecvError::Timeout)
    );
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.send("late").await.unwrap();
    let message = within("a message", async {
        loop {
            if let Some(Ok(message)) = stream.next().await {
                return message;
            }
        }
    });
    assert_eq!(message.await, "late");
}

#[tokio::test]
async fn a_permit_is_room_for_one_message() {
    let mut push = PushSocket::builder()
        .send_hwm(1)
        .send_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    assert_eq!(push.reserve().await.unwrap_err(), ReserveError::Timeout);
    let mut pull = PullSocket::builder().recv_hwm(1).build().unwrap();
    pull.bind("inproc://permit").await.unwrap();
    push.connect("inproc://permit").unwrap();
    for text in ["first", "second"] {
        // Dropped permits cost nothing.
        drop(push.reserve().await.unwrap());
        push.reserve().await.unwrap().send(text).unwrap();
    }
    assert_eq!(push.reserve().await.unwrap_err(), ReserveError::Timeout);
    assert_eq!(pull.recv().await.unwrap(), "first");
    assert_eq!(pull.recv().await.unwrap(), "second");
    // The peer goes while the permit is there.
    let permit = push.reserve().await.unwrap();
    drop(pull);
    assert!(matches!(permit.send("nobody"), Err(SendError::Full(message)) if message == "nobody"));
}
