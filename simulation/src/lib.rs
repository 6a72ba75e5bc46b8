//! The whole of `purezmq` on a simulated network and a paused clock: sockets of every type, their sessions, pipes,
//! reconnecting and heartbeats, from one seed.
//!
//! ```text
//! seed ──► plan: sockets, options, who connects to whom, weather, faults
//!            │
//!          node (one for each host): an application that sends, receives, gives up, restarts
//!            │  sockets of `purezmq`, as they are
//!          network: ports and connections in memory, delays, resets, partitions, stalls
//!            │
//!          world: a hash of all that happens, and what the oracles say
//! ```
//!
//! Some worlds are of newer socket types (`newer`, `asking`), some of relays in place of nodes (`relay`), in some more can end than connections (`hazards`), and to some
//! come hostile peers (`hostile`).
//!
//! What the oracles are is in `book` (single messages), `node/audit` (counters), `node/ends` (ends), `node/forms` (limits),
//! `relay` (subscriptions), `hostile/visit` (what is whose) and at the end of `run` (what is left).
//! `scripts/simulate` runs seeds by the thousand, and builds all of this with `--cfg purezmq_simulation`; without that
//! this crate is empty.
#![cfg(purezmq_simulation)]

mod asking;
mod book;
mod hazards;
mod hostile;
mod letter;
mod network;
mod newer;
mod node;
mod plan;
mod relay;
mod sockets;
mod tap;
mod world;

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use purezmq::Context;
use purezmq::simulation::{begin, end, shuffled};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use asking::Asking;
use book::Book;
use hazards::{Gate, OnPurpose};
use network::{Network, Weather};
use node::{Actor, Shared, Stage, Stages};
use plan::{Part, Plan};
use world::World;

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What the oracles said; nothing if all is well.
    pub failures: Vec<String>,
    /// Of all that has happened, with its time: the same seed has the same.
    pub hash: u64,
    /// How much has happened.
    pub events: u64,
    /// Messages that `send` has taken.
    pub sent: usize,
    /// Messages that `recv` has given.
    pub received: usize,
    /// What has happened, in words, if it was asked for.
    pub history: Vec<String>,
}

/// Runs one seed, on this thread and in no time: the clock is the simulation's.
pub fn run(seed: u64, history: bool) -> Outcome {
    // What a thread keeps for good is made by its first run.
    if !WARM.replace(true) {
        run_world(seed, false);
    }
    let mut outcome = None;
    let memory = allocation_counter::measure(|| outcome = Some(run_world(seed, history)));
    let mut outcome = outcome.expect("it has run");
    let kept = memory.bytes_current - size_of_outcome(&outcome);
    if kept > 0 && outcome.failures.is_empty() {
        outcome
            .failures
            .push(format!("{kept} bytes of memory are left"));
    }
    outcome
}

fn size_of_outcome(outcome: &Outcome) -> i64 {
    let of = |lines: &Vec<String>| {
        let text: usize = lines.iter().map(String::capacity).sum();
        text + lines.capacity() * size_of::<String>()
    };
    (of(&outcome.failures) + of(&outcome.history)) as i64
}

fn run_world(seed: u64, history: bool) -> Outcome {
    watch_panics();
    let plan = Plan::new(seed);
    begin(seed, plan.put_off);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("the system gives a runtime");
    PANICS.with_borrow_mut(|panics| *panics = Some(Vec::new()));
    let simulated = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(simulate(seed, plan, history))
    }));
    drop(runtime);
    end();
    let panics = PANICS.take().unwrap_or_default();
    let mut outcome = simulated.unwrap_or_else(|_| Outcome {
        failures: vec!["the simulation itself has panicked".to_owned()],
        hash: 0,
        events: 0,
        sent: 0,
        received: 0,
        history: Vec::new(),
    });
    outcome.failures.extend(panics);
    outcome
}

thread_local! {
    static WARM: Cell<bool> = const { Cell::new(false) };
    /// Where panics of this thread are noted, while it simulates.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes panics instead of printing them, on threads that simulate: tokio catches those of tasks.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let noted = PANICS.with_borrow_mut(|panics| {
                panics.as_mut().map(|panics| {
                    if !panic.payload().is::<OnPurpose>() {
                        panics.push(format!("a panic: {panic}"));
                    }
                })
            });
            if noted.is_none() {
                before(panic);
            }
        }));
    });
}

/// All is well after the trouble: how long until everything must work again.
const HEALING: Duration = Duration::from_secs(9);

async fn simulate(seed: u64, plan: Plan, history: bool) -> Outcome {
    let world = Arc::new(World::new(history));
    world.note("plan", [seed, 0, 0], || format!("{plan:#?}"));
    let network = Network::new(&world, seed, plan.weather);
    let book = Book::new(&world);
    tokio::select! {
        biased;
        () = live(seed, &plan, &world, &network, &book) => {}
        () = network.run() => {}
    }
    let (sent, received) = book.counts();
    let (hash, events, failures, history) = world.finish();
    Outcome {
        failures,
        hash,
        events,
        sent,
        received,
        history,
    }
}

