//! The models: what threads share, run by loom in every order in which the threads can meet (`sync.rs`), as far as
//! [`PREEMPTIONS`] goes. They are beside the code that they model, in modules named `loom_tests`:
//!
//! | what | where |
//! |---|---|
//! | pipe: push, take, park, wake, credit, both ends' goodbyes, hiccup, counters; inbox | `pipe/loom_tests.rs` |
//! | marks that change; connections that are ended from outside | `pipe/loom_tests/` |
//! | link: who drives a session; door: who may come in | `connection/loom_tests.rs` |
//! | calls that wait while endpoints go | `core/loom_tests.rs` |
//! | socket handles, whole, over inproc: notes, halves, shared senders, names | `socket/loom_tests.rs` |
//! | requester: its task, its handles, requests that begin, end and are dropped | `requester/owner/loom_tests.rs` |
//! | proxy's handle | `proxy/steering/loom_tests.rs` |
//! | thread that blocks | `blocking/loom_tests.rs` |
//!
//! `scripts/models` runs them. A future that nobody wakes is a deadlock, which loom finds. Each model says which
//! break of the code it was seen to catch.
//!
//! Not modelled, since nothing is to be ordered: counting of ids, turns of I/O threads, settings read relaxed.
//! `Arc`, and what tokio brings (its oneshot channels, its mutex), are taken as they are: a step of theirs happens
//! at once here.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;

/// So often a run may take a thread's turn away from it where it could go on. Most bugs need one or two.
const PREEMPTIONS: usize = 3;

/// Steps that threads take in one run, at most: more is a loop that waits for nothing.
const STEPS: usize = 20_000;

/// Runs `model` in every order that there is.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    check_within(PREEMPTIONS, model);
}

/// The same with fewer preemptions, for models of many threads. `LOOM_MAX_PREEMPTIONS` says otherwise.
pub(crate) fn check_within(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = STEPS;
    builder.check(model);
}

/// A thread that waits for its future.
#[derive(Default)]
struct Waiting(Notify);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

/// Runs a future, polled only when it was woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waiting = Arc::<Waiting>::default();
    let waker = Waker::from(waiting.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        waiting.0.wait();
    }
}
