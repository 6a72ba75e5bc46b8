//! The number of this process, without a system call: a process that is forked gets nothing of its parent's threads, and
//! must not use what both have.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// No process has this number.
const UNKNOWN: u32 = 0;

static NUMBER: AtomicU32 = AtomicU32::new(UNKNOWN);

/// Returns it.
#[inline]
pub(crate) fn number() -> u32 {
    match NUMBER.load(Ordering::Relaxed) {
        UNKNOWN => find(),
        number => number,
    }
}

#[cold]
fn find() -> u32 {
    static TELLS: OnceLock<bool> = OnceLock::new();
    let number = std::process::id();
    // SAFETY: the handler does no more than a store, which is allowed in a process that was just forked.
    let tells = || !cfg!(miri) && unsafe { libc::pthread_atfork(None, None, Some(forget)) } == 0;
    if *TELLS.get_or_init(tells) {
        NUMBER.store(number, Ordering::Relaxed);
    }
    number
}

/// Is called in a process that was just forked.
extern "C" fn forget() {
    NUMBER.store(UNKNOWN, Ordering::Relaxed);
}
