//! Writes that end in an error where the peer is gone, and in nothing else. Called by [`Stream`](super::Stream).
//!
//! A write to a socket whose other end is closed raises SIGPIPE, which ends a process in which the signal has the
//! system's default: programs whose `main` is not Rust's, and those that want it so. The standard library asks for no
//! signal where it sends to a TCP socket, but not where it writes several pieces, nor to a Unix socket. Apple's systems
//! have an option of the socket for it instead, which every library that makes one sets.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

#[cfg(target_vendor = "apple")]
const QUIET: SendFlags = SendFlags::empty();
#[cfg(not(target_vendor = "apple"))]
const QUIET: SendFlags = SendFlags::NOSIGNAL;

/// A socket of the runtime, as far as it is written to.
pub(super) trait Writable: AsFd {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn try_write(&self, write: impl FnMut() -> io::Result<usize>) -> io::Result<usize>;
}

macro_rules! sockets {
    ($($socket:ty)+) => {
        $(impl Writable for $socket {
            #[inline]
            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            #[inline]
            fn try_write(&self, write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
                self.try_io(Interest::WRITABLE, write)
            }
        })+
    };
}
sockets!(TcpStream UnixStream);

/// Writes one piece, without a runtime.
pub(super) fn write(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, QUIET)?)
}

/// Writes several pieces by one call of the system, without a runtime.
pub(super) fn write_vectored(socket: &impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = SendAncillaryBuffer::default();
    Ok(sendmsg(socket, pieces, &mut nothing, QUIET)?)
}

/// Writes one piece.
#[inline]
pub(super) fn poll_write(
    socket: &impl Writable,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    poll(socket, cx, bytes.len(), || write(socket, bytes))
}

/// Writes several pieces, `all` bytes together, by one call of the system.
#[inline]
pub(super) fn poll_write_vectored(
    socket: &impl Writable,
    cx: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
    all: usize,
) -> Poll<io::Result<usize>> {
    poll(socket, cx, all, || write_vectored(socket, pieces))
}

/// Writes as soon as the runtime says that there is room. A write that is cut has met the end of it: the next one waits
/// for the system to say so, and does not ask in vain.
#[inline]
fn poll(
    socket: &impl Writable,
    cx: &mut Context<'_>,
    all: usize,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    use io::ErrorKind::{Interrupted, WouldBlock};
    loop {
        ready!(socket.poll_write_ready(cx))?;
        let mut cut = None;
        let done = socket.try_write(|| {
            let written = write()?;
            if 0 < written && written < all {
                cut = Some(written);
                return Err(WouldBlock.into());
            }
            Ok(written)
        });
        if let Some(written) = cut {
            return Poll::Ready(Ok(written));
        }
        match done {
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
            done => return Poll::Ready(done),
        }
    }
}
