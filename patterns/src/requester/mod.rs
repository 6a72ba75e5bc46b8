//! [`Requester`]: requests from many tasks by one socket, each with its own answer.
//!
//! ```text
//!   task ─ request ─┐                            asks.rs        the wire form, by socket type
//!   task ─ request ─┼─► Requester ──► DEALER     requests.rs    who has a place, who waits, what has come
//!   task ─ request ─┘       ▲   ◄── its task     request.rs     one request: a future
//!                           └── answers          owner.rs       the task, and what it and the handles share
//! ```
//!
//! A request is sent by whoever makes it, if a peer has room: those that follow each other closely leave in one write. What
//! has no room, and what comes, the requester's own task sees to: it takes answers by the batch, and wakes whoever waits for
//! them. It is never one of the application's futures that moves the others on: one that is held and not polled
//! holds up nobody.

mod asks;
mod builder;
mod error;
mod owner;
mod request;
mod requests;
#[cfg(feature = "tower")]
mod service;
mod statistics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::owner::Handle;
pub use asks::Asks;
pub use builder::RequesterBuilder;
pub use error::{RequestError, RequesterError};
pub use request::Request;
pub use statistics::RequesterStatistics;

use crate::core::IntoSent;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, OptionError, UnbindError,
};
use crate::monitor::Monitor;
use crate::socket::{Builder, Socket};
use crate::sockets::Dealer;
use crate::stats::SocketStats;
use zmtp::Message;

/// Asks from many tasks at once, by one socket: each request is a future with its own answer, in whatever order they come.
/// Cheap to clone.
///
/// It numbers requests as REQ does with `correlate`: any REP answers them, and any ROUTER that sends back what stands in
/// front of the body ([`Routed::respond`](crate::Routed::respond)). Each goes to the next peer that has room, as a DEALER's
/// messages do. An answer counts if it comes from who was asked: by the same connection, by the next one of that endpoint,
/// or from the same user, key or routing id that has come back. Answers that nobody waits for any more, and what is no
/// answer, are dropped and counted, in [`statistics`](Self::statistics), and as `discarded` in [`stats`](Self::stats).
///
/// **Time.** Without an answer within its [timeout](RequesterBuilder::timeout), 30 s unless it is told otherwise, a request
/// is sent again as often as it may be ([retries](RequesterBuilder::retries), 0 times), and fails then. All tries have the
/// same number: whichever is answered first, that is the answer, also if it was thought late; later ones are
/// dropped. So retry only what may be carried out twice. The next try goes to the next peer.
///
/// **Bounds.** At most [1,000](RequesterBuilder::max_under_way) requests are under way; others wait, first come, first
/// served. A ROUTER drops what has no room at its client: the bound is as many answers as fit by default.
///
/// **Cancelling.** A dropped request leaves the line, or its answer is dropped and counted. What was sent is sent.
///
/// **Who owns what.** The socket is the requester's; a task of the runtime in which it was made, or of the I/O threads of its
/// context, receives. When that runtime ends, the requests fail. When the last handle, and the last request, is dropped,
/// the socket is closed, and lingers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{DealerSocket, Requester, RouterSocket};
///
/// let mut server = RouterSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let requester = Requester::new(DealerSocket::new())?;
/// requester.connect(&endpoint)?;
///
/// let first = tokio::spawn(requester.request("first question"));
/// let second = tokio::spawn(requester.request("second question"));
/// let requests = [server.recv_message().await?, server.recv_message().await?];
/// // In any order.
/// for request in requests.iter().rev() {
///     let question = String::from_utf8_lossy(request.body().next().unwrap());
///     server.send(request.respond(question.replace("question", "answer"))).await?;
/// }
/// assert_eq!(first.await??, "first answer");
/// assert_eq!(second.await??, "second answer");
/// # Ok(())
/// # }
/// ```
pub struct Requester<P: Asks = Dealer> {
    handle: Arc<Handle<P>>,
    /// The place that `poll_ready` has taken for the next call.
    #[cfg(feature = "tower")]
    place: Option<service::Place<P>>,
}

/// What is left of a requester that has been drained or closed: its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequesterReport {
    /// Requests that had no answer at the end, and were told so.
    pub unanswered: usize,
    /// What was left of the socket.
    pub socket: CloseReport,
}

impl<P: Asks> Clone for Requester<P> {
    fn clone(&self) -> Self {
        Requester::of(self.handle.clone())
    }
}

impl<P: Asks> fmt::Debug for Requester<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requester")
            .field("type", &P::RULES.socket_type)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

impl Requester {
    /// Begins a requester with options of its own.
    pub fn builder() -> RequesterBuilder {
        RequesterBuilder::new()
    }
}

impl<P: Asks> Requester<P> {
    /// Makes one of a socket, which may be bound or connected already, with the default options.
    ///
    /// # Errors
    ///
    /// As [`RequesterBuilder::build`].
    pub fn new(socket: Socket<P>) -> Result<Self, RequesterError> {
        RequesterBuilder::new().build(socket)
    }

    fn of(handle: Arc<Handle<P>>) -> Self {
        Requester {
            handle,
            #[cfg(feature = "tower")]
            place: None,
        }
    }

