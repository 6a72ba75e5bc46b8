//! What a socket's handle shares with its connections: the configuration that an endpoint's tasks were started with,
//! and the state that is the same for all of them.
//!
//! ```text
//! config.rs            what a socket is and how it is set up
//! connections.rs       who is at the other ends of its connections, and the way to end them
//! draining.rs          whether it takes new work
//! liveness.rs          which endpoints have tasks that run, and which are gone
//! peer_names.rs        which peers a socket takes, and under which names
//! name_ties.rs         whose those names are
//! subscription_set.rs  what a subscribing socket has subscribed to
//! stats_registry.rs    the counters of its pipes, and who is at their other ends
//! ```
//!
//! Made by the core of a socket; read and written by `connection/` and by `inproc`.

mod config;
mod connections;
mod draining;
mod liveness;
mod name_ties;
mod peer_names;
mod stats_registry;
mod subscription_set;
mod wire;

use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use zmtp::Batch;

use crate::io_threads::IoThreads;
use crate::monitor::Events;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{
    self, Inbox, Left, Limits, Linger, Origin, Party, PeerName, PipeEvent, PipeId, PipeReader,
    PipeWriter, SessionPipe,
};
use crate::routing_id::RoutingId;
use crate::rules::{PeerNaming, Rules};
use crate::security::Authority;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::transport::AnyTransport;

pub(crate) use config::{Config, Configs};
use config::{first_messages, limits};
pub(crate) use connections::{ConnectionPlace, Connections};
pub(crate) use draining::{Draining, Greeting};
pub(crate) use liveness::{Liveness, Running, Tasks};
pub(crate) use peer_names::{Applicant, NameClaim, PeerNames, Placed, Unplaced};
pub(crate) use stats_registry::{LeftInPipe, PeerRecord, StatsRegistry};
pub(crate) use subscription_set::{
    SubscriptionSet, is_subscription, parse_subscription, subscription_message, take_subscriptions,
};

/// What all tasks and both halves of a socket share, as it is now.
pub(crate) struct State {
    pub(crate) linger: Arc<Linger>,
    /// The socket's ends of new pipes, and what happens to the old ones.
    pub(crate) writers: Arc<Inbox<PipeWriter>>,
    pub(crate) readers: Arc<Inbox<PipeReader>>,
    /// Of a socket that chooses its peers, or names them.
    pub(crate) peer_names: Option<Arc<PeerNames>>,
    /// Of a socket that subscribes.
    pub(crate) subscriptions: Option<SubscriptionSet>,
    /// Of all others: what each new connection begins with.
    first_messages: Mutex<Option<Box<Batch>>>,
    /// What each new pipe may hold: what is sent, and what is received.
    limits: Mutex<(Limits, Limits)>,
    /// The options, if one half of a divided socket has changed them: the other one takes them on when it is used.
    changed: Mutex<Option<Box<Options>>>,
    pub(crate) events: Events,
    pub(crate) stats: StatsRegistry,
    /// What `close` waits for.
    pub(crate) tasks: Tasks,
    /// What of its endpoints is left.
    pub(crate) liveness: Liveness,
    pub(crate) connections: Connections,
    pub(crate) draining: Draining,
    /// Messages that were accepted, and went with endpoints that are gone.
    given_up: AtomicUsize,
    /// What had been dropped when the socket ended, without those.
    at_end: OnceLock<u64>,
    /// Who decides about peers.
    pub(crate) authority: Arc<Authority>,
    /// In place of the system's.
    network: Option<Arc<dyn AnyTransport>>,
    /// Those of the context's sockets.
    configs: Arc<Configs>,
    /// Where its tasks run, if that is the context's own: as long as one of them runs, though the context may have gone.
    _io_threads: Option<Arc<IoThreads>>,
}

/// Both, as an endpoint's tasks have them.
///
/// The configuration is the one that the handle had when the endpoint was bound or connected: options that are changed
/// afterwards are for later endpoints.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) state: Arc<State>,
}

/// How a peer has come in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Admitted {
    /// It has taken its name from another connection.
    pub(crate) took_over: bool,
}

