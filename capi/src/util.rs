//! What libzmq has beside sockets: versions, counters, clocks, timers, threads, and text for keys.

mod atomic;
mod clock;
mod curve;
mod threads;
mod timers;
mod version;

pub use atomic::*;
pub use clock::*;
pub use curve::*;
pub use threads::*;
pub use timers::*;
pub use version::*;
