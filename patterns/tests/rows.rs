//! The tables of socket types in the documents are written from the rows (`src/rules.rs`). To write them anew:
//! `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq --test rows`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use purezmq::rules::{RULES, Rules};

const FROM: &str = "<!-- sockets: written from patterns/src/rules.rs -->\n";
const TO: &str = "<!-- to here -->\n";

/// Returns the socket types that one may talk to, as far as they are built.
fn peers(rules: &Rules) -> String {
    let may_talk = |other: &&Rules| rules.socket_type.accepts(other.socket_type);
    let names: Vec<_> = RULES
        .iter()
        .filter(may_talk)
        .map(|row| row.socket_type.name())
        .collect();
    names.join(", ")
}

/// Returns the name of the type's socket: `PushSocket`.
fn socket(rules: &Rules) -> String {
    format!("{:?}Socket", rules.socket_type)
}

fn table(head: &str, name: impl Fn(&Rules) -> String) -> String {
    let mut table = head.to_owned();
    for rules in RULES {
        let Rules {
            sends,
            receives,
            mute,
            ..
        } = rules;
        writeln!(
            table,
            "| {} | {} | {sends} | {receives} | {mute} |",
            name(rules),
            peers(rules)
        )
        .expect("a string takes it");
    }
    table
}

fn between(path: &Path, table: &str) -> String {
    let text = fs::read_to_string(path).expect("a document");
    let (before, rest) = text.split_once(FROM).expect("the first marker");
    let (_, after) = rest.split_once(TO).expect("the second marker");
    format!("{before}{FROM}{table}{TO}{after}")
}

/// Says that the file is as it should be, or makes it so.
fn check(path: &Path, wanted: &str) {
    if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
        fs::write(path, wanted).expect("a document");
    }
    assert!(
        fs::read_to_string(path).is_ok_and(|written| written == wanted),
        "{} is not what the rows say; write it anew with PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq --test rows",
        path.display()
    );
}

#[test]
fn documents_have_every_socket_type() {
    const HEAD: &str = "\
| socket | talks to | sends | receives | without a peer that can take it, `send` |
|---|---|---|---|---|
";
    const RULES_HEAD: &str = "\
| type | peers | sends | receives | when mute, `send` |
|---|---|---|---|---|
";
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let linked = |rules: &Rules| format!("[`{0}`](crate::{0})", socket(rules));
    check(&package.join("src/sockets/table.md"), &table(HEAD, linked));
    let page = package.join("../book/src/patterns.md");
    check(
        &page,
        &between(&page, &table(HEAD, |rules| format!("`{}`", socket(rules)))),
    );
    let page = package.join("../docs/rules.md");
    let named = |rules: &Rules| rules.socket_type.name().to_owned();
    check(&page, &between(&page, &table(RULES_HEAD, named)));
}
