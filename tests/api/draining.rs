//! Who drains takes no new work, answers what is in, and closes: nothing is lost, nothing done twice, whatever the type,
//! the transport, and who connects; peers that cannot be told are served until they are quiet, or the limit is over.

use std::sync::Arc;
use std::time::Duration;

use common::libzmq::Libzmq;
use common::{until, within};
use purezmq::options::{OptionId, Options};
use purezmq::security::Security;
use purezmq::{
    AnySocket, Context, DealerSocket, Endpoint, Message, PubSocket, PullSocket, PushSocket,
    RecvError, RepSocket, ReqSocket, RouterSocket, SocketType, SubSocket, XPubSocket, blocking,
};
use tokio::sync::{Semaphore, mpsc};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const WAYS: [&str; 3] = [ANY_PORT, "ipc://*", "inproc://draining"];

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

/// Who gives work to whom.
const PAIRS: [(SocketType, SocketType); 7] = [
    (SocketType::Push, SocketType::Pull),
    (SocketType::Dealer, SocketType::Dealer),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Pair, SocketType::Pair),
    (SocketType::Scatter, SocketType::Gather),
    (SocketType::Client, SocketType::Server),
    (SocketType::Channel, SocketType::Channel),
];

/// So many messages.
const ALL: usize = 1000;

fn number(message: &Message) -> usize {
    let last = message.iter().last().unwrap();
    std::str::from_utf8(last).unwrap().parse().unwrap()
}

/// Receives until nothing more comes.
async fn rest(socket: &mut AnySocket) -> Vec<usize> {
    rest_of(socket, &Semaphore::new(0)).await
}

