//! What all sockets have in common, written once: endpoints, waiting, closing.
//!
//! A `Core` is a pair of routing strategies and a pattern's own state, with the endpoints that feed them pipes. Every
//! call first reads the inboxes (one atomic load when there is nothing), then lets the pattern try; while the socket
//! is mute, the call waits for the next event.
//!
//! ```text
//! pattern.rs      what a socket type brings: its row, its strategies, how it sends and receives
//! endpoints.rs    bind, connect, and their ends; attachments.rs, endpoint_table.rs: those that are there
//! places.rs       whether it may bind or connect there
//! call.rs         a call of the application: send, recv, and what they are polled with
//! calls.rs        trying, waiting, yielding; turn.rs: when
//! asked.rs        what is tried and asked without waiting, for whoever waits in another way
//! draining.rs     taking no new work
//! events.rs       what connections have to tell
//! halves.rs       a socket divided, and whole again
//! ```

mod asked;
mod attachments;
pub(crate) mod call;
mod calls;
mod draining;
pub(crate) mod endpoint_table;
mod endpoints;
mod events;
mod halves;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
pub(crate) mod pattern;
mod places;
mod turn;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

pub(crate) use self::endpoints::Binding;
use self::events::Events;
pub(crate) use self::halves::{Access, Direction, Joint};
pub(crate) use self::pattern::{Incoming, IntoSent, Outgoing, Pattern, PeerChange};
use self::turn::Turn;
use crate::connection::AFTER_LINGER;
use crate::context::{Context, stuck};
use crate::core::endpoint_table::EndpointTable;
use crate::endpoint::Endpoint;
use crate::error::{CloseReport, OptionError};
use crate::monitor::Monitor;
use crate::options::Options;
use crate::pipe::{Inbox, PipeEnd};
use crate::pipe::{PipeReader, PipeWriter};
pub(crate) use crate::routing::Refusal;
use crate::routing::{RecvStrategy, SendStrategy};
use crate::rules::Capability;
use crate::security::PeerSelector;
use crate::state::{Shared, State};
use crate::stats::SocketStats;

/// A socket, or one half of it: two strategies, a pattern's state, and the endpoints.
pub struct Core<P: Pattern> {
    /// Dropped first: the endpoints go before the pipes.
    table: Arc<EndpointTable>,
    /// Dropped before `sender`: of what ends, an inproc peer's readers hear last.
    pub(crate) receiver: P::Recv,
    pub(crate) sender: P::Send,
    pub(crate) state: P::State,
    pub(crate) shared: Shared,
    /// Where the pipes of each direction come from. For the direction that a half has not, one that stays empty.
    writers: Arc<Inbox<PipeWriter>>,
    readers: Arc<Inbox<PipeReader>>,
    direction: Direction,
    last_endpoint: Option<Endpoint>,
    events: Events,
    /// When a send that waits tries again, because messages may have expired.
    expiry: Option<Pin<Box<Sleep>>>,
    /// The calls since the task last waited or yielded.
    turn: Turn,
    /// What the attempt that is made, or was made last, has done that gives the application nothing.
    work: usize,
    /// How long the call that waits has asked the connections themselves, with `busy_poll`.
    spun: Duration,
    /// The wait for the end, if the socket drains.
    draining: Option<Box<draining::Wait>>,
    /// The stream of its only connection is lent.
    is_lent: bool,
    /// And who waits, waits there.
    is_at_stream: bool,
    /// A half that has become part of the whole again.
    rejoined: bool,
}

/// Nothing in it is ever pinned.
impl<P: Pattern> Unpin for Core<P> {}

impl<P: Pattern> Core<P> {
    pub(crate) fn new(context: &Context, options: Options) -> Self {
        let shared = Shared::new(
            P::RULES,
            options,
            context.authority(),
            context.network(),
            context.io_threads(),
            context.configs(),
        );
        let table = EndpointTable::of(context, &shared);
        let mut core: Self = Core::of(table, shared, Direction::Both, None);
        core.sender.set_options(&core.shared.config.options);
        core.receiver.set_options(&core.shared.config.options);
        P::opened(&mut core);
        core
    }

    /// Makes one without pipes.
    fn of(
        table: Arc<EndpointTable>,
        shared: Shared,
        direction: Direction,
        last_endpoint: Option<Endpoint>,
    ) -> Self {
        fn only<E: PipeEnd>(read: bool, inbox: &Arc<Inbox<E>>) -> Arc<Inbox<E>> {
            if read {
                inbox.clone()
            } else {
                Arc::new(Inbox::new())
            }
        }
        Core {
            table,
            sender: P::Send::default(),
            receiver: P::Recv::default(),
            state: P::State::default(),
            writers: only(direction.sends(), &shared.state.writers),
            readers: only(direction.receives(), &shared.state.readers),
            shared,
            direction,
            last_endpoint,
            events: Events::default(),
            expiry: None,
            turn: Turn::new(P::Send::BUDGET),
            work: 0,
            spun: Duration::ZERO,
            is_lent: false,
            is_at_stream: false,
            draining: None,
            rejoined: false,
        }
    }

    /// Returns the options as they are.
    pub(crate) fn options(&self) -> &Options {
        &self.shared.config.options
    }

    /// Returns the options as either half has changed them last.
    pub(crate) fn newest_options(&self) -> Options {
        let changed = match self.direction {
            Direction::Both => None,
            Direction::Send | Direction::Recv => self.shared.state.changed(),
        };
        changed.unwrap_or_else(|| self.options().clone())
    }

