//! Byte streams between machines and processes: what a session reads from and writes to.
//!
//! The sessions (above) call [`bind`], [`Listener::accept`] and [`connect`] with a parsed
//! endpoint and know no transport by name; `tcp` and `ipc` (below) know sockets and no ZMTP.
//! inproc is no byte stream and does not pass through here: it joins two pipes.
//!
//! Nothing here retries or waits between attempts: one call is one attempt, and the session owns
//! the back-off.

mod adopt;
#[cfg(unix)]
mod ipc;
mod resolve;
#[cfg(purezmq_simulation)]
mod simulated;
mod sockopt;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::io;

use crate::endpoint::Endpoint;
use crate::error::{BindError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

pub use adopt::OpenListener;
pub(crate) use stream::Stream;

/// The network to use in place of the system's: only a simulation has one.
#[cfg(purezmq_simulation)]
pub(crate) type Network = dyn crate::simulation::Network;
#[cfg(not(purezmq_simulation))]
pub(crate) enum Network {}

/// A bound address that connections come in at. Dropping it stops listening; connections that
/// were accepted live on.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(tcp::TcpListener),
    #[cfg(unix)]
    Ipc(ipc::IpcListener),
    #[cfg(purezmq_simulation)]
    Simulated(simulated::Listener),
    #[cfg(feature = "tls")]
    Tls(tls::Listener),
}

/// Listens at an endpoint; peers can connect when this returns.
///
/// # Errors
/// [`BindError`]; inproc endpoints are the caller's to handle, and give `BindError::Io`.
///
/// # Cancel safety
/// A dropped future leaves nothing bound.
pub(crate) async fn bind(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&Network>,
) -> Result<Listener, BindError> {
    endpoint.check_bind()?;
    #[cfg(purezmq_simulation)]
    if let (Some(network), Endpoint::Tcp(tcp)) = (network, endpoint) {
        return simulated::bind(network, tcp).map(Listener::Simulated);
    }
    #[cfg(not(purezmq_simulation))]
    let _ = network;
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(BindError::NoRuntime {
            endpoint: endpoint.clone(),
        });
    }
    match endpoint {
        Endpoint::Tcp(tcp) => tcp::bind(tcp, endpoint, options).await.map(Listener::Tcp),
        #[cfg(feature = "tls")]
        Endpoint::Tls(tcp) => tls::bind(tcp, options).await.map(Listener::Tls),
        #[cfg(unix)]
        Endpoint::Ipc(ipc) => ipc::bind(ipc, options).await.map(Listener::Ipc),
        _ => Err(BindError::Io {
            endpoint: endpoint.clone(),
            source: io::Error::new(io::ErrorKind::Unsupported, NO_STREAM),
        }),
    }
}

/// Takes over a socket that is listening already, at `endpoint`. Inside of a runtime.
pub(crate) fn adopt(
    listener: OpenListener,
    endpoint: Endpoint,
    options: &Options,
) -> Result<Listener, BindError> {
    let adopted = match listener {
        OpenListener::Tcp(listener) => tcp::adopt(listener, &endpoint, options).map(Listener::Tcp),
        #[cfg(unix)]
        OpenListener::Ipc(listener) => ipc::adopt(listener, &endpoint, options).map(Listener::Ipc),
    };
    adopted.map_err(|source| BindError::Io { endpoint, source })
}

/// Makes one attempt to reach a peer: resolves its name, and tries every address in turn. `delayed` is called
/// for each TCP address that does not answer at once.
///
/// # Errors
/// [`ConnectFailure`]; the caller decides when to try again.
///
/// # Cancel safety
/// A dropped future closes whatever was half open.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    options: &Options,
    network: Option<&Network>,
    delayed: &(dyn Fn() + Sync),
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    #[cfg(purezmq_simulation)]
    if let (Some(network), Endpoint::Tcp(tcp)) = (network, endpoint) {
        return simulated::connect(network, tcp, options).await;
    }
    #[cfg(not(purezmq_simulation))]
    let _ = network;
    match endpoint {
        Endpoint::Tcp(tcp) => {
            let (stream, peer) = tcp::connect(tcp, options, delayed).await?;
            Ok((Stream::Tcp(stream), peer))
        }
        #[cfg(feature = "tls")]
        Endpoint::Tls(tcp) => tls::connect(tcp, options, delayed).await,
        #[cfg(unix)]
        Endpoint::Ipc(ipc) => ipc::connect(ipc, options).await,
        _ => Err(ConnectFailure::Unsupported {
            endpoint: endpoint.clone(),
            reason: NO_STREAM,
        }),
    }
}

/// Sorts the system's answer to a failed bind.
fn bind_error(endpoint: &Endpoint, source: io::Error) -> BindError {
    let endpoint = endpoint.clone();
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { endpoint },
        io::ErrorKind::AddrNotAvailable => BindError::AddressNotAvailable {
            endpoint,
            reason: "no interface of this machine has that address".to_owned(),
        },
        _ => BindError::Io { endpoint, source },
    }
}

const NO_STREAM: &str = "this transport has no byte stream on this system";

impl Listener {
    /// Where it listens, wildcards resolved: what `bind` returns to the application.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match self {
            Listener::Tcp(tcp) => tcp.endpoint(),
            #[cfg(unix)]
            Listener::Ipc(ipc) => ipc.endpoint(),
            #[cfg(purezmq_simulation)]
            Listener::Simulated(listener) => listener.endpoint(),
            #[cfg(feature = "tls")]
            Listener::Tls(tls) => tls.endpoint(),
        }
    }

    /// The system's number of the listening socket, where it has one.
    pub(crate) fn fd(&self) -> Option<i32> {
        match self {
            Listener::Tcp(tcp) => tcp.fd(),
            #[cfg(unix)]
            Listener::Ipc(ipc) => ipc.fd(),
            #[cfg(purezmq_simulation)]
            Listener::Simulated(_) => None,
            #[cfg(feature = "tls")]
            Listener::Tls(tls) => tls.fd(),
        }
    }

    /// Stops listening, as dropping does, and says whether something was left behind.
    ///
    /// # Errors
    /// The file or directory that `ipc` had made could not be removed.
    pub(crate) fn close(self) -> io::Result<()> {
        match self {
            Listener::Tcp(_) => Ok(()),
            #[cfg(unix)]
            Listener::Ipc(ipc) => ipc.close(),
            #[cfg(purezmq_simulation)]
            Listener::Simulated(_) => Ok(()),
            #[cfg(feature = "tls")]
            Listener::Tls(_) => Ok(()),
        }
    }

    /// Waits for the next connection, and sets the socket's options on it.
    ///
    /// # Errors
    /// The system's: the new connection died, or the machine is short of something that may come back.
    /// Never a reason to spin: wait before calling again.
    ///
    /// # Cancel safety
    /// A dropped future has accepted nothing.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        match self {
            Listener::Tcp(tcp) => {
                let (stream, peer) = tcp.accept().await?;
                Ok((Stream::Tcp(stream), peer))
            }
            #[cfg(unix)]
            Listener::Ipc(ipc) => ipc.accept().await,
            #[cfg(purezmq_simulation)]
            Listener::Simulated(listener) => listener.accept().await,
            #[cfg(feature = "tls")]
            Listener::Tls(tls) => tls.accept().await,
        }
    }
}

#[cfg(test)]
mod tests;
