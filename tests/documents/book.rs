//! The book is whole: each page is in its table of contents, has its code compiled, and is reached from the README in two
//! clicks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The book's pages, without the table of contents.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("book/src")).expect("the book");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read("book/src/SUMMARY.md");
    let missing: Vec<_> = pages()
        .into_iter()
        .filter(|page| !contents.contains(&format!("({page})")))
        .collect();
    assert!(missing.is_empty(), "not in SUMMARY.md: {missing:?}");
}

#[test]
fn the_code_of_every_page_is_compiled() {
    let compiled = read("book/pages.rs");
    let missing: Vec<_> = pages()
        .into_iter()
        .filter(|page| !compiled.contains(&format!("\"src/{page}\"")))
        .collect();
    assert!(missing.is_empty(), "not in book/pages.rs: {missing:?}");
}

/// Whoever reads the README finds each page there, or on a page that is linked there.
#[test]
fn every_page_is_two_clicks_from_the_readme() {
    let readme = read("README.md");
    let first: BTreeSet<_> = pages()
        .into_iter()
        .filter(|page| {
            readme.contains(&format!("/book/src/{page})"))
                || readme.contains(&format!("/book/src/{page}#"))
        })
        .collect();
    assert!(first.len() > 5, "the README links to {first:?} alone");
    let texts: Vec<_> = first
        .iter()
        .map(|page| read(&format!("book/src/{page}")))
        .collect();
    let far: Vec<_> = pages()
        .into_iter()
        .filter(|page| !first.contains(page))
        .filter(|page| {
            let link = [format!("({page})"), format!("({page}#")];
            !texts
                .iter()
                .any(|text| link.iter().any(|link| text.contains(link.as_str())))
        })
        .collect();
    assert!(
        far.is_empty(),
        "more than two clicks from the README: {far:?}"
    );
}
