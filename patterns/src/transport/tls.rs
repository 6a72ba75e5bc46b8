//! TLS: a layer over any byte stream ([`Layer`]), and the transport `tls+tcp://`, which puts it over TCP.
//!
//! The layer's handshake is its `poll_open`: the session has it done as the first step of its own, so that one time
//! limit covers both and a silent peer holds up nobody. Certificates, keys and cryptography are the application's, by
//! rustls's own configurations (options `tls_server` and `tls_client`).

use std::io::{self, IoSlice, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ConnectionCommon, ServerConfig, SideData};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{Accept, Connect, TlsAcceptor, TlsConnector, TlsStream};

use super::{Acceptor, ByteStream, Listener, Stream, Transport, tcp};
use crate::endpoint::{Endpoint, EndpointError, Host, TcpEndpoint};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// The transport `tls+tcp://`.
pub(super) struct Tls;

impl Transport for Tls {
    const SCHEME: &'static str = "tls+tcp";
    type Address = TcpEndpoint;

    fn parse(address: &str) -> Result<TcpEndpoint, EndpointError> {
        TcpEndpoint::parse(address)
    }

    fn reachable_from_other_hosts(address: &TcpEndpoint) -> bool {
        address.reachable_from_other_hosts()
    }

    fn check_bind(address: &TcpEndpoint) -> Result<(), EndpointError> {
        address.check_bind(Self::SCHEME)
    }

    fn check_connect(
        endpoint: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
    ) -> Result<(), ConnectError> {
        tcp::check_connect(address, endpoint.transport(), options)?;
        if options.tls_client.is_none() || server_name(address, options).is_none() {
            let endpoint = endpoint.clone();
            return Err(ConnectError::NoTls { endpoint });
        }
        Ok(())
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
    ) -> Result<Listener, BindError> {
        let Some(config) = options.tls_server.clone() else {
            let endpoint = endpoint.clone();
            return Err(BindError::NoTls { endpoint });
        };
        let below = tcp::bind(address, endpoint, options).await?;
        Ok(Box::new(TlsListener { below, config }))
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
        delayed: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        let unsupported = |reason| ConnectFailure::Unsupported {
            endpoint: endpoint.clone(),
            reason,
        };
        let config = (options.tls_client.clone()).ok_or_else(|| unsupported("no `tls_client`"))?;
        let name = server_name(address, options)
            .ok_or_else(|| unsupported("its name cannot be verified"))?;
        let (below, peer) = tcp::connect(address, options, delayed).await?;
        Ok((Layer::client(below, config, name), peer))
    }
}

/// Returns whom the server's certificate has to name.
fn server_name(address: &TcpEndpoint, options: &Options) -> Option<ServerName<'static>> {
    if let Some(name) = &options.tls_server_name {
        return ServerName::try_from(name.clone()).ok();
    }
    match address.host() {
        Host::V4(address) => Some(ServerName::IpAddress((*address).into())),
        Host::V6 { address, .. } => Some(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Any => None,
    }
}

/// A listener whose connections speak TLS.
#[derive(Debug)]
struct TlsListener {
    below: Listener,
    config: Arc<ServerConfig>,
}

impl Acceptor for TlsListener {
    fn endpoint(&self) -> &Endpoint {
        self.below.endpoint()
    }

    fn fd(&self) -> Option<i32> {
        self.below.fd()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let (below, peer) = ready!(self.below.poll_accept(cx))?;
        Poll::Ready(Ok((Layer::server(below, self.config.clone()), peer)))
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.below.close()
    }
}

/// TLS over a stream, before and after its handshake.
pub(super) enum Layer {
    Accepting(Accept<Stream>),
    Connecting(Connect<Stream>),
    Open(TlsStream<Stream>),
    /// The handshake failed.
    Failed,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.below()).finish()
    }
}

impl Layer {
    /// Puts the server's side of TLS over a stream.
    pub(super) fn server(below: Stream, config: Arc<ServerConfig>) -> Stream {
        Stream::other(Layer::Accepting(TlsAcceptor::from(config).accept(below)))
    }

    /// Puts the client's side of TLS over a stream. The server's certificate has to be for `name`.
    pub(super) fn client(
        below: Stream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Stream {
        let connect = TlsConnector::from(config).connect(name, below);
        Stream::other(Layer::Connecting(connect))
    }

    /// Returns the stream below.
    fn below(&self) -> Option<&Stream> {
        match self {
            Layer::Accepting(stream) => stream.get_ref(),
            Layer::Connecting(stream) => stream.get_ref(),
            Layer::Open(stream) => Some(stream.get_ref().0),
            Layer::Failed => None,
        }
    }

    /// Returns the stream after the handshake: nobody reads or writes before.
    fn open(&mut self) -> io::Result<Pin<&mut TlsStream<Stream>>> {
        match self {
            Layer::Open(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl ByteStream for Layer {
    fn segment(&self) -> usize {
        self.below().map_or(usize::MAX, Stream::segment)
    }

    fn expect_large(&self) {
        if let Some(below) = self.below() {
            below.expect_large();
        }
    }

    fn fd(&self) -> Option<i32> {
        self.below()?.fd()
    }

    fn has_ended(&self) -> bool {
        self.below().is_some_and(Stream::has_ended)
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.below()?.local_address()
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.open()?.get_mut() {
            TlsStream::Server(stream) => {
                let (below, tls) = stream.get_mut();
                try_read(below, tls, buffer)
            }
            TlsStream::Client(stream) => {
                let (below, tls) = stream.get_mut();
                try_read(below, tls, buffer)
            }
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let below = match self {
            Layer::Accepting(stream) => stream.get_mut(),
            Layer::Connecting(stream) => stream.get_mut(),
            Layer::Open(_) | Layer::Failed => None,
        };
        if let Some(below) = below {
            ready!(below.poll_open(cx))?;
        }
        let opened = match self {
            Layer::Accepting(stream) => ready!(Pin::new(stream).poll(cx)).map(TlsStream::from),
            Layer::Connecting(stream) => ready!(Pin::new(stream).poll(cx)).map(TlsStream::from),
            Layer::Open(_) => return Poll::Ready(Ok(())),
            Layer::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        let (next, result) = match opened {
            Ok(stream) => (Layer::Open(stream), Ok(())),
            Err(error) => (Layer::Failed, Err(error)),
        };
        *self = next;
        Poll::Ready(result)
    }

    fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.open()?.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn move_here(&mut self) -> io::Result<()> {
        match self.open()?.get_mut() {
            TlsStream::Server(stream) => stream.get_mut().0.move_here(),
            TlsStream::Client(stream) => stream.get_mut().0.move_here(),
        }
    }

    fn says_goodbye(&self) -> bool {
        true
    }

    fn certificate(&self) -> Option<Bytes> {
        let Layer::Open(stream) = self else {
            return None;
        };
        let chain = stream.get_ref().1.peer_certificates()?;
        chain.first().map(|own| Bytes::copy_from_slice(own))
    }
}

impl AsyncRead for Layer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Layer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().open()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().open()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_shutdown(cx)
    }
}

/// Reads from the stream below and decrypts, without asking the runtime.
fn try_read<S: SideData>(
    below: &mut Stream,
    tls: &mut ConnectionCommon<S>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        if tls.read_tls(&mut Now(below))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
}

/// A stream as rustls reads it.
struct Now<'a>(&'a mut Stream);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}
