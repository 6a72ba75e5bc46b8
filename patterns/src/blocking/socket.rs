//! The blocking sockets: each call is the async one's, waited for on the calling thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zmtp::{Message, SocketType};

use super::{SharedSender, wait};
use crate::capability::{
    Duplex, Publishes, Receives as CanRecv, Reserves, Sends as CanSend, Streams, Subscribes,
    TracksTopics,
};
use crate::context::{Context, Flush};
use crate::core::{IntoSent, Pattern};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, OptionError, RecvError, ReserveError,
    SendError, UnbindError,
};
use crate::monitor::Monitor;
use crate::options::Options;
use crate::peer::Peer;
use crate::routing_id::RoutingId;
use crate::sealed::Sealed;
use crate::security::PeerSelector;
use crate::socket::{
    self, Builder, Direction, Open, RecvHalf, RecvSide, ReuniteError, SendHalf, SendSide,
    SubscribesFor, Whole,
};
use crate::sockets::{Routed, Router, Subscriber, XPub, XPubEvent};
use crate::stats::SocketStats;
use crate::transport::OpenListener;

/// A socket, or a half of one, whose calls block. Each call does what the [async one](crate::Socket) of the same name
/// does.
pub struct Socket<P: Pattern, D: Direction = Whole>(socket::Socket<P, D>, Flush);

pub use crate::socket::Permit;

impl<P: Pattern, D: Direction> fmt::Debug for Socket<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A socket of a context with I/O threads, or one whose tasks run elsewhere.
impl<P: Pattern, D: Direction> From<socket::Socket<P, D>> for Socket<P, D> {
    fn from(socket: socket::Socket<P, D>) -> Self {
        let flush = Flush::of(socket.context_of());
        Socket(socket, flush)
    }
}

impl<P: Pattern, D: Direction> Sealed for Socket<P, D> {}

impl<P: Pattern> Open for Socket<P> {
    type Pattern = P;

    fn context() -> Context {
        Context::global_with_io_thread()
    }

    fn open(context: &Context, options: Options) -> Self {
        socket::Socket::open(context, options).into()
    }
}

impl<P: Pattern> Default for Socket<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Pattern> Socket<P> {
    /// Makes a socket with the default options.
    ///
    /// # Panics
    ///
    /// The system refuses the I/O thread, when it is the process' first blocking socket. Build one with
    /// [`Context::with_io_threads`] to get an error instead.
    pub fn new() -> Self {
        // Not by the builder: a closed context has sockets, too, whose calls fail.
        Self::open(&Self::context(), Options::of(P::RULES.socket_type))
    }

    /// Begins a socket with options of its own. Its context is the one that all sockets share, unless it is given another,
    /// which has to have I/O threads ([`Context::with_io_threads`]) to reach beyond the process. `inproc://` names
    /// are the context's.
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }
}

/// Writes calls that are the async socket's: `wait` for those that are futures there.
macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident(
        $this:ident $(, $argument:ident: $type:ty)*
    ) -> $output:ty = $call:expr;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self $(, $argument: $type)*) -> $output {
                let $this = &mut self.0;
                $call
            }
        )*
    };
}

impl<P: Pattern, D: Direction> Socket<P, D> {
    pub(crate) fn inner(&mut self) -> &mut socket::Socket<P, D> {
        &mut self.0
    }

    /// Returns the async socket. It goes on living on its context's I/O threads.
    pub fn into_inner(self) -> socket::Socket<P, D> {
        self.0
    }

    /// Returns the type of the socket.
    pub fn socket_type(&self) -> SocketType {
        self.0.socket_type()
    }

