//! Soak: every pattern with churn for a chosen time, and then the questions: is memory flat, and is everything given
//! back? `scripts/soak` builds and starts it.
//!
//! ```text
//! scenarios.rs   what the sockets do, each scenario a task that goes on until it is stopped
//! verdict.rs     whether the samples are flat
//! ```
//!
//! Exits with 1 if memory grows, if tasks or descriptors are left, or if a scenario fails or comes to a standstill.

mod scenarios;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use peak_alloc::PeakAlloc;
use purezmq_endurance::Failure;
use purezmq_endurance::holdings::Holdings;
use purezmq_endurance::plot::{self, Curve, Panel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::scenarios::{Progress, SCENARIOS};
use crate::verdict::Trend;

/// Knows how much of the memory is in use: what is resident beyond that is the allocator's.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// How often what the process holds is looked at, unless the run is so long that this would be too many samples.
const SAMPLE: Duration = Duration::from_millis(250);
const SAMPLES: u32 = 2_000;
/// How long a scenario may go without a message before it counts as stuck.
const STUCK: Duration = Duration::from_secs(30);
/// How long the last connections may take to end.
const SETTLE: Duration = Duration::from_secs(30);

/// All patterns with churn: peers come and go, calls are cancelled, connections break, subscriptions change, readers
/// are slow, some connections are encrypted.
#[derive(Parser)]
struct Args {
    /// How long, in minutes; fractions are fine.
    minutes: f64,
    /// Writes memory, tasks, descriptors and messages over time to this SVG file.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Pauses between the scenarios' steps, in times the usual ones: 2 halves the load.
    #[arg(long, default_value_t = 1.0)]
    pause: f64,
}

/// What was seen at one time, in seconds since the beginning.
struct Sample {
    at: f64,
    holdings: Holdings,
    heap_kib: f64,
    messages: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(soak(&args)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The run. Says whether all is well.
async fn soak(args: &Args) -> Result<bool, Failure> {
    let length = Duration::try_from_secs_f64(args.minutes * 60.0)?;
    let before = Holdings::now()?;
    let mut running = JoinSet::new();
    let counters: Vec<_> = SCENARIOS
        .iter()
        .map(|scenario| {
            let count = Arc::new(AtomicU64::new(0));
            let progress = Progress::new(count.clone(), args.pause);
            let name = scenario.name;
            let work = (scenario.run)(progress);
            running.spawn(async move { (name, work.await) });
            (name, count)
        })
        .collect();
    let bar = ProgressBar::new(length.as_secs()).with_style(ProgressStyle::with_template(
        "{elapsed_precise} {wide_bar} {percent} %  {msg}",
    )?);

    let mut well = true;
    let mut samples = Vec::new();
    let start = Instant::now();
    let mut ticks = interval(SAMPLE.max(length / SAMPLES));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stalls = Stalls::new(&counters);
    while start.elapsed() < length {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(ended) = running.join_next() => {
                let (name, outcome) = ended?;
                bar.println(format!("FAILED: {name} has ended: {outcome:?}"));
                well = false;
                break;
            }
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                bar.println("interrupted: this is what there is so far");
                break;
            }
        }
        let sample = Sample {
            at: start.elapsed().as_secs_f64(),
            holdings: Holdings::now()?,
            heap_kib: HEAP.current_usage() as f64 / 1024.0,
            messages: total(&counters),
        };
        bar.set_position(start.elapsed().as_secs());
        bar.set_message(format!(
            "{} messages, {} KiB, {} tasks, {} descriptors",
            sample.messages,
            sample.holdings.rss_kib,
            sample.holdings.tasks,
            sample.holdings.descriptors
        ));
        samples.push(sample);
        if let Some(name) = stalls.find(&counters) {
            bar.println(format!("FAILED: {name} has moved nothing for {STUCK:?}"));
            well = false;
            break;
        }
    }
    bar.finish_and_clear();

    // Wherever a scenario was, it is dropped there, with all of its sockets.
    running.shutdown().await;
    let after = settle(&before).await?;
    for (name, count) in &counters {
        println!("{name:<28} {:>12} messages", count.load(Ordering::Relaxed));
    }
    println!("{:<28} {:>12} messages", "all", total(&counters));
    println!("before: {before:?}\nafter:  {after:?}");
    if !after.is_back_at(&before) {
        println!("FAILED: tasks or descriptors are left {SETTLE:?} after the end");
        well = false;
    }
    well &= is_flat("resident memory", false, &samples, |sample| {
        sample.holdings.rss_kib as f64
    });
    well &= is_flat("heap", true, &samples, |sample| sample.heap_kib);
    if let Some(path) = &args.plot {
        draw(path, &samples)?;
    }
    println!("{}", if well { "soak passed" } else { "soak FAILED" });
    Ok(well)
}

/// Says how a kind of memory has grown after the warm-up, and whether that is nothing, or in a short run little, unless
/// it is `exact`.
fn is_flat(name: &str, exact: bool, samples: &[Sample], kib: impl Fn(&Sample) -> f64) -> bool {
    let points: Vec<_> = samples
        .iter()
        .map(|sample| (sample.at, kib(sample)))
        .collect();
    let Some(trend) = Trend::of(&points) else {
        println!("too short to say anything about {name}");
        return true;
    };
    let flat = trend.is_flat(exact);
    println!(
        "{}{name} after a warm-up of {:.0} s: slope {:+.2} KiB/min, {:+.0} KiB in all",
        if flat { "" } else { "FAILED: not flat: " },
        trend.since,
        trend.slope,
        trend.growth,
    );
    flat
}

type Counter = (&'static str, Arc<AtomicU64>);

fn total(counters: &[Counter]) -> u64 {
    counters
        .iter()
        .map(|(_, count)| count.load(Ordering::Relaxed))
        .sum()
}

/// When each scenario was last seen to move.
struct Stalls(Vec<(u64, Instant)>);

impl Stalls {
    fn new(counters: &[Counter]) -> Self {
        Stalls(vec![(0, Instant::now()); counters.len()])
    }

    /// A scenario that has not moved for too long.
    fn find(&mut self, counters: &[Counter]) -> Option<&'static str> {
        for ((name, count), (seen, moved)) in counters.iter().zip(&mut self.0) {
            let now = count.load(Ordering::Relaxed);
            if now != *seen {
                (*seen, *moved) = (now, Instant::now());
            } else if moved.elapsed() > STUCK {
                return Some(name);
            }
        }
        None
    }
}

/// Waits until tasks and descriptors are what they were, or the time for it is over.
async fn settle(before: &Holdings) -> Result<Holdings, Failure> {
    let end = Instant::now() + SETTLE;
    loop {
        let now = Holdings::now()?;
        if now.is_back_at(before) || Instant::now() > end {
            return Ok(now);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn draw(path: &Path, samples: &[Sample]) -> Result<(), Failure> {
    let panel = |title: &str, value: &dyn Fn(&Sample) -> f64| Panel {
        title: title.to_owned(),
        across: "minutes".to_owned(),
        curves: vec![Curve {
            name: String::new(),
            points: samples
                .iter()
                .map(|sample| (sample.at / 60.0, value(sample)))
                .collect(),
        }],
        logarithmic: false,
    };
    let panels = [
        panel("resident memory, MiB", &|sample| {
            sample.holdings.rss_kib as f64 / 1024.0
        }),
        panel("heap in use, MiB", &|sample| sample.heap_kib / 1024.0),
        panel("tasks", &|sample| sample.holdings.tasks as f64),
        panel("file descriptors", &|sample| {
            sample.holdings.descriptors as f64
        }),
        panel("messages received, millions", &|sample| {
            sample.messages as f64 / 1e6
        }),
    ];
    plot::write(path, &panels)
}
