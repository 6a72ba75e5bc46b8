//! Scale: how cost grows with peers, subscribers, subscriptions and pairs, PureZMQ's beside libzmq's where libzmq can
//! follow. `scripts/scale` builds and starts it.
//!
//! ```text
//! hub.rs      the one socket that is measured, ours or libzmq's, in a process of its own
//! crowd.rs    its many peers: always ours, so that both hubs have the same
//! inproc.rs   pairs within one process
//! sweeps/     what one costs among many, within one process
//! report.rs   tables, plots, goals; report/: the verdicts of the sweeps
//! ```

mod crowd;
mod hub;
mod inproc;
mod report;
mod sweeps;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use indicatif::ProgressBar;
use peak_alloc::PeakAlloc;
use purezmq_endurance::Failure;
use purezmq_endurance::child::Child;

use crate::report::Report;
use crate::sweeps::{CLOCK, SWEEPS, Sweep};

/// Counts what this process has allocated, for `heap` reports.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Whose socket is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Who {
    Purezmq,
    /// In a runtime with two workers.
    Workers,
    Libzmq,
}

/// All of them.
const ALL: [Who; 3] = [Who::Purezmq, Who::Workers, Who::Libzmq];

/// One runtime, and the other implementation.
const BOTH: [Who; 2] = [Who::Purezmq, Who::Libzmq];

impl Who {
    fn name(self) -> &'static str {
        match self {
            Who::Purezmq => "purezmq",
            Who::Workers => "workers",
            Who::Libzmq => "libzmq",
        }
    }
}

