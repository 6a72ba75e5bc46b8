//! What commands that take a socket type do in the same way.

use std::time::Duration;

use purezmq::{Context, Rules};

use crate::failure::Failure;

/// Makes the context of a command's sockets, whose connections are on a thread of their own: a file or a terminal that is
/// slow does not hold them up.
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
