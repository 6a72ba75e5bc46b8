//! What the sockets' paths cost, through the public API alone: one thread, so that no figure depends on how
//! fast threads wake each other. Whole programs, two processes and other implementations: `scripts/compare`.
//!
//! Run: `cargo bench -p purezmq`, with a part of a name to run some: `-- fan_out`

use divan::Bencher;
use divan::counter::ItemsCount;
use purezmq::{Context, Message, Proxy, PubSocket, PullSocket, PushSocket, SubSocket};
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Messages that are pushed before any is popped.
const BATCHES: [usize; 3] = [1, 16, 256];

/// PUSH to PULL within the process: the pipe alone, with no session and no task. Time per message.
#[divan::bench(args = BATCHES, consts = [16, 64, 1024, 4096])]
fn inproc_pipe<const SIZE: usize>(bencher: Bencher<'_, '_>, batch: usize) {
    let (mut push, mut pull) = runtime().block_on(joined("inproc://pipe"));
    let message = Message::from(vec![7; SIZE]);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for _ in 0..batch {
            push.try_send(message.clone()).expect("room");
        }
        for _ in 0..batch {
            divan::black_box(pull.try_recv().expect("a message"));
        }
    });
}

/// The same with `recv` awaited for each message, and with all of them taken at once.
#[divan::bench(consts = [16, 64, 1024], args = [false, true])]
fn inproc_recv<const SIZE: usize>(bencher: Bencher<'_, '_>, many: bool) {
    let runtime = runtime();
    let (mut push, mut pull) = runtime.block_on(joined("inproc://recv"));
    let message = Message::from(vec![7; SIZE]);
    let mut buffer = Vec::with_capacity(256);
    bencher.counter(ItemsCount::new(256_usize)).bench_local(|| {
        for _ in 0..256 {
            push.try_send(message.clone()).expect("room");
        }
        runtime.block_on(async {
            if many {
                pull.recv_many(&mut buffer, 256).await.expect("messages");
            } else {
                for _ in 0..256 {
                    buffer.push(pull.recv().await.expect("a message"));
                }
            }
        });
        divan::black_box(&mut buffer).clear();
    });
}

/// PULL to PUSH through a proxy within the process. Time per [`ROUND`] messages, pushing and popping included.
#[divan::bench(args = [16, 64, 1024, 65_536])]
fn inproc_proxy(bencher: Bencher<'_, '_>, size: usize) {
    let runtime = runtime();
    let (mut push, front) = runtime.block_on(joined("inproc://front"));
    let (back, mut pull) = runtime.block_on(joined("inproc://back"));
    let mut proxy = Proxy::new(front, back);
    let message = Message::from(vec![7; size]);
    bencher.counter(ItemsCount::new(ROUND)).bench_local(|| {
        for _ in 0..ROUND {
            push.try_send(message.clone()).expect("room");
        }
        // It runs until it has to wait.
        runtime.block_on(async {
            let mut left = ROUND;
            while left > 0 {
                tokio::select! {
                    biased;
                    () = proxy.run() => unreachable!("nobody ends it"),
                    () = tokio::task::yield_now() => {}
                }
                while pull.try_recv().is_ok() {
                    left -= 1;
                }
            }
        });
    });
}

/// Messages between two turns of sender and receiver.
const ROUND: usize = 1000;

/// PUSH to PULL over loopback TCP, both sessions on the same thread. Time per [`ROUND`] messages.
#[divan::bench(args = [16, 64, 1024, 4096, 65_536])]
fn tcp_loopback(bencher: Bencher<'_, '_>, size: usize) {
    let runtime = runtime();
    let (mut push, mut pull) = runtime.block_on(joined("tcp://127.0.0.1:*"));
    let message = Message::from(vec![7; size]);
    bencher.counter(ItemsCount::new(ROUND)).bench_local(|| {
        runtime.block_on(async {
            let send = async {
                for _ in 0..ROUND {
                    push.send(message.clone()).await.expect("a peer");
                }
            };
            let recv = async {
                for _ in 0..ROUND {
                    divan::black_box(pull.recv().await.expect("a message"));
                }
            };
            tokio::join!(send, recv)
        });
    });
}

async fn joined(place: &str) -> (PushSocket, PullSocket) {
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    let endpoint = pull.bind(place).await.expect("a free place");
    let mut push = PushSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    push.connect(endpoint).expect("a valid endpoint");
    (push, pull)
}

/// Messages that are published before the subscribers read.
const BURST: usize = 100;

const TOPICS: [usize; 4] = [1, 100, 10_000, 100_000];

/// Matching and sending: a message to all subscribers, who have many other topics besides. 256 bytes, inproc;
/// reading is left out. Time per [`BURST`] messages, so divide by the subscribers, too, for a delivery.
#[divan::bench(args = TOPICS, consts = [1, 8, 64])]
fn fan_out_send<const SUBSCRIBERS: usize>(bencher: Bencher<'_, '_>, topics: usize) {
    let (mut publisher, mut subscribers) = runtime().block_on(audience(SUBSCRIBERS, topics));
    let message = Message::from([&b"all/"[..], &[7; 252]].concat());
    bencher
        .counter(ItemsCount::new(BURST * SUBSCRIBERS))
        .with_inputs(|| {
            for subscriber in &mut subscribers {
                while subscriber.try_recv().is_ok() {}
            }
        })
        .bench_local_values(|()| {
            for _ in 0..BURST {
                publisher.try_send(message.clone()).expect("never waits");
            }
        });
    assert_eq!(publisher.dropped(), 0, "all bursts had room");
}

/// The price of a message that nobody wants.
#[divan::bench(args = TOPICS)]
fn fan_out_no_match(bencher: Bencher<'_, '_>, topics: usize) {
    let (mut publisher, _subscribers) = runtime().block_on(audience(1, topics));
    let message = Message::from([&b"none"[..], &[7; 252]].concat());
    bencher.counter(ItemsCount::new(BURST)).bench_local(|| {
        for _ in 0..BURST {
            publisher.try_send(message.clone()).expect("never waits");
        }
    });
}

/// A publisher with subscribers that all have the topic `all/`, and `topics` others among them.
async fn audience(subscribers: usize, topics: usize) -> (PubSocket, Vec<SubSocket>) {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    publisher
        .bind("inproc://news")
        .await
        .expect("a context of its own");
    let mut audience = Vec::new();
    for number in 0..subscribers {
        let mut subscriber = SubSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        subscriber.subscribe("all/");
        for topic in (number..topics).step_by(subscribers) {
            subscriber.subscribe(format!("topic/{topic}/"));
        }
        subscriber
            .connect("inproc://news")
            .expect("a valid endpoint");
        audience.push(subscriber);
    }
    publisher.wait_for_subscribers(subscribers).await;
    while publisher.topics_count() < topics + 1 {
        tokio::task::yield_now().await;
    }
    (publisher, audience)
}
