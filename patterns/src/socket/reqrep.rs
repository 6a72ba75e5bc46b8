//! The request-reply pattern (RFC 28): REQ asks, REP answers.

use zmtp::{Envelope, Message};

use super::call::{source, way};
use super::traits::{knows_last_peer, receives_in_turns, sends_in_turns};
use super::{Core, common_methods};
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::options::{Identifies, Probes, Receives, Requests, Sends};
use crate::pipe::PipeId;
use crate::rng;
use crate::routing::{Addressed, FairQueue, LoadBalance, Undelivered};

/// Sends a request to one of its peers, in turn, and receives the reply (RFC 28).
///
/// Strictly: send, receive, send, receive. A request waits in the pipe while the peer is away, and `send`
/// waits when no peer can take it. A peer that ends with a request in its hands never answers: give `recv`
/// a `recv_timeout`, and the socket the option `relaxed` (with `correlate`), to be able to ask again.
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
pub struct ReqSocket {
    core: Core<LoadBalance, FairQueue>,
    /// The request under way.
    asked: Option<Asked>,
    /// Its envelope, which the reply has to bear.
    envelope: Envelope,
    /// That of the next request, and of what is received.
    draft: Envelope,
    /// The id of the last request, when requests carry one.
    last_id: u32,
}

struct Asked {
    /// Who was asked. `None`: that pipe has ended, and anyone may answer (R-REQ-4).
    peer: Option<PipeId>,
}

common_methods!(ReqSocket, Req);
impl Sends for ReqSocket {}
impl Receives for ReqSocket {}
impl Identifies for ReqSocket {}
impl Requests for ReqSocket {}
impl Probes for ReqSocket {}
sends_in_turns!(ReqSocket, Message);
receives_in_turns!(ReqSocket, Message);
knows_last_peer!(ReqSocket, |this| this.core.last_peer());

const AWAITING_REPLY: &str = "a request is under way: receive its reply first";
const NO_REQUEST: &str = "no request is under way: send one first";
const REPLY_DUE: &str = "a request has been received: send its reply first";
const NO_QUESTION: &str = "no request has been received: receive one first";

impl ReqSocket {
    fn from_core(core: Core<LoadBalance, FairQueue>) -> Self {
        ReqSocket {
            core,
            asked: None,
            envelope: Envelope::default(),
            draft: Envelope::default(),
            last_id: rng::rng().u32(..),
        }
    }

    /// Sends a request; waits while no peer has room.
    ///
    /// # Errors
    ///
    /// A request is under way (unless the socket is `relaxed`), `send_timeout` passed, or the message has no
    /// frames. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the request, and the next call may be a send.
    pub async fn send(&mut self, request: impl Into<Message>) -> Result<(), SendError> {
        let request = request.into();
        if request.is_empty() {
            return Err(SendError::NoFrames(request));
        }
        if !self.may_send() {
            return Err(SendError::State {
                message: request,
                expected: AWAITING_REPLY,
            });
        }
        self.address();
        let (envelope, mut peer) = (&self.draft, None);
        self.core
            .send(
                request,
                way(|core, request| {
                    peer = ask(core, envelope, request);
                    peer.is_some()
                }),
            )
            .await?;
        self.asked(peer);
        Ok(())
    }

    /// Sends a request if a peer has room now.
    ///
    /// # Errors
    ///
    /// A request is under way (unless the socket is `relaxed`), no peer has room, or the message has no
    /// frames. The message comes back.
    pub fn try_send(&mut self, request: impl Into<Message>) -> Result<(), TrySendError> {
        let request = request.into();
        if request.is_empty() {
            return Err(TrySendError::NoFrames(request));
        }
        if !self.may_send() {
            return Err(TrySendError::State {
                message: request,
                expected: AWAITING_REPLY,
            });
        }
        self.address();
        let (envelope, mut peer) = (&self.draft, None);
        self.core.try_send(
            request,
            way(|core, request| {
                peer = ask(core, envelope, request);
                peer.is_some()
            }),
        )?;
        self.asked(peer);
        Ok(())
    }

    fn may_send(&self) -> bool {
        self.asked.is_none() || self.core.shared.config.options.relaxed
    }

    /// Writes the envelope of the next request: its id, if requests have one, and the delimiter.
    fn address(&mut self) {
        self.draft.clear();
        if self.core.shared.config.options.correlate {
            self.last_id = self.last_id.wrapping_add(1);
            self.draft.push(&self.last_id.to_ne_bytes());
        }
        self.draft.push(b"");
    }

    /// The request is on its way.
    fn asked(&mut self, peer: Option<PipeId>) {
        self.asked = Some(Asked { peer });
        std::mem::swap(&mut self.envelope, &mut self.draft);
    }

    /// Receives the reply; waits until it comes. Replies of peers that were not asked, and malformed ones, are
    /// discarded.
    ///
    /// # Errors
    ///
    /// No request is under way, or `recv_timeout` passed: the request is still under way then.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not taken the reply: receive again.
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
        let Some(asked) = &mut self.asked else {
            return Err(RecvError::State {
                expected: NO_REQUEST,
            });
        };
        let (envelope, read) = (&self.envelope, &mut self.draft);
        let reply = self
            .core
            .recv(source(|core| answer(core, asked, envelope, read)))
            .await?;
        self.asked = None;
        Ok(reply)
    }

    /// Receives the reply if it is there.
    ///
    /// # Errors
    ///
    /// No request is under way, or the reply is not there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        let Some(asked) = &mut self.asked else {
            return Err(TryRecvError::State {
                expected: NO_REQUEST,
            });
        };
        let (envelope, read) = (&self.envelope, &mut self.draft);
        let reply = self
            .core
            .try_recv(source(|core| answer(core, asked, envelope, read)))?;
        self.asked = None;
        Ok(reply)
    }
}

