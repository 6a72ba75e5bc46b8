//! A requester's options.

use std::time::Duration;

use super::Requester;
use super::asks::Asks;
use super::error::RequesterError;
use super::owner::{self, Defaults};
use crate::core::Access;
use crate::error::OptionError;
use crate::socket::Socket;

/// How long a request waits for its answer, if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many requests are under way: as many as there is room for at one peer by default.
const UNDER_WAY: usize = 1000;

/// Makes a [`Requester`] with other options than the defaults: [`Requester::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use purezmq::{DealerSocket, Requester};
///
/// let requester = Requester::builder()
///     .timeout(Duration::from_millis(500))
///     .retries(2)
///     .max_under_way(100)
///     .build(DealerSocket::new())?;
/// # drop(requester);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder makes no requester before build() is called"]
pub struct RequesterBuilder {
    defaults: Defaults,
    most: usize,
}

impl RequesterBuilder {
    pub(super) fn new() -> Self {
        RequesterBuilder {
            defaults: Defaults {
                timeout: Some(TIMEOUT),
                retries: 0,
                #[cfg(feature = "opentelemetry")]
                traces: false,
            },
            most: UNDER_WAY,
        }
    }

    /// How long each try of a request is waited for; the first from when its future is first polled, the time in the line
    /// included. `None`: for ever. Default: 30 s.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.defaults.timeout = timeout.into();
        self
    }

    /// How often a request is sent again that had no answer in time. For requests that may be carried out twice only.
    /// Each is kept until it is answered, for that. Default: 0.
    pub fn retries(mut self, retries: u32) -> Self {
        self.defaults.retries = retries;
        self
    }

    /// Whether each request bears the span that is the current one of OpenTelemetry when it is made, in its envelope:
    /// [`trace_context`](crate::trace_context) says how, and how a server finds it. Servers that do not know it answer as ever.
    /// Default: `false`.
    #[cfg(feature = "opentelemetry")]
    #[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
    pub fn trace_context(mut self, on: bool) -> Self {
        self.defaults.traces = on;
        self
    }

    /// How many requests may be under way; others wait for a place, first come, first served. Allowed: at least 1.
    /// Default: 1,000, as many as fit between two sockets by default: with more, raise the servers' `send_hwm`, too, since a
    /// ROUTER drops answers that have no room.
    pub fn max_under_way(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Makes the requester, of a socket that may be bound or connected already. The socket's `send_timeout` and
    /// `recv_timeout` mean nothing to it.
    ///
    /// # Errors
    ///
    /// An option is out of range; the socket does `conflate`, which has it drop requests and answers; or no tokio runtime
    /// with timers is running here. The socket is dropped.
    pub fn build<P: Asks>(self, socket: Socket<P>) -> Result<Requester<P>, RequesterError> {
        let refused = |option, value: String, allowed| {
            let error = OptionError::Value {
                option,
                value,
                allowed,
            };
            Err(RequesterError::Option(error))
        };
        if self.most == 0 {
            return refused("max_under_way", "0".to_owned(), "at least 1");
        }
        if socket.handle.peek(|core| core.options().conflate) {
            return refused("conflate", "true".to_owned(), "false, for a requester");
        }
        Ok(Requester::of(owner::start(
            socket,
            self.defaults,
            self.most,
        )?))
    }
}
