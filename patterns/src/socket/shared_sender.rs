//! A sender for many tasks: one socket, or sending half, behind any number of handles.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::{Direction, SendSide, Socket, Whole};
use crate::capability::Sends as CanSend;
use crate::core::call::CallTimeout;
use crate::core::{IntoSent, Outgoing, Pattern};
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{
    BindError, CloseReport, ConnectError, DisconnectError, OptionError, SendError, UnbindError,
};
use crate::monitor::Monitor;
use crate::security::PeerSelector;
use crate::socket::Builder;
use crate::stats::SocketStats;
use crate::sync::Mutex;

/// A sending socket, or half, that many tasks and threads feed: made by `into_shared`. Cheap to clone.
///
/// A lock is held while a message is queued, never while one waits. When the socket has no room, senders wait in a
/// line, first come, first served. Where there is room again before the first of them has run, others may take it, but no
/// more than a thousand messages go before the first in the line. Messages of one handle are sent in order if each `send` is
/// awaited before the next. When the last handle is dropped, the socket is closed, and lingers. A full peer of a
/// `mandatory` ROUTER makes the others in the line wait, too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{PullSocket, PushSocket};
///
/// let mut pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let mut push = PushSocket::new();
/// push.connect(&endpoint)?;
/// let push = push.into_shared();
/// for number in 0..3 {
///     let push = push.clone();
///     tokio::spawn(async move { push.send(format!("from task {number}")).await });
/// }
/// for _ in 0..3 {
///     assert!(pull.recv().await?.as_str()?.starts_with("from task"));
/// }
/// # Ok(())
/// # }
/// ```
pub struct SharedSender<P: Pattern, D: Direction = Whole> {
    shared: Arc<Queue<P, D>>,
}

struct Queue<P: Pattern, D: Direction> {
    state: Mutex<State<P, D>>,
    /// Who waits in `send`. Held by the first in the line.
    line: tokio::sync::Mutex<()>,
}

/// Messages that may go before the first in the line, who has been woken but has not run: as many as a busy sender may send
/// until it yields. If none might, whoever has just sent would be behind the others in the line with the next one, and from
/// the first wait on each message would cost a turn of the scheduler.
const OVERTAKING: usize = 1000;

struct State<P: Pattern, D: Direction> {
    socket: Socket<P, D>,
    /// How many are in the line. Changes under the lock only, and is at least one while somebody has the turn:
    /// so nobody else's waker takes the place of the first one's.
    waiting: usize,
    /// How many messages have gone before the first in the line.
    overtaking: usize,
}

/// Somebody's place in the line.
struct Waiting<'a, P: Pattern, D: Direction> {
    shared: &'a Queue<P, D>,
}

impl<P: Pattern, D: Direction> Drop for Waiting<'_, P, D> {
    fn drop(&mut self) {
        self.shared.state.lock().waiting -= 1;
    }
}

impl<P: Pattern, D: Direction> Clone for SharedSender<P, D> {
    fn clone(&self) -> Self {
        SharedSender {
            shared: self.shared.clone(),
        }
    }
}

impl<P: Pattern, D: Direction> fmt::Debug for SharedSender<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender")
            .field("type", &P::RULES.socket_type)
            .field("handles", &Arc::strong_count(&self.shared))
            .finish()
    }
}

impl<P: CanSend, D: SendSide> SharedSender<P, D> {
    pub(crate) fn new(socket: Socket<P, D>) -> Self {
        SharedSender {
            shared: Arc::new(Queue {
                state: Mutex::new(State {
                    socket,
                    waiting: 0,
                    overtaking: 0,
                }),
                line: tokio::sync::Mutex::new(()),
            }),
        }
    }

