//! The two thousand that attack: a process of their own, which is this program once more, and come back whenever they are
//! thrown out.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::raw::{greeting, ready};
use common::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::attack::{cpu, enough_descriptors};

pub(super) const ATTACKERS: usize = 2_000;

/// How often an attacker does something.
const PACE: Duration = Duration::from_millis(100);

/// How much of a flood comes at a time. A debug build cannot do with more of it, and would be measured by that.
const FLOOD: usize = if cfg!(debug_assertions) { 20 } else { 100 };

/// The manners in which they attack.
pub(super) const MANNERS: usize = 9;

/// Two thousand connections that never stop trying, as a process of their own.
pub(super) struct Attack(Child);

/// What tells this program to be the attackers: address, socket type, and after how many milliseconds they are back.
const ORDER: &str = "PUREZMQ_ATTACK";

impl Attack {
    /// Begins, and returns when all have connected once.
    pub(super) fn begin(address: SocketAddr, kind: &'static str, back: Duration) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "attackers::the_attackers",
                "--ignored",
                "--nocapture",
            ])
            .env(ORDER, format!("{address} {kind} {}", back.as_millis()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        let connected = said
            .lines()
            .any(|line| line.expect("a line").ends_with("all have connected"));
        assert!(connected, "the attackers gave up");
        Self(process)
    }

    /// CPU time of the attackers, seconds.
    pub(super) fn cpu(&self) -> f64 {
        cpu(&self.0.id().to_string())
    }

    pub(super) fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("the attackers");
    }
}

#[test]
#[ignore = "the attackers' own process, which the others start"]
fn the_attackers() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    enough_descriptors();
    let [address, kind, back] = order.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{order}");
    };
    let address: SocketAddr = address.parse().expect("an address");
    let kind: &'static str = kind.to_owned().leak();
    let back = Duration::from_millis(back.parse().expect("a number"));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connected = Arc::new(AtomicUsize::new(0));
        for number in 0..ATTACKERS {
            tokio::spawn(attacker(address, kind, number, back, connected.clone()));
            if number % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        until("two thousand connections", || {
            connected.load(Ordering::Relaxed) >= ATTACKERS
        })
        .await;
        println!("all have connected");
        // The end of the input is the end of this process, however the other one ends.
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await;
    });
    // Connections are not closed one by one.
    std::process::exit(0);
}

async fn attacker(
    address: SocketAddr,
    kind: &str,
    number: usize,
    back: Duration,
    connected: Arc<AtomicUsize>,
) {
    let mut first = true;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            connected.fetch_add(usize::from(std::mem::take(&mut first)), Ordering::Relaxed);
            // That it fails means that this connection has been ended.
            let _ = harm(&mut stream, kind, number).await;
        }
        tokio::time::sleep(back).await;
    }
}

/// One connection's worth of harm, until the other side ends it.
async fn harm(stream: &mut TcpStream, kind: &str, number: usize) -> std::io::Result<()> {
    let manner = number % MANNERS;
    if manner >= 3 {
        stream.write_all(&greeting()).await?;
    }
    if manner >= 4 {
        stream.write_all(&ready(kind)).await?;
    }
    match manner {
        // Silent.
        0 => {}
        // Dripping: a greeting, and a command that never ends.
        1 => {
            for byte in greeting()
                .into_iter()
                .chain([6])
                .chain([0; 7])
                .chain([200; 300])
            {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(PACE).await;
            }
        }
        // Garbage.
        2 => {
            let garbage: Vec<u8> = (0..4096_usize)
                .map(|at| ((at * at * number) >> 7) as u8)
                .collect();
            stream.write_all(&garbage).await?;
        }
        // A READY of 2^63-1 bytes.
        3 => stream.write_all(&announcement(6)).await?,
        // A message, or a frame of one, of as many.
        4 => {
            stream
                .write_all(&announcement(2 + number as u8 % 2))
                .await?
        }
        // Endless MORE frames.
        5 => loop {
            stream
                .write_all(&b"\x01\x07endless".repeat(10 * FLOOD))
                .await?;
            tokio::time::sleep(PACE).await;
        },
        // Subscriptions, all different.
        6 => {
            let many = FLOOD as u64;
            for from in 0_u64.. {
                let mut flood = Vec::new();
                for topic in many * from..many * (from + 1) {
                    flood.extend_from_slice(b"\x04\x12\x09SUBSCRIBE");
                    flood.extend_from_slice(&topic.to_be_bytes());
                }
                stream.write_all(&flood).await?;
                tokio::time::sleep(PACE).await;
            }
        }
        // Half-open: its end of the connection is closed, or its host is gone.
        7 if number.is_multiple_of(2) => stream.shutdown().await?,
        7 => std::future::pending().await,
        // Wants answers, and subscribes to everything, and never reads.
        _ => {
            stream.write_all(b"\x04\x0a\x09SUBSCRIBE").await?;
            loop {
                let pings = b"\x04\x17\x04PING\0\0sixteen bytes: a".repeat(FLOOD);
                stream.write_all(&pings).await?;
                tokio::time::sleep(PACE).await;
            }
        }
    }
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// The header of a frame of 2^63-1 bytes, and the first few of them.
fn announcement(flags: u8) -> Vec<u8> {
    [&[flags][..], &i64::MAX.to_be_bytes(), b"\x05READY"].concat()
}
