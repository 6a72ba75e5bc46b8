//! A rule's number is a link wherever a page is made of it: in doc comments, and in documents. In a doc comment the number
//! stands in brackets, and below the text stands where it leads, so that the sentence stays one. Both, and the places in
//! `docs/rules.md` to which they lead, are written by
//! `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents rule`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::links::{REPOSITORY, pages, prose, root};
use crate::rules::numbers;

/// Whose doc comments become no page: there the numbers say which rules a test shows (`rules.rs`).
const TESTS: [&str; 3] = ["tests/", "patterns/tests/", "zmtp/tests/"];
const WRITE: &str =
    "write it with PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test documents rule";

fn is_writing() -> bool {
    std::env::var_os("PUREZMQ_WRITE_DOCS").is_some()
}

/// The end of a rule's address.
fn anchor(rule: &str) -> String {
    rule.to_lowercase()
}

fn address(rule: &str) -> String {
    format!("{REPOSITORY}blob/main/docs/rules.md#{}", anchor(rule))
}

/// Every rule of the document, also of what is not built, with the place that marks it.
fn marked(page: &str) -> (String, BTreeSet<String>) {
    let (mut marked, mut all) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        let mut line = line.to_owned();
        if line.starts_with("- R-") {
            let found = numbers(&line);
            let second = found
                .get(1)
                .filter(|rule| line.contains(&format!(". {rule}")));
            for rule in found.iter().take(1).chain(second) {
                let mark = format!("{rule}<a id=\"{}\"></a>", anchor(rule));
                if !line.contains(&mark) {
                    line = line.replacen(rule, &mark, 1);
                }
                assert!(all.insert(rule.clone()), "{rule} stands twice");
            }
        }
        marked.push_str(&line);
        marked.push('\n');
    }
    (marked, all)
}

fn rules() -> BTreeSet<String> {
    marked(&fs::read_to_string(root().join("docs/rules.md")).expect("docs/rules.md")).1
}

#[test]
fn every_rule_has_a_place_that_links_lead_to() {
    let path = root().join("docs/rules.md");
    let page = fs::read_to_string(&path).expect("docs/rules.md");
    let (marked, all) = marked(&page);
    assert!(all.len() > 150, "only {} rules", all.len());
    if is_writing() {
        fs::write(&path, &marked).expect("docs/rules.md");
    } else {
        assert!(page == marked, "a rule without a place: {WRITE}");
    }
}

/// The sources of which documentation is made.
pub(crate) fn sources() -> Vec<PathBuf> {
    let root = root();
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .arg("*.rs")
        .current_dir(&root)
        .output()
        .expect("git");
    let names = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let of_pages = names
        .lines()
        .filter(|name| !TESTS.iter().any(|tests| name.starts_with(tests)));
    let sources: Vec<_> = of_pages
        .map(|name| root.join(name))
        .filter(|path| path.exists())
        .collect();
    assert!(sources.len() > 300, "only {} sources", sources.len());
    sources
}

/// What begins a line of a doc comment: the indentation, and `///` or `//!`.
fn doc_prefix(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let is_doc = text.starts_with("//!") || (text.starts_with("///") && !text.starts_with("////"));
    is_doc.then(|| &line[..line.len() - text.len() + 3])
}

/// A line with its rule numbers in brackets, and those numbers.
fn bracketed(line: &str) -> (String, Vec<String>) {
    let cited = numbers(line);
    let (mut done, mut rest) = (String::new(), line);
    for rule in &cited {
        let (before, after) = rest.split_once(rule.as_str()).expect("it is cited");
        done.push_str(before);
        match before.ends_with('[') {
            true => done.push_str(rule),
            false => done.push_str(&format!("[{rule}]")),
        }
        rest = after;
    }
    done.push_str(rest);
    (done, cited)
}

