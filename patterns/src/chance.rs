//! What the library leaves to chance, keys excepted: where delays and names begin. One place, so that a simulation can
//! decide it.

use rand::Rng;

/// The thread's source of random numbers.
#[cfg(not(purezmq_simulation))]
pub(crate) fn rng() -> impl Rng {
    rand::rng()
}

/// The thread's source of random numbers, or the simulation's.
#[cfg(purezmq_simulation)]
pub(crate) fn rng() -> impl Rng {
    crate::simulation::rng()
}
