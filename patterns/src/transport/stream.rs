//! One connected byte stream, whatever carries it.

use std::io::{self, IoSlice, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::sockopt;
#[cfg(feature = "tls")]
use super::tls::Tls;
#[cfg(purezmq_simulation)]
use crate::simulation::Wire;

/// A connected stream. An enum rather than a box: every read and write of every connection goes
/// through here, and a match is cheaper than a virtual call.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Ipc(UnixStream),
    #[cfg(purezmq_simulation)]
    Simulated(Box<dyn Wire>),
    /// Over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
}

/// Largest piece that [`Stream::read_now`] reads.
const SCRATCH: usize = 64 * 1024;

/// Just under the largest segment of TCP. A second one with little in it costs the system as much as the first.
const SEGMENT: usize = 64_000;

impl Stream {
    /// What one write of small pieces carries best, at the most.
    pub(crate) fn segment(&self) -> usize {
        match self {
            Stream::Tcp(_) => SEGMENT,
            #[cfg(unix)]
            Stream::Ipc(_) => usize::MAX,
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => usize::MAX,
            #[cfg(feature = "tls")]
            Stream::Tls(_) => SEGMENT,
        }
    }

    /// Large payloads go out: the system may take more of them before it can send them.
    pub(crate) fn expect_large(&self) {
        let tcp = match self {
            Stream::Tcp(stream) => Some(stream),
            #[cfg(unix)]
            Stream::Ipc(_) => None,
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => None,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.tcp(),
        };
        if let Some(tcp) = tcp {
            sockopt::more_unsent(&SockRef::from(tcp));
        }
    }

    /// The system's number of the socket, where it has one.
    pub(crate) fn fd(&self) -> Option<i32> {
        match self {
            Stream::Tcp(stream) => fd(stream),
            #[cfg(unix)]
            Stream::Ipc(stream) => fd(stream),
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => None,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.tcp().and_then(fd),
        }
    }

    /// This end's address and port, of a TCP connection that still stands.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            #[cfg(unix)]
            Stream::Ipc(_) => None,
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => None,
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.tcp()?.local_addr().ok(),
        }
    }

    /// Does what the transport has to do before bytes can flow.
    #[cfg(feature = "tls")]
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => std::future::poll_fn(|cx| stream.poll_open(cx)).await,
            _ => Ok(()),
        }
    }

    /// The certificate that the peer has shown.
    #[cfg(feature = "tls")]
    pub(crate) fn certificate(&self) -> Option<rustls::pki_types::CertificateDer<'static>> {
        match self {
            Stream::Tls(stream) => stream.certificate(),
            _ => None,
        }
    }

    /// Sends what a transport still holds of what was written, when nothing more can be done now.
    #[cfg(feature = "tls")]
    pub(crate) fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.push_out(cx),
            _ => Ok(()),
        }
    }

    /// Whether the peer is told of the end by more than the end.
    pub(crate) fn says_goodbye(&self) -> bool {
        #[cfg(feature = "tls")]
        return matches!(self, Stream::Tls(_));
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Reads up to `limit` bytes without asking the runtime whether there are any: for a caller that asks the
    /// system itself, again and again.
    pub(crate) fn read_now<'a>(
        &mut self,
        scratch: &'a mut Vec<u8>,
        limit: usize,
    ) -> io::Result<&'a [u8]> {
        let size = limit.min(SCRATCH);
        if scratch.len() < size {
            scratch.resize(size, 0);
        }
        let socket = match self {
            Stream::Tcp(stream) => SockRef::from(&*stream),
            #[cfg(unix)]
            Stream::Ipc(stream) => SockRef::from(&*stream),
            // Only the session's task reads from it.
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => return Err(io::ErrorKind::WouldBlock.into()),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => {
                let read = stream.read_now(&mut scratch[..size])?;
                return Ok(&scratch[..read]);
            }
        };
        let read = (&*socket).read(&mut scratch[..size])?;
        Ok(&scratch[..read])
    }
}

/// The system's number of a socket.
#[cfg(unix)]
pub(super) fn fd(socket: &impl std::os::fd::AsRawFd) -> Option<i32> {
    Some(socket.as_raw_fd())
}

/// This system numbers them in another way.
#[cfg(not(unix))]
pub(super) fn fd<S>(_: &S) -> Option<i32> {
    None
}

/// Calls one method on whichever stream it is.
macro_rules! forward {
    ($stream:expr, $method:ident($($argument:expr),*)) => {
        match $stream.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Stream::Ipc(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(purezmq_simulation)]
            Stream::Simulated(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.open()?.$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Stream::Ipc(stream) => stream.is_write_vectored(),
            #[cfg(purezmq_simulation)]
            Stream::Simulated(_) => true,
            #[cfg(feature = "tls")]
            Stream::Tls(_) => true,
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown(cx))
    }
}
