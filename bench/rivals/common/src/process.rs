//! What this process has used, and the clock that processes share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::control::CTL_ALIVE;

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

/// CLOCK_MONOTONIC in nanoseconds: comparable between processes.
pub fn monotonic_ns() -> u64 {
    let mut t: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// When the program began, and when it began to connect or to bind.
static STARTED: AtomicU64 = AtomicU64::new(0);
static ATTACHED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn started() {
    STARTED.store(monotonic_ns(), Ordering::Relaxed);
}

/// The socket is about to connect, or to bind.
pub fn attaching() {
    ATTACHED.store(monotonic_ns(), Ordering::Relaxed);
}

pub(crate) fn began() -> (u64, u64) {
    (STARTED.load(Ordering::Relaxed), ATTACHED.load(Ordering::Relaxed))
}
