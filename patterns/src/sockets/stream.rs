//! STREAM (libzmq): bytes from any TCP program, and to it.

use std::task::Poll;

use zmtp::Message;

use super::router::Routed;
use crate::core::{Core, Incoming, Outgoing, Pattern, PeerChange, Refusal};
use crate::error::SendError;
use crate::pipe::PeerMark;
use crate::routing::{ByPeer, FairQueue, Undelivered};
use crate::routing_id::RoutingId;
use crate::socket::{SendSide, Socket};

/// The pattern of [`StreamSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Stream;

/// Talks to programs that speak no ZeroMQ, over plain streams of bytes: a TCP server for any number of clients, a client
/// of any number of servers, or both.
///
/// Each connection is a peer with a routing id, which is made up, or given by [`connect_as`](Socket::connect_as).
/// [`recv`](Socket::recv) tells when a connection begins, what bytes have come, and when it has ended; what came before the
/// end comes before it. How the peer had divided its bytes among its writes is not to be seen: one write may come in
/// several pieces, and several in one, of at most `max_message_size` bytes (64 KiB unless told otherwise). Who needs
/// messages has to look for their ends.
///
/// Bytes for a peer go out as they are, in order. `send` waits while the peer takes nothing and its pipe is full, and
/// fails at once if there is no such peer, or no more. [`close_peer`](Socket::close_peer) closes a connection when what was
/// sent to it is out; [`disconnect_peer`](Socket::disconnect_peer) does it at once.
///
/// A peer that ends its own direction (`shutdown`), and waits for an answer, gets it: its connection is closed once the
/// application has read all that the peer has said, what was sent to it until then is out, and `recv` is called for
/// more. [`Closed`](StreamEvent::Closed) comes then. So a server that answers what it reads before it reads on has answered.
/// That is waited for as long as something goes out to the peer, and for a second beyond; what has not gone
/// out then is lost and counted. libzmq closes such a connection at once.
///
/// A peer that floods is held back by TCP once `recv_hwm` pieces, or `recv_hwm_bytes` bytes, wait for the application; one
/// that does not read fills its own pipe, and no other.
///
/// A connection that a connecting endpoint has lost is made anew, as with other sockets; with `reconnect_interval(None)` it
/// is not. What was sent to the old one is not sent to the new one.
///
/// All transports that carry bytes can be used: `tcp://`, `ipc://`, `tls+tcp://`, `vsock://`, but not `inproc://`. There is
/// no handshake, so that there are no options of handshakes, heartbeats and frames; with `security` the
/// socket refuses to bind and to connect. With a `zap_domain`, the context's authenticator is asked about each peer, of which
/// it knows the address.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{StreamEvent, StreamSocket};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::TcpStream;
///
/// let mut server = StreamSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
///
/// // Any program that speaks TCP.
/// let address = endpoint.to_string().replace("tcp://", "");
/// let client = tokio::spawn(async move {
///     let mut stream = TcpStream::connect(address).await?;
///     stream.write_all(b"hello").await?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer).await?;
///     std::io::Result::Ok(answer)
/// });
///
/// loop {
///     match server.recv().await? {
///         StreamEvent::Accepted(_) | StreamEvent::Connected(_) => {}
///         StreamEvent::Data(data) => {
///             server.send(data.reply("bye")).await?;
///             server.close_peer(&data.peer)?;
///         }
///         StreamEvent::Closed(_) => break,
///     }
/// }
/// assert_eq!(client.await??, "bye");
/// # Ok(())
/// # }
/// ```
///
/// In libzmq's form, which [`AnySocket`](crate::AnySocket) has, a message is the routing id and one frame of bytes. Where
/// that is empty, it tells of a beginning or an end; sent, it closes the connection.
pub type StreamSocket = Socket<Stream>;

/// What a STREAM receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// This peer has connected to the socket. Told unless `stream_notify` is off.
    Accepted(RoutingId),
    /// The socket has connected to this peer. Told unless `stream_notify` is off.
    Connected(RoutingId),
    /// Bytes of a peer: a message of one frame, which is not empty.
    Data(Routed),
    /// The peer's connection has ended; its bytes came before. Told unless `stream_notify` is off.
    Closed(RoutingId),
}

impl StreamEvent {
    /// Returns the bytes and whose they are, if it is that.
    pub fn into_data(self) -> Option<Routed> {
        match self {
            StreamEvent::Data(data) => Some(data),
            StreamEvent::Accepted(_) | StreamEvent::Connected(_) | StreamEvent::Closed(_) => None,
        }
    }

    /// Returns the routing id of the peer that this is about.
    pub fn peer(&self) -> &RoutingId {
        match self {
            StreamEvent::Data(data) => &data.peer,
            StreamEvent::Accepted(peer)
            | StreamEvent::Connected(peer)
            | StreamEvent::Closed(peer) => peer,
        }
    }
}

/// Puts the peer's routing id in front; an event is that and an empty frame, as in libzmq.
impl From<StreamEvent> for Message {
    fn from(event: StreamEvent) -> Self {
        match event {
            StreamEvent::Data(data) => data.into(),
            StreamEvent::Accepted(peer)
            | StreamEvent::Connected(peer)
            | StreamEvent::Closed(peer) => Routed::from((peer, "")).into(),
        }
    }
}

