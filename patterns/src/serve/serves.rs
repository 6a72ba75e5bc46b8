//! Which sockets can be served, and how a request is taken from one and its answer sent.

use std::task::{Context, Poll, ready};

use zmtp::Message;

use super::BURST;
use crate::capability::Answers;
use crate::coop::yield_to_others;
use crate::core::Pattern;
use crate::core::call::CallTimeout;
use crate::error::RecvError;
use crate::socket::Socket;
use crate::sockets::{Rep, Routed, Router, RouterEvent};

/// A socket type that a [`Server`](super::Server) answers by: ROUTER and REP.
#[allow(private_interfaces, reason = "called in this crate only")]
pub trait Serves: Pattern + Answers {
    /// Who has asked, and the envelope of the request.
    #[doc(hidden)]
    type Asker: Send + Unpin;
    /// How many requests can be in hand.
    #[doc(hidden)]
    const MOST_AT_ONCE: usize;

    /// Takes the next request: who asks, and its body.
    #[doc(hidden)]
    fn poll_take(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Self::Asker, Message), RecvError>>;

    /// Sends an answer, or leaves it. One that cannot be sent is gone: the socket counts it.
    #[doc(hidden)]
    fn poll_answer(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
        answer: &mut Option<(Self::Asker, Message)>,
    ) -> Poll<()>;
}

#[allow(private_interfaces, reason = "called in this crate only")]
impl Serves for Router {
    /// The request without its body.
    type Asker = Routed;
    const MOST_AT_ONCE: usize = usize::MAX;

    fn poll_take(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Routed, Message), RecvError>> {
        for _ in 0..BURST {
            let event = ready!(socket.poll_recv(cx, &mut CallTimeout::endless()))?;
            // If its owner has it told of clients, that is nothing to the server; nor is what has no body: a greeting.
            let RouterEvent::Message(request) = event else {
                continue;
            };
            let (asker, body) = request.divide();
            if !body.is_empty() {
                return Poll::Ready(Ok((asker, body)));
            }
            socket.handle.shared.state.stats.discarded.add(1);
        }
        yield_to_others(cx);
        Poll::Pending
    }

    fn poll_answer(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
        answer: &mut Option<(Routed, Message)>,
    ) -> Poll<()> {
        let mut routed = answer.take().map(|(mut asker, body)| {
            asker.message.extend(body.into_frames());
            asker
        });
        let sent = socket.poll_send(cx, &mut routed, &mut CallTimeout::endless());
        // The envelope and the body belong together from here on.
        *answer = routed.map(|routed| (routed, Message::new()));
        sent.map(|_| ())
    }
}

#[allow(private_interfaces, reason = "called in this crate only")]
impl Serves for Rep {
    /// The socket knows.
    type Asker = ();
    const MOST_AT_ONCE: usize = 1;

    fn poll_take(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<((), Message), RecvError>> {
        let body = ready!(socket.poll_recv(cx, &mut CallTimeout::endless()))?;
        Poll::Ready(Ok(((), body)))
    }

    fn poll_answer(
        socket: &mut Socket<Self>,
        cx: &mut Context<'_>,
        answer: &mut Option<((), Message)>,
    ) -> Poll<()> {
        let mut body = answer.take().map(|((), body)| body);
        let sent = socket.poll_send(cx, &mut body, &mut CallTimeout::endless());
        *answer = body.map(|body| ((), body));
        sent.map(|_| ())
    }
}

impl Routed {
    /// Takes the body off: all behind the envelope.
    fn divide(mut self) -> (Routed, Message) {
        let envelope = self.message.len() - self.body().count();
        let mut body = Vec::with_capacity(self.message.len() - envelope);
        while self.message.len() > envelope {
            body.extend(self.message.pop_back());
        }
        (self, body.into_iter().rev().collect())
    }
}
