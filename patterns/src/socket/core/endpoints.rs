//! Binding and connecting, and the ends of what they made.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Core;
use crate::connection::{self, Dial};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{BindError, ConnectError, DisconnectError, UnbindError};
use crate::inproc;
use crate::monitor::{MonitorEventKind, Subject};
use crate::pipe::Origin;
use crate::pipe::PipeEvent;
use crate::routing::{RecvStrategy, SendStrategy};
use crate::routing_id::RoutingId;
use crate::socket::endpoint_table::{Attachment, Coming, Role};
use crate::state::Shared;
use crate::transport::{self, Listener, OpenListener};

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    pub(crate) async fn bind(&mut self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let endpoint = endpoint.to_endpoint()?;
        if let Some(name) = endpoint.inproc() {
            let (coming, ended) = self.begin_endpoint();
            inproc::bind(self.life.context.names(), &self.shared, name, coming.origin)?;
            self.attached(&endpoint, coming, ended, Role::Bound(None));
            return Ok(endpoint);
        }
        let (shared, wanted) = (self.shared.clone(), endpoint.clone());
        let bind = async move {
            let network = shared.network();
            transport::bind(&wanted, &shared.config.options, network).await
        };
        self.listen(endpoint, bind).await
    }

    pub(crate) async fn adopt(&mut self, listener: OpenListener) -> Result<Endpoint, BindError> {
        let endpoint = listener.endpoint()?;
        let (shared, its) = (self.shared.clone(), endpoint.clone());
        let adopt = async move { transport::adopt(listener, its, &shared.config.options) };
        self.listen(endpoint, adopt).await
    }

    /// Accepts from what `open` gives, which it does in the runtime that the listener is to belong to.
    async fn listen(
        &mut self,
        endpoint: Endpoint,
        open: impl Future<Output = Result<Listener, BindError>> + Send + 'static,
    ) -> Result<Endpoint, BindError> {
        let Some(runtime) = self
            .life
            .context
            .runtime(self.shared.config.options.affinity)
        else {
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
        let subject = Subject::listener(listener.endpoint(), listener.fd());
        self.shared
            .state
            .events
            .emit(&subject, MonitorEventKind::Listening);
        let endpoint = listener.endpoint().clone();
        let listen =
            connection::listen(self.shared.clone(), listener, coming.origin, ended.clone());
        let task = self.shared.spawn(listen, &runtime);
        self.attached(&endpoint, coming, ended, Role::Bound(Some(task)));
        Ok(endpoint)
    }

    fn is_selective(&self) -> bool {
        let Shared { config, state } = &self.shared;
        state.authority.is_selective(&config.options)
    }

    /// Whether a socket that lets everybody in may listen where everybody can come.
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

    pub(crate) fn connect(&mut self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        let endpoint = endpoint.to_endpoint()?;
        transport::check_connect(&endpoint, &self.shared.config.options)?;
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
        transport::check_connect(&endpoint, &self.shared.config.options)?;
        let (coming, ended) = self.begin_endpoint();
        let origin = coming.origin;
        let shared = self.shared.clone();
        let directory = shared.state.peer_names.as_ref();
        if directory.is_some_and(|directory| !directory.reserve(&name, origin)) {
            return Err(ConnectError::RoutingIdInUse { name });
        }
        let connected = self.connect_endpoint(endpoint, coming, ended);
        if let (Err(_), Some(directory)) = (&connected, directory) {
            directory.release(origin);
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
            if !inproc::connect(self.life.context.names(), &self.shared, name, origin) {
                return Err(ConnectError::Occupied { endpoint });
            }
        } else {
            let Some(runtime) = self
                .life
                .context
                .runtime(self.shared.config.options.affinity)
            else {
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
                if let Some(name) = endpoint.inproc() {
                    inproc::unbind(self.life.context.names(), &attachment.shared, name);
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
        if let Some(directory) = &self.shared.state.peer_names {
            directory.release(origin);
        }
        // First the other half is told, so that it sends nothing more there.
        if S::ABSENT {
            self.shared.state.writers.post(PipeEvent::Detached(origin));
        }
        if R::ABSENT {
            self.shared.state.readers.post(PipeEvent::Detached(origin));
        }
        // It has pipes of its own to let go of, if it is there, or has left them.
        self.life.detach(origin);
        self.sender.detach(origin);
        self.receiver.detach(origin);
    }

    pub(crate) fn last_endpoint(&self) -> Option<&Endpoint> {
        self.last_endpoint.as_ref()
    }
}
