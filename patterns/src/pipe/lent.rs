//! [`LentStream`]: the stream of a connection, in the hands of a thread that waits for what comes.

use std::fmt;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use socket2::Socket;

use super::ends::deliver;
use super::{Drive, IncomingEnd, PipeReader};

/// The stream of a connection, lent to a thread that waits for its next message ([`AnySocket::lend`]). The thread waits until
/// the descriptor is readable, and then [reads](Self::read). To be dropped after the wait: as long as this is held, a
/// connection that ends is not closed.
///
/// [`AnySocket::lend`]: crate::AnySocket::lend
pub struct LentStream {
    connection: Arc<dyn Drive>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "no stream is lent there"))]
    socket: Arc<Socket>,
}

impl LentStream {
    fn of(connection: Arc<dyn Drive>) -> Option<Self> {
        let socket = connection.lend()?;
        Some(LentStream { connection, socket })
    }

    /// Takes what has come, to where the socket receives it, and returns without waiting. Nothing that was sent is lost if
    /// the stream has gone back to its I/O thread meanwhile: then nothing is read here.
    pub fn read(&self) {
        self.connection.read_lent();
    }
}

impl PipeReader {
    /// Lends the connection's stream, if that is worth it, or has done so.
    #[inline]
    pub(crate) fn lend(&self) -> Option<LentStream> {
        match self.lane.lends() {
            true => LentStream::of(self.connection()?),
            false => None,
        }
    }
}

impl IncomingEnd {
    /// Notes whether the connection may lend its stream to who waits for messages.
    pub(crate) fn set_lends(&self, lends: bool) {
        self.lane.set_lends(lends);
    }

    /// Has whoever waits for messages look again.
    pub(crate) fn stir(&self) {
        let wakeup = self.lane.lock().reader.notify();
        deliver(wakeup, self.id);
    }
}

#[cfg(unix)]
impl AsFd for LentStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for LentStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl fmt::Debug for LentStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentStream").finish_non_exhaustive()
    }
}
