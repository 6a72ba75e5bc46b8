//! Binding and connecting, and the ends of what they made.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Core, Pattern};
use crate::connection::{self, Dial};
use crate::core::endpoint_table::{Attachment, Coming, Role};
use crate::endpoint::Endpoint;
use crate::error::{BindError, ConnectError, DisconnectError, UnbindError};
use crate::inproc;
use crate::monitor::{MonitorEventKind, Subject};
use crate::pipe::Origin;
use crate::pipe::PipeEvent;
use crate::routing::{RecvStrategy, SendStrategy};
use crate::routing_id::RoutingId;
use crate::state::Shared;
use crate::transport::{self, Listener, OpenListener};

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
    Soon(JoinSet<Result<Listener, BindError>>),
    Now(Result<Listener, BindError>),
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
        if let Some(name) = endpoint.inproc() {
            let (coming, ended) = self.begin_endpoint();
            inproc::bind(
                self.table.context.names(),
                &self.shared,
                name,
                coming.origin,
            )?;
            self.attached(&endpoint, coming, ended, Role::Bound(None));
            return Ok(Binding::Bound(endpoint));
        }
        let (shared, wanted) = (self.shared.clone(), endpoint.clone());
        let bind = async move {
            let network = shared.network();
            transport::bind(&wanted, &shared.config.options, network).await
        };
        self.begin_listening(endpoint, bind)
    }

    /// Begins to listen with a socket of the system that listens already.
    pub(crate) fn begin_adopt(&mut self, listener: OpenListener) -> Result<Binding, BindError> {
        let endpoint = listener.endpoint()?;
        let (shared, its) = (self.shared.clone(), endpoint.clone());
        let adopt = async move { transport::adopt(listener, its, &shared.config.options) };
        self.begin_listening(endpoint, adopt)
    }

    /// Has `open` run in the runtime that the listener is to belong to.
    fn begin_listening(
        &mut self,
        endpoint: Endpoint,
        open: impl Future<Output = Result<Listener, BindError>> + Send + 'static,
    ) -> Result<Binding, BindError> {
        let Some(runtime) = self.runtime() else {
            return Err(BindError::NoRuntime { endpoint });
        };
        let (coming, ended) = self.begin_endpoint();
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
        let listener = opened.inspect_err(|error| self.tell_unbound(&opening.endpoint, error))?;
        self.guard(listener.endpoint())?;
        let subject = Subject::listener(listener.endpoint(), listener.fd());
        self.shared
            .state
            .events
            .emit(&subject, MonitorEventKind::Listening);
        let endpoint = listener.endpoint().clone();
        let (coming, ended) = (opening.coming, opening.ended);
        let listen =
            connection::listen(self.shared.clone(), listener, coming.origin, ended.clone());
        let task = self.shared.spawn(listen, &opening.runtime);
        self.attached(&endpoint, coming, ended, Role::Bound(Some(task)));
        Ok(endpoint)
    }

    /// Returns where the tasks of another endpoint run. `None`: there is no runtime here.
    pub(super) fn runtime(&self) -> Option<Handle> {
        let affinity = self.options().affinity;
        self.table.context.runtime(affinity)
    }

    fn is_selective(&self) -> bool {
        let Shared { config, state } = &self.shared;
        state.authority.is_selective(&config.options)
    }

    /// Checks whether a socket that lets everybody in may listen where everybody can come.
    fn guard(&self, endpoint: &Endpoint) -> Result<(), BindError> {
        if !transport::reachable_from_other_hosts(endpoint) || self.is_selective() {
            return Ok(());
        }
        if self.shared.config.options.require_authentication {
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
            self.shared.state.events.emit(&subject, failed);
        }
    }

    pub(crate) fn connect(&mut self, endpoint: Endpoint) -> Result<(), ConnectError> {
        transport::check_connect(&endpoint, self.options())?;
        if self.is_connected_once(&endpoint) {
            return Ok(());
        }
        let (coming, ended) = self.begin_endpoint();
        self.connect_endpoint(endpoint, coming, ended)
    }

    /// Connects to a peer that is known by `name` here, whatever it calls itself (R-ROUTER-9).
    pub(crate) fn connect_as(
        &mut self,
        endpoint: Endpoint,
        name: RoutingId,
    ) -> Result<(), ConnectError> {
        transport::check_connect(&endpoint, self.options())?;
        let (coming, ended) = self.begin_endpoint();
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

    fn connect_endpoint(
        &mut self,
        endpoint: Endpoint,
        coming: Coming,
        ended: CancellationToken,
    ) -> Result<(), ConnectError> {
        let origin = coming.origin;
        if let Some(name) = endpoint.inproc() {
            if !inproc::connect(self.table.context.names(), &self.shared, name, origin) {
                return Err(ConnectError::Occupied { endpoint });
            }
        } else {
            let Some(runtime) = self.runtime() else {
                return Err(ConnectError::NoRuntime { endpoint });
            };
            let pipe = if self.shared.config.options.immediate {
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
            self.shared.spawn(connection::dial(dial, pipe), &runtime);
        }
        self.attached(&endpoint, coming, ended, Role::Connected);
        Ok(())
    }

    /// Some sockets have one connection to an endpoint, however often they connect (R-CONN-12).
    fn is_connected_once(&self, endpoint: &Endpoint) -> bool {
        self.shared.config.rules.connects_once
            && endpoint.inproc().is_none()
            && self.table.is_connected(endpoint)
    }

    fn begin_endpoint(&self) -> (Coming, CancellationToken) {
        (self.table.begin(), CancellationToken::new())
    }

    fn attached(
        &mut self,
        endpoint: &Endpoint,
        coming: Coming,
        ended: CancellationToken,
        role: Role,
    ) {
        self.last_endpoint = Some(endpoint.clone());
        self.table.attached(Attachment {
            endpoint: endpoint.clone(),
            origin: coming.origin,
            ended,
            role,
            shared: self.shared.clone(),
        });
    }

    /// Stops listening at an endpoint. Returns the listener's task, whose end frees the address.
    pub(crate) fn unbind(
        &mut self,
        endpoint: &Endpoint,
    ) -> Result<Option<JoinHandle<()>>, UnbindError> {
        let found = self.remove(|one| one.is_bound() && one.endpoint == *endpoint);
        let Some(attachment) = found else {
            return Err(UnbindError::NotBound {
                endpoint: endpoint.clone(),
            });
        };
        match attachment.role {
            Role::Bound(Some(task)) => {
                self.detach(attachment.origin);
                Ok(Some(task))
            }
            Role::Bound(None) | Role::Connected => {
                if let Some(name) = endpoint.inproc() {
                    inproc::unbind(self.table.context.names(), &attachment.shared, name);
                }
                Ok(None)
            }
        }
    }

    pub(crate) fn disconnect(&mut self, endpoint: Endpoint) -> Result<(), DisconnectError> {
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
        self.read_events();
        let attachment = self.table.remove(is_it)?;
        attachment.ended.cancel();
        Some(attachment)
    }

    /// Lets go of an endpoint's pipes: what is queued is sent within the linger time, what has come is dropped.
    fn detach(&mut self, origin: Origin) {
        self.read_events();
        if let Some(names) = &self.shared.state.peer_names {
            names.release(origin);
        }
        // First the other half is told, so that it sends nothing more there.
        if !self.direction.sends() {
            self.shared.state.writers.post(PipeEvent::Detached(origin));
        }
        if !self.direction.receives() {
            self.shared.state.readers.post(PipeEvent::Detached(origin));
        }
        // It has pipes of its own to let go of, if it is there, or has left them.
        self.table.detach(origin);
        self.sender.detach(origin);
        self.receiver.detach(origin);
    }

    pub(crate) fn last_endpoint(&self) -> Option<&Endpoint> {
        self.last_endpoint.as_ref()
    }
}
