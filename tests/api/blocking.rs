//! The blocking sockets: every type, without a runtime, alone and with libzmq, from several threads.

use std::thread;
use std::time::{Duration, Instant};

use purezmq::blocking::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SubSocket, XPubSocket, XSubSocket, wait,
};
use purezmq::{BindError, ConnectError, Context, RecvError, SendError};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const COUNT: usize = 5000;

#[test]
fn requests_and_replies() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind(ANY_PORT).unwrap();
    let server = thread::spawn(move || {
        for _ in 0..COUNT / 10 {
            let question = rep.recv().unwrap();
            rep.send(question).unwrap();
        }
        rep.close()
    });
    let mut req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    for number in 0..COUNT / 10 {
        req.send(number.to_string()).unwrap();
        assert_eq!(req.recv().unwrap(), number.to_string());
    }
    assert_eq!(server.join().unwrap().unsent, 0);
}

#[test]
fn publications_and_what_the_subscriber_wants() {
    let mut publisher = PubSocket::builder().no_drop(true).build().unwrap();
    let endpoint = publisher.bind(ANY_PORT).unwrap();
    let listener = thread::spawn(move || {
        let mut subscriber = SubSocket::new();
        subscriber.subscribe("a");
        subscriber.connect(&endpoint).unwrap();
        for number in 0..COUNT {
            assert_eq!(subscriber.recv().unwrap(), format!("a{number}"));
        }
    });
    publisher.wait_for_subscribers(1);
    for number in 0..COUNT {
        publisher.send(format!("b{number}")).unwrap();
        publisher.send(format!("a{number}")).unwrap();
    }
    publisher.close();
    listener.join().unwrap();

    let mut xpub = XPubSocket::new();
    let endpoint = xpub.bind(ANY_PORT).unwrap();
    let mut xsub = XSubSocket::new();
    xsub.connect(&endpoint).unwrap();
    xsub.send("\x01").unwrap();
    assert_eq!(xpub.recv().unwrap(), "\x01");
    xpub.send("news").unwrap();
    assert_eq!(xsub.recv().unwrap(), "news");
}

#[test]
fn halves_in_two_threads_and_whole_again() {
    // Nothing limits how many answers are on their way: without it, some are dropped when the receiver is slow.
    let router = RouterSocket::builder().mandatory(true).build();
    let mut router = router.unwrap();
    let endpoint = router.bind(ANY_PORT).unwrap();
    let echo = thread::spawn(move || {
        for _ in 0..COUNT {
            let message = router.recv_message().unwrap();
            router.send(message).unwrap();
        }
        router.close();
    });
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    let (mut sender, mut receiver) = dealer.split();
    let sending = thread::spawn(move || {
        for number in 0..COUNT {
            sender.send(number.to_string()).unwrap();
        }
        sender
    });
    let mut buffer = Vec::new();
    while buffer.len() < COUNT {
        receiver.recv_many(&mut buffer, 100).unwrap();
    }
    for (number, message) in buffer.iter().enumerate() {
        assert_eq!(*message, number.to_string());
    }
    let mut dealer: DealerSocket = sending.join().unwrap().reunite(receiver).unwrap();
    assert!(dealer.try_recv().is_err());
    echo.join().unwrap();
}

#[test]
fn one_sender_for_several_threads() {
    const THREADS: usize = 4;
    let mut pull = PullSocket::builder().recv_hwm(10).build().unwrap();
    let endpoint = pull.bind(ANY_PORT).unwrap();
    let mut push = PushSocket::builder().send_hwm(10).build().unwrap();
    push.connect(&endpoint).unwrap();
    let push = push.into_shared();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let push = push.clone();
            thread::spawn(move || {
                for number in 0..COUNT {
                    push.send(format!("{thread} {number}")).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; THREADS];
    for message in pull.messages().take(THREADS * COUNT) {
        let message = message.unwrap();
        let (thread, number) = message.as_str().unwrap().split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<usize>().unwrap(), *next);
        *next += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    push.try_into_inner().unwrap().close();
}

#[test]
fn timeouts_are_the_options_and_busy_poll_waits_no_longer() {
    let time = Duration::from_millis(30);
    let mut pair = PairSocket::builder()
        .recv_timeout(time)
        .send_timeout(time)
        .busy_poll(Duration::from_millis(5))
        .build()
        .unwrap();
    pair.bind(ANY_PORT).unwrap();
    let start = Instant::now();
    assert_eq!(pair.recv(), Err(RecvError::Timeout));
    assert!(start.elapsed() >= time);
    let start = Instant::now();
    assert!(matches!(pair.send("nobody"), Err(SendError::Timeout(message)) if message == "nobody"));
    assert!(start.elapsed() >= time);
}

#[test]
fn busy_poll_is_honoured() {
    let busy = Duration::from_micros(200);
    let mut rep = RepSocket::builder().busy_poll(busy).build().unwrap();
    let endpoint = rep.bind(ANY_PORT).unwrap();
    let server = thread::spawn(move || {
        for _ in 0..100 {
            let question = rep.recv().unwrap();
            rep.send(question).unwrap();
        }
        rep.close();
    });
    let mut req = ReqSocket::builder().busy_poll(busy).build().unwrap();
    req.connect(&endpoint).unwrap();
    for number in 0..100 {
        req.send(number.to_string()).unwrap();
        assert_eq!(req.recv().unwrap(), number.to_string());
    }
    server.join().unwrap();
}

#[test]
fn a_context_of_its_own_and_one_without_threads() {
    let context = Context::with_io_threads(2).unwrap();
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let endpoint = pull.bind(ANY_PORT).unwrap();
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(&endpoint).unwrap();
    push.send("hello").unwrap();
    assert_eq!(pull.recv().unwrap(), "hello");
    pull.unbind(&endpoint).unwrap();

    let bare = Context::new();
    let mut pull = PullSocket::builder().context(&bare).build().unwrap();
    assert!(matches!(
        pull.bind(ANY_PORT),
        Err(BindError::NoRuntime { .. })
    ));
    let mut push = PushSocket::builder().context(&bare).build().unwrap();
    let nobody = push.connect("tcp://127.0.0.1:1");
    assert!(matches!(nobody, Err(ConnectError::NoRuntime { .. })));
    // Within the process nothing else is needed.
    pull.bind("inproc://bare").unwrap();
    push.connect("inproc://bare").unwrap();
    push.send("near").unwrap();
    assert_eq!(pull.recv().unwrap(), "near");
}

#[test]
fn close_waits_and_says_what_was_left() {
    let mut push = PushSocket::builder()
        .linger(Duration::from_millis(20))
        .build()
        .unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send("to nobody").unwrap();
    assert_eq!(push.close().unsent, 1);
}

#[test]
fn with_libzmq_on_the_other_side() {
    let context = zmq::Context::new();
    let mut dealer = DealerSocket::new();
    let endpoint = dealer.bind(ANY_PORT).unwrap();
    let other = context.socket(zmq::DEALER).unwrap();
    other.connect(&endpoint.to_string()).unwrap();
    let mut monitor = dealer.monitor();
    for number in 0..100 {
        other.send(&number.to_string(), 0).unwrap();
        let message = dealer.recv().unwrap();
        dealer.send(message).unwrap();
        assert_eq!(other.recv_bytes(0).unwrap(), number.to_string().as_bytes());
    }
    drop(other);
    // Any other future of the library can be waited for.
    assert!(wait(monitor.recv()).is_some());
}
