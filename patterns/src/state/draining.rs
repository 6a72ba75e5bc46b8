//! Whether a socket drains: takes no new work, answers what is in, and is about to be closed.
//!
//! `core/draining.rs` begins it, and says when it is over. Listeners close, subscriptions end, and every pipe is asked
//! (`StatsRegistry::drain`); connections whose handshake is under way are asked when it is through
//! (`connection/session/draining.rs`).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Shared, State};
use crate::pipe::PipeEvent;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One for each socket.
#[derive(Default)]
pub(crate) struct Draining {
    has_begun: AtomicBool,
    /// Tells those that wait for it, once there is somebody.
    begun: OnceLock<CancellationToken>,
    /// When it is over at the latest. Nothing: it takes as long as it takes.
    until: Mutex<Option<Instant>>,
    /// Handshakes in which the peer has begun to speak: what follows may be work.
    greeting: AtomicUsize,
}

impl Draining {
    /// Begins, or changes the limit.
    pub(crate) fn begin(&self, limit: Duration) {
        *self.until.lock() = Instant::now().checked_add(limit);
        self.has_begun.store(true, Ordering::Release);
        self.token().cancel();
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Waits until it begins.
    pub(crate) async fn begun(&self) {
        self.token().cancelled().await;
    }

    fn token(&self) -> &CancellationToken {
        self.begun.get_or_init(CancellationToken::new)
    }

    /// Returns when it is over at the latest.
    pub(crate) fn until(&self) -> Option<Instant> {
        *self.until.lock()
    }

    /// Returns whether a peer may be about to be let in.
    pub(crate) fn is_greeting(&self) -> bool {
        self.greeting.load(Ordering::Acquire) > 0
    }
}

/// Held during a handshake, from the peer's first word on.
pub(crate) struct Greeting {
    state: Arc<State>,
}

impl Shared {
    /// Begins a handshake that has to be waited for.
    pub(crate) fn greeting(&self) -> Greeting {
        self.state.draining.greeting.fetch_add(1, Ordering::AcqRel);
        Greeting {
            state: self.state.clone(),
        }
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        self.state.draining.greeting.fetch_sub(1, Ordering::AcqRel);
        self.state.drain_changed();
    }
}

impl State {
    /// Has whoever receives look whether anything more comes.
    pub(crate) fn drain_changed(&self) {
        if self.draining.has_begun() {
            self.readers.post(PipeEvent::Look);
        }
    }
}
