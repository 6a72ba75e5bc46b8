//! Binding and connecting, and the ends of what they made.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::places::BIND;
use super::{Core, Pattern};
use crate::connection::{self, EndpointGuard, Listening, datagram};
use crate::core::endpoint_table::{Attachment, Coming, Role};
use crate::endpoint::Endpoint;
use crate::error::{
    BindError, ConnectError, DisconnectError, EndpointGone, GoneReason, UnbindError,
};
use crate::inproc;
use crate::monitor::{EndpointRecord, MonitorEventKind, Subject};
use crate::pipe::Origin;
use crate::routing::{RecvStrategy, SendStrategy};
use crate::routing_id::{PeerId, RoutingId};
use crate::runtime;
use crate::transport::{self, Listener, Mailbox, OpenListener};

/// A bind under way: between its first step, in which the socket is asked, and its last, there is no hold on the socket.
pub(crate) enum Binding {
    /// It needed no waiting.
    Bound(Endpoint),
    /// The listener is being opened, in the runtime that it is to belong to.
    Opening(Box<Opening>),
}

pub(crate) struct Opening {
    endpoint: Endpoint,
    coming: Coming,
    ended: CancellationToken,
    runtime: Handle,
    listener: Opened,
}

enum Opened {
    /// One task, which is aborted if the call that waits for it is dropped.
    Soon(JoinSet<Result<Door, BindError>>),
    Now(Result<Door, BindError>),
}

/// What peers come in by.
enum Door {
    Listener(Listener),
    Mailbox(Arc<dyn Mailbox>),
}

impl Binding {
    /// Waits for the listener.
    pub(crate) async fn opened(mut self) -> Self {
        if let Binding::Opening(opening) = &mut self
            && let Opened::Soon(task) = &mut opening.listener
        {
            let opened = task.join_next().await.expect("a task was spawned");
            let failed = |error: tokio::task::JoinError| BindError::Io {
                endpoint: opening.endpoint.clone(),
                source: error.into(),
            };
            opening.listener = Opened::Now(opened.map_err(failed).flatten());
        }
        self
    }
}

impl<P: Pattern> Core<P> {
    /// Begins to listen at an endpoint.
    pub(crate) fn begin_bind(&mut self, endpoint: Endpoint) -> Result<Binding, BindError> {
        if self.table.has_ended() {
            return Err(BindError::ContextClosed { endpoint });
        }
        self.check_protocol(&endpoint, BIND)?;
        if P::RULES.has_datagrams_only() && self.table.has_any() {
            return Err(BindError::Occupied { endpoint });
        }
        if let Some(name) = endpoint.inproc() {
            let (coming, ended) = self.begin_endpoint(Origin::bound);
            inproc::bind(
                self.table.context.names(),
                &self.shared,
                name,
                coming.origin,
            )?;
            let role = (Role::Bound(None), None);
            if !self.attached(&endpoint, None, coming, ended, role) {
                return Err(BindError::ContextClosed { endpoint });
            }
            return Ok(Binding::Bound(endpoint));
        }
        let (shared, wanted) = (self.shared.clone(), endpoint.clone());
        if transport::carries_datagrams(&endpoint) {
            let bind = async move {
                let network = shared.network();
                let bound = transport::bind_mailbox(&wanted, &shared.config.options, network);
                bound.await.map(Door::Mailbox)
            };
            return self.begin_listening(endpoint, |call| Origin::bound(call).of_datagrams(), bind);
        }
        let bind = async move {
            let network = shared.network();
            let bound = transport::bind(&wanted, &shared.config.options, network);
            bound.await.map(Door::Listener)
        };
        self.begin_listening(endpoint, Origin::bound, bind)
    }

    /// Begins to listen with a socket of the system that listens already.
    pub(crate) fn begin_adopt(&mut self, listener: OpenListener) -> Result<Binding, BindError> {
        let endpoint = listener.endpoint()?;
        if self.table.has_ended() {
            return Err(BindError::ContextClosed { endpoint });
        }
        self.check_protocol(&endpoint, BIND)?;
        let (shared, its) = (self.shared.clone(), endpoint.clone());
        let adopt = async move {
            let adopted = transport::adopt(listener, its, &shared.config.options);
            adopted.map(Door::Listener)
        };
        self.begin_listening(endpoint, Origin::bound, adopt)
    }

