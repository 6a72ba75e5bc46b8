//! What every rival's peer binary shares: the command line, the control
//! channel on standard input, the throughput meter, the latency recorder and
//! the one JSON line each peer prints at its end.
//!
//! Control channel (only with `--hold`): the driver writes `GO\n` when all
//! subscribers are seen, and closes standard input when the other side has
//! finished, so that no sender exits before its data was delivered, whatever
//! the linger rules of its library are.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Length of the messages a publisher sends until all subscribers are seen.
/// No measured message may have this size.
pub const PROBE: usize = 3;

#[derive(Clone, Debug)]
pub struct Args {
    pub role: String,
    pub connect: Option<String>,
    pub bind: Option<String>,
    pub size: usize,
    pub count: u64,
    pub warmup: u64,
    /// Number of subscribers (pub, sub) or of connections (conn-*).
    pub peers: usize,
    /// Implementation-specific variant, e.g. `blocking` or `ct`.
    pub mode: String,
    /// `true`: one refcounted payload, sent again and again, where the API
    /// has such a thing; `false`: a fresh buffer is filled for each message.
    pub shared: bool,
    /// High-water mark; `None` leaves the library's default.
    pub hwm: Option<i32>,
    pub hold: bool,
    pub timeout: u32,
}

pub fn die(msg: &str) -> ! {
    eprintln!("peer: {msg}");
    std::process::exit(2)
}

impl Args {
    pub fn parse(impl_name: &str, version: &str) -> Args {
        let mut it = std::env::args().skip(1);
        let role = it.next().unwrap_or_else(|| usage());
        if role == "version" || role == "--version" {
            println!("{{\"impl\":\"{impl_name}\",\"version\":\"{version}\"}}");
            std::process::exit(0)
        }
        let mut a = Args {
            role,
            connect: None,
            bind: None,
            size: 64,
            count: 100_000,
            warmup: 0,
            peers: 1,
            mode: String::new(),
            shared: true,
            hwm: None,
            hold: false,
            timeout: 60,
        };
        let mut warmup = None;
        while let Some(f) = it.next() {
            let mut val = || it.next().unwrap_or_else(|| die(&format!("{f} needs a value")));
            match f.as_str() {
                "--connect" => a.connect = Some(val()),
                "--bind" => a.bind = Some(val()),
                "--size" => a.size = num(&val()),
                "--count" => a.count = num(&val()) as u64,
                "--warmup" => warmup = Some(num(&val()) as u64),
                "--peers" => a.peers = num(&val()),
                "--mode" => a.mode = val(),
                "--payload" => {
                    a.shared = match val().as_str() {
                        "shared" => true,
                        "copy" => false,
                        o => die(&format!("unknown payload kind {o}")),
                    }
                }
                "--hwm" => a.hwm = Some(num(&val()) as i32),
                "--hold" => a.hold = true,
                "--timeout" => a.timeout = num(&val()) as u32,
                _ => die(&format!("unknown option {f}")),
            }
        }
        a.warmup = warmup.unwrap_or((a.count / 10).max(1)).max(1);
        // A hard stop for a peer that hangs: SIGALRM's default action ends it.
        unsafe { libc::alarm(a.timeout) };
        a
    }

    pub fn endpoint(&self) -> &str {
        self.bind
            .as_deref()
            .or(self.connect.as_deref())
            .unwrap_or_else(|| die("--connect or --bind is needed"))
    }

    pub fn is_bind(&self) -> bool {
        self.bind.is_some()
    }

    pub fn transport(&self) -> &str {
        if self.role.starts_with("inproc") {
            return "inproc";
        }
        self.endpoint().split("://").next().unwrap_or("?")
    }

    pub fn total(&self) -> u64 {
        self.warmup + self.count
    }

    pub fn payload(&self) -> Vec<u8> {
        vec![b'x'; self.size]
    }
}

fn num(s: &str) -> usize {
    s.parse().unwrap_or_else(|_| die(&format!("not a number: {s}")))
}

