//! [`OpenListener`]: a listening socket that somebody else has made, for the sockets' `adopt`.

use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use crate::endpoint::Endpoint;
use crate::error::BindError;

/// A socket of the system that listens already, to be given to a socket's `adopt`. Made from a
/// [`TcpListener`] or, on Unix, a `UnixListener` of the standard library, which both can be made from a file
/// descriptor.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenListener {
    /// For `tcp://`.
    Tcp(TcpListener),
    /// For `ipc://`.
    #[cfg(unix)]
    Ipc(UnixListener),
}

impl From<TcpListener> for OpenListener {
    fn from(listener: TcpListener) -> Self {
        OpenListener::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for OpenListener {
    fn from(listener: UnixListener) -> Self {
        OpenListener::Ipc(listener)
    }
}

impl OpenListener {
    /// Where it listens.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BindError> {
        match self {
            OpenListener::Tcp(listener) => match listener.local_addr() {
                Ok(address) => Ok(Endpoint::from(address)),
                Err(source) => Err(nameless("tcp://*:*", source)?),
            },
            #[cfg(unix)]
            OpenListener::Ipc(listener) => match listener.local_addr().and_then(|at| name(&at)) {
                Ok(name) => Ok(name.parse()?),
                Err(source) => Err(nameless("ipc://*", source)?),
            },
        }
    }
}

/// The listener cannot say where it listens.
fn nameless(endpoint: &str, source: io::Error) -> Result<BindError, BindError> {
    let endpoint = endpoint.parse()?;
    Ok(BindError::Io { endpoint, source })
}

#[cfg(unix)]
fn name(address: &std::os::unix::net::SocketAddr) -> io::Result<String> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::linux::net::SocketAddrExt;
        if let Some(name) = address.as_abstract_name() {
            let name = std::str::from_utf8(name).map_err(io::Error::other)?;
            return Ok(format!("ipc://@{name}"));
        }
    }
    match address.as_pathname().and_then(std::path::Path::to_str) {
        Some(path) => Ok(format!("ipc://{path}")),
        None => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the listener has no address, or none in UTF-8",
        )),
    }
}
