//! A part of a test in a process of its own: an ignored test of this program, which is told what to do by its environment
//! and says by lines how far it is.

use std::ffi::OsStr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The process. Killed when it is dropped.
pub(crate) struct Helper {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    /// Starts the ignored test of this name.
    pub(crate) fn start<V: AsRef<OsStr>>(
        test: &str,
        variables: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Self {
        let program = std::env::current_exe().expect("a path");
        let mut child = Command::new(program)
            .args(["--ignored", "--exact", "--nocapture", test])
            .envs(variables)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start");
        let stdout = child.stdout.take().expect("piped");
        let lines = BufReader::new(stdout).lines();
        Helper { child, lines }
    }

    /// Waits for a line of which `found` makes something, and returns that.
    pub(crate) async fn says<T>(&mut self, found: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = self.lines.next_line().await.expect("a pipe");
            let line = line.expect("it ended before it said that");
            if let Some(found) = found(&line) {
                return found;
            }
        }
    }
}
