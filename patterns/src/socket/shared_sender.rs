//! A sender for many tasks: one socket, or sending half, behind any number of handles.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{Mutex as Line, MutexGuard as Turn};

use super::SocketSend;
use super::traits::{Feeding, Polled};
use crate::error::{SendError, TrySendError};
use crate::sync::Mutex;

/// A sending socket, or half, that many tasks and threads feed: made by `into_shared`. Cheap to clone.
///
/// A lock is held while a message is queued, never while one waits. When the socket has no room, senders wait in a
/// line, first come, first served, and no `send` overtakes another. Messages of one handle are sent in order if each `send` is
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
pub struct SharedSender<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    state: Mutex<State<S>>,
    /// Who waits. Held by the first in the line.
    line: Line<()>,
}

struct State<S> {
    socket: S,
    /// How many are in the line. Changes under the lock only, and is at least one while somebody has the turn:
    /// so nobody else's waker takes the place of the first one's.
    waiting: usize,
}

/// Somebody's place in the line.
struct Place<'a, S> {
    shared: &'a Shared<S>,
}

impl<S> Drop for Place<'_, S> {
    fn drop(&mut self) {
        self.shared.state.lock().waiting -= 1;
    }
}

impl<S> Clone for SharedSender<S> {
    fn clone(&self) -> Self {
        SharedSender {
            shared: self.shared.clone(),
        }
    }
}

impl<S> std::fmt::Debug for SharedSender<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSender")
            .field("handles", &Arc::strong_count(&self.shared))
            .finish()
    }
}

impl<S: Feeding> SharedSender<S> {
    pub(crate) fn new(socket: S) -> Self {
        SharedSender {
            shared: Arc::new(Shared {
                state: Mutex::new(State { socket, waiting: 0 }),
                line: Line::new(()),
            }),
        }
    }

    /// Sends a message as the socket does, in turn with the other handles.
    ///
    /// # Errors
    ///
    /// As the socket's own `send`. `send_timeout` is counted from when it is this sender's turn. The message
    /// comes back.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent the message, and has left the line.
    pub async fn send(&self, message: impl Into<<S as SocketSend>::Sent>) -> Result<(), SendError> {
        let shared = &*self.shared;
        let mut message = Some(message.into());
        let mut polled = Polled::default();
        // The place in the line is given up after the turn.
        let mut place = None;
        let mut turn: Option<Turn<'_, ()>> = None;
        let first = poll_fn(|cx| {
            if turn.is_some() {
                return Poll::Ready(None);
            }
            let mut state = shared.state.lock();
            if state.waiting == 0 {
                if let Poll::Ready(sent) = state.socket.poll_send(cx, &mut message, &mut polled) {
                    return Poll::Ready(Some(sent));
                }
                turn = shared.line.try_lock().ok();
            }
            state.waiting += 1;
            place = Some(Place { shared });
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
            None => shared.line.lock().await,
        };
        let sent = poll_fn(|cx| {
            let mut state = shared.state.lock();
            state.socket.poll_send(cx, &mut message, &mut polled)
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
    /// As the socket's own `try_send`. The message comes back.
    pub fn try_send(
        &self,
        message: impl Into<<S as SocketSend>::Sent>,
    ) -> Result<(), TrySendError> {
        self.shared.state.lock().socket.try_send(message)
    }

    /// Does something else with the socket: connects it, say, or asks for its counters. All senders wait
    /// meanwhile.
    pub fn with<T>(&self, job: impl FnOnce(&mut S) -> T) -> T {
        job(&mut self.shared.state.lock().socket)
    }

    /// The socket, if this is the only handle.
    ///
    /// # Errors
    ///
    /// There are other handles. This one comes back.
    pub fn try_into_inner(self) -> Result<S, Self> {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.state.into_inner().socket),
            Err(shared) => Err(SharedSender { shared }),
        }
    }
}