/// A source as it should be: numbers in the text of each doc comment in brackets, and below it where they lead.
fn linked(source: &str) -> String {
    let lines: Vec<_> = source.lines().collect();
    let mut done = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(prefix) = doc_prefix(lines[at]) else {
            done.push(lines[at].to_owned());
            at += 1;
            continue;
        };
        let comment = lines[at..]
            .iter()
            .take_while(|line| doc_prefix(line) == Some(prefix));
        let (mut text, mut cited) = (Vec::new(), Vec::new());
        let mut other_links = Vec::new();
        for line in comment {
            at += 1;
            if line.starts_with(&format!("{prefix} [R-")) && line.contains("]: ") {
                continue; // written anew below
            }
            let (line, rules) = bracketed(line);
            for rule in rules {
                if !cited.contains(&rule) {
                    cited.push(rule);
                }
            }
            match line.starts_with(&format!("{prefix} [")) && line.contains("]: ") {
                true => other_links.push(line),
                false => text.push(line),
            }
        }
        while text.last().is_some_and(|line| line == prefix) {
            text.pop();
        }
        done.append(&mut text);
        let addresses = cited
            .iter()
            .map(|rule| format!("{prefix} [{rule}]: {}", address(rule)));
        other_links.extend(addresses);
        if !other_links.is_empty() {
            done.push(prefix.to_owned());
        }
        done.append(&mut other_links);
    }
    done.join("\n") + "\n"
}

#[test]
fn every_rule_in_a_doc_comment_is_a_link() {
    let (root, rules) = (root(), rules());
    let mut cited = HashMap::new();
    let mut wrong = Vec::new();
    for path in sources() {
        let source = fs::read_to_string(&path).expect("a source");
        let name = path
            .strip_prefix(&root)
            .expect("in the repository")
            .display();
        for line in source.lines() {
            let numbers = numbers(line);
            let unknown = numbers.iter().filter(|rule| !rules.contains(*rule));
            wrong.extend(unknown.map(|rule| format!("{name}: there is no {rule}")));
            if doc_prefix(line).is_some() {
                *cited.entry(name.to_string()).or_insert(0) += numbers.len();
            }
        }
        if numbers(&source).is_empty() {
            continue;
        }
        let linked = linked(&source);
        if is_writing() {
            fs::write(&path, &linked).expect("a source");
        } else if linked != source {
            wrong.push(format!("{name}: a rule that is no link; {WRITE}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: usize = cited.values().sum();
    assert!(all > 40, "only {all} rules are cited");
}

#[test]
fn links_of_rules_are_written_as_they_should_be() {
    let source = "\
//! A file (R-PUB-1).

/// Does as R-PUB-2 and [R-PUB-3] say.
///
/// [else]: https://example.org
fn one() {} // and R-PUB-4

/// Nothing.
fn two() {}
";
    let expected = format!(
        "\
//! A file ([R-PUB-1]).
//!
//! [R-PUB-1]: {}

/// Does as [R-PUB-2] and [R-PUB-3] say.
///
/// [else]: https://example.org
/// [R-PUB-2]: {}
/// [R-PUB-3]: {}
fn one() {{}} // and R-PUB-4

/// Nothing.
fn two() {{}}
",
        address("R-PUB-1"),
        address("R-PUB-2"),
        address("R-PUB-3")
    );
    assert_eq!(linked(source), expected);
    assert_eq!(linked(&expected), expected, "what is linked stays");
}

/// Documents write links by hand: `[R-PUB-1](rules.md#r-pub-1)`.
#[test]
fn every_rule_in_a_document_is_a_link() {
    let root = root();
    let mut wrong = Vec::new();
    for path in pages()
        .iter()
        .filter(|path| !path.ends_with("docs/rules.md"))
    {
        let text = fs::read_to_string(path).expect("a page");
        for line in prose(&text).lines() {
            let spans = line.split('`').step_by(2); // no code
            for rule in spans.flat_map(numbers) {
                if !line.contains(&format!("[{rule}]("))
                    || !line.contains(&format!("rules.md#{})", anchor(&rule)))
                {
                    let page = path
                        .strip_prefix(&root)
                        .unwrap_or(Path::new(""))
                        .display()
                        .to_string();
                    wrong.push(format!("{page}: {rule} is no link"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
