//! What looking costs who is looked at: the three programs behind `scripts/watching`.
//!
//! ```text
//! watched receive PEERS SECONDS EXPOSE   receives from so many peers; prints its endpoint, then what it has received and the
//!                                        seconds of processor time of the thread that exposes it
//! watched send PEERS RATE ENDPOINT       so many sockets, each sends so many messages a second, until it is ended
//! watched rest PEERS EXPOSE              has so many peers that are silent, until it is ended: somebody else to look at
//! ```
//!
//! In both that are exposed, socket 1 is the one with the peers.

use std::error::Error;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use purezmq::{Context, PullSocket, PushSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

type Ended<T> = Result<T, Box<dyn Error>>;

fn main() -> Ended<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["receive", peers, seconds, expose] => {
            receive(peers.parse()?, seconds.parse()?, expose.to_owned())
        }
        ["send", peers, rate, endpoint] => send(peers.parse()?, rate.parse()?, endpoint),
        ["rest", peers, expose] => rest(peers.parse()?, expose.to_owned()),
        _ => Err("see the head of this file".into()),
    }
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A thread that answers who asks, and says at its end what that has cost.
struct Exposing {
    end: oneshot::Sender<()>,
    thread: JoinHandle<f64>,
}

impl Exposing {
    fn begin(context: &Context, endpoint: String) -> Self {
        let context = context.clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime().unwrap().block_on(async {
                let exposed = context.expose(endpoint).await.unwrap();
                let _ = ended.await;
                exposed.close().await;
            });
            processor_time()
        });
        Exposing { end, thread }
    }

    fn end(self) -> f64 {
        let _ = self.end.send(());
        self.thread.join().unwrap()
    }
}

/// Receives on one thread; a second one exposes it, so that what that costs can be told apart.
fn receive(peers: usize, seconds: u64, expose: String) -> Ended<()> {
    let context = Context::new();
    let (received, answering) = runtime()?.block_on(async {
        let mut pull = PullSocket::builder().context(&context).build()?;
        let exposing = Exposing::begin(&context, expose);
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
        let received = pull.stats().received.messages - before;
        Ok::<_, Box<dyn Error>>((received, exposing.end()))
    })?;
    println!("{received} {answering}");
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

fn send(peers: usize, rate: u32, endpoint: &str) -> Ended<()> {
    runtime()?.block_on(async {
        let mut sockets = connected(&Context::new(), peers, endpoint)?;
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

fn connected(context: &Context, peers: usize, endpoint: &str) -> Ended<Vec<PushSocket>> {
    let sockets = (0..peers).map(|_| {
        let mut push = PushSocket::builder().context(context).build()?;
        push.connect(endpoint)?;
        Ok(push)
    });
    sockets.collect()
}

fn rest(peers: usize, expose: String) -> Ended<()> {
    let (context, elsewhere) = (Context::new(), Context::new());
    runtime()?.block_on(async {
        let mut pull = PullSocket::builder().context(&context).build()?;
        let _exposing = Exposing::begin(&context, expose);
        let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
        let _sockets = connected(&elsewhere, peers, &endpoint.to_string())?;
        while pull.stats().peers.len() < peers {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("all are there");
        std::future::pending().await
    })
}