    /// Asks: the future is the answer. It does nothing before it is polled, keeps the requester alive, and can be moved to
    /// another task. [`timeout`](Request::timeout) and [`retries`](Request::retries) are its own, if they are given.
    ///
    /// ```
    /// # async fn ask(requester: purezmq::Requester) -> Result<(), purezmq::RequestError> {
    /// use std::time::Duration;
    ///
    /// let answer = requester.request("question").timeout(Duration::from_secs(1)).retries(3).await?;
    /// # drop(answer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is no answer, and what helps.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the line, or has its answer dropped. What was sent is sent: it may be carried out.
    pub fn request(&self, message: impl IntoSent<Message>) -> Request<P> {
        Request::new(self.handle.clone(), message.into_sent())
    }

    /// Returns what has been asked and answered so far.
    pub fn statistics(&self) -> RequesterStatistics {
        self.handle.shared.with(|state| state.requests.statistics())
    }

    /// Does something else with the socket. All requests wait meanwhile. What is sent so has no number, and what is
    /// received so is nobody's answer.
    ///
    /// `None`: the requester is closed.
    pub fn with<T>(&self, act: impl FnOnce(&mut Socket<P>) -> T) -> Option<T> {
        self.handle.shared.with_socket(act)
    }

    /// Connects to an endpoint: [`Socket::connect`].
    ///
    /// # Errors
    ///
    /// As there; a closed requester's context counts as closed.
    pub fn connect(&self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        let endpoint = endpoint.to_endpoint()?;
        self.with(|socket| socket.connect(endpoint.clone()))
            .unwrap_or(Err(ConnectError::ContextClosed { endpoint }))
    }

    /// Ends all connections made to an endpoint: [`Socket::disconnect`]. What was asked there is not answered any more.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn disconnect(&self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        let endpoint = endpoint.to_endpoint()?;
        self.with(|socket| socket.disconnect(endpoint.clone()))
            .unwrap_or(Err(DisconnectError::ContextClosed { endpoint }))
    }

    /// Listens at an endpoint, for servers that connect: [`Socket::bind`].
    ///
    /// # Errors
    ///
    /// As there; a closed requester's context counts as closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not bound anything.
    pub async fn bind(&self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let endpoint = endpoint.to_endpoint()?;
        let closed = BindError::ContextClosed {
            endpoint: endpoint.clone(),
        };
        let Some(begun) = self.with(|socket| socket.begin_bind(endpoint)) else {
            return Err(closed);
        };
        let opened = begun?.opened().await;
        self.with(|socket| socket.finish_bind(opened))
            .unwrap_or(Err(closed))
    }

    /// Stops listening at an endpoint: [`Socket::unbind`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unbind(&self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        let endpoint = endpoint.to_endpoint()?;
        self.with(|socket| socket.unbind_now(&endpoint))
            .unwrap_or(Err(UnbindError::ContextClosed { endpoint }))
    }

    /// Changes options of the socket: [`Socket::set_options`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_options(
        &self,
        change: impl FnOnce(Builder<Socket<P>>) -> Builder<Socket<P>>,
    ) -> Result<(), OptionError> {
        self.with(|socket| socket.set_options(change))
            .unwrap_or(Err(OptionError::ContextClosed))
    }

    /// Watches what happens to the socket's connections from now on. `None`: the requester is closed.
    pub fn monitor(&self) -> Option<Monitor> {
        self.with(|socket| socket.monitor())
    }

    /// Returns the socket's counters as they stand. `None`: the requester is closed.
    pub fn stats(&self) -> Option<SocketStats> {
        self.with(|socket| socket.stats())
    }

    /// Takes no new requests, of any handle; waits until those that were begun have their answers, or are given up; and
    /// closes. After `limit`, those that are left fail with [`RequestError::Closed`], and nothing lingers.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has had new requests refused, if it was polled, and closes nothing: call it again.
    pub async fn drain(&self, limit: Duration) -> RequesterReport {
        let begun = Instant::now();
        let timer = self.handle.timer(limit);
        self.handle.shared.begin_drain();
        tokio::select! {
            biased;
            () = self.handle.shared.idle() => {}
            () = timer => {}
        }
        let (unanswered, socket) = self.handle.shared.end(RequestError::Closed);
        let socket = match socket {
            Some(socket) => {
                let left = limit.saturating_sub(begun.elapsed());
                socket.close_within(left).await
            }
            None => CloseReport::default(),
        };
        RequesterReport { unanswered, socket }
    }

    /// Closes the socket for all handles. Requests that are under way, or wait, fail with [`RequestError::Closed`]; those
    /// that are queued still leave within the socket's linger time.
    ///
    /// # Cancel safety
    ///
    /// It is closed by the first poll; a dropped future only doesn't wait for what lingers.
    pub async fn close(&self) -> RequesterReport {
        let (unanswered, socket) = self.handle.shared.end(RequestError::Closed);
        let socket = match socket {
            Some(socket) => socket.close().await,
            None => CloseReport::default(),
        };
        RequesterReport { unanswered, socket }
    }
}
