//! REP (RFC 28): answers.

use std::task::Poll;

use zmtp::{Envelope, Message};

use super::FRAMES_A_CALL;
use crate::core::{Core, Pattern, Refusal};
use crate::pipe::PipeId;
use crate::routing::{ByPeer, FairQueue, RecvStrategy, Undelivered};
use crate::routing_id::Identity;
use crate::socket::Socket;
use crate::state::StatsRegistry;

/// The pattern of [`RepSocket`].
#[derive(Clone, Copy, Debug)]
pub struct Rep;

/// Receives requests from all of its peers, one from each in turn, and replies to each (RFC 28).
///
/// Strictly: receive, send, receive, send. Malformed requests are discarded. A reply to a peer that has gone, or that
/// does not read its replies, is dropped and counted ([R-REP-5]); one that has a `routing_id` and has come back under it as
/// the same user, or with the same key, is given it. See [`ReqSocket`](crate::ReqSocket) for an example.
///
/// [R-REP-5]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-rep-5
pub type RepSocket = Socket<Rep>;

const REPLY_DUE: &str = "a request has been received: send its reply first";
const NO_QUESTION: &str = "no request has been received: receive one first";

/// The request that is to be answered.
#[derive(Default)]
pub struct Request {
    asker: Option<(PipeId, Identity)>,
    /// Where the reply goes: the request's envelope.
    envelope: Envelope,
}

#[cfg(feature = "opentelemetry")]
impl Request {
    /// Returns what stood in front of it.
    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

impl Pattern for Rep {
    type Sent = Message;
    type Received = Message;
    type Send = ByPeer;
    type Recv = FairQueue;
    type State = Request;
    type Half = Core<Self>;

    /// Sends the reply to its asker, if it is still there to take it.
    fn send(core: &mut Core<Self>, reply: &mut Message) -> Poll<Result<(), Refusal>> {
        let Some(to) = core.state.asker.take() else {
            return Poll::Ready(Err(Refusal::State(NO_QUESTION)));
        };
        let envelope = &core.state.envelope;
        let mut answer = |sender: &mut ByPeer, to| {
            sender.answer(to, |writer| writer.push_enveloped(envelope, reply))
        };
        let mut sent = answer(&mut core.sender, to);
        let mut to = to;
        if sent == Err(Undelivered::Unknown)
            && let Some(back) = come_back(&core.receiver, &core.shared.state.stats)
        {
            to.0 = back;
            sent = answer(&mut core.sender, to);
        }
        match sent {
            Ok(()) => {}
            Err(Undelivered::Full) => core.sender.count_dropped_by(to.0),
            Err(Undelivered::Unknown) => core.shared.state.stats.unroutable.add(1),
        }
        Poll::Ready(Ok(()))
    }

    fn is_readable(core: &mut Core<Self>) -> bool {
        core.state.asker.is_none() && core.receiver.has_next()
    }

    fn is_writable(core: &mut Core<Self>) -> bool {
        core.state.asker.is_some()
    }

    fn begins(core: &mut Core<Self>, _first: &[u8]) -> Poll<Result<(), Refusal>> {
        Poll::Ready(match core.state.asker {
            Some(_) => Ok(()),
            None => Err(Refusal::State(NO_QUESTION)),
        })
    }

    /// Takes the next well-formed request.
    fn recv(core: &mut Core<Self>) -> Poll<Result<Message, Refusal>> {
        if core.state.asker.is_some() {
            return Poll::Ready(Err(Refusal::State(REPLY_DUE)));
        }
        while let Some((from, body)) = core.receiver.recv_enveloped(&mut core.state.envelope) {
            if let Some(body) = body {
                core.state.asker = Some((from, core.receiver.last_identity()));
                return Poll::Ready(Ok(body));
            }
            core.shared.state.stats.discarded.add(1);
            // It was all envelope.
            let frames = core.state.envelope.frames().count();
            if !core.goes_on(1 + frames / FRAMES_A_CALL) {
                break;
            }
        }
        Poll::Pending
    }
}

/// Returns the pipe of the one whose request is to be answered, if it has come back by another connection.
#[cold]
fn come_back(receiver: &FairQueue, stats: &StatsRegistry) -> Option<PipeId> {
    let asker = receiver.last_sender()?;
    asker.routing_id.as_ref()?;
    stats.find(asker.identity)
}
