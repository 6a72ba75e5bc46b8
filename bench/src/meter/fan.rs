//! Many against one: how fast altogether, and how evenly. Members are the senders of a fan-in, or the receivers of
//! a fan-out.
//!
//! The clock runs from the moment when the warm-up is over and every member has had a message, until `count` more
//! have come. Fairness is the slowest member's count in that time, divided by the fastest one's.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use purezmq::Message;
use serde::Serialize;
use tokio::sync::Notify;

use super::{PROBE, check};
use crate::Failure;
use crate::args::Args;
use crate::process::{Usage, monotonic_ns};
use crate::report::{self, Rate, Report};

/// A receiver tells the others of its messages by so many: what they share must not be the bottleneck.
const STEP: u64 = 64;

/// All members' counts, in one process.
pub(crate) struct Fan {
    size: usize,
    warmup: u64,
    count: u64,
    members: Vec<Member>,
    /// Members that have not seen a probe; a fan-in has none.
    unreached: AtomicUsize,
    /// Messages so far, by steps.
    passed: AtomicU64,
    begin: OnceLock<Mark>,
    end: OnceLock<Mark>,
    over: Notify,
}

/// Each on a cache line of its own: receivers on two threads write to neighbours.
#[derive(Default)]
#[repr(align(64))]
struct Member(AtomicU64);

/// One edge of the measured time.
struct Mark {
    passed: u64,
    at: u64,
    usage: Usage,
    counts: Vec<u64>,
}

/// One receiver's view of the fan.
pub(crate) struct Tally {
    fan: Arc<Fan>,
    untold: u64,
    reached: bool,
}

#[derive(Serialize)]
struct Shares {
    #[serde(flatten)]
    rate: Rate,
    peers: usize,
    fairness: f64,
    /// Messages of one member.
    slowest: u64,
    fastest: u64,
}

impl Fan {
    pub(crate) fn new(args: &Args) -> Arc<Self> {
        Arc::new(Fan {
            size: args.size,
            warmup: args.warmup,
            count: args.count,
            members: (0..args.peers).map(|_| Member::default()).collect(),
            unreached: AtomicUsize::new(args.peers),
            passed: AtomicU64::new(0),
            begin: OnceLock::new(),
            end: OnceLock::new(),
            over: Notify::new(),
        })
    }

    pub(crate) fn tally(self: &Arc<Self>) -> Tally {
        Tally {
            fan: self.clone(),
            untold: 0,
            reached: false,
        }
    }

    /// Waits until everything that is measured has come.
    pub(crate) async fn over(&self) {
        self.over.notified().await;
    }

    /// Takes account of one step. `true`: the measured time is over.
    #[cold]
    fn step(&self) -> bool {
        let passed = self.passed.fetch_add(STEP, Ordering::AcqRel) + STEP;
        match self.begin.get() {
            None => {
                if passed >= self.warmup && self.members.iter().all(|member| member.get() > 0) {
                    self.begin.get_or_init(|| self.mark(passed));
                }
                false
            }
            Some(begin) if passed >= begin.passed + self.count => {
                self.end.get_or_init(|| self.mark(passed));
                self.over.notify_one();
                true
            }
            Some(_) => false,
        }
    }

    fn mark(&self, passed: u64) -> Mark {
        let usage = Usage::now();
        Mark {
            passed,
            at: monotonic_ns(),
            usage,
            counts: self.members.iter().map(Member::get).collect(),
        }
    }

    /// Once it is [over](Self::over).
    pub(crate) fn report(&self, args: &Args) {
        let (Some(begin), Some(end)) = (self.begin.get(), self.end.get()) else {
            return;
        };
        let shares = shares(&begin.counts, &end.counts);
        let slowest = shares.iter().min().copied().unwrap_or_default();
        let fastest = shares.iter().max().copied().unwrap_or_default();
        let time = Duration::from_nanos(end.at - begin.at);
        let shares = Shares {
            rate: Rate::new(args, end.passed - begin.passed, time),
            peers: self.members.len(),
            fairness: slowest as f64 / fastest.max(1) as f64,
            slowest,
            fastest,
        };
        Report::new(args, shares, begin.usage, end.usage).print();
    }
}

fn shares(begin: &[u64], end: &[u64]) -> Vec<u64> {
    end.iter()
        .zip(begin)
        .map(|(end, begin)| end - begin)
        .collect()
}

impl Member {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only one task counts for a member, so this need not be a locked addition.
    #[inline]
    fn add(&self) {
        self.0.store(self.get() + 1, Ordering::Relaxed);
    }
}

impl Tally {
    /// Counts a message of one of the senders, which its first byte names. `true`: the measured time is over.
    #[inline]
    pub(crate) fn count_sender(&mut self, message: &Message) -> Result<bool, Failure> {
        check(message, self.fan.size)?;
        let number = message.first().and_then(|frame| frame.first());
        self.count(usize::from(number.copied().unwrap_or_default()))
    }

    /// Counts a message that one of the receivers got. `true`: the measured time is over.
    #[inline]
    pub(crate) fn count_receiver(
        &mut self,
        message: &Message,
        number: usize,
    ) -> Result<bool, Failure> {
        if message.byte_len() == PROBE {
            if !std::mem::replace(&mut self.reached, true)
                && self.fan.unreached.fetch_sub(1, Ordering::AcqRel) == 1
            {
                report::ready();
            }
            return Ok(false);
        }
        check(message, self.fan.size)?;
        self.count(number)
    }

    #[inline]
    fn count(&mut self, number: usize) -> Result<bool, Failure> {
        let Some(member) = self.fan.members.get(number) else {
            return Err(format!("a message from sender {number}, who is not there").into());
        };
        member.add();
        self.untold += 1;
        if self.untold < STEP {
            return Ok(false);
        }
        self.untold = 0;
        Ok(self.fan.step())
    }
}