/// Receives until nothing more comes, and lets as much be sent.
async fn rest_of(socket: &mut AnySocket, ahead: &Semaphore) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        match within("the rest", socket.recv()).await {
            Ok(message) => {
                numbers.push(number(&message));
                ahead.add_permits(1);
            }
            Err(RecvError::Drained) => return numbers,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A place that stays while nobody is bound to it.
fn in_directory(directory: &tempfile::TempDir, number: usize) -> String {
    format!("ipc://{}/{number}", directory.path().display())
}

/// Sends all numbers, wherever it is told to connect to meanwhile.
async fn give(
    mut sender: AnySocket,
    mut places: mpsc::UnboundedReceiver<(Option<Endpoint>, Endpoint)>,
    ahead: Arc<Semaphore>,
) {
    let mut next = 0;
    while next < ALL {
        tokio::select! {
            biased;
            place = places.recv() => {
                let Some((old, new)) = place else { break };
                if let Some(old) = old {
                    sender.disconnect(&old).unwrap();
                }
                sender.connect(&new).unwrap();
            }
            () = async {
                let permit = ahead.acquire().await.unwrap();
                sender.send(next.to_string()).await.unwrap();
                permit.forget();
            } => next += 1,
        }
    }
    // Until the test is through.
    while places.recv().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_to_the_next_and_none_is_lost_or_done_twice() {
    for (gives, takes) in PAIRS {
        for way in WAYS {
            for gives_bound in [false, true] {
                let case = format!("{gives} to {takes} over {way}, bound: {gives_bound}");
                let context = Context::new();
                let mut sender = AnySocket::new(gives, &context).unwrap();
                let mut endpoint = None;
                if gives_bound {
                    endpoint = Some(sender.bind(way).await.unwrap());
                }
                let (place, places) = mpsc::unbounded_channel();
                let ahead = Arc::new(Semaphore::new(50));
                let giving = tokio::spawn(give(sender, places, ahead.clone()));
                let mut came = Vec::new();
                let mut before = None;
                for is_last in [false, false, true] {
                    let mut receiver = AnySocket::new(takes, &context).unwrap();
                    match &endpoint {
                        Some(endpoint) => receiver.connect(endpoint).unwrap(),
                        None => {
                            let bound = receiver.bind(way).await.unwrap();
                            let old = before.replace(bound.clone());
                            place.send((old, bound)).unwrap();
                        }
                    }
                    let wanted = if is_last { ALL } else { came.len() + 100 };
                    while came.len() < wanted {
                        let message = within(&case, receiver.recv()).await.unwrap();
                        came.push(number(&message));
                        ahead.add_permits(1);
                    }
                    receiver.drain(LONG);
                    came.extend(rest_of(&mut receiver, &ahead).await);
                    assert_eq!(receiver.try_recv(), Err(RecvError::Drained), "{case}");
                    let report = within(&case, receiver.close()).await;
                    assert_eq!((report.unread, report.unsent), (0, 0), "{case}");
                }
                assert!(came.iter().copied().eq(0..ALL), "{case}: {came:?}");
                drop(place);
                within(&case, giving).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_question_is_answered_once_while_servers_take_turns() {
    const CLIENTS: usize = 20;
    const QUESTIONS: usize = 50;
    let directory = tempfile::tempdir().unwrap();
    for is_ipc in [false, true] {
        let mut servers = Vec::new();
        for number in 0..2 {
            let mut server = RepSocket::new();
            let endpoint = match is_ipc {
                true => server.bind(in_directory(&directory, number)).await.unwrap(),
                false => server.bind(ANY_PORT).await.unwrap(),
            };
            servers.push((server, endpoint));
        }
        let (seen, mut told) = mpsc::unbounded_channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let mut socket = ReqSocket::new();
                for (_, endpoint) in &servers {
                    socket.connect(endpoint).unwrap();
                }
                tokio::spawn(async move {
                    for question in 0..QUESTIONS {
                        let question = format!("{client} {question}");
                        socket.send(question.as_str()).await.unwrap();
                        assert_eq!(socket.recv().await.unwrap(), question.as_str());
                    }
                })
            })
            .collect();
        let serve = |mut server: RepSocket, drains: bool| {
            let seen = seen.clone();
            async move {
                let mut served = 0;
                loop {
                    match server.recv().await {
                        Ok(question) => {
                            seen.send(question.as_str().unwrap().to_owned()).unwrap();
                            server.send(question).await.unwrap();
                            served += 1;
                            if drains && served == 200 {
                                server.drain(LONG);
                            }
                        }
                        Err(RecvError::Drained) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                server.close().await
            }
        };
        let (second, _) = servers.pop().unwrap();
        let (first, at) = servers.pop().unwrap();
        let second = tokio::spawn(serve(second, false));
        let report = within("the first drains", serve(first, true)).await;
        assert_eq!((report.unread, report.unsent), (0, 0));
        // Another takes its place.
        let mut third = RepSocket::new();
        third.bind(&at).await.unwrap();
        let third = tokio::spawn(serve(third, false));
        for client in clients {
            within("all are answered", client).await.unwrap();
        }
        second.abort();
        third.abort();
        drop(seen);
        let mut questions = Vec::new();
        while let Ok(question) = told.try_recv() {
            questions.push(question);
        }
        questions.sort();
        let asked = questions.len();
        questions.dedup();
        assert_eq!(
            (asked, questions.len()),
            (CLIENTS * QUESTIONS, CLIENTS * QUESTIONS)
        );
    }
}

#[tokio::test]
async fn a_subscriber_unsubscribes_and_gets_what_was_under_way() {
    for way in WAYS {
        for kind in [SocketType::Sub, SocketType::XSub] {
            let context = Context::new();
            let mut publisher = XPubSocket::builder().context(&context).build().unwrap();
            let endpoint = publisher.bind(way).await.unwrap();
            let mut subscriber = AnySocket::new(kind, &context).unwrap();
            subscriber.subscribe("a");
            subscriber.subscribe("b");
            subscriber.connect(&endpoint).unwrap();
            for topic in ["\x01a", "\x01b"] {
                assert_eq!(within("told", publisher.recv()).await.unwrap(), topic);
            }
            for number in 0..100 {
                publisher.send(["a", &number.to_string()]).await.unwrap();
            }
            subscriber.drain(LONG);
            assert!(
                rest(&mut subscriber).await.into_iter().eq(0..100),
                "{kind} {way}"
            );
            for topic in ["\0a", "\0b"] {
                assert_eq!(within("told", publisher.recv()).await.unwrap(), topic);
            }
            assert_eq!(publisher.subscriber_count(), 0);
        }
    }
}

#[tokio::test]
async fn nobody_new_comes_in_and_those_who_came_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let ipc = in_directory(&directory, 0);
    for way in [ANY_PORT, &ipc, "inproc://draining"] {
        let context = Context::new();
        let mut server = RouterSocket::builder().context(&context).build().unwrap();
        let endpoint = server.bind(way).await.unwrap();
        let mut client = DealerSocket::builder().context(&context).build().unwrap();
        client.connect(&endpoint).unwrap();
        client.send("question").await.unwrap();
        let question = within("asked", server.recv_message()).await.unwrap();
        server.drain(LONG);
        // The address is free at once.
        let mut next = RouterSocket::builder().context(&context).build().unwrap();
        next.bind(&endpoint).await.unwrap();
        assert_eq!(
            within("drained", server.recv()).await,
            Err(RecvError::Drained)
        );
        // What was asked is answered after that, too.
        server.send(question.respond("answer")).await.unwrap();
        assert_eq!(within("answered", client.recv()).await.unwrap(), "answer");
        let report = within("closed", server.close()).await;
        assert_eq!((report.unread, report.unsent), (0, 0));
        if endpoint.inproc().is_none() {
            // The next one is reached, and only now is there work for it.
            within("asked again", client.send("another")).await.unwrap();
            let another = within("asked again", next.recv_message()).await.unwrap();
            assert_eq!(another.message, "another");
        }
    }
}

#[tokio::test]
async fn libzmq_is_served_until_it_is_quiet_or_the_limit_is_over() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap().to_string();
    let push = Libzmq::new(zmq::PUSH);
    push.run(move |socket| {
        socket.connect(&endpoint).unwrap();
        for number in 0..100 {
            socket.send(&number.to_string(), 0).unwrap();
        }
    })
    .await;
    assert_eq!(within("first", pull.recv()).await.unwrap(), "0");
    pull.drain(LONG);
    let mut socket = AnySocket::from(pull);
    assert!(rest(&mut socket).await.into_iter().eq(1..100));
    assert_eq!(socket.close().await.unread, 0);

    // One that never stops does not go beyond the limit.
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap().to_string();
    push.run(move |socket| socket.connect(&endpoint).unwrap())
        .await;
    let flood = push.run(|socket| {
        socket.set_sndtimeo(100).unwrap();
        while socket.send("again", 0).is_ok() {}
    });
    let mut flood = std::pin::pin!(flood);
    tokio::select! {
        () = &mut flood => panic!("nobody took anything"),
        first = within("flooded", pull.recv()) => drop(first.unwrap()),
    }
    pull.drain(Duration::from_millis(50));
    within("the limit", async { while pull.recv().await.is_ok() {} }).await;
    assert_eq!(pull.recv().await, Err(RecvError::Drained));
    pull.close().await;
    within("the flood has ended", flood).await;
}

#[tokio::test]
async fn what_was_received_and_not_read_is_told() {
    for way in [ANY_PORT, "ipc://*"] {
        let mut pull = AnySocket::from(PullSocket::new());
        let endpoint = pull.bind(way).await.unwrap();
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).await.unwrap();
        }
        until("all are here", || pull.stats().queued_to_receive == 10).await;
        for _ in 0..3 {
            pull.recv().await.unwrap();
        }
        assert_eq!(pull.close().await.unread, 7, "{way}");
    }
    // What a publisher is told is nothing to be read.
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(ANY_PORT).await.unwrap();
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("topic");
    subscriber.connect(&endpoint).unwrap();
    until("subscribed", || publisher.stats().received.messages == 1).await;
    assert_eq!(publisher.close().await.unread, 0);
}

#[tokio::test]
async fn the_limit_ends_what_never_would() {
    // A DEALER that asked does not know whether a ROUTER still answers.
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    dealer.send("question").await.unwrap();
    let question = router.recv_message().await.unwrap();
    dealer.drain(LONG);
    router.send(question.respond("answer")).await.unwrap();
    assert_eq!(within("answered", dealer.recv()).await.unwrap(), "answer");
    assert_eq!(dealer.try_recv(), Err(RecvError::Empty));
    // The limit can be changed.
    dealer.drain(Duration::from_millis(10));
    assert_eq!(
        within("the limit", dealer.recv()).await,
        Err(RecvError::Drained)
    );
    // One that has gone does not answer any more.
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    dealer.send("question").await.unwrap();
    router.recv_message().await.unwrap();
    dealer.drain(LONG);
    router.close().await;
    assert_eq!(within("gone", dealer.recv()).await, Err(RecvError::Drained));
}

#[tokio::test]
async fn either_half_drains_the_socket() {
    for by_sender in [false, true] {
        let mut dealer = DealerSocket::new();
        let endpoint = dealer.bind(ANY_PORT).await.unwrap();
        let mut peer = DealerSocket::new();
        peer.connect(&endpoint).unwrap();
        peer.send("work").await.unwrap();
        let (mut sender, mut receiver) = dealer.split();
        assert_eq!(receiver.recv().await.unwrap(), "work");
        if !by_sender {
            receiver.drain(LONG);
        }
        let receiving = tokio::spawn(async move {
            let end = receiver.recv().await;
            (receiver, end)
        });
        if by_sender {
            // It waits by then.
            tokio::task::yield_now().await;
            sender.drain(LONG);
        }
        let (receiver, end) = within("it is over", receiving).await.unwrap();
        assert_eq!(end, Err(RecvError::Drained));
        sender.send("answer").await.unwrap();
        assert_eq!(peer.recv().await.unwrap(), "answer");
        receiver.close().await;
        assert_eq!(within("closed", sender.close()).await.unread, 0);
    }
}

#[tokio::test]
async fn streams_and_loops_end() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.send("work").await.unwrap();
    assert_eq!(pull.recv().await.unwrap(), "work");
    pull.drain(LONG);
    let next = futures::StreamExt::next(&mut pull.stream()).await;
    assert!(next.is_none());

    let blocking = std::thread::spawn(|| {
        let mut pull = blocking::PullSocket::new();
        let endpoint = pull.bind(ANY_PORT).unwrap();
        let mut push = blocking::PushSocket::new();
        push.connect(&endpoint).unwrap();
        for number in 0..3 {
            push.send(number.to_string()).unwrap();
        }
        assert_eq!(pull.recv().unwrap(), "0");
        pull.drain(LONG);
        let rest: Vec<_> = pull
            .messages()
            .map(|message| number(&message.unwrap()))
            .collect();
        assert_eq!(rest, [1, 2]);
        assert_eq!(pull.close().unread, 0);
    });
    let joined = tokio::task::spawn_blocking(|| blocking.join().unwrap());
    within("the thread", joined).await.unwrap();
}

#[tokio::test]
async fn encrypted_connections_and_conflating_ones_drain_as_well() {
    let keys = purezmq::security::KeyPair::generate();
    let mut pull = PullSocket::builder()
        .security(Security::curve_server(keys.clone()))
        .build()
        .unwrap();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut push = PushSocket::builder()
        .security(Security::curve_client(
            purezmq::security::KeyPair::generate(),
            *keys.public(),
        ))
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    push.send("sealed").await.unwrap();
    assert_eq!(within("it comes", pull.recv()).await.unwrap(), "sealed");
    pull.drain(LONG);
    assert_eq!(within("over", pull.recv()).await, Err(RecvError::Drained));
    assert!(push.try_send("more").is_err());

    let mut options = Options::of(SocketType::Push);
    let conflate = OptionId::by_name("conflate").unwrap();
    options.set(conflate, true).unwrap();
    let context = Context::new();
    let mut push = AnySocket::with_options(SocketType::Push, &context, options).unwrap();
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    push.connect(&endpoint).unwrap();
    push.send("newest").await.unwrap();
    assert_eq!(within("it comes", pull.recv()).await.unwrap(), "newest");
    pull.drain(LONG);
    assert_eq!(within("over", pull.recv()).await, Err(RecvError::Drained));
    assert!(push.try_send("newer").is_err());
}
