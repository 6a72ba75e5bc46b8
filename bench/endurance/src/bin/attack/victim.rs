//! The socket that is attacked, and its application, in a process of its own; and what the attackers see of it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use purezmq::options::{OptionId, Options, Value};
use purezmq::{AnySocket, Context, RecvError, SocketType};
use purezmq_endurance::Failure;
use purezmq_endurance::child::{Child, tell};

use crate::Who;

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Does {
    /// Binds, and forgets about it.
    Nothing,
    /// Sends a message now and then, and never receives.
    Sends,
    /// Sends ten of 1 KiB each millisecond.
    Publishes,
    /// Receives, and never sends. Each call has a limit.
    Receives,
    /// Sends back what it receives.
    Answers,
}

impl Does {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Does::Nothing => "unused",
            Does::Sends => "sends",
            Does::Publishes => "publishes",
            Does::Receives => "receives",
            Does::Answers => "answers",
        }
    }
}

/// As many connections may wait to be accepted as the system lets.
const BACKLOG: u32 = 4096;
/// Between two messages.
const PACE: Duration = Duration::from_millis(1);
/// The limit of a call that receives.
const LIMIT: Duration = Duration::from_millis(200);
/// What a publisher tells, and its subscribers want.
pub(crate) const NEWS: &str = "news of the day";
/// What a SUB wants.
pub(crate) const WANTED: &str = "wanted";
/// The time for a handshake by default, of both sides, in milliseconds.
const HANDSHAKE: u64 = 30_000;

// ---- the process of the victim

/// What the application has seen so far.
struct Meter {
    begun: Instant,
    received: AtomicU64,
    /// How late a call came back at most, in microseconds: receiving, after its limit; sending, after it began.
    late: AtomicU64,
    /// When a call is due that is under way, in microseconds since `begun`; 0: there is none.
    due: AtomicU64,
}

static METER: LazyLock<Meter> = LazyLock::new(|| Meter {
    begun: Instant::now(),
    received: AtomicU64::new(0),
    late: AtomicU64::new(0),
    due: AtomicU64::new(0),
});

