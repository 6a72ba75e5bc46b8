//! Allocations, counted by thread: for each message, for what is kept, waits or is only announced, for peers that come and
//! go.
//!
//! A program of its own, since the counter takes the place of the allocator; beside the other tests, since it must be
//! the build that users have. Each test works on one thread, so they can run at the same time.

mod announced_sizes;
mod crashes;
mod departed;
mod handshakes;
mod kept;
mod messages;
mod stalled;
