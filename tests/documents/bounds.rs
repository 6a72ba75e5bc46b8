//! SECURITY.md's table of bounds is true: each has an option that there is, and tests that there are; and what it says of
//! attacks names every one that `scripts/attack` has.

use std::collections::BTreeSet;
use std::fs;

use purezmq::options::OptionId;

use crate::links::root;

/// The file of those tests for which the table names none.
const TESTS: &str = "tests/security/bounds.rs";
const ATTACKS: &str = "bench/endurance/src/bin/attack/scenarios.rs";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the table that begins with this line, without its head.
fn table<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let (_, rows) = page.split_once(head).expect("the table's head");
    rows.lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").map(str::trim).collect())
        .collect()
}

#[test]
fn each_bound_has_an_option_and_tests_that_there_are() {
    let page = read("SECURITY.md");
    // An empty cell is two bars with one space between them.
    let page = page.replace("| |", "|  |").replace("| |", "|  |");
    let rows = table(
        &page,
        "| what | option | default | costs there | reason, counter | test |",
    );
    assert!(rows.len() > 20, "{} rows", rows.len());
    let requester =
        read("patterns/src/requester/mod.rs") + &read("patterns/src/requester/builder.rs");
    let mut missing = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let what = row[0];
        assert_eq!(row.len(), 6, "{what}");
        for option in quoted(row[1]) {
            if OptionId::by_name(option).is_none() && !requester.contains(&format!("fn {option}("))
            {
                missing.push(format!("{what}: option {option}"));
            }
        }
        let mut tests: Vec<&str> = quoted(row[5]).collect();
        if tests.is_empty() && number > 0 && row[5] == "the same" {
            continue;
        }
        let files: Vec<String> = tests
            .extract_if(.., |test| test.contains('/'))
            .map(read)
            .collect();
        if files.is_empty() && tests.is_empty() {
            missing.push(format!("{what}: no test"));
        }
        let files = match files.is_empty() {
            true => vec![read(TESTS)],
            false => files,
        };
        for test in tests {
            let test = format!("fn {test}(");
            if !files.iter().any(|file| file.contains(&test)) {
                missing.push(format!("{what}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_attack_is_told() {
    let attacks = read(ATTACKS);
    let (_, attacks) = attacks.split_once("scenarios! {").expect("the list");
    let attacks: BTreeSet<&str> = attacks
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
        .collect();
    let page = read("SECURITY.md");
    let told: BTreeSet<&str> = table(&page, "| what is attacked | scenarios |")
        .iter()
        .flat_map(|row| quoted(row[1]).collect::<Vec<_>>())
        .collect();
    assert_eq!(told, attacks);
}