fn usage() -> ! {
    die(
        "PEER push|pull|pub|sub|lat-req|lat-rep|req|rep|inproc-thr|inproc-lat|conn-pull|version \
         (--connect EP | --bind EP) --size N --count M [--warmup W] [--peers N] [--mode M] \
         [--payload shared|copy] [--hwm N] [--hold] [--timeout S]",
    )
}

/// Tells the driver that the socket is bound (or the subscriber is served).
pub fn ready() {
    println!("READY");
    let _ = std::io::stdout().flush();
}

/// The control channel on standard input.
#[derive(Clone)]
pub struct Ctl {
    go: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    hold: bool,
    started: Instant,
}

impl Ctl {
    pub fn start(a: &Args) -> Ctl {
        let c = Ctl {
            go: Arc::new(AtomicBool::new(false)),
            closed: Arc::new(AtomicBool::new(false)),
            hold: a.hold,
            started: Instant::now(),
        };
        if a.hold {
            let d = c.clone();
            CTL_ALIVE.store(true, Ordering::SeqCst);
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines() {
                    match line {
                        Ok(l) if l.trim() == "GO" => d.go.store(true, Ordering::SeqCst),
                        Ok(_) => {}
                        Err(_) => break,
                    }
                }
                d.go.store(true, Ordering::SeqCst);
                d.closed.store(true, Ordering::SeqCst);
                // The holder sees `closed` 2 ms later at the earliest; this
                // thread is gone by then.
                CTL_ALIVE.store(false, Ordering::SeqCst);
            });
        }
        c
    }

    /// All subscribers are there (by hand: one second has passed).
    pub fn go(&self) -> bool {
        if self.hold {
            self.go.load(Ordering::SeqCst)
        } else {
            self.started.elapsed() > Duration::from_secs(1)
        }
    }

    /// The other side has finished (only meaningful with `--hold`).
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn hold_blocking(&self) {
        if self.hold {
            while !self.closed() {
                std::thread::sleep(self.pace());
            }
        } else {
            std::thread::sleep(Duration::from_millis(1000));
        }
    }

    /// How long a holder sleeps before it looks again: through a silence
    /// that is being measured, it does not look at all.
    pub fn pace(&self) -> Duration {
        let silent = SILENT_UNTIL.load(Ordering::SeqCst).saturating_sub(monotonic_ns());
        Duration::from_nanos(silent).max(Duration::from_millis(2))
    }

    pub fn holds(&self) -> bool {
        self.hold
    }
}

/// `await`s the end of the hold with the given runtime's sleep.
#[macro_export]
macro_rules! hold_async {
    ($ctl:expr, $sleep:path) => {
        if $ctl.holds() {
            while !$ctl.closed() {
                $sleep($ctl.pace()).await;
            }
        } else {
            $sleep(std::time::Duration::from_millis(1000)).await;
        }
    };
}

#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub user: f64,
    pub sys: f64,
    pub max_rss_kb: i64,
    pub vcsw: i64,
    pub icsw: i64,
}

impl Usage {
    pub fn now() -> Usage {
        let mut u: libc::rusage = unsafe { std::mem::zeroed() };
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut u) };
        let t = |v: libc::timeval| v.tv_sec as f64 + v.tv_usec as f64 / 1e6;
        Usage {
            user: t(u.ru_utime),
            sys: t(u.ru_stime),
            // Not ru_maxrss, which remembers the driver's size from before exec.
            max_rss_kb: status_field("VmHWM:"),
            vcsw: u.ru_nvcsw as i64,
            icsw: u.ru_nivcsw as i64,
        }
    }
}

fn status_field(key: &str) -> i64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| {
            s.lines()
                .find(|l| l.starts_with(key))
                .and_then(|l| l.split_whitespace().nth(1).and_then(|v| v.parse().ok()))
        })
        .unwrap_or(0)
}

pub fn rss_kb() -> i64 {
    status_field("VmRSS:")
}

/// Threads of this process, less the one that reads standard input.
pub fn threads() -> i64 {
    status_field("Threads:") - CTL_ALIVE.load(Ordering::SeqCst) as i64
}

