//! [`Now`]: when input came, for the connections that have to know.

use std::time::Instant;

/// Says what time it is, or whom to ask. Reading the clock takes as long as handling a small message, and most
/// connections have no use for it.
///
/// ```
/// use std::time::Instant;
/// use purezmq_zmtp::Now;
///
/// let now = Instant::now();
/// assert_eq!(Now::from(now).get(), now);
/// assert!(Now::Ask(Instant::now).get() >= now);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Now {
    /// It is this time.
    At(Instant),
    /// This says so. It is not called if the time does not matter.
    Ask(fn() -> Instant),
}

impl Now {
    /// Returns the time.
    #[must_use]
    pub fn get(self) -> Instant {
        match self {
            Now::At(time) => time,
            Now::Ask(clock) => clock(),
        }
    }
}

impl From<Instant> for Now {
    fn from(time: Instant) -> Self {
        Now::At(time)
    }
}
