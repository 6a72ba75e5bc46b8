//! TLS over TCP: the TCP transport's streams (`tcp`, below), with rustls between them and the session (above).
//!
//! `accept` and `connect` give a stream whose TLS handshake is still to come: the session has it done as the first
//! step of its own, so that one time limit covers both and a silent peer holds up nobody. Certificates, keys and
//! cryptography are the application's, by rustls's own configurations (options `tls_server` and `tls_client`).

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ConnectionCommon, ServerConfig, SideData};
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::{Accept, Connect, TlsAcceptor, TlsConnector, TlsStream};

use super::{PeerAddress, Stream, tcp};
use crate::endpoint::{Endpoint, Host, TcpEndpoint};
use crate::error::{BindError, ConnectFailure};
use crate::options::Options;

/// A listening TCP socket whose connections speak TLS.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: tcp::TcpListener,
    endpoint: Endpoint,
    config: Arc<ServerConfig>,
}

/// Listens as `tcp` does.
pub(super) async fn bind(tls: &TcpEndpoint, options: &Options) -> Result<Listener, BindError> {
    let endpoint = Endpoint::Tls(Box::new(tls.clone()));
    let Some(config) = options.tls_server.clone() else {
        return Err(BindError::NoTls { endpoint });
    };
    let tcp = tcp::bind(tls, &endpoint, options).await?;
    let endpoint = tcp.endpoint().with_tls();
    Ok(Listener {
        tcp,
        endpoint,
        config,
    })
}

impl Listener {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn fd(&self) -> Option<i32> {
        self.tcp.fd()
    }

    /// # Cancel safety
    /// Nothing is awaited after a connection has been accepted.
    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        let (stream, peer) = self.tcp.accept().await?;
        let stream = TlsAcceptor::from(self.config.clone()).accept(stream);
        Ok((Stream::Tls(Box::new(Tls::Accepting(stream))), peer))
    }
}

/// One attempt, as `tcp` makes it.
pub(super) async fn connect(
    tls: &TcpEndpoint,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    let unsupported = |reason| ConnectFailure::Unsupported {
        endpoint: Endpoint::Tls(Box::new(tls.clone())),
        reason,
    };
    let config = (options.tls_client.clone()).ok_or_else(|| unsupported("no `tls_client`"))?;
    let name =
        server_name(tls, options).ok_or_else(|| unsupported("its name cannot be verified"))?;
    let (stream, peer) = tcp::connect(tls, options, delayed).await?;
    let stream = TlsConnector::from(config).connect(name, stream);
    Ok((Stream::Tls(Box::new(Tls::Connecting(stream))), peer))
}

/// Whom the server's certificate has to name.
pub(crate) fn server_name(tls: &TcpEndpoint, options: &Options) -> Option<ServerName<'static>> {
    if let Some(name) = &options.tls_server_name {
        return ServerName::try_from(name.clone()).ok();
    }
    match tls.host() {
        Host::V4(address) => Some(ServerName::IpAddress((*address).into())),
        Host::V6 { address, .. } => Some(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Any => None,
    }
}

/// A connection, before and after its TLS handshake.
pub(crate) enum Tls {
    Accepting(Accept<TcpStream>),
    Connecting(Connect<TcpStream>),
    Open(TlsStream<TcpStream>),
    /// The handshake failed.
    Failed,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// The stream below.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Tls::Accepting(stream) => stream.get_ref(),
            Tls::Connecting(stream) => stream.get_ref(),
            Tls::Open(stream) => Some(stream.get_ref().0),
            Tls::Failed => None,
        }
    }

    /// The peer's own certificate, after the handshake, if it has shown one.
    pub(super) fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self {
            Tls::Open(stream) => stream.get_ref().1.peer_certificates()?.first().cloned(),
            _ => None,
        }
    }

    /// Goes on with the TLS handshake.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let opened = match self {
            Tls::Accepting(stream) => ready!(Pin::new(stream).poll(cx)).map(TlsStream::from),
            Tls::Connecting(stream) => ready!(Pin::new(stream).poll(cx)).map(TlsStream::from),
            Tls::Open(_) => return Poll::Ready(Ok(())),
            Tls::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        let (next, result) = match opened {
            Ok(stream) => (Tls::Open(stream), Ok(())),
            Err(error) => (Tls::Failed, Err(error)),
        };
        *self = next;
        Poll::Ready(result)
    }

    /// The stream, after the handshake: nobody reads or writes before.
    pub(super) fn open(&mut self) -> io::Result<Pin<&mut TlsStream<TcpStream>>> {
        match self {
            Tls::Open(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends what rustls still holds, as far as it goes out without waiting; the task is woken to go on.
    pub(super) fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.open()?.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Reads what is there without asking the runtime.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.open()?.get_mut() {
            TlsStream::Server(stream) => {
                let (socket, tls) = stream.get_mut();
                read_now(socket, tls, buffer)
            }
            TlsStream::Client(stream) => {
                let (socket, tls) = stream.get_mut();
                read_now(socket, tls, buffer)
            }
        }
    }
}

fn read_now<S: SideData>(
    socket: &TcpStream,
    tls: &mut ConnectionCommon<S>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        if tls.read_tls(&mut &*SockRef::from(socket))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
}
