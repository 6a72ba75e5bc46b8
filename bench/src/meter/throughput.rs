//! One receiver's rate.

use std::time::Duration;

use purezmq::Message;

use super::check;
use crate::Failure;
use crate::args::Args;
use crate::process::{Usage, monotonic_ns};
use crate::report::{Rate, Report};

/// Counts one receiver's messages.
pub(crate) struct Throughput {
    size: usize,
    warmup: u64,
    total: u64,
    seen: u64,
    start: (u64, Usage),
    end: (u64, Usage),
}

impl Throughput {
    pub(crate) fn new(args: &Args) -> Self {
        Throughput {
            size: args.size,
            warmup: args.warmup,
            total: args.total(),
            seen: 0,
            start: (0, Usage::default()),
            end: (0, Usage::default()),
        }
    }

    /// Counts a message. `true`: it was the last one.
    #[inline(always)]
    pub(crate) fn count(&mut self, message: &Message) -> Result<bool, Failure> {
        check(message, self.size)?;
        self.seen += 1;
        if self.seen == self.warmup {
            let usage = Usage::now();
            self.start = (monotonic_ns(), usage);
        }
        if self.seen == self.total {
            self.end = (monotonic_ns(), Usage::now());
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) fn report(&self, args: &Args) {
        let time = Duration::from_nanos(self.end.0 - self.start.0);
        let rate = Rate::new(args, args.count, time);
        Report::new(args, rate, self.start.1, self.end.1).print();
    }
}
