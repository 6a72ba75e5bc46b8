//! Each block of code in documents and doc comments is seen by a compiler. Those of Rust are compiled as documentation tests
//! (`scripts/test`), but for those that say `ignore`: they are in `samples.rs`. Those of C and Python are given to theirs
//! here.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::links::{pages, root};
use crate::rule_links::sources;

/// What no compiler has seen, and why.
const UNSEEN: [(&str, &str); 2] = [
    (
        "book/src/from-zmq-rs.md",
        "the code of zmq.rs before the change: that library is a dependency of nothing here",
    ),
    ("CHANGELOG.md", "signatures, of a version that is gone"),
];

struct Block {
    /// Of a file.
    name: String,
    /// What stands behind the three ticks.
    language: String,
    text: String,
}

/// The blocks of a text whose lines have lost what marks them as comments.
fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block {
                    name: name.to_owned(),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(done)) => blocks.push(done),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

fn all() -> Vec<Block> {
    let root = root();
    let named = |path: &Path| {
        let path = path.strip_prefix(&root).expect("in the repository");
        path.display().to_string()
    };
    let mut all = Vec::new();
    for page in pages() {
        all.append(&mut blocks(
            &named(&page),
            &fs::read_to_string(&page).expect("a page"),
        ));
    }
    for source in sources() {
        let text = fs::read_to_string(&source).expect("a source");
        let comments = text.lines().map(|line| {
            let line = line.trim_start();
            let doc = line.strip_prefix("///").or(line.strip_prefix("//!"));
            format!("{}\n", doc.unwrap_or_default())
        });
        all.append(&mut blocks(&named(&source), &comments.collect::<String>()));
    }
    assert!(all.len() > 200, "only {} blocks", all.len());
    all
}

/// Code without comments and white space.
fn squeezed(code: &str) -> String {
    let lines = code.lines().map(|line| {
        let code = line.split_once(" // ").map_or(line, |(code, _)| code);
        if code.trim_start().starts_with("//") {
            ""
        } else {
            code
        }
    });
    lines.flat_map(str::split_whitespace).collect()
}

#[test]
fn what_documentation_tests_ignore_is_compiled() {
    let samples = fs::read_to_string(root().join("tests/documents/samples.rs"));
    let samples = squeezed(&samples.expect("samples.rs"));
    let is_ignored = |block: &Block| block.language.split(',').any(|part| part == "ignore");
    let ignored: Vec<_> = all().into_iter().filter(is_ignored).collect();
    assert!(ignored.len() > 4, "only {} blocks", ignored.len());
    let (mut unseen, mut excused) = (Vec::new(), Vec::new());
    for block in &ignored {
        if samples.contains(&squeezed(&block.text)) {
            continue;
        }
        match UNSEEN.iter().find(|(name, _)| *name == block.name) {
            Some((name, _)) => excused.push(*name),
            None => unseen.push(format!("{}:\n{}", block.name, block.text)),
        }
    }
    assert!(
        unseen.is_empty(),
        "not in tests/documents/samples.rs:\n{}",
        unseen.join("\n")
    );
    for (name, why) in UNSEEN {
        assert!(excused.contains(&name), "{name} needs no excuse ({why})");
    }
}

/// Gives a block to a compiler, in a file of its own.
fn compiled(block: &Block, text: &str, end: &str, command: &str, arguments: &[&str]) {
    let folder = tempfile::TempDir::with_prefix("purezmq-").expect("temporary folder");
    let file = folder.path().join(format!("block.{end}"));
    fs::write(&file, text).expect("a file");
    let done = Command::new(command)
        .args(arguments)
        .arg(&file)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{command}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}:\n{text}\n{said}", block.name);
}

#[test]
fn blocks_of_c_and_python_are_right() {
    let mut seen = [0, 0];
    for block in all() {
        match block.language.as_str() {
            "c" => {
                let program = format!(
                    "#include <zmq.h>\nvoid block (void);\nvoid block (void)\n{{\n{}}}\n",
                    block.text
                );
                let flags = ["-fsyntax-only", "-Wall", "-Wno-unused-variable", "-Werror"];
                let flags = [&flags[..], &["-I", "capi/include"]].concat();
                compiled(&block, &program, "c", "cc", &flags);
                seen[0] += 1;
            }
            "python" => {
                let check = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
                compiled(&block, &block.text, "py", "python3", &["-c", check]);
                seen[1] += 1;
            }
            _ => {}
        }
    }
    assert!(seen[0] >= 1 && seen[1] >= 6, "{seen:?}");
}
