//! Endpoints that are gone though the socket has not let go of them: which, and why. The tasks of endpoints say so
//! (`connection/guard.rs`); calls that would wait for ever return it, and the monitor tells.

use thiserror::Error;

use crate::endpoint::Endpoint;

/// An endpoint is gone: nothing dials or listens there any more, though the socket has neither disconnected nor unbound
/// it. Connecting or binding there again makes it anew.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{endpoint} is gone: {reason}")]
#[non_exhaustive]
pub struct EndpointGone {
    /// As it was connected, or as `bind` returned it.
    pub endpoint: Endpoint,
    /// Why it went.
    pub reason: GoneReason,
}

impl EndpointGone {
    pub(crate) fn new(endpoint: Endpoint, reason: GoneReason) -> Self {
        EndpointGone { endpoint, reason }
    }
}

/// Why an endpoint is [gone](EndpointGone), or a connection has ended with its task.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GoneReason {
    /// The tokio runtime in which `bind` or `connect` was called has ended, and its tasks with it.
    #[error(
        "its runtime has ended; connect or bind again, or use Context::with_io_threads for connections that outlive \
         runtimes"
    )]
    RuntimeEnded,
    /// Its task panicked, in something that the application had it call, such as a certificate verifier. (An authenticator
    /// that panics refuses the peer.)
    #[error("its task panicked, in a callback of the application's")]
    Panicked,
    /// The peer refused this side with an ERROR command, which is final.
    #[error("the peer refused for good: {reason:?}")]
    Refused {
        /// What the peer said.
        reason: String,
    },
    /// The peer has another security mechanism, or a socket type that does not go with this one: only a changed
    /// configuration helps.
    #[error("{reason}")]
    Incompatible {
        /// What does not fit.
        reason: String,
    },
    /// The connection ended, or could not be made, and reconnecting is off.
    #[error("{last}, and reconnecting is off")]
    NotReconnecting {
        /// What was the matter with the last connection, or attempt.
        last: String,
    },
    /// The connection ended, or could not be made, and `reconnect_stop` names that.
    #[error("{last}, and the option reconnect_stop ends the endpoint then")]
    Stopped {
        /// What was the matter with the last connection, or attempt.
        last: String,
    },
    /// The socket has let go of the peer, because another one took its place.
    #[error("another peer has taken its place")]
    Replaced,
}
