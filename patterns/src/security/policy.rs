//! Who is asked about a peer, and whether. Called by sessions.

use zmtp::mechanism::Credentials;

use super::{AuthRequest, Decision, Refusal, Security, zap};
use crate::peer_address::PeerAddress;
use crate::state::Shared;

/// Whether a new connection of this socket asks before it lets its peer in. PLAIN servers do so anyway.
pub(crate) fn asks(shared: &Shared) -> bool {
    let options = &shared.options;
    let has_domain = options.zap_domain.is_some();
    let has_authenticator = || {
        let context = &shared.context;
        context.authenticator().is_some() || zap::is_bound(context)
    };
    match options.security {
        Security::CurveServer { .. } if options.zap_enforce_domain => has_domain,
        Security::CurveServer { .. } => has_authenticator(),
        Security::Null => has_domain && (options.zap_enforce_domain || has_authenticator()),
        _ => false,
    }
}

/// Whether this socket lets nobody in without knowing or asking who they are.
pub(crate) fn is_selective(shared: &Shared) -> bool {
    match shared.options.security {
        // It knows the one server that it talks to.
        Security::CurveClient { .. } | Security::PlainServer => true,
        // It tells its password to whoever comes.
        Security::PlainClient(_) => false,
        _ => asks(shared),
    }
}

/// Asks.
pub(crate) async fn decide(
    shared: &Shared,
    address: &PeerAddress,
    credentials: Credentials,
) -> Decision {
    let options = &shared.options;
    let request = AuthRequest {
        domain: options.zap_domain.clone().unwrap_or_default(),
        address: address.clone(),
        routing_id: options.routing_id.clone().unwrap_or_default(),
        socket_type: shared.rules.socket_type,
        credentials,
    };
    let mechanism = request.credentials.mechanism();
    let decision = if let Some(authenticator) = shared.context.authenticator() {
        authenticator.decide(request).await
    } else if zap::is_bound(&shared.context) {
        zap::ask(&shared.context, &request).await
    } else {
        tracing::warn!(
            mechanism,
            "a peer was turned away: this socket's context has no authenticator"
        );
        // It may come yet; a peer that is told more never tries again.
        Err(Refusal::Temporary)
    };
    match &decision {
        Ok(admission) => {
            tracing::debug!(%address, mechanism, user_id = %admission.user_id, "peer admitted");
        }
        Err(refusal) => tracing::debug!(%address, mechanism, %refusal, "peer refused"),
    }
    decision
}
