//! [`Lent`]: a socket's stream that is taken out of its runtime, for a thread that waits for what comes by asking the system.
//!
//! Nothing here wakes a task. A read finds something only after somebody has said that there is something
//! ([`note_readable`](Lent::note_readable)); what cannot be written now wants the stream back in its runtime
//! ([`is_wanted_back`](Lent::is_wanted_back)). Made by [`Stream::lend`](super::Stream::lend); when that is done, and when it
//! ends, is the session's to say (`connection/session/lending.rs`).

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use super::{ByteStream, Stream, quiet, sockopt, tcp};

/// Bytes that a read may take without asking first how many there are: their memory is cleared before, since the standard
/// library reads into no other.
const FEW: usize = 4096;

/// Which kind of stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Ipc,
}

/// A stream without a runtime.
#[derive(Debug)]
#[allow(
    unreachable_pub,
    reason = "it is part of `Stream`, which a simulation sees"
)]
pub struct Lent {
    /// Who waits for it holds it as well.
    socket: Arc<Socket>,
    kind: Kind,
    /// The system has said that there is something to read, and not all of it was taken since.
    is_readable: bool,
    /// Something has to wait for the system.
    wants_runtime: bool,
    /// When its session looks whether it is still read.
    pub(crate) look_at: Instant,
    /// It was read since then.
    pub(crate) is_read: bool,
}

impl Lent {
    /// Takes a stream out of its runtime. Any other stream than one of a socket stays as it is.
    ///
    /// # Errors
    /// The system's. There is no stream any more then.
    pub(super) fn take(stream: Stream, look_at: Instant) -> io::Result<Stream> {
        let (socket, kind) = match stream {
            Stream::Tcp(one) => (Socket::from(one.into_std()?), Kind::Tcp),
            Stream::Ipc(one) => (Socket::from(one.into_std()?), Kind::Ipc),
            other => return Ok(other),
        };
        Ok(Stream::Lent(Box::new(Lent {
            socket: Arc::new(socket),
            kind,
            is_readable: false,
            wants_runtime: false,
            look_at,
            is_read: false,
        })))
    }

    /// Gives it to the runtime that is entered here.
    ///
    /// # Errors
    /// The system's. There is no stream any more then.
    pub(super) fn give_back(self) -> io::Result<Stream> {
        // Whoever waits for it lets go of it when it looks again.
        let socket = Arc::try_unwrap(self.socket).or_else(|socket| socket.try_clone())?;
        Ok(match self.kind {
            Kind::Tcp => Stream::Tcp(TcpStream::from_std(socket.into())?),
            Kind::Ipc => Stream::Ipc(UnixStream::from_std(socket.into())?),
        })
    }

    /// Returns what to wait for, unless it is to go back to its runtime.
    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        (!self.wants_runtime).then(|| self.socket.clone())
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.kind == Kind::Tcp
    }

    /// Notes that the system has something to read.
    pub(crate) fn note_readable(&mut self) {
        self.is_readable = true;
    }

    /// Returns whether there is something to read, as far as is known.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Returns whether it is to go back to its runtime.
    pub(crate) fn is_wanted_back(&self) -> bool {
        self.wants_runtime
    }

    /// Has it go back to its runtime.
    pub(crate) fn want_back(&mut self) {
        self.wants_runtime = true;
    }

    pub(super) fn poll_write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_writing(|socket| quiet::write_vectored(socket, pieces))
    }

    fn poll_writing(
        &mut self,
        write: impl Fn(&Socket) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let written = again(|| write(&self.socket));
        self.wants_runtime |= written.is_pending();
        written
    }
}

/// Does what a signal may interrupt. Pending: the system is not ready for it.
fn again(mut attempt: impl FnMut() -> io::Result<usize>) -> Poll<io::Result<usize>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            done => return Poll::Ready(done),
        }
    }
}

impl ByteStream for Lent {
    fn segment(&self) -> usize {
        match self.kind {
            Kind::Tcp => tcp::SEGMENT,
            Kind::Ipc => usize::MAX,
        }
    }

    fn head(&self) -> usize {
        match self.kind {
            Kind::Tcp => tcp::HEAD,
            Kind::Ipc => usize::MAX,
        }
    }

    fn expect_large(&self) {
        let socket = SockRef::from(&*self.socket);
        match self.kind {
            Kind::Tcp => sockopt::more_unsent(&socket),
            Kind::Ipc => sockopt::more_on_the_way(&socket),
        }
    }

    fn fd(&self) -> Option<i32> {
        Some(self.socket.as_raw_fd())
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.socket).read(buffer)
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_readable() {
            return Poll::Pending;
        }
        let mut room = buffer.remaining();
        let mut is_all = false;
        if room > FEW {
            let there = rustix::io::ioctl_fionread(&*self.socket)?;
            let there = usize::try_from(there).unwrap_or(usize::MAX);
            is_all = there <= room;
            // An end has no bytes, and is found by who asks for some.
            room = there.clamp(1, room);
        }
        let memory = buffer.initialize_unfilled_to(room);
        let polled = again(|| (&*self.socket).read(memory));
        if is_all || !matches!(polled, Poll::Ready(Ok(read)) if read == room) {
            self.is_readable = false;
        }
        buffer.advance(ready!(polled)?);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_writing(|socket| quiet::write(socket, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_pieces(pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}
