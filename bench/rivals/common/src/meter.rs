//! The throughput meters and the latency recorder.

use std::time::Instant;

use crate::args::{Args, PROBE, die};
use crate::control::ready;
use crate::process::{Usage, monotonic_ns};
use crate::report::Report;

/// Counts messages at a receiver. The clock runs from the last warm-up
/// message to the last message.
pub struct Meter {
    size: usize,
    warmup: u64,
    total: u64,
    seen: u64,
    pub t0: u64,
    pub t1: u64,
    u0: Usage,
    u1: Usage,
}

impl Meter {
    pub fn new(a: &Args) -> Meter {
        Meter {
            size: a.size,
            warmup: a.warmup,
            total: a.total(),
            seen: 0,
            t0: 0,
            t1: 0,
            u0: Usage::default(),
            u1: Usage::default(),
        }
    }

    /// Accounts one received message; `true` when it was the last one.
    #[inline]
    pub fn msg(&mut self, len: usize) -> bool {
        if len != self.size {
            die(&format!("message {} has {len} bytes, not {}", self.seen, self.size));
        }
        self.seen += 1;
        if self.seen == self.warmup {
            self.u0 = Usage::now();
            self.t0 = monotonic_ns();
        }
        if self.seen == self.total {
            self.t1 = monotonic_ns();
            self.u1 = Usage::now();
            return true;
        }
        false
    }

    /// A subscriber's view: probes are skipped. `Some(true)`: the last one.
    #[inline]
    pub fn sub_msg(&mut self, len: usize) -> bool {
        if len == PROBE {
            return false;
        }
        self.msg(len)
    }

    pub fn seen(&self) -> u64 {
        self.seen
    }

    pub fn report(&self, a: &Args, name: &str, version: &str) {
        let secs = (self.t1 - self.t0) as f64 / 1e9;
        let mut r = Report::new(a, name, version);
        r.rate(a.count, secs);
        r.usage(self.u0, self.u1);
        r.print();
    }
}

/// Fan-out accounting for N subscribers of one process. Stops early when
/// nothing more arrives, and then reports how many deliveries are missing.
pub struct SubMeter {
    size: usize,
    warmup: u64,
    total: u64,
    seen: Vec<u64>,
    probed: Vec<bool>,
    probes_left: usize,
    left: usize,
    /// About when the last message came, for runs that lose some.
    last: u64,
    t0: u64,
    t1: u64,
    u0: Usage,
}

impl SubMeter {
    pub fn new(a: &Args) -> SubMeter {
        SubMeter {
            size: a.size,
            warmup: a.warmup,
            total: a.total(),
            seen: vec![0; a.peers],
            probed: vec![false; a.peers],
            probes_left: a.peers,
            left: a.peers,
            last: 0,
            t0: 0,
            t1: 0,
            u0: Usage::default(),
        }
    }

    /// `true` when all subscribers have everything.
    #[inline]
    pub fn msg(&mut self, i: usize, len: usize) -> bool {
        if len == PROBE {
            if !self.probed[i] {
                self.probed[i] = true;
                self.probes_left -= 1;
                if self.probes_left == 0 {
                    ready();
                }
            }
            return false;
        }
        if len != self.size {
            die(&format!("subscriber {i}: a message of {len} bytes, not {}", self.size));
        }
        self.seen[i] += 1;
        if self.seen[i] & 127 == 0 {
            self.last = monotonic_ns();
        }
        if self.t0 == 0 && self.seen[i] == self.warmup {
            self.u0 = Usage::now();
            self.t0 = monotonic_ns();
        }
        if self.seen[i] == self.total {
            self.left -= 1;
            if self.left == 0 {
                self.t1 = monotonic_ns();
                return true;
            }
        }
        false
    }

    pub fn progress(&self) -> u64 {
        self.seen.iter().sum()
    }

    pub fn report(&mut self, a: &Args, name: &str, version: &str) {
        let u1 = Usage::now();
        if self.t1 == 0 {
            self.t1 = self.last.max(self.t0 + 1);
        }
        let want = self.total * self.seen.len() as u64;
        let got = self.progress();
        let deliveries = a.count * self.seen.len() as u64 - (want - got).min(a.count * self.seen.len() as u64);
        let mut r = Report::new(a, name, version);
        r.rate(deliveries, (self.t1 - self.t0) as f64 / 1e9);
        r.usage(self.u0, u1);
        r.int("subs", self.seen.len() as i64);
        r.int("drops", (want - got) as i64);
        r.print();
    }
}

/// Round-trip times of a requester.
pub struct Lat {
    ns: Vec<u64>,
    warmup: u64,
    n: u64,
    total: u64,
    size: usize,
    u0: Usage,
    t0: Instant,
    start: Instant,
}

impl Lat {
    pub fn new(a: &Args) -> Lat {
        Lat {
            ns: Vec::with_capacity(a.count as usize),
            warmup: a.warmup,
            n: 0,
            total: a.total(),
            size: a.size,
            u0: Usage::default(),
            t0: Instant::now(),
            start: Instant::now(),
        }
    }

    #[inline]
    pub fn begin(&mut self) {
        if self.n == self.warmup {
            self.u0 = Usage::now();
            self.t0 = Instant::now();
        }
        self.start = Instant::now();
    }

    /// `true` after the last round trip.
    #[inline]
    pub fn end(&mut self, len: usize) -> bool {
        let d = self.start.elapsed().as_nanos() as u64;
        if len != self.size {
            die(&format!("a reply of {len} bytes, not {}", self.size));
        }
        self.n += 1;
        if self.n > self.warmup {
            self.ns.push(d);
        }
        self.n == self.total
    }

    pub fn report(&mut self, a: &Args, name: &str, version: &str) {
        let secs = self.t0.elapsed().as_secs_f64();
        let u1 = Usage::now();
        self.ns.sort_unstable();
        let n = self.ns.len();
        let q = |p: f64| self.ns[((n as f64 * p) as usize).min(n - 1)] as f64 / 1e3;
        let mean = self.ns.iter().sum::<u64>() as f64 / n as f64 / 1e3;
        let mut r = Report::new(a, name, version);
        r.rate(a.count, secs);
        r.num("mean_us", mean);
        r.num("p50_us", q(0.50));
        r.num("p99_us", q(0.99));
        r.usage(self.u0, u1);
        r.print();
    }
}
