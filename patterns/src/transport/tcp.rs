//! TCP: listening, accepting, dialling; also for what runs over TCP.

use std::future::Future;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use super::adopt::{Adopt, nameless};
#[cfg(feature = "socks")]
use super::socks::proxy_of;
use super::{Acceptor, ByteStream, Listener, Stream, Transport, bind_error, resolve, sockopt};
use crate::endpoint::{Endpoint, EndpointError, Host, TcpEndpoint};
use crate::error::{BindError, ConnectError, ConnectFailure};
use crate::options::Options;
use crate::peer_address::PeerAddress;

/// The transport.
pub(super) struct Tcp;

impl Transport for Tcp {
    const SCHEME: &'static str = TcpEndpoint::SCHEME;
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
        Ok(check_connect(address, endpoint.transport(), options)?)
    }

    async fn bind(
        &self,
        endpoint: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
    ) -> Result<Listener, BindError> {
        bind(address, endpoint, options).await
    }

    async fn connect(
        &self,
        _: &Endpoint,
        address: &TcpEndpoint,
        options: &Options,
        delayed: &(dyn Fn() + Sync),
    ) -> Result<(Stream, PeerAddress), ConnectFailure> {
        connect(address, options, delayed).await
    }
}

/// A listening TCP socket.
#[derive(Debug)]
struct TcpListener {
    listener: tokio::net::TcpListener,
    endpoint: Endpoint,
    options: Options,
}

/// Listens at the first address of the endpoint that this machine has. `endpoint` says of what transport the listener
/// is to be, and is how errors name it.
pub(super) async fn bind(
    tcp: &TcpEndpoint,
    endpoint: &Endpoint,
    options: &Options,
) -> Result<Listener, BindError> {
    let port = tcp.port().unwrap_or(0);
    let addresses = resolve::local(tcp.host(), port, options.ipv6)
        .await
        .map_err(|reason| BindError::AddressNotAvailable {
            endpoint: endpoint.clone(),
            reason,
        })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match listen(address, options) {
            Ok((listener, bound)) => {
                return Ok(Box::new(TcpListener {
                    listener,
                    endpoint: endpoint.at(named(tcp, bound)),
                    options: options.clone(),
                }));
            }
            // The next address may be one of ours. An address in use is another matter: to
            // listen elsewhere than the peers look would hide the mistake.
            Err(error) if is_absent(&error) => last = error,
            Err(error) => return Err(bind_error(endpoint, error)),
        }
    }
    Err(bind_error(endpoint, last))
}

/// Returns how an address is called that was bound. Of `*` the IPv6 wildcard takes peers of both kinds, but only those with
/// IPv6 could connect to that by its name; to the other one all can.
fn named(tcp: &TcpEndpoint, bound: SocketAddr) -> SocketAddr {
    match tcp.host() {
        Host::Any => (Ipv4Addr::UNSPECIFIED, bound.port()).into(),
        _ => bound,
    }
}

impl Adopt for std::net::TcpListener {
    fn endpoint(&self) -> Result<Endpoint, BindError> {
        let address = self.local_addr();
        address
            .map(Endpoint::from)
            .map_err(|error| nameless("tcp://*:*", error))
    }

    fn adopt(self: Box<Self>, endpoint: Endpoint, options: &Options) -> io::Result<Listener> {
        self.set_nonblocking(true)?;
        Ok(Box::new(TcpListener {
            listener: tokio::net::TcpListener::from_std(*self)?,
            endpoint,
            options: options.clone(),
        }))
    }
}

fn listen(
    address: SocketAddr,
    options: &Options,
) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
    let socket = socket(address)?;
    if address.is_ipv6() {
        // The wildcard takes IPv4 peers as well; systems differ in their default.
        socket.set_only_v6(false)?;
    }
    // A restarted server must not wait for its old connections' TIME_WAIT. On Windows the same
    // option would let two servers share a port, and is not needed.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    sockopt::buffers(&socket, options)?;
    sockopt::tcp(&socket, address.is_ipv6(), options)?;
    sockopt::device(&socket, options)?;
    sockopt::unpaced(&socket, address);
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let listener = tokio::net::TcpListener::from_std(socket.into())?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

