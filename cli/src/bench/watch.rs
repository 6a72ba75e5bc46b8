//! Watches a run from a thread of its own: draws the progress bar, on a terminal only, and ends a run to which nothing
//! comes any more. The loops that are measured do no more for it than to write down how far they are.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// How often it looks.
const TICK: Duration = Duration::from_millis(100);

/// How far each of those is who receive.
pub(super) struct Progress {
    seen: Vec<Arc<AtomicU64>>,
    done: AtomicBool,
}

impl Progress {
    pub(super) fn new(receivers: usize) -> Arc<Self> {
        Arc::new(Progress {
            seen: (0..receivers).map(|_| Arc::default()).collect(),
            done: AtomicBool::new(false),
        })
    }

    /// Returns where a receiver writes down how many it has.
    pub(super) fn of(&self, receiver: usize) -> Arc<AtomicU64> {
        self.seen[receiver].clone()
    }

    fn sum(&self) -> u64 {
        self.seen
            .iter()
            .map(|seen| seen.load(Ordering::Relaxed))
            .sum()
    }
}

/// The thread that watches. It goes with its handle.
pub(super) struct Watch {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch a run of `total` messages. When nothing has come for `patience`, the process ends, with a sentence that
    /// says what is `missing`.
    pub(super) fn begin(
        progress: &Arc<Progress>,
        total: u64,
        patience: Duration,
        missing: &'static str,
    ) -> Self {
        let watched = progress.clone();
        let thread = thread::spawn(move || watch(&watched, total, patience, missing));
        Watch {
            progress: progress.clone(),
            thread: Some(thread),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.progress.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn watch(progress: &Progress, total: u64, patience: Duration, missing: &str) {
    let bar = bar(total);
    let mut last = (0, Instant::now());
    while !progress.done.load(Ordering::Acquire) {
        thread::park_timeout(TICK);
        let seen = progress.sum();
        bar.set_position(seen);
        let now = Instant::now();
        if seen != last.0 {
            last = (seen, now);
        } else if now - last.1 >= patience && !progress.done.load(Ordering::Acquire) {
            bar.finish_and_clear();
            let failure = Failure::TimedOut(format!(
                "nothing has come for {patience:?}, after {seen} of {total} messages: {missing}"
            ));
            // The loops wait for what does not come; this is the only thread that can end them.
            failure.report();
            std::process::exit(failure.code().into());
        }
    }
    bar.finish_and_clear();
}

fn bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{bar:40} {percent:>3} % {human_pos}/{human_len} {per_sec} {eta}",
    );
    bar.set_style(style.expect("a template that can be read"));
    bar
}
