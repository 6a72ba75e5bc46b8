//! Every command in the README is run, and does what stands there.
//!
//! A block of `console` is a script: `$ ` begins a command, `? 3` is the exit code of the one before (0 without), and all
//! other lines are what is written, in this order; `[..]` stands for anything.
//!
//! The form is that of the package `trycmd`, but that runs one command after the other, without a shell. Nearly all that is
//! shown here is two commands that talk, one of them in the background, often with a pipe before it; and each run needs
//! ports of its own, and has to wait until what is in the background is bound.

use std::path::Path;
use std::process::{Command, Stdio};

use purezmq::{Context, PullSocket};

use crate::running::{Running, pzmq, written};

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

/// What looks into a process has one to look into here: this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_look_into_a_process_shows_something() {
    const THERE: &str = "ipc:///run/service.top";
    let context = Context::new();
    let pull = PullSocket::builder().context(&context).name("worker");
    let mut pull = pull.build().expect("a socket");
    pull.bind("tcp://127.0.0.1:*").await.expect("bound");
    let exposed = context.expose("tcp://127.0.0.1:*").await.expect("exposed");
    let endpoint = exposed.endpoint().expect("it is bound").to_string();
    let (_, block) = README.split_once("```text\npzmq top").expect("the block");
    let (block, _) = block.split_once("```").expect("a block ends");
    let block = format!("pzmq top{block}");
    // What follows two blanks is said of the command.
    let commands: Vec<_> = block
        .lines()
        .map(|line| line.split("  ").next().expect("a command").to_owned())
        .collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    tokio::task::spawn_blocking(move || {
        let mut number = None;
        for command in commands {
            let with_number = command.replace(
                "--socket 3",
                &format!("--socket {}", number.as_deref().unwrap_or("3")),
            );
            let mut arguments: Vec<_> = with_number
                .split(' ')
                .skip(1)
                .map(|word| word.replace(THERE, &endpoint))
                .collect();
            if command.contains("--once") {
                let table = written(&pzmq(&arguments).assert().success());
                let is_of_peers = command.contains("--socket");
                let head = if is_of_peers { "ADDRESS" } else { "OUT/s" };
                assert!(table.contains(head), "{command}: {table}");
                if !is_of_peers {
                    let row = table.lines().find(|line| line.contains("worker"));
                    number = row.and_then(|row| Some(row.split_whitespace().next()?.to_owned()));
                    assert!(number.is_some(), "{table}");
                }
                continue;
            }
            if arguments[0] == "web" {
                // The port of the README may be somebody else's.
                arguments.extend(["--listen", "127.0.0.1:0"].map(str::to_owned));
            }
            let first = Running::start(&arguments).writes();
            let is_right = first.starts_with("http://127.0.0.1:") || first.starts_with("NO ");
            assert!(is_right, "{command}: {first}");
        }
    })
    .await
    .expect("all of it");
}
