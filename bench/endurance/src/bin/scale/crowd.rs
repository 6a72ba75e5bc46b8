//! The many peers of the measured socket. They are PureZMQ's for both, so that only the hub differs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use futures::future::try_join_all;
use purezmq::{DealerSocket, SubSocket};
use purezmq_endurance::Failure;
use purezmq_endurance::child::tell;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::time::{sleep, timeout};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Peers,
    Audience,
    Topics,
    Storm,
}

/// What a publisher sends all the time: who hears the first is connected, or subscribed, and who hears the second
/// has unsubscribed.
pub(crate) const MARKERS: [&str; 2] = ["~here", "~gone"];
/// What is counted.
pub(crate) const DATA: [u8; 64] = [b'd'; 64];

/// Requests that one peer has under way.
const WINDOW: usize = 50;
/// How long peers are idle before memory is looked at: more than a second, after which buffers go.
const REST: Duration = Duration::from_millis(2_500);

/// Subscription number `number`.
pub(crate) fn topic(number: usize) -> Vec<u8> {
    // The order of digits is turned round, so that neighbours in time are none in the trie.
    let digits: String = format!("{number:07}").chars().rev().collect();
    format!("sensor/{digits}/temperature").into_bytes()
}

pub(crate) async fn run(
    role: Role,
    endpoint: &str,
    peers: usize,
    count: usize,
) -> Result<(), Failure> {
    let mut orders = BufReader::new(stdin()).lines();
    match role {
        Role::Peers => crowd(endpoint, peers, count, &mut orders).await,
        Role::Audience => audience(endpoint, peers, count, &mut orders).await,
        Role::Topics => topics(endpoint, count, &mut orders).await,
        Role::Storm => storm(endpoint, peers, &mut orders).await,
    }
}

async fn told(orders: &mut Lines<BufReader<Stdin>>) -> Result<(), Failure> {
    orders
        .next_line()
        .await?
        .ok_or("standard input has ended")?;
    Ok(())
}

/// Sockets that have all been answered.
async fn connect(endpoint: &str, peers: usize) -> Result<Vec<DealerSocket>, Failure> {
    let mut dealers = Vec::with_capacity(peers);
    for _ in 0..peers {
        let mut dealer = DealerSocket::new();
        dealer.connect(endpoint)?;
        dealer.send("hello").await?;
        dealers.push(dealer);
    }
    for dealer in &mut dealers {
        dealer.recv().await?;
    }
    Ok(dealers)
}

async fn crowd(
    endpoint: &str,
    peers: usize,
    count: usize,
    orders: &mut Lines<BufReader<Stdin>>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut dealers = connect(endpoint, peers).await?;
    tell("connected", start.elapsed().as_secs_f64())?;
    sleep(REST).await;
    tell("rested", 0.0)?;
    told(orders).await?;
    let active = (peers / 100).max(1);
    let active = &mut dealers[..active];
    let mut times = Vec::new();
    for _ in 0..2_000 / active.len() {
        for dealer in &mut *active {
            let start = Instant::now();
            dealer.send("ping").await?;
            dealer.recv().await?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    tell("latency_us", times[times.len() / 2].as_secs_f64() * 1e6)?;
    let each = (10 * count / active.len()).max(WINDOW);
    let rounds = each / WINDOW;
    let start = Instant::now();
    let busy = active.iter_mut().map(async |dealer| {
        for _ in 0..rounds {
            for _ in 0..WINDOW {
                dealer.send(DATA).await?;
            }
            for _ in 0..WINDOW {
                dealer.recv().await?;
            }
        }
        Ok::<_, Failure>(())
    });
    let number = busy.len();
    try_join_all(busy).await?;
    let echoes = (number * rounds * WINDOW) as f64;
    tell("echoes_per_second", echoes / start.elapsed().as_secs_f64())?;
    told(orders).await
}

async fn audience(
    endpoint: &str,
    peers: usize,
    count: usize,
    orders: &mut Lines<BufReader<Stdin>>,
) -> Result<(), Failure> {
    let here = Arc::new(AtomicU64::new(0));
    let mut subscribers = Vec::new();
    for _ in 0..peers {
        let mut subscriber = SubSocket::builder().recv_hwm(0).build()?;
        subscriber.subscribe(MARKERS[0]);
        subscriber.subscribe("d");
        subscriber.connect(endpoint)?;
        let here = here.clone();
        subscribers.push(async move {
            subscriber.recv().await?;
            let is_last = here.fetch_add(1, Ordering::Relaxed) + 1 == peers as u64;
            // From now on only what counts.
            subscriber.unsubscribe(MARKERS[0]);
            if is_last {
                tell("connected", 0.0)?;
            }
            let mut seen = 0;
            let mut start = Instant::now();
            while seen < count {
                if subscriber.recv().await? == DATA[..] {
                    seen += 1;
                    if seen == 1 {
                        start = Instant::now();
                    }
                }
            }
            Ok::<_, Failure>((start, Instant::now()))
        });
    }
    let tasks: Vec<_> = subscribers.into_iter().map(tokio::spawn).collect();
    let times: Vec<_> = try_join_all(tasks)
        .await?
        .into_iter()
        .collect::<Result<_, _>>()?;
    let first = times
        .iter()
        .map(|time| time.0)
        .min()
        .ok_or("no subscribers")?;
    let last = times
        .iter()
        .map(|time| time.1)
        .max()
        .ok_or("no subscribers")?;
    tell("seconds", (last - first).as_secs_f64())?;
    told(orders).await
}

async fn topics(
    endpoint: &str,
    count: usize,
    orders: &mut Lines<BufReader<Stdin>>,
) -> Result<(), Failure> {
    let mut subscriber = SubSocket::new();
    subscriber.connect(endpoint)?;
    // Connected first, so that the time of a connection is none of the subscriptions'.
    subscriber.subscribe(MARKERS[1]);
    subscriber.recv().await?;
    subscriber.unsubscribe(MARKERS[1]);
    let topics: Vec<_> = (0..count).map(topic).collect();
    let start = Instant::now();
    for topic in &topics {
        subscriber.subscribe(topic);
    }
    subscriber.subscribe(MARKERS[0]);
    while subscriber.recv().await? != MARKERS[0] {}
    tell("subscribed", start.elapsed().as_secs_f64())?;
    subscriber.unsubscribe(MARKERS[0]);
    told(orders).await?;
    while timeout(Duration::ZERO, subscriber.recv()).await.is_ok() {}
    let start = Instant::now();
    for topic in &topics {
        subscriber.unsubscribe(topic);
    }
    subscriber.subscribe(MARKERS[1]);
    while subscriber.recv().await? != MARKERS[1] {}
    tell("unsubscribed", start.elapsed().as_secs_f64())?;
    told(orders).await
}

async fn storm(
    endpoint: &str,
    peers: usize,
    orders: &mut Lines<BufReader<Stdin>>,
) -> Result<(), Failure> {
    let mut dealers = connect(endpoint, peers).await?;
    tell("connected", 0.0)?;
    told(orders).await?;
    let start = Instant::now();
    let asking = dealers.iter_mut().map(async |dealer| {
        // A question that was lost with the old connection is asked again.
        loop {
            dealer.send("are you back?").await?;
            if let Ok(answer) = timeout(Duration::from_secs(5), dealer.recv()).await {
                answer?;
                return Ok::<_, Failure>(());
            }
        }
    });
    try_join_all(asking).await?;
    tell("back", start.elapsed().as_secs_f64())?;
    told(orders).await
}
