//! DGRAM (libzmq): datagrams from any UDP program, and to it.

use std::net::SocketAddr;
use std::task::Poll;

use zmtp::datagram::{read_address, write_address};
use zmtp::{Envelope, Frame, Message};

use crate::core::{Core, Incoming, IntoSent, Outgoing, Pattern, Refusal};
use crate::error::{DatagramError, SendError};
use crate::pipe::PipeWriter;
use crate::routing::{FairQueue, LoadBalance};
use crate::routing_id::RoutingId;
use crate::socket::{SendSide, Socket};

/// The pattern of [`DgramSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Dgram;

/// Sends to and receives from programs that speak no ZeroMQ, by UDP: one message is one datagram.
///
/// It binds once, to `udp://` with an address of this machine, with all of them (`udp://*:5555`), or with a multicast group,
/// of which it is a member then; a client binds `udp://*:*`, for a port of the system's choice. What it sends goes to the
/// address that stands beside the payload: one host, all in its network (a broadcast address), or a group. There is no
/// connection, and nothing to be connected.
///
/// A datagram comes whole or not at all, perhaps twice, and not always in the order in which it was sent: nobody
/// acknowledges, repeats or holds back. [`recv`](Socket::recv) gives each with the address that it comes from, and
/// [`Datagram::reply`] goes back there. Whoever can reach the address can send what it likes, and say that it is somebody
/// else: there is no `security`.
///
/// `send` waits while `send_hwm` datagrams wait for the system to take them. A payload has at most 65,507 bytes, and a larger
/// one is an error; what is larger than a packet of the networks on the way, 1,400 bytes or so, they have to divide, and then
/// one lost part is all lost. What the system refuses to send, since there is no way to the address, counts as `lost`. While
/// `recv_hwm` datagrams wait for the application, what comes waits in the system's buffer (`recv_buffer`), and when that is
/// full, it is lost: `overflowed` counts it, on Linux. Each costs one system call, and no allocation beside its payload's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::DgramSocket;
/// use tokio::net::UdpSocket;
///
/// let mut server = DgramSocket::new();
/// let endpoint = server.bind("udp://127.0.0.1:*").await?;
///
/// // Any program that speaks UDP.
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// let port = endpoint.port().expect("the system has chosen one");
/// client.send_to(b"hello", ("127.0.0.1", port)).await?;
///
/// let datagram = server.recv().await?;
/// assert_eq!(datagram.peer, client.local_addr()?);
/// assert_eq!(datagram.payload, "hello");
/// server.send(datagram.reply("bye")).await?;
/// server.send_to(client.local_addr()?, "and a good day").await?;
///
/// let mut answer = [0; 100];
/// let length = client.recv(&mut answer).await?;
/// assert_eq!(&answer[..length], b"bye");
/// # Ok(())
/// # }
/// ```
///
/// In libzmq's form, which [`AnySocket`](crate::AnySocket) has, a message is two frames: the address as text, such as
/// `127.0.0.1:5555` or `[::1]:5555`, and the payload. Behind the text that is received stands a zero, as in libzmq, which a
/// text that is sent may have or not.
pub type DgramSocket = Socket<Dgram>;

/// What a DGRAM receives: a datagram, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The address and port that it says it comes from. An answer goes there.
    pub peer: SocketAddr,
    /// What it says; perhaps nothing.
    pub payload: Frame,
}

impl Datagram {
    /// Makes a datagram that goes back to where this one comes from.
    #[must_use = "a datagram is sent by `send`"]
    pub fn reply(&self, payload: impl IntoSent<Message>) -> DatagramSend {
        DatagramSend::from((self.peer, payload.into_sent()))
    }
}

/// Has the address in front, as text with a zero behind it, as in libzmq.
impl From<Datagram> for Message {
    fn from(datagram: Datagram) -> Self {
        let address = format!("{}\0", datagram.peer);
        Message::from([Frame::from(address), datagram.payload])
    }
}

impl Incoming for Datagram {}

/// What a DGRAM sends: a payload and an address, `(address, "payload").into()`, or a [`Datagram`] for where it has come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatagramSend {
    to: Address,
    payload: Message,
}

