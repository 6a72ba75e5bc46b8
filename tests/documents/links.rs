//! Every link in the documents and in the book leads to something: a file of the repository, a heading of a page, or, from
//! a page that is read elsewhere, the address of one of the two. Addresses of others are not asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the repository is to be read.
pub(crate) const REPOSITORY: &str = "https://github.com/purezmq/purezmq/";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the repository")
}

/// The pages that git knows, or would know.
pub(crate) fn pages() -> Vec<PathBuf> {
    let root = root();
    let listed = std::process::Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .current_dir(&root)
        .output()
        .expect("git");
    let names = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let pages: Vec<_> = names
        .lines()
        .map(|name| root.join(name))
        .filter(|path| path.exists())
        .collect();
    assert!(pages.len() > 40, "only {} pages", pages.len());
    pages
}

/// A page without its code, in which brackets mean something else.
pub(crate) fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a text lead: `[text](target)`, and pictures. Not those within `code`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text).lines() {
        let spans = line.split('`').enumerate();
        let line: String = spans
            .map(|(number, span)| if number % 2 == 0 { span } else { "code" })
            .collect();
        for part in line.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            found.push(target.to_owned());
        }
        found.extend(
            line.split("src=\"")
                .skip(1)
                .filter_map(|part| part.split_once('"').map(|(target, _)| target.to_owned())),
        );
    }
    found
}

/// The names by which a page's headings, and the places that it marks, can be linked, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text).lines() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let again = (1..).map(|number| format!("{name}-{number}"));
            let mut names = std::iter::once(name.clone()).chain(again);
            names.find(|name| anchors.insert(name.clone()));
        }
        for mark in ["<a id=\"", "<a name=\"", "id=\""] {
            anchors.extend(
                line.split(mark)
                    .skip(1)
                    .filter_map(|part| part.split_once('"').map(|(name, _)| name.to_owned())),
            );
        }
    }
    anchors
}

/// Says what is wrong with a link on a page, if anything.
fn wrong(page: &Path, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path.strip_prefix(REPOSITORY) {
        Some(of_repository) => {
            let place = of_repository.split_once("/main").map(|(_, place)| place);
            root().join(place.unwrap_or_default().trim_start_matches('/'))
        }
        // Of rustdoc's own links, rustdoc says what is wrong.
        None if path.contains("://") || path.contains("::") => return None,
        None if path.is_empty() => page.to_owned(),
        None => page.parent().expect("a folder").join(path),
    };
    if !path.exists() {
        return Some(format!("there is no {}", path.display()));
    }
    if anchor.is_empty() || path.extension().is_none_or(|end| end != "md") {
        return None;
    }
    let text = fs::read_to_string(&path).expect("a page");
    match anchors(&text).contains(anchor) {
        true => None,
        false => Some(format!("{} has no heading {anchor}", path.display())),
    }
}

#[test]
fn every_link_leads_somewhere() {
    let root = root();
    let mut all = 0;
    let mut dead = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for target in links(&text) {
            all += 1;
            if let Some(fault) = wrong(&page, &target) {
                let page = page.strip_prefix(&root).expect("in the repository");
                dead.push(format!("{}: {target}: {fault}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
    assert!(all > 200, "only {all} links were found");
}

/// A link out of the book is an address: what is beside the book's pages is not there where they are read.
#[test]
fn the_books_links_stay_within_it() {
    let mut outside = Vec::new();
    for page in pages() {
        let folder = page.parent().expect("a folder");
        if folder.ends_with("book/src") {
            let text = fs::read_to_string(&page).expect("a page");
            let out = links(&text)
                .into_iter()
                .filter(|target| target.starts_with("../"));
            outside.extend(out.map(|target| format!("{}: {target}", page.display())));
        }
    }
    assert!(outside.is_empty(), "{outside:?}");
}