/// Sends a request to the next peer. Replies to older ones are thrown away first (R-REQ-6).
fn ask(
    core: &mut Core<LoadBalance, FairQueue>,
    envelope: &Envelope,
    request: &mut Message,
) -> Option<PipeId> {
    let stale = core.receiver.discard_waiting();
    if stale > 0 {
        core.shared.state.stats.discarded.add(stale);
    }
    core.sender
        .send_with(|writer| writer.push_enveloped(envelope, request))
}

/// The reply to the request, if it has come.
fn answer(
    core: &mut Core<LoadBalance, FairQueue>,
    asked: &mut Asked,
    envelope: &Envelope,
    read: &mut Envelope,
) -> Option<Message> {
    while let Some((from, body)) = core.receiver.recv_enveloped(read) {
        if asked.peer.is_none_or(|peer| peer == from) && body.is_some() && read == envelope {
            return body;
        }
        core.shared.state.stats.discarded.add(1);
    }
    if asked.peer.is_some_and(|peer| !core.receiver.has(peer)) {
        asked.peer = None;
    }
    None
}

/// Receives requests from all of its peers, one from each in turn, and replies to each (RFC 28).
///
/// Strictly: receive, send, receive, send. A reply to a peer that has gone, or that does not read its
/// replies, is dropped. See [`ReqSocket`] for an example.
pub struct RepSocket {
    core: Core<Addressed, FairQueue>,
    /// Who is to be answered.
    asker: Option<PipeId>,
    /// The envelope to do it in: that of the request.
    envelope: Envelope,
}

common_methods!(RepSocket, Rep);
impl Sends for RepSocket {}
impl Receives for RepSocket {}
impl Identifies for RepSocket {}
sends_in_turns!(RepSocket, Message);
receives_in_turns!(RepSocket, Message);
knows_last_peer!(RepSocket, |this| this.core.last_peer());

impl RepSocket {
    fn from_core(core: Core<Addressed, FairQueue>) -> Self {
        RepSocket {
            core,
            asker: None,
            envelope: Envelope::default(),
        }
    }

    /// Receives the next request; waits while there is none. Malformed requests are discarded.
    ///
    /// # Errors
    ///
    /// A reply is due, or `recv_timeout` passed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has taken no request.
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
        if self.asker.is_some() {
            return Err(RecvError::State {
                expected: REPLY_DUE,
            });
        }
        let envelope = &mut self.envelope;
        let (from, request) = self
            .core
            .recv(source(|core| request(core, envelope)))
            .await?;
        self.asker = Some(from);
        Ok(request)
    }

    /// Receives the next request if one is there.
    ///
    /// # Errors
    ///
    /// A reply is due, or no request is there.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        if self.asker.is_some() {
            return Err(TryRecvError::State {
                expected: REPLY_DUE,
            });
        }
        let envelope = &mut self.envelope;
        let (from, request) = self.core.try_recv(source(|core| request(core, envelope)))?;
        self.asker = Some(from);
        Ok(request)
    }

    /// Replies to the request that was received last. Never waits for a peer; now and then it yields to the
    /// runtime once. A reply whose asker is gone or does not read is dropped, and [`dropped`](Self::dropped)
    /// counts it (R-REP-5).
    ///
    /// # Errors
    ///
    /// No request has been received, or the message has no frames. The message comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not replied: the reply is still due.
    pub async fn send(&mut self, reply: impl Into<Message>) -> Result<(), SendError> {
        let reply = reply.into();
        if self.asker.is_none() {
            return Err(SendError::State {
                message: reply,
                expected: NO_QUESTION,
            });
        }
        let (asker, envelope) = (&mut self.asker, &self.envelope);
        self.core
            .send(
                reply,
                way(|core, reply| respond(core, asker, envelope, reply)),
            )
            .await
    }

    /// The same without yielding.
    ///
    /// # Errors
    ///
    /// No request has been received, or the message has no frames. The message comes back.
    pub fn try_send(&mut self, reply: impl Into<Message>) -> Result<(), TrySendError> {
        let reply = reply.into();
        if self.asker.is_none() {
            return Err(TrySendError::State {
                message: reply,
                expected: NO_QUESTION,
            });
        }
        let (asker, envelope) = (&mut self.asker, &self.envelope);
        self.core.try_send(
            reply,
            way(|core, reply| respond(core, asker, envelope, reply)),
        )
    }

    /// Replies dropped because their asker was gone or its pipe was full.
    pub fn dropped(&self) -> u64 {
        let dropped = self.core.shared.state.stats.dropped();
        dropped.full + dropped.unroutable
    }
}

/// The next well-formed request, and who asks.
fn request(
    core: &mut Core<Addressed, FairQueue>,
    envelope: &mut Envelope,
) -> Option<(PipeId, Message)> {
    loop {
        match core.receiver.recv_enveloped(envelope)? {
            (from, Some(body)) => return Some((from, body)),
            (_, None) => core.shared.state.stats.discarded.add(1),
        }
    }
}

/// Sends the reply to its asker, if it is still there to take it.
fn respond(
    core: &mut Core<Addressed, FairQueue>,
    asker: &mut Option<PipeId>,
    envelope: &Envelope,
    reply: &mut Message,
) -> bool {
    let Some(to) = asker.take() else {
        return false;
    };
    let sent = core
        .sender
        .send_with(to, |writer| writer.push_enveloped(envelope, reply));
    match sent {
        Ok(()) => {}
        Err(Undelivered::Full) => core.sender.count_dropped_by(to),
        Err(Undelivered::Unknown) => core.shared.state.stats.unroutable.add(1),
    }
    true
}