    calls! {
        /// Listens at an endpoint and returns it with all wildcards resolved.
        ///
        /// # Errors
        ///
        /// As [`Socket::bind`](crate::Socket::bind).
        bind(this, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> = wait(this.bind(endpoint));
        /// Listens at an endpoint as [`bind`](Self::bind) does, and gives up after `limit`: looking up a host name may take
        /// long.
        ///
        /// # Errors
        ///
        /// As [`Socket::bind`](crate::Socket::bind), and [`BindError::Io`] of the kind `TimedOut`: it is not bound.
        #[cfg(not(purezmq_loom))]
        bind_within(this, endpoint: impl ToEndpoint, limit: Duration) -> Result<Endpoint, BindError> = {
            let endpoint = endpoint.to_endpoint()?;
            super::wait_within(limit, this.bind(&endpoint)).unwrap_or_else(|| {
                let source = std::io::ErrorKind::TimedOut.into();
                Err(BindError::Io { endpoint, source })
            })
        };
        /// Listens with a socket of the system that is listening already.
        ///
        /// # Errors
        ///
        /// As [`Socket::adopt`](crate::Socket::adopt).
        adopt(this, listener: impl Into<OpenListener>) -> Result<Endpoint, BindError> = wait(this.adopt(listener));
        /// Connects to an endpoint in the background.
        ///
        /// # Errors
        ///
        /// As [`Socket::connect`](crate::Socket::connect).
        connect(this, endpoint: impl ToEndpoint) -> Result<(), ConnectError> = this.connect(endpoint);
        /// Stops listening at an endpoint. When this returns, the address is free.
        ///
        /// # Errors
        ///
        /// The socket is not bound there.
        unbind(this, endpoint: impl ToEndpoint) -> Result<(), UnbindError> = wait(this.unbind(endpoint));
        /// Ends all connections made to an endpoint.
        ///
        /// # Errors
        ///
        /// The socket is not connected there.
        disconnect(this, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> = this.disconnect(endpoint);
        /// Sets how long unsent messages are still tried after the socket or an endpoint of it is closed.
        set_linger(this, linger: Option<Duration>) -> () = this.set_linger(linger);
        /// Begins to drain: [`Socket::drain`](crate::Socket::drain).
        drain(this, limit: Duration) -> () = this.drain(limit);
        /// Changes options of the socket.
        ///
        /// # Errors
        ///
        /// As [`Socket::set_options`](crate::Socket::set_options).
        set_options(
            this, change: impl FnOnce(Builder<socket::Socket<P>>) -> Builder<socket::Socket<P>>
        ) -> Result<(), OptionError> = this.set_options(change);
    }

    /// Ends the living connections of a peer, and returns how many there were:
    /// [`Socket::disconnect_peer`](crate::Socket::disconnect_peer).
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        self.0.disconnect_peer(peer)
    }

    /// Returns the endpoint of the last successful `bind` (resolved) or `connect` (as given).
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.0.last_endpoint()
    }

    /// Returns the options as they are.
    pub fn options(&self) -> Options {
        self.0.options()
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.0.monitor()
    }

    /// Returns the socket's counters as they stand.
    pub fn stats(&self) -> SocketStats {
        self.0.stats()
    }

    /// Closes the socket, waits until its messages are sent or the linger time is over, and says what was left. A half
    /// waits if it is the last one.
    pub fn close(self) -> CloseReport {
        wait(self.0.close())
    }

    /// Closes the socket as [`close`](Self::close) does, with `limit` as the time to linger if that is shorter than the
    /// socket's own.
    pub fn close_within(self, limit: Duration) -> CloseReport {
        wait(self.0.close_within(limit))
    }
}

impl<P: CanSend, D: SendSide> Socket<P, D> {
    /// Sends a message; blocks where the async socket's `send` waits.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`](crate::Socket::send). The message comes back.
    #[inline]
    pub fn send(&mut self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        wait(self.0.send(message))
    }

    calls! {
        /// Sends a message if that needs no waiting.
        ///
        /// # Errors
        ///
        /// As [`Socket::try_send`](crate::Socket::try_send). The message comes back.
        try_send(this, message: impl IntoSent<P::Sent>) -> Result<(), SendError> = this.try_send(message);
    }

    /// Counts the messages that were given to `send` and dropped.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl<P: CanRecv, D: RecvSide> Socket<P, D> {
    /// Receives the next message; blocks while there is none.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`](crate::Socket::recv).
    #[inline]
    pub fn recv(&mut self) -> Result<P::Received, RecvError> {
        super::wait::recv(&mut self.0, &self.1)
    }

