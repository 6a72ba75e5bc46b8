//! The one line of JSON that a run ends with, and `READY`. Field names are the driver's.

use std::io::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::Args;
use crate::process::{self, Usage};

/// Tells the driver that peers may come, or have come.
pub(crate) fn ready() {
    line("READY");
}

/// Prints a report.
pub(crate) fn print(report: &impl Serialize) {
    line(&serde_json::to_string(report).expect("numbers and strings always have a JSON form"));
}

fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told if the driver does not listen.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[derive(Serialize)]
pub(crate) struct Version {
    #[serde(rename = "impl")]
    name: &'static str,
    version: &'static str,
}

impl Default for Version {
    fn default() -> Self {
        Version {
            name: "purezmq",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The fields of every run, and `more` of one kind.
#[derive(Serialize)]
pub(crate) struct Report<'a, T: Serialize> {
    #[serde(flatten)]
    version: Version,
    role: &'a str,
    mode: &'a str,
    transport: &'a str,
    size: usize,
    count: u64,
    #[serde(flatten)]
    more: T,
    #[serde(flatten)]
    used: Used,
}

impl<'a, T: Serialize> Report<'a, T> {
    /// A report on the time from `before` until `after`.
    pub(crate) fn new(args: &'a Args, more: T, before: Usage, after: Usage) -> Self {
        Report {
            version: Version::default(),
            role: &args.role_name,
            mode: &args.mode_name,
            transport: args.transport(),
            size: args.size,
            count: args.count,
            more,
            used: Used::new(before, after),
        }
    }

    pub(crate) fn print(&self) {
        print(self);
    }
}

/// Nothing beyond the fields of every run.
#[derive(Serialize)]
pub(crate) struct Plain {}

/// How fast.
#[derive(Serialize)]
pub(crate) struct Rate {
    seconds: f64,
    msgs_per_s: f64,
    mb_per_s: f64,
}

impl Rate {
    pub(crate) fn new(args: &Args, messages: u64, time: Duration) -> Self {
        // A run too short for the clock has no infinite rate.
        let seconds = time.as_secs_f64().max(1e-9);
        let rate = messages as f64 / seconds;
        Rate {
            seconds,
            msgs_per_s: rate,
            mb_per_s: rate * args.size as f64 / 1e6,
        }
    }
}

/// How long something took, in microseconds; and all of it, in nanoseconds, so that several runs can be added up.
#[derive(Serialize)]
pub(crate) struct Times {
    mean_us: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p999_us: f64,
    p9999_us: f64,
    max_us: f64,
    histogram: Vec<(u64, u64)>,
}

impl Times {
    pub(crate) fn new(nanos: &Histogram<u64>) -> Self {
        let quantile = |quantile| nanos.value_at_quantile(quantile) as f64 / 1e3;
        Times {
            mean_us: nanos.mean() / 1e3,
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            p9999_us: quantile(0.9999),
            max_us: nanos.max() as f64 / 1e3,
            histogram: nanos
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Used {
    cpu_user_s: f64,
    cpu_sys_s: f64,
    max_rss_kb: i64,
    vol_ctx_switches: i64,
    invol_ctx_switches: i64,
    threads: i64,
    t_main_ns: u64,
    t_attach_ns: u64,
}

impl Used {
    fn new(before: Usage, after: Usage) -> Self {
        let (t_main_ns, t_attach_ns) = process::began();
        Used {
            cpu_user_s: after.user.saturating_sub(before.user).as_secs_f64(),
            cpu_sys_s: after.system.saturating_sub(before.system).as_secs_f64(),
            max_rss_kb: after.max_rss_kb,
            vol_ctx_switches: after.voluntary_switches - before.voluntary_switches,
            invol_ctx_switches: after.involuntary_switches - before.involuntary_switches,
            threads: process::threads(),
            t_main_ns,
            t_attach_ns,
        }
    }
}
