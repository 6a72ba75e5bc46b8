//! CONFLATE: a queue of one, in which the newest message wins, whatever is around it (`docs/rules.md`, R-CONF).

use common::libzmq::Libzmq;
use common::within;
use purezmq::{
    Context, DealerSocket, Message, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn a_conflating_sender_keeps_the_newest_for_a_peer_that_is_away() {
    // R-CONF-1, R-CONF-2: a message of several frames stays whole.
    let place = common::place::Place::fixed(common::place::Transport::Tcp4);
    let mut push = PushSocket::builder().conflate(true).build().unwrap();
    push.connect(place.endpoint.as_str()).unwrap();
    for number in 0..5000 {
        push.send([number.to_string(), "end".to_owned()])
            .await
            .unwrap();
    }
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.unwrap();
    let newest = within("newest", pull.recv()).await.unwrap();
    assert_eq!(newest, Message::from(["4999", "end"]));
    push.send("next").await.unwrap();
    assert_eq!(within("next", pull.recv()).await.unwrap(), "next");
    assert_eq!(push.close().await.unsent, 0);
}

#[tokio::test]
async fn a_conflating_receiver_reads_the_newest() {
    // R-CONF-1, R-SUB-6: from libzmq, which is never held up.
    let mut pull = PullSocket::builder().conflate(true).build().unwrap();
    let endpoint = pull.bind(ANY_PORT).await.unwrap().to_string();
    let push = Libzmq::new(zmq::PUSH);
    push.run(move |socket| {
        socket.connect(&endpoint).unwrap();
        for number in 0..20_000 {
            socket.send(&number.to_string(), 0).unwrap();
        }
    })
    .await;
    let (mut last, mut read) = (-1, 0);
    while last != 19_999 {
        let message = within("a newer one", pull.recv()).await.unwrap();
        let number: i32 = message.as_str().unwrap().parse().unwrap();
        assert!(number > last, "{number} after {last}");
        (last, read) = (number, read + 1);
    }
    assert!(read < 20_000, "most were passed over");
    assert!(pull.try_recv().is_err());
}

#[tokio::test]
async fn either_side_of_an_inproc_pipe_can_conflate() {
    // R-CONF-1
    for (sender, receiver) in [(true, false), (false, true)] {
        for bind_first in [true, false] {
            let context = Context::new();
            let mut pull = PullSocket::builder()
                .context(&context)
                .conflate(receiver)
                .build()
                .unwrap();
            let mut push = PushSocket::builder()
                .context(&context)
                .conflate(sender)
                .build()
                .unwrap();
            if bind_first {
                pull.bind("inproc://one").await.unwrap();
            }
            push.connect("inproc://one").unwrap();
            for number in 0..100 {
                push.send(number.to_string()).await.unwrap();
            }
            if !bind_first {
                pull.bind("inproc://one").await.unwrap();
            }
            assert_eq!(pull.recv().await.unwrap(), "99");
            assert!(pull.try_recv().is_err());
            for number in 0..3 {
                push.send(number.to_string()).await.unwrap();
            }
            assert_eq!(pull.recv().await.unwrap(), "2");
            assert!(pull.try_recv().is_err());
        }
    }
}

#[tokio::test]
async fn a_router_knows_a_conflating_dealer_by_its_name() {
    // R-CONF-1, R-INP-6: whoever binds and whenever.
    for (router_binds, early) in [(true, false), (false, false), (false, true), (true, true)] {
        let context = Context::new();
        let mut dealer = DealerSocket::builder()
            .context(&context)
            .conflate(true)
            .routing_id("joe")
            .build()
            .unwrap();
        let mut router = RouterSocket::builder().context(&context).build().unwrap();
        if router_binds && !early {
            router.bind("inproc://here").await.unwrap();
        }
        if router_binds {
            dealer.connect("inproc://here").unwrap();
        } else if early {
            router.connect("inproc://here").unwrap();
            dealer.bind("inproc://here").await.unwrap();
        } else {
            dealer.bind("inproc://here").await.unwrap();
            router.connect("inproc://here").unwrap();
        }
        dealer.send("old").await.unwrap();
        dealer.send("new").await.unwrap();
        if router_binds && early {
            router.bind("inproc://here").await.unwrap();
        }
        let newest = within("the newest", router.recv_message()).await.unwrap();
        assert_eq!(
            (&newest.peer[..], &newest.message),
            (&b"joe"[..], &Message::from("new"))
        );
        router.send(newest.reply("yes")).await.unwrap();
        assert_eq!(within("an answer", dealer.recv()).await.unwrap(), "yes");
    }
}

#[tokio::test]
async fn publishers_subscribers_and_dealers_conflate() {
    // R-CONF-1, R-SUB-6, R-DEALER-5
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .context(&context)
        .conflate(true)
        .build()
        .unwrap();
    publisher.bind("inproc://news").await.unwrap();
    let mut subs = Vec::new();
    for topic in ["a", "b"] {
        let builder = SubSocket::builder().context(&context);
        let mut sub = builder.conflate(true).build().unwrap();
        sub.subscribe(topic);
        sub.connect("inproc://news").unwrap();
        subs.push(sub);
    }
    for number in 0..10 {
        publisher.send(format!("a{number}")).await.unwrap();
        publisher.send(format!("b{number}")).await.unwrap();
    }
    assert_eq!(subs[0].recv().await.unwrap(), "a9");
    assert_eq!(subs[1].recv().await.unwrap(), "b9");
    assert_eq!(publisher.dropped(), 0);

    let dealer = || {
        let builder = DealerSocket::builder().context(&context);
        builder.conflate(true).build().unwrap()
    };
    let (mut one, mut two) = (dealer(), dealer());
    one.bind("inproc://dealer").await.unwrap();
    two.connect("inproc://dealer").unwrap();
    for number in 0..10 {
        one.send(format!("to two {number}")).await.unwrap();
        two.send(format!("to one {number}")).await.unwrap();
    }
    assert_eq!(two.recv().await.unwrap(), "to two 9");
    assert_eq!(one.recv().await.unwrap(), "to one 9");
}

/// A publisher that conflates what it sends still hears of every subscription, and so do the publishers of a
/// subscriber that conflates what it receives.
#[tokio::test]
async fn subscriptions_are_not_conflated() {
    // R-CONF-1, R-CONN-21
    for (sending, receiving) in [(true, false), (false, true)] {
        let context = Context::new();
        for place in [ANY_PORT, "inproc://topics"] {
            let publisher = PubSocket::builder().context(&context).conflate(sending);
            let mut publisher = publisher.build().unwrap();
            let bound = publisher.bind(place).await.unwrap();
            let subscriber = SubSocket::builder().context(&context).conflate(receiving);
            let mut subscriber = subscriber.build().unwrap();
            subscriber.subscribe("a");
            subscriber.subscribe("b");
            subscriber.connect(&bound).unwrap();
            // Those of a live connection, too.
            subscriber.subscribe("c");
            subscriber.subscribe("d");
            within("the last", async {
                while publisher.topics_count() < 4 {
                    publisher.wait_for_subscribers(1).await;
                    tokio::task::yield_now().await;
                }
            })
            .await;
            for topic in ["a", "b", "c", "d"] {
                publisher.send(topic).await.unwrap();
                let message = within(topic, subscriber.recv()).await.unwrap();
                assert_eq!(message, topic);
            }
        }
    }
}