    calls! {
        /// Receives the next message, if one is there.
        ///
        /// # Errors
        ///
        /// As [`Socket::try_recv`](crate::Socket::try_recv).
        try_recv(this) -> Result<P::Received, RecvError> = this.try_recv();
    }

    /// Returns who has sent the message that was received last.
    pub fn last_peer(&self) -> Option<Arc<Peer>> {
        self.0.last_peer()
    }

    /// Returns the messages, one after the other. A `recv_timeout` that passed is an item, too. Ends only when the socket
    /// has been [drained](Self::drain).
    ///
    /// ```
    /// use purezmq::blocking::{PullSocket, PushSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pull = PullSocket::new();
    /// let endpoint = pull.bind("tcp://127.0.0.1:*")?;
    /// std::thread::spawn(move || {
    ///     let mut push = PushSocket::new();
    ///     push.connect(&endpoint).unwrap();
    ///     for number in 1..=3 {
    ///         push.send(number.to_string()).unwrap();
    ///     }
    ///     push.close();
    /// });
    /// for (expected, message) in ["1", "2", "3"].into_iter().zip(pull.messages()) {
    ///     assert_eq!(message?, expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&mut self) -> impl Iterator<Item = Result<P::Received, RecvError>> {
        std::iter::from_fn(|| match self.recv() {
            Err(RecvError::Drained) => None,
            received => Some(received),
        })
    }
}

impl<P: Streams + CanRecv, D: RecvSide> Socket<P, D> {
    calls! {
        /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end of
        /// `buffer`; blocks while there is none. Returns how many.
        ///
        /// # Errors
        ///
        /// `recv_timeout` passed.
        recv_many(this, buffer: &mut Vec<P::Received>, limit: usize) -> Result<usize, RecvError> =
            wait(this.recv_many(buffer, limit));

        /// Receives as `recv_many` does, each message with who has sent it, as [`last_peer`](Self::last_peer) tells it.
        ///
        /// # Errors
        ///
        /// `recv_timeout` passed.
        recv_many_from(this, buffer: &mut Vec<(P::Received, Option<Arc<Peer>>)>, limit: usize) -> Result<usize, RecvError> =
            wait(this.recv_many_from(buffer, limit));
    }
}

impl<P: Streams + CanSend, D: SendSide> Socket<P, D> {
    /// Makes it a sender that can be cloned, for many threads.
    pub fn into_shared(self) -> SharedSender<P, D> {
        SharedSender::new(self.0.into_shared(), self.1)
    }
}

impl<P: Reserves + CanSend, D: SendSide> Socket<P, D> {
    /// Blocks until a peer has room for a message, and holds the socket for that message.
    ///
    /// # Errors
    ///
    /// `send_timeout` passed.
    pub fn reserve(&mut self) -> Result<Permit<'_, P, D>, ReserveError> {
        wait(self.0.reserve())
    }
}

impl<P: Subscribes, D: SubscribesFor<P>> Socket<P, D> {
    calls! {
        /// Subscribes to a topic: [`Socket::subscribe`](crate::Socket::subscribe).
        subscribe(this, topic: impl AsRef<[u8]>) -> bool = this.subscribe(topic);
        /// Takes a subscription back: [`Socket::unsubscribe`](crate::Socket::unsubscribe).
        unsubscribe(this, topic: impl AsRef<[u8]>) -> bool = this.unsubscribe(topic);
    }
}

impl<P: TracksTopics, D: Direction> Socket<P, D> {
    calls! {
        /// Counts the distinct topics.
        topics_count(this) -> usize = this.topics_count();
    }
}

impl<P: Publishes, D: Direction> Socket<P, D> {
    calls! {
        /// Blocks until that many peers have subscribed to something: what is sent then reaches them.
        wait_for_subscribers(this, count: usize) -> () = wait(this.wait_for_subscribers(count));
        /// Blocks until that many peers have subscribed to something, or the limit is over: `false`.
        #[cfg(not(purezmq_loom))]
        wait_for_subscribers_within(this, count: usize, limit: Duration) -> bool =
            super::wait_within(limit, this.wait_for_subscribers(count)).is_some();
        /// Counts the peers with a subscription, as far as they have been heard.
        subscriber_count(this) -> usize = this.subscriber_count();
    }
}

