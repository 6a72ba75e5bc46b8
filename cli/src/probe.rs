//! A connection made by hand, with the protocol of `purezmq::zmtp`: for commands that look at one peer and have to see more
//! than a socket shows (`ping`, `doctor`). TCP and socket files are dialled here, so that each address is tried by itself;
//! whatever has more below ZMTP, by the library.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use purezmq::endpoint::Host;
use purezmq::options::Options;
use purezmq::rules::Work;
use purezmq::security::Security;
use purezmq::zmtp::wire::greeting::{self, GREETING, Greeting, SIGNATURE};
use purezmq::zmtp::{self, Config, Connection, Engine, Event, Heartbeat, Incompatible, PeerInfo};
use purezmq::{Endpoint, Message, Rules, SocketType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::tls_args::TlsArgs;

/// Where a peer may be.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Path(PathBuf),
    #[cfg(target_os = "linux")]
    Abstract(String),
    /// By any other transport, with what it needs to know.
    Other(Arc<(Endpoint, Options)>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Place::Path(path) => path.display().fmt(f),
            #[cfg(target_os = "linux")]
            Place::Abstract(name) => write!(f, "@{name}"),
            Place::Other(other) => other.0.fmt(f),
        }
    }
}

/// Reads an endpoint that a connection can be made to by hand.
pub(crate) fn endpoint(text: &str, tls: &TlsArgs) -> Result<Endpoint, Failure> {
    let endpoint: Endpoint = text
        .parse()
        .map_err(|error: purezmq::EndpointError| Failure::Usage(error.to_string()))?;
    if endpoint.inproc().is_some() || endpoint.udp().is_some() {
        let other = endpoint.transport();
        return Err(Failure::Usage(format!(
            "{text}: this command looks at streams between processes (tcp://, ipc://, ...), and not at {other}://"
        )));
    }
    let is_tls = matches!(endpoint.transport(), "tls+tcp" | "wss");
    if is_tls && !tls.believes_somebody() {
        return Err(Failure::Usage(format!(
            "{text}: --tls-ca FILE is needed: whom to believe that this is the peer"
        )));
    }
    Ok(endpoint)
}

/// Returns the place that the library dials. `None`: it is not needed for that.
pub(crate) fn layered(
    endpoint: &Endpoint,
    security: &Security,
    tls: &TlsArgs,
) -> Result<Option<Place>, Failure> {
    if matches!(endpoint.transport(), "tcp" | "ipc") {
        return Ok(None);
    }
    let mut options = Options::of(SocketType::Req);
    options.set_security(security.clone());
    tls.set(&mut options)?;
    Ok(Some(Place::Other(Arc::new((endpoint.clone(), options)))))
}

/// Finds out where an endpoint is: several places, if its name has several addresses; none, if there are no names.
pub(crate) async fn places(endpoint: &Endpoint) -> io::Result<Vec<Place>> {
    #[cfg(unix)]
    if let Some(ipc) = endpoint.ipc() {
        if let Some(path) = ipc.path() {
            return Ok(vec![Place::Path(path.to_owned())]);
        }
        #[cfg(target_os = "linux")]
        if let Some(name) = ipc.abstract_name() {
            return Ok(vec![Place::Abstract(name.to_owned())]);
        }
    }
    let unnamed = || io::Error::other("an endpoint to connect to has a host and a port");
    let Some(tcp) = endpoint.tcp() else {
        return Ok(Vec::new());
    };
    let port = tcp.port().ok_or_else(unnamed)?;
    let found = match tcp.host() {
        Host::V4(address) => return Ok(vec![Place::Tcp((*address, port).into())]),
        Host::V6 { address, zone } => {
            let zone = zone.as_ref().map(|zone| format!("%{zone}"));
            lookup_host(format!("[{address}{}]:{port}", zone.unwrap_or_default())).await?
        }
        Host::Name(name) => lookup_host(format!("{name}:{port}")).await?,
        _ => return Err(unnamed()),
    };
    let places: Vec<_> = found.map(Place::Tcp).collect();
    match places.is_empty() {
        true => Err(io::Error::other("it has no address")),
        false => Ok(places),
    }
}