static CTL_ALIVE: AtomicBool = AtomicBool::new(false);

/// CLOCK_MONOTONIC in nanoseconds: comparable between processes.
pub fn monotonic_ns() -> u64 {
    let mut t: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

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

/// The JSON line.
pub struct Report {
    out: String,
    size: usize,
}

impl Report {
    pub fn new(a: &Args, name: &str, version: &str) -> Report {
        let mut r = Report { out: String::from("{"), size: a.size };
        r.text("impl", name);
        r.text("version", version);
        r.text("role", &a.role);
        r.text("mode", &a.mode);
        r.text("transport", a.transport());
        r.int("size", a.size as i64);
        r.int("count", a.count as i64);
        r
    }

    fn key(&mut self, k: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push_str(&format!("\"{k}\":"));
    }

    pub fn text(&mut self, k: &str, v: &str) {
        self.key(k);
        let v: String = v.chars().filter(|c| *c != '"' && *c != '\\' && !c.is_control()).collect();
        self.out.push_str(&format!("\"{v}\""));
    }

    pub fn int(&mut self, k: &str, v: i64) {
        self.key(k);
        self.out.push_str(&v.to_string());
    }

    pub fn num(&mut self, k: &str, v: f64) {
        self.key(k);
        let v = if v.is_finite() { v } else { 0.0 };
        self.out.push_str(&format!("{v:.6}"));
    }

    pub fn rate(&mut self, count: u64, secs: f64) {
        self.num("seconds", secs);
        self.num("msgs_per_s", count as f64 / secs);
        self.num("mb_per_s", count as f64 * self.size as f64 / secs / 1e6);
    }

    pub fn usage(&mut self, u0: Usage, u1: Usage) {
        self.num("cpu_user_s", u1.user - u0.user);
        self.num("cpu_sys_s", u1.sys - u0.sys);
        self.int("max_rss_kb", u1.max_rss_kb);
        self.int("vol_ctx_switches", u1.vcsw - u0.vcsw);
        self.int("invol_ctx_switches", u1.icsw - u0.icsw);
        self.int("threads", threads());
    }

    pub fn print(mut self) {
        self.out.push('}');
        println!("{}", self.out);
        let _ = std::io::stdout().flush();
    }
}

/// A sender's own line: what the process used from `u0` until now.
pub fn sender_report(a: &Args, name: &str, version: &str, u0: Usage) {
    let mut r = Report::new(a, name, version);
    r.usage(u0, Usage::now());
    r.print();
}

/// How long the silence lasts whose CPU time the `conn` pattern reports, and
/// how long what the messages left to do may take before that.
const SILENCE: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_millis(100);
static SILENT_UNTIL: AtomicU64 = AtomicU64::new(0);

/// Receiver of the `conn` pattern: one message from each of `peers`
/// connections. Prints when the last one came, the memory per peer, and the
/// CPU time that they cost while nobody says anything.
pub struct Conn {
    want: usize,
    got: usize,
    rss0: i64,
}

impl Conn {
    pub fn new(a: &Args) -> Conn {
        Conn { want: a.peers, got: 0, rss0: rss_kb() }
    }

    pub fn msg(&mut self) -> bool {
        self.got += 1;
        self.got == self.want
    }

    pub fn report(&self, a: &Args, name: &str, version: &str) {
        let t1 = monotonic_ns();
        let mut r = Report::new(a, name, version);
        r.int("peers", self.want as i64);
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

/// For build scripts: the locked version of a dependency, as an environment
/// variable that the peer can print.
pub fn emit_locked_version(package: &str) {
    let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string(format!("{dir}/Cargo.lock")).unwrap_or_default();
    let mut hit = false;
    let mut version = "unknown".to_string();
    for line in lock.lines() {
        if let Some(n) = line.strip_prefix("name = ") {
            hit = n.trim_matches('"') == package;
        } else if hit {
            if let Some(v) = line.strip_prefix("version = ") {
                version = v.trim_matches('"').to_string();
                hit = false;
            }
        }
    }
    println!("cargo:rustc-env=RIVAL_VERSION={version}");
}