impl Acceptor for TcpListener {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn fd(&self) -> Option<i32> {
        fd(&self.listener)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddress)>> {
        let (stream, peer) = ready!(self.listener.poll_accept(cx))?;
        // Most systems copy the options from the listener, which has taken them already: what
        // fails now is a connection that is dead, and its session will see that.
        let socket = SockRef::from(&stream);
        let _ = sockopt::buffers(&socket, &self.options);
        let _ = sockopt::tcp(&socket, peer.is_ipv6(), &self.options);
        Poll::Ready(Ok((
            Stream::Tcp(stream),
            PeerAddress::from(canonical(peer)),
        )))
    }
}

/// Just under the largest segment of TCP. A second one with little in it costs the system as much as the first.
pub(super) const SEGMENT: usize = 64_000;

/// A segment is shown when it is full, or ends what is written: a message of 64 KiB would be copied whole before the peer
/// wakes, which takes as long again.
pub(super) const HEAD: usize = 8 * 1024;

/// Says whether a socket has told the runtime that nothing will come behind what there is to read.
pub(super) fn is_read_closed(ready: impl Future<Output = io::Result<Ready>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(pin!(ready).poll(&mut cx), Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

impl ByteStream for TcpStream {
    fn segment(&self) -> usize {
        SEGMENT
    }

    fn head(&self) -> usize {
        HEAD
    }

    fn expect_large(&self) {
        sockopt::more_unsent(&SockRef::from(self));
    }

    fn fd(&self) -> Option<i32> {
        fd(self)
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn has_ended(&self) -> bool {
        is_read_closed(self.ready(Interest::READABLE))
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self)).read(buffer)
    }
}

/// Returns the system's number of a socket.
#[cfg(unix)]
pub(super) fn fd(socket: &impl std::os::fd::AsRawFd) -> Option<i32> {
    Some(socket.as_raw_fd())
}

/// Returns nothing: this system numbers sockets in another way.
#[cfg(not(unix))]
pub(super) fn fd<S>(_: &S) -> Option<i32> {
    None
}

/// Checks whether one can connect there, directly or through a proxy, as far as the endpoint and the options tell.
pub(super) fn check_connect(
    tcp: &TcpEndpoint,
    scheme: &str,
    options: &Options,
) -> Result<(), EndpointError> {
    tcp.check_connect(scheme)?;
    match proxy_of(options) {
        // `reach` takes the proxy's own source before that of the endpoint.
        Some(proxy) if proxy.source().is_some() => proxy.check_source(proxy.host()),
        Some(proxy) => tcp.check_source(proxy.host()),
        None => tcp.check_source(tcp.host()),
    }
}

/// Returns nothing: this build knows no proxies.
#[cfg(not(feature = "socks"))]
fn proxy_of(_: &Options) -> Option<TcpEndpoint> {
    None
}

/// Makes one attempt, directly or through a proxy.
pub(super) async fn connect(
    tcp: &TcpEndpoint,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    #[cfg(feature = "socks")]
    let by_proxy = super::socks::connect(tcp, options, delayed).await;
    #[cfg(not(feature = "socks"))]
    let by_proxy: Option<Result<_, ConnectFailure>> = None;
    let (stream, address) = match by_proxy {
        Some(reached) => reached?,
        None => reach(tcp, tcp.source(), options, delayed).await?,
    };
    Ok((Stream::Tcp(stream), PeerAddress::from(canonical(address))))
}

/// Resolves, then dials every address in turn until one answers.
pub(super) async fn reach(
    tcp: &TcpEndpoint,
    source: Option<(&Host, Option<u16>)>,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Result<(TcpStream, SocketAddr), ConnectFailure> {
    // What is awaited is pinned here: a future that is handed on is in the other one twice.
    let (targets, sources) = {
        let resolving = pin!(async {
            let port = tcp.port().unwrap_or(0);
            let targets = resolve::remote(tcp.host(), port, options.ipv6)
                .await
                .map_err(|reason| unresolved(tcp.host(), reason))?;
            let sources = match source {
                Some((host, port)) => resolve::local(host, port.unwrap_or(0), options.ipv6)
                    .await
                    .map_err(|reason| unresolved(host, reason))?,
                None => Vec::new(),
            };
            Ok((targets, sources))
        });
        within(options.connect_timeout, resolving, || tcp.to_string()).await?
    };

    let mut last = None;
    for target in targets {
        let source = sources
            .iter()
            .find(|source| source.is_ipv6() == target.is_ipv6());
        let attempt = pin!(async {
            if source.is_none() && !sources.is_empty() {
                let reason = "the source address is of the other IP version";
                let error = io::Error::new(io::ErrorKind::AddrNotAvailable, reason);
                return Err(ConnectFailure::io(target, error));
            }
            dial(target, source, options, delayed).await
        });
        match within(options.connect_timeout, attempt, || target.to_string()).await {
            Ok(stream) => return Ok((stream, target)),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| unresolved(tcp.host(), "no address".to_owned())))
}

/// Connects to one address, and calls `delayed` if it does not answer at once.
async fn dial(
    target: SocketAddr,
    source: Option<&SocketAddr>,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Result<TcpStream, ConnectFailure> {
    let failed = |error| ConnectFailure::io(target, error);
    let socket = prepare(target, source, options).map_err(failed)?;
    let stream = establish(socket, target, delayed).await.map_err(failed)?;
    // What fails now is a connection that is dead, and its session will see that.
    let _ = sockopt::tcp_stream(&SockRef::from(&stream), options);
    let own = stream.local_addr().map_err(failed)?;
    // While nobody listens at a port of the ephemeral range, the system may choose that very
    // port for us, and TCP's simultaneous open connects the socket to itself.
    if own == target {
        // Reset, or TIME_WAIT would keep the port from the peer that is to come.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        return Err(ConnectFailure::SelfConnected { address: target });
    }
    Ok(stream)
}

/// Connects a socket.
async fn establish(
    socket: Socket,
    target: SocketAddr,
    delayed: &(dyn Fn() + Sync),
) -> io::Result<TcpStream> {
    let begun = socket.connect(&target.into());
    let is_connected = begun.is_ok();
    if let Err(error) = begun {
        if !is_under_way(&error) {
            return Err(error);
        }
        delayed();
        // Where nobody listens on this machine, that is known already: it costs no turn of the runtime.
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
    }
    let stream = TcpStream::from_std(socket.into())?;
    if !is_connected {
        stream.writable().await?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
    }
    Ok(stream)
}

/// Returns whether an attempt to connect goes on.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_begun = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::INPROGRESS);
    #[cfg(not(unix))]
    let is_begun = false;
    is_begun || error.kind() == io::ErrorKind::WouldBlock
}

/// A socket with the options set that matter before it is connected, bound to the source if there is one.
fn prepare(
    target: SocketAddr,
    source: Option<&SocketAddr>,
    options: &Options,
) -> io::Result<Socket> {
    let socket = socket(target)?;
    sockopt::buffers(&socket, options)?;
    sockopt::tcp_connecting(&socket, target.is_ipv6(), options)?;
    sockopt::device(&socket, options)?;
    sockopt::unpaced(&socket, target);
    if let Some(source) = source {
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        socket.bind(&(*source).into()).map_err(|error| {
            io::Error::new(error.kind(), format!("source address {source}: {error}"))
        })?;
    }
    Ok(socket)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let (domain, protocol) = (Domain::for_address(address), Some(Protocol::TCP));
    // Two system calls less for each attempt to connect.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), protocol)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = Socket::new(domain, Type::STREAM, protocol)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Ends an attempt that takes longer than the limit.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = Result<T, ConnectFailure>>,
    address: impl FnOnce() -> String,
) -> Result<T, ConnectFailure> {
    let Some(after) = limit else {
        return attempt.await;
    };
    match tokio::time::timeout(after, attempt).await {
        Ok(result) => result,
        Err(_) => Err(ConnectFailure::TimedOut {
            address: address(),
            after,
        }),
    }
}

/// Says that a host has no address now.
pub(super) fn unresolved(host: &impl ToString, reason: String) -> ConnectFailure {
    ConnectFailure::Resolve {
        host: host.to_string(),
        reason,
    }
}

/// Whether this machine has no such address, or not that IP version at all.
pub(super) fn is_absent(error: &io::Error) -> bool {
    #[cfg(unix)]
    let unsupported =
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT);
    // WSAEAFNOSUPPORT
    #[cfg(not(unix))]
    let unsupported = error.raw_os_error() == Some(10047);
    unsupported || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// An IPv4 peer of a dual-stack socket has an IPv6 address that maps its own: show its own.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip.is_ipv4() => SocketAddr::new(ip, address.port()),
        _ => address,
    }
}
