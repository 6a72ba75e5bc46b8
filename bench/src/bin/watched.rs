//! What looking costs who is looked at: the three programs behind `scripts/watching`.
//!
//! ```text
//! watched receive PEERS SECONDS EXPOSE   receives from so many peers; prints its endpoint, and `all are there` once they are;
//!                                        then, for so long from a line of standard input on: what it has received, and the
//!                                        seconds of processor time of all of it, and of the thread that exposes it. Can be
//!                                        looked at until standard input ends
//! watched send PEERS RATE ENDPOINT       so many sockets, each sends so many messages a second, until it is ended
//! watched rest PEERS EXPOSE              has so many peers that are silent, until it is ended: somebody else to look at
//! ```
//!
//! In both that are exposed, socket 1 is the one with the peers.

use std::error::Error;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use purezmq::{Context, PullSocket, PushSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

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

/// A thread that answers who looks, and says what that has cost so far.
struct Exposing(mpsc::UnboundedSender<oneshot::Sender<nix::Result<Duration>>>);

impl Exposing {
    fn begin(context: &Context, endpoint: String) -> Self {
        let context = context.clone();
        let (asks, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<_>>();
        std::thread::spawn(move || {
            runtime().unwrap().block_on(async {
                let exposed = context.expose(endpoint).await.unwrap();
                while let Some(ask) = asked.recv().await {
                    let _ = ask.send(processor_time(ClockId::CLOCK_THREAD_CPUTIME_ID));
                }
                exposed.close().await;
            });
        });
        Exposing(asks)
    }

    async fn cost(&self) -> Ended<Duration> {
        let (ask, cost) = oneshot::channel();
        self.0.send(ask)?;
        Ok(cost.await??)
    }
}

/// Receives on one thread; a second one exposes it, so that what that costs can be told apart.
fn receive(peers: usize, seconds: u64, expose: String) -> Ended<()> {
    let context = Context::new();
    let said = said();
    runtime()?.block_on(async {
        let mut pull = PullSocket::builder().context(&context).build()?;
        let exposing = Exposing::begin(&context, expose);
        let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
        println!("{endpoint}");
        while pull.stats().peers.len() < peers {
            pull.recv().await?;
        }
        println!("all are there");
        while let Err(why) = said.try_recv() {
            if why == TryRecvError::Disconnected {
                return Err("nobody has said when to begin".into());
            }
            receive_some(&mut pull).await?;
        }
        // All three of the same time: what it costs to let a thousand peers in belongs to no message.
        let (messages, all, answering) = so_far(&pull, &exposing).await?;
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            receive_some(&mut pull).await?;
        }
        let now = so_far(&pull, &exposing).await?;
        println!(
            "{} {} {}",
            now.0 - messages,
            (now.1 - all).as_secs_f64(),
            (now.2 - answering).as_secs_f64()
        );
        // Whoever looks may still be asked what is seen.
        while said.recv().is_ok() {}
        Ok(())
    })
}

async fn receive_some(pull: &mut PullSocket) -> Ended<()> {
    for _ in 0..256 {
        pull.recv().await?;
    }
    Ok(())
}

/// Returns the messages that were received, and the processor time of the process and of the thread that exposes it.
async fn so_far(pull: &PullSocket, exposing: &Exposing) -> Ended<(u64, Duration, Duration)> {
    let answering = exposing.cost().await?;
    let all = processor_time(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok((pull.stats().received.messages, all, answering))
}

fn processor_time(of: ClockId) -> nix::Result<Duration> {
    Ok(clock_gettime(of)?.into())
}

/// Hears each line of standard input, and its end.
fn said() -> Receiver<()> {
    let (heard, lines) = channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            let _ = heard.send(());
        }
    });
    lines
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