/// Whom a datagram is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Known(SocketAddr),
    /// The first frame of a message is none.
    Wrong(Frame),
}

impl Default for DatagramSend {
    fn default() -> Self {
        DatagramSend {
            to: Address::Wrong(Frame::default()),
            payload: Message::new(),
        }
    }
}

impl<A: Into<SocketAddr>, M: Into<Message>> From<(A, M)> for DatagramSend {
    fn from((to, payload): (A, M)) -> Self {
        DatagramSend {
            to: Address::Known(to.into()),
            payload: payload.into(),
        }
    }
}

impl From<Datagram> for DatagramSend {
    fn from(datagram: Datagram) -> Self {
        DatagramSend::from((datagram.peer, datagram.payload))
    }
}

/// Takes libzmq's form: the first frame is the address, as text, with or without a zero behind it.
impl From<Message> for DatagramSend {
    fn from(mut message: Message) -> Self {
        let first = message.pop_front().unwrap_or_default();
        let text = first.strip_suffix(b"\0").unwrap_or(&first);
        let address = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        DatagramSend {
            to: address.map_or(Address::Wrong(first), Address::Known),
            payload: message,
        }
    }
}

/// Gives libzmq's form.
impl From<DatagramSend> for Message {
    fn from(sent: DatagramSend) -> Self {
        let mut message = sent.payload;
        message.push_front(match sent.to {
            Address::Known(address) => Frame::from(address.to_string()),
            Address::Wrong(frame) => frame,
        });
        message
    }
}

impl Outgoing for DatagramSend {
    /// An address alone is no datagram; an empty frame is a payload.
    fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    fn into_parts(self) -> (Option<RoutingId>, Message) {
        (None, self.payload)
    }
}

/// Returns whom it is for, if it can be a datagram.
fn check(sent: &DatagramSend) -> Result<SocketAddr, Refusal> {
    if sent.payload.len() > 1 {
        return Err(Refusal::Multipart);
    }
    DatagramError::check(sent.payload.payload().len()).map_err(Refusal::Datagram)?;
    match &sent.to {
        Address::Known(address) if address.port() != 0 => Ok(*address),
        Address::Known(address) => Err(Refusal::Datagram(DatagramError::NoPort {
            address: *address,
        })),
        Address::Wrong(frame) => Err(Refusal::Datagram(DatagramError::NoAddress {
            address: String::from_utf8_lossy(frame).into_owned(),
        })),
    }
}

impl Pattern for Dgram {
    type Sent = DatagramSend;
    type Received = Datagram;
    type Send = LoadBalance;
    type Recv = FairQueue;
    /// The address of the datagram in hand. Kept for its buffer.
    type State = Envelope;
    type Half = Core<Self>;

    fn send(core: &mut Core<Self>, sent: &mut DatagramSend) -> Poll<Result<(), Refusal>> {
        let to = check(sent)?;
        write_address(to, &mut core.state);
        let (envelope, payload) = (&core.state, &mut sent.payload);
        let push = |writer: &mut PipeWriter| writer.push_enveloped(envelope, payload);
        match core.sender.send_with(push) {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    fn recv(core: &mut Core<Self>) -> Poll<Result<Datagram, Refusal>> {
        while let Some((_, payload)) = core.receiver.recv_enveloped(&mut core.state) {
            // The session puts nothing else into the pipe.
            if let Some(payload) = payload
                && let Some(peer) = read_address(&core.state)
                && let Some(payload) = payload.into_frames().next()
            {
                return Poll::Ready(Ok(Datagram { peer, payload }));
            }
            core.shared.state.stats.discarded.add(1);
        }
        Poll::Pending
    }
}

impl<D: SendSide> Socket<Dgram, D> {
    /// Sends a datagram to an address: [`send`](Self::send) with that apart. It waits until there is room to queue it; whether
    /// it arrives, nobody tells.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the payload is too large, or the port is 0.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub fn send_to(
        &mut self,
        to: impl Into<SocketAddr>,
        payload: impl IntoSent<Message>,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.send((to.into(), payload.into_sent()))
    }
}
