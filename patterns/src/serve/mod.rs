//! [`Server`]: a ROUTER or REP whose requests a [`tower`](https://docs.rs/tower) service answers.
//!
//! ```text
//!   clients ──► ROUTER ──► body ──► service: so many calls at once, a task each
//!           ◄──        ◄── envelope + answer ◄──
//! ```
//!
//! A request is taken only when the service is ready and a place is free: what has neither waits in the socket's pipes, up
//! to the high-water marks, and then at the clients. Draining is the socket's ([`Socket::drain`](crate::Socket::drain)).

mod handle;
mod serves;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustc_hash::FxHashMap;
use thiserror::Error;
use tokio::task::{Id, JoinSet};
use tower_service::Service;
use zmtp::Message;

pub use handle::{ServerHandle, ServerStatistics};
pub use serves::Serves;

use crate::coop::yield_to_others;
use crate::error::{CloseReport, EndpointGone, RecvError};
use crate::socket::Socket;

/// Requests that are taken, and answers that are sent, before the other has its turn.
const BURST: usize = 64;

/// Turns before the task yields.
const TURNS: usize = 16;

/// How many calls are made at once, if nobody says otherwise.
const CALLS: usize = 100;

/// Makes the answer to a request whose call has failed.
type Tell<E> = Box<dyn Fn(&E) -> Message + Send>;

/// Answers the requests that a ROUTER or REP socket receives by a tower service: the service is called with the body of
/// each, and what it returns goes back in the same envelope, to REQ, DEALER and [`Requester`](crate::Requester) clients,
/// through any proxy.
///
/// At most [`concurrency`](Self::concurrency) calls are made at once, each in a task of its own, and answered in the order in
/// which they are done; a REP is served one at a time. A call that fails, or panics, is answered with one empty frame, or
/// what [`answer_failed`](Self::answer_failed) says. Answers to clients that have gone, or do not read, are dropped and
/// counted, as the socket does; with `mandatory`, a client that does not read holds up the others.
///
/// The [handle](Self::handle) drains it: it takes no new requests, answers those that it has, and closes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use purezmq::serve::Server;
/// use purezmq::{DealerSocket, Message, Requester, RouterSocket};
/// use tower::service_fn;
///
/// let mut router = RouterSocket::new();
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// let double = service_fn(|request: Message| async move {
///     let number: u64 = request.as_str()?.parse()?;
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>((2 * number).to_string())
/// });
/// let server = Server::new(router, double).concurrency(16);
/// let handle = server.handle();
/// let running = tokio::spawn(server.run());
///
/// let requester = Requester::new(DealerSocket::new())?;
/// requester.connect(&endpoint)?;
/// assert_eq!(requester.request("21").await?, "42");
/// // It fails, and is answered all the same.
/// assert_eq!(requester.request("no number").await?, "");
///
/// handle.drain(Duration::from_secs(10));
/// let report = running.await??;
/// assert_eq!((report.unanswered, report.socket.unread), (0, 0));
/// # Ok(())
/// # }
/// ```
#[must_use = "a server does nothing before it runs"]
pub struct Server<P: Serves, S: Service<Message>> {
    socket: Socket<P>,
    service: S,
    /// It has been found ready, and not been called since.
    is_ready: bool,
    most: usize,
    failed: Tell<S::Error>,
    calls: JoinSet<Result<S::Response, S::Error>>,
    askers: FxHashMap<Id, P::Asker>,
    /// What has no room at its client yet.
    answer: Option<(P::Asker, Message)>,
    handle: ServerHandle,
    drains: bool,
    /// Nothing more is taken, and why.
    over: Option<Result<(), ServerError<S::Error>>>,
}

/// What is left of a server that has ended: its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Requests that were taken and not answered, because the limit of the drain was over.
    pub unanswered: usize,
    /// What was left of the socket.
    pub socket: CloseReport,
}

/// A server ended without being told to. What it had taken it has answered, and its socket is closed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError<E> {
    /// The service will never be ready again, and says why.
    #[error("the service has failed: {0}")]
    Service(E),
    /// Every endpoint of the socket is gone: no request can come. Bind or connect again, with a new socket.
    #[error("nothing is left that a request could come from: {0}")]
    Gone(Arc<EndpointGone>),
    /// The socket's context has been [closed](crate::Context::close).
    #[error("the server's context is closed")]
    ContextClosed,
}

