//! One requester's round trips.

use std::time::{Duration, Instant};

use purezmq::Message;
use serde::Serialize;

use super::check;
use crate::Failure;
use crate::args::Args;
use crate::process::Usage;
use crate::report::{Rate, Report};

/// Times each round trip.
pub(crate) struct RoundTrips {
    size: usize,
    warmup: u64,
    total: u64,
    done: u64,
    nanos: Vec<u64>,
    began: Instant,
    start: (Instant, Usage),
}

/// In microseconds.
#[derive(Serialize)]
struct Latency {
    #[serde(flatten)]
    rate: Rate,
    mean_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl RoundTrips {
    pub(crate) fn new(args: &Args) -> Self {
        let now = Instant::now();
        RoundTrips {
            size: args.size,
            warmup: args.warmup,
            total: args.total(),
            done: 0,
            nanos: Vec::with_capacity(usize::try_from(args.count).unwrap_or_default()),
            began: now,
            start: (now, Usage::default()),
        }
    }

    /// A request is about to be sent.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.done == self.warmup {
            self.start.1 = Usage::now();
            self.start.0 = Instant::now();
        }
        self.began = Instant::now();
    }

    /// Its reply is here. `true`: it was the last one.
    #[inline]
    pub(crate) fn end(&mut self, reply: &Message) -> Result<bool, Failure> {
        let took = self.began.elapsed();
        check(reply, self.size)?;
        self.done += 1;
        if self.done > self.warmup {
            self.nanos.push(nanos(took));
        }
        Ok(self.done == self.total)
    }

    pub(crate) fn report(mut self, args: &Args) {
        let time = self.start.0.elapsed();
        let after = Usage::now();
        self.nanos.sort_unstable();
        let count = self.nanos.len().max(1);
        let quantile = |percent: usize| {
            let at = (count * percent / 100).min(count - 1);
            self.nanos.get(at).copied().unwrap_or_default() as f64 / 1e3
        };
        let latency = Latency {
            rate: Rate::new(args, args.count, time),
            mean_us: self.nanos.iter().sum::<u64>() as f64 / count as f64 / 1e3,
            p50_us: quantile(50),
            p99_us: quantile(99),
        };
        Report::new(args, latency, self.start.1, after).print();
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
