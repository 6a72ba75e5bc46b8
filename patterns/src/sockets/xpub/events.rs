//! What an XPUB receives, told apart, and messages to one of its peers.

use std::future::poll_fn;
use std::mem::take;
use std::task::{Poll, ready};

use bytes::Bytes;
use zmtp::Message;

use super::XPub;
use super::hearing::{Heard, Kind, Place, hear_first, next};
use crate::core::call::{CallTimeout, Receiving, RecvOp};
use crate::core::pattern::send_error;
use crate::core::{Access, Core, IntoSent, Refusal};
use crate::error::{RecvError, SendError};
use crate::socket::{RecvSide, SendSide, Socket};

/// One of an XPUB's peers, as long as its connection lives: of one that comes back, it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscriber(Place);

/// What an [`XPubSocket`](super::XPubSocket) receives, told apart: made by its [`recv_event`](Socket::recv_event).
///
/// Whatever a peer has sent as a message is a [`Message`](Self::Message), also if it looks like a notice. Which notices are
/// told, the options `verbose`, `verboser` and `manual` say, as for `recv`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XPubEvent {
    /// A peer has subscribed to a topic.
    Subscribed {
        /// What messages have to begin with.
        topic: Bytes,
        /// Who it is: [`send_to`](Socket::send_to) sends to it alone.
        subscriber: Subscriber,
    },
    /// A peer has taken a subscription back, or has gone.
    Unsubscribed {
        /// What it had subscribed to.
        topic: Bytes,
        /// Who it was.
        subscriber: Subscriber,
    },
    /// A peer has sent a message.
    Message {
        /// The message.
        message: Message,
        /// Who has sent it.
        subscriber: Subscriber,
    },
}

impl From<Heard> for XPubEvent {
    fn from(heard: Heard) -> Self {
        let Heard {
            kind,
            from,
            mut message,
            ..
        } = heard;
        let subscriber = Subscriber(from);
        if kind == Kind::Message {
            return XPubEvent::Message {
                message,
                subscriber,
            };
        }
        // Behind the octet that says which notice it is.
        let notice = Bytes::from(message.pop_front().unwrap_or_default());
        let topic = notice.slice(1.min(notice.len())..);
        match kind {
            Kind::Subscribed => XPubEvent::Subscribed { topic, subscriber },
            _ => XPubEvent::Unsubscribed { topic, subscriber },
        }
    }
}

/// The next that was heard, told apart.
struct EventOp;

impl RecvOp<XPub> for EventOp {
    type Item = XPubEvent;

    fn take(&mut self, core: &mut Core<XPub>) -> Poll<Result<XPubEvent, Refusal>> {
        next(core).map(|heard| Ok(heard.into()))
    }
}

impl<D: RecvSide> Socket<XPub, D> {
    /// Receives the next notice or message, told apart; waits while there is none.
    ///
    /// A last-value cache answers each new subscriber alone, whatever prefix it has subscribed to:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{SubSocket, XPubEvent, XPubSocket};
    ///
    /// let cache = ["weather/rome", "weather/oslo", "sports/chess"];
    /// let mut publisher = XPubSocket::builder().verbose(true).build()?;
    /// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
    /// let mut subscriber = SubSocket::new();
    /// subscriber.connect(&endpoint)?;
    /// subscriber.subscribe("weather/");
    ///
    /// if let XPubEvent::Subscribed { topic, subscriber } = publisher.recv_event().await? {
    ///     for value in cache.iter().filter(|value| value.as_bytes().starts_with(&topic)) {
    ///         publisher.send_to(subscriber, *value).await?;
    ///     }
    /// }
    /// assert_eq!(subscriber.recv().await?, "weather/rome");
    /// assert_eq!(subscriber.recv().await?, "weather/oslo");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken nothing.
    pub fn recv_event(&mut self) -> impl Future<Output = Result<XPubEvent, RecvError>> + Send {
        Receiving::<XPub, _, _>::new(&mut self.handle, EventOp)
    }

    /// Receives the next notice or message, told apart, if one is there.
    ///
    /// # Errors
    ///
    /// None is there.
    pub fn try_recv_event(&mut self) -> Result<XPubEvent, RecvError> {
        self.handle.with(|core| core.try_recv(EventOp))
    }
}

impl<D: SendSide> Socket<XPub, D> {
    /// Sends a message to one peer alone, whatever it has subscribed to: a snapshot to a new subscriber, for one, as
    /// [`recv_event`](Self::recv_event) shows. A SUB that has not subscribed to it throws it away. If the peer's pipe is full,
    /// it misses the message, which is counted; with `no_drop` this waits.
    ///
    /// # Errors
    ///
    /// The peer has gone, `send_timeout` passed, or the message has no frames. It comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message.
    pub async fn send_to(
        &mut self,
        subscriber: Subscriber,
        message: impl IntoSent<Message>,
    ) -> Result<(), SendError> {
        let (mut message, mut timeout) = (message.into_sent(), CallTimeout::default());
        poll_fn(|cx| {
            self.handle.poll(cx, |core, cx| {
                let sent = core.poll_send(cx, |core| offer(core, subscriber, &mut message));
                let error = match sent {
                    Poll::Ready(Ok(Some(()))) => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(None)) => refused,
                    Poll::Ready(Err(refusal)) => {
                        return Poll::Ready(Err(send_error::<XPub>(refusal, take(&mut message))));
                    }
                    Poll::Pending => {
                        ready!(core.poll_send_timeout(cx, &mut timeout));
                        SendError::Timeout
                    }
                };
                Poll::Ready(Err(error(take(&mut message))))
            })
        })
        .await
    }

    /// Sends a message to one peer alone, if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); instead of waiting, [`SendError::Full`].
    pub fn try_send_to(
        &mut self,
        subscriber: Subscriber,
        message: impl IntoSent<Message>,
    ) -> Result<(), SendError> {
        let mut message = message.into_sent();
        self.handle.with(|core| {
            core.read_events();
            match offer(core, subscriber, &mut message) {
                Poll::Ready(Ok(Some(()))) => Ok(()),
                Poll::Ready(Ok(None)) => Err(refused(message)),
                Poll::Ready(Err(refusal)) => Err(send_error::<XPub>(refusal, message)),
                Poll::Pending => Err(SendError::Full(message)),
            }
        })
    }
}

/// Says why a message is not for one peer.
fn refused(message: Message) -> SendError {
    match message.is_empty() {
        true => SendError::NoFrames(message),
        false => SendError::SubscriberGone(message),
    }
}

/// Offers a message to one peer. `None`: it has gone, or there is no message. Pending: not now.
fn offer(
    core: &mut Core<XPub>,
    to: Subscriber,
    message: &mut Message,
) -> Poll<Result<Option<()>, Refusal>> {
    hear_first(core);
    if message.is_empty() {
        return Poll::Ready(Ok(None));
    }
    let Subscriber(place) = to;
    if !place.is_there(&core.sender) {
        return Poll::Ready(Ok(None));
    }
    match core.sender.send_to(place.pipe, message) {
        Some(true) => Poll::Ready(Ok(Some(()))),
        Some(false) => Poll::Pending,
        None => Poll::Ready(Ok(None)),
    }
}
