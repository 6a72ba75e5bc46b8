//! Two thousand hostile connections against one socket, while ten honest peers exchange messages with it.
//!
//! The attackers are a process of their own, this program once more (`attackers.rs`). The test in the suite shows that
//! nothing honest is lost or reordered, and that memory, tasks and descriptors stay within bounds and return; how much slower
//! the honest ones get depends on the machine, and is measured by hand:
//! `cargo test --release -p purezmq-footprint --test process -- --ignored --nocapture --test-threads 1`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::raw::socket_address;
use common::within;
use purezmq::stats::SocketStats;
use purezmq::{Message, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket, XPubSocket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::attackers::{ATTACKERS, Attack, MANNERS};
use super::{Threads, alone};

const HONEST: usize = 10;

/// What the process may grow by during an attack: both ends of 2,000 connections.
const BOUND_KIB: usize = 160 * 1024;

/// How soon one that was thrown out is back: half of them are at once, so this is a storm of some 7,000 connections a
/// second, or of 700.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);

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
pub(super) fn cpu(process: &str) -> f64 {
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
pub(super) fn enough_descriptors() {
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
