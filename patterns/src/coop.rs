//! Letting others go first: what a session, an application and a proxy do that have been busy for long.

use std::future::Future;
use std::pin::pin;
use std::task::Context;

/// Has the task woken when all that are ready now, and what waits for the system, had their turn.
///
/// A waker called here would do less: on a current-thread runtime the queue of tasks gets dozens of turns for each
/// one of the task in `block_on`, which is where the application often is, and its sessions would fill the
/// pipes as far as the HWM allows before it could take a message out.
#[cold]
pub(crate) fn yield_to_others(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}
