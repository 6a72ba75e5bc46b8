//! REQ (RFC 28): asks.

use std::task::Poll;

use zmtp::{Envelope, Message};

use super::FRAMES_A_CALL;
use crate::core::{Core, Pattern, Refusal};
use crate::pipe::PipeId;
use crate::rng;
use crate::routing::{FairQueue, LoadBalance, RecvStrategy, SendStrategy};
use crate::routing_id::Identity;
use crate::socket::Socket;

/// The pattern of [`ReqSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Req;

/// Sends a request to one of its peers, in turn, and receives the reply (RFC 28).
///
/// Strictly: send, receive, send, receive. A request waits in the pipe while the peer is away, and `send`
/// waits when no peer can take it. A peer that ends with a request in its hands never answers: give `recv`
/// a `recv_timeout`, and the socket the option `relaxed` (with `correlate`), to be able to ask again. Replies of peers
/// that were not asked, and malformed ones, are discarded. One that has been asked and comes back may answer: as the same
/// user, with the same key, under the same routing id. Where there is none of these, one peer cannot be told from
/// another.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{RepSocket, ReqSocket};
///
/// let mut server = RepSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let mut client = ReqSocket::new();
/// client.connect(&endpoint)?;
///
/// client.send("question").await?;
/// assert_eq!(server.recv().await?, "question");
/// server.send("answer").await?;
/// assert_eq!(client.recv().await?, "answer");
/// # Ok(())
/// # }
/// ```
pub type ReqSocket = Socket<Req>;

const AWAITING_REPLY: &str = "a request is under way: receive its reply first";
const NO_REQUEST: &str = "no request is under way: send one first";

/// The request under way.
pub struct Asking {
    asked: Option<Asked>,
    /// The request's envelope, which the reply has to bear.
    envelope: Envelope,
    /// That of the next request, and of what is received.
    draft: Envelope,
    /// The id of the last request, when requests carry one.
    last_id: u32,
}

struct Asked {
    /// By which pipe. `None`: it has ended, and who was asked may have come back by another one ([R-REQ-4]).
    ///
    /// [R-REQ-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-req-4
    pipe: Option<PipeId>,
    /// Who was at its other end.
    identity: Identity,
}

impl Asked {
    /// Returns whether somebody on another pipe may be who was asked.
    fn may_be(&self, other: Identity) -> bool {
        other == self.identity || [other, self.identity] == [Identity::UNTOLD, Identity::ANY]
    }
}

impl Default for Asking {
    fn default() -> Self {
        Asking {
            asked: None,
            envelope: Envelope::default(),
            draft: Envelope::default(),
            last_id: rng::rng().u32(..),
        }
    }
}

impl Pattern for Req {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = FairQueue;
    type State = Asking;
    type Half = Core<Self>;

    /// Sends a request to the next peer. Replies to older ones are thrown away first ([R-REQ-6]).
    ///
    /// [R-REQ-6]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-req-6
    fn send(core: &mut Core<Self>, request: &mut Message) -> Poll<Result<(), Refusal>> {
        let options = &core.shared.config.options;
        let state = &mut core.state;
        if state.asked.is_some() && !options.relaxed {
            return Poll::Ready(Err(Refusal::State(AWAITING_REPLY)));
        }
        let id = state.last_id.wrapping_add(1);
        let draft = &mut state.draft;
        draft.clear();
        if options.correlate {
            draft.push(&id.to_ne_bytes());
        }
        draft.push(b"");
        if state.asked.is_some() && !core.sender.has_room() {
            // Who cannot ask again yet may still take the answer.
            return Poll::Pending;
        }
        let stale = core.receiver.discard_waiting();
        if stale > 0 {
            core.shared.state.stats.discarded.add(stale);
        }
        let mut identity = Identity::ANY;
        let sent = core.sender.send_with(|writer| {
            identity = writer.identity();
            writer.push_enveloped(draft, request)
        });
        if sent.is_none() {
            return Poll::Pending;
        }
        state.last_id = id;
        state.asked = Some(Asked {
            pipe: sent,
            identity,
        });
        std::mem::swap(&mut state.envelope, &mut state.draft);
        Poll::Ready(Ok(()))
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        core.state.asked.is_some() && core.receiver.has_next()
    }

    fn is_writable(core: &mut Core<Self>) -> bool {
        let is_its_turn = core.state.asked.is_none() || core.shared.config.options.relaxed;
        is_its_turn && core.sender.has_room()
    }

    fn begins(core: &mut Core<Self>, _first: &[u8]) -> Poll<Result<(), Refusal>> {
        if core.state.asked.is_some() && !core.shared.config.options.relaxed {
            return Poll::Ready(Err(Refusal::State(AWAITING_REPLY)));
        }
        match core.sender.has_room() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    /// The request went down with its endpoint: another one may be sent, once there is an endpoint again.
    fn bereft(core: &mut Core<Self>) {
        core.state.asked = None;
    }

    /// Takes the reply to the request, if it has come.
    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        if core.state.asked.is_none() {
            return Poll::Ready(Err(Refusal::State(NO_REQUEST)));
        }
        while let Some((from, body)) = core.receiver.recv_enveloped(&mut core.state.draft) {
            let state = &mut core.state;
            let is_asked = state.asked.as_ref().is_some_and(|asked| match asked.pipe {
                Some(pipe) if pipe == from => core.receiver.last_was_given(),
                Some(pipe) if core.receiver.has(pipe) => false,
                _ => asked.may_be(core.receiver.last_identity()),
            });
            if is_asked
                && state.draft == state.envelope
                && let Some(body) = body
            {
                state.asked = None;
                return Poll::Ready(Ok(body));
            }
            core.shared.state.stats.discarded.add(1);
            let frames = state.draft.frames().count();
            if !core.goes_on(1 + frames / FRAMES_A_CALL) {
                return Poll::Pending;
            }
        }
        if let Some(asked) = &mut core.state.asked
            && asked.pipe.is_some_and(|pipe| !core.receiver.has(pipe))
        {
            asked.pipe = None;
        }
        Poll::Pending
    }
}