    /// Has `open` run in the runtime that the listener is to belong to.
    fn begin_listening(
        &mut self,
        endpoint: Endpoint,
        origin: fn(u32) -> Origin,
        open: impl Future<Output = Result<Door, BindError>> + Send + 'static,
    ) -> Result<Binding, BindError> {
        let Some(runtime) = self.runtime() else {
            return Err(BindError::NoRuntime { endpoint });
        };
        if let Some(lacks) = self.lacks(&runtime) {
            return Err(BindError::RuntimeLacks { endpoint, lacks });
        }
        let (coming, ended) = self.begin_endpoint(origin);
        let mut listener = JoinSet::new();
        listener.spawn_on(open, &runtime);
        Ok(Binding::Opening(Box::new(Opening {
            endpoint,
            coming,
            ended,
            runtime,
            listener: Opened::Soon(listener),
        })))
    }

    /// Accepts from the listener that was opened.
    pub(crate) fn finish_bind(&mut self, binding: Binding) -> Result<Endpoint, BindError> {
        let opening = match binding {
            Binding::Bound(endpoint) => return Ok(endpoint),
            Binding::Opening(opening) => *opening,
        };
        let Opened::Now(opened) = opening.listener else {
            unreachable!("a binding is finished once it is opened");
        };
        let door = opened.inspect_err(|error| self.tell_unbound(&opening.endpoint, error))?;
        if self.table.has_ended() {
            let endpoint = opening.endpoint;
            return Err(BindError::ContextClosed { endpoint });
        }
        let endpoint = match &door {
            Door::Listener(listener) => listener.endpoint().clone(),
            Door::Mailbox(mailbox) => mailbox.endpoint().clone(),
        };
        self.guard(&endpoint)?;
        let (coming, ended) = (opening.coming, opening.ended);
        let listening = self.enter(door, coming.origin, &ended, &opening.runtime);
        let given = Some(opening.endpoint).filter(Endpoint::is_definite);
        let record = listening.subject().record().clone();
        let role = (Role::Bound(Some(listening)), Some(record));
        if !self.attached(&endpoint, given, coming, ended, role) {
            return Err(BindError::ContextClosed { endpoint });
        }
        Ok(endpoint)
    }

    /// Begins to take what comes in.
    fn enter(
        &self,
        door: Door,
        origin: Origin,
        ended: &CancellationToken,
        runtime: &Handle,
    ) -> Arc<Listening> {
        let shared = &self.shared;
        let begun = |listening: &Listening| {
            let subject = listening.subject();
            shared
                .state
                .events
                .emit(subject, MonitorEventKind::Listening);
        };
        match door {
            Door::Listener(listener) => {
                let listening = Listening::new(listener);
                begun(&listening);
                let guard = EndpointGuard::listening(shared, &listening, origin, ended);
                let listen = connection::listen(guard, listening.clone());
                shared.spawn(origin, listen, runtime);
                listening
            }
            Door::Mailbox(mailbox) => {
                let (listening, task) = datagram::serve(mailbox, shared, origin, ended);
                begun(&listening);
                shared.spawn(origin, task, runtime);
                listening
            }
        }
    }

    /// Returns where the tasks of another endpoint run. `None`: there is no runtime here.
    pub(super) fn runtime(&self) -> Option<Handle> {
        let affinity = self.options().affinity;
        self.table.context.runtime(affinity)
    }

