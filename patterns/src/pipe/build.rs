//! Building pipes: to a session, to an inproc name, to whoever has bound it.

use std::sync::Arc;

use zmtp::{Batch, Message};

use super::ends::{Holder, deliver, name_receiver};
use super::lane::Lane;
use super::limits::{Side, Sides};
use super::peers::{Author, PeerName};
use super::view::{LaneView, PipeRegistry};
use super::{
    IncomingEnd, Limits, Linger, Origin, OutgoingEnd, PipeId, PipeReader, PipeWriter, SessionPipe,
};
use crate::peer::Peer;
use crate::pipe::{Inbox, PipeEvent};
use crate::routing_id::RoutingId;
use crate::rules::Work;

/// What a socket brings to a new pipe.
pub(crate) struct Party<'a> {
    pub(crate) writers: &'a Arc<Inbox<PipeWriter>>,
    pub(crate) readers: &'a Arc<Inbox<PipeReader>>,
    pub(crate) linger: &'a Arc<Linger>,
    pub(crate) registry: &'a dyn PipeRegistry,
    pub(crate) send: Limits,
    pub(crate) recv: Limits,
    /// Nobody takes what peers send.
    pub(crate) discards: bool,
    pub(crate) origin: Origin,
    /// What the socket does about a peer that drains.
    pub(crate) work: Work,
}

impl Party<'_> {
    /// Hands the socket its ends of a pipe, whose peer may have a name already.
    pub(super) fn attach(
        &self,
        id: PipeId,
        (outgoing, incoming): (Arc<Lane>, Arc<Lane>),
        name: Option<RoutingId>,
    ) {
        self.registry
            .add(id, LaneView::of(&outgoing), LaneView::of(&incoming));
        let mut lane = outgoing.lock();
        lane.writer.holder = Holder::Socket(self.writers.clone());
        lane.drain.work = self.work;
        let (counters, identity) = (lane.counters.clone(), lane.identity);
        drop(lane);
        let mut lane = incoming.lock();
        lane.reader.holder = Holder::Socket(self.readers.clone());
        let received = lane.counters.clone();
        drop(lane);
        // Writers first: a socket reads both inboxes when the readers' one has an event. And so the name: who hears of the
        // peer can send to it.
        self.writers.post(PipeEvent::Attached(Box::new(PipeWriter {
            id,
            origin: self.origin,
            counters,
            identity,
            lane: outgoing.clone(),
            known: None,
            linger: self.linger.clone(),
        })));
        if let Some(name) = name {
            self.writers.post(PipeEvent::Named(id, Box::new(name)));
        }
        self.readers.post(PipeEvent::Attached(Box::new(PipeReader {
            id,
            origin: self.origin,
            lane: incoming,
            outgoing: Some(outgoing),
            linger: self.linger.clone(),
            batch: Batch::new(),
            counters: received,
            report_at: 1,
            had_many: false,
            in_step: false,
            waits: false,
            known: None,
            peer: None,
            news: None,
            name: None,
            told: None,
            author: Author::default(),
        })));
    }
}

/// Makes the end where a session, or what stands in its place, puts what comes.
fn incoming_end(id: PipeId, lane: Arc<Lane>) -> IncomingEnd {
    IncomingEnd {
        id,
        lane,
        renews: false,
        held: None,
        credit: 0,
        is_asked: false,
    }
}

/// Returns the limits of a lane that the party writes to.
fn sends(party: &Party<'_>) -> Sides {
    Sides::One(Side::Writer, party.send)
}

/// Returns the limits of a lane that the party reads from.
fn receives(party: &Party<'_>) -> Sides {
    Sides::One(Side::Reader, party.recv)
}

/// Makes a pipe between a session and a socket, which gets its ends by [`SessionPipe::attach`]. Without that,
/// the peer is never read beyond the HWM and never hears anything.
pub(crate) fn to_session(party: &Party<'_>) -> SessionPipe {
    let id = PipeId::next();
    let outgoing = Lane::new(sends(party), Holder::Nobody, Holder::Session(None));
    let incoming = Lane::new(receives(party), Holder::Session(None), Holder::Nobody);
    if party.discards {
        incoming.lock().discard();
    }
    SessionPipe {
        outgoing: OutgoingEnd { id, lane: outgoing },
        incoming: incoming_end(id, incoming),
        attached: false,
        lasting: false,
    }
}

/// The binder's side of an inproc pipe that waits for the name to be bound.
pub(crate) struct Unbound {
    id: PipeId,
    origin: Origin,
    to_connector: Arc<Lane>,
    to_binder: Arc<Lane>,
}

