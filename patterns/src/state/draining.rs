//! Whether a socket drains: takes no new work, answers what is in, and is about to be closed.
//!
//! `core/draining.rs` begins it, and says when it is over. Listeners close, subscriptions end, and every pipe is asked
//! (`StatsRegistry::drain`); connections whose handshake is under way are asked when it is through
//! (`connection/session/draining.rs`), and who has come without a word so far is not let in.

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
        self.has_begun.store(true, Ordering::SeqCst);
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

    /// Returns whether a peer may be about to be let in. One whose handshake is not among them yet finds that it has
    /// [begun](Self::has_begun): each side writes before it looks at what the other has written.
    pub(crate) fn is_greeting(&self) -> bool {
        self.greeting.load(Ordering::SeqCst) > 0
    }
}

/// Held during a handshake, from the peer's first word on.
pub(crate) struct Greeting {
    state: Arc<State>,
}

impl Shared {
    /// Begins a handshake that has to be waited for. `None`: it is with a peer that comes too late.
    pub(crate) fn greeting(&self, comes: bool) -> Option<Greeting> {
        let draining = &self.state.draining;
        draining.greeting.fetch_add(1, Ordering::SeqCst);
        let greeting = Greeting {
            state: self.state.clone(),
        };
        let is_late = comes && draining.has_begun.load(Ordering::SeqCst);
        (!is_late).then_some(greeting)
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
