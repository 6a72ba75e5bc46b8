//! A WebSocket connection as a byte stream: the engine's bytes on one side, WebSocket's on the other.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;
use zmtp::zws::{Framing, Side, Subprotocol};

use super::upgrade::{Offer, Terms};
use crate::rng;
use crate::transport::{ByteStream, Stream};

/// Bytes read at once, and bytes that may wait to be written.
const PIECE: usize = 64 * 1024;

/// Bytes that may come of which nothing is for the engine, before others of this runtime have their turn.
const IDLE: usize = 256 * 1024;

/// A normal end (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

/// WebSocket over a stream, before and after its upgrade.
pub(super) enum Layer {
    Opening(BoxFuture<'static, io::Result<Open>>),
    Open(Box<Open>),
    /// The upgrade failed.
    Failed,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let below = match self {
            Layer::Open(open) => Some(&open.below),
            Layer::Opening(_) | Layer::Failed => None,
        };
        f.debug_tuple("WebSocket").field(&below).finish()
    }
}

impl Layer {
    /// Puts the server's side of WebSocket over a stream.
    pub(super) fn server(mut below: Stream, terms: Arc<Terms>) -> Stream {
        Stream::other(Layer::Opening(Box::pin(async move {
            std::future::poll_fn(|cx| below.poll_open(cx)).await?;
            let (subprotocol, rest) = terms.accept(&mut below).await?;
            Ok(Open::new(below, Side::Server, subprotocol, rest))
        })))
    }

    /// Puts the server's side of WebSocket over a stream that somebody else has upgraded.
    pub(super) fn upgraded(below: Stream, subprotocol: Subprotocol) -> Stream {
        let open = Open::new(below, Side::Server, subprotocol, BytesMut::new());
        Stream::other(Layer::Open(Box::new(open)))
    }

    /// Puts the client's side of WebSocket over a stream.
    pub(super) fn client(mut below: Stream, offer: Offer) -> Stream {
        Stream::other(Layer::Opening(Box::pin(async move {
            std::future::poll_fn(|cx| below.poll_open(cx)).await?;
            let (subprotocol, rest) = offer.make(&mut below).await?;
            Ok(Open::new(below, Side::Client, subprotocol, rest))
        })))
    }

    /// Returns the connection after the upgrade: nobody reads or writes before.
    fn open(&mut self) -> io::Result<&mut Open> {
        match self {
            Layer::Open(open) => Ok(open),
            Layer::Opening(_) | Layer::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn below(&self) -> Option<&Stream> {
        match self {
            Layer::Open(open) => Some(&open.below),
            Layer::Opening(_) | Layer::Failed => None,
        }
    }
}

/// A connection whose upgrade is done.
pub(super) struct Open {
    below: Stream,
    framing: Framing,
    /// What has come and is not looked at: less than a header, or what waits for this side to say what it is.
    input: BytesMut,
    /// What the engine is to read.
    ready: BytesMut,
    /// What is to be written.
    output: BytesMut,
    has_ended: bool,
    has_closed: bool,
    keys: fastrand::Rng,
}

impl Open {
    fn new(below: Stream, side: Side, subprotocol: Subprotocol, rest: BytesMut) -> Self {
        Open {
            below,
            framing: Framing::new(side, subprotocol),
            input: rest,
            ready: BytesMut::new(),
            output: BytesMut::new(),
            has_ended: false,
            has_closed: false,
            keys: rng::rng(),
        }
    }

    /// Takes in what has come.
    fn take_in(&mut self) -> io::Result<()> {
        let Open {
            framing,
            input,
            ready,
            ..
        } = self;
        framing.receive(input, ready).map_err(|broken| {
            let key = key_of(&mut self.keys);
            self.framing.put_close(broken.code(), key, &mut self.output);
            self.has_closed = true;
            io::Error::new(io::ErrorKind::InvalidData, broken)
        })
    }

    /// Writes what waits to be written, as far as the stream takes it.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let key = key_of(&mut self.keys);
        self.framing.put_answers(key, &mut self.output);
        while self.output.has_remaining() {
            let written = ready!(Pin::new(&mut self.below).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// The same, without waiting. Whoever waits is woken.
    fn drain(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.poll_drain(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut idle = 0;
        loop {
            if self.ready.is_empty() {
                let taken = self.take_in();
                // Also what an error has to say to the peer.
                let drained = self.drain(cx);
                taken?;
                drained?;
            }
            if !self.ready.is_empty() {
                let some = self.ready.len().min(buf.remaining());
                buf.put_slice(&self.ready[..some]);
                self.ready.advance(some);
                return Poll::Ready(Ok(()));
            }
            if self.framing.is_closed() || self.has_ended {
                return Poll::Ready(Ok(()));
            }
            self.input.reserve(PIECE);
            let read = ready!(poll_read_buf(
                Pin::new(&mut self.below),
                cx,
                &mut self.input
            ))?;
            self.has_ended = read == 0;
            idle += read;
            if idle > IDLE {
                // Pings, one after the other.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Takes bytes of the engine, as many as may wait.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.output.len() >= PIECE {
            ready!(self.poll_drain(cx))?;
        }
        let mut taken = 0;
        for buf in bufs {
            let some = buf.len().min(PIECE.saturating_sub(taken));
            let key = key_of(&mut self.keys);
            if self.framing.send(&buf[..some], key, &mut self.output) {
                // Whoever reads has been told that there is nothing.
                cx.waker().wake_by_ref();
            }
            taken += some;
        }
        self.drain(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.has_closed, true) && !self.framing.is_closed() {
            let key = key_of(&mut self.keys);
            self.framing.put_close(NORMAL, key, &mut self.output);
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.below).poll_shutdown(cx)
    }
}

/// Gives a key for each frame that is masked. It hides nothing: it keeps a program on this side from choosing the bytes
/// that whoever is on the way sees.
fn key_of(keys: &mut fastrand::Rng) -> impl FnMut() -> [u8; 4] {
    || keys.u32(..).to_ne_bytes()
}

impl ByteStream for Layer {
    fn segment(&self) -> usize {
        PIECE
    }

    fn expect_large(&self) {
        if let Some(below) = self.below() {
            below.expect_large();
        }
    }

    fn fd(&self) -> Option<i32> {
        self.below()?.fd()
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.below()?.local_address()
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let opened = match self {
            Layer::Opening(opening) => ready!(opening.as_mut().poll(cx)),
            Layer::Open(_) => return Poll::Ready(Ok(())),
            Layer::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        let (next, result) = match opened {
            Ok(open) => (Layer::Open(Box::new(open)), Ok(())),
            Err(error) => (Layer::Failed, Err(error)),
        };
        *self = next;
        Poll::Ready(result)
    }

    fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let open = self.open()?;
        open.drain(cx)?;
        open.below.push_out(cx)
    }

    fn move_here(&mut self) -> io::Result<()> {
        self.open()?.below.move_here()
    }

    fn says_goodbye(&self) -> bool {
        true
    }

    fn certificate(&self) -> Option<Bytes> {
        self.below()?.certificate()
    }
}

impl AsyncRead for Layer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Layer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().open()?.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().open()?.poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let open = self.get_mut().open()?;
        ready!(open.poll_drain(cx))?;
        Pin::new(&mut open.below).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_shutdown(cx)
    }
}
