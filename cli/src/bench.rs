//! `pzmq bench`: how fast, between two threads of this process, or to and from any peer.
//!
//! ```text
//!   ends (sockets in plain loops) ──► meter (counts, clock) ──► result ──► show (text), files (JSON, CSV, SVG), compare
//!                                        │ shared counter
//!                                        ▼
//!                                     watch (a thread: progress bar, patience)
//! ```
//! What is measured is the plain public interface, one `send` or `recv` a message, with the default options. The clock is
//! read a hundred times in a run that counts messages, and once for each round trip.

mod compare;
mod echoed;
mod ends;
mod files;
mod meter;
mod paced;
mod result;
mod show;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use self::result::Run;
use crate::failure::Failure;
use crate::values;

const EXAMPLES: &str = "Examples:
  pzmq bench throughput --size 64 --count 1000000          between two threads, over TCP
  pzmq bench round-trip --rate 1000 --svg latency.svg      at a fixed rate
  pzmq bench fan-out --subscribers 10 --json before.json
  pzmq bench fan-out --subscribers 10 --compare before.json
Between two machines:
  pzmq bench echo --bind 'tcp://*:5555'        here, and there: pzmq bench round-trip --connect ...
  pzmq bench throughput --bind 'tcp://*:5555'  here, and there: pzmq bench source --connect ...";

/// Measure how fast sockets are
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Throughput(Throughput),
    RoundTrip(RoundTrip),
    FanOut(FanOut),
    Echo(Echo),
    Source(Source),
}

impl What {
    /// Returns what is asked for, and what becomes of the result. `None`: it measures nothing.
    fn asked(&self) -> Option<(Run, &Output)> {
        match self {
            What::Throughput(args) => Some((args.run(), &args.output)),
            What::RoundTrip(args) => Some((args.run(), &args.output)),
            What::FanOut(args) => Some((args.run(), &args.output)),
            What::Echo(_) | What::Source(_) => None,
        }
    }
}

/// Messages a second: of one PUSH to one PULL, or to an echo and back
#[derive(clap::Args)]
#[command(after_help = "Examples:
  pzmq bench throughput --size 1K --count 500000 --transport ipc
  pzmq bench throughput --connect tcp://127.0.0.1:5555       and `pzmq bench echo` there
  pzmq bench throughput --bind tcp://127.0.0.1:5555          and `pzmq bench source`, or any PUSH, there")]
pub(crate) struct Throughput {
    /// Send to this echo, and count what comes back
    #[arg(long, short, value_name = "ENDPOINT", conflicts_with = "bind")]
    connect: Option<String>,
    /// Count what others push here
    #[arg(long, short, value_name = "ENDPOINT")]
    bind: Option<String>,
    /// With --connect: keep so many messages under way
    #[arg(long, value_name = "NUMBER", default_value_t = 500, requires = "connect", value_parser = at_least_one_usize)]
    window: usize,
    #[command(flatten)]
    load: Load,
    /// Messages that are measured
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 1_000_000, value_parser = at_least_one)]
    count: u64,
    #[command(flatten)]
    output: Output,
}

/// Time from a request to its reply: one after the other, or at a fixed rate
#[derive(clap::Args)]
#[command(after_help = "Examples:
  pzmq bench round-trip
  pzmq bench round-trip --connect tcp://127.0.0.1:5555       and `pzmq bench echo`, or any REP that echoes, there
  pzmq bench round-trip --rate 2000 --count 10000 --csv latency.csv
At a fixed rate, requests do not wait for replies, and each time counts from when its request was due: a reply
that is late makes the following ones late, and that is seen. Whoever measures takes all of a core for it.")]
pub(crate) struct RoundTrip {
    /// Ask this peer, which sends back what it gets
    #[arg(long, short, value_name = "ENDPOINT")]
    connect: Option<String>,
    /// Send so many requests a second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<f64>,
    #[command(flatten)]
    load: Load,
    /// Round trips that are measured
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100_000, value_parser = at_least_one)]
    count: u64,
    #[command(flatten)]
    output: Output,
}

/// Messages a second that all subscribers of a publisher get together
#[derive(clap::Args)]
#[command(after_help = "Examples:
  pzmq bench fan-out --subscribers 100 --count 20000
  pzmq bench fan-out --connect tcp://127.0.0.1:5556          what somebody else publishes")]
