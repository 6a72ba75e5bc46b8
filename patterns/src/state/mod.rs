//! What a socket's handle shares with its sessions, listeners and dialling tasks.

mod peer_names;
mod stats_registry;
mod subscription_set;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use zmtp::{Batch, Message};

pub(crate) use peer_names::{NameClaim, PeerNames};
pub(crate) use stats_registry::{PeerRecord, StatsRegistry};
pub(crate) use subscription_set::{
    SubscriptionSet, is_subscription, parse_subscription, subscription_message, take_subscriptions,
};

use crate::context::Context;
use crate::monitor::Events;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::Inbox;
use crate::pipe::{self, Limits, Linger, Origin, Party, PipeReader, PipeWriter, SessionPipe};
use crate::rules::Rules;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// A socket's options, and what it shares with its tasks.
///
/// Each endpoint's tasks have the one that the handle had when the endpoint was bound or connected: options
/// that are changed afterwards are for later endpoints. All else is the same for all of them.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) rules: &'static Rules,
    pub(crate) options: Options,
    pub(crate) context: Context,
    pub(crate) linger: Arc<Linger>,
    /// The socket's ends of new pipes, and word of the old ones.
    pub(crate) writers: Arc<Inbox<PipeWriter>>,
    pub(crate) readers: Arc<Inbox<PipeReader>>,
    /// Of a socket that chooses its peers, or names them.
    pub(crate) peer_names: Option<Arc<PeerNames>>,
    /// Of a socket that subscribes: what to.
    pub(crate) subscriptions: Option<Arc<SubscriptionSet>>,
    /// Of all others: what each new connection begins with.
    hello: Arc<Mutex<Batch>>,
    /// What each new pipe may hold.
    limits: Arc<Mutex<(Limits, Limits)>>,
    pub(crate) events: Arc<Events>,
    pub(crate) stats: Arc<StatsRegistry>,
    /// All tasks of the socket. `close` waits for them.
    pub(crate) tasks: TaskTracker,
    /// Messages that were accepted and never sent.
    unsent: Arc<AtomicUsize>,
}

impl Shared {
    pub(crate) fn new(rules: &'static Rules, context: &Context, options: Options) -> Arc<Self> {
        Arc::new(Shared {
            rules,
            peer_names: PeerNames::new(rules, &options),
            subscriptions: SubscriptionSet::new(rules).map(Arc::new),
            hello: Arc::new(Mutex::new(hello(&options))),
            limits: Arc::new(Mutex::new(limits(rules, &options))),
            linger: Arc::new(Linger::new(options.linger)),
            options,
            context: context.clone(),
            writers: Arc::new(Inbox::new()),
            readers: Arc::new(if rules.forgets_departed {
                Inbox::forgetting()
            } else {
                Inbox::new()
            }),
            events: Arc::default(),
            stats: Arc::default(),
            tasks: TaskTracker::new(),
            unsent: Arc::default(),
        })
    }

    /// Takes on changed options, those that are not for later endpoints alone.
    pub(crate) fn set_options(&mut self, options: Options) {
        self.linger.set(options.linger);
        *self.hello.lock() = hello(&options);
        *self.limits.lock() = limits(self.rules, &options);
        let hwms = (options.send_hwm, options.recv_hwm);
        if hwms != (self.options.send_hwm, self.options.recv_hwm) {
            self.stats.set_hwms(hwms.0, hwms.1);
        }
        if let Some(names) = &self.peer_names {
            names.set_options(&options);
        }
        self.options = options;
    }

