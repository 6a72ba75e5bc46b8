//! One end of a connection: what a session reads from and writes to.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use purezmq::ByteStream;
use rand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::{Event, Network, State, Weather};

pub(crate) struct End {
    network: Arc<Network>,
    connection: u64,
    side: usize,
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "End({}, {})", self.connection, self.side)
    }
}

/// Only the session's task reads from it, and nothing has to be done before.
impl ByteStream for End {
    fn has_ended(&self) -> bool {
        let state = self.network.state.lock();
        let Some(connection) = state.connections.get(&self.connection) else {
            return true;
        };
        connection.sides[self.side].cut || connection.ways[1 - self.side].closed
    }
}

impl End {
    pub(super) fn new(network: &Arc<Network>, connection: u64, side: usize) -> Self {
        End {
            network: network.clone(),
            connection,
            side,
        }
    }
}

impl State {
    /// Whether the caller is told to come again, though there may be something to do.
    fn puts_off(&mut self, cx: &Context<'_>) -> bool {
        let put_off = self.weather.put_off > 0 && self.rng.random_ratio(1, self.weather.put_off);
        if put_off {
            cx.waker().wake_by_ref();
        }
        put_off
    }

    /// How much of `most` bytes is moved at once.
    fn piece(&mut self, most: usize) -> usize {
        let most = most.min(self.weather.piece);
        if most <= 1 || self.rng.random() {
            most
        } else {
            self.rng.random_range(1..=most)
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.network.state.lock();
        if state.puts_off(cx) {
            return Poll::Pending;
        }
        let most = state.piece(buf.remaining());
        let (number, side) = (self.connection, self.side);
        let Some(connection) = state.connections.get_mut(&number) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let way = &mut connection.ways[1 - side];
        let one = &mut connection.sides[side];
        if way.arrived.is_empty() {
            if one.cut {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if way.closed {
                return Poll::Ready(Ok(()));
            }
            one.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let size = most.min(way.arrived.len());
        let read = &way.arrived.make_contiguous()[..size];
        way.read.pass(read);
        buf.put_slice(read);
        way.arrived.drain(..size);
        way.bytes -= size;
        let other = connection.sides[1 - side].writer.take();
        drop(state);
        if let Some(writer) = other {
            writer.wake();
        }
        self.network
            .world
            .note("read", [number, side as u64, size as u64], || {
                format!("{size} bytes at side {side} of connection {number}")
            });
        Poll::Ready(Ok(()))
    }
}

impl End {
    fn write(&self, cx: &Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.network.state.lock();
        if state.puts_off(cx) {
            return Poll::Pending;
        }
        let now = Instant::now();
        let (number, side) = (self.connection, self.side);
        let total = pieces.iter().map(|piece| piece.len()).sum();
        let most = state.piece(total);
        let delay = state.delay();
        let Weather { capacity, rate, .. } = state.weather;
        let Some(connection) = state.connections.get_mut(&number) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let is_heard = !connection.sides[1 - side].gone;
        let way = &mut connection.ways[side];
        let one = &mut connection.sides[side];
        if one.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if way.closes.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if way.bytes >= capacity {
            one.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let size = most.min(capacity - way.bytes);
        if let Some(rate) = rate {
            let takes = Duration::from_micros(1_000_000 * size as u64 / rate);
            way.free = way.free.max(now) + takes;
        }
        let arrives = way.free.max(now) + delay;
        let mut written = Vec::with_capacity(size);
        for piece in pieces {
            let rest = size - written.len();
            written.extend_from_slice(&piece[..rest.min(piece.len())]);
        }
        way.written.pass(&written);
        let event = if is_heard {
            way.bytes += size;
            way.last = way.last.max(arrives);
            way.pieces.push_back((way.last, written));
            let arrive = Event::Arrive {
                connection: number,
                way: side,
            };
            Some((way.last, arrive))
        } else {
            // Nobody is there any more, and the answer to that is a reset.
            let cut = Event::Cut {
                connection: number,
                side,
            };
            let is_first = !std::mem::replace(&mut one.cut_soon, true);
            (is_first && !one.deserted).then_some((arrives, cut))
        };
        if let Some((at, event)) = event {
            state.schedule(at, event);
        }
        drop(state);
        self.network
            .world
            .note("write", [number, side as u64, size as u64], || {
                format!("{size} of {total} bytes at side {side} of connection {number}")
            });
        Poll::Ready(Ok(size))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.network.state.lock();
        if state.puts_off(cx) {
            return Poll::Pending;
        }
        state.close(self.connection, self.side);
        Poll::Ready(Ok(()))
    }
}

impl State {
    /// The writer of a direction has no more to say.
    fn close(&mut self, number: u64, side: usize) {
        let at = Instant::now() + self.delay();
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let way = &mut connection.ways[side];
        if way.closes.is_some() || connection.sides[side].cut {
            return;
        }
        let at = at.max(way.last);
        way.closes = Some(at);
        let arrive = Event::Arrive {
            connection: number,
            way: side,
        };
        self.schedule(at, arrive);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (number, side) = (self.connection, self.side);
        let mut state = self.network.state.lock();
        let at = Instant::now() + state.delay();
        let Some(connection) = state.connections.get_mut(&number) else {
            return;
        };
        connection.sides[side].gone = true;
        let (unread, host) = (connection.ways[1 - side].bytes > 0, connection.hosts[side]);
        if connection.sides[1 - side].gone {
            state.bury(number);
        } else if !state.down.contains(&host) {
            // What nobody reads is answered with a reset.
            if unread {
                let cut = Event::Cut {
                    connection: number,
                    side: 1 - side,
                };
                state.schedule(at, cut);
            } else {
                state.close(number, side);
            }
        }
        drop(state);
        self.network
            .world
            .note("close", [number, side as u64, u64::from(unread)], || {
                format!("host {host}'s end of connection {number}")
            });
    }
}

impl State {
    /// A connection is over at both of its ends.
    fn bury(&mut self, number: u64) {
        let Some(connection) = self.connections.remove(&number) else {
            return;
        };
        for side in 0..2 {
            let who = (connection.hosts[side], connection.lives[side]);
            let totals = self.totals.entry(who).or_default();
            totals.written += connection.ways[side].written.messages;
            totals.read += connection.ways[1 - side].read.messages;
            totals.ended += 1;
        }
    }
}
