//! The progress bar of `pzmq bench`, as somebody sees it at a terminal.
#![cfg(unix)]

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use portable_pty::{CommandBuilder, NativePtySystem, PtySize, PtySystem};

/// How long anything may take on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `pzmq` at a terminal, and returns what stood on its screen each time that something was written there.
fn screens(arguments: &[&str]) -> Vec<String> {
    let size = PtySize {
        rows: 24,
        cols: 100,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = NativePtySystem::default()
        .openpty(size)
        .expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pzmq"));
    command.args(arguments);
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    // The terminal ends with its last program.
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().expect("its output");
    let (pieces, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // Linux says that a terminal has ended by an error.
        while let Ok(read @ 1..) = output.read(&mut piece) {
            if pieces.send(piece[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut terminal = vt100::Parser::new(24, 100, 0);
    let mut screens = vec![];
    loop {
        match received.recv_timeout(PATIENCE) {
            Ok(piece) => {
                terminal.process(&piece);
                screens.push(terminal.screen().contents());
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().expect("it is there");
                panic!(
                    "nothing more was written; the last screen:\n{:?}",
                    screens.last()
                );
            }
        }
    }
    assert!(
        child.wait().expect("it ends").success(),
        "{:?}",
        screens.last()
    );
    screens
}

#[test]
fn a_bar_grows_and_makes_place_for_the_result() {
    // It takes a second, at least.
    let bench = [
        "bench",
        "round-trip",
        "--rate",
        "200",
        "--count",
        "200",
        "--warmup",
        "1",
    ];
    let screens = screens(&bench);
    let mut seen = vec![];
    for screen in &screens {
        // A bar is 40 wide, whatever of it is full.
        let line = screen.lines().find(|line| line.contains("/201 "));
        let Some((bar, rest)) = line.and_then(|line| line.split_at_checked(bar_end(line))) else {
            continue;
        };
        assert_eq!(bar.chars().count(), 40, "{screen}");
        let (percent, rest) = rest.split_once(" % ").expect("how much there is");
        let (done, _) = rest.split_once("/201 ").expect("how many there are");
        let done: u64 = done.parse().expect("a number");
        let percent: u64 = percent.trim().parse().expect("a number");
        assert!(percent.abs_diff(done * 100 / 201) <= 1, "{screen}");
        let full = bar.chars().filter(|c| *c == '█').count() as u64;
        assert!(full.abs_diff(done * 40 / 201) <= 1, "{screen}");
        seen.push(done);
    }
    assert!(seen.len() > 2 && seen.is_sorted(), "{seen:?}");
    let end = screens.last().expect("the result");
    assert!(
        end.starts_with("round trip, 64 bytes, 200 messages, itself by tcp\n"),
        "{end}"
    );
    assert!(!end.contains("/201 "), "{end}");
}

/// Where the bar of a line ends, in bytes.
fn bar_end(line: &str) -> usize {
    line.find(|c| !matches!(c, '█' | '░')).unwrap_or(line.len())
}