    /// Sends a message as the socket does, in turn with the other handles.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`]. `send_timeout` is counted from the call, the time in the line included. The message
    /// comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message, and has left the line.
    pub async fn send(&self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        let shared = &*self.shared;
        let mut message = Some(message.into_sent());
        let mut timeout = CallTimeout::default();
        // The place in the line is given up after the turn.
        let mut place = None;
        let mut turn: Option<tokio::sync::MutexGuard<'_, ()>> = None;
        let first = poll_fn(|cx| {
            if turn.is_some() {
                return Poll::Ready(None);
            }
            let mut state = shared.state.lock();
            if state.waiting == 0 {
                if let Poll::Ready(sent) = state.socket.poll_send(cx, &mut message, &mut timeout) {
                    return Poll::Ready(Some(sent));
                }
                turn = shared.line.try_lock().ok();
            } else if state.overtaking < OVERTAKING
                && let Poll::Ready(sent) = state.socket.send_now(&mut message)
            {
                state.overtaking += 1;
                return Poll::Ready(Some(sent));
            }
            state.waiting += 1;
            place = Some(Waiting { shared });
            if turn.is_some() {
                // The socket wakes this task when there is something to do.
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
        });
        if let Some(sent) = first.await {
            return sent;
        }
        let turn = match turn {
            Some(turn) => turn,
            None => {
                let mut line = pin!(shared.line.lock());
                let turn = poll_fn(|cx| {
                    if let Poll::Ready(turn) = line.as_mut().poll(cx) {
                        return Poll::Ready(Some(turn));
                    }
                    let mut state = shared.state.lock();
                    let over = state.socket.poll_send_timeout(cx, &mut timeout);
                    over.map(|()| None)
                });
                match turn.await {
                    Some(turn) => turn,
                    None => {
                        let (_, message) = message.unwrap_or_default().into_parts();
                        return Err(SendError::Timeout(message));
                    }
                }
            }
        };
        let sent = poll_fn(|cx| {
            let mut state = shared.state.lock();
            let sent = state.socket.poll_send(cx, &mut message, &mut timeout);
            if sent.is_ready() {
                state.overtaking = 0;
            }
            sent
        })
        .await;
        drop(turn);
        drop(place);
        sent
    }

    /// Sends a message if that needs no waiting. It has no place in the line: where there is room at this moment, it
    /// takes it, also before those who wait in `send`.
    ///
    /// # Errors
    ///
    /// As [`Socket::try_send`]. The message comes back.
    pub fn try_send(&self, message: impl IntoSent<P::Sent>) -> Result<(), SendError> {
        let message = message.into_sent();
        self.with(|socket| socket.try_send(message))
    }

    /// Does something else with the socket. All senders wait meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&mut Socket<P, D>) -> T) -> T {
        act(&mut self.shared.state.lock().socket)
    }

    /// Listens at an endpoint: [`Socket::bind`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not bound anything.
    pub async fn bind(&self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        let endpoint = endpoint.to_endpoint()?;
        let begun = self.with(|socket| socket.begin_bind(endpoint))?;
        let opened = begun.opened().await;
        self.with(|socket| socket.finish_bind(opened))
    }

    /// Connects to an endpoint: [`Socket::connect`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect(&self, endpoint: impl ToEndpoint) -> Result<(), ConnectError> {
        self.with(|socket| socket.connect(endpoint))
    }

    /// Stops listening at an endpoint: [`Socket::unbind`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// The endpoint goes also if the future is dropped once it has been polled.
    pub async fn unbind(&self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        let endpoint = endpoint.to_endpoint()?;
        self.with(|socket| socket.unbind_now(&endpoint))
    }

    /// Ends all connections made to an endpoint: [`Socket::disconnect`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn disconnect(&self, endpoint: impl ToEndpoint) -> Result<(), DisconnectError> {
        self.with(|socket| socket.disconnect(endpoint))
    }

    /// Ends the living connections of a peer, and returns how many there were: [`Socket::disconnect_peer`].
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        self.with(|socket| socket.disconnect_peer(peer))
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
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.with(|socket| socket.monitor())
    }

    /// Returns the socket's counters as they stand.
    pub fn stats(&self) -> SocketStats {
        self.with(|socket| socket.stats())
    }

    /// Begins to drain the whole socket, whoever else has a handle: [`Socket::drain`].
    pub fn drain(&self, limit: Duration) {
        self.with(|socket| socket.drain(limit));
    }

    /// Drops this handle; the last one closes the socket, and waits: [`Socket::close`].
    ///
    /// # Cancel safety
    ///
    /// The handle is dropped by the first poll; a dropped future only doesn't wait for the rest.
    pub async fn close(self) -> CloseReport {
        match self.try_into_inner() {
            Ok(socket) => socket.close().await,
            Err(_) => CloseReport::default(),
        }
    }

    /// Drops this handle; the last one closes the socket, and waits: [`Socket::close_within`].
    ///
    /// # Cancel safety
    ///
    /// The handle is dropped by the first poll; a dropped future only doesn't wait for the rest.
    pub async fn close_within(self, limit: Duration) -> CloseReport {
        match self.try_into_inner() {
            Ok(socket) => socket.close_within(limit).await,
            Err(_) => CloseReport::default(),
        }
    }

    /// Returns the socket, if this is the only handle.
    ///
    /// # Errors
    ///
    /// There are other handles. This one comes back.
    pub fn try_into_inner(self) -> Result<Socket<P, D>, Self> {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.state.into_inner().socket),
            Err(shared) => Err(SharedSender { shared }),
        }
    }
}
