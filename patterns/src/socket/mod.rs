//! [`Socket`]: the sockets of all patterns, and their halves, written once.
//!
//! ```text
//! mod.rs            making a socket, its endpoints, options and counters, its end
//! direction.rs      whole sockets and halves: split, reunite
//! send.rs recv.rs   what each direction does
//! stream.rs         a socket as a stream or a sink, and the permit for one message
//! shared_sender.rs  a sender for many tasks
//! builder.rs        a socket's options before it is made, and when they are changed
//! any.rs erased.rs  a socket whose type is a value
//! ```

mod any;
mod builder;
mod direction;
mod erased;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
mod recv;
mod send;
mod shared_sender;
mod stream;

use std::fmt;
use std::time::Duration;

use zmtp::SocketType;

pub use self::any::{AnySocket, OpenError, TypeNotBuilt};
pub use self::builder::{Builder, Open};
pub use self::direction::{
    Direction, RecvHalf, RecvSide, ReuniteError, SendHalf, SendSide, SubscribesFor, Whole,
};
pub(crate) use self::erased::ErasedSocket;
pub use self::shared_sender::SharedSender;
pub use self::stream::{MessageSink, Messages, Permit};
use crate::capability::Sends as CanSend;
use crate::context::Context;
pub use crate::core::call::Sending;
pub use crate::core::pattern::{Incoming, IntoSent, Outgoing, Pattern, PeerChange};
use crate::core::{Access, Binding, Core};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, OptionError, UnbindError,
};
use crate::monitor::Monitor;
use crate::options::Options;
pub use crate::pipe::LentStream;
use crate::security::PeerSelector;
use crate::stats::SocketStats;
use crate::transport::OpenListener;

/// A socket of the pattern `P`: [`PushSocket`](crate::PushSocket) is a `Socket<Push>`. With `D`, one half of it.
///
/// It sends and receives whole messages to and from any number of peers, at any number of endpoints that it binds and
/// connects. Connections come, go and come back by themselves in the background. What it does with several peers, or
/// with none, is its pattern.
///
/// It belongs to one task at a time (`&mut self`), can be sent to another thread, and needs no lock. Dropped, it is
/// closed, and lingers in the background.
pub struct Socket<P: Pattern, D: Direction = Whole> {
    pub(crate) handle: D::Handle<P>,
}

impl<P: Pattern, D: Direction> fmt::Debug for Socket<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &self.socket_type())
            .field(
                "name",
                &self.handle.peek(|core| core.options().name.clone()),
            )
            .field("last_endpoint", &self.last_endpoint())
            .finish_non_exhaustive()
    }
}

impl<P: Pattern> Default for Socket<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Pattern, D: Direction> crate::sealed::Sealed for Socket<P, D> {}

impl<P: Pattern> Open for Socket<P> {
    type Pattern = P;

    fn context() -> Context {
        Context::global()
    }

    fn open(context: &Context, options: Options) -> Self {
        Socket {
            handle: Core::new(context, options),
        }
    }
}

impl<P: Pattern> Socket<P> {
    /// Makes a socket with the default options, in the context that all such sockets share.
    pub fn new() -> Self {
        // Not by the builder: a closed context has sockets, too, whose calls fail.
        Self::open(&Self::context(), Options::of(P::RULES.socket_type))
    }

    /// Begins a socket with options of its own.
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }
}

/// Endpoints, options, counters and the end: the same for all sockets and halves. What a half does to the endpoints and
/// options it does for both.
impl<P: Pattern, D: Direction> Socket<P, D> {
    /// Returns the type of the socket.
    pub fn socket_type(&self) -> SocketType {
        P::RULES.socket_type
    }

    /// Listens at an endpoint and returns it with all wildcards resolved: the form to connect to and
    /// to unbind. Peers are accepted in the background from now on.
    ///
    /// # Errors
    ///
    /// The endpoint is malformed, in use, not of this machine, or refused by the system. The socket
    /// is as it was before.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not bound anything.
    pub fn bind(
        &mut self,
        endpoint: impl ToEndpoint,
    ) -> impl Future<Output = Result<Endpoint, BindError>> + Send {
        let endpoint = endpoint.to_endpoint();
        async move {
            let begun = self.begin_bind(endpoint?)?;
            let opened = begun.opened().await;
            self.finish_bind(opened)
        }
    }

    pub(crate) fn begin_bind(&mut self, endpoint: Endpoint) -> Result<Binding, BindError> {
        self.handle.with(|core| core.begin_bind(endpoint))
    }

    pub(crate) fn finish_bind(&mut self, opened: Binding) -> Result<Endpoint, BindError> {
        self.handle.with(|core| core.finish_bind(opened))
    }

