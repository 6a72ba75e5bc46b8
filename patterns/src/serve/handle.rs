//! What steers a server, and tells what it has done.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{AtomicWaker, Mutex};

/// Steers a [`Server`](super::Server), from any task or thread. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// How long draining takes at most, once it is told to.
    limit: Mutex<Option<Duration>>,
    task: AtomicWaker,
    counts: Counts,
}

/// Only the server's own task adds.
#[derive(Debug, Default)]
pub(super) struct Counts {
    taken: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// Calls that are made now.
    pub under_way: u64,
    /// Calls that have returned an answer.
    pub answered: u64,
    /// Calls that have failed, or panicked.
    pub failed: u64,
}

impl ServerHandle {
    /// Ends [`run`](super::Server::run) without losing what is in: takes no new requests, answers those that have come, and
    /// closes the socket. After `limit` it ends anyway.
    pub fn drain(&self, limit: Duration) {
        *self.shared.limit.lock() = Some(limit);
        self.shared.task.wake();
    }

    /// Returns what has been done so far.
    pub fn statistics(&self) -> ServerStatistics {
        let Counts {
            taken,
            answered,
            failed,
        } = &self.shared.counts;
        let answered = answered.load(Ordering::Relaxed);
        let failed = failed.load(Ordering::Relaxed);
        let taken = taken.load(Ordering::Relaxed);
        ServerStatistics {
            under_way: taken.saturating_sub(answered + failed),
            answered,
            failed,
        }
    }

    /// Returns how long draining takes at most, if it is to drain.
    pub(super) fn limit(&self) -> Option<Duration> {
        *self.shared.limit.lock()
    }

    /// Wakes the server's task from now on.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        self.shared.task.register(cx.waker());
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Counts {
    pub(super) fn taken(&self) {
        more(&self.taken);
    }

    pub(super) fn answered(&self) {
        more(&self.answered);
    }

    pub(super) fn failed(&self) {
        more(&self.failed);
    }
}

fn more(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
