//! A few seeds with every run of the tests. `scripts/simulate` runs them by the thousand.
#![cfg(purezmq_simulation)]

use simulation::run;

/// No oracle has anything to say.
#[test]
fn nothing_fails() {
    for seed in 1..=150 {
        let outcome = run(seed, false);
        assert!(
            outcome.failures.is_empty(),
            "seed {seed}: {:#?}",
            outcome.failures
        );
    }
}

/// The same seed is the same run: each event, and its time, whatever has run before, on whatever thread.
#[test]
fn a_seed_replays_exactly() {
    let of = |seed| {
        let outcome = run(seed, false);
        (outcome.hash, outcome.events, outcome.sent, outcome.received)
    };
    let forward: Vec<_> = (1..=40).map(of).collect();
    let backward = std::thread::spawn(move || (1..=40).rev().map(of).collect::<Vec<_>>());
    let backward = backward.join().expect("no panic");
    assert!(forward.iter().eq(backward.iter().rev()));
    // And different seeds are different runs.
    let hashes: std::collections::HashSet<_> = forward.iter().map(|one| one.0).collect();
    assert_eq!(hashes.len(), forward.len());
}

/// With its history a run is the same, too.
#[test]
fn a_history_tells_what_happened() {
    let (silent, told) = (run(3, false), run(3, true));
    assert_eq!(silent.hash, told.hash);
    assert!(silent.history.is_empty());
    assert_eq!(told.history.len() as u64, told.events);
    assert!(told.history.iter().any(|line| line.contains("heal")));
}
