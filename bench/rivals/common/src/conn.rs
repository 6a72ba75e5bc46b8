//! The receiver of the `conn` pattern.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::args::Args;
use crate::process::{Usage, monotonic_ns, rss_kb};
use crate::report::Report;

/// How long the silence lasts whose CPU time the `conn` pattern reports, and
/// how long what the messages left to do may take before that.
const SILENCE: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_millis(100);
/// Until when the control channel has to hold.
pub(crate) static SILENT_UNTIL: AtomicU64 = AtomicU64::new(0);

/// Receiver of the `conn` pattern: `count` messages from each of `peers`
/// connections. Prints when the last one came, the memory per peer, and the
/// CPU time that they cost while nobody says anything.
pub struct Conn {
    peers: usize,
    want: usize,
    got: usize,
    rss0: i64,
}

impl Conn {
    pub fn new(a: &Args) -> Conn {
        Conn { peers: a.peers, want: a.peers * a.count as usize, got: 0, rss0: rss_kb() }
    }

    pub fn msg(&mut self) -> bool {
        self.got += 1;
        self.got == self.want
    }

    pub fn report(&self, a: &Args, name: &str, version: &str) {
        let t1 = monotonic_ns();
        let mut r = Report::new(a, name, version);
        r.int("peers", self.peers as i64);
        r.int("t_end_ns", t1 as i64);
        r.int("rss0_kb", self.rss0);
        r.int("rss1_kb", rss_kb());
        r.usage(Usage::default(), Usage::now());
        if !a.hold {
            return r.print();
        }
        SILENT_UNTIL.store(monotonic_ns() + (SETTLE + SILENCE).as_nanos() as u64, Ordering::SeqCst);
        // On a thread of its own: the caller goes on to hold, and a runtime
        // of one thread has to go on, too.
        std::thread::spawn(move || {
            std::thread::sleep(SETTLE);
            let (t0, u0) = (monotonic_ns(), Usage::now());
            std::thread::sleep(SILENCE);
            let u1 = Usage::now();
            r.num("idle_s", (monotonic_ns() - t0) as f64 / 1e9);
            r.num("idle_cpu_s", u1.user + u1.sys - u0.user - u0.sys);
            r.print();
        });
    }
}