impl Meter {
    fn now(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    /// A call begins that may take so long.
    fn begin(&self, limit: Duration) {
        let due = self.now() + limit.as_micros() as u64;
        self.due.store(due.max(1), Ordering::Relaxed);
    }

    fn end(&self) {
        let due = self.due.swap(0, Ordering::Relaxed);
        self.late
            .fetch_max(self.now().saturating_sub(due), Ordering::Relaxed);
    }

    /// How late a call was at most since this was asked for, or is, in milliseconds.
    fn take_late(&self) -> f64 {
        let late = self.late.swap(0, Ordering::Relaxed);
        let due = self.due.load(Ordering::Relaxed);
        let is_late = match due {
            0 => 0,
            due => self.now().saturating_sub(due),
        };
        late.max(is_late) as f64 / 1000.0
    }
}

/// Tells the port, and then whatever is asked, for as long as somebody is there to ask.
fn report(endpoint: &str) -> Result<(), Failure> {
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    tell("port", port.parse()?)?;
    std::thread::spawn(|| {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let told = match line.as_str() {
                "received" => tell(&line, METER.received.load(Ordering::Relaxed) as f64),
                _ => tell(&line, METER.take_late()),
            };
            if told.is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    Ok(())
}

/// Is the victim until standard input ends.
pub(crate) fn run(who: Who, kind: &str, does: Does, handshake_timeout: u64) -> Result<(), Failure> {
    LazyLock::force(&METER);
    match who {
        Who::Purezmq => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.enable_all().build()?;
            runtime.block_on(ours(kind.parse()?, does, handshake_timeout))
        }
        Who::Libzmq => libzmq(kind, does, i32::try_from(handshake_timeout)?),
    }
}

async fn ours(kind: SocketType, does: Does, handshake_timeout: u64) -> Result<(), Failure> {
    let mut options = Options::of(kind);
    let handshake_timeout = Duration::from_millis(handshake_timeout);
    for (name, value) in [
        ("backlog", Value::from(BACKLOG)),
        ("handshake_timeout", handshake_timeout.into()),
        ("recv_timeout", LIMIT.into()),
    ] {
        let id = OptionId::by_name(name).ok_or("no such option")?;
        match options.set(id, value) {
            // Who does not receive has no limit for it.
            Err(_) if name == "recv_timeout" => {}
            set => set?,
        }
    }
    let mut socket = AnySocket::with_options(kind, &Context::new(), options)?;
    if does != Does::Nothing || kind.name() == "SUB" {
        socket.subscribe(if kind.name() == "SUB" { WANTED } else { "" });
    }
    let endpoint = socket.bind("tcp://127.0.0.1:*").await?;
    report(&endpoint.to_string())?;
    loop {
        match does {
            Does::Nothing => tokio::time::sleep(LIMIT).await,
            Does::Sends => {
                METER.begin(Duration::ZERO);
                let _ = socket.try_send(NEWS);
                METER.end();
                tokio::time::sleep(PACE).await;
            }
            Does::Publishes => {
                for _ in 0..10 {
                    let _ = socket.try_send([NEWS.as_bytes(), &[b'x'; 1024]]);
                }
                tokio::time::sleep(PACE).await;
            }
            Does::Receives | Does::Answers => {
                if kind.name() == "REQ" {
                    // It does not wait for what it has not asked. Mostly it has.
                    let _ = socket.try_send(NEWS);
                }
                METER.begin(LIMIT);
                let received = socket.recv().await;
                METER.end();
                match received {
                    Ok(message) => {
                        METER.received.fetch_add(1, Ordering::Relaxed);
                        if does == Does::Answers {
                            let _ = socket.send(message).await;
                        }
                    }
                    Err(RecvError::Timeout) => {}
                    Err(_) => tokio::time::sleep(PACE).await,
                }
            }
        }
    }
}

fn libzmq(kind: &str, does: Does, handshake_timeout: i32) -> Result<(), Failure> {
    let context = zmq::Context::new();
    let socket = context.socket(match kind {
        "REQ" => zmq::REQ,
        "REP" => zmq::REP,
        "PUB" => zmq::PUB,
        "SUB" => zmq::SUB,
        "XPUB" => zmq::XPUB,
        "XSUB" => zmq::XSUB,
        "PUSH" => zmq::PUSH,
        "PULL" => zmq::PULL,
        "DEALER" => zmq::DEALER,
        "ROUTER" => zmq::ROUTER,
        "PAIR" => zmq::PAIR,
        other => return Err(format!("libzmq has no {other}").into()),
    })?;
    socket.set_backlog(i32::try_from(BACKLOG)?)?;
    socket.set_handshake_ivl(handshake_timeout)?;
    socket.set_rcvtimeo(i32::try_from(LIMIT.as_millis())?)?;
    match kind {
        "SUB" => socket.set_subscribe(WANTED.as_bytes())?,
        "XSUB" if does != Does::Nothing => socket.send(&b"\x01"[..], zmq::DONTWAIT)?,
        _ => {}
    }
    socket.bind("tcp://127.0.0.1:*")?;
    report(&socket.get_last_endpoint()?.map_err(|_| "no text")?)?;
    loop {
        match does {
            Does::Nothing => sleep(LIMIT),
            Does::Sends => {
                METER.begin(Duration::ZERO);
                let _ = socket.send(NEWS, zmq::DONTWAIT);
                METER.end();
                sleep(PACE);
            }
            Does::Publishes => {
                for _ in 0..10 {
                    let message = [NEWS.as_bytes(), &[b'x'; 1024]];
                    let _ = socket.send_multipart(message, zmq::DONTWAIT);
                }
                sleep(PACE);
            }
            Does::Receives | Does::Answers => {
                if kind == "REQ" {
                    let _ = socket.send(NEWS, zmq::DONTWAIT);
                }
                METER.begin(LIMIT);
                let received = socket.recv_multipart(0);
                METER.end();
                match received {
                    Ok(frames) => {
                        METER.received.fetch_add(1, Ordering::Relaxed);
                        if does == Does::Answers {
                            let _ = socket.send_multipart(frames, 0);
                        }
                    }
                    Err(zmq::Error::EAGAIN) => {}
                    Err(_) => sleep(PACE),
                }
            }
        }
    }
}

// ---- what the attackers see of it

/// A victim, and what it held before anybody came.
pub(crate) struct Victim {
    child: Child,
    pub(crate) port: u16,
    rss_kib: f64,
    descriptors: usize,
}

impl Victim {
    pub(crate) fn start(who: Who, kind: &str, does: Does) -> Result<Victim, Failure> {
        Victim::start_with(who, kind, does, HANDSHAKE)
    }

    /// The same with a time for handshakes, in milliseconds.
    pub(crate) fn start_with(
        who: Who,
        kind: &str,
        does: Does,
        handshake_timeout: u64,
    ) -> Result<Victim, Failure> {
        let handshake_timeout = handshake_timeout.to_string();
        let does = does.to_possible_value().ok_or("it has a name")?;
        let kind = if who == Who::Libzmq { kin(kind) } else { kind };
        let arguments = [
            "target",
            who.name(),
            kind,
            does.get_name(),
            &handshake_timeout,
        ];
        let mut child = Child::start(&arguments)?;
        let port = child.value("port")? as u16;
        // Its threads have started then, too.
        sleep(Duration::from_millis(50));
        Ok(Victim {
            port,
            rss_kib: child.rss_kib()?,
            descriptors: child.descriptors()?,
            child,
        })
    }

    /// How much more memory it has than before anybody came, in KiB.
    pub(crate) fn grown(&self) -> Result<f64, Failure> {
        Ok(self.child.rss_kib()? - self.rss_kib)
    }

    /// Waits until all have gone.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_secs(10);
        while self.child.descriptors()? > self.descriptors {
            if Instant::now() > end {
                return Err("it keeps connections".into());
            }
            sleep(Duration::from_millis(10));
        }
        // What is done after the end of a connection, by the application's next calls.
        sleep(Duration::from_millis(500));
        Ok(())
    }

    /// How much more memory it has while these are there, after some time, and when they have gone, in KiB.
    pub(crate) fn here_and_gone<P>(&self, peers: P, time: Duration) -> Result<[f64; 2], Failure> {
        sleep(time);
        let here = self.grown()?;
        drop(peers);
        self.settle()?;
        Ok([here, self.grown()?])
    }

    /// How many messages the application has received.
    pub(crate) fn received(&mut self) -> Result<f64, Failure> {
        self.child.ask("received")
    }

    /// How late a call has come back at most, since this was asked last, in milliseconds.
    pub(crate) fn late(&mut self) -> Result<f64, Failure> {
        self.child.ask("late")
    }
}

/// The type of libzmq's that comes nearest: some are drafts there.
pub(crate) fn kin(kind: &str) -> &str {
    match kind {
        "SCATTER" => "PUSH",
        "CLIENT" => "DEALER",
        "GATHER" => "PULL",
        "SERVER" | "PEER" => "ROUTER",
        "CHANNEL" => "PAIR",
        "RADIO" => "PUB",
        "DISH" => "SUB",
        kind => kind,
    }
}

/// The first type that may be at its other end.
pub(crate) fn peer_of(who: Who, kind: &str) -> Result<&'static str, Failure> {
    let kind = if who == Who::Libzmq { kin(kind) } else { kind };
    Ok(kind.parse::<SocketType>()?.peers()[0].name())
}
