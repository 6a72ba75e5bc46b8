//! Who is asked about a peer, and whether: an application's [`Authenticator`](super::Authenticator), or whoever is
//! bound to ZAP's name. A context has one [`Authority`]; sessions ask it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use zmtp::SocketType;
use zmtp::mechanism::{Admission, Asks, Credentials};

use super::zap::{self, ZapClient};
use super::{AnyAuthenticator, AuthRequest, Refusal};
use crate::error::ZapError;
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

    /// Takes another authenticator, from the next question on.
    pub(crate) fn set(&self, authenticator: Arc<dyn AnyAuthenticator>) {
        let old = self.authenticator.lock().replace(authenticator);
        drop(old); // without the lock: it is the application's code
    }

    /// Does without an authenticator, and without the ZAP handler that there was, from the next question on.
    pub(crate) fn remove(&self) {
        self.zap.forget();
        let old = self.authenticator.lock().take();
        drop(old);
    }

    fn authenticator(&self) -> Option<Arc<dyn AnyAuthenticator>> {
        self.authenticator.lock().clone()
    }

    /// Returns who is to be asked about a peer that has said who it is.
    fn decider(&self, options: &Options, access: Access) -> Decider {
        if let Some(authenticator) = self.authenticator() {
            return Decider::Authenticator(authenticator);
        }
        if self.zap.is_bound() {
            return Decider::Handler;
        }
        let must_ask = options.security.asks() == Asks::Always
            || options.zap_enforce_domain
            || access == Access::Guarded && !options.security.knows_peer();
        if must_ask || self.zap.was_bound() {
            return Decider::Missing;
        }
        Decider::NotNeeded
    }

    /// Returns whether this socket lets nobody in, as things are, without knowing or asking who they are.
    pub(crate) fn is_selective(&self, options: &Options) -> bool {
        let lets_in = || matches!(self.decider(options, Access::Open), Decider::NotNeeded);
        options.security.knows_peer() || asks(options) && !lets_in()
    }

    /// Decides about a peer of a socket with these options: who decides is found now, when the peer has said who it is.
    pub(crate) async fn decide(
        self: &Arc<Self>,
        options: &Options,
        socket_type: SocketType,
        access: Access,
        address: &PeerAddress,
        credentials: Credentials,
    ) -> Result<Admission, Refused> {
        let decider = self.decider(options, access);
        if let Decider::NotNeeded = decider {
            return Ok(Admission::default());
        }
        let request = AuthRequest {
            domain: options.zap_domain.clone().unwrap_or_default(),
            address: address.clone(),
            routing_id: options.routing_id.clone().unwrap_or_default(),
            socket_type,
            credentials,
        };
        let mechanism = request.credentials.mechanism();
        let who = request.credentials.who();
        let decision = match decider {
            Decider::Authenticator(authenticator) => {
                let decided = unpanicking(|| authenticator.decide(request)).await;
                decided.unwrap_or_else(|| {
                    tracing::error!(target: logs::SECURITY, socket = options.name, %address, mechanism, "peer refused: the authenticator has panicked");
                    Err(Refusal::Internal)
                })
            }
            Decider::Handler => match zap::ask(self, &request).await {
                Ok(decision) => decision,
                Err(error) => {
                    tracing::warn!(target: logs::SECURITY, socket = options.name, %address, mechanism, %error, "peer refused: no decision from the ZAP handler");
                    return Err(Refused::Undecided(error));
                }
            },
            Decider::Missing | Decider::NotNeeded => {
                tracing::warn!(
                    target: logs::SECURITY,
                    socket = options.name,
                    %address,
                    mechanism,
                    "peer refused: the socket's context has no authenticator"
                );
                // It may come yet; a peer that is told more never tries again.
                Err(Refusal::Temporary)
            }
        };
        // What peers and handlers say is quoted: a name may have line breaks, and worse, in it.
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
        decision.map_err(Refused::By)
    }
}

/// Returns whether connections of a socket with these options stop, once their peer has said who it is, for a decision.
/// Whether there is somebody to decide then, they find then.
pub(crate) fn asks(options: &Options) -> bool {
    match options.security.asks() {
        Asks::Never => false,
        Asks::Always | Asks::IfPossible => true,
        Asks::InDomain => options.zap_domain.is_some(),
    }
}

/// By which way a peer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is asked of it but what the mechanism asks.
    Open,
    /// From where other machines can come, to a socket that `require_authentication`: who could not have been bound to
    /// does not let in.
    Guarded,
}

/// Who decides about a peer.
enum Decider {
    Authenticator(Arc<dyn AnyAuthenticator>),
    Handler,
    /// There should be one.
    Missing,
    NotNeeded,
}

/// Why a peer does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// So it was decided.
    By(Refusal),
    /// The ZAP handler has decided nothing.
    Undecided(ZapError),
}

/// Runs an application's future, and returns nothing if it panics. What it has broken of the application's, only that
/// can know.
async fn unpanicking<'a, T: 'a>(
    make: impl FnOnce() -> Pin<Box<dyn Future<Output = T> + Send + 'a>>,
) -> Option<T> {
    let mut future = catch_unwind(AssertUnwindSafe(make)).ok()?;
    let result = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        },
    );
    result.await
}
