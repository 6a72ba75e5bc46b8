//! Two thousand hostile connections against one socket, while ten honest peers exchange messages with it.
//!
//! The attackers are a process of their own, this program once more, and come back whenever they are thrown out. The test in the suite shows that nothing honest
//! is lost or reordered, and that memory, tasks and descriptors stay within bounds and return; how much slower the honest
//! ones get depends on the machine, and is measured by hand:
//! `cargo test --release -p purezmq-footprint --test process -- --ignored --nocapture --test-threads 1`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::raw::{greeting, ready, socket_address};
use common::within;
use purezmq::stats::SocketStats;
use purezmq::{Message, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket, XPubSocket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;

use super::{Threads, alone};

const ATTACKERS: usize = 2_000;
const HONEST: usize = 10;

/// What the process may grow by during an attack: both ends of 2,000 connections.
const BOUND_KIB: usize = 160 * 1024;

/// How often an attacker does something.
const PACE: Duration = Duration::from_millis(100);

/// How soon one that was thrown out is back: half of them are at once, so this is a storm of some 7,000 connections a
/// second, or of 700.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);

/// How much of a flood comes at a time. A debug build cannot do with more of it, and would be measured by that.
const FLOOD: usize = if cfg!(debug_assertions) { 20 } else { 100 };

/// The manners in which they attack.
const MANNERS: usize = 9;

// ---- the attackers

/// Two thousand connections that never stop trying, as a process of their own.
struct Attack(Child);

/// What tells this program to be the attackers: address, socket type, and after how many milliseconds they are back.
const ORDER: &str = "PUREZMQ_ATTACK";

impl Attack {
    /// Begins, and returns when all have connected once.
    fn begin(address: SocketAddr, kind: &'static str, back: Duration) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "attack::the_attackers",
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
    fn cpu(&self) -> f64 {
        cpu(&self.0.id().to_string())
    }

    fn end(mut self) {
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
        within("two thousand connections", async {
            while connected.load(Ordering::Relaxed) < ATTACKERS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
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

// ---- the honest ones

/// What an honest exchange needs: a socket under attack, and how it goes.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// Ten PUSH to a PULL.
    Pull,
    /// Ten REQ and a REP.
    Rep,
    /// An XPUB and ten SUB.
    XPub,
}

/// How an exchange went.
struct Outcome {
    took: Duration,
    /// CPU time, seconds: of this process, which is the socket and the honest peers, and of the attackers.
    cpu: f64,
    attackers_cpu: f64,
    stats: SocketStats,
    peak_kib: usize,
}

/// The exchange of `count` messages with each of ten honest peers, under an attack whose attackers are back after so long, or without one.
async fn play(scene: Scene, count: u32, attack: Option<Duration>) -> Outcome {
    match scene {
        Scene::Pull => pull(count, attack).await,
        Scene::Rep => rep(count, attack).await,
        Scene::XPub => xpub(count, attack).await,
    }
}

fn numbered(peer: usize, number: u32) -> Message {
    Message::from(format!("{peer:02} {number:010} a payload of some length"))
}

async fn pull(count: u32, attack: Option<Duration>) -> Outcome {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut pushers = Vec::new();
    for _ in 0..HONEST {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        pushers.push(push);
    }
    let siege = Siege::begin(socket_address(&endpoint), "PUSH", attack).await;
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (peer, mut push) in pushers.into_iter().enumerate() {
        senders.spawn(async move {
            for number in 0..count {
                push.send(numbered(peer, number)).await.unwrap();
            }
            push
        });
    }
    let mut next = [0; HONEST];
    for _ in 0..count as usize * HONEST {
        let message = within("a message", pull.recv()).await.unwrap();
        let peer: usize = message.as_str().unwrap()[..2].parse().unwrap();
        assert_eq!(message, numbered(peer, next[peer]));
        next[peer] += 1;
    }
    let took = began.elapsed();
    senders.join_all().await;
    siege.end(took, pull.stats()).await
}

async fn rep(count: u32, attack: Option<Duration>) -> Outcome {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let siege = Siege::begin(socket_address(&endpoint), "REQ", attack).await;
    let began = Instant::now();
    let mut askers = JoinSet::new();
    for peer in 0..HONEST {
        let mut req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        askers.spawn(async move {
            for number in 0..count {
                req.send(numbered(peer, number)).await.unwrap();
                let reply = within("a reply", req.recv()).await.unwrap();
                assert_eq!(reply, numbered(peer, number));
            }
        });
    }
    for _ in 0..count as usize * HONEST {
        let request = within("a request", rep.recv()).await.unwrap();
        rep.send(request).await.unwrap();
    }
    askers.join_all().await;
    siege.end(began.elapsed(), rep.stats()).await
}

async fn xpub(count: u32, attack: Option<Duration>) -> Outcome {
    /// Far below the HWM: nothing may be dropped for those who read.
    const AHEAD: u32 = 400;
    // Who subscribes and never reads is served until the system's buffers are full: megabytes, if they may grow.
    let mut publisher = XPubSocket::builder()
        .max_subscriptions(500)
        .send_buffer(64 * 1024)
        .build()
        .unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let (heard, mut all_heard) = tokio::sync::mpsc::channel(HONEST);
    let mut listeners = JoinSet::new();
    for _ in 0..HONEST {
        let mut subscriber = SubSocket::new();
        subscriber.subscribe("00");
        subscriber.connect(&endpoint).unwrap();
        let heard = heard.clone();
        listeners.spawn(async move {
            for number in 0..count {
                let message = within("a publication", subscriber.recv()).await.unwrap();
                assert_eq!(message, numbered(0, number));
                if (number + 1) % AHEAD == 0 {
                    heard.send(()).await.unwrap();
                }
            }
        });
    }
    within("subscribers", publisher.wait_for_subscribers(HONEST)).await;
    let siege = Siege::begin(socket_address(&endpoint), "SUB", attack).await;
    let began = Instant::now();
    for number in 0..count {
        publisher.send(numbered(0, number)).await.unwrap();
        // What subscribers say is looked at as well, as applications do. To the end of it would be for ever; who looks
        // at less than they say keeps it in memory.
        for _ in 0..100 {
            if publisher.try_recv().is_err() {
                break;
            }
        }
        if (number + 1) % AHEAD == 0 {
            for _ in 0..HONEST {
                within("all have heard", all_heard.recv()).await.unwrap();
            }
        }
    }
    listeners.join_all().await;
    siege.end(began.elapsed(), publisher.stats()).await
}

/// An attack, or none, and what the process needs meanwhile.
struct Siege {
    attack: Option<Attack>,
    /// CPU time up to the beginning, of this process and of the attackers.
    before: (f64, f64),
    peak_kib: Arc<AtomicUsize>,
    watch: tokio::task::JoinHandle<()>,
}

impl Siege {
    async fn begin(address: SocketAddr, kind: &'static str, attack: Option<Duration>) -> Self {
        let peak_kib = Arc::new(AtomicUsize::new(0));
        let watch = tokio::spawn({
            let peak_kib = peak_kib.clone();
            async move {
                loop {
                    peak_kib.fetch_max(memory_kib(), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
        let begin = move || attack.map(|back| Attack::begin(address, kind, back));
        let attack = tokio::task::spawn_blocking(begin).await.unwrap();
        Self {
            before: (cpu("self"), attack.as_ref().map_or(0.0, Attack::cpu)),
            attack,
            peak_kib,
            watch,
        }
    }

    async fn end(self, took: Duration, stats: SocketStats) -> Outcome {
        self.watch.abort();
        let cpu = cpu("self") - self.before.0;
        let mut attackers_cpu = 0.0;
        if let Some(attack) = self.attack {
            attackers_cpu = attack.cpu() - self.before.1;
            tokio::task::spawn_blocking(|| attack.end()).await.unwrap();
        }
        Outcome {
            took,
            cpu,
            attackers_cpu,
            stats,
            peak_kib: self.peak_kib.load(Ordering::Relaxed),
        }
    }
}

// ---- what is counted

/// CPU time of a process so far, user and system, seconds.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("/proc is there");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2);
    // Hundredths of a second, whatever the kernel counts in.
    ticks
        .map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0)
        .sum()
}

/// Resident memory of this process.
fn memory_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    resident.trim().trim_end_matches(" kB").parse().expect("kB")
}

#[derive(Clone, Copy, Debug)]
struct Holdings {
    tasks: usize,
    descriptors: usize,
    memory_kib: usize,
}

impl Holdings {
    fn now() -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            descriptors: std::fs::read_dir("/proc/self/fd")
                .expect("/proc/self/fd")
                .count(),
            memory_kib: memory_kib(),
        }
    }

    /// Waits until tasks and descriptors are no more than these.
    async fn restored(self) -> Self {
        let restored = async {
            loop {
                let now = Self::now();
                if now.tasks <= self.tasks && now.descriptors <= self.descriptors {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(common::PATIENCE, restored).await {
            Ok(now) => now,
            Err(_) => panic!("before {self:?}, left behind {:?}", Self::now()),
        }
    }
}

/// Descriptors for both ends of all connections.
fn enough_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let need = 2 * ATTACKERS as u64 + 500;
    if limit.current.is_some_and(|current| current < need) {
        let more = Rlimit {
            current: limit.maximum,
            ..limit
        };
        setrlimit(Resource::Nofile, more).expect("the soft limit can be as high as the hard one");
        let hard = limit.maximum.unwrap_or(need);
        assert!(
            hard >= need,
            "this test needs {need} descriptors, {hard} are allowed"
        );
    }
}

#[test]
fn honest_peers_lose_nothing_under_attack_and_nothing_is_left_of_it() {
    alone(Threads::Two, async {
        enough_descriptors();
        let before = Holdings::now();
        let mut after_first = None;
        for round in 0..2 {
            for (scene, count) in [
                (Scene::Pull, 5_000),
                (Scene::Rep, 200),
                (Scene::XPub, 1_200),
            ] {
                let start = Holdings::now();
                let Outcome {
                    stats,
                    peak_kib,
                    took,
                    ..
                } = play(scene, count, Some(SOON)).await;
                let grown = peak_kib.saturating_sub(start.memory_kib);
                println!(
                    "{scene:?}: {took:?}, memory grew by {grown} KiB; {} handshakes failed, {} peers were expelled",
                    stats.handshake_failures, stats.expelled
                );
                assert!(grown < BOUND_KIB, "{scene:?}: memory grew by {grown} KiB");
                // Garbage and a huge READY fail the handshake; a huge frame comes after it.
                let each = (ATTACKERS / MANNERS) as u64;
                assert!(stats.handshake_failures >= 2 * each, "{stats:?}");
                assert!(stats.expelled >= each, "{stats:?}");
                before.restored().await;
            }
            let now = before.restored().await;
            println!("after round {round}: {now:?}");
            let first = *after_first.get_or_insert(now);
            // The allocator keeps what it has got; what leaks comes again each time.
            assert!(
                now.memory_kib < first.memory_kib + 20_000,
                "memory grew from {first:?} to {now:?}"
            );
        }
    });
}

/// Says how fast an exchange is under attack, as a share of how fast it is otherwise: at least half, unless the
/// attackers are back at once.
async fn measure(scene: Scene, count: u32) {
    enough_descriptors();
    let quiet = play(scene, count, None).await;
    for (back, least) in [(SOON, 0.0), (LATER, 0.5)] {
        let attacked = play(scene, count, Some(back)).await;
        let ratio = quiet.took.as_secs_f64() / attacked.took.as_secs_f64();
        let by_cpu = quiet.cpu / attacked.cpu;
        let thrown_out = attacked.stats.handshake_failures + attacked.stats.expelled;
        println!(
            "{scene:?}, attackers back after {back:?}: {:?} undisturbed, {:?} under attack: ratio {ratio:.2}; \
             CPU time {:.2} s and {:.2} s: ratio {by_cpu:.2}; the attackers' {:.2} s; {:.0} thrown out a second",
            quiet.took,
            attacked.took,
            quiet.cpu,
            attacked.cpu,
            attacked.attackers_cpu,
            thrown_out as f64 / attacked.took.as_secs_f64()
        );
        assert!(ratio >= least, "{scene:?}: {ratio:.2}");
    }
}

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn pushers_keep_half_of_their_throughput() {
    alone(Threads::Two, async {
        measure(Scene::Pull, 300_000).await;
    });
}

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn askers_keep_half_of_their_throughput() {
    alone(Threads::Two, async {
        measure(Scene::Rep, 10_000).await;
    });
}

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn subscribers_keep_half_of_their_throughput() {
    alone(Threads::Two, async {
        measure(Scene::XPub, 600_000).await;
    });
}
