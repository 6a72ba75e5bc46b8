//! The bugs that are planted to try the oracles (`planted/`).

use std::process::Command;

/// Each patch is one of this tree: where it cannot be applied, `scripts/simulate --planted` cannot try it.
#[test]
fn each_planted_bug_has_its_place() {
    let crate_folder = env!("CARGO_MANIFEST_DIR");
    let folder = std::fs::read_dir(format!("{crate_folder}/planted")).expect("the patches");
    let mut patches: Vec<_> = folder.map(|one| one.expect("a file").path()).collect();
    patches.sort();
    assert!(!patches.is_empty());
    let misplaced: Vec<_> = patches
        .iter()
        .filter(|patch| {
            let git = Command::new("git")
                .args(["apply", "--check"])
                .arg(patch)
                .current_dir(format!("{crate_folder}/.."))
                .status();
            !git.expect("git").success()
        })
        .collect();
    assert!(misplaced.is_empty(), "make these anew: {misplaced:#?}");
}
