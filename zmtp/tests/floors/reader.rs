//! Reads which modules use which, from the `use` lines and the `crate::` paths of a crate's sources: for the tests of the
//! floors of `purezmq-zmtp` and `purezmq`. Tests in there may use everything, and `lib.rs`, which shows the crate to its
//! users, is above all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Files and folders of tests.
const TESTS: &[&str] = &["tests", "loom_tests", "left_out"];

/// A file's module path, such as `["engine", "zmtp", "traffic"]`, and the paths that it uses.
pub(crate) type Uses = BTreeMap<Vec<String>, Vec<Vec<String>>>;

/// Says where a module uses one of a floor above, or beside it.
pub(crate) fn arrows_up(uses: &Uses, floors: &[&[&str]]) -> Vec<String> {
    let mut up = Vec::new();
    for (file, uses) in uses {
        let (name, own) = floor(floors, file);
        for used in uses {
            let (other, its) = floor(floors, used);
            if other != name && its >= own {
                up.push(format!("{} uses {}", file.join("::"), used.join("::")));
            }
        }
    }
    up
}

/// Says which files of different folders use each other in a circle.
pub(crate) fn circles(uses: &Uses) -> Vec<String> {
    let arrows: BTreeMap<_, BTreeSet<_>> = uses
        .iter()
        .map(|(file, used)| {
            (
                file,
                used.iter().filter_map(|path| file_of(uses, path)).collect(),
            )
        })
        .collect();
    let reach = |file| {
        let mut reached = BTreeSet::new();
        let mut left = vec![file];
        while let Some(next) = left.pop() {
            left.extend(arrows[next].iter().filter(|used| reached.insert(**used)));
        }
        reached
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|file| (file, reach(file))).collect();
    let mut wrong = Vec::new();
    for (file, others) in &reached {
        for other in others.iter().filter(|other| *other < file) {
            if folder(uses, other) != folder(uses, file) && reached[other].contains(file) {
                wrong.push(format!("{} and {}", file.join("::"), other.join("::")));
            }
        }
    }
    wrong
}

/// The entry of `floors` that a path belongs to, and its floor.
fn floor<'a>(floors: &[&[&'a str]], path: &[String]) -> (&'a str, usize) {
    let name = |len: usize| path[..len].join("::");
    let entry = |len: usize| {
        floors.iter().enumerate().find_map(|(floor, modules)| {
            let module = modules.iter().find(|module| **module == name(len))?;
            Some((*module, floor))
        })
    };
    let found = (1..=path.len()).rev().find_map(entry);
    found.unwrap_or(("?", usize::MAX))
}

/// The file in which something of this path is.
fn file_of<'a>(uses: &'a Uses, path: &[String]) -> Option<&'a Vec<String>> {
    (1..=path.len())
        .rev()
        .find_map(|len| uses.get_key_value(&path[..len]).map(|(file, _)| file))
}

/// The folder of a file; `mod.rs` is in its own.
fn folder<'a>(uses: &Uses, file: &'a [String]) -> &'a [String] {
    let is_folder = uses
        .keys()
        .any(|other| other.len() > file.len() && other.starts_with(file));
    if is_folder {
        file
    } else {
        &file[..file.len() - 1]
    }
}

/// Reads the sources under a crate's `src/`.
pub(crate) fn read(source: &Path) -> Uses {
    let mut uses = Uses::new();
    read_folder(source, &mut Vec::new(), &mut uses);
    assert!(uses.len() > 30, "the sources are not where they were");
    uses
}

fn read_folder(folder: &Path, module: &mut Vec<String>, uses: &mut Uses) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if TESTS.contains(&name.as_str()) || (name == "lib" && module.is_empty()) {
            continue;
        }
        if path.is_dir() {
            module.push(name);
            read_folder(&path, module, uses);
            module.pop();
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let mut file = module.clone();
        if name != "mod" {
            file.push(name);
        }
        let text = fs::read_to_string(&path).unwrap();
        let used = used_by(
            &file,
            text.split("#[cfg(test)]\nmod tests {").next().unwrap(),
        );
        uses.insert(file, used);
    }
}

/// The paths that a file uses, from the crate's root. What a folder shows of its own files is no use of them.
fn used_by(file: &[String], text: &str) -> Vec<Vec<String>> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let mut used = Vec::new();
    for statement in code.split(';') {
        // What is indented is within a module of the file itself, or found below.
        let Some((before, tree)) = statement.rsplit_once("use ") else {
            continue;
        };
        if before
            .rsplit('\n')
            .next()
            .is_some_and(|line| line.starts_with(' '))
        {
            continue;
        }
        let shows = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        if shows && tree.starts_with("self::") {
            continue;
        }
        let mut paths = Vec::new();
        expand(tree, &mut Vec::new(), &mut paths);
        used.extend(paths.into_iter().filter_map(|path| from_root(file, &path)));
    }
    // Paths in the middle of code.
    for rest in code.split("crate::").skip(1) {
        let names = rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let path = names.take(1).flat_map(|path| path.split("::"));
        let path: Vec<String> = path
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect();
        used.extend((!path.is_empty()).then_some(path));
    }
    used
}

/// Takes `a::{b, c::d}` apart into `a::b` and `a::c::d`.
fn expand(tree: &str, front: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let len = front.len();
    if let Some(inner) = tree
        .strip_prefix('{')
        .and_then(|tree| tree.strip_suffix('}'))
    {
        let (mut depth, mut from) = (0, 0);
        for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&inner[from..at], front, paths);
                    from = at + 1;
                }
                _ => {}
            }
        }
    } else if let Some((name, rest)) = tree.split_once("::") {
        front.push(name.to_owned());
        expand(rest, front, paths);
    } else if !tree.is_empty() {
        front.extend(tree.split(' ').next().map(String::from));
        paths.push(front.clone());
    }
    front.truncate(len);
}

/// A path as the root has it; `None` for what other crates have.
fn from_root(file: &[String], path: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (base, rest) = match path[0].as_str() {
        "crate" => (&file[..0], &path[1..]),
        "self" => (file, &path[1..]),
        "super" => (&file[..file.len() - supers], &path[supers..]),
        _ => return None,
    };
    Some([base, rest].concat())
}
