//! What a socket's handle shares with its sessions, listeners and dialling tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::task::TaskTracker;
use zmtp::SocketType;

use super::interest::Interest;
use crate::context::Context;
use crate::inbox::Inbox;
use crate::monitor::Events;
use crate::options::Options;
use crate::pipe::{self, Linger, Origin, Party, PipeReader, PipeWriter, SessionPipe};

/// One for each socket.
pub(crate) struct Shared {
    pub(crate) socket_type: SocketType,
    pub(crate) options: Options,
    pub(crate) context: Context,
    pub(crate) linger: Arc<Linger>,
    /// The socket's ends of new pipes, and word of the old ones.
    pub(crate) writers: Arc<Inbox<PipeWriter>>,
    pub(crate) readers: Arc<Inbox<PipeReader>>,
    /// Of a socket that subscribes: what each new connection begins with.
    pub(crate) interest: Option<Interest>,
    pub(crate) events: Events,
    /// All tasks of the socket. `close` waits for them.
    pub(crate) tasks: TaskTracker,
    /// Messages that were accepted and never sent.
    unsent: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(socket_type: SocketType, context: &Context, options: Options) -> Arc<Self> {
        let subscribes = socket_type == SocketType::Sub;
        Arc::new(Shared {
            socket_type,
            linger: Arc::new(Linger::new(options.linger)),
            options,
            context: context.clone(),
            writers: Arc::new(Inbox::new()),
            readers: Arc::new(Inbox::new()),
            interest: subscribes.then(Interest::default),
            events: Events::default(),
            tasks: TaskTracker::new(),
            unsent: AtomicUsize::new(0),
        })
    }

    /// What this socket brings to a pipe.
    pub(crate) fn party(&self, origin: Origin) -> Party<'_> {
        Party {
            writers: &self.writers,
            readers: &self.readers,
            linger: &self.linger,
            send_hwm: self.options.send_hwm,
            recv_hwm: self.options.recv_hwm,
            origin,
        }
    }

    /// A new pipe: the session's end. The socket finds its own in its inboxes.
    pub(crate) fn pipe(&self, origin: Origin) -> SessionPipe {
        pipe::to_session(&self.party(origin))
    }

    /// The pipe ends and nobody will send what is left in it.
    pub(crate) fn give_up(&self, pipe: SessionPipe) {
        // Subscriptions are no messages of the application.
        if self.interest.is_none() {
            self.unsent
                .fetch_add(pipe.outgoing.unsent(), Ordering::Relaxed);
        }
    }

    /// Messages given up so far.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }
}
