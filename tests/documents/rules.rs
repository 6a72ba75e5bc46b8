//! Every rule of `docs/rules.md` that is built has a test, and `tests/README.md` says which: its table is
//! written from the tests, which cite the numbers. To write it anew:
//! `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use purezmq::{Rules, SocketType};

/// Rules that no test can show, and why.
const REASONS: [(&str, &str); 8] = [
    ("R-ALL-5", "a message is sent as a whole"),
    ("R-ALL-6", "a message is sent as a whole"),
    ("R-ALL-7", "contexts are not terminated: sockets are closed"),
    (
        "R-LING-5",
        "contexts are not terminated: sockets are closed",
    ),
    (
        "R-ROUTER-13",
        "of the C library alone, which has options by number: `capi/tests/options.rs`",
    ),
    ("R-ROUTER-14", "draft; `peers` lists who can be sent to"),
    ("R-PUB-6", "a message is sent as a whole"),
    ("R-POLL-2", "a message is received as a whole"),
];

const HEADER: &str = "\
# Which test shows which rule

<!-- Written from the rules' numbers in the tests by tests/documents/rules.rs: cite a number in a test, then run
     PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents -->

The rules are in [docs/rules.md](../docs/rules.md). Those of socket types that are not built are left out.

| rule | tests |
|---|---|
";

/// Returns whether rules of this scope are about a socket type that is not built, or a family of which none is.
fn is_not_built(scope: &str) -> bool {
    let is_built = |name: &str| name.parse().ok().and_then(Rules::of).is_some();
    match scope {
        "TS" => !["SCATTER", "CLIENT", "CHANNEL"].into_iter().any(is_built),
        _ if scope.parse::<SocketType>().is_ok() => !is_built(scope),
        _ => false,
    }
}

/// The rules' numbers in a text, in order.
pub(crate) fn numbers(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    text.split(|c| !is_part(c))
        .filter(|word| {
            let mut parts = word.split('-');
            parts.next() == Some("R")
                && parts.next().is_some_and(|scope| scope.len() > 1)
                && parts.next().is_some_and(|n| n.parse::<u32>().is_ok())
                && parts.next().is_none()
        })
        .map(str::to_owned)
        .collect()
}

fn scope(rule: &str) -> &str {
    rule.split('-').nth(1).expect("a scope")
}

/// The rules, in the order of the document.
fn rules(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("docs/rules.md")).expect("docs/rules.md");
    let items = text.lines().filter(|line| line.starts_with("- R-"));
    items
        .flat_map(|line| match numbers(line) {
            // One line for the two ends of a pattern.
            rules if rules.len() == 2 && line.contains(&format!(". {}", rules[1])) => rules,
            rules => rules.into_iter().take(1).collect(),
        })
        .filter(|rule| !is_not_built(scope(rule)))
        .collect()
}

/// The files with tests, by their paths in the folder.
fn test_files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs");
    let programs = entries(folder).into_iter().filter(|path| path.is_dir());
    let files = programs.flat_map(|program| entries(&program));
    files
        .filter(|path| is_rust(path) && !path.starts_with(folder.join("documents")))
        .map(|path| {
            let name = path
                .strip_prefix(folder)
                .expect("inside")
                .with_extension("");
            (name.display().to_string(), path)
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// By rule, the tests that cite it.
fn tests(root: &Path) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, path) in test_files(&root.join("tests")) {
        let text = fs::read_to_string(&path).expect("a test");
        let (mut name, mut above) = ("", Vec::new());
        for line in text.lines().filter(|line| !line.starts_with("//!")) {
            let mut cited = Vec::new();
            if let Some((_, rest)) = line.split_once("fn ") {
                name = rest.split(['(', '<']).next().unwrap_or_default();
                cited.append(&mut above);
            } else if line.trim_start().starts_with("///") {
                above.extend(numbers(line));
            } else if line.trim_start().starts_with("//") {
                cited = numbers(line);
            }
            for rule in cited {
                let test = format!("`{}::{name}`", file.replace('/', "::"));
                let tests = found.entry(rule).or_default();
                if !tests.contains(&test) {
                    tests.push(test);
                }
            }
        }
    }
    found
}

#[test]
fn every_rule_has_a_test_or_a_reason() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let (rules, tests) = (rules(root), tests(root));
    let mut page = HEADER.to_owned();
    let mut missing = Vec::new();
    for rule in &rules {
        let reason = REASONS.iter().find(|(one, _)| one == rule);
        let shown = match (tests.get(rule), reason) {
            (Some(tests), _) => tests.join(", "),
            (None, Some((_, reason))) => format!("none: {reason}"),
            (None, None) => {
                missing.push(rule.as_str());
                String::new()
            }
        };
        let anchor = rule.to_lowercase();
        writeln!(page, "| [{rule}](../docs/rules.md#{anchor}) | {shown} |")
            .expect("a string takes it");
    }
    assert!(missing.is_empty(), "rules without a test: {missing:?}");
    let excused: Vec<_> = REASONS
        .iter()
        .filter(|(rule, _)| tests.contains_key(*rule) || !rules.iter().any(|one| one == rule))
        .collect();
    assert!(excused.is_empty(), "reasons without need: {excused:?}");
    let unknown: Vec<_> = tests.keys().filter(|rule| !rules.contains(rule)).collect();
    assert!(unknown.is_empty(), "no such rules: {unknown:?}");
    let path = root.join("tests/README.md");
    if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("tests/README.md");
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|written| written == page),
        "tests/README.md is not what the tests say; write it anew with \
         PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents"
    );
}
