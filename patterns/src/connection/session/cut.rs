//! What becomes of a session whose task goes before it is done: because its runtime ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::AsyncWrite;

use super::{Session, Turn};
use crate::connection::driver::TURNS;
use crate::connection::flow::Flow;
use crate::connection::guard::ConnectionGuard;
use crate::connection::handover;
use crate::pipe::SessionPipe;
use crate::transport::ByteStream;

impl Session {
    /// Goes on elsewhere if its socket has been dropped and lingers. Otherwise what was sent is written as far as the system
    /// takes it now, and the socket hears that the peer has left; the rest is the guard's to count.
    pub(super) fn cut_short(self: Box<Self>, pipe: SessionPipe, guard: &ConnectionGuard) {
        if let Some(pipe) = self.save(pipe, guard) {
            pipe.peer_left(guard.shared.config.tells_of_peers());
        }
    }

    /// Saves what can be saved, and gives the pipe back unless the session goes on elsewhere.
    fn save(
        mut self: Box<Self>,
        mut pipe: SessionPipe,
        guard: &ConnectionGuard,
    ) -> Option<SessionPipe> {
        if std::thread::panicking() || guard.shared.network().is_some() {
            return Some(pipe);
        }
        let has_something = pipe.outgoing.unsent() > 0 || self.has_sent_lately;
        if !has_something {
            return Some(pipe);
        }
        if let Some(home) = handover::home(&guard.shared, &pipe) {
            let inside = home.enter();
            let moved = self.stream.move_here();
            drop(inside);
            if let Err(error) = &moved
                && error.kind() != io::ErrorKind::Unsupported
            {
                // There is no stream any more.
                return Some(pipe);
            }
            if moved.is_ok() {
                let endpoint = guard.subject.endpoint();
                let ticket = handover::begin(&home, endpoint, &pipe);
                let guard = guard.hand_over(&pipe);
                let (shared, origin) = (guard.shared.clone(), guard.origin);
                // They belong to the runtime that ends.
                (self.timer, self.patience) = (None, None);
                let going_on = async move {
                    self.linger(guard, pipe).await;
                    drop(ticket);
                };
                shared.spawn(origin, going_on, &home);
                return None;
            }
        }
        self.write_now(&mut pipe);
        Some(pipe)
    }

    /// Serves the connection to its end, in another task than before.
    async fn linger(self: Box<Self>, guard: ConnectionGuard, pipe: SessionPipe) {
        let (pipe, reason) = self.go_on(&guard, pipe).await;
        drop(pipe);
        guard.end(reason);
    }

    /// Writes what is queued, as far as the system takes it without waiting, and ends the stream so that the peer gets it.
    fn write_now(&mut self, pipe: &mut SessionPipe) {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_send(pipe, &mut cx) {
                Poll::Ready(Ok(Turn::Moved | Turn::MovedAll)) => {}
                Poll::Ready(Err(_)) => return,
                Poll::Ready(Ok(Turn::Finished)) | Poll::Pending => break,
            }
        }
        let _ = self.stream.push_out(&mut cx);
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut cx);
        // What lies unread when it is closed has the peer lose what it has not read.
        for _ in 0..TURNS {
            match self.stream.read_now(&mut self.scratch, usize::MAX) {
                Ok(read) if !read.is_empty() => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