impl Shared {
    /// Returns what a new socket begins with.
    pub(crate) fn new(
        rules: &'static Rules,
        options: Options,
        authority: Arc<Authority>,
        network: Option<Arc<dyn AnyTransport>>,
        io_threads: Option<Arc<IoThreads>>,
        configs: Arc<Configs>,
    ) -> Self {
        let state = State {
            peer_names: PeerNames::new(rules, &options),
            subscriptions: SubscriptionSet::new(rules),
            first_messages: Mutex::new(first_messages(&options)),
            limits: Mutex::new(limits(rules, &options)),
            linger: Arc::new(Linger::new(options.linger)),
            changed: Mutex::new(None),
            writers: Arc::new(Inbox::new()),
            readers: Arc::new(Inbox::keeping(rules.of_departed, |frame| {
                parse_subscription(frame).is_some()
            })),
            events: Events::new(rules.socket_type, options.name.as_deref()),
            stats: StatsRegistry::default(),
            tasks: Tasks::default(),
            liveness: Liveness::default(),
            connections: Connections::default(),
            draining: Draining::default(),
            given_up: AtomicUsize::new(0),
            at_end: OnceLock::new(),
            authority,
            network,
            configs,
            _io_threads: io_threads,
        };
        state.readers.limit_left(Left::most(&options));
        Shared {
            config: state.configs.of(rules, options),
            state: Arc::new(state),
        }
    }

    /// Changes the options: of the state at once, of the configuration for later endpoints.
    pub(crate) fn set_options(&mut self, options: Options) {
        let (state, rules) = (&self.state, self.config.rules);
        state.linger.set(options.linger);
        state.events.set_name(options.name.as_deref());
        state.readers.limit_left(Left::most(&options));
        *state.first_messages.lock() = first_messages(&options);
        *state.limits.lock() = limits(rules, &options);
        let old = &self.config.options;
        let hwms = (options.send_hwm, options.recv_hwm);
        if hwms != (old.send_hwm, old.recv_hwm) {
            state.stats.set_hwms(hwms.0, hwms.1);
        }
        if let Some(names) = &state.peer_names {
            names.set_options(&options);
        }
        self.config = self.state.configs.of(rules, options);
    }

    /// Runs a task of one of the socket's endpoints.
    pub(crate) fn spawn(
        &self,
        origin: Origin,
        task: impl Future<Output = ()> + Send + 'static,
        runtime: &Handle,
    ) {
        let task = Running::begin(&self.state, origin).around(task);
        #[cfg(purezmq_simulation)]
        let task = crate::simulation::task(task);
        runtime.spawn(task);
    }

