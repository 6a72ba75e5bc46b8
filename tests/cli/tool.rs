//! The tool: where it is, and one that runs.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::LazyLock;
use std::time::SystemTime;

use common::within;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// `pzmq`, as the sources have it: tests of the whole workspace have built it already, those of this package alone have not.
static PZMQ: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("a folder of the profile");
    let tool = profile.join(format!("pzmq{}", std::env::consts::EXE_SUFFIX));
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let sources =
        ["cli/src", "patterns/src", "zmtp/src"].map(|sources| newest(&root.join(sources)));
    let built = std::fs::metadata(&tool).and_then(|tool| tool.modified());
    if built.is_ok_and(|built| sources.iter().all(|source| *source <= built)) {
        return tool;
    }
    let mut build = std::process::Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--package", "purezmq-cli"]);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let target = profile.parent().expect("a folder of the target");
    let built = build
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .status();
    assert!(built.expect("cargo runs").success(), "pzmq is not built");
    tool
});

/// Builds the tool if it is not there: where somebody waits for it, and not for ever.
pub(crate) fn ready() {
    LazyLock::force(&PZMQ);
}

/// Returns when the newest file in a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).expect("sources");
    let times = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => newest(&path),
            false => path
                .metadata()
                .and_then(|file| file.modified())
                .expect("a time"),
        }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
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
