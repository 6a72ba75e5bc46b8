//! What one thing costs among many: a peer that leaves, an endpoint that is let go, a message for one of many. Both ends
//! are in one process; what is told is processor time, of all its threads, and time by the clock, in microseconds for each.
//! Processor time is what is compared: others on the machine do not count.
//!
//! ```text
//! mod.rs      the sweeps, and PureZMQ's
//! libzmq.rs   libzmq's
//! ```

mod libzmq;

use std::ops::{AddAssign, Sub};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use purezmq::options::{OptionId, Options};
use purezmq::{
    AnySocket, Context, DealerSocket, Endpoint, Message, PubSocket, PullSocket, PushSocket,
    RouterSocket, SocketType, SubSocket,
};
use purezmq_endurance::Failure;
use purezmq_endurance::child::tell;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

pub(crate) use self::libzmq::{can_follow, run as run_libzmq};

/// What is done to one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sweep {
    /// Inproc peers of each type of socket leave, and the socket does what comes next.
    LeaveInproc,
    /// The same over tcp.
    LeaveTcp,
    /// Endpoints are connected to where nobody listens.
    Connect,
    /// They are let go again, and the socket does what comes next.
    Disconnect,
    /// Endpoints are connected to where nobody listens, and each is tried once.
    ConnectAndTry,
    /// Endpoints that have been tried are let go of, and nothing is left of them.
    DisconnectTried,
    /// A publisher's messages are for one subscriber each.
    OneSubscriber,
    /// A ROUTER's messages are for one peer each.
    OnePeer,
    /// Each of the clients of a ROUTER has a request under way.
    Requests,
    /// So many tasks share a sender.
    Senders,
    /// Endpoints dial a port where nobody listens, for a second.
    Dial,
}

/// The sweeps with their names in the report and the largest number of each.
pub(crate) const SWEEPS: [(Sweep, &str, usize); 11] = [
    (Sweep::LeaveInproc, "leave_inproc_us", 30_000),
    (Sweep::LeaveTcp, "leave_tcp_us", 3_000),
    (Sweep::Connect, "connect_us", 30_000),
    (Sweep::Disconnect, "disconnect_us", 30_000),
    (Sweep::ConnectAndTry, "connect_and_try_us", 30_000),
    (Sweep::DisconnectTried, "disconnect_tried_us", 30_000),
    (Sweep::OneSubscriber, "one_subscriber_us", 1_000),
    (Sweep::OnePeer, "one_peer_us", 3_000),
    (Sweep::Requests, "requests_us", 1_000),
    (Sweep::Senders, "senders_us", 10),
    (Sweep::Dial, "dial_us", 1_000),
];

const ANY_PORT: &str = "tcp://127.0.0.1:*";
/// Messages of a sweep that sends some.
const MESSAGES: usize = 200_000;
/// Messages of each peer that are under way at a time, whatever the number of peers.
const OF_EACH: usize = 10;
/// Peers that connect at a time: fewer than may wait to be accepted.
const AT_A_TIME: usize = 100;
/// Nothing is done any more when a while like this costs next to nothing.
const WHILE: Duration = Duration::from_millis(50);
/// How long it is until an endpoint is tried again that is to be tried once.
const ONCE: Duration = Duration::from_secs(3600);
/// The socket types whose peers leave, with the type of the peers.
const HUBS: [(SocketType, SocketType); 4] = [
    (SocketType::Pub, SocketType::Sub),
    (SocketType::Push, SocketType::Pull),
    (SocketType::Dealer, SocketType::Dealer),
    (SocketType::Router, SocketType::Dealer),
];

/// What something costs: processor time of all threads of this process, and time by the clock.
#[derive(Clone, Copy, Default)]
struct Cost {
    processor: Duration,
    clock: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.processor += other.processor;
        self.clock += other.clock;
    }
}

impl Sub for Cost {
    type Output = Cost;

    fn sub(self, before: Cost) -> Cost {
        Cost {
            processor: self.processor - before.processor,
            clock: self.clock - before.clock,
        }
    }
}

/// What this process has cost so far, since some time.
fn spent() -> Cost {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Cost {
        processor: Duration::new(now.tv_sec as u64, now.tv_nsec as u32),
        clock: BEGIN.get_or_init(Instant::now).elapsed(),
    }
}

/// What a child calls the time by the clock.
pub(crate) const CLOCK: &str = "clock_us";

