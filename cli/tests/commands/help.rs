//! The help of each command fits one screen and has examples; completions and manual pages are made of it.

use crate::running::{pzmq, written};

const SCREEN: usize = 50;

/// The names of all commands, as the completions for a shell know them.
fn commands() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    pzmq(["man"]).arg(folder.path()).assert().success();
    let pages = std::fs::read_dir(folder.path()).expect("a folder");
    let mut names: Vec<_> = pages
        .map(|page| {
            page.expect("a page")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter_map(|page| Some(page.strip_prefix("pzmq-")?.strip_suffix(".1")?.to_owned()))
        .collect();
    names.sort();
    assert!(folder.path().join("pzmq.1").exists());
    names
}

#[test]
fn each_help_fits_a_screen_and_has_examples() {
    let mut commands = commands();
    assert!(commands.len() > 25, "{commands:?}");
    commands.retain(|name| name != "help");
    let all = commands.iter().map(|name| vec![name.as_str(), "--help"]);
    for arguments in std::iter::once(vec!["--help"]).chain(all) {
        let help = written(&pzmq(&arguments).assert().success());
        let lines = help.lines().count();
        assert!(lines <= SCREEN, "{arguments:?}: {lines} lines\n{help}");
        assert!(help.contains("Examples:"), "{arguments:?}\n{help}");
    }
}

#[test]
fn the_help_lists_the_exit_codes() {
    let help = written(&pzmq(["--help"]).assert().success());
    for line in [
        "Exit codes:",
        "  3    time-out",
        "  4    the input cannot be read",
    ] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = written(&pzmq(["completions", shell]).assert().success());
        assert!(
            script.contains("doctor") && script.contains("max-size"),
            "{shell}"
        );
    }
}
