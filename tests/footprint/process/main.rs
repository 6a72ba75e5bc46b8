//! What belongs to the whole process: descriptors, memory, threads, and who has the processor.
//!
//! A program of its own, and one test at a time: each waits for its [`turn`].

#![cfg(unix)]

mod attack;
mod attackers;
mod descriptors;
mod leaks;
mod placement;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Builder;

/// How many threads the runtime of a test has.
enum Threads {
    One,
    Two,
}

/// Waits until no other test runs; none begins before the guard is dropped.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test when no other does. Its runtime is made then, too: that has threads and descriptors of its own.
fn alone(threads: Threads, test: impl Future<Output = ()>) {
    let _turn = turn();
    let mut builder = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::Two => Builder::new_multi_thread(),
    };
    if let Threads::Two = threads {
        builder.worker_threads(2);
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(test);
}
