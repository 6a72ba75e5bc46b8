//! A `pzmq` in the background, and one in the foreground.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take. Far above what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A command that is run to its end.
pub(crate) fn pzmq<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("pzmq").expect("pzmq is built");
    command.args(arguments).timeout(PATIENCE);
    command
}

/// What a command has written to standard output.
pub(crate) fn written(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// What a command has written to standard error.
pub(crate) fn said(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

/// A command that runs. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: [Receiver<String>; 2],
}

impl Running {
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Running::start_in(Path::new("."), arguments)
    }

    pub(crate) fn start_in<S: AsRef<std::ffi::OsStr>>(
        folder: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pzmq"))
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pzmq starts");
        let lines = [
            lines(child.stdout.take().expect("piped")),
            lines(child.stderr.take().expect("piped")),
        ];
        Running {
            input: child.stdin.take(),
            child,
            lines,
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{line}").expect("it reads");
    }

    /// Waits for its next line on standard output.
    pub(crate) fn writes(&self) -> String {
        let line = self.lines[0].recv_timeout(PATIENCE);
        line.expect("it writes a line in time")
    }

    /// Waits for a line on standard error that has this in it, and returns what follows.
    pub(crate) fn says(&self, what: &str) -> String {
        loop {
            let line = self.lines[1].recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it does not say {what:?}"));
            if let Some((_, rest)) = line.split_once(what) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for the endpoint that it is bound to, after a port of the system's choice.
    pub(crate) fn endpoint(&self) -> String {
        self.says("bound to ")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("it runs");
    }

    /// Waits for its end, and returns how it ended, and what it wrote and said until then.
    pub(crate) fn ends(mut self) -> (ExitStatus, String, String) {
        drop(self.input.take());
        let rest = self.lines.each_ref().map(|lines| {
            let mut text = String::new();
            loop {
                match lines.recv_timeout(PATIENCE) {
                    Ok(line) => text += &(line + "\n"),
                    Err(RecvTimeoutError::Disconnected) => break text,
                    Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
                }
            }
        });
        let status = self.child.wait().expect("it has ended");
        let [written, said] = rest;
        (status, written, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
