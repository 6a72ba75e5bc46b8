//! What commands that open sockets do in the same way: where they run, and how a socket type is read.

use std::io::Write;
use std::time::Duration;

use purezmq::{Context, Rules};

use crate::failure::Failure;

/// Runs a command's future on a runtime of one thread. Sockets of [`context`] have their connections on another, so
/// that a file or a terminal that is slow does not hold them up.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of("cannot start", &error))?
        .block_on(future)
}

/// Makes the context of a command's sockets. Its threads end with the last handle of it: whoever closes a socket keeps the
/// context until that is done.
pub(crate) fn context() -> Result<Context, Failure> {
    Context::with_io_threads(1).map_err(|error| Failure::of("cannot start a thread", &error))
}

/// Reads a socket type as people write it: `pull`, `PULL`, `xsub`.
pub(crate) fn socket_type(name: &str) -> Result<&'static Rules, String> {
    name.to_uppercase()
        .parse()
        .ok()
        .and_then(Rules::of)
        .ok_or_else(|| "there is no such socket type".to_owned())
}

/// Waits for so long, or for ever.
pub(crate) async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Writes a text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::output(&error))
}