    /// Listens with a socket of the system that is listening already, as systemd passes one to a service, or
    /// a parent to its child. From then on it is as if [`bind`](Self::bind) had made it, but options of
    /// the listening socket itself (`backlog`, `bind_device`) are its maker's, and a socket file stays.
    /// In libzmq: `ZMQ_USE_FD` (89). With the feature `ws` also a web server's connections: `WsUpgrades`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut socket = purezmq::PullSocket::new();
    /// let endpoint = socket.adopt(listener).await?;
    /// assert!(endpoint.to_string().starts_with("tcp://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// No runtime is running, the listener has no address or is another socket's, or the system refuses it.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has closed the listener, or adopted it.
    pub fn adopt(
        &mut self,
        listener: impl Into<OpenListener>,
    ) -> impl Future<Output = Result<Endpoint, BindError>> + Send {
        let listener = listener.into();
        async move {
            let begun = self.handle.with(|core| core.begin_adopt(listener))?;
            let opened = begun.opened().await;
            self.finish_bind(opened)
        }
    }

    /// Connects to an endpoint in the background, and reconnects whenever the connection is lost.
    /// Returns at once; the peer need not be there yet. Needs a running tokio runtime with timers and I/O
    /// (`enable_all`), except for `inproc://`.
    ///
    /// The endpoint lives in that runtime. When the runtime ends, or the peer refuses for good, or a connection is lost
    /// and reconnecting is off, the endpoint is gone: [`monitor`](Self::monitor) tells, calls that would wait for it
    /// alone fail, and connecting again makes it anew.
    ///
    /// # Errors
    ///
    /// The endpoint is malformed or a wildcard, or no runtime is running, or it lacks timers or I/O. Everything else is
    /// tried again until it works; [`monitor`](Self::monitor) tells about it.
    pub fn connect(&mut self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        let endpoint = endpoint.to_endpoint()?;
        self.handle.with(|core| core.connect(endpoint))
    }

    /// Stops listening at an endpoint and closes the connections that were accepted there. Messages queued for them are
    /// sent within the linger time, in the background; messages received from them are still to be read. When this
    /// returns, the address is free.
    ///
    /// The endpoint is the one that [`bind`](Self::bind) returned, or the one that it was given: `tcp://localhost:5555`
    /// is `tcp://127.0.0.1:5555`, too. One that leaves the port, or the file, to the system (`tcp://host:*`, `ipc://*`)
    /// names nothing that was bound.
    ///
    /// # Errors
    ///
    /// The socket is not bound there, or no longer: the endpoint was gone. Then it is forgotten.
    ///
    /// # Cancel safety
    ///
    /// The endpoint goes also if the future is dropped once it has been polled.
    pub fn unbind(
        &mut self,
        endpoint: impl ToEndpoint,
    ) -> impl Future<Output = Result<(), UnbindError>> + Send {
        let endpoint = endpoint.to_endpoint();
        async move { self.unbind_now(&endpoint?) }
    }

    pub(crate) fn unbind_now(&mut self, endpoint: &Endpoint) -> Result<(), UnbindError> {
        self.handle.with(|core| core.unbind(endpoint))
    }

    /// Ends all connections made to an endpoint. Messages queued for it are sent within the linger
    /// time, in the background; messages received from it and not read yet are dropped.
    ///
    /// # Errors
    ///
    /// The socket is not connected there, or no longer: the endpoint was gone. Then it is forgotten.
    pub fn disconnect(&mut self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        let endpoint = endpoint.to_endpoint()?;
        self.handle.with(|core| core.disconnect(endpoint))
    }

