//! The tool: where it is, and one that runs.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use common::example::pzmq;
use common::within;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// `pzmq`: tests of the whole workspace have built it already, those of this package alone have not.
static PZMQ: LazyLock<PathBuf> = LazyLock::new(pzmq);

/// Builds the tool if it is not there: where somebody waits for it, and not for ever.
pub(crate) fn ready() {
    LazyLock::force(&PZMQ);
}

/// A `pzmq` that runs. Killed when it is dropped.
pub(crate) struct Tool {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

fn lines<R: AsyncRead + Unpin>(from: Option<R>) -> Lines<BufReader<R>> {
    BufReader::new(from.expect("piped")).lines()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PZMQ);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Tool {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().expect("pzmq starts");
        Tool {
            input: child.stdin.take(),
            output: lines(child.stdout.take()),
            errors: lines(child.stderr.take()),
            child,
        }
    }

    /// Starts one that is bound to a port of the system's choice, and returns the endpoint, too.
    pub(crate) async fn bound(kind: &str, more: &[&str]) -> (Self, String) {
        let at = [kind, "--bind", "tcp://127.0.0.1:*"];
        let mut tool = Tool::start(&[&at, more].concat());
        let line = within("it is bound", tool.errors.next_line()).await;
        let line = line.expect("text").expect("it says where");
        let endpoint = line.strip_prefix("pzmq: bound to ").expect(&line);
        (tool, endpoint.to_owned())
    }

    pub(crate) async fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("piped");
        let line = format!("{line}\n");
        input.write_all(line.as_bytes()).await.expect("it reads");
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = within("pzmq writes a line", self.output.next_line()).await;
        line.expect("text").expect("it has not ended")
    }

    /// Waits for its end.
    pub(crate) async fn ends(mut self) -> i32 {
        drop(self.input.take());
        let status = within("pzmq ends", self.child.wait()).await;
        status.expect("a status").code().expect("a code")
    }
}

/// Runs the tool to its end, and returns its exit code and what it wrote.
pub(crate) async fn run(arguments: &[&str]) -> (i32, String) {
    let mut child = command(arguments).spawn().expect("pzmq starts");
    drop(child.stdin.take());
    let ended = within("pzmq ends", child.wait_with_output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = ended.expect("it runs");
    let written = String::from_utf8_lossy(&stdout).into_owned();
    let said = String::from_utf8_lossy(&stderr);
    eprint!("{said}");
    (status.code().expect("a code"), written + &said)
}
