//! One requester's round trips.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use purezmq::Message;
use serde::Serialize;

use super::check;
use super::order::{histogram, read};
use crate::Failure;
use crate::args::Args;
use crate::process::Usage;
use crate::report::{Rate, Report, Times};

/// Times each round trip.
pub(crate) struct RoundTrips {
    size: usize,
    warmup: u64,
    total: u64,
    done: u64,
    nanos: Histogram<u64>,
    /// Requests are numbered, and so are the replies.
    numbered: bool,
    began: Instant,
    start: (Instant, Usage),
}

#[derive(Serialize)]
struct Latency {
    #[serde(flatten)]
    rate: Rate,
    #[serde(flatten)]
    times: Times,
}

impl RoundTrips {
    pub(crate) fn new(args: &Args) -> Self {
        let now = Instant::now();
        RoundTrips {
            size: args.size,
            warmup: args.warmup,
            total: args.total(),
            done: 0,
            nanos: histogram(),
            numbered: args.sequence,
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
        if self.numbered && read(reply.first().map_or(&[], |frame| frame), 0) != self.done {
            return Err(format!("request {} got the reply to another one", self.done).into());
        }
        self.done += 1;
        if self.done > self.warmup {
            self.nanos.saturating_record(nanos(took));
        }
        Ok(self.done == self.total)
    }

    pub(crate) fn report(self, args: &Args) {
        let time = self.start.0.elapsed();
        let after = Usage::now();
        let latency = Latency {
            rate: Rate::new(args, args.count, time),
            times: Times::new(&self.nanos),
        };
        Report::new(args, latency, self.start.1, after).print();
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