pub(crate) struct FanOut {
    /// Subscribe to this publisher
    #[arg(long, short, value_name = "ENDPOINT")]
    connect: Option<String>,
    /// Subscribers, each with a connection
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = at_least_one_usize)]
    subscribers: usize,
    #[command(flatten)]
    load: Load,
    /// Messages for each subscriber that are measured
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100_000, value_parser = at_least_one)]
    count: u64,
    #[command(flatten)]
    output: Output,
}

/// Be the other end: send back what comes, until Ctrl-C
#[derive(clap::Args)]
#[command(after_help = "Examples:
  pzmq bench echo --bind tcp://127.0.0.1:5555
  pzmq bench echo --bind ipc:///tmp/echo --count 1000        and end")]
pub(crate) struct Echo {
    /// Where to be asked
    #[arg(long, short, value_name = "ENDPOINT")]
    bind: String,
    /// End after so many messages
    #[arg(long, short = 'n', value_name = "NUMBER")]
    count: Option<u64>,
}

/// Be the other end of `throughput --bind`: push messages
#[derive(clap::Args)]
#[command(after_help = "Examples:
  pzmq bench source --connect tcp://127.0.0.1:5555 --size 64 --count 1000000")]
pub(crate) struct Source {
    /// Where to push to
    #[arg(long, short, value_name = "ENDPOINT")]
    connect: String,
    #[command(flatten)]
    load: Load,
    /// Messages after those to warm up
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 1_000_000, value_parser = at_least_one)]
    count: u64,
}

/// What is sent, and how.
#[derive(clap::Args)]
pub(crate) struct Load {
    /// Bytes of each message: 64, 4K, 1M
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = values::size)]
    size: usize,
    /// Messages before those; default: a tenth of them
    #[arg(long, value_name = "NUMBER")]
    warmup: Option<u64>,
    /// How the threads of this process are joined, if there is no other peer
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    transport: Transport,
}

/// What becomes of the result.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Write the result as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write latencies, or messages over time, as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw them
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Compare with what --json has written before
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Give up when nothing has come for so long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration)]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Transport {
    Tcp,
    Ipc,
    Inproc,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Ipc => "ipc",
            Transport::Inproc => "inproc",
        }
    }

    /// Where one of the threads binds.
    fn endpoint(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp://127.0.0.1:*",
            Transport::Ipc => "ipc://*",
            Transport::Inproc => "inproc://bench",
        }
    }
}

impl Load {
    /// Counts the messages before those that are measured: one at least, with which the clock starts.
    fn warmup(&self, count: u64) -> u64 {
        self.warmup.unwrap_or(count / 10).max(1)
    }
}

impl Throughput {
    fn run(&self) -> Run {
        Run::new("throughput", self.load.size, self.count)
    }
}

impl RoundTrip {
    fn run(&self) -> Run {
        let mut run = Run::new("round trip", self.load.size, self.count);
        run.rate = self.rate;
        run
    }
}

impl FanOut {
    fn run(&self) -> Run {
        let mut run = Run::new("fan-out", self.load.size, self.count);
        run.subscribers = Some(self.subscribers);
        run
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // Read first: what is overwritten may be what is compared with. And a run may be long: what will not do is said before it.
    let before = match args.what.asked() {
        Some((run, output)) => files::prepare(output, &run)?,
        None => None,
    };
    let (result, output) = match args.what {
        What::Throughput(args) => (ends::throughput(&args)?, args.output),
        What::RoundTrip(args) => (ends::round_trip(&args)?, args.output),
        What::FanOut(args) => (ends::fan_out(&args)?, args.output),
        What::Echo(args) => return echoed::echo(&args),
        What::Source(args) => return ends::source(&args),
    };
    let is_machines = output.json.as_deref().is_some_and(files::is_standard);
    if !is_machines {
        let text = show::text(&result);
        crate::print(&text)?;
    }
    files::save(&result, &output)?;
    if let Some(before) = before {
        crate::print(compare::text(&before, &result))?;
    }
    Ok(())
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number from 1 is needed".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn at_least_one_usize(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .and_then(|number| usize::try_from(number).map_err(|_| "this is too much".to_owned()))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e9 => Ok(rate),
        _ => Err("a number above 0 is needed, of at most 1000000000".to_owned()),
    }
}
