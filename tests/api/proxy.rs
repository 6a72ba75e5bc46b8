//! The proxy between libzmq's sockets and ours: in each of its shapes, watched, steered, and cancelled.

use std::time::Duration;

use common::libzmq::Libzmq;
use common::within;
use purezmq::{
    DealerSocket, PairSocket, Proxy, ProxyHandle, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, SubSocket, XPubSocket, XSubSocket, blocking, proxy,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

async fn connected(kind: zmq::SocketType, endpoint: &purezmq::Endpoint) -> Libzmq {
    let socket = Libzmq::new(kind);
    let endpoint = endpoint.to_string();
    socket
        .run(move |socket| socket.connect(&endpoint).unwrap())
        .await;
    socket
}

#[tokio::test]
async fn libzmq_requests_reach_libzmq_workers_and_the_answers_their_askers() {
    const CLIENTS: usize = 4;
    const QUESTIONS: usize = 200;
    let (mut clients, mut workers) = (RouterSocket::new(), DealerSocket::new());
    let front = clients.bind(ANY_PORT).await.unwrap();
    let back = workers.bind(ANY_PORT).await.unwrap();
    let mut arrivals = workers.monitor();
    let mut broker = Proxy::new(clients, workers);
    let handle = broker.handle();
    let running = tokio::spawn(async move { broker.run().await });
    let mut served = Vec::new();
    for _ in 0..2 {
        let worker = connected(zmq::REP, &back).await;
        served.push(tokio::spawn(async move {
            worker
                .run(|socket| {
                    for _ in 0..CLIENTS * QUESTIONS / 2 {
                        let mut frames = socket.recv_multipart(0).unwrap();
                        frames.push(b"answered".to_vec());
                        socket.send_multipart(frames, 0).unwrap();
                    }
                })
                .await;
        }));
    }
    // Each serves half, so nothing may be asked while only one is there.
    for _ in 0..2 {
        common::events::connected(&mut arrivals).await;
    }
    let mut asked = Vec::new();
    for number in 0..CLIENTS {
        let client = connected(zmq::REQ, &front).await;
        asked.push(tokio::spawn(async move {
            client
                .run(move |socket| {
                    for question in 0..QUESTIONS {
                        let text = format!("{number} {question}");
                        socket.send_multipart([&text, "more"], 0).unwrap();
                        let answer = socket.recv_multipart(0).unwrap();
                        assert_eq!(answer, [text.as_bytes(), b"more", b"answered"]);
                    }
                })
                .await;
        }));
    }
    for task in asked.into_iter().chain(served) {
        task.await.unwrap();
    }
    let counted = handle.statistics();
    let all = (CLIENTS * QUESTIONS) as u64;
    assert_eq!(
        (counted.frontend.messages_in, counted.frontend.messages_out),
        (all, all)
    );
    assert_eq!(
        (counted.backend.messages_in, counted.backend.messages_out),
        (all, all)
    );
    assert_eq!(counted.frontend.bytes_in, counted.backend.bytes_out);
    handle.terminate();
    within("the end", running).await.unwrap();
}

#[tokio::test]
async fn subscriptions_are_forwarded_to_libzmq_publishers_and_only_what_is_wanted_comes() {
    let (mut publishers, mut subscribers) = (XSubSocket::new(), XPubSocket::new());
    let front = publishers.bind(ANY_PORT).await.unwrap();
    let back = subscribers.bind(ANY_PORT).await.unwrap();
    let publisher = connected(zmq::XPUB, &front).await;
    let mut forwarder = Proxy::new(publishers, subscribers);
    let handle = forwarder.handle();
    tokio::spawn(async move { forwarder.run().await });
    let subscriber = connected(zmq::SUB, &back).await;
    subscriber
        .run(|socket| socket.set_subscribe(b"weather.").unwrap())
        .await;
    publisher
        .run(|socket| {
            assert_eq!(socket.recv_bytes(0).unwrap(), b"\x01weather.");
            for text in ["sports.results", "weather.rome", "weather.oslo"] {
                socket.send(text, 0).unwrap();
            }
        })
        .await;
    subscriber
        .run(|socket| {
            assert_eq!(socket.recv_bytes(0).unwrap(), b"weather.rome");
            assert_eq!(socket.recv_bytes(0).unwrap(), b"weather.oslo");
            socket.set_unsubscribe(b"weather.").unwrap();
        })
        .await;
    publisher
        .run(|socket| assert_eq!(socket.recv_bytes(0).unwrap(), b"\0weather."))
        .await;
    // What nobody wanted never left the publisher.
    assert_eq!(handle.statistics().frontend.messages_in, 2);
}

#[tokio::test]
async fn a_streamer_passes_everything_on_in_order_with_a_copy_for_the_capture() {
    const COUNT: usize = 5000;
    let (mut pull, mut push) = (PullSocket::new(), PushSocket::new());
    let front = pull.bind(ANY_PORT).await.unwrap();
    let back = push.bind(ANY_PORT).await.unwrap();
    let mut capture = PubSocket::builder().send_hwm(0).build().unwrap();
    let mut watcher = SubSocket::builder().recv_hwm(0).build().unwrap();
    watcher.subscribe("");
    watcher
        .connect(capture.bind(ANY_PORT).await.unwrap())
        .unwrap();
    within("the watcher", capture.wait_for_subscribers(1)).await;
    let mut streamer = Proxy::new(pull, push).capture(capture);
    tokio::spawn(async move { streamer.run().await });
    let source = connected(zmq::PUSH, &front).await;
    let sink = connected(zmq::PULL, &back).await;
    let sent = tokio::spawn(async move {
        source
            .run(|socket| {
                for number in 0..COUNT {
                    socket
                        .send_multipart([number.to_string().as_str(), "x"], 0)
                        .unwrap();
                }
            })
            .await;
        source
    });
    sink.run(|socket| {
        for number in 0..COUNT {
            let frames = socket.recv_multipart(0).unwrap();
            assert_eq!(frames, [number.to_string().as_bytes(), b"x"]);
        }
    })
    .await;
    for number in 0..COUNT {
        let copy = within("a copy", watcher.recv()).await.unwrap();
        assert_eq!(
            copy,
            purezmq::Message::from([number.to_string().as_str(), "x"])
        );
    }
    sent.await.unwrap();
}

/// A PULL-PUSH proxy within the process, with its ends.
async fn streamer(
    name: &str,
    hwm: usize,
) -> (PushSocket, Proxy<PullSocket, PushSocket>, PullSocket) {
    let (front, back) = (
        format!("inproc://{name}-front"),
        format!("inproc://{name}-back"),
    );
    let mut pull = PullSocket::builder().recv_hwm(hwm).build().unwrap();
    pull.bind(front.as_str()).await.unwrap();
    let mut source = PushSocket::builder().send_hwm(hwm).build().unwrap();
    source.connect(front.as_str()).unwrap();
    let mut sink = PullSocket::builder().recv_hwm(hwm).build().unwrap();
    sink.bind(back.as_str()).await.unwrap();
    let mut push = PushSocket::builder().send_hwm(hwm).build().unwrap();
    push.connect(back.as_str()).unwrap();
    (source, Proxy::new(pull, push), sink)
}

#[tokio::test]
async fn a_proxy_takes_nothing_that_it_has_no_room_for() {
    let (mut source, mut streamer, mut sink) = streamer("room", 2).await;
    let handle = streamer.handle();
    let mut next = 0;
    // Both pipes hold four: the second four stay where they are.
    for (taken, refused) in [(4, "4"), (4, "8")] {
        let error = loop {
            if let Err(error) = source.try_send(next.to_string()) {
                break error;
            }
            next += 1;
        };
        assert_eq!(error.into_message(), refused);
        run_until_it_waits(&mut streamer).await;
        let counted = handle.statistics();
        assert_eq!(counted.frontend.messages_in, taken);
        assert_eq!(counted.backend.messages_out, taken);
    }
    for number in 0..4 {
        assert_eq!(sink.recv().await.unwrap(), number.to_string());
    }
    run_until_it_waits(&mut streamer).await;
    for number in 4..8 {
        assert_eq!(sink.recv().await.unwrap(), number.to_string());
    }
    assert!(sink.try_recv().is_err());
}

async fn run_until_it_waits(proxy: &mut Proxy<PullSocket, PushSocket>) {
    tokio::select! {
        biased;
        () = proxy.run() => panic!("nobody told it to end"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_cancelled_proxy_has_lost_nothing() {
    const COUNT: usize = 20_000;
    let (mut source, mut streamer, mut sink) = streamer("cancel", 3).await;
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            source.send(number.to_string()).await.unwrap();
        }
        source
    });
    let (mut next, mut cancelled) = (0, 0);
    while next < COUNT {
        // It runs until it first waits, and is dropped.
        run_until_it_waits(&mut streamer).await;
        cancelled += 1;
        while let Ok(message) = sink.try_recv() {
            assert_eq!(message, next.to_string());
            next += 1;
        }
        tokio::task::yield_now().await;
    }
    assert!(cancelled > COUNT / 10, "{cancelled}");
    sending.await.unwrap();
}

#[tokio::test]
async fn a_handle_pauses_resumes_and_terminates() {
    let (mut source, mut streamer, mut sink) = streamer("steer", 100).await;
    let handle = streamer.handle();
    let running = tokio::spawn(async move {
        streamer.run().await;
        streamer
    });
    source.send("first").await.unwrap();
    assert_eq!(within("the first", sink.recv()).await.unwrap(), "first");
    handle.pause();
    source.send("second").await.unwrap();
    // Nothing tells that nothing comes: the wait lets a proxy that goes on show it, and costs no truth if it is short.
    assert!(
        tokio::time::timeout(Duration::from_millis(50), sink.recv())
            .await
            .is_err()
    );
    handle.resume();
    assert_eq!(within("the second", sink.recv()).await.unwrap(), "second");
    handle.terminate();
    let mut streamer = within("the end", running).await.unwrap();
    // It can run again.
    source.send("third").await.unwrap();
    let running = tokio::spawn(async move { streamer.run().await });
    assert_eq!(within("the third", sink.recv()).await.unwrap(), "third");
    handle.terminate();
    within("the end", running).await.unwrap();
}

fn numbers(frames: &[Vec<u8>]) -> Vec<u64> {
    let number = |frame: &Vec<u8>| u64::from_ne_bytes(frame.as_slice().try_into().unwrap());
    frames.iter().map(number).collect()
}

#[tokio::test]
async fn libzmq_steers_through_a_control_socket_of_either_type() {
    let (mut source, streamer_rep, mut sink) = streamer("control", 100).await;
    let mut control = RepSocket::new();
    let endpoint = control.bind(ANY_PORT).await.unwrap();
    let mut streamer_rep = streamer_rep.control(control);
    let running = tokio::spawn(async move {
        streamer_rep.run().await;
        streamer_rep.into_parts()
    });
    source.send("12345").await.unwrap();
    within("the message", sink.recv()).await.unwrap();
    let asker = connected(zmq::REQ, &endpoint).await;
    asker
        .run(|socket| {
            let ask = |command: &str| {
                socket.send(command, 0).unwrap();
                socket.recv_multipart(0).unwrap()
            };
            assert_eq!(numbers(&ask("STATISTICS")), [1, 5, 0, 0, 0, 0, 1, 5]);
            for command in ["PAUSE", "no command", "RESUME"] {
                assert_eq!(ask(command), [b""]);
            }
            socket.send("TERMINATE", 0).unwrap();
        })
        .await;
    let (pull, push) = within("the end", running).await.unwrap();

    let mut control = PairSocket::new();
    let endpoint = control.bind(ANY_PORT).await.unwrap();
    let mut streamer_pair = Proxy::new(pull, push).control(control);
    let running = tokio::spawn(async move { streamer_pair.run().await });
    let pair = connected(zmq::PAIR, &endpoint).await;
    pair.run(|socket| {
        socket.send("PAUSE", 0).unwrap();
        socket.send("STATISTICS", 0).unwrap();
        assert_eq!(socket.recv_multipart(0).unwrap().len(), 8);
    })
    .await;
    source.send("held").await.unwrap();
    // Nothing tells that nothing comes: the wait lets a proxy that goes on show it, and costs no truth if it is short.
    assert!(
        tokio::time::timeout(Duration::from_millis(50), sink.recv())
            .await
            .is_err()
    );
    pair.run(|socket| socket.send("RESUME", 0).unwrap()).await;
    assert_eq!(within("what was held", sink.recv()).await.unwrap(), "held");
    pair.run(|socket| socket.send("TERMINATE", 0).unwrap())
        .await;
    within("the end", running).await.unwrap();
}

#[tokio::test]
async fn a_mandatory_router_drops_what_has_no_addressee_and_goes_on() {
    let mut router = RouterSocket::builder().mandatory(true).build().unwrap();
    let mut dealer = DealerSocket::new();
    let front = router.bind(ANY_PORT).await.unwrap();
    let back = dealer.bind(ANY_PORT).await.unwrap();
    tokio::spawn(proxy(router, dealer));
    let mut worker = DealerSocket::new();
    worker.connect(&back).unwrap();
    worker.send(["nobody", "", "lost"]).await.unwrap();
    worker.send("no name and nothing behind it").await.unwrap();
    let mut client = ReqSocket::new();
    client.connect(&front).unwrap();
    client.send("question").await.unwrap();
    let question = within("the question", worker.recv()).await.unwrap();
    worker.send(question).await.unwrap();
    assert_eq!(within("the echo", client.recv()).await.unwrap(), "question");
}

#[test]
fn a_blocking_proxy_runs_in_a_thread() {
    let (mut clients, mut workers) = (blocking::RouterSocket::new(), blocking::DealerSocket::new());
    let front = clients.bind(ANY_PORT).unwrap();
    let back = workers.bind(ANY_PORT).unwrap();
    let mut broker = Proxy::new(clients, workers);
    let handle: ProxyHandle = broker.handle();
    let running = std::thread::spawn(move || broker.run_blocking());
    let serving = std::thread::spawn(move || {
        let mut worker = blocking::RepSocket::new();
        worker.connect(&back).unwrap();
        for _ in 0..100 {
            let question = worker.recv().unwrap();
            worker.send(question).unwrap();
        }
        worker.close();
    });
    let mut client = blocking::ReqSocket::new();
    client.connect(&front).unwrap();
    for number in 0..100 {
        client.send(number.to_string()).unwrap();
        assert_eq!(client.recv().unwrap(), number.to_string());
    }
    serving.join().unwrap();
    handle.terminate();
    running.join().unwrap();
}