    /// Ends the living connections of a peer, whoever began them, and returns how many there were: for one that
    /// misbehaves, or whose password or key is revoked (take it from the authenticator first). Also a peer whose handshake
    /// is under way, and which is not counted, is sent away as soon as it is known who it is.
    ///
    /// It is as if the connections had broken. What has come is still to be received. What waits for a peer that has
    /// connected to this socket goes with its connection, and is counted in [`stats`](Self::stats). What waits at an endpoint
    /// that this socket is connected to stays for the next connection, which is made after `reconnect_interval`:
    /// [`disconnect`](Self::disconnect) ends that. The peer, too, may connect again, and is let in if the authenticator
    /// lets it in. The monitor tells of [`ByRequest`](crate::DisconnectReason::ByRequest).
    ///
    /// Peers by inproc have no connection, and stay. [`Context::disconnect_peer`](crate::Context::disconnect_peer) is this call
    /// for all sockets of a context.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{DealerSocket, PeerSelector, RouterSocket};
    ///
    /// let mut router = RouterSocket::new();
    /// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
    /// let mut dealer = DealerSocket::builder().routing_id("worker 1").build()?;
    /// dealer.connect(&endpoint)?;
    /// dealer.send("ready").await?;
    /// assert_eq!(router.recv_message().await?.peer, "worker 1");
    ///
    /// assert_eq!(router.disconnect_peer(PeerSelector::routing_id("worker 1")), 1);
    /// assert_eq!(router.disconnect_peer(PeerSelector::user("nobody")), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        self.handle.peek(|core| core.disconnect_peer(peer.into()))
    }

    /// Returns the endpoint of the last successful `bind` (resolved) or `connect` (as given) of this handle.
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.handle.peek(|core| core.last_endpoint().cloned())
    }

    /// Sets how long unsent messages are still tried after the socket or an endpoint of it is closed.
    /// `None`: until they are sent. Takes effect for all that closes later.
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        self.handle.with(|core| core.set_linger(linger));
    }

    /// Returns the options as they are.
    pub fn options(&self) -> Options {
        self.handle.peek(Core::newest_options)
    }

    /// Changes options of the socket. `change` gets them as they are now, and has the same methods as the
    /// socket's [`builder`](Self::builder). Which changes take effect at once, which for peers that come
    /// later, and which for endpoints that are bound or connected later,
    /// [`options::TABLE`](crate::options::TABLE) says for each option.
    ///
    /// # Errors
    ///
    /// A value is out of range, or another context is given. Nothing is changed then.
    pub fn set_options(
        &mut self,
        change: impl FnOnce(Builder<Socket<P>>) -> Builder<Socket<P>>,
    ) -> Result<(), OptionError> {
        let changed = change(Builder::changing(self.options())).into_options()?;
        self.handle.with(|core| core.set_options(changed))
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.handle.peek(Core::monitor)
    }

    /// Returns the socket's counters as they stand: messages and bytes, queues, drops, for the socket and for each of
    /// its peers. Both halves see the same.
    pub fn stats(&self) -> SocketStats {
        self.handle.peek(Core::stats)
    }

    /// Begins to drain, for a close in which nothing is lost: takes no new work, while all that is in can be received and
    /// answered. Returns at once.
    ///
    /// Listeners close, and connections stay; of those that have just been accepted, the ones whose peer has said a word.
    /// Endpoints that are connected to are not reached again, unless something is
    /// to be sent there. SUB and XSUB take their subscriptions back. Peers that are of this library hear of it: PUSH,
    /// DEALER, REQ, PAIR, SCATTER, CLIENT and CHANNEL send nothing more here, and their messages wait for another peer, or for this
    /// endpoint to be reached again; answers of REP, ROUTER, SERVER and PEER still come. Others cannot be told, and may send on.
    ///
    /// `recv` gives what was under way, and then fails with [`RecvError::Drained`](crate::RecvError::Drained): when all
    /// peers have said that no more comes, or have gone; when those that cannot be told have been quiet for 100 ms; or at
    /// the limit. From there on a loop that receives and answers closes the socket, which lingers until the limit at most:
    /// what was received and not read then, [`CloseReport::unread`] tells. Who waits for answers of REP or ROUTER peers
    /// knows itself when it has all: they do not say.
    ///
    /// Draining again changes the limit. A half drains the whole socket.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use purezmq::{PullSocket, PushSocket, RecvError};
    ///
    /// let mut pull = PullSocket::new();
    /// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
    /// let mut push = PushSocket::new();
    /// push.connect(&endpoint)?;
    /// push.send("the last work").await?;
    /// assert_eq!(pull.recv().await?, "the last work");
    ///
    /// pull.drain(Duration::from_secs(10));
    /// assert_eq!(pull.recv().await, Err(RecvError::Drained));
    /// // It waits for another to do it.
    /// assert!(push.try_send("more").is_err());
    /// assert_eq!(pull.close().await.unread, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&mut self, limit: Duration) {
        self.handle.with(|core| core.drain(limit));
    }

    /// Closes the socket, waits until its messages are sent or the linger time is over, and says
    /// what was left. Dropping the socket does the same in the background.
    ///
    /// A half is closed at once, and leaves the socket open for the other one: the last one waits.
    ///
    /// # Cancel safety
    ///
    /// The socket is closed by the first poll; a dropped future only doesn't wait for the rest.
    pub async fn close(self) -> CloseReport {
        match self.handle.into_core() {
            Some(core) => core.close().wait().await,
            None => CloseReport::default(),
        }
    }

    /// Closes the socket as [`close`](Self::close) does, with `limit` as the time to linger if that is shorter than the
    /// socket's own.
    ///
    /// # Cancel safety
    ///
    /// The socket is closed by the first poll; a dropped future only doesn't wait for the rest.
    pub async fn close_within(self, limit: Duration) -> CloseReport {
        match self.handle.into_core() {
            Some(core) => {
                let timer = core.close_timer(limit);
                core.close_within(limit).wait_within(timer).await
            }
            None => CloseReport::default(),
        }
    }

    /// Returns the context that it was made with.
    pub(crate) fn context_of(&self) -> Context {
        self.handle.peek(Core::context)
    }
}

impl<P: CanSend, D: Direction> Socket<P, D> {
    /// Counts the messages that were given to `send` and dropped, because their peer's pipe was full or there was no
    /// such peer: once for each peer that missed one. [`stats`](Self::stats) tells them apart.
    pub fn dropped(&self) -> u64 {
        self.handle.peek(Core::dropped)
    }
}