    /// Returns what this socket brings to a pipe.
    pub(crate) fn party(&self, origin: Origin) -> Party<'_> {
        let (mut send, mut recv) = *self.state.limits.lock();
        // Whether they conflate is for later endpoints.
        let (at_endpoint, at_endpoint_recv) = limits(self.config.rules, &self.config.options);
        (send.conflate, send.by_topic) = (at_endpoint.conflate, at_endpoint.by_topic);
        (recv.conflate, recv.by_topic) = (at_endpoint_recv.conflate, at_endpoint_recv.by_topic);
        Party {
            writers: &self.state.writers,
            readers: &self.state.readers,
            linger: &self.state.linger,
            registry: &self.state.stats,
            send,
            recv,
            discards: !self.config.rules.hears_peers(),
            origin,
            work: self.config.rules.work,
        }
    }

    /// Makes a pipe. The socket finds its ends in its inboxes.
    pub(crate) fn pipe(&self, origin: Origin) -> SessionPipe {
        let party = self.party(origin);
        let mut pipe = pipe::to_session(&party);
        pipe.attach(&party);
        pipe
    }

    /// Makes a pipe for a peer, which may be yet to be reached. If the socket does not take it, it gets no ends.
    pub(crate) fn pipe_for(
        &self,
        origin: Origin,
        peer: Option<&Arc<Peer>>,
    ) -> (SessionPipe, Result<Admitted, Unplaced>) {
        let party = self.party(origin);
        let mut pipe = pipe::to_session(&party);
        let admitted = self.admit(&pipe, origin, peer);
        if admitted.is_ok() {
            pipe.attach(&party);
        }
        (pipe, admitted)
    }

    /// Returns whether an endpoint's peer has its place before it is reached.
    pub(crate) fn knows(&self, origin: Origin) -> bool {
        let names = self.state.peer_names.as_ref();
        names.is_some_and(|names| names.knows(origin))
    }

    /// Returns whether another peer may come. `false` only where that is certain before it has said who it is.
    pub(crate) fn has_place(&self) -> bool {
        let names = self.state.peer_names.as_ref();
        names.is_none_or(|names| names.has_place())
    }

    /// Returns whether the socket has one peer at most.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.config.rules.naming == PeerNaming::Exclusive
    }

    /// Returns the network to use in place of the system's.
    pub(crate) fn network(&self) -> Option<&dyn AnyTransport> {
        self.state.network.as_deref()
    }

    /// Lets a peer in, if the socket takes it.
    pub(crate) fn admit(
        &self,
        pipe: &SessionPipe,
        origin: Origin,
        peer: Option<&Arc<Peer>>,
    ) -> Result<Admitted, Unplaced> {
        let place = match &self.state.peer_names {
            None => None,
            Some(names) => {
                let before = pipe.name();
                let placed = names.claim(Applicant {
                    pipe: pipe.id(),
                    origin,
                    peer: peer.map(AsRef::as_ref),
                    before: before.as_ref(),
                })?;
                Some(self.place(pipe.id(), placed))
            }
        };
        Ok(self.let_in(pipe, peer, place))
    }

    /// Lets in a peer that has waited for its name, as soon as nobody has that.
    pub(crate) fn poll_admit(
        &self,
        pipe: &mut SessionPipe,
        origin: Origin,
        peer: &Arc<Peer>,
        cx: &TaskContext<'_>,
    ) -> Poll<Result<(), Unplaced>> {
        let Some(names) = &self.state.peer_names else {
            return Poll::Ready(Ok(()));
        };
        let applicant = Applicant {
            pipe: pipe.id(),
            origin,
            peer: Some(peer),
            before: None,
        };
        let placed = match names.claim_free(applicant, cx.waker()) {
            Ok(placed) => placed,
            Err(Unplaced::Taken) => return Poll::Pending,
            Err(Unplaced::Tied) => return Poll::Ready(Err(Unplaced::Tied)),
        };
        let place = self.place(pipe.id(), placed);
        self.let_in(pipe, Some(peer), Some(place));
        pipe.attach(&self.party(origin));
        Poll::Ready(Ok(()))
    }

    /// Says that a peer has its name, to whoever knows another connection by it.
    pub(crate) fn place(&self, pipe: PipeId, placed: Placed) -> (Arc<dyn PeerName>, Admitted) {
        let Some(before) = placed.before else {
            return (placed.claim, Admitted::default());
        };
        self.state.tell_renamed(before.pipe, &before.name);
        let took_over = before.is_there && before.pipe != pipe;
        if took_over && let Some(claim) = &before.claim {
            self.state.stats.handovers.add(1);
            if let Some(time) = before.ends_at {
                self.state.stats.end_at(before.pipe, time);
            }
            Return::begin(&self.state, before.pipe, claim);
        }
        (placed.claim, Admitted { took_over })
    }

    pub(crate) fn let_in(
        &self,
        pipe: &SessionPipe,
        peer: Option<&Arc<Peer>>,
        place: Option<(Arc<dyn PeerName>, Admitted)>,
    ) -> Admitted {
        if let Some(peer) = peer {
            pipe.set_peer(peer, self.config.rules.is_addressed());
        }
        let Some((name, admitted)) = place else {
            return Admitted::default();
        };
        // One that has its name before it is reached is told of when it is there.
        let tell = peer.is_some() && self.config.tells_of_peers();
        pipe.set_name(name, tell);
        admitted
    }

    /// Begins a connection: `start` gets what the peer has to hear first, before anything can change it.
    pub(crate) fn begin(&self, start: impl FnOnce(Batch)) {
        match &self.state.subscriptions {
            Some(set) => set.begin(start),
            None => {
                let first = self.state.first_messages.lock();
                start(first.as_deref().cloned().unwrap_or_default());
            }
        }
    }

    /// Counts messages that go with an endpoint which is gone before the socket has let go of it.
    pub(crate) fn count_given_up(&self, messages: usize) {
        self.state.given_up.fetch_add(messages, Ordering::Relaxed);
    }
}

