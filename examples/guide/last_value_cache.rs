//! Last value cache: who subscribes late gets the newest value of its topics at once, and what is new from then on. The
//! cache stands between publishers and subscribers, so publishers may have gone. Type, in three terminals, in any order:
//!
//!     cargo run --example last_value_cache -- cache tcp://*:5557 tcp://*:5558
//!     cargo run --example last_value_cache -- publisher tcp://localhost:5557
//!     cargo run --example last_value_cache -- subscriber tcp://localhost:5558 "topic 7"
//!
//! The publisher gives a thousand topics a value each, and then one of them a new one, ten times a second. Each line of the
//! subscriber is a value.
//!
//! To break: kill the publisher, and start a subscriber to a topic of which nothing new comes: it gets the last value. Stop
//! a subscriber of all topics (`""`) with Ctrl-Z for a minute: it misses values that are old by then, never the newest. What
//! the cache holds ends with it: when it starts again, topics fill as they are published.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use purezmq::{Message, PubSocket, SubSocket, XPubEvent, XPubSocket};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["cache", front, back] => cache(front, back).await,
        ["publisher", endpoint] => publisher(endpoint).await,
        ["subscriber", endpoint, topic] => subscriber(endpoint, topic).await,
        _ => Err("cache FRONT BACK, publisher ENDPOINT, or subscriber ENDPOINT TOPIC".into()),
    }
}

/// Keeps the newest message of each topic, and passes all on. One loop does both, so no newcomer misses what is published
/// between its value and the next one.
async fn cache(front: &str, back: &str) -> Outcome {
    let mut publishers = SubSocket::new();
    publishers.subscribe("");
    // `verbose`: each newcomer is told of, also to a topic that others have subscribed to. `conflate_topics`: of each topic
    // the newest value waits for a slow subscriber, and `send_hwm` says of how many topics.
    let mut subscribers = XPubSocket::builder()
        .verbose(true)
        .conflate_topics(true)
        .send_hwm(100_000)
        .build()?;
    let front = publishers.bind(front).await?;
    let back = subscribers.bind(back).await?;
    println!("publishers connect to {front}, subscribers to {back}");

    let mut values: BTreeMap<Vec<u8>, Message> = BTreeMap::new();
    loop {
        tokio::select! {
            update = publishers.recv() => {
                let update = update?;
                values.insert(update.first().unwrap_or_default().to_vec(), update.clone());
                subscribers.send(update).await?;
            }
            event = subscribers.recv_event() => {
                let XPubEvent::Subscribed { topic, subscriber } = event? else {
                    continue;
                };
                let known = values.range(topic.to_vec()..);
                for (_, value) in known.take_while(|(name, _)| name.starts_with(&topic)) {
                    if subscribers.send_to(subscriber, value).await.is_err() {
                        break; // It has gone already.
                    }
                }
            }
        }
    }
}

async fn publisher(endpoint: &str) -> Outcome {
    let mut socket = PubSocket::new();
    socket.connect(endpoint)?;
    socket.wait_for_subscribers(1).await;
    for topic in 0..1000 {
        socket
            .send([format!("topic {topic}"), "0".to_owned()])
            .await?;
        if topic % 100 == 99 {
            tokio::task::yield_now().await;
        }
    }
    println!("a thousand topics have values");
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for number in 1_u64.. {
        tick.tick().await;
        let topic = number * 619 % 1000;
        socket
            .send([format!("topic {topic}"), number.to_string()])
            .await?;
    }
    Ok(())
}

async fn subscriber(endpoint: &str, topic: &str) -> Outcome {
    let mut socket = SubSocket::new();
    socket.subscribe(topic);
    socket.connect(endpoint)?;
    loop {
        let update = socket.recv().await?;
        let fields: Vec<_> = update.iter().map(String::from_utf8_lossy).collect();
        println!("{}", fields.join(": "));
    }
}
