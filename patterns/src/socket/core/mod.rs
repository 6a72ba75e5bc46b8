//! What all sockets have in common, written once: endpoints, waiting, closing.
//!
//! A `Core` is a pair of routing strategies with the endpoints that feed them pipes. Every call first reads
//! the inboxes (one atomic load when there is nothing), then lets the strategy try; when the strategy is
//! mute, the call waits for the next note.
//!
//! ```text
//! endpoints.rs    bind, connect, and their ends
//! calls.rs        send and recv: trying, waiting, yielding
//! notes.rs        what the sessions have to tell
//! parts.rs        two halves of a socket, and the whole again
//! ```

mod calls;
mod endpoints;
mod notes;
mod parts;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;
use zmtp::SocketType;

use self::notes::Notes;
use crate::context::Context;
use crate::endpoint::Endpoint;
use crate::error::Closed;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::PipeEnd;
use crate::pipe::PipeReader;
use crate::routing::{RecvStrategy, SendStrategy};
use crate::rules::rules;
use crate::socket::endpoint_table::EndpointTable;
use crate::state::Shared;
use crate::stats::SocketStats;

/// A socket, or one half of it: two strategies, and the endpoints.
pub(crate) struct Core<S: SendStrategy, R: RecvStrategy> {
    /// Dropped first: the endpoints go before the pipes.
    life: Arc<EndpointTable>,
    pub(crate) sender: S,
    pub(crate) receiver: R,
    pub(super) shared: Shared,
    last_endpoint: Option<Endpoint>,
    notes: Notes,
    /// When a send that waits tries again, because messages may have expired.
    expiry: Option<Pin<Box<Sleep>>>,
    /// Calls served since the task last waited or yielded.
    busy: usize,
    /// How many of them are served before it yields.
    stamina: usize,
    /// A half that has become part of the whole again.
    rejoined: bool,
}

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    pub(crate) fn new(socket_type: SocketType, context: &Context, options: Options) -> Self {
        let shared = Shared::new(
            rules(socket_type),
            options,
            context.authority(),
            context.network(),
        );
        let mut sender = S::default();
        sender.set_options(&shared.config.options);
        Core::of(
            EndpointTable::of(context, &shared),
            shared,
            sender,
            R::default(),
            None,
        )
    }

    /// One that has not done anything yet.
    fn of(
        life: Arc<EndpointTable>,
        shared: Shared,
        sender: S,
        receiver: R,
        last_endpoint: Option<Endpoint>,
    ) -> Self {
        Core {
            life,
            sender,
            receiver,
            shared,
            last_endpoint,
            notes: Notes::default(),
            expiry: None,
            busy: 0,
            stamina: S::BUSY,
            rejoined: false,
        }
    }

    /// Changes the options. Endpoints that are there already keep theirs, as libzmq's do; what can take effect
    /// at once does.
    pub(crate) fn set_options(&mut self, options: Options) {
        self.shared.set_options(options);
        self.sender.set_options(&self.shared.config.options);
    }

    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        self.shared.set_linger(linger);
    }

    pub(crate) fn context(&self) -> &Context {
        &self.life.context
    }

    pub(crate) fn monitor(&self) -> Monitor {
        self.shared.state.events.monitor()
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let popped = |reader: &PipeReader| (reader.id(), reader.popped());
        let popped = self.receiver.readers().map(popped).collect();
        self.shared.state.stats.snapshot(&popped)
    }

    pub(crate) async fn close(self) -> Closed {
        let shared = self.shared.clone();
        drop(self);
        shared.state.tasks.close();
        shared.state.tasks.wait().await;
        Closed {
            unsent: shared.unsent(),
        }
    }

    /// Who has sent the message that was received last.
    pub(crate) fn last_peer(&self) -> Option<Arc<Peer>> {
        self.receiver.last_sender()
    }
}
