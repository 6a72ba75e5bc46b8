//! Every command in the README is run, and does what stands there.
//!
//! A block of `console` is a script: `$ ` begins a command, `? 3` is the exit code of the one before (0 without), and all
//! other lines are what is written, in this order; `[..]` stands for anything.

use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");

/// What a block says.
struct Block {
    commands: Vec<(String, i32)>,
    written: Vec<String>,
}

fn blocks() -> Vec<Block> {
    let parts = README.split("```console\n").skip(1);
    parts
        .map(|part| {
            let (block, _) = part.split_once("```").expect("a block ends");
            let mut read = Block {
                commands: Vec::new(),
                written: Vec::new(),
            };
            for line in block.lines() {
                if let Some(command) = line.strip_prefix("$ ") {
                    read.commands.push((command.to_owned(), 0));
                } else if let Some(code) = line.strip_prefix("? ") {
                    let last = read.commands.last_mut().expect("after a command");
                    last.1 = code.parse().expect("an exit code");
                } else {
                    read.written.push(line.to_owned());
                }
            }
            read
        })
        .collect()
}

/// Returns whether the command runs in the background, and is bound where it says.
fn is_server(command: &str) -> bool {
    command.ends_with('&') && !command.contains("--connect")
}

/// Puts ports that are free in place of those that the README has.
fn with_free_ports(text: &str) -> String {
    let mut text = text.replace("127.0.0.1", "127.0.0.2");
    let mut held = Vec::new();
    while let Some(at) = text.find(":55") {
        let port = text[at + 1..at + 5].to_owned();
        let free = std::net::TcpListener::bind("127.0.0.2:0").expect("a port");
        let number = free.local_addr().expect("an address").port();
        text = text.replace(&port, &number.to_string());
        held.push(free);
    }
    text
}

fn fits(line: &str, expected: &str) -> bool {
    let mut rest = line;
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else {
        return false;
    };
    rest = after;
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    is_open || rest.is_empty()
}

fn run(folder: &Path, block: &Block) {
    let mut script = String::new();
    for (command, code) in &block.commands {
        script += command;
        // What is bound in the background is there before the next command.
        for bound in command
            .split("tcp://")
            .skip(1)
            .filter(|_| is_server(command))
        {
            let place = bound.split(' ').next().expect("an address");
            let port = place.rsplit(':').next().expect("a port");
            script += &format!(
                "\nuntil grep -qi \"0200007F:$(printf %04X {port}) 00000000:0000 0A\" /proc/net/tcp; do sleep 0.02; done"
            );
        }
        if !command.ends_with('&') {
            script += &format!("\ncode=$?; test $code -eq {code} || echo \"exit code $code\"");
        }
        script += "\n";
    }
    let text = script + "\0" + &block.written.join("\n");
    let text = with_free_ports(&text);
    let (script, written) = text.split_once('\0').expect("both");
    let tool = Path::new(env!("CARGO_BIN_EXE_pzmq"))
        .parent()
        .expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("timeout")
        .args(["60", "bash", "-c", &format!("exec 2>&1\n{script}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", tool.display()))
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let got = String::from_utf8_lossy(&output.stdout);
    let got: Vec<_> = got.lines().collect();
    let expected: Vec<_> = written.lines().collect();
    let is_same = got.len() == expected.len()
        && got
            .iter()
            .zip(&expected)
            .all(|(got, expected)| fits(got, expected));
    assert!(
        is_same,
        "{script}\nwrote\n{}\nand not\n{written}",
        got.join("\n")
    );
}

#[test]
fn every_command_does_what_stands_there() {
    let blocks = blocks();
    assert!(blocks.len() > 10);
    let mut ran = 0;
    for block in &blocks {
        // It would fetch what is published.
        if block.commands[0].0.starts_with("cargo install") {
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), block);
        ran += 1;
    }
    assert_eq!(ran + 1, blocks.len());
}
