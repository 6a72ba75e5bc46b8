//! What a driver drives (`driver.rs`), as sessions and datagram sessions do it.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use socket2::Socket;

use super::Turn;
use crate::monitor::DisconnectReason;
use crate::pipe::SessionPipe;

/// What moves messages between a stream and a pipe: a [`Session`](super::Session).
pub(super) trait Flow: Send + 'static {
    /// Moves messages in both directions until the socket is done with the peer or the connection ends.
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>>;

    /// Sends the next that there is.
    fn poll_send(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>)
    -> Poll<io::Result<Turn>>;

    /// Takes what has come, as there is room for it, until the stream or the room says when to go on. `None`: there is
    /// something that the task has to see to. `false`: this is left to the task.
    fn bring(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Option<bool> {
        Some(false)
    }

    /// Has this waker woken by what comes from here on, or the task's if there is none. Returns whether it makes a difference.
    fn hear_by(&mut self, _: Option<Waker>) -> bool {
        false
    }

    /// Does what the task would do that was woken by what has come. `None`: there is more that the task has to see to.
    fn hear(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Option<bool> {
        None
    }

    /// Returns the socket of a stream that is lent.
    fn lent(&mut self) -> Option<Arc<Socket>> {
        None
    }

    /// Lends the stream to a thread that waits for what comes, if that is worth it. Returns the socket to wait for.
    fn lend(&mut self) -> Option<Arc<Socket>> {
        None
    }

    /// Takes what has come at a stream that is lent. `None`: there is something that the task has to see to.
    fn read_lent(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Option<bool> {
        Some(false)
    }

    /// Has the task take back a stream that is lent. `false`: it is not.
    fn want_back(&mut self) -> bool {
        false
    }

    /// Moves what can be moved now in both directions. `None`: there is something that the task has to see to.
    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool>;

    /// Returns whether there is something that the task has to see to, though nothing wakes it.
    fn needs_task(&self) -> bool {
        false
    }
}
