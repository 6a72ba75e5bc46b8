//! The wire form of requests and answers, by socket type: where the number of a request stands, which its answer bears
//! again.
//!
//! SOURCE: `ZMQ_REQ_CORRELATE` of zmq_setsockopt(3), and RFC 28, "The request-reply envelope":
//!
//! ```text
//!   request   [number, 4 bytes] [empty frame] [body...]     number: in this machine's order, as libzmq has it
//!             [number] [span] [empty frame] [body...]       with the trace that it belongs to (`trace_context`)
//!   answer    [number, 4 bytes] [empty frame] [body...]     what REP sends back, and Routed::respond of ROUTER
//! ```

use std::task::Poll;

use zmtp::{Envelope, Message};

use crate::capability::{Receives, Sends};
use crate::core::{Core, Pattern, Refusal};
use crate::pipe::PipeId;
use crate::routing_id::Identity;
use crate::sockets::Dealer;

/// A socket type that a [`Requester`](super::Requester) can ask by: DEALER.
#[allow(private_interfaces, reason = "called in this crate only")]
pub trait Asks: Pattern + Sends<Sent = Message> + Receives<Received = Message> {
    /// Queues a request to one peer, and says to whom. `span` is what its envelope bears beside the number, if it is not
    /// empty. Pending: nobody has room, and the body is untouched.
    #[doc(hidden)]
    fn ask(
        core: &mut Core<Self>,
        draft: &mut Envelope,
        number: u32,
        span: &[u8],
        body: &mut Message,
    ) -> Poll<Result<Asked, Refusal>>;

    /// Takes what has come next.
    #[doc(hidden)]
    fn take(core: &mut Core<Self>, draft: &mut Envelope) -> Option<Came>;

    /// Returns whether a connection may still bring something.
    #[doc(hidden)]
    fn has(core: &Core<Self>, pipe: PipeId) -> bool;
}

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(super) pipe: PipeId,
    pub(super) identity: Identity,
}

/// What has come from a peer.
pub(crate) struct Came {
    /// Its number and its body, if it has the form of an answer.
    pub(super) answer: Option<(u32, Message)>,
    pub(super) from: Asked,
    /// How many frames had to be looked at.
    pub(super) frames: usize,
}

impl Asked {
    /// Returns whether what comes `from` there may be the answer of who was asked: it has come by the same pipe, or that has
    /// ended and who was asked has come back by another.
    pub(super) fn may_have_answered(&self, from: Asked, is_there: impl Fn(PipeId) -> bool) -> bool {
        if from.pipe == self.pipe {
            return true;
        }
        let (other, own) = (from.identity, self.identity);
        let is_same = other == own || [other, own] == [Identity::UNTOLD, Identity::ANY];
        is_same && !is_there(self.pipe)
    }
}

#[allow(private_interfaces, reason = "called in this crate only")]
impl Asks for Dealer {
    fn ask(
        core: &mut Core<Self>,
        draft: &mut Envelope,
        number: u32,
        span: &[u8],
        body: &mut Message,
    ) -> Poll<Result<Asked, Refusal>> {
        draft.clear();
        draft.push(&number.to_ne_bytes());
        if !span.is_empty() {
            draft.push(span);
        }
        draft.push(b"");
        let mut identity = Identity::ANY;
        let sent = core.sender.send_with(|writer| {
            identity = writer.identity();
            writer.push_enveloped(draft, body)
        });
        match sent {
            Some(pipe) => Poll::Ready(Ok(Asked { pipe, identity })),
            None => Poll::Pending,
        }
    }

    fn take(core: &mut Core<Self>, draft: &mut Envelope) -> Option<Came> {
        let (pipe, body) = core.receiver.recv_enveloped(draft)?;
        let from = Asked {
            pipe,
            identity: core.receiver.last_identity(),
        };
        let mut frames = draft.frames();
        let number = match (frames.next(), frames.next(), frames.next()) {
            (Some(number), Some([]), None) => number.try_into().map(u32::from_ne_bytes).ok(),
            #[cfg(feature = "opentelemetry")]
            (Some(number), Some(span), Some([])) if crate::trace_context::is_span(span) => {
                number.try_into().map(u32::from_ne_bytes).ok()
            }
            _ => None,
        };
        Some(Came {
            frames: draft.frames().count() + body.as_ref().map_or(0, Message::len),
            answer: number.zip(body),
            from,
        })
    }

    fn has(core: &Core<Self>, pipe: PipeId) -> bool {
        core.receiver.has(pipe)
    }
}
