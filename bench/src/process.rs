//! What the operating system knows about this process: CPU time, memory, threads, and the clock that
//! processes share. Read by the meters at the edges of a measurement.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::alarm;

/// Has the process killed by SIGALRM after so many seconds, however badly it hangs. 0: never.
pub(crate) fn stop_after(seconds: u32) {
    if seconds > 0 {
        alarm::set(seconds);
    }
}

/// Resources used since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) max_rss_kb: i64,
    /// Times that it waited.
    pub(crate) voluntary_switches: i64,
    /// Times that it had to give way.
    pub(crate) involuntary_switches: i64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Usage::default();
        };
        let time = |time: nix::sys::time::TimeVal| {
            Duration::from_micros(time.num_microseconds().unsigned_abs())
        };
        Usage {
            user: time(usage.user_time()),
            system: time(usage.system_time()),
            // Not the `maxrss` of getrusage, which remembers the parent's size from before exec.
            max_rss_kb: status("VmHWM:"),
            voluntary_switches: usage.voluntary_context_switches(),
            involuntary_switches: usage.involuntary_context_switches(),
        }
    }

    /// User and system time since `before`.
    pub(crate) fn cpu_since(&self, before: Usage) -> Duration {
        (self.user + self.system).saturating_sub(before.user + before.system)
    }
}

/// CLOCK_MONOTONIC in nanoseconds: comparable between the processes of one machine.
pub(crate) fn monotonic_ns() -> u64 {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(now) => u64::try_from(now.num_nanoseconds()).unwrap_or_default(),
        Err(_) => 0,
    }
}

/// When the program began, and when its socket began to connect or to bind.
static BEGAN: (AtomicU64, AtomicU64) = (AtomicU64::new(0), AtomicU64::new(0));

pub(crate) fn started() {
    BEGAN.0.store(monotonic_ns(), Ordering::Relaxed);
}

/// A socket is about to connect or to bind.
pub(crate) fn attaching() {
    BEGAN.1.store(monotonic_ns(), Ordering::Relaxed);
}

/// What [`started`] and [`attaching`] have noted.
pub(crate) fn began() -> (u64, u64) {
    let (started, attaching) = &BEGAN;
    (
        started.load(Ordering::Relaxed),
        attaching.load(Ordering::Relaxed),
    )
}

/// Memory in use now, in KiB.
pub(crate) fn rss_kb() -> i64 {
    status("VmRSS:")
}

/// Threads that serve the measurement: all but those [`set_aside`].
pub(crate) fn threads() -> i64 {
    status("Threads:") - ASIDE.load(Ordering::Relaxed)
}

static ASIDE: AtomicI64 = AtomicI64::new(0);

/// Keeps one thread, which lives as long as the process, out of [`threads`].
pub(crate) fn set_aside() {
    ASIDE.fetch_add(1, Ordering::Relaxed);
}

/// A number out of `/proc/self/status`; 0 where there is no such file.
fn status(field: &str) -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
