//! The bugs that `scripts/simulate --planted` puts in can still be put in: code that is moved takes its bug along.

use std::fs;
use std::process::Command;

use crate::links::root;

#[test]
fn planted_bugs_fit_into_the_code() {
    let folder = root().join("simulation/planted");
    let mut patches: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    patches.sort();
    assert!(patches.len() > 20, "{} patches", patches.len());
    let unfit: Vec<_> = patches
        .iter()
        .filter(|patch| {
            let mut git = Command::new("git");
            git.args(["apply", "--check"]).arg(patch);
            !git.current_dir(root()).status().unwrap().success()
        })
        .collect();
    assert!(unfit.is_empty(), "{unfit:#?}");
}