    /// Runs a task of the socket.
    pub(crate) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
        runtime: &Handle,
    ) -> JoinHandle<()> {
        #[cfg(purezmq_simulation)]
        let task = crate::simulation::shuffled(task);
        self.tasks.spawn_on(task, runtime)
    }

    /// What this socket brings to a pipe.
    pub(crate) fn party(&self, origin: Origin) -> Party<'_> {
        let (mut send, mut recv) = *self.limits.lock();
        // Whether they conflate is for later endpoints.
        let (at_endpoint, at_endpoint_recv) = limits(self.rules, &self.options);
        (send.conflate, send.by_topic) = (at_endpoint.conflate, at_endpoint.by_topic);
        (recv.conflate, recv.by_topic) = (at_endpoint_recv.conflate, at_endpoint_recv.by_topic);
        Party {
            writers: &self.writers,
            readers: &self.readers,
            linger: &self.linger,
            stats: &self.stats,
            send,
            recv,
            origin,
        }
    }

    /// A new pipe. The socket finds its ends in its inboxes.
    pub(crate) fn pipe(&self, origin: Origin) -> SessionPipe {
        let mut pipe = pipe::to_session(&self.party(origin));
        pipe.attach(&self.party(origin));
        pipe
    }

    /// A new pipe for a peer, which may be yet to be reached. If the socket does not take it, it gets no ends.
    pub(crate) fn pipe_for(&self, origin: Origin, peer: Option<&Arc<Peer>>) -> SessionPipe {
        let mut pipe = pipe::to_session(&self.party(origin));
        if self.admit(&pipe, origin, peer) {
            pipe.attach(&self.party(origin));
        }
        pipe
    }

    /// Whether an endpoint's peer has its place before it is reached.
    pub(crate) fn knows(&self, origin: Origin) -> bool {
        let names = self.peer_names.as_ref();
        names.is_some_and(|names| names.knows(origin))
    }

    /// Whether the socket has one peer at most.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.peer_names
            .as_ref()
            .is_some_and(|names| names.is_exclusive())
    }

    /// Lets a peer in, if the socket takes it.
    pub(crate) fn admit(
        &self,
        pipe: &SessionPipe,
        origin: Origin,
        peer: Option<&Arc<Peer>>,
    ) -> bool {
        let mut place = None;
        if let Some(names) = &self.peer_names {
            let announced = peer.and_then(|peer| peer.routing_id.as_deref());
            let (announced, before) = (announced.unwrap_or_default(), pipe.name());
            place = names.claim(pipe.id(), origin, announced, before.as_ref());
            if place.is_none() {
                return false;
            }
        }
        if let Some(peer) = peer {
            pipe.meet(peer);
        }
        if let Some(place) = place {
            pipe.introduce(place, self.options.notify);
        }
        true
    }

    /// A connection begins: `start` gets what the peer has to hear first, before anything can change it.
    pub(crate) fn begin(&self, start: impl FnOnce(Batch)) {
        match &self.subscriptions {
            Some(set) => set.begin(start),
            None => start(self.hello.lock().clone()),
        }
    }

    /// The pipe ends and nobody will send what is left in it.
    pub(crate) fn give_up(&self, pipe: SessionPipe) {
        // Subscriptions are no messages of the application.
        if self.subscriptions.is_none() {
            self.unsent
                .fetch_add(pipe.outgoing.unsent(), Ordering::Relaxed);
        }
    }

    /// Messages given up so far.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }
}

/// What a socket's pipes may hold: what is sent, and what is received.
fn limits(rules: &Rules, options: &Options) -> (Limits, Limits) {
    // What goes the other way is subscriptions, and none of them may take the place of another.
    let Rules {
        publishes,
        subscribes,
        ..
    } = *rules;
    let send = Limits {
        hwm: options.send_hwm,
        bytes: options.send_hwm_bytes,
        ttl: options.send_ttl,
        conflate: options.conflate && !subscribes,
        by_topic: options.conflate_topics && publishes,
    };
    let recv = Limits {
        hwm: options.recv_hwm,
        bytes: options.recv_hwm_bytes,
        ttl: None,
        conflate: options.conflate && !publishes,
        by_topic: options.conflate_topics && !publishes,
    };
    (send, recv)
}

/// The probe for ROUTERs, or the welcome for subscribers.
fn hello(options: &Options) -> Batch {
    let mut hello = Batch::new();
    if options.probe_router {
        hello.push_owned(Message::from(""), usize::MAX);
    }
    if let Some(welcome) = &options.welcome {
        hello.push_owned(Message::from(welcome.clone()), usize::MAX);
    }
    hello
}
