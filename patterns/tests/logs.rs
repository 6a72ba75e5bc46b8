//! Each line that is logged stands in the table of `src/logs.rs`, with its target and level, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Target, level and message.
type Line = (String, String, String);

/// Returns the Rust files of a folder, and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// Returns the rows of the table.
fn documented(text: &str) -> BTreeSet<Line> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let mut cells = row
            .split(" | ")
            .map(|cell| cell.trim_matches('`').to_owned());
        let mut cell = || {
            cells
                .next()
                .expect("a row has a target, a level and a message")
        };
        (cell(), cell(), cell())
    })
    .collect()
}

/// Returns the constants that name targets.
fn targets(text: &str) -> Vec<(String, String)> {
    let constants = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub(crate) const "));
    constants
        .map(|constant| {
            let (name, rest) = constant.split_once(':').expect("a type");
            let target = rest.split('"').nth(1).expect("a text");
            (name.to_owned(), target.to_owned())
        })
        .collect()
}

/// Returns what is in brackets, up to the one that closes.
fn bracketed(text: &str) -> &str {
    let (mut depth, mut is_text) = (1, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("a bracket is not closed: {text}");
}

/// Returns the target that a macro's arguments name by its constant.
fn target(call: &str, targets: &[(String, String)], place: &str) -> String {
    let named = call.split_once("target: logs::");
    let (_, named) =
        named.unwrap_or_else(|| panic!("{place}: {call} has no target of src/logs.rs"));
    let found = targets.iter().find(|(name, _)| {
        let rest = named.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.starts_with(','))
    });
    let (_, target) = found.unwrap_or_else(|| panic!("{place}: {named} is no target"));
    target.clone()
}

/// Returns the lines that a file logs: each says its target by its constant. A macro that takes a level and a message,
/// `log!(warn, "...")`, says it once for all that is logged by it.
fn logged(path: &Path, targets: &[(String, String)], lines: &mut BTreeSet<Line>) {
    let text = fs::read_to_string(path).expect("a source file");
    let place = path.display().to_string();
    let message = |call: &str| call.rsplit('"').nth(1).expect("a message").to_owned();
    for (at, name) in text.match_indices("tracing::") {
        let after = &text[at + name.len()..];
        let Some((level, after)) = after.split_once("!(") else {
            continue;
        };
        if ["error", "warn", "info", "debug", "trace"].contains(&level) {
            let call = bracketed(after);
            let target = target(call, targets, &place);
            lines.insert((target, level.to_uppercase(), message(call)));
        } else if level == "$level" {
            let target = target(bracketed(after), targets, &place);
            for (at, name) in text.match_indices("=> log!(") {
                let call = bracketed(&text[at + name.len()..]);
                let (level, _) = call.split_once(',').expect("a level");
                lines.insert((target.clone(), level.to_uppercase(), message(call)));
            }
        }
    }
}

#[test]
fn each_line_is_documented_and_no_other() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(source.join("logs.rs")).expect("logs.rs");
    let targets = targets(&text);
    assert!(!targets.is_empty());
    assert!(
        targets
            .iter()
            .all(|(_, target)| target.starts_with("purezmq::")),
        "a filter of `purezmq` shows all of it: {targets:?}"
    );
    let mut lines = BTreeSet::new();
    for file in files(&source) {
        logged(&file, &targets, &mut lines);
    }
    assert_eq!(lines, documented(&text));
}
