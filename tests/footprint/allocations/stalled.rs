//! What subscribers cost that take nothing, while much is published: what waits for them is shared among them.
//!
//! Both sides run on one thread, which is the one that is counted.

use std::time::Duration;

use common::until;
use purezmq::options::{OptionId, Options};
use purezmq::{AnySocket, Context, Message, SocketType};
use tokio::runtime::Builder;

const SUBSCRIBERS: usize = 20;

/// What waits for each of them: `send_hwm` of it.
const WAITING: usize = 1000;
const SIZE: usize = 1024;

/// What all of it takes once, and a little for whatever is made once.
const ONCE: i64 = 2 * (WAITING * SIZE) as i64;

/// What each subscriber may take beside that, both sides of its connection together: a few buffers, and a reference to each
/// message. Copies would be a megabyte.
const EACH: i64 = 384 * 1024;

fn message(number: usize) -> Message {
    let mut body = number.to_string().into_bytes();
    body.resize(SIZE, b'x');
    Message::from([b"news".to_vec(), body])
}

/// Publishes to subscribers who take nothing until so much waits for each of them, and returns what is allocated then. What
/// they take in the end is right.
fn kept(place: &str, (kind, theirs): (SocketType, SocketType)) -> i64 {
    let what = format!("{kind} over {place}");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut made = None;
    let info = allocation_counter::measure(|| {
        made = Some(runtime.block_on(async {
            let context = Context::new();
            let mut publisher = AnySocket::new(kind, &context).unwrap();
            let endpoint = publisher.bind(place).await.unwrap();
            let subscribers: Vec<_> = (0..SUBSCRIBERS)
                .map(|_| {
                    let mut options = Options::of(theirs);
                    let id = OptionId::by_name("recv_hwm").expect("an option");
                    options.set(id, 1).expect("a value in range");
                    let mut subscriber =
                        AnySocket::with_options(theirs, &context, options).unwrap();
                    match theirs {
                        SocketType::Dish => subscriber.join("news").unwrap(),
                        _ => drop(subscriber.subscribe("news")),
                    }
                    subscriber.connect(&endpoint).unwrap();
                    subscriber
                })
                .collect();
            until(&what, || publisher.subscriber_count() == SUBSCRIBERS).await;
            let mut sent = 0;
            while publisher.stats().queued_to_send < SUBSCRIBERS * WAITING {
                for _ in 0..10 {
                    publisher.send(message(sent)).await.unwrap();
                    sent += 1;
                }
                assert!(sent < 100_000, "{what}: {:?}", publisher.stats());
                // It is a matter of time: whoever takes something every now and then keeps up.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (publisher, subscribers)
        }));
    });
    let (publisher, mut subscribers) = made.unwrap();
    runtime.block_on(async {
        let mut waiting: Vec<_> = subscribers.iter_mut().map(|one| (one, 0)).collect();
        for (subscriber, next) in &mut waiting {
            // What was dropped came last.
            while *next < WAITING {
                let received = common::within(&what, subscriber.recv()).await.unwrap();
                assert_eq!(received, message(*next), "{what}");
                *next += 1;
            }
        }
        publisher.close().await;
    });
    info.bytes_current
}

#[test]
fn what_waits_for_subscribers_that_take_nothing_is_shared() {
    let file = std::env::temp_dir().join(format!("purezmq-stalled-{}", std::process::id()));
    for place in ["tcp://127.0.0.1:*", &format!("ipc://{}", file.display())] {
        for types in [
            (SocketType::Pub, SocketType::Sub),
            (SocketType::XPub, SocketType::Sub),
            (SocketType::Radio, SocketType::Dish),
        ] {
            let kept = kept(place, types);
            println!("{} over {place}: {kept} bytes", types.0);
            let most = ONCE + SUBSCRIBERS as i64 * EACH;
            assert!(kept < most, "{} over {place}: {kept} bytes", types.0);
        }
    }
}
