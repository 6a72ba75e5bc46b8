//! Meters: each counts what its loop receives, checks it, and reads the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use purezmq::Message;

use super::watch::Progress;
use crate::failure::Failure;

/// How often a meter of messages reads the clock in a run.
const READINGS: u64 = 100;

/// The longest time that is told from longer ones, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// Counts one receiver's messages. The clock runs from the last message of the warm-up to the last one.
pub(super) struct Meter {
    size: usize,
    warmup: u64,
    total: u64,
    step: u64,
    seen: u64,
    /// When the clock is read next, in messages.
    next: u64,
    /// Where it writes down how far it is.
    progress: Arc<AtomicU64>,
    /// Measured messages, and when there were so many. The first of them is none.
    readings: Vec<(u64, Instant)>,
    /// What was wrong with a message: there is no more to count.
    failure: Option<Failure>,
}

impl Meter {
    pub(super) fn new(
        size: usize,
        warmup: u64,
        count: u64,
        progress: &Progress,
        receiver: usize,
    ) -> Self {
        Meter {
            size,
            warmup,
            total: warmup + count,
            step: count.div_ceil(READINGS),
            seen: 0,
            next: warmup,
            progress: progress.of(receiver),
            readings: Vec::with_capacity(READINGS as usize + 1),
            failure: None,
        }
    }

    /// Counts a message. `true`: it was the last one, or not as it should be.
    #[inline(always)]
    pub(super) fn count(&mut self, message: &Message) -> bool {
        if message.len() != 1 || message.byte_len() != self.size {
            return self.fail(message);
        }
        self.count_any()
    }

    /// Counts a message, whatever it is. `true`: it was the last one.
    #[inline(always)]
    pub(super) fn count_any(&mut self) -> bool {
        self.seen += 1;
        self.progress.store(self.seen, Ordering::Relaxed);
        self.seen == self.next && self.read()
    }

    /// Reads the clock.
    #[cold]
    fn read(&mut self) -> bool {
        self.readings
            .push((self.seen - self.warmup, Instant::now()));
        self.next = (self.seen + self.step).min(self.total);
        self.seen == self.total
    }

    #[cold]
    fn fail(&mut self, message: &Message) -> bool {
        self.failure = Some(wrong(message, self.size));
        true
    }

    /// Returns what was read of the clock, if nothing was wrong.
    pub(super) fn readings(self) -> Result<Vec<(u64, Instant)>, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.readings),
        }
    }
}

/// Nothing may have become of a message on its way.
#[inline(always)]
pub(super) fn check(message: &Message, size: usize) -> Result<(), Failure> {
    if message.len() == 1 && message.byte_len() == size {
        return Ok(());
    }
    Err(wrong(message, size))
}

#[cold]
pub(super) fn wrong(message: &Message, size: usize) -> Failure {
    Failure::Failed(format!(
        "got {} frames with {} bytes where one with {size} was due: does the other end have the same --size?",
        message.len(),
        message.byte_len()
    ))
}

/// Times round trips: a histogram of nanoseconds, to three digits.
pub(super) struct Timer {
    warmup: u64,
    done: u64,
    total: u64,
    progress: Arc<AtomicU64>,
    pub(super) times: Histogram<u64>,
    /// When the first one that counts began, and the last one ended.
    began: Instant,
    ended: Instant,
}

impl Timer {
    pub(super) fn new(warmup: u64, count: u64, progress: &Progress) -> Self {
        let now = Instant::now();
        Timer {
            warmup,
            done: 0,
            total: warmup + count,
            progress: progress.of(0),
            times: Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds that make sense"),
            began: now,
            ended: now,
        }
    }

    /// Counts a round trip that took so long and ended now. `true`: it was the last one.
    #[inline(always)]
    pub(super) fn count(&mut self, took: Duration, now: Instant) -> bool {
        self.done += 1;
        self.progress.store(self.done, Ordering::Relaxed);
        if self.done > self.warmup {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.times.saturating_record(nanos.max(1));
        } else if self.done == self.warmup {
            self.began = now;
        }
        self.ended = now;
        self.done == self.total
    }

    /// Says how long all that counted took.
    pub(super) fn time(&self) -> Duration {
        self.ended - self.began
    }
}