/// How cost grows with numbers. Writes `scale.md` and SVG plots beside it.
#[derive(Parser)]
struct Args {
    /// Where the report goes.
    #[arg(long, default_value = "docs/scale")]
    out: PathBuf,
    /// Only numbers up to this: a run that shows that it works.
    #[arg(long, default_value_t = 1_000_000)]
    most: usize,
    /// Only these: peers, fan-out, subscriptions, inproc, storm, sweeps.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What a child process does; nobody types these.
#[derive(Subcommand)]
enum Part {
    /// The measured socket.
    Hub {
        who: Who,
        role: hub::Role,
        port: u16,
    },
    /// Its peers.
    Crowd {
        role: crowd::Role,
        endpoint: String,
        peers: usize,
        count: usize,
    },
    /// Pairs within the process.
    Inproc { who: Who, pairs: usize },
    /// What one costs among so many.
    Sweep {
        who: Who,
        sweep: Sweep,
        number: usize,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.part {
        None => measure(&args),
        Some(Part::Hub {
            who: Who::Purezmq,
            role,
            port,
        }) => block_on(hub::ours(*role, *port)),
        Some(Part::Hub { who: _, role, port }) => hub::libzmq(*role, *port),
        Some(Part::Crowd {
            role,
            endpoint,
            peers,
            count,
        }) => block_on(crowd::run(*role, endpoint, *peers, *count)),
        Some(Part::Inproc {
            who: Who::Purezmq,
            pairs,
        }) => block_on(inproc::ours(*pairs)),
        Some(Part::Inproc { who: _, pairs }) => inproc::libzmq(*pairs),
        Some(Part::Sweep { who, sweep, number }) => match who {
            Who::Purezmq => block_on(sweeps::run(*sweep, *number)),
            Who::Workers => workers().and_then(|all| all.block_on(sweeps::run(*sweep, *number))),
            Who::Libzmq => sweeps::run_libzmq(*sweep, *number),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// A runtime with two workers, beside the application's own thread.
fn workers() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().build()?)
}

/// Measures one side with one number.
type Measure = fn(&mut Report, Who, usize) -> Result<(), Failure>;

/// Powers of ten up to `last`, which need not be one, with a tenth of it, and of all these those up to `most`.
fn up_to(most: usize, last: usize) -> impl Iterator<Item = usize> {
    let powers = (0..7).map(|power| 10_usize.pow(power));
    let numbers: BTreeSet<_> = powers.chain([last / 10, last]).collect();
    numbers
        .into_iter()
        .filter(move |number| (1..=last.min(most)).contains(number))
}

fn measure(args: &Args) -> Result<(), Failure> {
    let mut report = Report::default();
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let parts: [(&str, usize, Measure); 5] = [
        ("peers", 10_000, peers),
        ("fan-out", 1_000, fan_out),
        ("subscriptions", 1_000_000, subscriptions),
        ("inproc", 10_000, pairs),
        ("storm", 5_000, storm),
    ];
    for (name, last, part) in parts {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        for number in up_to(args.most, last) {
            for who in BOTH {
                bar.set_message(format!("{name}: {} with {number}", who.name()));
                part(&mut report, who, number)?;
            }
        }
    }
    if args.only.is_empty() || args.only.iter().any(|only| only == "sweeps") {
        for (sweep, name, last) in SWEEPS {
            let value = sweep.to_possible_value().ok_or("a sweep with a name")?;
            for number in up_to(args.most, last) {
                for who in ALL {
                    if who == Who::Libzmq && !sweeps::can_follow(sweep, number) {
                        continue;
                    }
                    bar.set_message(format!("{name}: {} with {number}", who.name()));
                    let number_text = number.to_string();
                    let mut child =
                        Child::start(&["sweep", who.name(), value.get_name(), &number_text])?;
                    report.add(name, who, number, child.value(name)?);
                    report.clock(name, who, number, child.value(CLOCK)?);
                }
            }
        }
    }
    bar.finish_and_clear();
    report.write(&args.out)
}

/// Any free port, and the hub that has it.
fn hub(who: Who, role: &str) -> Result<(Child, String), Failure> {
    let mut hub = Child::start(&["hub", who.name(), role, "0"])?;
    let port = hub.value("port")?;
    Ok((hub, format!("tcp://127.0.0.1:{port}")))
}

/// Connected peers: memory, time to take them in, and traffic on one of a hundred.
fn peers(report: &mut Report, who: Who, number: usize) -> Result<(), Failure> {
    let (mut hub, endpoint) = hub(who, "router")?;
    let (rss, heap) = (hub.rss_kib()?, hub.ask("heap")?);
    let mut crowd = Child::start(&["crowd", "peers", &endpoint, &number.to_string(), "20000"])?;
    report.add("accept_seconds", who, number, crowd.value("connected")?);
    // Buffers go after a second of silence.
    crowd.value("rested")?;
    let each = |before: f64, after: f64| (after - before) / number as f64;
    report.add("rss_kib", who, number, each(rss, hub.rss_kib()?));
    if who == Who::Purezmq {
        report.add("heap_kib", who, number, each(heap, hub.ask("heap")?));
    }
    crowd.say("go")?;
    report.add("latency_us", who, number, crowd.value("latency_us")?);
    report.add(
        "echoes_per_second",
        who,
        number,
        crowd.value("echoes_per_second")?,
    );
    Ok(())
}

/// One publisher, so many subscribers to everything: the middle one of three rates, since the system places the two
/// processes as it likes.
fn fan_out(report: &mut Report, who: Who, number: usize) -> Result<(), Failure> {
    let mut rates = [0.0; 3];
    for rate in &mut rates {
        *rate = deliveries_per_second(who, number)?;
    }
    rates.sort_by(f64::total_cmp);
    report.add("deliveries_per_second", who, number, rates[1]);
    Ok(())
}

/// About a second's worth of messages: with fewer, memory that both sides take at the beginning is most of it.
fn deliveries_per_second(who: Who, subscribers: usize) -> Result<f64, Failure> {
    let (mut hub, endpoint) = hub(who, "publisher")?;
    let count = (10_000_000 / subscribers).min(2_000_000);
    let mut crowd = Child::start(&[
        "crowd",
        "audience",
        &endpoint,
        &subscribers.to_string(),
        &count.to_string(),
    ])?;
    crowd.value("connected")?;
    hub.say(&format!("publish {count}"))?;
    let seconds = crowd.value("seconds")?;
    Ok((subscribers * count) as f64 / seconds)
}

/// One subscriber with so many subscriptions.
fn subscriptions(report: &mut Report, who: Who, number: usize) -> Result<(), Failure> {
    let (mut hub, endpoint) = hub(who, "publisher")?;
    let rss = hub.rss_kib()?;
    let mut crowd = Child::start(&["crowd", "topics", &endpoint, "1", &number.to_string()])?;
    report.add("subscribe_seconds", who, number, crowd.value("subscribed")?);
    report.add(
        "subscriptions_mib",
        who,
        number,
        (hub.rss_kib()? - rss) / 1024.0,
    );
    report.add(
        "match_ns",
        who,
        number,
        hub.ask(&format!("match {number}"))?,
    );
    crowd.say("go")?;
    report.add(
        "unsubscribe_seconds",
        who,
        number,
        crowd.value("unsubscribed")?,
    );
    Ok(())
}

/// Pairs within a process of their own.
fn pairs(report: &mut Report, who: Who, number: usize) -> Result<(), Failure> {
    if who == Who::Libzmq && !inproc::libzmq_can_follow(number) {
        return Ok(());
    }
    let mut pairs = Child::start(&["inproc", who.name(), &number.to_string()])?;
    report.add("pairs_seconds", who, number, pairs.value("seconds")?);
    report.add("pairs_kib", who, number, pairs.value("kib")?);
    Ok(())
}

/// The one that all are connected to dies and comes back a second later.
fn storm(report: &mut Report, who: Who, number: usize) -> Result<(), Failure> {
    let (hub, endpoint) = hub(who, "router")?;
    let mut crowd = Child::start(&["crowd", "storm", &endpoint, &number.to_string(), "1"])?;
    crowd.value("connected")?;
    drop(hub);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let _hub = Child::start(&["hub", who.name(), "router", port])?;
    crowd.say("go")?;
    report.add("storm_seconds", who, number, crowd.value("back")?);
    Ok(())
}
