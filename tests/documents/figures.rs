//! A figure that is quoted in a text from a table that a script has written is the one that stands in the table, and versions
//! are those of the packages. After the script has run again, the texts are written anew by
//! `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents figures`.

use std::fs;

use crate::links::{pages, prose, root};

const SCALE: &str = "docs/scale/scale.md";

/// A sentence of a page, with `{}` where figures stand, and the cells that they are: file, table (what stands in the corner),
/// row, column.
struct Quote {
    page: &'static str,
    text: &'static str,
    cells: &'static [[&'static str; 4]],
}

const RESIDENT: &str = "resident memory for each idle peer, KiB";
const HEAP: &str = "heap for each idle peer, KiB";
const CONNECTED: &str = "time to connect all and answer each once, s";
const DELIVERED: &str = "deliveries of 64 bytes, per s";
const MATCHED: &str = "CPU time to publish a message that matches none, ns";
const TOPICS: &str = "memory of the publisher, MiB";
const README: &str = "memory for each of 1,000 peers, KiB";

const QUOTES: [Quote; 4] = [
    Quote {
        page: "docs/reliability.md",
        text: "with 10,000 idle peers a ROUTER has {} KiB of heap for each, and the process {} KiB of resident memory \
               (libzmq {}); all of them were accepted and answered in {} s ({}); {} deliveries a second reach 1,000 \
               subscribers ({}); that none of a million topics matches a message is found in {} ns of CPU time, \
               publishing included ({}).",
        cells: &[
            [SCALE, HEAP, "purezmq", "10000"],
            [SCALE, RESIDENT, "purezmq", "10000"],
            [SCALE, RESIDENT, "libzmq", "10000"],
            [SCALE, CONNECTED, "purezmq", "10000"],
            [SCALE, CONNECTED, "libzmq", "10000"],
            [SCALE, DELIVERED, "purezmq", "1000"],
            [SCALE, DELIVERED, "libzmq", "1000"],
            [SCALE, MATCHED, "purezmq", "1000000"],
            [SCALE, MATCHED, "libzmq", "1000000"],
        ],
    },
    Quote {
        page: "SECURITY.md",
        text: "| {} KiB each at rest (libzmq {}) |",
        cells: &[
            [SCALE, RESIDENT, "purezmq", "10000"],
            [SCALE, RESIDENT, "libzmq", "10000"],
        ],
    },
    Quote {
        page: "SECURITY.md",
        text: "| {} MiB (libzmq {}); no send stands still",
        cells: &[
            [SCALE, TOPICS, "purezmq", "1000000"],
            [SCALE, TOPICS, "libzmq", "1000000"],
        ],
    },
    Quote {
        page: "docs/performance.md",
        text: "a small read buffer, {} KiB together ([of 1,000 peers]",
        cells: &[["README.md", "", README, "PureZMQ"]],
    },
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of a table's row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(
        line.split('|')
            .map(|cell| cell.trim().trim_matches('*'))
            .collect(),
    )
}

/// The figure in a table of a page.
fn figure([file, table, row, column]: [&str; 4]) -> String {
    let page = read(file);
    let mut at = None;
    for line in page.lines() {
        let Some(cells) = cells(line) else {
            at = None;
            continue;
        };
        if at.is_none() && cells[0] == table {
            at = cells.iter().position(|cell| *cell == column);
        } else if let Some(at) = at.filter(|_| cells[0] == row) {
            return cells[at].to_owned();
        }
    }
    panic!("{file} has no table {table:?} with row {row:?} and column {column:?}");
}

/// Where a page has a sentence, whatever figures stand in it: the whole of it.
fn quoted<'a>(page: &'a str, text: &str) -> Option<&'a str> {
    /// More than any figure has.
    const LONGEST: usize = 12;
    let mut parts = text.split("{}");
    let first = parts.next()?;
    let rest: Vec<_> = parts.collect();
    page.match_indices(first).find_map(|(start, _)| {
        let mut end = start + first.len();
        for part in &rest {
            let gap = page[end..].find(part).filter(|gap| *gap <= LONGEST)?;
            // What stands there is one figure, and no end of a cell.
            if page[end..end + gap].contains('|') {
                return None;
            }
            end += gap + part.len();
        }
        Some(&page[start..end])
    })
}

#[test]
fn a_sentence_is_found_whatever_its_figures_are() {
    let row = "| 65,536 | 6.2 KiB each | 7 KiB each |";
    assert_eq!(quoted(row, "| {} KiB each |"), Some("| 6.2 KiB each |"));
    assert_eq!(quoted(row, "| {} MiB each |"), None);
}

