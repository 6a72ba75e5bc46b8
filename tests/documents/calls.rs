//! The book's pages for those who come from another library have a row for each of its public calls. The lists of calls are
//! in `book/calls`, written by `scripts/calls` from the libraries' own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const PAGES: [(&str, &str); 3] = [
    ("libzmq", "from-libzmq.md"),
    ("zmq", "from-rust-zmq.md"),
    ("zeromq", "from-zmq-rs.md"),
];

/// The calls of a list.
fn listed(name: &str) -> BTreeSet<String> {
    let path = Path::new(ROOT).join(format!("book/calls/{name}.txt"));
    let text = fs::read_to_string(path).expect("a list of calls");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// By call, what a page's tables say of it: rows whose first cell has nothing but calls, as code, with commas.
fn rows(page: &str) -> BTreeMap<String, String> {
    let path = Path::new(ROOT).join("book/src").join(page);
    let text = fs::read_to_string(path).expect("a page");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some((first, rest)) = line
            .strip_prefix("| ")
            .and_then(|line| line.split_once(" | "))
        else {
            continue;
        };
        let calls: Option<Vec<_>> = first
            .split(", ")
            .map(|call| {
                call.strip_prefix('`')
                    .and_then(|call| call.strip_suffix('`'))
                    .filter(|call| !call.contains('`'))
            })
            .collect();
        for call in calls.into_iter().flatten() {
            let said = rest.trim_end_matches('|').trim().to_owned();
            assert!(
                rows.insert(call.to_owned(), said).is_none(),
                "{page}: {call} has two rows"
            );
        }
    }
    rows
}

#[test]
fn every_call_of_other_libraries_has_a_row() {
    for (name, page) in PAGES {
        let (listed, rows) = (listed(name), rows(page));
        assert!(listed.len() > 30, "{name}: only {} calls", listed.len());
        let missing: Vec<_> = listed
            .iter()
            .filter(|call| !rows.contains_key(*call))
            .collect();
        assert!(missing.is_empty(), "{page} has no row for {missing:?}");
        for call in &listed {
            let said = &rows[call];
            assert!(
                said.len() > 3 && !said.to_lowercase().contains("see the doc"),
                "{page}: {call} is answered with {said:?}"
            );
        }
        // A name that looks like a call of that library, and is none: a slip of the pen, or a call that has gone.
        let unknown: Vec<_> = rows
            .keys()
            .filter(|call| match name {
                "libzmq" => call.starts_with("zmq_"),
                _ => call.contains("::") && !call.contains(['(', ' ']),
            })
            .filter(|call| !listed.contains(*call))
            .collect();
        assert!(unknown.is_empty(), "{page}: {name} has no {unknown:?}");
    }
}

/// Of what stands in tables as code, what calls nothing of ours.
const NO_CALLS: [&str; 2] = [".into()", "Lagged(n)"];

/// The compiler has seen what the tables of the migration pages call: `book/cells.rs` has each of their calls.
#[test]
fn what_the_tables_call_is_compiled() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect(path);
    let compiled = squeezed(&read("book/cells.rs"));
    let mut all = 0;
    let mut missing = Vec::new();
    for page in PAGES
        .map(|(_, page)| page)
        .into_iter()
        .chain(["from-pyzmq.md", "from-channels.md"])
    {
        let text = read(&format!("book/src/{page}"));
        let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
        for cell in rows
            .filter_map(|row| row.split_once(" | "))
            .map(|(_, here)| here)
        {
            let code = cell.split('`').skip(1).step_by(2);
            let calls = code.filter(|code| code.contains('(') && !code.contains("(..."));
            for call in calls.filter(|call| !NO_CALLS.contains(call)) {
                all += 1;
                if !compiled.contains(&squeezed(&call.replace("\\|", "|"))) {
                    missing.push(format!("{page}: {call}"));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in book/cells.rs:\n{}",
        missing.join("\n")
    );
    assert!(all > 200, "only {all} calls");
}

#[test]
fn the_lists_are_what_the_sources_have() {
    let done = Command::new("python3")
        .args(["scripts/calls", "--check"])
        .env("CARGO", env!("CARGO"))
        .current_dir(ROOT)
        .output()
        .expect("python3");
    let said = String::from_utf8_lossy(&done.stderr);
    eprint!("{said}");
    assert!(done.status.success(), "{said}");
}
