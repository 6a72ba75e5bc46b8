//! Where a tap listens and connects: streams of bytes, by TCP or a socket file.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use purezmq::Endpoint;
use purezmq::endpoint::Host;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::failure::Failure;

/// One direction that is read, and one that is written.
pub(super) type Stream = (Box<dyn AsyncRead + Unpin>, Box<dyn AsyncWrite + Unpin>);

/// Where clients connect to.
pub(super) struct Acceptor {
    listener: Listener,
    endpoint: String,
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    File(UnixListener, PathBuf),
}

/// What connections are passed on to.
pub(super) enum Target {
    Tcp(String, u16),
    #[cfg(unix)]
    File(PathBuf),
}

impl Target {
    /// Reads an endpoint that names one place.
    pub(super) fn parse(endpoint: &str) -> Result<Self, Failure> {
        let usage = |why: &str| Failure::Usage(format!("{endpoint}: {why}"));
        let parsed: Endpoint = endpoint
            .parse()
            .map_err(|error: purezmq::EndpointError| Failure::Usage(error.to_string()))?;
        if let (Some(tcp), "tcp") = (parsed.tcp(), parsed.transport()) {
            if tcp.source().is_some() {
                return Err(usage("a tap connects from wherever the system says"));
            }
            let host = match tcp.host() {
                Host::Any => "0.0.0.0".to_owned(),
                Host::V4(address) => address.to_string(),
                Host::V6 {
                    address,
                    zone: None,
                } => address.to_string(),
                Host::V6 {
                    address,
                    zone: Some(zone),
                } => format!("{address}%{zone}"),
                Host::Name(name) => name.clone(),
                _ => return Err(usage("a tap does not know such hosts")),
            };
            return Ok(Target::Tcp(host, tcp.port().unwrap_or_default()));
        }
        #[cfg(unix)]
        if let Some(path) = parsed.ipc().and_then(|ipc| ipc.path()) {
            return Ok(Target::File(path.to_owned()));
        }
        Err(usage("a tap takes tcp://host:port and ipc://path"))
    }

    /// Connects.
    pub(super) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Target::Tcp(host, port) => tcp(TcpStream::connect((host.as_str(), *port)).await?),
            #[cfg(unix)]
            Target::File(path) => Ok(file(UnixStream::connect(path).await?)),
        }
    }
}

impl Acceptor {
    /// Listens. A socket file goes again with the acceptor.
    pub(super) async fn bind(endpoint: &str) -> Result<Self, Failure> {
        let bound = match Target::parse(endpoint)? {
            Target::Tcp(host, port) => {
                TcpListener::bind((host.as_str(), port))
                    .await
                    .and_then(|listener| {
                        let address = listener.local_addr()?;
                        Ok((Listener::Tcp(listener), format!("tcp://{address}")))
                    })
            }
            #[cfg(unix)]
            Target::File(path) => UnixListener::bind(&path)
                .map(|listener| (Listener::File(listener, path), endpoint.to_owned())),
        };
        let (listener, endpoint) = bound
            .map_err(|error| Failure::of(format_args!("cannot listen at {endpoint}"), &error))?;
        Ok(Acceptor { listener, endpoint })
    }

    /// Returns where it listens, with the port that the system has chosen.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Accepts a connection, and says whence it is, if that can be told. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Option<(IpAddr, u16)>)> {
        match &self.listener {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((tcp(stream)?, Some((address.ip(), address.port()))))
            }
            #[cfg(unix)]
            Listener::File(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((file(stream), None))
            }
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Listener::File(_, path) = &self.listener {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn tcp(stream: TcpStream) -> io::Result<Stream> {
    // What comes as one piece leaves as one; nothing waits for more.
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    Ok((Box::new(read), Box::new(write)))
}

#[cfg(unix)]
fn file(stream: UnixStream) -> Stream {
    let (read, write) = stream.into_split();
    (Box::new(read), Box::new(write))
}