/// Tells what each of so many cost.
fn tell_each(sweep: Sweep, cost: Cost, number: usize) -> Result<(), Failure> {
    let row = SWEEPS.iter().find(|row| row.0 == sweep);
    let (_, name, _) = row.ok_or("a sweep of the table")?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / number as f64;
    tell(name, each(cost.processor))?;
    tell(CLOCK, each(cost.clock))
}

/// An endpoint where nobody listens.
fn dead(number: usize) -> String {
    format!("tcp://127.{}.{}.1:9", 1 + number / 256, number % 256)
}

fn topic(number: usize) -> String {
    format!("{number:06}")
}

/// Measures one sweep.
pub(crate) async fn run(sweep: Sweep, number: usize) -> Result<(), Failure> {
    match sweep {
        Sweep::LeaveInproc => leave(sweep, "inproc://hub", number).await,
        Sweep::LeaveTcp => leave(sweep, ANY_PORT, number).await,
        Sweep::Connect | Sweep::Disconnect => endpoints(sweep, number).await,
        Sweep::ConnectAndTry | Sweep::DisconnectTried => tried_endpoints(sweep, number).await,
        Sweep::OneSubscriber => one_subscriber(number).await,
        Sweep::OnePeer => one_peer(number).await,
        Sweep::Requests => requests(number).await,
        Sweep::Senders => senders(number).await,
        Sweep::Dial => dial(number).await,
    }
}

