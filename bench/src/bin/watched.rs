//! What looking costs who is looked at: the two programs behind `scripts/watching`.
//!
//! ```text
//! watched receive PEERS SECONDS [EXPOSE]   receives from so many peers; prints its endpoint, then what it has received and
//!                                          the seconds of processor time of the thread that exposes it
//! watched send PEERS RATE ENDPOINT         so many sockets, each sends so many messages a second, until it is ended
//! ```

use std::error::Error;
use std::time::{Duration, Instant};

use purezmq::{Context, PullSocket, PushSocket};
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["receive", peers, seconds] => receive(peers.parse()?, seconds.parse()?, None),
        ["receive", peers, seconds, expose] => {
            receive(peers.parse()?, seconds.parse()?, Some(expose.to_owned()))
        }
        ["send", peers, rate, endpoint] => send(peers.parse()?, rate.parse()?, endpoint),
        _ => Err("see the head of this file".into()),
    }
}

/// Receives on one thread; a second one exposes it, so that what that costs can be told apart.
fn receive(peers: usize, seconds: u64, expose: Option<String>) -> Result<(), Box<dyn Error>> {
    let context = Context::new();
    let exposing = expose.map(|endpoint| {
        let context = context.clone();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let exposed = context.expose(endpoint).await.unwrap();
                let _ = ended.await;
                exposed.close().await;
            });
            processor_time()
        });
        (end, thread)
    });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let received = runtime.block_on(async {
        let mut pull = PullSocket::builder().context(&context).build()?;
        let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
        println!("{endpoint}");
        while pull.stats().peers.len() < peers {
            pull.recv().await?;
        }
        println!("all are there");
        let (before, end) = (
            pull.stats().received.messages,
            Instant::now() + Duration::from_secs(seconds),
        );
        while Instant::now() < end {
            for _ in 0..256 {
                pull.recv().await?;
            }
        }
        Ok::<_, Box<dyn Error>>(pull.stats().received.messages - before)
    })?;
    let cost = exposing.map(|(end, thread)| {
        let _ = end.send(());
        thread.join().unwrap()
    });
    println!("{received} {}", cost.unwrap_or(0.0));
    Ok(())
}

/// Returns the seconds of processor time that this thread has had.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split(' ')
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

fn send(peers: usize, rate: u32, endpoint: &str) -> Result<(), Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut sockets = Vec::new();
        for _ in 0..peers {
            let mut push = PushSocket::new();
            push.connect(endpoint)?;
            sockets.push(push);
        }
        // Ten times a second, each sends a tenth of its messages.
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            for (number, push) in sockets.iter_mut().enumerate() {
                for _ in 0..rate / 10 {
                    push.send(&[0_u8; 64][..]).await?;
                }
                if number % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    })
}
