//! What the library leaves to chance, keys excepted: where delays and names begin. One place, so that a simulation can
//! decide it.

#[cfg(not(purezmq_simulation))]
use std::hash::{BuildHasher, RandomState};

/// Returns a source of random numbers, seeded by the system's: fastrand's own seed is the time, which others know.
#[cfg(not(purezmq_simulation))]
pub(crate) fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(RandomState::new().hash_one(()))
}

/// Returns a source of random numbers, seeded by the simulation's.
#[cfg(purezmq_simulation)]
pub(crate) fn rng() -> fastrand::Rng {
    crate::simulation::rng()
}
