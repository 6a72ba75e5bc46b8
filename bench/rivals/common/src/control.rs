//! The control channel on standard input (see `lib.rs`).

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::conn::SILENT_UNTIL;
use crate::process::{Usage, monotonic_ns};
use crate::report::sender_report;

/// Tells the driver that the socket is bound (or the subscriber is served).
pub fn ready() {
    println!("READY");
    let _ = std::io::stdout().flush();
}

/// A thread reads standard input.
pub(crate) static CTL_ALIVE: AtomicBool = AtomicBool::new(false);

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

    /// For a sender without an end, or a receiver that has reported: ends the process when the driver says so.
    pub fn end_when_closed(&self, a: &Args, name: &'static str, version: &str, u0: Option<Usage>) {
        if !a.endless {
            return;
        }
        let (ctl, a, version) = (self.clone(), a.clone(), version.to_string());
        std::thread::spawn(move || {
            ctl.hold_blocking();
            if let Some(u0) = u0 {
                sender_report(&a, name, &version, u0);
            }
            std::process::exit(0);
        });
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