/// Makes a pipe from a socket to an inproc name. Until the name is bound, the connector's own SNDHWM holds ([R-HWM-5]).
///
/// [R-HWM-5]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-hwm-5
pub(crate) fn to_name(connector: &Party<'_>) -> Unbound {
    let id = PipeId::next();
    let to_binder = Lane::new(sends(connector), Holder::Nobody, Holder::Nobody);
    let to_connector = Lane::new(receives(connector), Holder::Nobody, Holder::Nobody);
    if connector.discards {
        to_connector.lock().discard();
    }
    connector.attach(id, (to_binder.clone(), to_connector.clone()), None);
    Unbound {
        id,
        origin: connector.origin,
        to_connector,
        to_binder,
    }
}

impl Unbound {
    /// Joins both sides when the name is bound: the pipe's limits become the sums of both ([R-HWM-4]), and the binder gets
    /// its ends.
    ///
    /// [R-HWM-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-hwm-4
    pub(crate) fn join(self, binder: &Party<'_>) -> Joined {
        let Unbound {
            id,
            origin: _,
            to_connector,
            to_binder,
        } = self;
        to_connector.lock().join(Side::Writer, binder.send);
        let writable = {
            let mut lane = to_binder.lock();
            lane.join(Side::Reader, binder.recv);
            if binder.discards {
                lane.discard();
            }
            lane.writer.unpark()
        };
        deliver(writable, id);
        binder.attach(id, (to_connector.clone(), to_binder.clone()), None);
        Joined {
            id,
            to_connector,
            to_binder,
        }
    }

    pub(crate) fn id(&self) -> PipeId {
        self.id
    }

    /// Names the connector's endpoint.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Gives whoever binds the name by which the connector knows it.
    pub(crate) fn name_binder(&self, claim: Arc<dyn PeerName>, tell: bool) {
        name_receiver(self.id, &self.to_binder, claim.name());
        self.to_connector.set_name(self.id, claim, tell, true);
    }

    /// Ends the pipe because one side does not take the other.
    pub(crate) fn refuse(self) {
        drop((
            OutgoingEnd {
                id: self.id,
                lane: self.to_binder,
            },
            incoming_end(self.id, self.to_connector),
        ));
    }

    /// Returns how many messages wait for whoever binds.
    pub(crate) fn unsent(&self) -> usize {
        self.to_binder.lock().unsent()
    }

    /// Returns whether the connector has gone, and nothing waits for whoever binds.
    pub(crate) fn is_abandoned(&self) -> bool {
        let lane = self.to_binder.lock();
        lane.writer.gone && lane.is_empty()
    }
}

/// A joined inproc pipe, on which each side can begin with its subscriptions.
pub(crate) struct Joined {
    id: PipeId,
    to_connector: Arc<Lane>,
    to_binder: Arc<Lane>,
}

impl Joined {
    pub(crate) fn id(&self) -> PipeId {
        self.id
    }

    /// Says who is at either end.
    pub(crate) fn set_peers(&self, connector: Arc<Peer>, binder: Arc<Peer>) {
        // A pipe of this kind has one connection: nothing is another's.
        self.to_connector
            .set_receiver(self.id, connector.identity, false);
        self.to_binder.set_receiver(self.id, binder.identity, false);
        self.to_binder.set_sender(connector);
        self.to_connector.set_sender(binder);
    }

    /// Says what either side reads when the other one goes, if anything.
    pub(crate) fn set_words(&self, connector: Option<Message>, binder: Option<Message>) {
        self.to_connector.lock().peers.words = connector.map(Box::new);
        self.to_binder.lock().peers.words = binder.map(Box::new);
    }

    /// Tells the binder of a connector that has gone already. What that has sent is still to be had.
    pub(crate) fn catch_up(&self) {
        self.to_binder.catch_up(self.id);
        let lane = self.to_connector.lock();
        let wakeup = lane.reader.gone.then(|| lane.writer.notify_closed());
        drop(lane);
        deliver(wakeup.flatten(), self.id);
    }

    /// Puts the connector's first messages to the binder in front.
    pub(crate) fn begin_connector(&self, first: Batch) {
        self.to_binder.begin(self.id, first);
    }

    /// Puts the binder's first messages to the connector in front.
    pub(crate) fn begin_binder(&self, first: Batch) {
        self.to_connector.begin(self.id, first);
    }

    /// Gives the connector the name by which the binder knows it.
    pub(crate) fn name_connector(&self, claim: Arc<dyn PeerName>, tell: bool) {
        name_receiver(self.id, &self.to_connector, claim.name());
        self.to_binder.set_name(self.id, claim, tell, true);
    }
}
