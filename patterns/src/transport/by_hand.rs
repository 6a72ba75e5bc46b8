//! [`open_stream`]: a connection without a socket, for tools that look at a peer more closely than a socket shows.

use std::fmt::Debug;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{ByteStream, check_connect, connect};
use crate::endpoint::Endpoint;
use crate::error::ConnectFailure;
use crate::options::Options;

/// Connects to an endpoint of any transport that carries streams, without a socket: one attempt, with whatever handshake
/// the transport has of its own (TLS, WebSocket). What is read and written are the bytes of ZMTP, from the greeting on, as
/// [`zmtp::Connection`] takes and gives them; over WebSocket, too, where the upgrade names the mechanism of `options` and so
/// stands for the greeting.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::options::Options;
/// use purezmq::{RepSocket, SocketType, open_stream};
/// use tokio::io::AsyncReadExt;
///
/// let mut rep = RepSocket::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// let mut stream = open_stream(&endpoint, &Options::of(SocketType::Req)).await?;
/// assert_eq!(stream.read_u8().await?, 0xff, "a greeting begins so");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Of the kind `InvalidInput` for an endpoint that nobody can connect to, or not with these options; otherwise why there is
/// no connection. Nothing is tried again.
///
/// # Cancel safety
///
/// A dropped future closes what was half open.
pub async fn open_stream(
    endpoint: &Endpoint,
    options: &Options,
) -> io::Result<impl AsyncRead + AsyncWrite + Debug + Send + Unpin + use<>> {
    let wrong = |error: &dyn std::error::Error| {
        io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
    };
    check_connect(endpoint, options).map_err(|error| wrong(&error))?;
    let (mut stream, _) = connect(endpoint, options, None, &|| {})
        .await
        .map_err(|failure| {
            let kind = match &failure {
                ConnectFailure::Io { source, .. } => source.kind(),
                ConnectFailure::TimedOut { .. } => io::ErrorKind::TimedOut,
                ConnectFailure::SelfConnected { .. } => io::ErrorKind::ConnectionRefused,
                ConnectFailure::Unsupported { .. } => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::Other,
            };
            io::Error::new(kind, failure.to_string())
        })?;
    std::future::poll_fn(|cx| stream.poll_open(cx)).await?;
    Ok(stream)
}
