//! What all sockets have in common, written once: endpoints, waiting, closing.
//!
//! A `Core` is a pair of routing strategies with the endpoints that feed them pipes. Every call first reads
//! the inboxes (one atomic load when there is nothing), then lets the strategy try; when the strategy is
//! mute, the call waits for the next note.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use zmtp::{Message, SocketType};

use super::Shared;
use super::call::{Patience, Receiving, Sending, Source, Way};
use super::life::{Attachment, Coming, Left, Life, Role};
use crate::context::Context;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, Closed, ConnectError, DisconnectError, RecvError, SendError, TryRecvError,
    TrySendError, UnbindError,
};
use crate::inbox::{Inbox, Note, PipeEnd};
use crate::monitor::{Monitor, MonitorEventKind, Subject};
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Origin, PipeId, PipeReader, PipeWriter, look_every};
use crate::routing::{Absent, FanOut, RecvStrategy, SendStrategy};
use crate::routing_id::RoutingId;
use crate::security;
use crate::session::{self, Dial};
use crate::stats::SocketStats;
use crate::transport::{self, Listener, OpenListener, inproc};
use crate::yielding::yield_to_others;

/// Copies of a message that are as much work as another call.
const COPIES_A_CALL: usize = 256;

/// A socket, or one half of it: two strategies, and the endpoints.
pub(crate) struct Core<S: SendStrategy, R: RecvStrategy> {
    /// Dropped first: the endpoints go before the pipes.
    life: Arc<Life>,
    pub(crate) sender: S,
    pub(crate) receiver: R,
    pub(super) shared: Arc<Shared>,
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
        let shared = Shared::new(socket_type, context, options);
        let mut sender = S::default();
        sender.set_options(&shared.options);
        Core {
            life: Life::of(&shared),
            sender,
            receiver: R::default(),
            shared,
            last_endpoint: None,
            notes: Notes::default(),
            expiry: None,
            busy: 0,
            stamina: S::BUSY,
            rejoined: false,
        }
    }

    // ------------------------------------------------------------ endpoints

    pub(crate) async fn bind(&mut self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let endpoint = endpoint.to_endpoint()?;
        if let Endpoint::Inproc(name) = &endpoint {
            let (coming, ended) = self.begin_endpoint();
            inproc::bind(&self.shared, name, coming.origin)?;
            self.attached(&endpoint, coming, ended, Role::Bound(None));
            return Ok(endpoint);
        }
        let (shared, wanted) = (self.shared.clone(), endpoint.clone());
        let bind = async move { transport::bind(&wanted, &shared).await };
        self.listen(endpoint, bind).await
    }

    pub(crate) async fn adopt(&mut self, listener: OpenListener) -> Result<Endpoint, BindError> {
        let endpoint = listener.endpoint()?;
        let (shared, its) = (self.shared.clone(), endpoint.clone());
        let adopt = async move { transport::adopt(listener, its, &shared.options) };
        self.listen(endpoint, adopt).await
    }

    /// Accepts from what `open` gives, which it does in the runtime that the listener is to belong to.
    async fn listen(
        &mut self,
        endpoint: Endpoint,
        open: impl Future<Output = Result<Listener, BindError>> + Send + 'static,
    ) -> Result<Endpoint, BindError> {
        let Some(runtime) = self.shared.context.runtime(self.shared.options.affinity) else {
            return Err(BindError::NoRuntime { endpoint });
        };
        let (coming, ended) = self.begin_endpoint();
        let opened = AbortOnDropHandle::new(runtime.spawn(open)).await;
        let listener = opened
            .map_err(|error| BindError::Io {
                endpoint: endpoint.clone(),
                source: error.into(),
            })
            .flatten()
            .inspect_err(|error| self.tell_unbound(&endpoint, error))?;
        self.guard(listener.endpoint())?;
        let subject = Subject::listener(&listener);
        self.shared
            .events
            .emit(&subject, MonitorEventKind::Listening);
        let endpoint = listener.endpoint().clone();
        let listen = session::listen(self.shared.clone(), listener, coming.origin, ended.clone());
        let task = self.shared.spawn(listen, &runtime);
        self.attached(&endpoint, coming, ended, Role::Bound(Some(task)));
        Ok(endpoint)
    }

    /// Whether a socket that lets everybody in may listen where everybody can come.
    fn guard(&self, endpoint: &Endpoint) -> Result<(), BindError> {
        if !endpoint.is_open_to_others() || security::is_selective(&self.shared) {
            return Ok(());
        }
        if self.shared.options.require_authentication {
            return Err(BindError::Unauthenticated {
                endpoint: endpoint.clone(),
            });
        }
        tracing::warn!(%endpoint, "everybody who can reach this address can come in: the socket has no authentication");
        Ok(())
    }

    /// Tells the monitors of a bind that failed for a reason that lies outside of the call.
    fn tell_unbound(&self, endpoint: &Endpoint, error: &BindError) {
        if let Some(cause) = error.cause() {
            let subject = Subject::unbound(endpoint);
            let failed = MonitorEventKind::BindFailed(Arc::new(cause));
            self.shared.events.emit(&subject, failed);
        }
    }

    pub(crate) fn connect(&mut self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        let endpoint = endpoint.to_endpoint()?;
        endpoint.check_connect()?;
        #[cfg(feature = "tls")]
        self.check_tls(&endpoint)?;
        if self.is_connected_once(&endpoint) {
            return Ok(());
        }
        let (coming, ended) = self.begin_endpoint();
        self.connect_endpoint(endpoint, coming, ended)
    }

    /// Connects to a peer that is known by `name` here, whatever it calls itself (R-ROUTER-9).
    pub(crate) fn connect_as(
        &mut self,
        endpoint: impl ToEndpoint,
        name: RoutingId,
    ) -> Result<(), ConnectError> {
        let endpoint = endpoint.to_endpoint()?;
        endpoint.check_connect()?;
        #[cfg(feature = "tls")]
        self.check_tls(&endpoint)?;
        let (coming, ended) = self.begin_endpoint();
        let origin = coming.origin;
        let shared = self.shared.clone();
        let directory = shared.directory.as_ref();
        if directory.is_some_and(|directory| !directory.reserve(&name, origin)) {
            return Err(ConnectError::RoutingIdInUse { name });
        }
        let connected = self.connect_endpoint(endpoint, coming, ended);
        if let (Err(_), Some(directory)) = (&connected, directory) {
            directory.release(origin);
        }
        connected
    }

    /// Whether the socket can connect by TLS, if the endpoint asks for it.
    #[cfg(feature = "tls")]
    fn check_tls(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        let options = &self.shared.options;
        match endpoint {
            Endpoint::Tls(tls)
                if options.tls_client.is_none()
                    || crate::transport::tls::server_name(tls, options).is_none() =>
            {
                let endpoint = endpoint.clone();
                Err(ConnectError::NoTls { endpoint })
            }
            _ => Ok(()),
        }
    }

    fn connect_endpoint(
        &mut self,
        endpoint: Endpoint,
        coming: Coming,
        ended: CancellationToken,
    ) -> Result<(), ConnectError> {
        let origin = coming.origin;
        if let Endpoint::Inproc(name) = &endpoint {
            if !inproc::connect(&self.shared, name, origin) {
                return Err(ConnectError::Occupied { endpoint });
            }
        } else {
            let Some(runtime) = self.shared.context.runtime(self.shared.options.affinity) else {
                return Err(ConnectError::NoRuntime { endpoint });
            };
            let pipe = if self.shared.options.immediate {
                None
            } else if self.shared.knows(origin) {
                // The peer has its place, and its name, before it is reached.
                let pipe = self.shared.pipe_for(origin, None);
                if !pipe.is_attached() {
                    return Err(ConnectError::Occupied { endpoint });
                }
                Some(pipe)
            } else {
                Some(self.shared.pipe(origin))
            };
            let dial = Dial {
                shared: self.shared.clone(),
                subject: Subject::connecting(&endpoint),
                endpoint: endpoint.clone(),
                origin,
                ended: ended.clone(),
            };
            self.shared.spawn(session::dial(dial, pipe), &runtime);
        }
        self.attached(&endpoint, coming, ended, Role::Connected);
        Ok(())
    }

    /// Some sockets have one connection to an endpoint, however often they connect (R-CONN-12).
    fn is_connected_once(&self, endpoint: &Endpoint) -> bool {
        use SocketType::{Dealer, Pub, Req, Sub};
        matches!(self.shared.socket_type, Dealer | Pub | Req | Sub)
            && !matches!(endpoint, Endpoint::Inproc(_))
            && self.life.is_connected(endpoint)
    }

    fn begin_endpoint(&self) -> (Coming, CancellationToken) {
        (self.life.begin(), CancellationToken::new())
    }

    fn attached(
        &mut self,
        endpoint: &Endpoint,
        coming: Coming,
        ended: CancellationToken,
        role: Role,
    ) {
        self.last_endpoint = Some(endpoint.clone());
        self.life.attached(Attachment {
            endpoint: endpoint.clone(),
            origin: coming.origin,
            ended,
            role,
            shared: self.shared.clone(),
        });
    }

    pub(crate) async fn unbind(&mut self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        let endpoint = endpoint.to_endpoint()?;
        let found = self.remove(|one| one.is_bound() && one.endpoint == endpoint);
        let Some(attachment) = found else {
            return Err(UnbindError::NotBound { endpoint });
        };
        match attachment.role {
            Role::Bound(Some(task)) => {
                self.detach(attachment.origin);
                // The address is free when the listener is gone. It cannot have failed: it holds no lock
                // and reads no peer's bytes.
                let _ = task.await;
            }
            Role::Bound(None) | Role::Connected => {
                if let Endpoint::Inproc(name) = &endpoint {
                    inproc::unbind(&attachment.shared, name);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn disconnect(&mut self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        let endpoint = endpoint.to_endpoint()?;
        let mut found = false;
        while let Some(attachment) = self.remove(|one| !one.is_bound() && one.endpoint == endpoint)
        {
            self.detach(attachment.origin);
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(DisconnectError::NotConnected { endpoint })
        }
    }

    /// Takes an endpoint off the list and tells its tasks.
    fn remove(&mut self, is_it: impl Fn(&Attachment) -> bool) -> Option<Attachment> {
        // Pipes that came while the endpoint was there are known.
        self.read_notes();
        let attachment = self.life.remove(is_it)?;
        attachment.ended.cancel();
        Some(attachment)
    }

    /// Lets go of an endpoint's pipes: what is queued is sent within the linger time, what has come is dropped.
    fn detach(&mut self, origin: Origin) {
        self.read_notes();
        if let Some(directory) = &self.shared.directory {
            directory.release(origin);
        }
        self.sender.detach(origin);
        self.receiver.detach(origin);
        // The other half has pipes of its own to let go of, if there is one, or has left them.
        self.life.detach(origin);
        if S::ABSENT {
            self.shared.writers.post(Note::Detached(origin));
        }
        if R::ABSENT {
            self.shared.readers.post(Note::Detached(origin));
        }
    }

    pub(crate) fn last_endpoint(&self) -> Option<&Endpoint> {
        self.last_endpoint.as_ref()
    }

    // ------------------------------------------------------------ life

    /// Changes the options. Endpoints that are there already keep theirs, as libzmq's do; what can take effect
    /// at once does.
    pub(crate) fn set_options(&mut self, options: Options) {
        Arc::make_mut(&mut self.shared).set_options(options);
        self.sender.set_options(&self.shared.options);
    }

    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        let shared = Arc::make_mut(&mut self.shared);
        shared.options.linger = linger;
        shared.linger.set(linger);
    }

    pub(crate) fn monitor(&self) -> Monitor {
        self.shared.events.monitor()
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let popped = |reader: &PipeReader| (reader.id(), reader.popped());
        let popped = self.receiver.readers().map(popped).collect();
        self.shared.ledger.snapshot(&popped)
    }

    pub(crate) async fn close(self) -> Closed {
        let shared = self.shared.clone();
        drop(self);
        shared.tasks.close();
        shared.tasks.wait().await;
        Closed {
            unsent: shared.unsent(),
        }
    }

    // ------------------------------------------------------------ messages

    /// Reads what the sessions have to tell.
    #[inline]
    pub(crate) fn read_notes(&mut self) {
        if (!S::ABSENT && self.shared.writers.has_notes())
            || (!R::ABSENT && self.shared.readers.has_notes())
        {
            self.read_all_notes();
        }
    }

    #[cold]
    fn read_all_notes(&mut self) {
        self.notes.read(
            &self.life,
            &self.shared,
            &mut self.sender,
            &mut self.receiver,
        );
    }

    /// Who has sent the message that was received last.
    pub(crate) fn last_peer(&self) -> Option<Arc<Peer>> {
        self.receiver.last_sender()
    }

    /// `send` of a socket.
    #[inline(always)]
    pub(crate) fn send<W: Way<S, R>>(
        &mut self,
        message: Message,
        way: W,
    ) -> impl Future<Output = Result<(), SendError>> {
        Sending {
            message,
            core: self,
            way,
            patience: Patience::Fresh,
        }
    }

    /// `try_send` of a socket.
    #[inline]
    pub(crate) fn try_send(
        &mut self,
        mut message: Message,
        mut way: impl Way<S, R>,
    ) -> Result<(), TrySendError> {
        if message.is_empty() {
            return Err(TrySendError::NoFrames(message));
        }
        self.read_notes();
        if way.send(self, &mut message) {
            Ok(())
        } else {
            Err(TrySendError::Full(message))
        }
    }

    /// `recv` of a socket.
    #[inline(always)]
    pub(crate) fn recv<W: Source<S, R>>(
        &mut self,
        source: W,
    ) -> impl Future<Output = Result<W::Item, RecvError>> {
        Receiving {
            core: self,
            source,
            patience: Patience::Fresh,
        }
    }

    /// `try_recv` of a socket.
    #[inline]
    pub(crate) fn try_recv<W: Source<S, R>>(
        &mut self,
        mut source: W,
    ) -> Result<W::Item, TryRecvError> {
        self.read_notes();
        source.take(self).ok_or(TryRecvError::Empty)
    }

    /// Lets `take` try each time a pipe may have become readable, until it succeeds.
    pub(crate) async fn wait_to_recv<T>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        std::future::poll_fn(|cx| self.poll_recv(cx, &mut take)).await
    }

    /// Lets `route` try, and again each time a pipe may have become writable.
    pub(super) fn poll_send<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut route: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        let sent = self.poll(cx, |shared| &shared.writers, None, &mut route);
        match self.shared.options.send_ttl {
            Some(ttl) if sent.is_pending() => self.poll_expiring(cx, ttl, route),
            _ => sent,
        }
    }

    /// Lets `route` try now and then, because messages that expire make room.
    #[cold]
    fn poll_expiring<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        ttl: Duration,
        mut route: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        loop {
            let mut timer = match self.expiry.take() {
                Some(timer) => timer,
                None => Box::pin(self.timer(look_every(ttl))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                self.expiry = Some(timer);
                return Poll::Pending;
            }
            self.read_notes();
            if let Some(done) = route(self) {
                return Poll::Ready(done);
            }
        }
    }

    /// Lets `take` try, and again each time a pipe may have become readable.
    pub(super) fn poll_recv<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        take: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        let patience = self.shared.options.busy_poll;
        self.poll(cx, |shared| &shared.readers, patience, take)
    }

    fn poll<E: PipeEnd, T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        inbox: impl Fn(&Shared) -> &Inbox<E>,
        busy_poll: Option<Duration>,
        mut attempt: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        ready!(self.poll_yield(cx));
        loop {
            self.read_notes();
            if let Some(done) = attempt(self) {
                return Poll::Ready(done);
            }
            if let Some(patience) = busy_poll
                && let Some(done) = self.busy_poll(patience, &mut attempt)
            {
                return Poll::Ready(done);
            }
            if inbox(&self.shared).park(cx.waker()) {
                self.busy = 0;
                return Poll::Pending;
            }
        }
    }

    /// Drives the connections from here for a while, instead of sleeping until one of them has something.
    #[cold]
    fn busy_poll<T>(
        &mut self,
        patience: Duration,
        attempt: &mut impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let start = Instant::now();
        while start.elapsed() < patience {
            let mut moved = false;
            for connection in self.receiver.readers().filter_map(PipeReader::connection) {
                moved |= connection.exchange();
            }
            if moved || self.shared.readers.has_notes() {
                self.read_notes();
                if let Some(done) = attempt(self) {
                    return Some(done);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Ready when a message can be sent without waiting, to a socket whose peers hold it back.
    pub(super) fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_send(cx, |core| core.sender.has_room().then_some(()))
    }

    /// Counts what a call has served beyond the first message.
    pub(super) fn served(&mut self, messages: usize) {
        self.busy += messages.saturating_sub(1);
    }

    /// A timer for a call. It belongs to the socket's runtime, whatever executor polls it.
    pub(super) fn timer(&self, time: Duration) -> Sleep {
        let runtime = self.shared.context.runtime(self.shared.options.affinity);
        let _inside = runtime.as_ref().map(Handle::enter);
        tokio::time::sleep(time)
    }

    /// Whether the call may be served without yielding first.
    #[inline]
    pub(super) fn is_fresh(&mut self) -> bool {
        self.busy += 1;
        self.busy <= self.stamina
    }

    /// Yields once, before anything is done, when the application has been busy for long.
    fn poll_yield(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.busy <= self.stamina {
            return Poll::Ready(());
        }
        self.busy = 0;
        let pipes = self.sender.pipes().max(self.receiver.pipes());
        self.stamina = S::BUSY * pipes.clamp(1, S::SHARES);
        yield_to_others(cx);
        Poll::Pending
    }
}

impl<R: RecvStrategy> Core<FanOut, R> {
    /// Gives a message to all who want it, or to `only` one of them, and counts what that was. `false`: not now.
    pub(super) fn publish(&mut self, message: &mut Message, only: Option<PipeId>) -> bool {
        let sent = self.sender.send(message, only);
        self.busy += self.sender.copies() / COPIES_A_CALL;
        sent
    }
}

impl<S: SendStrategy> Core<S, Absent> {
    /// The whole again. The halves come back if they are of two sockets.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub(crate) fn unsplit<R: RecvStrategy>(
        mut self,
        mut receiver: Core<Absent, R>,
    ) -> Result<Core<S, R>, (Self, Core<Absent, R>)> {
        if !Arc::ptr_eq(&self.life, &receiver.life) {
            return Err((self, receiver));
        }
        (self.rejoined, receiver.rejoined) = (true, true);
        let whole = Core {
            life: self.life.clone(),
            sender: std::mem::take(&mut self.sender),
            receiver: std::mem::take(&mut receiver.receiver),
            shared: self.shared.clone(),
            last_endpoint: self.last_endpoint.take(),
            notes: Notes::default(),
            expiry: None,
            busy: 0,
            stamina: S::BUSY,
            rejoined: false,
        };
        Ok(whole)
    }
}

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    /// The two directions apart, each with what it needs of the socket. The endpoints are shared.
    pub(crate) fn split(mut self) -> (Core<S, Absent>, Core<Absent, R>) {
        let sender = Core {
            life: self.life.clone(),
            sender: std::mem::take(&mut self.sender),
            receiver: Absent,
            shared: self.shared.clone(),
            last_endpoint: self.last_endpoint.clone(),
            notes: Notes::default(),
            expiry: None,
            busy: 0,
            stamina: S::BUSY,
            rejoined: false,
        };
        let receiver = Core {
            life: self.life.clone(),
            sender: Absent,
            receiver: std::mem::take(&mut self.receiver),
            shared: self.shared.clone(),
            last_endpoint: self.last_endpoint.take(),
            notes: Notes::default(),
            expiry: None,
            busy: 0,
            stamina: Absent::BUSY,
            rejoined: false,
        };
        (sender, receiver)
    }
}