#[test]
fn figures_in_texts_are_those_of_the_tables() {
    let mut wrong = Vec::new();
    for Quote { page, text, cells } in QUOTES {
        let mut parts = text.split("{}");
        let mut right = parts.next().expect("a text").to_owned();
        for (part, cell) in parts.zip(cells) {
            right += &figure(*cell);
            right += part;
        }
        assert_eq!(text.matches("{}").count(), cells.len(), "{text}");
        let whole = read(page);
        let Some(written) = quoted(&whole, text) else {
            wrong.push(format!("{page} does not say: {right}"));
            continue;
        };
        if written == right {
            continue;
        }
        if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
            let whole = whole.replacen(written, &right, 1);
            fs::write(root().join(page), whole).expect("a page");
        } else {
            wrong.push(format!("{page} says {written}\n  instead of {right}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nwrite them with PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents figures",
        wrong.join("\n")
    );
}

/// Versions that libzmq has had, or its library's file: no figures.
const VERSIONS: [&str; 4] = ["4.", "3.", "2.", "5"];
/// By what a section names the run that a figure is from: the day, the command that prints it, or the table that it is in.
const RUNS: [&str; 5] = [
    "`scripts/",
    "`cargo bench",
    "scale/scale.md",
    "performance/tables.md",
    "performance.md",
];

/// What is said of figures that somebody has measured.
const MEASURED: [&str; 6] = [
    "times libzmq",
    "medians of",
    "Measured",
    "million messages a second",
    "round trips a second",
    "idle machine",
];

/// A line in which a figure stands beside one of libzmq's (`libzmq 27.1`), or is said to be measured.
fn compares(line: &str) -> bool {
    let has_figure = line.contains(|letter: char| letter.is_ascii_digit());
    if has_figure && MEASURED.iter().any(|word| line.contains(word)) {
        return true;
    }
    line.match_indices("libzmq").any(|(at, name)| {
        let after = line[at + name.len()..].trim_start_matches([':', ',']);
        let figure = after.strip_prefix(' ').unwrap_or_default();
        figure.starts_with(|first: char| first.is_ascii_digit())
            && !VERSIONS.iter().any(|version| figure.starts_with(version))
    })
}

/// A day as `2026-11-23`.
fn has_day(text: &str) -> bool {
    text.as_bytes().windows(10).any(|word| {
        word.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    })
}

#[test]
fn a_figure_that_was_measured_is_known() {
    assert!(compares("6.2 KiB each at rest (libzmq 27.1)"));
    assert!(compares("65 KiB (libzmq: 80)"));
    assert!(!compares(
        "libzmq 4.3.5 has libzmq5 and libzmq's own 5 programs"
    ));
    assert!(has_day("on 2026-11-23, idle") && !has_day("11-23 and 12026-1-1"));
}

/// Decisions tell of what was measured when they were made, the changelog of what changed: both are of their time.
#[test]
fn whoever_quotes_what_was_measured_names_the_run() {
    let (mut found, mut wrong) = (0, Vec::new());
    for page in pages() {
        let name = page
            .strip_prefix(root())
            .expect("a page of ours")
            .display()
            .to_string();
        if name.starts_with("docs/decisions") || name == "CHANGELOG.md" {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        for section in prose(&text).split("\n#") {
            let Some(line) = section.lines().find(|line| compares(line)) else {
                continue;
            };
            found += 1;
            if !has_day(section) && !RUNS.iter().any(|run| section.contains(run)) {
                wrong.push(format!("{name}: {line}"));
            }
        }
    }
    assert!(found > 8, "only {found} sections have figures");
    assert!(
        wrong.is_empty(),
        "say in the section when it was measured, by what command, or link to the table:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn versions_in_texts_are_those_of_the_packages() {
    let (version, rust) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    let (minor, _) = version.rsplit_once('.').expect("three numbers");
    for (page, said) in [
        ("README.md", format!("Version {minor}")),
        ("README.md", format!("Rust {rust} or newer")),
        ("book/src/start.md", format!("Rust {rust} or newer")),
        (
            "docs/metrics.md",
            format!("purezmq = {{ version = \"{minor}\""),
        ),
        ("docs/release.md", format!("git tag -s v{version}")),
    ] {
        assert!(read(page).contains(&said), "{page} does not say {said:?}");
    }
}