impl<D: Direction> Socket<XPub, D> {
    /// Counts notices and messages of peers that were not kept.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }
}

impl<D: RecvSide> Socket<XPub, D> {
    calls! {
        /// Receives the next notice or message, told apart; blocks while there is none.
        ///
        /// # Errors
        ///
        /// `recv_timeout` passed.
        recv_event(this) -> Result<XPubEvent, RecvError> = wait(this.recv_event());
        /// Receives the next notice or message, told apart, if one is there.
        ///
        /// # Errors
        ///
        /// None is there.
        try_recv_event(this) -> Result<XPubEvent, RecvError> = this.try_recv_event();
    }
}

impl<D: SendSide> Socket<XPub, D> {
    calls! {
        /// Sends a message to one peer alone, whatever it has subscribed to.
        ///
        /// # Errors
        ///
        /// As [`Socket::send_to`](crate::Socket#method.send_to-1). The message comes back.
        send_to(this, subscriber: Subscriber, message: impl IntoSent<Message>) -> Result<(), SendError> =
            wait(this.send_to(subscriber, message));
        /// Sends a message to one peer alone, if that needs no waiting.
        ///
        /// # Errors
        ///
        /// As [`send_to`](Self::send_to); instead of waiting, [`SendError::Full`].
        try_send_to(this, subscriber: Subscriber, message: impl IntoSent<Message>) -> Result<(), SendError> =
            this.try_send_to(subscriber, message);
    }
}

impl<D: RecvSide> Socket<Router, D> {
    calls! {
        /// Receives the next message; blocks while there is none. What is told of peers is passed over.
        ///
        /// # Errors
        ///
        /// `recv_timeout` passed.
        recv_message(this) -> Result<Routed, RecvError> = wait(this.recv_message());
        /// Receives the next message, if one is there. What is told of peers is passed over.
        ///
        /// # Errors
        ///
        /// No message is there.
        try_recv_message(this) -> Result<Routed, RecvError> = this.try_recv_message();
    }
}

impl<D: SendSide> Socket<Router, D> {
    calls! {
        /// Sends a message to the peer of this routing id.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send). The message comes back.
        send_to(this, peer: impl Into<RoutingId>, message: impl IntoSent<Message>) -> Result<(), SendError> =
            wait(this.send_to(peer, message));
        /// Returns whether the peer of this routing id takes no new work:
        /// [`Socket::peer_drains`](crate::Socket::peer_drains).
        peer_drains(this, peer: impl AsRef<[u8]>) -> bool = this.peer_drains(peer);
        /// Returns the routing ids of all peers that messages can be sent to, in no order.
        peers(this) -> Vec<RoutingId> = this.peers();
    }
}

impl Socket<Router> {
    calls! {
        /// Connects to a peer that shall be known by this routing id here.
        ///
        /// # Errors
        ///
        /// As [`Socket::connect_as`](crate::Socket::connect_as).
        connect_as(this, endpoint: impl ToEndpoint, name: impl Into<RoutingId>) -> Result<(), ConnectError> =
            this.connect_as(endpoint, name);
    }
}

mod dgram;
mod stream;

impl<P: Duplex> Socket<P> {
    /// Divides the socket into its two directions, for two threads.
    pub fn split(self) -> (Socket<P, SendHalf>, Socket<P, RecvHalf>) {
        let (sender, receiver) = self.0.split();
        (sender.into(), receiver.into())
    }
}

impl<P: Duplex> Socket<P, SendHalf> {
    /// Makes the whole socket again.
    ///
    /// # Errors
    ///
    /// The halves belong to two different sockets. They come back.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub fn reunite(
        self,
        receiver: Socket<P, RecvHalf>,
    ) -> Result<Socket<P>, ReuniteError<Self, Socket<P, RecvHalf>>> {
        match self.0.reunite(receiver.0) {
            Ok(whole) => Ok(whole.into()),
            Err(ReuniteError(sender, receiver)) => {
                Err(ReuniteError(sender.into(), receiver.into()))
            }
        }
    }
}