    /// Returns what a runtime lacks that is to run an endpoint's tasks. A context's own has all.
    fn lacks(&self, runtime: &Handle) -> Option<&'static str> {
        if self.table.context.has_io_threads() {
            return None;
        }
        runtime::lacks(runtime, self.shared.network().is_none())
    }

    /// Tells the monitors of a bind that failed for a reason that lies outside of the call.
    fn tell_unbound(&self, endpoint: &Endpoint, error: &BindError) {
        if let Some(cause) = error.cause() {
            let subject = Subject::unbound(endpoint);
            let failed = MonitorEventKind::BindFailed(Arc::new(cause));
            self.shared.state.events.emit(&subject, failed);
        }
    }

    pub(crate) fn connect(&mut self, endpoint: Endpoint) -> Result<(), ConnectError> {
        self.check_connect(&endpoint)?;
        if self.is_connected_once(&endpoint) {
            return Ok(());
        }
        let (coming, ended) = self.begin_connecting(&endpoint);
        self.connect_endpoint(endpoint, coming, ended)
    }

    /// Begins an endpoint that is to be connected.
    fn begin_connecting(&self, endpoint: &Endpoint) -> (Coming, CancellationToken) {
        self.begin_endpoint(match transport::carries_datagrams(endpoint) {
            true => |call| Origin::connected(call).of_datagrams(),
            false => Origin::connected,
        })
    }

    /// Connects to a peer that is known by `name` here, whatever it calls itself ([R-ROUTER-9]).
    ///
    /// [R-ROUTER-9]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-9
    pub(crate) fn connect_as(
        &mut self,
        endpoint: Endpoint,
        name: RoutingId,
    ) -> Result<(), ConnectError> {
        self.check_connect(&endpoint)?;
        self.forget_left(&endpoint);
        let (coming, ended) = self.begin_connecting(&endpoint);
        let origin = coming.origin;
        let shared = self.shared.clone();
        let names = shared.state.peer_names.as_ref();
        if names.is_some_and(|names| !names.reserve(&name, origin)) {
            return Err(ConnectError::RoutingIdInUse { name });
        }
        let connected = self.connect_endpoint(endpoint, coming, ended);
        if let (Err(_), Some(names)) = (&connected, names) {
            names.release(origin);
        }
        connected
    }

    /// Connects to a peer that is known by a number here, which is made up now.
    pub(crate) fn connect_peer(&mut self, endpoint: Endpoint) -> Result<PeerId, ConnectError> {
        let names = self.shared.state.peer_names.as_ref();
        let Some(id) = names.and_then(|names| names.next_number()) else {
            let socket_type = P::RULES.socket_type;
            return Err(ConnectError::Unsupported {
                endpoint,
                socket_type,
            });
        };
        self.connect_as(endpoint, id.name())?;
        Ok(id)
    }

    fn connect_endpoint(
        &mut self,
        endpoint: Endpoint,
        coming: Coming,
        ended: CancellationToken,
    ) -> Result<(), ConnectError> {
        let origin = coming.origin;
        let (mut by_name, mut record) = (None, None);
        if let Some(name) = endpoint.inproc() {
            by_name = inproc::connect(self.table.context.names(), &self.shared, name, origin);
            if by_name.is_none() {
                return Err(ConnectError::Occupied { endpoint });
            }
        } else {
            let Some(runtime) = self.runtime() else {
                return Err(ConnectError::NoRuntime { endpoint });
            };
            if let Some(lacks) = self.lacks(&runtime) {
                return Err(ConnectError::RuntimeLacks { endpoint, lacks });
            }
            let has_datagrams = origin.has_datagrams();
            let pipe = if has_datagrams {
                Some(self.shared.pipe(origin))
            } else if self.shared.config.options.immediate {
                None
            } else if self.shared.knows(origin) {
                // The peer has its place, and its name, before it is reached.
                let (pipe, admitted) = self.shared.pipe_for(origin, None);
                if admitted.is_err() {
                    return Err(ConnectError::Occupied { endpoint });
                }
                Some(pipe)
            } else {
                Some(self.shared.pipe(origin))
            };
            let subject = Subject::connecting(&endpoint);
            record = Some(subject.record().clone());
            let guard =
                EndpointGuard::connecting(&self.shared, subject, origin, &ended, pipe.as_ref());
            match pipe {
                Some(pipe) if has_datagrams => {
                    let send = datagram::connect(pipe, guard);
                    self.shared.spawn(origin, send, &runtime);
                }
                pipe => {
                    let dial = connection::dial(pipe, guard);
                    self.shared.spawn(origin, dial, &runtime);
                }
            }
            let liveness = &self.shared.state.liveness;
            let gone = liveness.gone(origin);
            if gone.is_some_and(|gone| gone.reason == GoneReason::RuntimeEnded) {
                // The runtime takes no tasks any more. On another thread, the task may have come to its end already.
                liveness.forget(origin);
                return Err(ConnectError::NoRuntime { endpoint });
            }
        }
        if self.shared.state.liveness.is_any_gone() {
            // What the endpoint has received, should it have been here before, is known before it is here anew.
            self.read_events();
        }
        let role = (Role::Connected(by_name), record);
        if !self.attached(&endpoint, None, coming, ended, role) {
            return Err(ConnectError::ContextClosed { endpoint });
        }
        Ok(())
    }

    /// Forgets connections by inproc to a peer that has left, and frees their names: nothing connects them again ([R-INP-4]).
    ///
    /// [R-INP-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-inp-4
    fn forget_left(&mut self, endpoint: &Endpoint) {
        let state = self.shared.state.clone();
        let has_left = |one: &Attachment| match one.role {
            Role::Connected(Some(pipe)) => one.endpoint == *endpoint && !state.stats.is_read(pipe),
            _ => false,
        };
        while let Some((attachment, _)) = self.remove(endpoint, has_left) {
            if let Some(names) = &state.peer_names {
                names.release(attachment.origin);
            }
        }
    }

    /// Some sockets have one connection to an endpoint, however often they connect ([R-CONN-12]).
    ///
    /// [R-CONN-12]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-12
    fn is_connected_once(&self, endpoint: &Endpoint) -> bool {
        self.shared.config.rules.connects_once
            && endpoint.inproc().is_none()
            && self.table.is_connected(endpoint)
    }

    /// Begins an endpoint: one that is [bound](Origin::bound) or [connected](Origin::connected).
    fn begin_endpoint(&self, origin: fn(u32) -> Origin) -> (Coming, CancellationToken) {
        (self.table.begin(origin), CancellationToken::new())
    }

    /// Adds an endpoint. `false`: the context is closed.
    fn attached(
        &mut self,
        endpoint: &Endpoint,
        given: Option<Endpoint>,
        coming: Coming,
        ended: CancellationToken,
        (role, record): (Role, Option<Arc<EndpointRecord>>),
    ) -> bool {
        let is_attached = self.table.attached(Attachment {
            endpoint: endpoint.clone(),
            given,
            origin: coming.origin,
            ended,
            role,
            shared: self.shared.clone(),
            record,
        });
        if is_attached {
            self.last_endpoint = Some(endpoint.clone());
        }
        is_attached
    }

    /// Stops listening at an endpoint, whose address is free when this returns. An endpoint that `bind` returned comes
    /// before one that it was given.
    pub(crate) fn unbind(&mut self, endpoint: &Endpoint) -> Result<(), UnbindError> {
        let found = self
            .remove(endpoint, |one| one.is_bound() && one.endpoint == *endpoint)
            .or_else(|| {
                self.remove(endpoint, |one| {
                    one.is_bound() && one.given.as_ref() == Some(endpoint)
                })
            });
        let Some((attachment, gone)) = found else {
            let endpoint = endpoint.clone();
            return Err(match self.table.has_ended() {
                true => UnbindError::ContextClosed { endpoint },
                false => UnbindError::NotBound { endpoint },
            });
        };
        if attachment.endpoint.inproc().is_none() {
            self.detach(attachment.origin);
        }
        gone.map_or(Ok(()), |gone| Err(UnbindError::Gone(gone)))
    }

    pub(crate) fn disconnect(&mut self, endpoint: Endpoint) -> Result<(), DisconnectError> {
        let mut done: Result<(), Option<Arc<EndpointGone>>> = Err(None);
        while let Some((attachment, gone)) =
            self.remove(&endpoint, |one| !one.is_bound() && one.endpoint == endpoint)
        {
            self.detach(attachment.origin);
            done = match gone {
                // One that was there is what the caller meant.
                Some(gone) => done.map_err(|_| Some(gone)),
                None => Ok(()),
            };
        }
        done.map_err(|gone| match gone {
            Some(gone) => DisconnectError::Gone(gone),
            None if self.table.has_ended() => DisconnectError::ContextClosed { endpoint },
            None => DisconnectError::NotConnected { endpoint },
        })
    }

    /// Takes an endpoint off the list and tells its tasks. With it comes why it was gone before, if it was.
    fn remove(
        &mut self,
        called: &Endpoint,
        is_it: impl Fn(&Attachment) -> bool,
    ) -> Option<(Attachment, Option<Arc<EndpointGone>>)> {
        // Pipes that came while the endpoint was there are known.
        self.read_events();
        let attachment = self.table.remove(called, is_it)?;
        let gone = attachment.gone();
        attachment.end(&self.table.context);
        Some((attachment, gone))
    }

    /// Lets go of an endpoint's pipes: what is queued is sent within the linger time. What has come is still to be had
    /// from a bound one, as from peers that leave ([R-CONN-4]), and dropped of a connected one ([R-CONN-14]).
    ///
    /// [R-CONN-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-4
    /// [R-CONN-14]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-14
    fn detach(&mut self, origin: Origin) {
        self.read_events();
        if let Some(names) = &self.shared.state.peer_names {
            names.release(origin);
        }
        // First the other half is told, so that it sends nothing more there.
        let state = &self.shared.state;
        if !self.direction.sends() {
            state.writers.detach(origin);
        }
        if !self.direction.receives() {
            state.readers.detach(origin);
        }
        // In this order: with its last end, the pipe's task is woken.
        self.receiver.begin_letting_go(origin);
        self.sender.detach(origin);
        self.receiver.let_go(origin);
    }

    pub(crate) fn last_endpoint(&self) -> Option<&Endpoint> {
        self.last_endpoint.as_ref()
    }
}
