//! The throughput meters and the latency recorder.

use std::time::Instant;

use hdrhistogram::Histogram;

use crate::args::{Args, PROBE, die};
use crate::control::ready;
use crate::process::{Usage, monotonic_ns};
use crate::report::Report;
use crate::stamp::{Order, histogram};

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
    /// Senders that have to be heard of before the clock starts.
    peers: usize,
    order: Option<Order>,
    probed: bool,
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
            peers: a.peers,
            order: Order::new(a),
            probed: !a.probe,
        }
    }

    /// Accounts one received message; `true` when it was the last one.
    #[inline]
    pub fn msg(&mut self, data: &[u8]) -> bool {
        if data.len() == PROBE && self.size != PROBE {
            if !self.probed {
                self.probed = true;
                ready();
            }
            return false;
        }
        if let Some(order) = &mut self.order {
            if data.len() == self.size {
                order.of_sender(data, self.t0 > 0);
            }
        }
        self.len(data.len())
    }

    /// The same for who has only the length.
    #[inline]
    pub fn len(&mut self, len: usize) -> bool {
        if len != self.size {
            die(&format!("message {} has {len} bytes, not {}", self.seen, self.size));
        }
        self.seen += 1;
        if self.seen == self.warmup {
            // All senders of a fan take part in what is measured.
            if let Some(order) = &self.order {
                if order.senders() < self.peers {
                    self.seen -= 1;
                    return false;
                }
            }
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

    pub fn report(&self, a: &Args, name: &str, version: &str) {
        let secs = (self.t1 - self.t0) as f64 / 1e9;
        let mut r = Report::new(a, name, version);
        r.rate(a.count, secs);
        r.usage(self.u0, self.u1);
        self.order.iter().for_each(|order| ordered(&mut r, order));
        r.print();
    }
}

fn ordered(r: &mut Report, order: &Order) {
    r.int("gaps", order.gaps as i64);
    if let Some(late) = &order.late {
        r.times(late);
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
    order: Option<Order>,
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
            order: Order::new(a),
        }
    }

    /// `true` when all subscribers have everything.
    #[inline]
    pub fn msg(&mut self, i: usize, data: &[u8]) -> bool {
        let len = data.len();
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
        if let Some(order) = &mut self.order {
            order.of_subscriber(i, data, self.t0 > 0);
        }
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
        self.order.iter().for_each(|order| ordered(&mut r, order));
        r.print();
    }
}

/// Round-trip times of a requester.
pub struct Lat {
    ns: Histogram<u64>,
    sequence: bool,
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
            ns: histogram(),
            sequence: a.sequence,
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
    pub fn end(&mut self, data: &[u8]) -> bool {
        let d = self.start.elapsed().as_nanos() as u64;
        if data.len() != self.size {
            die(&format!("a reply of {} bytes, not {}", data.len(), self.size));
        }
        if self.sequence && data[..8] != self.n.to_le_bytes() {
            die(&format!("request {} got the reply to another one", self.n));
        }
        self.n += 1;
        if self.n > self.warmup {
            self.ns.saturating_record(d);
        }
        self.n == self.total
    }

    pub fn report(&mut self, a: &Args, name: &str, version: &str) {
        let secs = self.t0.elapsed().as_secs_f64();
        let u1 = Usage::now();
        let mut r = Report::new(a, name, version);
        r.rate(a.count, secs);
        r.times(&self.ns);
        r.usage(self.u0, u1);
        r.print();
    }
}
