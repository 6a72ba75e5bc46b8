//! [`WsUpgrades`]: a `ws://` endpoint whose connections a web server accepts and upgrades, so that a page and its sockets
//! are on one port. A socket adopts it as it does a listening socket; what comes in then is as if it had been accepted.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tungstenite::http::{Request, Response};
use zmtp::zws::Subprotocol;

use super::WsEndpoint;
use super::layer::Layer;
use super::upgrade::{Names, Refused, Terms};
use crate::endpoint::{Endpoint, EndpointError, ToEndpoint};
use crate::error::BindError;
use crate::options::Options;
use crate::peer_address::PeerAddress;
use crate::sync::Mutex;
use crate::transport::adopt::Adopt;
use crate::transport::{Acceptor, ByteStream, Listener, Stream};

/// A `ws://` or `wss://` endpoint at which a web server listens (hyper, axum, ...), for one socket: a page and its sockets
/// are on one port, and share its path, cookies, TLS and proxies. Needs the feature `ws`.
///
/// The socket takes it with [`adopt`](crate::Socket::adopt). From then on the server's handler has each request
/// [`answer`](Self::answer)ed here, and gives the upgraded connection to [`WsUpgrade::adopt`]. That is served as if a bound
/// `ws://` endpoint had accepted it: the socket's limits, mechanism, `ws_origins`, monitor events and statistics are
/// the same. `unbind` and the socket's end have requests refused, with 503; those who have come stay, or go, as for any
/// bound endpoint. A clone is of the same endpoint.
///
/// With axum (`examples/web.rs` is this as a whole program):
///
/// ```ignore
/// let zmq = WsUpgrades::new("ws://127.0.0.1:8080/zmq")?;
/// publisher.adopt(zmq.clone()).await?;
///
/// async fn zmq(State(zmq): State<WsUpgrades>, peer: ConnectInfo<SocketAddr>, mut request: Request) -> Response {
///     let (response, upgrade) = zmq.answer(&request);
///     if let Some(upgrade) = upgrade {
///         tokio::spawn(async move {
///             if let Ok(stream) = hyper::upgrade::on(&mut request).await {
///                 let _ = upgrade.adopt(TokioIo::new(stream), Some(peer.0)).await;
///             }
///         });
///     }
///     response
/// }
/// ```
///
/// A framework's own WebSockets (axum's `WebSocketUpgrade`) are not for this: they read the frames themselves.
#[derive(Clone, Debug)]
pub struct WsUpgrades {
    endpoint: Endpoint,
    /// Nothing before a socket has adopted it.
    adopted: Arc<Mutex<Option<Adopted>>>,
}

/// What the socket wants, and where it takes connections.
#[derive(Debug)]
struct Adopted {
    terms: Terms,
    connections: mpsc::Sender<(Stream, PeerAddress)>,
}

/// A request that has been answered with "switch to WebSocket": its connection is awaited.
#[derive(Debug)]
pub struct WsUpgrade {
    subprotocol: Subprotocol,
    connections: mpsc::Sender<(Stream, PeerAddress)>,
}

