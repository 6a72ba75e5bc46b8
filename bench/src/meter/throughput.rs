//! One receiver's rate.

use std::time::Duration;

use purezmq::Message;
use serde::Serialize;

use super::{Order, PROBE, check};
use crate::Failure;
use crate::args::Args;
use crate::process::{Usage, monotonic_ns};
use crate::report::{Plain, Rate, Report, ready};

/// A rate, and what else there is to say.
#[derive(Serialize)]
struct Rated<T: Serialize> {
    #[serde(flatten)]
    rate: Rate,
    #[serde(flatten)]
    more: T,
}

/// Counts one receiver's messages.
pub(crate) struct Throughput {
    size: usize,
    warmup: u64,
    total: u64,
    seen: u64,
    start: (u64, Usage),
    end: (u64, Usage),
    /// Numbered messages come from so many senders, all of whom have to be heard of before the clock starts.
    senders: usize,
    order: Option<Box<Order>>,
    /// Nobody has been told yet that a probe is here.
    unprobed: bool,
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
            senders: args.peers,
            order: Order::new(args),
            unprobed: args.probe,
        }
    }

    /// Counts a message. `true`: it was the last one.
    #[inline(always)]
    pub(crate) fn count(&mut self, message: &Message) -> Result<bool, Failure> {
        check(message, self.size)?;
        Ok(self.count_one())
    }

    /// Counts one that has a number, and checks that. `true`: it was the last one.
    #[inline(always)]
    pub(crate) fn count_numbered(&mut self, message: &Message) -> Result<bool, Failure> {
        if message.byte_len() == PROBE {
            if std::mem::take(&mut self.unprobed) {
                ready();
            }
            return Ok(false);
        }
        check(message, self.size)?;
        let (measured, last_of_warmup) = (self.start.0 > 0, self.seen + 1 == self.warmup);
        if let Some(order) = &mut self.order {
            order.check(message, measured)?;
            if last_of_warmup && order.senders() < self.senders {
                return Ok(false);
            }
        }
        Ok(self.count_one())
    }

    /// Counts a message of the right size. `true`: it was the last one.
    #[inline(always)]
    pub(crate) fn count_one(&mut self) -> bool {
        self.seen += 1;
        if self.seen == self.warmup {
            let usage = Usage::now();
            self.start = (monotonic_ns(), usage);
        }
        if self.seen == self.total {
            self.end = (monotonic_ns(), Usage::now());
            return true;
        }
        false
    }

    pub(crate) fn report(&self, args: &Args) {
        match &self.order {
            Some(order) => self.report_with(args, order.ordered()),
            None => self.report_with(args, Plain {}),
        }
    }

    pub(crate) fn report_with(&self, args: &Args, more: impl Serialize) {
        let time = Duration::from_nanos(self.end.0 - self.start.0);
        let rate = Rate::new(args, args.count, time);
        Report::new(args, Rated { rate, more }, self.start.1, self.end.1).print();
    }
}
