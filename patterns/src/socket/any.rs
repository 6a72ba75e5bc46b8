//! [`AnySocket`]: a socket whose type is a value.

mod asked;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use zmtp::{Message, SocketType};

use super::{Direction, ErasedSocket, Socket, Whole};
use crate::context::Context;
use crate::core::call::{CallTimeout, Many, ManyFrom};
use crate::core::check;
use crate::core::{IntoSent, Pattern};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, GroupError, OptionError, RecvError,
    SendError, UnbindError,
};
use crate::monitor::Monitor;
use crate::options::Options;
use crate::peer::Peer;
use crate::routing_id::{PeerId, RoutingId};
use crate::rules::Rules;
use crate::security::PeerSelector;
use crate::stats::SocketStats;
use crate::transport::OpenListener;

/// A socket whose type is a value, or a half of one: for programs that learn only when they run what they need.
///
/// It sends and receives [`Message`]s in libzmq's form: to and from a ROUTER, the first frame is the peer's routing id; to
/// and from a SERVER, its number ([`Addressed`](crate::Addressed)); to a RADIO, and from a DISH, the group.
/// What a type cannot do is an error of the call. Everything else is as for a [`Socket`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{AnySocket, Context, SendError, SocketType};
///
/// let context = Context::new();
/// let mut pull = AnySocket::new("PULL".parse()?, &context)?;
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let mut push = AnySocket::new(SocketType::Push, &context)?;
/// push.connect(&endpoint)?;
/// push.send("work").await?;
/// assert_eq!(pull.recv().await?, "work");
/// assert!(matches!(pull.try_send("more"), Err(SendError::Unsupported { .. })));
/// # Ok(())
/// # }
/// ```
pub struct AnySocket(pub(super) Box<dyn ErasedSocket>);

/// Sockets of a type that is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} sockets are not part of this library")]
pub struct TypeNotBuilt(pub SocketType);

/// Why no [`AnySocket`] was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There are no sockets of this type.
    #[error(transparent)]
    Type(#[from] TypeNotBuilt),
    /// The context has not what an option asks for.
    #[error(transparent)]
    Option(#[from] OptionError),
}

impl<P: Pattern, D: Direction> From<Socket<P, D>> for AnySocket {
    fn from(socket: Socket<P, D>) -> Self {
        AnySocket(Box::new(socket))
    }
}

impl fmt::Debug for AnySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySocket")
            .field("type", &self.socket_type())
            .field("name", &self.options().name)
            .field("last_endpoint", &self.last_endpoint())
            .finish_non_exhaustive()
    }
}

impl AnySocket {
    /// Makes a socket of this type, with its default options.
    ///
    /// # Errors
    ///
    /// Sockets of this type are not built.
    pub fn new(socket_type: SocketType, context: &Context) -> Result<Self, TypeNotBuilt> {
        Self::open(socket_type, context, Options::of(socket_type))
    }

    /// Makes a socket with options of its own: [`Options::of`] its type, changed by [`Options::set`].
    ///
    /// # Errors
    ///
    /// Sockets of this type are not built, or the context has not what an option asks for.
    pub fn with_options(
        socket_type: SocketType,
        context: &Context,
        options: Options,
    ) -> Result<Self, OpenError> {
        check(&options, context)?;
        Ok(Self::open(socket_type, context, options)?)
    }

    fn open(
        socket_type: SocketType,
        context: &Context,
        options: Options,
    ) -> Result<Self, TypeNotBuilt> {
        let opened = crate::sockets::open(socket_type, context, options);
        opened.map(AnySocket).ok_or(TypeNotBuilt(socket_type))
    }

    /// Returns the socket's type.
    pub fn socket_type(&self) -> SocketType {
        self.rules().socket_type
    }

