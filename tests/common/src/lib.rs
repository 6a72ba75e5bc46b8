//! What the tests share: real peers (libzmq in threads, pyzmq in processes), places to meet,
//! payloads with hashes, and waiting that always ends.
//!
//! Every wait goes through [`within`], so that a lost message fails one named test after 30 seconds
//! instead of hanging the run. Nothing here sleeps in the hope that something has happened by then.

#![allow(async_fn_in_trait, missing_docs, reason = "only tests call it")]

#[cfg(feature = "peers")]
pub mod browser;
pub mod events;
#[cfg(feature = "peers")]
pub mod example;
#[cfg(feature = "peers")]
pub mod libzmq;
#[cfg(feature = "peers")]
pub mod matrix;
#[cfg(feature = "peers")]
pub mod payload;
#[cfg(feature = "peers")]
pub mod peer;
#[cfg(feature = "peers")]
pub mod place;
#[cfg(feature = "peers")]
pub mod python;
pub mod raw;
pub mod requests;
pub mod roles;

use std::time::Duration;

/// How long any single wait may take. Far above what a loaded machine with two cores needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits `future`, and panics with `what` when it takes longer than [`PATIENCE`].
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what}: still waiting after {PATIENCE:?} (at {caller})"),
        }
    }
}

/// Waits until something is so of which nothing tells: counters that change, a descriptor that is closed. What is told is
/// waited for as an event.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    // Often enough that nobody notices, seldom enough that others run meanwhile.
    const PAUSE: Duration = Duration::from_millis(1);
    within(what, async move {
        while !is_so() {
            tokio::time::sleep(PAUSE).await;
        }
    })
}
