//! The sockets of a context that have ended and still linger: each comes here with its end (`core/endpoint_table.rs`),
//! and `Context::flush` and the last of the blocking sockets wait for them.

use std::sync::{Arc, Weak};

use crate::state::State;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Entries of sockets that are done may be as many as those of sockets that linger, and these.
const SLACK: usize = 16;

/// One for each context.
#[derive(Default)]
pub(crate) struct Lingering {
    sockets: Mutex<Sockets>,
    /// Handles of blocking sockets that are there.
    blocking: AtomicUsize,
}

#[derive(Default)]
struct Sockets {
    known: Vec<Ended>,
    /// With so many, it is time to look which are done.
    look_at: usize,
}

struct Ended {
    /// Kept by the socket's tasks.
    state: Weak<State>,
    /// The drop of a blocking socket has waited for it. None does so twice.
    is_waited_for: bool,
}

impl Lingering {
    /// Enters a socket that has ended.
    pub(crate) fn enter(&self, state: &Arc<State>) {
        if state.tasks.receiver_count() == 0 {
            return;
        }
        let mut sockets = self.sockets.lock();
        sockets.known.push(Ended {
            state: Arc::downgrade(state),
            is_waited_for: false,
        });
        if sockets.known.len() >= sockets.look_at {
            sockets.known.retain(|one| one.lingers().is_some());
            sockets.look_at = 2 * sockets.known.len() + SLACK;
        }
    }

    /// Returns the sockets that linger.
    pub(super) fn all(&self) -> Vec<Arc<State>> {
        let sockets = self.sockets.lock();
        sockets.known.iter().filter_map(Ended::lingers).collect()
    }

    /// Returns those that have something to send, each of them once only.
    fn unsent(&self) -> Vec<Arc<State>> {
        let mut sockets = self.sockets.lock();
        let known = sockets.known.iter_mut();
        let lingering = known.filter_map(|one| match one.is_waited_for {
            true => None,
            false => {
                one.is_waited_for = true;
                one.lingers()
            }
        });
        lingering.filter(|state| state.left() > 0).collect()
    }

    /// Counts another handle of a blocking socket.
    pub(super) fn blocking_begins(&self) {
        self.blocking.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one less. If it was the last, returns what there is to wait for.
    pub(super) fn blocking_ends(&self) -> Vec<Arc<State>> {
        match self.blocking.fetch_sub(1, Ordering::AcqRel) {
            1 => self.unsent(),
            _ => Vec::new(),
        }
    }
}

impl Ended {
    fn lingers(&self) -> Option<Arc<State>> {
        let state = self.state.upgrade()?;
        (state.tasks.receiver_count() > 0).then_some(state)
    }
}

/// Waits until those sockets have sent what they had, or their times to linger are over.
pub(super) async fn ended(sockets: &[Arc<State>]) {
    for state in sockets {
        state.tasks.closed().await;
    }
}

/// Counts what those sockets have not sent.
pub(super) fn left(sockets: &[Arc<State>]) -> usize {
    sockets.iter().map(|state| state.left()).sum()
}
