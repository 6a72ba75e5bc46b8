//! Suicidal snail: a subscriber that cannot keep up notices by the age of what it reads, and ends, rather than act on what is
//! long past. And what a publisher can do about such a one instead. Type, in two terminals:
//!
//!     cargo run --example suicidal_snail -- publisher tcp://*:5564 drop-newest
//!     cargo run --example suicidal_snail -- subscriber tcp://localhost:5564 10
//!
//! A message is published each millisecond, with the time and 16 KiB of ballast. The subscriber needs 10 ms for each, and
//! ends when one is older than a second, or than the milliseconds that are given behind. To break: give it 0 ms, and stop it
//! for a while with Ctrl-Z. In place of `drop-newest`, give the publisher
//!
//! | | what is done about a subscriber whose queue is full |
//! |---|---|
//! | `drop-newest` | it misses what is published now, as with every ZeroMQ: what it reads is as old as it takes to read a queue |
//! | `drop-oldest` | it misses what has waited longest, but for what is on its way already |
//! | `conflate` | it gets the newest message and no others. For values, where history means nothing |
//! | `disconnect` | it has to go, and knows that it has missed something: for streams in which nothing may be missed ([clone](clone.rs)) |

use std::error::Error;
use std::time::{Duration, SystemTime};

use purezmq::monitor::{DisconnectReason, MonitorEventKind};
use purezmq::options::SlowSubscriber;
use purezmq::{PubSocket, SubSocket};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["publisher", endpoint, policy] => publisher(endpoint, policy).await,
        ["subscriber", endpoint, pause] => subscriber(endpoint, pause, "1000").await,
        ["subscriber", endpoint, pause, limit] => subscriber(endpoint, pause, limit).await,
        _ => Err("publisher ENDPOINT POLICY, or subscriber ENDPOINT PAUSE [LIMIT]".into()),
    }
}

async fn publisher(endpoint: &str, policy: &str) -> Outcome {
    // Beside the queue, the system's buffer holds messages for each subscriber: small ones show soon who is slow.
    let builder = PubSocket::builder().send_hwm(100).send_buffer(64 * 1024);
    let builder = match policy {
        "drop-newest" => builder.slow_subscriber(SlowSubscriber::DropNewest),
        "drop-oldest" => builder.slow_subscriber(SlowSubscriber::DropOldest),
        "disconnect" => builder.slow_subscriber(SlowSubscriber::Disconnect),
        "conflate" => builder.conflate(true),
        _ => return Err("drop-newest, drop-oldest, disconnect or conflate".into()),
    };
    let mut socket = builder.build()?;
    let mut monitor = socket.monitor();
    println!("publishing on {}", socket.bind(endpoint).await?);
    let mut ballast = vec![0; 16 * 1024];
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
                ballast[..8].copy_from_slice(&u64::try_from(now.as_micros())?.to_be_bytes());
                socket.send(&ballast).await?;
            }
            event = monitor.recv() => {
                let event = event.map(|event| event.kind);
                if let Some(MonitorEventKind::Disconnected(DisconnectReason::SlowSubscriber)) = event {
                    println!("a subscriber was too slow, and had to go");
                }
            }
        }
    }
}

/// Takes its time for each message, and ends when one is older than the limit; both in milliseconds.
async fn subscriber(endpoint: &str, pause: &str, limit: &str) -> Outcome {
    let pause = Duration::from_millis(pause.parse()?);
    let limit = Duration::from_millis(limit.parse()?);
    // What is on its way is old when it comes: this side, too, keeps little.
    let mut socket = SubSocket::builder()
        .recv_hwm(10)
        .recv_buffer(64 * 1024)
        .build()?;
    socket.subscribe("");
    socket.connect(endpoint)?;
    let mut report = tokio::time::interval(Duration::from_secs(1));
    let mut oldest = Duration::ZERO;
    loop {
        tokio::select! {
            message = socket.recv() => {
                let message = message?;
                let stamp = message.payload().first_chunk().ok_or("a time")?;
                let sent = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::from_be_bytes(*stamp));
                let age = sent.elapsed().unwrap_or_default();
                if age > limit {
                    println!("too slow: this is {} ms old", age.as_millis());
                    return Err("what it would do now would be wrong".into());
                }
                oldest = oldest.max(age);
                tokio::time::sleep(pause).await;
            }
            _ = report.tick() => {
                println!("the oldest was {} ms old", oldest.as_millis());
                oldest = Duration::ZERO;
            }
        }
    }
}
