//! Runs seeds of the simulation: `simulate N [FIRST-SEED]`, on all cores. Prints the seeds that fail, and the history
//! of the first of them; with N = 1 and `--history`, the history in any case. `--stop` stops at the first. See `scripts/simulate`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use simulation::Outcome;

/// A seed that takes so long does not come to an end.
const HANGS: Duration = Duration::from_secs(120);

/// Lines of a failing seed's history that are shown. `simulate 1 SEED --history` shows all.
const SHOWN: usize = 200;

/// What the threads share.
struct Work {
    next: AtomicU64,
    end: u64,
    done: AtomicU64,
    failed: AtomicU64,
    stop: AtomicBool,
    shows_history: bool,
    /// The first seed that fails is the last one.
    stops: bool,
    bar: ProgressBar,
    /// What each thread is at, and since when.
    at: Vec<Mutex<Option<(u64, Instant)>>>,
}

pub(crate) fn run() -> ExitCode {
    let (mut numbers, mut shows_history, mut stops) = (Vec::new(), false, false);
    for argument in std::env::args().skip(1) {
        match argument.parse::<u64>() {
            Ok(number) => numbers.push(number),
            Err(_) if argument == "--history" => shows_history = true,
            Err(_) if argument == "--stop" => stops = true,
            Err(_) => return usage(),
        }
    }
    let (count, first) = match numbers[..] {
        [count] => (count, 1),
        [count, first] => (count, first),
        _ => return usage(),
    };
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let style = "{bar:40} {pos}/{len} seeds, {per_sec}, {eta} to go {msg}";
    let style = ProgressStyle::with_template(style).expect("the template is right");
    let work = Arc::new(Work {
        next: AtomicU64::new(first),
        end: first.saturating_add(count),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        shows_history: shows_history && count == 1,
        stops,
        bar: ProgressBar::new(count).with_style(style),
        at: (0..threads).map(|_| Mutex::new(None)).collect(),
    });
    let began = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|thread| {
            let work = work.clone();
            std::thread::spawn(move || work.run(thread))
        })
        .collect();
    watch(&work, || running.iter().all(|thread| thread.is_finished()));
    work.bar.finish_and_clear();
    let (done, failed) = (
        work.done.load(Ordering::SeqCst),
        work.failed.load(Ordering::SeqCst),
    );
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let rate = done as f64 / minutes;
    println!("seeds={done} failed={failed} per_minute={rate:.0}");
    ExitCode::from(u8::from(failed > 0))
}

fn usage() -> ExitCode {
    eprintln!("simulate N [FIRST-SEED] [--history] [--stop]");
    ExitCode::from(2)
}

/// Waits for the threads, for Ctrl-C, or until a seed hangs.
fn watch(work: &Work, all_done: impl Fn() -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system gives a runtime");
    runtime.block_on(async {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        while !all_done() {
            tokio::select! {
                _ = &mut interrupted => {
                    // Each thread ends with the seed that it is at.
                    work.stop.store(true, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    return;
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            for at in &work.at {
                if let Some((seed, since)) = *at.lock()
                    && since.elapsed() > HANGS
                {
                    let seconds = HANGS.as_secs();
                    work.say(format!("seed {seed} does not end within {seconds} s"));
                    work.failed.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        }
    });
}

impl Work {
    fn run(&self, thread: usize) {
        while !self.stop.load(Ordering::SeqCst) {
            let seed = self.next.fetch_add(1, Ordering::SeqCst);
            if seed >= self.end {
                break;
            }
            *self.at[thread].lock() = Some((seed, Instant::now()));
            let outcome = simulation::run(seed, self.shows_history);
            self.done.fetch_add(1, Ordering::SeqCst);
            self.bar.inc(1);
            if self.shows_history {
                self.say(outcome.history.join("\n"));
            }
            if !outcome.failures.is_empty() {
                self.report(seed, &outcome);
                if self.stops {
                    self.stop.store(true, Ordering::SeqCst);
                }
            } else if self.end - seed == 1 && self.done.load(Ordering::SeqCst) == 1 {
                self.say(summary(seed, &outcome));
            }
        }
        *self.at[thread].lock() = None;
    }

    /// A seed has failed: it is run once more, for its history, if it is the first.
    fn report(&self, seed: u64, outcome: &Outcome) {
        let failed = self.failed.fetch_add(1, Ordering::SeqCst) + 1;
        self.bar.set_message(format!("{failed} failed"));
        let mut text = summary(seed, outcome);
        for failure in &outcome.failures {
            text += &format!("\n    {failure}");
        }
        if failed == 1 && !self.shows_history {
            let history = simulation::run(seed, true).history;
            let from = history.len().saturating_sub(SHOWN);
            text += &format!("\n  its last events, after {from} others:\n");
            text += &history[from..].join("\n");
        }
        text += &format!("\n  replay: scripts/simulate 1 {seed} --history");
        self.say(text);
    }

    fn say(&self, text: String) {
        self.bar.suspend(|| println!("{text}"));
    }
}

fn summary(seed: u64, outcome: &Outcome) -> String {
    let Outcome {
        hash,
        events,
        sent,
        received,
        ..
    } = outcome;
    format!(
        "seed {seed}: {events} events, {sent} messages sent, {received} received, hash {hash:016x}"
    )
}