impl WsUpgrades {
    /// Names the endpoint: where peers connect to, with the web server's port. It is what monitors and statistics tell, and
    /// its host says whether other machines can reach it, which the option `require_authentication` asks. Which path leads
    /// here is the web server's matter. `wss://` is for a web server that does TLS, and needs the feature `wss`, but
    /// none of the options for TLS.
    ///
    /// # Errors
    ///
    /// It is malformed, of another transport, or leaves the port open.
    pub fn new(endpoint: impl ToEndpoint) -> Result<Self, EndpointError> {
        let endpoint = endpoint.to_endpoint()?;
        let wrong = |reason| EndpointError::Address {
            transport: endpoint.transport(),
            address: endpoint.to_string(),
            reason,
        };
        if endpoint.address::<WsEndpoint>().is_none() {
            return Err(wrong(
                "a web server upgrades connections of ws:// and wss:// alone",
            ));
        }
        if !endpoint.is_definite() {
            return Err(wrong("the port is the web server's: it has to be named"));
        }
        Ok(WsUpgrades {
            endpoint,
            adopted: Arc::default(),
        })
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Says what to answer to a request, and with 101 gives what takes the connection after that. The response is of any type
    /// of body, and that is empty; `http` is version 1 of that crate, as in hyper 1 and axum.
    ///
    /// The other answers are 426 for what is no upgrade to version 13 of WebSocket (of HTTP/1.1: HTTP/2 has another way, which
    /// ZWS does not know), 400 for a malformed one or one without a subprotocol of ZWS for the socket's mechanism, 403 for a
    /// page of a site that may not connect (`ws_origins`), 503 if no socket has adopted this, or none any more.
    #[must_use]
    pub fn answer<B, R: Default>(&self, request: &Request<B>) -> (Response<R>, Option<WsUpgrade>) {
        let adopted = self.adopted.lock();
        let open = adopted
            .as_ref()
            .filter(|adopted| !adopted.connections.is_closed());
        let checked = open.ok_or(Refused::Nobody).and_then(|adopted| {
            let (response, subprotocol) = adopted.terms.answer(request)?;
            let upgrade = WsUpgrade {
                subprotocol,
                connections: adopted.connections.clone(),
            };
            Ok((response, Some(upgrade)))
        });
        checked.unwrap_or_else(|refused| (refused.response(), None))
    }
}

impl WsUpgrade {
    /// Gives the socket the connection, once it is upgraded: any stream of bytes, such as
    /// `hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>`. What the server has read behind the request has to come first of
    /// what is read from it; hyper's does so. `peer` is the other end's address, as far as it is known: authenticators and
    /// `max_connections_per_address` ask for it. Waits while the socket's endpoint has not accepted those before it
    /// (option `backlog`).
    ///
    /// The stream stays with the runtime that it was made in, and ends with that, wherever the socket's tasks run: what
    /// lingers for its peer then is counted as lost.
    ///
    /// # Errors
    ///
    /// The socket has let go of the endpoint. The stream is closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has closed the stream, or given it to the socket.
    pub async fn adopt<S>(self, stream: S, peer: Option<SocketAddr>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let below = Stream::other(Upgraded(stream));
        let peer = peer.map_or(PeerAddress::UNKNOWN, PeerAddress::from);
        let arrival = (Layer::upgraded(below, self.subprotocol), peer);
        let given = self.connections.send(arrival).await;
        given.map_err(|_| io::Error::new(io::ErrorKind::NotConnected, Refused::Nobody))
    }
}

impl Adopt for WsUpgrades {
    fn endpoint(&self) -> Result<Endpoint, BindError> {
        Ok(self.endpoint.clone())
    }

    fn adopt(self: Box<Self>, endpoint: Endpoint, options: &Options) -> io::Result<Listener> {
        let mut adopted = self.adopted.lock();
        if let Some(before) = &*adopted
            && !before.connections.is_closed()
        {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let address = endpoint.address().ok_or(io::ErrorKind::InvalidInput)?;
        let waiting = usize::try_from(options.backlog).unwrap_or(usize::MAX);
        let limit = waiting.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(limit);
        *adopted = Some(Adopted {
            terms: Terms::new(address, options, Names::Vouched),
            connections: sender,
        });
        Ok(Box::new(Handed {
            endpoint,
            connections: Mutex::new(receiver),
        }))
    }
}

/// A listener whose connections somebody else accepts.
#[derive(Debug)]
struct Handed {
    endpoint: Endpoint,
    connections: Mutex<mpsc::Receiver<(Stream, PeerAddress)>>,
}

impl Acceptor for Handed {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        match ready!(self.connections.lock().poll_recv(cx)) {
            Some(arrival) => Poll::Ready(Ok(arrival)),
            // The web server is gone. Nobody comes any more.
            None => Poll::Pending,
        }
    }
}

/// A stream that is somebody else's.
struct Upgraded<S>(S);

impl<S> fmt::Debug for Upgraded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgraded")
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for Upgraded<S> {
    fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // There may be TLS in it.
        match Pin::new(&mut self.0).poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Upgraded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Upgraded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
