//! The life of a socket: its endpoints, shared by its two halves, and its end.
//!
//! ```text
//!   whole:                         divided:
//!   Core ── EndpointTable          Core (sends) ─────┐
//!                                                    EndpointTable: endpoints
//!                                  Core (receives) ──┘
//! ```
//!
//! A half owns the strategy and the inbox of its direction and never touches the other's. Either may connect and
//! disconnect; of the latter, the other hears through its inbox when it is used next. The connection does not wait
//! for that: it ends when either of its pipe's ends goes. So a half that is dropped leaves its pipes here: the other
//! half goes on, and the last one closes the socket.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::attachments::Attachments;
use crate::connection::Listening;
use crate::context::{Attached, Context, Member};
use crate::endpoint::Endpoint;
use crate::error::EndpointGone;
use crate::inproc;
use crate::monitor::EndpointRecord;
use crate::pipe::Inbox;
use crate::pipe::{Origin, PipeId, PipeReader, PipeWriter};
use crate::state::{Liveness, Shared, State};
use crate::stats::EndpointStats;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// One for each socket. Its end is the socket's.
pub(crate) struct EndpointTable {
    pub(crate) context: Context,
    state: Arc<State>,
    /// Whoever looks at the context's sockets holds them for a moment, and not the table.
    attachments: Arc<Mutex<Attachments>>,
    /// The socket has ended with its context. Changes under the lock of the attachments.
    has_ended: AtomicBool,
    /// Endpoints that are not on the list yet, though pipes of theirs may be there.
    coming: Mutex<Vec<Origin>>,
    origins: AtomicU32,
    writers: Arc<Inbox<PipeWriter>>,
    readers: Arc<Inbox<PipeReader>>,
}

/// A bound or connected endpoint.
pub(crate) struct Attachment {
    /// As it was connected, or as `bind` returned it.
    pub(crate) endpoint: Endpoint,
    /// As `bind` was given it, if that names it as well.
    pub(crate) given: Option<Endpoint>,
    pub(crate) origin: Origin,
    /// Tells the endpoint's tasks that it goes.
    pub(crate) ended: CancellationToken,
    pub(crate) role: Role,
    /// As its tasks have it.
    pub(crate) shared: Shared,
    /// What has become of it so far. inproc has none.
    pub(crate) record: Option<Arc<EndpointRecord>>,
}

pub(crate) enum Role {
    /// With the listener or mailbox, whose end frees the address. inproc has none.
    Bound(Option<Arc<Listening>>),
    /// With the pipe, of inproc: it goes with its peer.
    Connected(Option<PipeId>),
}

/// An endpoint on its way to the list. Its first pipe may come, and be seen by the other half, before the call that
/// binds or connects it is through.
pub(crate) struct Coming {
    table: Arc<EndpointTable>,
    pub(crate) origin: Origin,
}

impl Drop for Coming {
    fn drop(&mut self) {
        let mut coming = self.table.coming.lock();
        coming.retain(|origin| *origin != self.origin);
    }
}

impl Attachment {
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.role, Role::Bound(_))
    }

    /// Returns whether its task has ended, though the socket has not let go of it.
    pub(crate) fn gone(&self) -> Option<Arc<EndpointGone>> {
        self.shared.state.liveness.gone(self.origin)
    }

    fn stats(&self) -> EndpointStats {
        let mut stats = EndpointStats {
            endpoint: Some(self.endpoint.clone()),
            is_bound: self.is_bound(),
            is_gone: self.gone().is_some(),
            ..EndpointStats::default()
        };
        if let Some(record) = &self.record {
            record.put(&mut stats);
        }
        stats
    }

    /// Tells its tasks that it goes, and frees its address. What was sent may linger.
    pub(crate) fn end(&self, context: &Context) {
        self.ended.cancel();
        self.shared.state.liveness.forget(self.origin);
        if let Role::Bound(Some(listening)) = &self.role {
            return listening.close(&self.shared);
        }
        self.stop_accepting(context);
    }

    /// Lets nobody come any more, if it is bound. Whoever has come stays.
    fn stop_accepting(&self, context: &Context) {
        match (&self.role, self.endpoint.inproc()) {
            (Role::Bound(Some(listening)), _) => listening.stop_accepting(&self.shared),
            (Role::Bound(None), Some(name)) => inproc::unbind(context.names(), &self.shared, name),
            _ => {}
        }
    }
}

