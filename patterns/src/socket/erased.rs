//! A socket behind a pointer: what [`AnySocket`](super::AnySocket) and the proxy call, implemented once for all.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use zmtp::Message;

use super::{AnySocket, Direction, LentStream, RecvHalf, ReuniteError, SendHalf, Socket};
use crate::core::call::{CallTimeout, Many, ManyFrom, One, RecvOp};
use crate::core::pattern::recv_error;
use crate::core::{Access, Binding, Core, Incoming, Pattern, PeerChange, Refusal};
use crate::endpoint::Endpoint;
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, GroupError, OptionError, RecvError,
    SendError, UnbindError,
};
use crate::monitor::Monitor;
use crate::options::Options;
use crate::peer::Peer;
use crate::routing_id::{PeerId, RoutingId};
use crate::rules::{Capability, PeerNaming, Rules};
use crate::security::PeerSelector;
use crate::stats::SocketStats;
use crate::transport::OpenListener;

/// A socket of any type, behind a pointer.
pub(crate) trait ErasedSocket: Any + Send {
    fn rules(&self) -> &'static Rules;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn begin_bind(&mut self, endpoint: Endpoint) -> Result<Binding, BindError>;
    fn begin_adopt(&mut self, listener: OpenListener) -> Result<Binding, BindError>;
    fn finish_bind(&mut self, opened: Binding) -> Result<Endpoint, BindError>;
    fn unbind(&mut self, endpoint: &Endpoint) -> Result<(), UnbindError>;
    fn connect(&mut self, endpoint: Endpoint, name: Option<RoutingId>) -> Result<(), ConnectError>;
    fn connect_peer(&mut self, endpoint: Endpoint) -> Result<PeerId, ConnectError>;
    fn disconnect(&mut self, endpoint: Endpoint) -> Result<(), DisconnectError>;
    fn disconnect_peer(&self, peer: PeerSelector) -> usize;
    fn last_endpoint(&self) -> Option<Endpoint>;
    /// Returns whether the socket has ended with its context.
    fn has_ended(&self) -> bool;
    fn options(&self) -> Options;
    fn set_options(&mut self, options: Options) -> Result<(), OptionError>;
    fn set_linger(&mut self, linger: Option<Duration>);
    fn monitor(&self) -> Monitor;
    fn stats(&self) -> SocketStats;
    fn poll_send(
        &mut self,
        cx: &mut TaskContext<'_>,
        message: &mut Option<Message>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), SendError>>;
    /// Never ready for what does not send.
    fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Poll<()>;
    /// With `messages_only`, what is told of peers is passed over.
    fn poll_recv(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        messages_only: bool,
    ) -> Poll<Result<Message, RecvError>>;
    fn poll_recv_many(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        many: &mut Many<'_, Message>,
    ) -> Poll<Result<usize, RecvError>>;
    fn poll_recv_many_from(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        many: &mut ManyFrom<'_, Message>,
    ) -> Poll<Result<usize, RecvError>>;
    fn try_send(&mut self, message: Message) -> Result<(), SendError>;
    fn try_recv(&mut self) -> Result<Message, RecvError>;
    /// Receives without waiting, with what has happened to a peer if it tells that.
    fn try_recv_change(&mut self) -> Result<(Message, Option<PeerChange>), RecvError>;
    /// Sends without waiting. Pending: the message is untouched.
    fn send_now(&mut self, message: &mut Message) -> Poll<Result<(), SendError>>;
    /// Says whether a message that begins with this frame would be taken now.
    fn begin_now(&mut self, first: &[u8]) -> Poll<Result<(), SendError>>;
    fn has_room_for(&mut self, peer: &[u8]) -> Option<bool>;
    fn is_readable(&mut self) -> bool;
    fn is_writable(&mut self) -> bool;
    fn watch(&mut self, waker: Option<&Waker>);
    fn lend(&mut self) -> Option<LentStream>;
    fn give_back(&mut self);
    fn last_peer(&self) -> Option<Arc<Peer>>;
    fn subscribe(&mut self, subscribe: bool, topic: &[u8]) -> bool;
    fn join(&mut self, join: bool, group: &[u8]) -> Result<(), GroupError>;
    fn subscriptions(&mut self) -> (usize, usize);
    fn drain(&mut self, limit: Duration);
    /// Returns whether nothing more comes to a socket that drains.
    fn is_drained(&self) -> bool;
    /// Becomes ready at the limit of a socket that drains.
    fn poll_drain_limit(&mut self, cx: &mut TaskContext<'_>) -> Poll<()>;
    /// Counts what peers were given beyond what has come from them.
    fn owed(&self) -> u64;
    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = CloseReport> + Send>>;
    fn close_within(
        self: Box<Self>,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = CloseReport> + Send>>;
    fn split(self: Box<Self>) -> Result<(AnySocket, AnySocket), AnySocket>;
    fn reunite(self: Box<Self>, receiver: AnySocket) -> Result<AnySocket, (AnySocket, AnySocket)>;
}

/// One message; what is told of peers is passed over, within the same call and its limit.
struct MessagesOnly;

impl<P: Pattern> RecvOp<P> for MessagesOnly {
    type Item = P::Received;

    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<P::Received, Refusal>> {
        loop {
            match P::recv(core) {
                Poll::Ready(Ok(event)) if event.is_event() => {}
                received => return received,
            }
        }
    }
}

impl<P: Pattern, D: Direction> Socket<P, D> {
    fn unsupported_send<T>(&self, message: Message) -> Result<T, SendError> {
        Err(SendError::Unsupported {
            message,
            socket_type: P::RULES.socket_type,
        })
    }
}

impl<P: Pattern, D: Direction> ErasedSocket for Socket<P, D> {
    fn rules(&self) -> &'static Rules {
        P::RULES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn begin_bind(&mut self, endpoint: Endpoint) -> Result<Binding, BindError> {
        Socket::begin_bind(self, endpoint)
    }

    fn begin_adopt(&mut self, listener: OpenListener) -> Result<Binding, BindError> {
        self.handle.with(|core| core.begin_adopt(listener))
    }

    fn finish_bind(&mut self, opened: Binding) -> Result<Endpoint, BindError> {
        Socket::finish_bind(self, opened)
    }

    fn unbind(&mut self, endpoint: &Endpoint) -> Result<(), UnbindError> {
        Socket::unbind_now(self, endpoint)
    }

    fn connect(&mut self, endpoint: Endpoint, name: Option<RoutingId>) -> Result<(), ConnectError> {
        self.handle.with(|core| match name {
            Some(name) if P::RULES.naming == PeerNaming::ByRoutingId => {
                core.connect_as(endpoint, name)
            }
            _ => core.connect(endpoint),
        })
    }

    fn connect_peer(&mut self, endpoint: Endpoint) -> Result<PeerId, ConnectError> {
        self.handle.with(|core| core.connect_peer(endpoint))
    }

    fn disconnect(&mut self, endpoint: Endpoint) -> Result<(), DisconnectError> {
        Socket::disconnect(self, endpoint)
    }

    fn disconnect_peer(&self, peer: PeerSelector) -> usize {
        Socket::disconnect_peer(self, peer)
    }

    fn last_endpoint(&self) -> Option<Endpoint> {
        Socket::last_endpoint(self)
    }

    fn has_ended(&self) -> bool {
        self.handle.peek(Core::has_ended)
    }

    fn options(&self) -> Options {
        Socket::options(self)
    }

    fn set_options(&mut self, options: Options) -> Result<(), OptionError> {
        self.handle.with(|core| core.set_options(options))
    }

    fn set_linger(&mut self, linger: Option<Duration>) {
        Socket::set_linger(self, linger);
    }

    fn monitor(&self) -> Monitor {
        Socket::monitor(self)
    }

    fn stats(&self) -> SocketStats {
        Socket::stats(self)
    }

    fn poll_send(
        &mut self,
        cx: &mut TaskContext<'_>,
        message: &mut Option<Message>,
        timeout: &mut CallTimeout,
    ) -> Poll<Result<(), SendError>> {
        if !D::SENDS {
            return Poll::Ready(self.unsupported_send(message.take().unwrap_or_default()));
        }
        let mut sent = message.take().map(P::Sent::from);
        let polled = Socket::poll_send(self, cx, &mut sent, timeout);
        *message = sent.map(Into::into);
        polled
    }

    fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if !D::SENDS || !P::RULES.has(Capability::Sends) {
            return Poll::Pending;
        }
        match Socket::poll_room(self, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // Nothing is left that could take the message: it stays where it is.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_recv(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        messages_only: bool,
    ) -> Poll<Result<Message, RecvError>> {
        if !D::RECEIVES {
            return Poll::Ready(Err(recv_error::<P>(Refusal::Unsupported)));
        }
        let received = match messages_only {
            true => ready!(self.poll_recv_of(cx, &mut MessagesOnly, timeout)),
            false => ready!(Socket::poll_recv(self, cx, timeout)),
        };
        Poll::Ready(received.map(Into::into))
    }

    fn poll_recv_many(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        many: &mut Many<'_, Message>,
    ) -> Poll<Result<usize, RecvError>> {
        if !D::RECEIVES {
            return Poll::Ready(Err(recv_error::<P>(Refusal::Unsupported)));
        }
        self.poll_recv_of(cx, many, timeout)
    }

    fn poll_recv_many_from(
        &mut self,
        cx: &mut TaskContext<'_>,
        timeout: &mut CallTimeout,
        many: &mut ManyFrom<'_, Message>,
    ) -> Poll<Result<usize, RecvError>> {
        if !D::RECEIVES {
            return Poll::Ready(Err(recv_error::<P>(Refusal::Unsupported)));
        }
        self.poll_recv_of(cx, many, timeout)
    }

    fn try_send(&mut self, message: Message) -> Result<(), SendError> {
        if !D::SENDS {
            return self.unsupported_send(message);
        }
        self.handle.with(|core| core.try_send(message.into()))
    }

    fn try_recv(&mut self) -> Result<Message, RecvError> {
        if !D::RECEIVES {
            return Err(recv_error::<P>(Refusal::Unsupported));
        }
        self.handle.with(|core| core.try_recv(One)).map(Into::into)
    }

    fn try_recv_change(&mut self) -> Result<(Message, Option<PeerChange>), RecvError> {
        if !D::RECEIVES {
            return Err(recv_error::<P>(Refusal::Unsupported));
        }
        let received = self.handle.with(|core| core.try_recv(One))?;
        let change = received.change();
        let message: Message = received.into();
        Ok((message.settled(), change))
    }

    fn send_now(&mut self, message: &mut Message) -> Poll<Result<(), SendError>> {
        if !D::SENDS {
            return Poll::Ready(self.unsupported_send(std::mem::take(message)));
        }
        let mut item = P::Sent::from(std::mem::take(message).settled());
        match self.handle.with(|core| core.send_now(&mut item)) {
            // Made here, and not moved: there is much room in it for errors.
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                *message = item.into();
                Poll::Pending
            }
        }
    }

    fn begin_now(&mut self, first: &[u8]) -> Poll<Result<(), SendError>> {
        if !D::SENDS {
            return Poll::Ready(self.unsupported_send(Message::new()));
        }
        self.handle.with(|core| core.begin_now(first))
    }

    fn has_room_for(&mut self, peer: &[u8]) -> Option<bool> {
        self.handle.with(|core| core.has_room_for(peer))
    }

    fn is_readable(&mut self) -> bool {
        D::RECEIVES && self.handle.with(Core::is_readable_now)
    }

    fn is_writable(&mut self) -> bool {
        D::SENDS && self.handle.with(Core::is_writable_now)
    }

    fn watch(&mut self, waker: Option<&Waker>) {
        self.handle.peek(|core| core.watch(waker));
    }

    fn lend(&mut self) -> Option<LentStream> {
        self.handle.with(Core::lend)
    }

    fn give_back(&mut self) {
        self.handle.with(Core::give_back);
    }

    fn last_peer(&self) -> Option<Arc<Peer>> {
        self.handle.peek(P::last_peer)
    }

    fn subscribe(&mut self, subscribe: bool, topic: &[u8]) -> bool {
        // Subscriptions go where messages are sent.
        if !D::SENDS && !<D::Handle<P> as Access<P>>::JOINT {
            return false;
        }
        self.handle
            .with(|core| P::subscribe(core, subscribe, topic))
    }

    fn join(&mut self, join: bool, group: &[u8]) -> Result<(), GroupError> {
        self.handle.with(|core| P::join(core, join, group))
    }

    fn subscriptions(&mut self) -> (usize, usize) {
        self.handle.with(Core::subscriptions_now)
    }

    fn drain(&mut self, limit: Duration) {
        Socket::drain(self, limit);
    }

    fn is_drained(&self) -> bool {
        self.handle.peek(crate::core::Core::is_drained)
    }

    fn poll_drain_limit(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.handle.poll(cx, |core, cx| core.poll_drain_limit(cx))
    }

    fn owed(&self) -> u64 {
        self.handle.peek(crate::core::Core::owed)
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = CloseReport> + Send>> {
        Box::pin(Socket::close(*self))
    }

    fn close_within(
        self: Box<Self>,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = CloseReport> + Send>> {
        Box::pin(Socket::close_within(*self, limit))
    }

    fn split(self: Box<Self>) -> Result<(AnySocket, AnySocket), AnySocket> {
        if !P::RULES.has(Capability::Duplex) {
            return Err(AnySocket(self));
        }
        let (sender, receiver) = AnySocket(self).downcast::<P>()?.divide();
        Ok((sender.into(), receiver.into()))
    }

    fn reunite(self: Box<Self>, receiver: AnySocket) -> Result<AnySocket, (AnySocket, AnySocket)> {
        let sender = match AnySocket(self).downcast_part::<P, SendHalf>() {
            Ok(sender) => sender,
            Err(other) => return Err((other, receiver)),
        };
        let receiver = match receiver.downcast_part::<P, RecvHalf>() {
            Ok(receiver) => receiver,
            Err(other) => return Err((sender.into(), other)),
        };
        match sender.rejoin(receiver) {
            Ok(whole) => Ok(whole.into()),
            Err(ReuniteError(sender, receiver)) => Err((sender.into(), receiver.into())),
        }
    }
}
