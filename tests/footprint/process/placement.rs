//! Where the work of a connection is done: on the sender's own thread, on I/O threads, in a busy loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{PATIENCE, within};
use futures::executor::block_on;
use purezmq::{
    Context, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, SubSocket,
};

use super::{Threads, alone, turn};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Waits without giving the runtime a chance, as a task that computes does.
fn compute_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// A lone message is on its way when `send` returns, even if the sending task computes from then on and its
/// runtime has no other thread.
#[test]
fn a_lone_message_does_not_wait_for_its_sender_to_yield() {
    alone(Threads::One, async {
        let received = Arc::new(AtomicU32::new(0));
        let count = received.clone();
        let (tell, endpoint) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let context = Context::with_io_threads(1).unwrap();
            let mut pull = PullSocket::builder().context(&context).build().unwrap();
            tell.send(block_on(pull.bind(ANY_PORT)).unwrap()).unwrap();
            while block_on(pull.recv()).unwrap() != "end" {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut push = PushSocket::new();
        push.connect(endpoint.recv().unwrap()).unwrap();
        push.send("connects").await.unwrap();
        within("connected", async {
            while received.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        push.send("lone").await.unwrap();
        compute_until("the message waits for its sender", || {
            received.load(Ordering::SeqCst) == 2
        });
        push.send("end").await.unwrap();
        within("closed", push.close()).await;
        reader.join().unwrap();
    });
}

/// Sockets of a context with I/O threads need no runtime, not even for their timeouts.
#[test]
fn io_threads_serve_programs_without_a_runtime() {
    let _turn = turn();
    let context = Context::with_io_threads(2).unwrap();
    let mut server = RepSocket::builder().context(&context).build().unwrap();
    let endpoint = block_on(server.bind(ANY_PORT)).unwrap();
    let mut client = ReqSocket::builder()
        .context(&context)
        .recv_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    client.connect(&endpoint).unwrap();
    block_on(client.send("question")).unwrap();
    assert_eq!(block_on(client.recv()), Err(RecvError::Timeout));
    assert_eq!(block_on(server.recv()).unwrap(), "question");
    block_on(server.send("answer")).unwrap();
    let start = Instant::now();
    let reply = loop {
        match block_on(client.recv()) {
            Err(RecvError::Timeout) if start.elapsed() < PATIENCE => {}
            reply => break reply.unwrap(),
        }
    };
    assert_eq!(reply, "answer");
    assert_eq!(block_on(client.close()).unsent, 0);
    block_on(server.unbind(&endpoint)).unwrap();
}

/// The threads stay as long as somebody needs them, lingering included, and no longer.
#[cfg(target_os = "linux")]
#[test]
fn io_threads_end_with_their_last_connection() {
    let _turn = turn();
    fn io_threads() -> usize {
        std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with("purezmq-io-7"))
            .count()
    }
    let context = Context::with_io_threads(8).unwrap();
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let endpoint = block_on(pull.bind(ANY_PORT)).unwrap();
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(&endpoint).unwrap();
    for number in 0..100 {
        block_on(push.send(number.to_string())).unwrap();
    }
    compute_until("the threads run", || io_threads() == 1);
    drop((push, context));
    for number in 0..100 {
        assert_eq!(
            block_on(pull.recv()).unwrap(),
            number.to_string().as_bytes()
        );
    }
    drop(pull);
    compute_until("the threads end", || io_threads() == 0);
}

/// Busy polling finds what comes over every transport, and leaves nothing behind when it gives up.
#[test]
fn busy_polling_loses_nothing() {
    alone(Threads::One, async {
        for endpoint in [ANY_PORT, "ipc://*", "inproc://busy"] {
            let mut server = RepSocket::builder()
                .busy_poll(Duration::from_micros(50))
                .build()
                .unwrap();
            let endpoint = server.bind(endpoint).await.unwrap();
            let mut client = ReqSocket::builder()
                .busy_poll(Duration::from_micros(50))
                .build()
                .unwrap();
            client.connect(&endpoint).unwrap();
            let serving = tokio::spawn(async move {
                loop {
                    let request = server.recv().await.unwrap();
                    let is_last = request == "499";
                    server.send(request).await.unwrap();
                    if is_last {
                        break server;
                    }
                }
            });
            for number in 0..500 {
                client.send(number.to_string()).await.unwrap();
                let reply = within("a reply", client.recv()).await.unwrap();
                assert_eq!(reply, number.to_string().as_bytes());
            }
            within("the server", serving).await.unwrap();
        }
    });
}

/// The same where a stream carries much more than one reading takes.
#[test]
fn busy_polling_keeps_up_with_a_stream() {
    alone(Threads::Two, async {
        let mut publisher = PubSocket::builder().send_hwm(0).build().unwrap();
        let endpoint = publisher.bind(ANY_PORT).await.unwrap();
        let mut subscriber = SubSocket::builder()
            .busy_poll(Duration::from_millis(1))
            .build()
            .unwrap();
        subscriber.subscribe("");
        subscriber.connect(&endpoint).unwrap();
        within("subscribed", async {
            while subscriber.try_recv().is_err() {
                publisher.send("probe").await.unwrap();
                tokio::task::yield_now().await;
            }
        })
        .await;
        let payload = vec![3; 40_000];
        let sending = tokio::spawn(async move {
            for number in 0..2_000_u32 {
                publisher
                    .send([&number.to_be_bytes()[..], &payload])
                    .await
                    .unwrap();
            }
            publisher
        });
        let mut next = 0_u32;
        while next < 2_000 {
            let message = within("the stream", subscriber.recv()).await.unwrap();
            if message == "probe" {
                continue;
            }
            assert_eq!(message[0], next.to_be_bytes());
            assert_eq!(message[1].len(), 40_000);
            next += 1;
        }
        within("the publisher", sending).await.unwrap();
    });
}