    /// Returns what the type is and can do.
    pub fn rules(&self) -> &'static Rules {
        self.0.rules()
    }

    /// Returns the socket as what it is. `Err`: it is of another type, or a half.
    ///
    /// # Errors
    ///
    /// The socket comes back.
    pub fn downcast<P: Pattern>(self) -> Result<Socket<P>, Self> {
        self.downcast_part::<P, Whole>()
    }

    /// Lends the socket as what it is, or the half that it is.
    #[cfg(purezmq_simulation)]
    #[doc(hidden)]
    pub fn as_part<P: Pattern, D: Direction>(&mut self) -> Option<&mut Socket<P, D>> {
        let socket: &mut dyn std::any::Any = &mut *self.0;
        socket.downcast_mut()
    }

    pub(super) fn downcast_part<P: Pattern, D: Direction>(self) -> Result<Socket<P, D>, Self> {
        if (*self.0).type_id() != std::any::TypeId::of::<Socket<P, D>>() {
            return Err(self);
        }
        let socket = self.0.into_any().downcast::<Socket<P, D>>();
        Ok(*socket.expect("it is of this type"))
    }

    /// Listens at an endpoint: [`Socket::bind`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not bound anything.
    pub async fn bind(&mut self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let begun = self.0.begin_bind(endpoint.to_endpoint()?)?;
        let opened = begun.opened().await;
        self.0.finish_bind(opened)
    }

    /// Listens with a socket of the system that is listening already: [`Socket::adopt`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has closed the listener, or adopted it.
    pub async fn adopt(
        &mut self,
        listener: impl Into<OpenListener>,
    ) -> Result<Endpoint, BindError> {
        let begun = self.0.begin_adopt(listener.into())?;
        let opened = begun.opened().await;
        self.0.finish_bind(opened)
    }

    /// Connects to an endpoint: [`Socket::connect`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect(&mut self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        self.0.connect(endpoint.to_endpoint()?, None)
    }

    /// Connects to a peer that shall be known by this routing id here: [`Socket::connect_as`]. For others than ROUTER and STREAM,
    /// the routing id means nothing.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_as(
        &mut self,
        endpoint: impl ToEndpoint,
        name: impl Into<RoutingId>,
    ) -> Result<(), ConnectError> {
        self.0.connect(endpoint.to_endpoint()?, Some(name.into()))
    }

    /// Connects to a peer that is known by a number here, and returns that:
    /// [`PeerSocket::connect_peer`](crate::PeerSocket::connect_peer).
    ///
    /// # Errors
    ///
    /// As there, or the type knows no peers by numbers.
    pub fn connect_peer(&mut self, endpoint: impl ToEndpoint) -> Result<PeerId, ConnectError> {
        self.0.connect_peer(endpoint.to_endpoint()?)
    }

    /// Stops listening at an endpoint: [`Socket::unbind`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// The endpoint goes also if the future is dropped once it has been polled.
    pub async fn unbind(&mut self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        self.0.unbind(&endpoint.to_endpoint()?)
    }

    /// Ends all connections made to an endpoint: [`Socket::disconnect`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn disconnect(&mut self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        self.0.disconnect(endpoint.to_endpoint()?)
    }

    /// Ends the living connections of a peer, and returns how many there were: [`Socket::disconnect_peer`].
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        self.0.disconnect_peer(peer.into())
    }

    /// Returns the endpoint of the last successful `bind` (resolved) or `connect` (as given).
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.0.last_endpoint()
    }

    /// Returns the options as they are.
    pub fn options(&self) -> Options {
        self.0.options()
    }

    /// Takes on options, which [`options`](Self::options) has given and [`Options::set`] has changed. Which changes
    /// take effect when, [`options::TABLE`](crate::options::TABLE) says.
    ///
    /// # Errors
    ///
    /// The context has not what an option asks for.
    pub fn set_options(&mut self, options: Options) -> Result<(), OptionError> {
        self.0.set_options(options)
    }

    /// Sets how long unsent messages are still tried: [`Socket::set_linger`].
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        self.0.set_linger(linger);
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.0.monitor()
    }

    /// Returns the socket's counters as they stand.
    pub fn stats(&self) -> SocketStats {
        self.0.stats()
    }

    /// Sends a message: [`Socket::send`].
    ///
    /// # Errors
    ///
    /// As there, or the type does not send. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message.
    pub async fn send(&mut self, message: impl IntoSent<Message>) -> Result<(), SendError> {
        let (mut message, mut timeout) = (Some(message.into_sent()), CallTimeout::default());
        poll_fn(|cx| self.0.poll_send(cx, &mut message, &mut timeout)).await
    }

    /// Sends a message if that needs no waiting: [`Socket::try_send`].
    ///
    /// # Errors
    ///
    /// As there, or the type does not send. The message comes back.
    pub fn try_send(&mut self, message: impl IntoSent<Message>) -> Result<(), SendError> {
        self.0.try_send(message.into_sent())
    }

    /// Receives the next message: [`Socket::recv`].
    ///
    /// # Errors
    ///
    /// As there, or the type does not receive.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
        let mut timeout = CallTimeout::default();
        poll_fn(|cx| self.0.poll_recv(cx, &mut timeout, false)).await
    }

    /// Receives the next message, and passes over what a ROUTER with `notify` tells of its peers, which in libzmq's form
    /// looks like a message.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message.
    pub async fn recv_message(&mut self) -> Result<Message, RecvError> {
        let mut timeout = CallTimeout::default();
        poll_fn(|cx| self.0.poll_recv(cx, &mut timeout, true)).await
    }

    /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end of `buffer`.
    /// Returns how many: [`Socket::recv_many`], for all types that receive. One that has to answer each gets one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message, and has not touched the buffer.
    pub async fn recv_many(
        &mut self,
        buffer: &mut Vec<Message>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        let mut timeout = CallTimeout::default();
        let many = &mut Many { buffer, limit };
        poll_fn(|cx| self.0.poll_recv_many(cx, &mut timeout, many)).await
    }

    /// Receives as `recv_many` does, each message with who has sent it, as [`last_peer`](Self::last_peer) tells it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no message, and has not touched the buffer.
    pub async fn recv_many_from(
        &mut self,
        buffer: &mut Vec<(Message, Option<Arc<Peer>>)>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        let mut timeout = CallTimeout::default();
        let many = &mut ManyFrom { buffer, limit };
        poll_fn(|cx| self.0.poll_recv_many_from(cx, &mut timeout, many)).await
    }

    /// Receives the next message, if one is there: [`Socket::try_recv`].
    ///
    /// # Errors
    ///
    /// As there, or the type does not receive.
    pub fn try_recv(&mut self) -> Result<Message, RecvError> {
        self.0.try_recv()
    }

    /// Returns who has sent the message that was received last: [`Socket::last_peer`].
    pub fn last_peer(&self) -> Option<Arc<Peer>> {
        self.0.last_peer()
    }

    /// Subscribes to a topic: [`Socket::subscribe`]. Returns `false` if the type does not subscribe.
    pub fn subscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.0.subscribe(true, topic.as_ref())
    }

    /// Takes a subscription back: [`Socket::unsubscribe`].
    pub fn unsubscribe(&mut self, topic: impl AsRef<[u8]>) -> bool {
        self.0.subscribe(false, topic.as_ref())
    }

    /// Joins a group: [`DishSocket::join`](crate::DishSocket::join).
    ///
    /// # Errors
    ///
    /// As there, or the type joins no groups.
    pub fn join(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.0.join(true, group.as_ref())
    }

    /// Leaves a group: [`DishSocket::leave`](crate::DishSocket::leave).
    ///
    /// # Errors
    ///
    /// As there, or the type joins no groups.
    pub fn leave(&mut self, group: impl AsRef<[u8]>) -> Result<(), GroupError> {
        self.0.join(false, group.as_ref())
    }

    /// Counts the distinct topics: [`Socket::topics_count`].
    pub fn topics_count(&mut self) -> usize {
        self.0.subscriptions().1
    }

    /// Counts the peers with a subscription: [`Socket::subscriber_count`].
    pub fn subscriber_count(&mut self) -> usize {
        self.0.subscriptions().0
    }

    /// Divides the socket into a sending and a receiving half: [`Socket::split`].
    ///
    /// # Errors
    ///
    /// It is of a type that cannot be divided, or a half. It comes back.
    pub fn split(self) -> Result<(Self, Self), Self> {
        self.0.split()
    }

    /// Makes the whole socket again of a sending half and its receiving one: [`Socket::reunite`].
    ///
    /// # Errors
    ///
    /// These are no two halves of one socket. They come back.
    pub fn reunite(self, receiver: Self) -> Result<Self, (Self, Self)> {
        self.0.reunite(receiver)
    }

    /// Begins to drain: [`Socket::drain`].
    pub fn drain(&mut self, limit: Duration) {
        self.0.drain(limit);
    }

    /// Closes the socket, and waits: [`Socket::close`].
    ///
    /// # Cancel safety
    ///
    /// The socket is closed by the first poll.
    pub async fn close(self) -> CloseReport {
        self.0.close().await
    }

    /// Closes the socket, and waits for no longer than `limit`: [`Socket::close_within`].
    ///
    /// # Cancel safety
    ///
    /// The socket is closed by the first poll.
    pub async fn close_within(self, limit: Duration) -> CloseReport {
        self.0.close_within(limit).await
    }

    pub(crate) fn erased(&mut self) -> &mut dyn ErasedSocket {
        &mut *self.0
    }
}