impl Incoming for StreamEvent {
    fn change(&self) -> Option<PeerChange> {
        match self {
            StreamEvent::Data(_) => None,
            StreamEvent::Accepted(_) | StreamEvent::Connected(_) => Some(PeerChange::Came),
            StreamEvent::Closed(_) => Some(PeerChange::Left),
        }
    }
}

/// What a STREAM sends: bytes, made of a routing id and a message of one frame, `(peer, "bytes").into()`; or the wish that
/// a connection be closed.
///
/// Bytes that are none (an empty frame) are nothing to send. Only in libzmq's form, a [`Message`], does an empty frame
/// close the connection, so that nothing is closed because there happened to be nothing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamSend {
    /// Bytes for a peer.
    Data(Routed),
    /// Closes the peer's connection behind what was sent before.
    Close(RoutingId),
}

impl Default for StreamSend {
    fn default() -> Self {
        StreamSend::Data(Routed::default())
    }
}

impl<P: Into<RoutingId>, M: Into<Message>> From<(P, M)> for StreamSend {
    fn from(data: (P, M)) -> Self {
        StreamSend::Data(data.into())
    }
}

impl From<Routed> for StreamSend {
    fn from(data: Routed) -> Self {
        StreamSend::Data(data)
    }
}

/// Takes libzmq's form: the first frame is the peer's routing id, and an empty frame behind it closes the connection.
impl From<Message> for StreamSend {
    fn from(message: Message) -> Self {
        let Routed { peer, message } = message.into();
        if message.len() == 1 && is_nothing(&message) {
            return StreamSend::Close(peer);
        }
        StreamSend::Data(Routed { peer, message })
    }
}

/// Gives libzmq's form.
impl From<StreamSend> for Message {
    fn from(sent: StreamSend) -> Self {
        match sent {
            StreamSend::Data(mut data) => {
                if is_nothing(&data.message) {
                    data.message = Message::new();
                }
                data.into()
            }
            StreamSend::Close(peer) => Routed::from((peer, "")).into(),
        }
    }
}

impl Outgoing for StreamSend {
    fn is_empty(&self) -> bool {
        match self {
            StreamSend::Data(data) => is_nothing(&data.message),
            StreamSend::Close(_) => false,
        }
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        match self {
            StreamSend::Data(data) => (Some(data.peer), data.message),
            StreamSend::Close(peer) => (Some(peer), Message::from("")),
        }
    }
}

/// Returns whether there are no bytes in a message of one frame, or none.
fn is_nothing(message: &Message) -> bool {
    message.len() <= 1 && message.iter().all(<[u8]>::is_empty)
}

impl Pattern for Stream {
    type Sent = StreamSend;
    type Received = StreamEvent;
    type Send = ByPeer;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;

    fn refuse_empty(sent: &mut StreamSend) -> Option<Result<(), SendError>> {
        sent.is_empty().then_some(Ok(()))
    }

    fn send(core: &mut Core<Self>, sent: &mut StreamSend) -> Poll<Result<(), Refusal>> {
        let data = match sent {
            StreamSend::Data(data) => data,
            StreamSend::Close(peer) => {
                let closed = core.sender.dismiss(peer);
                return Poll::Ready(closed.then_some(()).ok_or(Refusal::Unroutable));
            }
        };
        if data.message.len() > 1 {
            return Poll::Ready(Err(Refusal::Multipart));
        }
        match core.sender.send_to(&data.peer, &mut data.message) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Undelivered::Full) => Poll::Pending,
            Err(Undelivered::Unknown) => Poll::Ready(Err(Refusal::Unroutable)),
        }
    }

    fn begins(core: &mut Core<Self>, peer: &[u8]) -> Poll<Result<(), Refusal>> {
        match core.sender.has_room_for(peer) {
            Some(true) => Poll::Ready(Ok(())),
            Some(false) => Poll::Pending,
            None => Poll::Ready(Err(Refusal::Unroutable)),
        }
    }

    fn has_room_for(core: &mut Core<Self>, peer: &[u8]) -> Option<bool> {
        core.sender.has_room_for(peer)
    }

    fn recv(core: &mut Core<Self>) -> Poll<Result<StreamEvent, Refusal>> {
        while let Some(next) = core.receiver.recv_or_mark() {
            // Nothing comes before the routing id: the session gives it first.
            let peer = core.receiver.last_told().cloned();
            let event = peer.and_then(|peer| match next {
                Ok(message) => Some(StreamEvent::Data(Routed { peer, message })),
                Err(PeerMark::Joined { tell: true, .. }) if core.receiver.last_is_bound() => {
                    Some(StreamEvent::Accepted(peer))
                }
                Err(PeerMark::Joined { tell: true, .. }) => Some(StreamEvent::Connected(peer)),
                Err(PeerMark::Left) => Some(StreamEvent::Closed(peer)),
                Err(PeerMark::Joined { tell: false, .. } | PeerMark::Renewed) => None,
            });
            match event {
                Some(event) => return Poll::Ready(Ok(event)),
                None if core.goes_on(1) => {}
                None => break,
            }
        }
        Poll::Pending
    }
}

impl<D: SendSide> Socket<Stream, D> {
    /// Closes the connection of the peer of this routing id, once what was sent to it is out. A connecting endpoint does not
    /// connect again. [`StreamEvent::Closed`] comes when that is done, behind what the peer had sent.
    ///
    /// # Errors
    ///
    /// There is no such peer: `Unroutable`.
    pub fn close_peer(&mut self, peer: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.try_send(StreamSend::Close(RoutingId::from(peer.as_ref())))
    }
}

by_routing_id!(Stream);
