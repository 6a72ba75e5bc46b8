//! What the library leaves to chance, keys excepted: where delays and names begin. One place, so that a simulation can
//! decide it.

/// Returns a source of random numbers, seeded by the thread's.
#[cfg(not(purezmq_simulation))]
pub(crate) fn rng() -> fastrand::Rng {
    fastrand::Rng::new()
}

/// Returns a source of random numbers, seeded by the thread's, or by the simulation's.
#[cfg(purezmq_simulation)]
pub(crate) fn rng() -> fastrand::Rng {
    crate::simulation::rng()
}