    /// Changes the options. Endpoints that are there already keep theirs, as libzmq's do; what can take effect
    /// at once does. The other half of a divided socket follows when it is used next.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub(crate) fn set_options(&mut self, options: Options) -> Result<(), OptionError> {
        check(&options, &self.table.context)?;
        self.tell_other_half(&options);
        self.take_options(options);
        Ok(())
    }

    fn take_options(&mut self, options: Options) {
        self.shared.set_options(options);
        self.sender.set_options(&self.shared.config.options);
        self.receiver.set_options(&self.shared.config.options);
    }

    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        let options = Options {
            linger,
            ..self.newest_options()
        };
        self.tell_other_half(&options);
        self.take_options(options);
    }

    pub(crate) fn monitor(&self) -> Monitor {
        self.shared.state.events.monitor()
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let mut stats = self.shared.state.stats.snapshot();
        stats.queued_to_receive += P::heard(self);
        stats.name = self.options().name.clone();
        stats.endpoints = self.table.stats();
        stats
    }

    /// Ends the connections of the peers that are selected, and counts them.
    pub(crate) fn disconnect_peer(&self, selector: PeerSelector) -> usize {
        self.shared.state.connections.end(selector)
    }

    /// Counts messages that were given to `send` and dropped: their peer's pipe was full, or there was no such peer.
    pub(crate) fn dropped(&self) -> u64 {
        let dropped = self.shared.state.stats.dropped();
        dropped.full + dropped.unroutable
    }

    /// Drops this handle. If it is the last one, the socket ends: what waits for that says what was left. One that drains
    /// lingers no longer than its limit.
    pub(crate) fn close(mut self) -> Closing {
        let shared = self.shared.clone();
        let is_last = self.is_last();
        if let Some(left) = self.drain_left() {
            self.shorten_linger(left);
        }
        let stats = &shared.state.stats;
        stats.unheard.add(P::heard(&self));
        let before = stats.dropped().unread;
        drop(self);
        let unread = match shared.config.rules.has(Capability::Receives) {
            true => stats.dropped().unread - before,
            // What a publisher is told of subscriptions is nothing to be read.
            false => 0,
        };
        Closing {
            unread: usize::try_from(unread).unwrap_or(usize::MAX),
            is_last,
            shared,
        }
    }

    /// Closes it with that time to linger, or the socket's own if that is shorter.
    pub(crate) fn close_within(mut self, limit: Duration) -> Closing {
        self.shorten_linger(limit);
        self.close()
    }

    fn shorten_linger(&mut self, limit: Duration) {
        if self.is_last() {
            let linger = self.options().linger;
            self.set_linger(Some(linger.map_or(limit, |linger| linger.min(limit))));
        }
    }

    /// Makes the timer for a close within a limit. Endpoints that the socket has let go of before linger by its own time.
    pub(crate) fn close_timer(&self, limit: Duration) -> Sleep {
        self.timer(limit.saturating_add(AFTER_LINGER))
    }

    /// Returns whether the socket ends with this handle.
    fn is_last(&self) -> bool {
        self.direction == Direction::Both || Arc::strong_count(&self.table) == 1
    }

    /// Returns whether the socket has ended with its context.
    pub(crate) fn has_ended(&self) -> bool {
        self.table.has_ended()
    }

    pub(crate) fn context(&self) -> Context {
        self.table.context.clone()
    }
}

/// A handle that has been closed.
pub(crate) struct Closing {
    shared: Shared,
    is_last: bool,
    unread: usize,
}

impl Closing {
    /// Waits for the socket's end, if it ends.
    pub(crate) async fn wait(self) -> CloseReport {
        if !self.is_last {
            return CloseReport::default();
        }
        let state = &self.shared.state;
        let unsent = tokio::select! {
            biased;
            () = state.tasks.ended() => state.unsent(),
            () = stuck() => {
                state.stats.drive();
                state.left()
            }
        };
        report(state, unsent, self.unread)
    }

    /// Waits for the socket's end, and no longer than `timer`.
    pub(crate) async fn wait_within(self, timer: Sleep) -> CloseReport {
        let (state, unread) = (self.shared.state.clone(), self.unread);
        tokio::select! {
            biased;
            report = self.wait() => report,
            () = timer => report(&state, state.left(), unread),
        }
    }
}

/// Says what is left of a socket: what waits for an inproc name to be bound is unsent, too.
fn report(state: &State, unsent: usize, unread: usize) -> CloseReport {
    CloseReport {
        unsent: unsent + state.stats.waiting().1,
        unread,
    }
}

/// Says whether the context has what the options ask for.
pub(crate) fn check(options: &Options, context: &Context) -> Result<(), OptionError> {
    if context.is_closed() {
        return Err(OptionError::ContextClosed);
    }
    if options.zap_enforce_domain && options.zap_domain.is_none() {
        // It would ask nobody, and let everybody in.
        return Err(OptionError::Value {
            option: "zap_enforce_domain",
            value: "true without a zap_domain".to_owned(),
            allowed: "false, or true with a zap_domain",
        });
    }
    if context.has_threads(options.affinity) {
        return Ok(());
    }
    Err(OptionError::Value {
        option: "affinity",
        value: format!("{:#b}", options.affinity),
        allowed: "0, or bits of I/O threads that the context has",
    })
}