/// Gives a connection the name back that another one has taken from it, when that one has gone.
struct Return {
    state: Weak<State>,
    pipe: PipeId,
    claim: Weak<NameClaim>,
}

impl Return {
    fn begin(state: &Arc<State>, pipe: PipeId, claim: &Arc<NameClaim>) {
        let one = Return {
            state: Arc::downgrade(state),
            pipe,
            claim: Arc::downgrade(claim),
        };
        Arc::new(one).wake();
    }
}

impl Wake for Return {
    fn wake(self: Arc<Self>) {
        let (Some(state), Some(claim)) = (self.state.upgrade(), self.claim.upgrade()) else {
            return;
        };
        let pipe = self.pipe;
        if let Some(names) = &state.peer_names
            && let Some((name, before)) = names.take_back(&claim, pipe, &Waker::from(self))
        {
            if let Some(before) = before {
                state.tell_renamed(before.pipe, &before.name);
            }
            state.tell_renamed(pipe, &name);
        }
    }
}

impl State {
    /// Has the statistics forget pipes that the socket has let go of, if there are many.
    #[inline]
    pub(crate) fn tidy(&self) {
        match self.linger.take_gone() {
            0 => {}
            gone => self.stats.note_gone(gone),
        }
    }

    /// Notes options that one half of a divided socket has changed.
    pub(crate) fn note_changed(&self, options: &Options) {
        *self.changed.lock() = Some(Box::new(options.clone()));
    }

    /// Returns the options as one of the halves has changed them last, if one has.
    pub(crate) fn changed(&self) -> Option<Options> {
        self.changed.lock().as_deref().cloned()
    }

    /// Takes them: the socket is whole again.
    pub(crate) fn take_changed(&self) -> Option<Options> {
        let changed = self.changed.lock().take();
        changed.map(|options| *options)
    }

    /// Says that what comes through a pipe comes under this name from now on.
    fn tell_renamed(&self, pipe: PipeId, name: &RoutingId) {
        // First the receiver: what it has read before it hears of this was read in time.
        self.readers.post(PipeEvent::Renamed(pipe));
        self.writers
            .post(PipeEvent::Named(pipe, Box::new(name.clone())));
    }

    /// Returns the high-water marks of new pipes: what is sent, and what is received.
    pub(crate) fn hwms(&self) -> (usize, usize) {
        let (send, recv) = *self.limits.lock();
        (send.hwm, recv.hwm)
    }

    /// Notes that the socket ends. What is dropped from here on of what was to be sent is unsent.
    pub(crate) fn note_end(&self) {
        let given_up = self.given_up.load(Ordering::Relaxed) as u64;
        let _ = self
            .at_end
            .set(self.stats.not_sent().saturating_sub(given_up));
    }

    /// Returns whether the socket has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.at_end.get().is_some()
    }

    /// Returns how many messages will not be sent because of the socket's end, or that of an endpoint. What
    /// peers had left before is not among them, nor what an inproc peer has yet to take.
    pub(crate) fn unsent(&self) -> usize {
        let Some(at_end) = self.at_end.get() else {
            return self.given_up.load(Ordering::Relaxed);
        };
        let unsent = self.stats.not_sent().saturating_sub(*at_end);
        usize::try_from(unsent).unwrap_or(usize::MAX)
    }

    /// Ends all pipes for the socket, which may still hold them: what is queued lingers, for no longer than `limit`.
    pub(crate) fn hurry(&self, limit: Duration) {
        let linger = self.linger.get();
        self.linger
            .set(Some(linger.map_or(limit, |linger| linger.min(limit))));
        self.stats.hurry(&self.linger);
    }

    /// Returns how many messages a socket that has ended has not sent: given up, and those that still may be sent.
    pub(crate) fn left(&self) -> usize {
        self.unsent() + self.stats.waiting().0
    }
}