/// A stream of bytes.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Connects, within a limit.
pub(crate) async fn dial(place: &Place, limit: Duration) -> io::Result<Box<dyn Stream>> {
    let connected = async {
        Ok::<Box<dyn Stream>, io::Error>(match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Place::Path(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            #[cfg(target_os = "linux")]
            Place::Abstract(name) => {
                use std::os::linux::net::SocketAddrExt;
                use std::os::unix::net;
                let address = net::SocketAddr::from_abstract_name(name)?;
                let stream = net::UnixStream::connect_addr(&address)?;
                stream.set_nonblocking(true)?;
                Box::new(tokio::net::UnixStream::from_std(stream)?)
            }
            Place::Other(other) => Box::new(purezmq::open_stream(&other.0, &other.1).await?),
        })
    };
    timeout(limit, connected)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Time between two PINGs, as the engine sees it.
const PING: Duration = Duration::from_millis(1);

/// How a connection ended, or did not get on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("it closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("no answer in time")]
    Silent,
    #[error(transparent)]
    Protocol(#[from] zmtp::Error),
}

impl End {
    /// Returns the status code with which ZAP has refused us; `None` if it was not ZAP.
    pub(crate) fn status(&self) -> Option<&str> {
        match self {
            End::Protocol(zmtp::Error::Refused { reason }) => {
                let is_code = reason.len() == 3 && reason.bytes().all(|byte| byte.is_ascii_digit());
                is_code.then_some(reason)
            }
            _ => None,
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(self, End::Protocol(zmtp::Error::Refused { .. }))
    }
}

/// A connection to a peer.
pub(crate) struct Link {
    stream: Box<dyn Stream>,
    engine: Connection,
    /// The first bytes that came, enough to tell what speaks.
    first: Vec<u8>,
    /// How many bytes came.
    heard: usize,
    /// What came since the last PING.
    read: Vec<u8>,
    /// How many bytes were written.
    told: usize,
    /// It waits for the peer to speak first.
    is_polite: bool,
    /// How many PINGs were sent.
    pings: u32,
    peer: Option<PeerInfo>,
}

impl Link {
    /// Speaks ZMTP over a stream, as a socket of this type.
    pub(crate) fn new(stream: Box<dyn Stream>, own: SocketType, security: Security) -> Self {
        let mut config = Config::new(own);
        config.mechanism = security;
        config.handshake_timeout = None;
        // Each call for `ping` is one; that it is answered in time, `ping` looks at.
        config.heartbeat = Some(Heartbeat {
            interval: PING,
            timeout: Duration::from_secs(86_400),
            ttl: Duration::ZERO,
        });
        Link {
            stream,
            engine: Connection::new(config, Instant::now()),
            first: Vec::new(),
            heard: 0,
            read: Vec::new(),
            told: 0,
            is_polite: true,
            pings: 0,
            peer: None,
        }
    }

    /// Greets the peer, and shakes hands with it.
    pub(crate) async fn meet(&mut self, limit: Duration) -> Result<PeerInfo, End> {
        self.within(limit, |link| link.peer.take()).await
    }

    /// Waits for the peer's greeting, and no longer.
    pub(crate) async fn greet(&mut self, limit: Duration) -> Result<(), End> {
        let greeted = |link: &mut Link| (link.heard >= GREETING).then_some(());
        self.within(limit, greeted).await
    }

    /// Sends a PING, and returns how long its answer took.
    pub(crate) async fn ping(&mut self, limit: Duration) -> Result<Duration, End> {
        // The engine has no clock: by this one, the next PING is due, however soon it comes after the one before.
        self.pings += 1;
        let due = Instant::now() + Duration::from_secs(1) + 2 * PING * self.pings;
        self.engine.handle_timeout(due)?;
        let is_sealed = self.engine.config().mechanism.encrypts();
        self.read.clear();
        let began = Instant::now();
        // What is sealed could be anything; but of a peer that has nothing to send, it is the answer.
        let answered = |link: &mut Link| {
            let is_pong = |bytes: &[u8]| bytes.windows(5).any(|bytes| bytes == b"\x04PONG");
            let answered = match is_sealed {
                true => !link.read.is_empty(),
                false => is_pong(&link.read),
            };
            answered.then(|| began.elapsed())
        };
        self.within(limit, answered).await
    }

    /// Waits for a message: of one who subscribes, a subscription.
    pub(crate) async fn message(&mut self, limit: Duration) -> Result<Message, End> {
        let message = |link: &mut Link| link.engine.take_messages().pop();
        self.within(limit, message).await
    }

    /// Returns the first bytes that came.
    pub(crate) fn first(&self) -> &[u8] {
        &self.first
    }

    /// Returns how many bytes came.
    pub(crate) fn heard(&self) -> usize {
        self.heard
    }

    /// Returns the peer's greeting, if it has come and is one of ZMTP 3.
    pub(crate) fn greeting(&self) -> Option<Greeting> {
        let bytes = self.first.first_chunk::<GREETING>()?;
        let speaks = greeting::identify(bytes) == greeting::Peer::V3;
        speaks.then(|| Greeting::parse(bytes))
    }

    async fn within<T>(
        &mut self,
        limit: Duration,
        found: impl Fn(&mut Link) -> Option<T>,
    ) -> Result<T, End> {
        let moved = async {
            loop {
                self.write().await?;
                if let Some(found) = found(self) {
                    return Ok(found);
                }
                let read = match self.is_polite {
                    false => self.read().await,
                    true => match timeout(limit / 4, self.read()).await {
                        Ok(read) => read,
                        Err(_) => {
                            self.is_polite = false;
                            continue;
                        }
                    },
                };
                if let Err(end) = read {
                    return found(self).ok_or(end);
                }
            }
        };
        timeout(limit, moved).await.unwrap_or(Err(End::Silent))
    }

    /// Returns how many bytes may be written by now. A peer that does not like what it reads closes the connection, and what
    /// it had still to say of itself is lost: so it is heard first, as far as it speaks without being answered.
    fn may_tell(&self) -> usize {
        let is_null = !self.engine.config().mechanism.tells_secrets()
            && !self.engine.config().mechanism.encrypts();
        match greeting::identify(&self.first) {
            _ if !self.is_polite => usize::MAX,
            greeting::Peer::V1 | greeting::Peer::V2 | greeting::Peer::Revision0 => usize::MAX,
            // The signature, and the major version.
            _ if self.heard < GREETING => SIGNATURE + 1,
            _ if self.heard == GREETING && is_null => GREETING,
            _ => usize::MAX,
        }
    }

    async fn write(&mut self) -> Result<(), End> {
        let may_tell = self.may_tell().saturating_sub(self.told);
        let control = self.engine.control();
        let bytes = control.split_to(control.len().min(may_tell));
        if bytes.is_empty() {
            return Ok(());
        }
        self.told += bytes.len();
        // A peer that has closed may have said why: that is still to be read.
        let _ = self.stream.write_all(&bytes).await;
        if self.engine.control().is_empty() {
            self.engine.control_written(Instant::now());
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; 4096];
        let count = match self.stream.read(&mut bytes).await {
            Ok(0) => return Err(End::Closed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(End::Closed);
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = &bytes[..count];
        let wanted = GREETING.saturating_sub(self.first.len()).min(count);
        self.first.extend_from_slice(&bytes[..wanted]);
        self.heard += count;
        self.read.extend_from_slice(bytes);
        let fed = self.engine.feed(bytes, Instant::now());
        while let Some(event) = self.engine.poll_event() {
            if let Event::Ready(info) = event {
                self.peer = Some(info);
            }
        }
        fed.map_err(End::Protocol)
    }
}

/// A way to be connected to a peer that costs it nothing.
pub(crate) struct Guest {
    /// As what it comes in.
    pub(crate) own: SocketType,
    /// What the peer says it is.
    pub(crate) peer: SocketType,
    /// The peer would send its messages to a guest, or has one place only: nobody should come in just to look.
    pub(crate) would_disturb: bool,
}

impl Guest {
    /// Chooses as what to come to a peer of this type.
    pub(crate) fn of(peer: SocketType) -> Self {
        let sends_away =
            |kind: &SocketType| Rules::of(*kind).is_none_or(|rules| rules.work == Work::HeldBack);
        Guest {
            own: peer.peers()[0],
            peer,
            would_disturb: sends_away(&peer) || peer.peers() == [peer],
        }
    }

    /// Returns the types to come as, in turn, to a peer that lets in only those that fit: each of them disturbs none of
    /// those that it fits.
    fn candidates() -> impl Iterator<Item = SocketType> {
        SocketType::ALL.into_iter().filter(|own| {
            let peers = own.peers();
            Rules::of(*own).is_some() && peers.iter().all(|peer| !Guest::of(*peer).would_disturb)
        })
    }

    /// Reads off why a handshake failed which type the peer is.
    pub(crate) fn told(end: &End) -> Option<SocketType> {
        match end {
            End::Protocol(zmtp::Error::Incompatible(Incompatible::SocketType { peer, .. })) => {
                peer.parse().ok()
            }
            _ => None,
        }
    }
}

/// Shakes hands with a peer, as a socket of the type that is given. Without one, as whatever the peer lets in, of those that
/// disturb nobody.
pub(crate) async fn meet(
    place: &Place,
    own: Option<SocketType>,
    security: &Security,
    limit: Duration,
) -> io::Result<(Link, Result<PeerInfo, End>)> {
    let mut candidates = own.is_none().then(Guest::candidates).into_iter().flatten();
    let mut own = own.or_else(|| candidates.next());
    loop {
        let stream = dial(place, limit).await?;
        let mut link = Link::new(stream, own.expect("a candidate"), security.clone());
        let met = link.meet(limit).await;
        // Where the type is told last, a peer that it does not fit only closes the connection.
        let is_unfit = match &met {
            Err(End::Closed) => link.heard() > GREETING,
            Err(end) => end.status().is_none() && end.is_refusal(),
            Ok(_) => false,
        };
        own = candidates.next();
        if !is_unfit || own.is_none() {
            return Ok((link, met));
        }
    }
}

/// Returns the name of the mechanism that a greeting asks for, as text.
pub(crate) fn mechanism(greeting: &Greeting) -> String {
    let name = greeting.mechanism.split(|byte| *byte == 0).next();
    name.unwrap_or_default().escape_ascii().to_string()
}