impl<S: SendStrategy, R: RecvStrategy> Drop for Core<S, R> {
    fn drop(&mut self) {
        // A half leaves its pipes to the other one, whose connections end with them. The last handle ends the
        // endpoints, and then the pipes; their sessions linger in the background.
        if (S::ABSENT || R::ABSENT) && !self.rejoined {
            self.life.keep(Half {
                sender: std::mem::take(&mut self.sender),
                receiver: std::mem::take(&mut self.receiver),
                shared: self.shared.clone(),
            });
        }
    }
}

/// What is left of a dropped half.
struct Half<S, R> {
    sender: S,
    receiver: R,
    shared: Arc<Shared>,
}

impl<S: SendStrategy, R: RecvStrategy> Left for Half<S, R> {
    fn detach(&mut self, life: &Life, origin: Origin) {
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        Notes::default().read(life, &self.shared, sender, receiver);
        sender.detach(origin);
        receiver.detach(origin);
    }
}

/// What notes are read into. Empty; kept for the buffers.
#[derive(Default)]
struct Notes {
    writers: VecDeque<Note<PipeWriter>>,
    readers: VecDeque<Note<PipeReader>>,
}

impl Notes {
    /// Tells the strategies what the sessions have to tell.
    fn read<S: SendStrategy, R: RecvStrategy>(
        &mut self,
        life: &Life,
        shared: &Shared,
        sender: &mut S,
        receiver: &mut R,
    ) {
        // A pipe's writer is posted before its reader: so whoever has the reader's note finds the writer's, too, and no
        // word of a peer is read that the sender does not know yet.
        if !R::ABSENT {
            shared.readers.take(&mut self.readers);
        }
        if !S::ABSENT {
            shared.writers.take(&mut self.writers);
            for note in self.writers.drain(..) {
                match note {
                    Note::Attached(writer) if life.knows(writer.origin()) => sender.attach(writer),
                    // The endpoint went while the pipe came: its session ends when it sees this end drop.
                    Note::Attached(_) => {}
                    Note::Changed(id) => sender.changed(id),
                    Note::Named(id, name) => sender.named(id, name),
                    Note::Detached(origin) => sender.detach(origin),
                }
            }
        }
        if !R::ABSENT {
            for note in self.readers.drain(..) {
                match note {
                    Note::Attached(reader) if life.knows(reader.origin()) => {
                        receiver.attach(reader);
                    }
                    Note::Attached(_) => {}
                    Note::Changed(id) => receiver.changed(id),
                    Note::Named(..) => {}
                    Note::Detached(origin) => receiver.detach(origin),
                }
            }
        }
    }
}
