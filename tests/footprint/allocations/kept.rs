//! What messages cost that an application keeps, of many that it has received: at most four times their payload, and what
//! it takes to notice that messages are kept. And what waits at most where nobody receives.
//!
//! Both sides run on one thread, which is the one that is counted.

use std::time::Duration;

use purezmq::{Context, Message, PubSocket, PullSocket, PushSocket, SubSocket};
use tokio::runtime::{Builder, Runtime};

/// Read buffers that may be held before it is noticed that messages are kept.
const CONSTANT: i64 = 4 * 1024 * 1024;

const MIB: usize = 1024 * 1024;

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Where two sockets meet, on each transport; the file of ipc goes with the socket that has bound it.
fn places(name: &str) -> [String; 3] {
    let file = std::env::temp_dir().join(format!("purezmq-{name}-{}", std::process::id()));
    [
        "tcp://127.0.0.1:*".into(),
        format!("ipc://{}", file.display()),
        format!("inproc://{name}"),
    ]
}

/// Two sockets that have met.
async fn pair(context: &Context, place: &str) -> (PushSocket, PullSocket) {
    let mut pull = PullSocket::builder()
        .context(context)
        .build()
        .expect("options");
    let endpoint = pull.bind(place).await.expect("a free place");
    let mut push = PushSocket::builder()
        .context(context)
        .build()
        .expect("options");
    push.connect(endpoint).expect("a valid endpoint");
    (push, pull)
}

/// Receives messages of `size` bytes, keeps one of so many, and says what they hold when all else is gone.
fn held(place: &str, size: usize, keeps: usize, one_of: usize) -> i64 {
    let mut kept = Vec::with_capacity(keeps);
    let info = allocation_counter::measure(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let context = Context::new();
            let (mut push, mut pull) = pair(&context, place).await;
            let sending = async {
                for _ in 0..keeps * one_of {
                    push.send(vec![7; size]).await.expect("send");
                }
            };
            let receiving = async {
                for number in 0..keeps * one_of {
                    let message = pull.recv().await.expect("a message");
                    if number % one_of == 0 {
                        kept.push(message);
                    }
                }
            };
            tokio::join!(sending, receiving);
            assert_eq!(push.close().await.unsent, 0);
            pull.close().await;
        });
    });
    assert_eq!(kept.len(), keeps);
    for message in &kept {
        assert_eq!(message[0], vec![7; size]);
    }
    info.bytes_current
}

#[test]
fn a_message_that_is_kept_holds_no_more_than_a_few_times_its_size() {
    for place in &places("kept") {
        for (size, keeps) in [
            (64, 500),
            (257, 500),
            (1024, 500),
            (3000, 500),
            (16 << 10, 200),
            (64 << 10, 100),
        ] {
            let held = held(place, size, keeps, 50);
            let payload = (size * keeps) as i64;
            println!(
                "{keeps} of {size} B over {place}: {held} bytes, {:.2} times",
                held as f64 / payload as f64
            );
            // Small ones are always copied.
            let constant = if size < 512 { 64 * 1024 } else { CONSTANT };
            assert!(
                held <= 4 * payload + constant,
                "{size} B over {place}: {held} bytes for {payload}"
            );
        }
    }
}

/// Of a multipart message, each part that is copied is copied by itself.
#[test]
fn a_kept_message_of_several_parts_holds_no_more_than_one_of_one() {
    const KEEPS: usize = 300;
    let mut kept = Vec::with_capacity(KEEPS);
    let info = allocation_counter::measure(|| {
        runtime().block_on(async {
            let context = Context::new();
            let (mut push, mut pull) = pair(&context, "tcp://127.0.0.1:*").await;
            let sending = async {
                for _ in 0..KEEPS * 100 {
                    let message = Message::from([vec![1; 10], vec![2; 2000], vec![3; 300]]);
                    push.send(message).await.expect("send");
                }
            };
            let receiving = async {
                for number in 0..KEEPS * 100 {
                    let message = pull.recv().await.expect("a message");
                    if number % 100 == 0 {
                        kept.push(message);
                    }
                }
            };
            tokio::join!(sending, receiving);
        });
    });
    let payload = (KEEPS * 2310) as i64;
    let held = info.bytes_current;
    println!("{KEEPS} of three parts: {held} bytes for {payload}");
    assert!(held <= 4 * payload + CONSTANT, "{held} bytes for {payload}");
}

/// Sends messages of 1 MiB to somebody who does not receive, and says what was allocated at most, and how many messages
/// were taken. All of these are received then.
fn stalled(place: &str) -> (u64, usize) {
    let mut taken = 0;
    let info = allocation_counter::measure(|| {
        runtime().block_on(async {
            let context = Context::new();
            let (mut push, mut pull) = pair(&context, place).await;
            // If nothing moves for so long, that is the end of it; were it not, less would be found than there may be.
            let patience = Duration::from_millis(200);
            while taken < 300
                && let Ok(sent) = tokio::time::timeout(patience, push.send(vec![7; MIB])).await
            {
                sent.expect("send");
                taken += 1;
            }
            for _ in 0..taken {
                common::within("what was taken", pull.recv())
                    .await
                    .expect("recv");
            }
        });
    });
    (info.bytes_max, taken)
}

#[test]
fn large_messages_that_nobody_receives_take_less_than_100_mib() {
    for place in &places("stalled") {
        let (most, taken) = stalled(place);
        println!("{taken} messages of 1 MiB over {place}: at most {most} bytes");
        assert!(most < 100 * MIB as u64, "{place}: {most} bytes for {taken}");
        assert!(taken >= 31, "{place}: {taken}");
    }
}

#[test]
fn large_publications_that_nobody_receives_take_less_than_100_mib() {
    for place in &places("published") {
        let mut dropped = 0;
        let info = allocation_counter::measure(|| {
            runtime().block_on(async {
                let context = Context::new();
                let publisher = PubSocket::builder().context(&context);
                let mut publisher = publisher.build().expect("options");
                let endpoint = publisher.bind(place.as_str()).await.expect("a free place");
                let sub = SubSocket::builder().context(&context);
                let mut sub = sub.build().expect("options");
                sub.subscribe("");
                sub.connect(endpoint).expect("a valid endpoint");
                common::within("a subscriber", publisher.wait_for_subscribers(1)).await;
                for _ in 0..300 {
                    publisher.send(vec![7; MIB]).await.expect("send");
                    tokio::task::yield_now().await;
                }
                dropped = publisher.stats().dropped.full;
                common::within("a publication", sub.recv())
                    .await
                    .expect("recv");
            });
        });
        let most = info.bytes_max;
        println!("300 publications of 1 MiB over {place}: at most {most} bytes, {dropped} dropped");
        assert!(most < 100 * MIB as u64, "{place}: {most} bytes");
        assert!(dropped > 0, "{place}");
    }
}
