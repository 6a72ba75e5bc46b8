//! [`Stream`]: a connected byte stream, as sessions hold it.

#![allow(
    unreachable_pub,
    reason = "a simulation implements and makes these, from outside"
)]

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::ByteStream;
use super::lent::Lent;
#[cfg(unix)]
use super::quiet;

/// Whatever carries the bytes. Every read and write of every connection goes through here: the two transports of most
/// connections are called directly, all others by way of their [`ByteStream`].
#[derive(Debug)]
pub enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A connection of a Unix socket.
    #[cfg(unix)]
    Ipc(UnixStream),
    /// Either of them, while it belongs to no runtime.
    #[cfg(unix)]
    Lent(Box<Lent>),
    /// Any other.
    #[allow(dead_code, reason = "not every build has another transport")]
    Other(Box<dyn ByteStream>),
}

/// The largest piece that [`Stream::read_now`] reads.
const SCRATCH: usize = 64 * 1024;

/// Calls a method of whichever stream it is.
macro_rules! forward {
    ($stream:expr, $one:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($one) => $call,
            #[cfg(unix)]
            Stream::Ipc($one) => $call,
            #[cfg(unix)]
            Stream::Lent($one) => $call,
            Stream::Other($one) => $call,
        }
    };
}

impl Stream {
    /// Makes a stream of a transport that has no variant of its own.
    #[allow(dead_code, reason = "not every build has another transport")]
    pub fn other(stream: impl ByteStream + 'static) -> Self {
        Stream::Other(Box::new(stream))
    }

    /// Writes several pieces, `all` bytes together, as far as the system takes them.
    #[inline]
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub(crate) fn poll_write_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
        all: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            #[cfg(unix)]
            Stream::Tcp(one) => quiet::poll_write_vectored(one, cx, pieces, all),
            #[cfg(not(unix))]
            Stream::Tcp(one) => Pin::new(one).poll_write_vectored(cx, pieces),
            #[cfg(unix)]
            Stream::Ipc(one) => quiet::poll_write_vectored(one, cx, pieces, all),
            #[cfg(unix)]
            Stream::Lent(one) => one.poll_write_pieces(pieces),
            Stream::Other(one) => Pin::new(one).poll_write_vectored(cx, pieces),
        }
    }

    /// Waits until a read may find something. A stream that makes its bytes of others always may.
    #[inline]
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is found by the read.
        match self {
            Stream::Tcp(one) => one.poll_read_ready(cx).map(drop),
            #[cfg(unix)]
            Stream::Ipc(one) => one.poll_read_ready(cx).map(drop),
            #[cfg(unix)]
            Stream::Lent(one) if one.is_readable() => Poll::Ready(()),
            #[cfg(unix)]
            Stream::Lent(_) => Poll::Pending,
            Stream::Other(_) => Poll::Ready(()),
        }
    }

    /// Returns whether it is a connection of TCP, with nothing between it and the system.
    pub(crate) fn is_tcp(&self) -> bool {
        match self {
            Stream::Tcp(_) => true,
            #[cfg(unix)]
            Stream::Lent(one) => one.is_tcp(),
            _ => false,
        }
    }

    /// Returns what there is of it without a runtime, if it is lent.
    pub(crate) fn lent(&mut self) -> Option<&mut Lent> {
        match self {
            #[cfg(unix)]
            Stream::Lent(one) => Some(one),
            _ => None,
        }
    }

    /// Returns whether it is a socket of the system, with nothing between.
    pub(crate) fn is_plain(&self) -> bool {
        !matches!(self, Stream::Other(_))
    }

    /// Returns whether it can be [lent](Self::lend).
    pub(crate) fn may_be_lent(&self) -> bool {
        cfg!(unix) && self.is_plain()
    }

    /// Takes a socket out of its runtime, until [`move_here`](ByteStream::move_here); other streams stay as they are.
    ///
    /// # Errors
    /// The system's. The stream has ended then.
    #[cfg_attr(
        not(unix),
        allow(unused_variables, clippy::unused_self, clippy::unnecessary_wraps)
    )]
    pub(crate) fn lend(&mut self, look_at: Instant) -> io::Result<()> {
        #[cfg(unix)]
        {
            let stream = std::mem::replace(self, Stream::other(tokio::io::empty()));
            *self = Lent::take(stream, look_at)?;
        }
        Ok(())
    }

    /// Reads up to `limit` bytes into `scratch`, without asking the runtime whether there are any.
    ///
    /// # Errors
    /// As [`ByteStream::try_read`].
    pub(crate) fn read_now<'a>(
        &mut self,
        scratch: &'a mut Vec<u8>,
        limit: usize,
    ) -> io::Result<&'a [u8]> {
        let size = limit.min(SCRATCH);
        if scratch.len() < size {
            scratch.resize(size, 0);
        }
        let read = self.try_read(&mut scratch[..size])?;
        Ok(&scratch[..read])
    }
}

/// What is left of a stream that could not be moved: nothing.
impl ByteStream for tokio::io::Empty {}

impl ByteStream for Stream {
    #[inline]
    fn segment(&self) -> usize {
        forward!(self, one => one.segment())
    }

    fn batch(&self) -> Option<usize> {
        forward!(self, one => one.batch())
    }

    fn head(&self) -> usize {
        forward!(self, one => one.head())
    }

    fn expect_large(&self) {
        forward!(self, one => one.expect_large());
    }

    fn fd(&self) -> Option<i32> {
        forward!(self, one => one.fd())
    }

    fn has_ended(&self) -> bool {
        forward!(self, one => one.has_ended())
    }

    fn local_address(&self) -> Option<SocketAddr> {
        forward!(self, one => one.local_address())
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        forward!(self, one => one.try_read(buffer))
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, one => one.poll_open(cx))
    }

    fn held(&self) -> usize {
        forward!(self, one => one.held())
    }

    #[inline]
    fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        forward!(self, one => one.push_out(cx))
    }

    fn move_here(&mut self) -> io::Result<()> {
        if let Stream::Other(one) = self {
            return one.move_here();
        }
        *self = match std::mem::replace(self, Stream::other(tokio::io::empty())) {
            Stream::Tcp(one) => Stream::Tcp(TcpStream::from_std(one.into_std()?)?),
            #[cfg(unix)]
            Stream::Ipc(one) => Stream::Ipc(UnixStream::from_std(one.into_std()?)?),
            #[cfg(unix)]
            Stream::Lent(one) => one.give_back()?,
            other => other,
        };
        Ok(())
    }

    fn says_goodbye(&self) -> bool {
        forward!(self, one => one.says_goodbye())
    }

    fn certificate(&self) -> Option<Bytes> {
        forward!(self, one => one.certificate())
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), one => Pin::new(one).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            // Nothing asks for a signal here.
            Stream::Tcp(one) => Pin::new(one).poll_write(cx, buf),
            #[cfg(unix)]
            Stream::Ipc(one) => quiet::poll_write(one, cx, buf),
            #[cfg(unix)]
            Stream::Lent(one) => Pin::new(&mut **one).poll_write(cx, buf),
            Stream::Other(one) => Pin::new(one).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|piece| piece.len()).sum();
        self.get_mut().poll_write_pieces(cx, bufs, all)
    }

    fn is_write_vectored(&self) -> bool {
        forward!(self, one => one.is_write_vectored())
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), one => Pin::new(one).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), one => Pin::new(one).poll_shutdown(cx))
    }
}
