//! A WebSocket connection as a byte stream: the engine's bytes on one side, WebSocket's on the other.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Bytes that may wait to be written before PINGs go unanswered: those of a peer that does not read.
const ANSWERS: usize = 1024;

/// Bytes that a peer may send ahead that are not looked at before this side has said what it is, or a few more.
const AHEAD: usize = 8 * 1024;

/// A normal end (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

/// WebSocket over a stream, before and after its upgrade.
pub(super) enum Layer {
    Opening {
        opening: BoxFuture<'static, io::Result<Open>>,
        /// How long the head is that has come so far.
        head: Arc<AtomicUsize>,
    },
    Open(Box<Open>),
    /// The upgrade failed.
    Failed,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let below = match self {
            Layer::Open(open) => Some(&open.below),
            Layer::Opening { .. } | Layer::Failed => None,
        };
        f.debug_tuple("WebSocket").field(&below).finish()
    }
}

impl Layer {
    /// Puts the server's side of WebSocket over a stream.
    pub(super) fn server(mut below: Stream, terms: Arc<Terms>) -> Stream {
        Layer::opening(async move |head| {
            std::future::poll_fn(|cx| below.poll_open(cx)).await?;
            let (subprotocol, rest) = terms.accept(&mut below, &head).await?;
            Ok(Open::new(below, Side::Server, subprotocol, rest))
        })
    }

    /// Makes a stream that is open when this is done, which says how long the head is that has come.
    fn opening<F>(open: impl FnOnce(Arc<AtomicUsize>) -> F) -> Stream
    where
        F: Future<Output = io::Result<Open>> + Send + 'static,
    {
        let head = Arc::new(AtomicUsize::new(0));
        Stream::other(Layer::Opening {
            opening: Box::pin(open(head.clone())),
            head,
        })
    }

    /// Puts the server's side of WebSocket over a stream that somebody else has upgraded.
    pub(super) fn upgraded(below: Stream, subprotocol: Subprotocol) -> Stream {
        let open = Open::new(below, Side::Server, subprotocol, BytesMut::new());
        Stream::other(Layer::Open(Box::new(open)))
    }

    /// Puts the client's side of WebSocket over a stream.
    pub(super) fn client(mut below: Stream, offer: Offer) -> Stream {
        Layer::opening(async move |head| {
            std::future::poll_fn(|cx| below.poll_open(cx)).await?;
            let (subprotocol, rest) = offer.make(&mut below, &head).await?;
            Ok(Open::new(below, Side::Client, subprotocol, rest))
        })
    }

    /// Returns the connection after the upgrade: nobody reads or writes before.
    fn open(&mut self) -> io::Result<&mut Open> {
        match self {
            Layer::Open(open) => Ok(open),
            Layer::Opening { .. } | Layer::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn below(&self) -> Option<&Stream> {
        match self {
            Layer::Open(open) => Some(&open.below),
            Layer::Opening { .. } | Layer::Failed => None,
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
        loop {
            // Of a peer that does not read, PINGs wait, and the last one counts.
            if self.output.len() < ANSWERS {
                let key = key_of(&mut self.keys);
                self.framing.put_answers(key, &mut self.output);
            }
            if self.output.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut self.below).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
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
            if self.input.len() >= AHEAD {
                // None of it can be looked at before this side has said what it is: then, whoever reads is woken.
                return Poll::Pending;
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

    /// Lets go of the buffers that are empty: the connection is at rest.
    fn rest(&mut self) {
        for buffer in [&mut self.input, &mut self.ready, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
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

    fn has_ended(&self) -> bool {
        self.below().is_some_and(Stream::has_ended)
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.below()?.local_address()
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let opened = match self {
            Layer::Opening { opening, .. } => ready!(opening.as_mut().poll(cx)),
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

    fn held(&self) -> usize {
        match self {
            Layer::Opening { head, .. } => head.load(Ordering::Relaxed),
            Layer::Open(open) => open.input.len() + open.ready.len(),
            Layer::Failed => 0,
        }
    }

    fn push_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let open = self.open()?;
        open.drain(cx)?;
        open.rest();
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

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A peer that says this, and then that for ever, if it is anything, and never reads.
    #[derive(Debug)]
    struct Deaf {
        first: &'static [u8],
        then: &'static [u8],
    }

    impl AsyncRead for Deaf {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let then = self.then;
            let says = std::mem::replace(&mut self.first, then);
            if says.is_empty() {
                return Poll::Pending;
            }
            buf.put_slice(says);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Deaf {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl ByteStream for Deaf {}

    /// The server's side of such a peer's connection, from which the engine has read all that there is for it.
    fn served(peer: Deaf) -> Open {
        let subprotocol = Subprotocol::choose("ZWS2.0", "NULL").expect("a subprotocol");
        let mut open = Open::new(
            Stream::other(peer),
            Side::Server,
            subprotocol,
            BytesMut::new(),
        );
        let mut cx = Context::from_waker(Waker::noop());
        let mut place = [0; 1024];
        // The greeting is there; then, others have their turn every now and then.
        for _ in 0..5 {
            let mut buf = ReadBuf::new(&mut place);
            if let Poll::Ready(read) = open.poll_read(&mut cx, &mut buf) {
                read.expect("nothing is wrong with it");
            }
        }
        open
    }

    #[test]
    fn answers_to_pings_do_not_pile_up_where_nobody_reads_them() {
        // One PING of a few bytes each time that it is read: each would be answered.
        let ping = b"\x89\x84\0\0\0\0ping";
        let open = served(Deaf {
            first: ping,
            then: ping,
        });
        assert!(open.output.len() <= ANSWERS + 10, "{}", open.output.len());
    }

    #[test]
    fn a_connection_at_rest_keeps_no_buffers() {
        // Nothing is to be made of the first message: it is a routing id.
        let open = served(Deaf {
            first: b"\x82\x81\0\0\0\0\0",
            then: b"",
        });
        assert!(open.input.capacity() >= PIECE);
        let mut layer = Layer::Open(Box::new(open));
        let mut cx = Context::from_waker(Waker::noop());
        layer.push_out(&mut cx).expect("nothing is to be written");
        let open = layer.open().expect("it is open");
        let buffers = [&open.input, &open.ready, &open.output];
        assert_eq!(buffers.map(BytesMut::capacity), [0; 3]);
    }

    #[test]
    fn what_comes_ahead_of_a_decision_stays_with_the_system() {
        let open = served(Deaf {
            first: b"\x82\x81\0\0\0\0\0",
            then: &[0; 1000],
        });
        assert!(open.input.len() <= AHEAD + 1000, "{}", open.input.len());
    }
}
