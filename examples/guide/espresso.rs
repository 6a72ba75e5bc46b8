//! Espresso: who listens at a proxy's capture socket sees what passes it, in both directions, and disturbs nobody. Type, in
//! four terminals, in any order:
//!
//!     cargo run --example espresso -- proxy tcp://*:5565 tcp://*:5566 tcp://*:5567
//!     cargo run --example espresso -- publisher tcp://localhost:5565
//!     cargo run --example espresso -- subscriber tcp://localhost:5566 A
//!     cargo run --example espresso -- listener tcp://localhost:5567
//!
//! ```text
//!   publisher ── PUB ──► XSUB   proxy   XPUB ──► SUB ── subscriber
//!                              capture PUB ────► SUB ── listener
//! ```
//!
//! The listener sees messages on their way to the right, and subscriptions on theirs to the left. To break: kill the
//! subscriber: its subscription is taken back, which the listener sees, and then no message passes, for nobody wants any.
//! Kill the listener, or stop it with Ctrl-Z: nothing changes for the others, since a PUB never waits.

use std::error::Error;
use std::time::Duration;

use purezmq::{Proxy, PubSocket, SubSocket, XPubSocket, XSubSocket};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["proxy", front, back, capture] => proxy(front, back, capture).await,
        ["publisher", endpoint] => publisher(endpoint).await,
        ["subscriber", endpoint, topic] => subscriber(endpoint, topic).await,
        ["listener", endpoint] => listener(endpoint).await,
        _ => Err(
            "proxy FRONT BACK CAPTURE, publisher|listener ENDPOINT, or subscriber ENDPOINT TOPIC"
                .into(),
        ),
    }
}

async fn proxy(front: &str, back: &str, capture: &str) -> Outcome {
    let (mut publishers, mut subscribers) = (XSubSocket::new(), XPubSocket::new());
    let mut listeners = PubSocket::new();
    let front = publishers.bind(front).await?;
    let back = subscribers.bind(back).await?;
    let capture = listeners.bind(capture).await?;
    println!("publishers at {front}, subscribers at {back}, listeners at {capture}");
    Proxy::new(publishers, subscribers)
        .capture(listeners)
        .run()
        .await;
    Ok(())
}

/// Publishes a number to each of the topics A to E in turn, ten times a second.
async fn publisher(endpoint: &str) -> Outcome {
    let mut socket = PubSocket::new();
    socket.connect(endpoint)?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for number in 0_u64.. {
        tick.tick().await;
        for topic in ["A", "B", "C", "D", "E"] {
            socket.send(format!("{topic} {number}")).await?;
        }
    }
    Ok(())
}

async fn subscriber(endpoint: &str, topic: &str) -> Outcome {
    let mut socket = SubSocket::new();
    socket.subscribe(topic);
    socket.connect(endpoint)?;
    loop {
        println!("{}", socket.recv().await?.as_str()?);
    }
}

async fn listener(endpoint: &str) -> Outcome {
    let mut socket = SubSocket::new();
    socket.subscribe("");
    socket.connect(endpoint)?;
    loop {
        let message = socket.recv().await?;
        // A subscription begins with an octet that says which way.
        match message.payload() {
            [1, topic @ ..] => println!("wanted: {}", String::from_utf8_lossy(topic)),
            [0, topic @ ..] => println!("no longer wanted: {}", String::from_utf8_lossy(topic)),
            text => println!("passes: {}", String::from_utf8_lossy(text)),
        }
    }
}
