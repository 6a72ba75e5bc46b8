//! What a proxy does with a socket, whatever its type.

use std::pin::pin;
use std::task::{Context, Poll, ready};

use zmtp::Message;

use crate::blocking::Blocking;
use crate::error::TrySendError;
use crate::options::sealed::Sealed;
use crate::socket::{Feeding, Flowing, Polled};
use crate::{PubSocket, PullSocket, PushSocket, RepSocket, SubSocket};

/// A socket that a [`Proxy`](crate::Proxy) can join to another: every one that sends and receives without turns,
/// PULL and SUB, which give only, PUSH and PUB, which take only, and `()`, nothing. Blocking sockets and borrowed ones
/// are among them. REP is one for control alone.
pub trait ProxyEnd: Sealed + Unpin {
    /// Each message has to be answered.
    #[doc(hidden)]
    const ANSWERS_ALL: bool = false;

    /// The next message, in libzmq's form: a ROUTER's begins with the peer's name.
    #[doc(hidden)]
    fn poll_take(&mut self, _: &mut Context<'_>) -> Poll<Message> {
        Poll::Pending
    }

    /// Whether a message could be sent now.
    #[doc(hidden)]
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Sends a message, or leaves it.
    #[doc(hidden)]
    fn poll_put(&mut self, _: &mut Context<'_>, _: &mut Option<Message>) -> Poll<()> {
        Poll::Pending
    }

    /// Whether it is worth a copy.
    #[doc(hidden)]
    fn is_there(&self) -> bool {
        true
    }
}

/// The next message. Time-outs mean nothing to a proxy: it waits for both sides.
fn take<S: Flowing<Received: Into<Message>>>(
    socket: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Message> {
    loop {
        if let Ok(message) = ready!(socket.poll_recv(cx, &mut Polled::endless())) {
            return Poll::Ready(message.into());
        }
    }
}

fn put<S: Feeding<Sent: From<Message>>>(
    socket: &mut S,
    cx: &mut Context<'_>,
    message: &mut Option<Message>,
) -> Poll<()>
where
    Message: From<S::Sent>,
{
    let mut sent = message.take().map(S::Sent::from);
    match socket.poll_send(cx, &mut sent, &mut Polled::endless()) {
        Poll::Pending => {
            *message = sent.map(Message::from);
            Poll::Pending
        }
        // A name that nobody has (the socket's counters tell), or nothing behind the name.
        Poll::Ready(_) => Poll::Ready(()),
    }
}

impl<S> ProxyEnd for S
where
    S: Flowing<Received: Into<Message>> + Feeding<Sent: From<Message>>,
    Message: From<<S as crate::socket::SocketSend>::Sent>,
{
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
        take(self, cx)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Feeding::poll_room(self, cx)
    }

    fn poll_put(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<()> {
        put(self, cx, message)
    }
}

macro_rules! gives {
    ($($socket:ty)*) => {
        $(impl ProxyEnd for $socket {
            fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
                take(self, cx)
            }
        })*
    };
}
gives!(PullSocket SubSocket &mut PullSocket &mut SubSocket);

macro_rules! takes {
    ($($socket:ty)*) => {
        $(impl ProxyEnd for $socket {
            fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
                Feeding::poll_room(self, cx)
            }

            fn poll_put(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<()> {
                put(self, cx, message)
            }
        })*
    };
}
takes!(PushSocket PubSocket &mut PushSocket &mut PubSocket);

/// Takes commands and answers each.
impl ProxyEnd for RepSocket {
    const ANSWERS_ALL: bool = true;

    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
        match pin!(self.recv()).poll(cx) {
            Poll::Ready(Ok(command)) => Poll::Ready(command),
            _ => Poll::Pending,
        }
    }

    fn poll_put(&mut self, _: &mut Context<'_>, message: &mut Option<Message>) -> Poll<()> {
        let Some(answer) = message.take() else {
            return Poll::Ready(());
        };
        match self.try_send(answer) {
            // No question is open: nobody waits for this.
            Ok(()) | Err(TrySendError::State { .. }) => Poll::Ready(()),
            Err(error) => {
                *message = Some(error.into_message());
                Poll::Pending
            }
        }
    }
}

impl Sealed for () {}

/// No capture, no control.
impl ProxyEnd for () {
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn is_there(&self) -> bool {
        false
    }
}

impl<S: ProxyEnd> ProxyEnd for Blocking<S> {
    const ANSWERS_ALL: bool = S::ANSWERS_ALL;

    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
        S::poll_take(self, cx)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        S::poll_room(self, cx)
    }

    fn poll_put(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<()> {
        S::poll_put(self, cx, message)
    }
}