/// Waits until a socket has so many peers.
async fn peers(hub: &AnySocket, number: usize) {
    while hub.stats().peers.len() != number {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a runtime has so many tasks.
async fn tasks(number: usize) {
    while Handle::current().metrics().num_alive_tasks() > number {
        tokio::task::yield_now().await;
    }
}

/// Peers leave, all at once.
async fn leave(sweep: Sweep, endpoint: &str, number: usize) -> Result<(), Failure> {
    let mut total = Cost::default();
    for (hub, peer) in HUBS {
        let context = Context::new();
        let mut hub = AnySocket::new(hub, &context)?;
        let at = hub.bind(endpoint).await?;
        let before = Handle::current().metrics().num_alive_tasks();
        let mut all = Vec::with_capacity(number);
        for _ in 0..number {
            let mut one = AnySocket::new(peer, &context)?;
            one.connect(&at)?;
            all.push(one);
            if all.len() % AT_A_TIME == 0 {
                peers(&hub, all.len()).await;
            }
        }
        peers(&hub, number).await;
        // The socket knows them all.
        drop(hub.try_send("to one or to nobody"));
        let since = spent();
        drop(all);
        tasks(before).await;
        drop(hub.try_send("next"));
        total += spent() - since;
    }
    tell_each(sweep, total, number * HUBS.len())
}

/// A DEALER and a SUB connect to where nobody listens, and let go of it.
async fn endpoints(sweep: Sweep, number: usize) -> Result<(), Failure> {
    let mut total = Cost::default();
    for socket_type in [SocketType::Dealer, SocketType::Sub] {
        let context = Context::new();
        let mut socket = AnySocket::new(socket_type, &context)?;
        let names: Vec<_> = (0..number).map(dead).collect();
        let since = spent();
        for name in &names {
            socket.connect(name.as_str())?;
        }
        drop(socket.try_recv());
        if sweep == Sweep::Connect {
            total += spent() - since;
            continue;
        }
        let since = spent();
        for name in &names {
            socket.disconnect(name.as_str())?;
        }
        drop(socket.try_recv());
        total += spent() - since;
    }
    tell_each(sweep, total, number * 2)
}

/// Waits until this process has nothing to do, and says what was spent until then.
async fn settled() -> Cost {
    loop {
        let before = spent();
        tokio::time::sleep(WHILE).await;
        if let Some(settled) = is_settled(before) {
            return settled;
        }
    }
}

/// Returns what was spent in all, if next to nothing was done since `before`.
fn is_settled(before: Cost) -> Option<Cost> {
    let spent = Cost {
        clock: before.clock,
        ..spent()
    };
    ((spent - before).processor < WHILE / 50).then_some(spent)
}

/// The same, with all that comes of it: each endpoint is tried once, and let go of by its task. What `endpoints` measures is
/// what is done until the calls return, which is the less of the whole the fewer processors there are.
async fn tried_endpoints(sweep: Sweep, number: usize) -> Result<(), Failure> {
    let mut total = Cost::default();
    for socket_type in [SocketType::Dealer, SocketType::Sub] {
        let context = Context::new();
        let mut options = Options::of(socket_type);
        for interval in ["reconnect_interval", "reconnect_interval_max"] {
            let interval = OptionId::by_name(interval).ok_or("an option")?;
            options.set(interval, ONCE)?;
        }
        let mut socket = AnySocket::with_options(socket_type, &context, options)?;
        let names: Vec<_> = (0..number).map(dead).collect();
        let since = spent();
        for name in &names {
            socket.connect(name.as_str())?;
        }
        drop(socket.try_recv());
        let tried = settled().await;
        if sweep == Sweep::ConnectAndTry {
            total += tried - since;
            continue;
        }
        let since = spent();
        for name in &names {
            socket.disconnect(name.as_str())?;
        }
        drop(socket.try_recv());
        total += settled().await - since;
    }
    tell_each(sweep, total, number * 2)
}

/// A publisher has a message for each subscriber in turn.
async fn one_subscriber(number: usize) -> Result<(), Failure> {
    let mut hub = PubSocket::new();
    let at = hub.bind(ANY_PORT).await?;
    let mut all = Vec::with_capacity(number);
    for at_topic in 0..number {
        let mut one = SubSocket::new();
        one.subscribe(topic(at_topic));
        one.connect(&at)?;
        all.push(one);
        hub.wait_for_subscribers(all.len()).await;
    }
    let topics: Vec<_> = (0..number).map(topic).collect();
    let since = spent();
    let mut sent = 0;
    while sent < MESSAGES {
        for at in 0..number * OF_EACH {
            hub.send(topics[at % number].as_str()).await?;
        }
        for at in 0..number * OF_EACH {
            all[at % number].recv().await?;
        }
        sent += number * OF_EACH;
    }
    tell_each(Sweep::OneSubscriber, spent() - since, sent)
}

/// A ROUTER has a message for each peer in turn.
async fn one_peer(number: usize) -> Result<(), Failure> {
    let mut hub = RouterSocket::new();
    let at = hub.bind(ANY_PORT).await?;
    let mut all = dealers(&mut hub, &at, number).await?;
    let names: Vec<_> = (0..number).map(topic).collect();
    let since = spent();
    let mut sent = 0;
    while sent < MESSAGES {
        for at in 0..number * OF_EACH {
            hub.send_to(names[at % number].as_str(), "answer").await?;
        }
        for at in 0..number * OF_EACH {
            all[at % number].recv().await?;
        }
        sent += number * OF_EACH;
    }
    tell_each(Sweep::OnePeer, spent() - since, sent)
}

/// Each client has a request under way, and the ROUTER answers.
async fn requests(number: usize) -> Result<(), Failure> {
    let mut hub = RouterSocket::new();
    let at = hub.bind(ANY_PORT).await?;
    let mut all = dealers(&mut hub, &at, number).await?;
    let since = spent();
    let mut answered = 0;
    while answered < MESSAGES {
        for one in &mut all {
            one.send("request").await?;
        }
        for _ in 0..number {
            let request = hub.recv().await?.into_message();
            hub.send(request.ok_or("told of no peers")?).await?;
        }
        for one in &mut all {
            one.recv().await?;
        }
        answered += number;
    }
    tell_each(Sweep::Requests, spent() - since, answered)
}

/// DEALERs with names that a ROUTER knows.
async fn dealers(
    hub: &mut RouterSocket,
    at: &Endpoint,
    number: usize,
) -> Result<Vec<DealerSocket>, Failure> {
    let mut all = Vec::with_capacity(number);
    for name in 0..number {
        let mut one = DealerSocket::builder().routing_id(topic(name)).build()?;
        one.connect(at)?;
        one.send("here").await?;
        hub.recv().await?;
        all.push(one);
    }
    Ok(all)
}

/// Tasks feed one PUSH.
async fn senders(number: usize) -> Result<(), Failure> {
    let mut pull = PullSocket::new();
    let mut push = PushSocket::new();
    push.connect(&pull.bind(ANY_PORT).await?)?;
    let push = push.into_shared();
    let since = spent();
    for _ in 0..number {
        let push = push.clone();
        tokio::spawn(async move {
            for _ in 0..MESSAGES / number {
                if push.send(Message::from(&[0_u8; 16][..])).await.is_err() {
                    return;
                }
            }
        });
    }
    let all = MESSAGES / number * number;
    for _ in 0..all {
        pull.recv().await?;
    }
    tell_each(Sweep::Senders, spent() - since, all)
}

/// What one endpoint costs in a second in which nobody listens at its port.
async fn dial(number: usize) -> Result<(), Failure> {
    let mut push = PushSocket::new();
    for at in 0..number {
        push.connect(dead(at).as_str())?;
    }
    // The first attempts of all are through.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let since = spent();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tell_each(Sweep::Dial, spent() - since, number)
}
