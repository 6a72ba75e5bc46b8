//! [`Lent`] on a system where no stream is taken out of its runtime: there is none.

use std::convert::Infallible;
use std::sync::Arc;

use socket2::Socket;
use tokio::time::Instant;

/// A stream without a runtime.
#[derive(Debug)]
#[allow(dead_code, reason = "there is none")]
pub(crate) struct Lent {
    never: Infallible,
    pub(crate) look_at: Instant,
    pub(crate) is_read: bool,
}

impl Lent {
    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        match self.never {}
    }

    pub(crate) fn note_readable(&mut self) {
        match self.never {}
    }

    pub(crate) fn is_wanted_back(&self) -> bool {
        match self.never {}
    }

    pub(crate) fn want_back(&mut self) {
        match self.never {}
    }
}