impl EndpointTable {
    pub(crate) fn of(context: &Context, shared: &Shared) -> Arc<Self> {
        let table = Arc::new(EndpointTable {
            context: context.clone(),
            state: shared.state.clone(),
            attachments: Arc::default(),
            has_ended: AtomicBool::new(false),
            coming: Mutex::default(),
            origins: AtomicU32::new(1),
            writers: shared.state.writers.clone(),
            readers: shared.state.readers.clone(),
        });
        let member: Weak<Self> = Arc::downgrade(&table);
        let attachments: Weak<Mutex<Attachments>> = Arc::downgrade(&table.attachments);
        let rules = shared.config.rules;
        let members = context.members();
        if !members.enter(member, attachments, &shared.state, rules) {
            table.end(Duration::ZERO);
        }
        table
    }

    /// Returns whether the socket has ended with its context.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Begins an endpoint, which is known until it is `attached`, or has failed.
    pub(crate) fn begin(self: &Arc<Self>, origin: impl FnOnce(u32) -> Origin) -> Coming {
        let origin = origin(self.origins.fetch_add(1, Ordering::Relaxed));
        self.coming.lock().push(origin);
        Coming {
            table: self.clone(),
            origin,
        }
    }

    /// Adds an endpoint to the list, where it takes the place of those that are gone. `false`: the socket has ended with
    /// its context meanwhile, and the endpoint with it.
    pub(crate) fn attached(&self, attachment: Attachment) -> bool {
        let mut attachments = self.attachments.lock();
        if self.has_ended() {
            drop(attachments);
            attachment.end(&self.context);
            return false;
        }
        let is_replaced = |one: &&Attachment| {
            one.endpoint == attachment.endpoint
                && one.is_bound() == attachment.is_bound()
                && one.gone().is_some()
        };
        let called = attachments.called(&attachment.endpoint);
        let replaced: Vec<_> = called.filter(is_replaced).map(|one| one.origin).collect();
        let replaced: Vec<_> = replaced
            .into_iter()
            .filter_map(|origin| attachments.remove(origin))
            .collect();
        attachments.insert(attachment);
        drop(attachments);
        for one in replaced {
            one.end(&self.context);
        }
        true
    }

    /// Closes the listeners. Whoever has come stays.
    pub(crate) fn stop_accepting(&self) {
        for attachment in self.attachments.lock().iter() {
            attachment.stop_accepting(&self.context);
        }
    }

    /// Returns the endpoint that went last, if all are gone: nothing is left that could take or give a message.
    #[cold]
    pub(crate) fn all_gone(&self, liveness: &Liveness) -> Option<Arc<EndpointGone>> {
        let attachments = self.attachments.lock();
        liveness.last_gone(attachments.iter().map(|one| one.origin))
    }

    /// Returns what has become of each endpoint on the list.
    pub(crate) fn stats(&self) -> Vec<EndpointStats> {
        self.attachments.stats()
    }

    /// Takes the oldest of those that may be called so off the list, if it is one.
    pub(crate) fn remove(
        &self,
        called: &Endpoint,
        is_it: impl Fn(&Attachment) -> bool,
    ) -> Option<Attachment> {
        let mut attachments = self.attachments.lock();
        let origin = attachments.called(called).find(|one| is_it(one))?.origin;
        attachments.remove(origin)
    }

    pub(crate) fn knows(&self, origin: Origin) -> bool {
        // In this order: it comes to the list before it leaves the others.
        self.coming.lock().contains(&origin) || self.attachments.lock().contains(origin)
    }

    /// Returns whether there is an endpoint, or will be, that is not gone.
    pub(crate) fn has_any(&self) -> bool {
        !self.coming.lock().is_empty()
            || self
                .attachments
                .lock()
                .iter()
                .any(|one| one.gone().is_none())
    }

    pub(crate) fn is_connected(&self, endpoint: &Endpoint) -> bool {
        let attachments = self.attachments.lock();
        attachments
            .called(endpoint)
            .any(|one| !one.is_bound() && one.endpoint == *endpoint && one.gone().is_none())
    }
}

impl Attached for Mutex<Attachments> {
    fn stats(&self) -> Vec<EndpointStats> {
        self.lock().iter().map(Attachment::stats).collect()
    }
}

impl Member for EndpointTable {
    fn end(&self, limit: Duration) {
        let mut attachments = self.attachments.lock();
        self.has_ended.store(true, Ordering::Release);
        self.state.note_end();
        let ended = attachments.take();
        drop(attachments);
        for attachment in ended {
            attachment.end(&self.context);
        }
        // Before the pipes: one that comes later is dropped here, and nothing that is sent later goes by those that are.
        self.writers.shut();
        self.readers.shut();
        self.state.hurry(limit);
    }
}

impl Drop for EndpointTable {
    fn drop(&mut self) {
        self.state.note_end();
        let attachments = self.attachments.lock().take();
        for attachment in attachments {
            attachment.end(&self.context);
        }
        // Of what ends, an inproc peer's readers hear last.
        self.readers.close();
        self.writers.close();
    }
}
