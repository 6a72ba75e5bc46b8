//! What the allocator is told about this library's use of it.

use std::hint::black_box;
use std::sync::Once;

/// The block that is freed, in bytes: GNU's allocator keeps twice as much of what is free at the end of a heap, and asks the
/// system for each larger one. As much as a socket queues by default, so that what is kept is what an inproc connection
/// holds; 32 MiB is the most that the allocator learns from.
const BLOCK: usize = 32_000 << 10;

/// Has the allocator keep the memory of messages that one thread makes and another frees. A receiver that catches up frees a
/// queue of them, up to the end of the heap, and by default all but 128 KiB of that is given back to the system, to be faulted
/// in again page by page for the next ones: a fifth of what a message of 1 KiB costs between neighbours. How much is kept
/// follows the largest block that was ever given back: so one is, which was never touched. Who has chosen these limits
/// (`mallopt`, `MALLOC_TRIM_THRESHOLD_`) has them as they are.
pub(crate) fn keep_free() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the block is freed once, and nothing is read or written there. If there is none, NULL is freed, which is
        // nothing.
        unsafe { libc::free(black_box(libc::malloc(BLOCK))) };
    });
}