impl<P: Serves, S: Service<Message>> fmt::Debug for Server<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("socket", &self.socket)
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl<P, S> Server<P, S>
where
    P: Serves,
    S: Service<Message, Response: Into<Message> + Send + 'static, Error: Send + 'static>,
    S::Future: Send + 'static,
{
    /// Makes a server of a ROUTER or REP socket, which may be bound or connected already, and a service. It does nothing
    /// before it [runs](Self::run). The socket's `send_timeout` and `recv_timeout` mean nothing to it, and what a ROUTER is
    /// told of peers is passed over.
    pub fn new(socket: Socket<P>, service: S) -> Self {
        Server {
            socket,
            service,
            is_ready: false,
            most: CALLS.min(P::MOST_AT_ONCE),
            failed: Box::new(|_| Message::from("")),
            calls: JoinSet::new(),
            askers: FxHashMap::default(),
            answer: None,
            handle: ServerHandle::default(),
            drains: false,
            over: None,
        }
    }

    /// How many calls are made at once; at least 1. Default: 100. A REP is served one at a time.
    pub fn concurrency(mut self, most: usize) -> Self {
        self.most = most.clamp(1, P::MOST_AT_ONCE);
        self
    }

    /// Makes the answer to a request whose call has failed. Default: one empty frame. A call that panics is answered with
    /// that in any case.
    pub fn answer_failed(mut self, answer: impl Fn(&S::Error) -> Message + Send + 'static) -> Self {
        self.failed = Box::new(answer);
        self
    }

    /// Returns the socket: to bind it, and for its statistics and monitor. The server receives from it.
    pub fn socket(&mut self) -> &mut Socket<P> {
        &mut self.socket
    }

    /// Returns a handle that drains the server, and tells what it has done, from anywhere. Cheap to clone.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Answers requests until it has been drained, and closes the socket.
    ///
    /// # Errors
    ///
    /// [`ServerError`]: it ended without being told to.
    ///
    /// # Panics
    ///
    /// No tokio runtime is running here.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends: calls are aborted, and the socket is closed.
    pub async fn run(mut self) -> Result<ServerReport, ServerError<S::Error>> {
        poll_fn(|cx| self.poll(cx)).await;
        let unanswered = self.askers.len() + usize::from(self.answer.is_some());
        self.calls.abort_all();
        let socket = self.socket.close().await;
        self.over.unwrap_or(Ok(()))?;
        Ok(ServerReport { unanswered, socket })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.handle.watch(cx);
        for _ in 0..TURNS {
            if let Some(limit) = self.handle.limit() {
                if !std::mem::replace(&mut self.drains, true) {
                    self.socket.drain(limit);
                }
                if self.socket.handle.poll_drain_limit(cx).is_ready() {
                    return Poll::Ready(());
                }
            }
            let answered = self.answer(cx);
            let took = self.take(cx);
            if self.over.is_some() && self.askers.is_empty() && self.answer.is_none() {
                return Poll::Ready(());
            }
            if !answered && !took {
                return Poll::Pending;
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }

    /// Sends a burst of answers. `false`: there was none, or no room.
    fn answer(&mut self, cx: &mut Context<'_>) -> bool {
        for sent in 0..BURST {
            if self.answer.is_none() {
                self.answer = match self.next_answer(cx) {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => return sent > 0,
                };
            }
            if P::poll_answer(&mut self.socket, cx, &mut self.answer).is_pending() {
                return sent > 0;
            }
        }
        true
    }

    /// Returns the answer of a call that is done. Pending: none is, now.
    fn next_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<(P::Asker, Message)>> {
        let (id, answer) = match self.calls.poll_join_next_with_id(cx) {
            Poll::Ready(Some(Ok((id, Ok(answer))))) => {
                self.handle.counts().answered();
                (id, answer.into())
            }
            Poll::Ready(Some(Ok((id, Err(error))))) => {
                self.handle.counts().failed();
                (id, (self.failed)(&error))
            }
            Poll::Ready(Some(Err(panicked))) => {
                self.handle.counts().failed();
                (panicked.id(), Message::from(""))
            }
            Poll::Ready(None) | Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(self.askers.remove(&id).map(|asker| (asker, answer)))
    }

    /// Takes a burst of requests, and has the service called. `false`: there was none, or no place. (If there was one, its
    /// call is still to be waited for.)
    fn take(&mut self, cx: &mut Context<'_>) -> bool {
        for taken in 0..BURST {
            // What cannot be answered is not taken either.
            let is_full = self.askers.len() >= self.most || self.answer.is_some();
            if self.over.is_some() || is_full {
                return taken > 0;
            }
            if !self.is_ready {
                match self.service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => self.is_ready = true,
                    Poll::Ready(Err(error)) => {
                        self.over = Some(Err(ServerError::Service(error)));
                        return true;
                    }
                    Poll::Pending => return taken > 0,
                }
            }
            match P::poll_take(&mut self.socket, cx) {
                Poll::Ready(Ok((asker, body))) => {
                    self.is_ready = false;
                    self.handle.counts().taken();
                    let call = self.calls.spawn(self.service.call(body));
                    self.askers.insert(call.id(), asker);
                }
                Poll::Ready(Err(error)) => {
                    self.over = Some(match error {
                        RecvError::Gone(last) => Err(ServerError::Gone(last)),
                        RecvError::ContextClosed => Err(ServerError::ContextClosed),
                        // It drains; the others cannot be, for who waits without end and in turn.
                        _ => Ok(()),
                    });
                    return true;
                }
                Poll::Pending => return taken > 0,
            }
        }
        true
    }
}
