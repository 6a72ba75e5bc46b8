//! Starts `pzmq` as a shell would, and hears it out.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::process::{Output, Stdio};
use std::time::Duration;

use purezmq::socket::{Pattern, Socket};
use tokio::process::{Child, Command};

/// How long anything may take on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Starts `pzmq` with these arguments. It is killed when it is dropped.
pub(crate) fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pzmq"));
    command.args(arguments);
    spawn(command)
}

/// Starts a shell's line in which `$0` is `pzmq`, and `$1`, `$2`, ... the arguments.
#[cfg(unix)]
pub(crate) fn start_in_shell(line: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_pzmq")]);
    command.args(arguments);
    spawn(command)
}

fn spawn(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().expect("it starts")
}

/// Waits for its end.
pub(crate) async fn ended(child: Child) -> Output {
    within(child.wait_with_output()).await.expect("it ends")
}

/// Waits for its end, which shall be a good one, and returns its standard output.
pub(crate) async fn succeeded(child: Child) -> String {
    let output = ended(child).await;
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    out
}

/// Waits for its end, which shall be with this exit code, and returns what it said on standard error.
pub(crate) async fn failed(child: Child, code: i32) -> String {
    let output = ended(child).await;
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    err
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.expect("it comes in time")
}

/// Binds a socket of the test's own to any free port, and returns where.
pub(crate) async fn bound<P: Pattern>(socket: &mut Socket<P>) -> String {
    let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bound");
    endpoint.to_string()
}
