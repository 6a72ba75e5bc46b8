//! Who is asked about a peer, and whether: an application's [`Authenticator`](super::Authenticator), or whoever is
//! bound to ZAP's name. A context has one [`Authority`]; sessions ask it.

use std::sync::Arc;

use zmtp::SocketType;
use zmtp::mechanism::{Asks, Credentials};

use super::zap::{self, ZapClient};
use super::{AnyAuthenticator, AuthRequest, Decision, Refusal};
use crate::logs;
use crate::options::Options;
use crate::peer_address::PeerAddress;
use crate::sync::Mutex;

/// Decides about the peers of all sockets of a context.
pub(crate) struct Authority {
    authenticator: Mutex<Option<Arc<dyn AnyAuthenticator>>>,
    /// The way to a ZAP handler.
    pub(super) zap: Box<dyn ZapClient>,
}

impl Authority {
    /// Returns one without an authenticator.
    pub(crate) fn new(zap: Box<dyn ZapClient>) -> Self {
        Authority {
            authenticator: Mutex::new(None),
            zap,
        }
    }

    /// Takes another authenticator, or none, from the next question on.
    pub(crate) fn set(&self, authenticator: Option<Arc<dyn AnyAuthenticator>>) {
        let old = std::mem::replace(&mut *self.authenticator.lock(), authenticator);
        drop(old); // without the lock: it is the application's code
    }

    fn authenticator(&self) -> Option<Arc<dyn AnyAuthenticator>> {
        self.authenticator.lock().clone()
    }

    /// Returns whether a new connection of this socket asks before it lets its peer in: as its mechanism has it, and as
    /// there is somebody to ask.
    pub(crate) fn asks(&self, options: &Options) -> bool {
        let has_domain = options.zap_domain.is_some();
        let has_authenticator = || self.authenticator().is_some() || self.zap.is_bound();
        match options.security.asks() {
            Asks::Never => false,
            Asks::Always => true,
            Asks::IfPossible if options.zap_enforce_domain => has_domain,
            Asks::IfPossible => has_authenticator(),
            Asks::InDomain => has_domain && (options.zap_enforce_domain || has_authenticator()),
        }
    }

    /// Returns whether this socket lets nobody in without knowing or asking who they are.
    pub(crate) fn is_selective(&self, options: &Options) -> bool {
        options.security.knows_peer() || self.asks(options)
    }

    /// Asks about a peer of a socket with these options.
    pub(crate) async fn decide(
        self: &Arc<Self>,
        options: &Options,
        socket_type: SocketType,
        address: &PeerAddress,
        credentials: Credentials,
    ) -> Decision {
        let request = AuthRequest {
            domain: options.zap_domain.clone().unwrap_or_default(),
            address: address.clone(),
            routing_id: options.routing_id.clone().unwrap_or_default(),
            socket_type,
            credentials,
        };
        let mechanism = request.credentials.mechanism();
        let who = request.credentials.who();
        let decision = if let Some(authenticator) = self.authenticator() {
            authenticator.decide(request).await
        } else if self.zap.is_bound() {
            zap::ask(self, &request).await
        } else {
            tracing::warn!(
                target: logs::SECURITY,
                socket = options.name,
                %address,
                mechanism,
                "peer refused: the socket's context has no authenticator"
            );
            // It may come yet; a peer that is told more never tries again.
            Err(Refusal::Temporary)
        };
        match &decision {
            Ok(admission) => {
                tracing::debug!(
                    target: logs::SECURITY,
                    socket = options.name,
                    %address,
                    mechanism,
                    user_id = ?admission.user_id,
                    "peer admitted"
                );
            }
            Err(refusal) => tracing::debug!(
                target: logs::SECURITY,
                socket = options.name,
                %address,
                mechanism,
                refused = who,
                %refusal,
                "peer refused"
            ),
        }
        decision
    }
}