async fn live(
    seed: u64,
    plan: &Plan,
    world: &Arc<World>,
    network: &Arc<Network>,
    book: &Arc<Book>,
) {
    let rng = &mut SmallRng::seed_from_u64(seed.wrapping_add(1) << 20);
    let shared = Arc::new(Shared {
        stages: Stages::default(),
        world: world.clone(),
        network: network.clone(),
        book: book.clone(),
        topics: Mutex::default(),
        kinds: plan
            .nodes
            .iter()
            .map(|node| (node.host, node.kind))
            .collect(),
        encrypted: plan.encrypted,
        healthy: plan.healthy,
        refuses: plan.nodes.iter().any(|node| node.gate != Gate::Open),
        inproc: plan.inproc.then(Context::new),
    });
    let stages = &shared.stages;
    let applications: Vec<BoxFuture<'static, ()>> = match &plan.relays {
        Some(relays) => relays.actors(&shared, rng),
        None => {
            let nodes = plan.nodes.iter();
            nodes
                .map(|node| match node.part {
                    Part::Requester => {
                        Box::pin(Asking::new(node.clone(), &shared, rng.random()).run()) as _
                    }
                    _ => Box::pin(Actor::new(node.clone(), &shared, rng.random()).run()) as _,
                })
                .collect()
        }
    };
    stages.expect(applications.len());
    let applications = applications.into_iter();
    let hostiles = plan.hostiles.iter().enumerate().map(|(number, hostile)| {
        let seed = (seed.wrapping_add(1) << 20) | (number as u64 + 1);
        Box::pin(hostile.clone().run(shared.clone(), seed)) as _
    });
    let actors: Vec<_> = applications
        .chain(hostiles)
        .map(|application| tokio::spawn(shuffled(application)))
        .collect();

    trouble(plan, network, rng).await;

    let calm = Weather {
        delay: Duration::from_millis(2),
        capacity: 1 << 20,
        rate: None,
        piece: 1 << 16,
        put_off: plan.weather.put_off,
    };
    let has_heartbeats = |host: u8| {
        let node = plan.nodes.iter().find(|node| node.host == host);
        node.is_some_and(|node| node.settings.heartbeat.is_some())
    };
    network.heal(calm, has_heartbeats);
    stages.begin(Stage::Heal);
    sleep(HEALING).await;
    stages.begin(Stage::Quiet);
    if timeout(Duration::from_secs(60), stages.all_through())
        .await
        .is_err()
    {
        world.fail("not all messages can be sent, though all is well".to_owned());
    }
    if !plan.hostiles.is_empty() {
        // Those who have stayed until now go.
        sleep(Duration::from_millis(200)).await;
    }
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until && (book.missing().0 > 0 || !network.is_quiet()) {
        sleep(Duration::from_millis(50)).await;
    }
    let (missing, names) = book.missing();
    if missing > 0 {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        world.fail(format!(
            "{missing} messages have not come, though all is well: {}",
            names.join(", ")
        ));
    }
    stages.begin(Stage::End);
    for actor in actors {
        let aborting = actor.abort_handle();
        match timeout(Duration::from_secs(20), actor).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => world.fail(format!("an application has ended: {error}")),
            Err(_) => {
                world.fail("an application does not come to its end".to_owned());
                aborting.abort();
            }
        }
    }
    drop(shared);
    nothing_is_left(world, network).await;
}

/// Sockets that were closed leave no task, no connection and no port.
async fn nothing_is_left(world: &World, network: &Network) {
    let tasks = Handle::current().metrics();
    for _ in 0..50 {
        if tasks.num_alive_tasks() == 0 && network.remains() == (0, 0) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let (connections, ports) = network.remains();
    let tasks = tasks.num_alive_tasks();
    if !world.has_failed() {
        world.fail(format!(
            "{tasks} tasks, {connections} connections and {ports} ports are left"
        ));
    }
}

/// Lets things go wrong for a while.
async fn trouble(plan: &Plan, network: &Network, rng: &mut SmallRng) {
    let end = Instant::now() + plan.chaos;
    let hosts = match &plan.relays {
        Some(relays) => relays.hosts(),
        None => plan.nodes.len() as u8,
    };
    while !plan.faults_every.is_zero() {
        let mean = plan.faults_every.as_millis() as u64;
        sleep(Duration::from_millis(rng.random_range(1..2 * mean))).await;
        if Instant::now() >= end {
            break;
        }
        let (one, other) = (rng.random_range(1..=hosts), rng.random_range(1..=hosts));
        match rng.random_range(0..12) {
            0..3 => network.reset_some(),
            3 | 4 => network.close_some(),
            5 | 6 => network.desert_some(),
            7 => network.stall_some(Duration::from_millis(rng.random_range(1..800))),
            8 => network.fail_accepts(one, rng.random_range(1..4)),
            9 => network.block(one, other),
            10 => {
                network.block(one, other);
                network.block(other, one);
            }
            _ => {
                network.unblock(one, other);
                network.unblock(other, one);
            }
        }
    }
    tokio::time::sleep_until(end).await;
}
