//! Traffic in both directions: between the pipe's lanes and the stream, through the engine.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut};
use socket2::Socket;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;
use zmtp::Now;

use super::timers::Stall;
use super::{Session, Turn};
use crate::connection::driver::TURNS;
use crate::connection::flow::Flow;
use crate::coop::{is_io_thread, yield_to_others};
use crate::monitor::DisconnectReason;
use crate::pipe::{Rest, SessionPipe, Taken};
use crate::transport::ByteStream;

/// Bytes read before other tasks get a turn: about what a core's own cache holds, so that an application on
/// the same thread finds its messages there, and gives their memory back before more is needed.
pub(super) const READ_BUDGET: usize = 256 * 1024;

/// When what has been read came, for an engine that has to know.
pub(super) const NOW: Now = Now::Ask(|| Instant::now().into_std());

/// Bytes read in one run that are a stream: in the next run, its reader is woken once, and not once a message.
const HOLD_FROM: usize = READ_BUDGET / 2;

/// Bytes of one write from which on the stream is to expect large payloads: more than a batch of small ones makes.
pub(super) const LARGE: usize = 64_000;

/// A lone message of so many [heads](ByteStream::head) is written in two pieces.
pub(super) const HEADS: usize = 4;

/// Pieces of one vectored write.
const SLICES: usize = 64;

impl Flow for Session {
    fn poll_traffic(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        let is_stream = self.read >= HOLD_FROM;
        self.read = 0;
        if self.is_inherited() {
            return Poll::Pending;
        }
        if let Err(reason) = self.look_at_lent(pipe) {
            return Poll::Ready(Err(reason));
        }
        if is_stream && is_io_thread() {
            pipe.incoming.hold();
        }
        let moved = self.poll_both(pipe, cx);
        pipe.incoming.tell();
        moved
    }

    fn poll_send(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Turn>> {
        if self.is_inherited() || self.mute.is_some() {
            return Poll::Pending;
        }
        if !self.mid_batch {
            match self.poll_control(cx) {
                Poll::Ready(written) => written?,
                Poll::Pending => {
                    // It may be the rest of READY, before the socket was ever asked for something to send: its end is to be
                    // heard all the same. What is to be done then, the timer says.
                    let _ = pipe.outgoing.poll_closing(cx);
                    return Poll::Pending;
                }
            }
            if self.batch.is_empty() {
                if let Some(rest) = self.rest.take() {
                    self.batch = *rest;
                } else if let Taken::Finished = ready!(pipe.outgoing.poll_take(&mut self.batch, cx))
                {
                    return Poll::Ready(Ok(Turn::Finished));
                }
                if self.listens && self.is_quiet() {
                    self.listen(pipe);
                    if self.mute.is_some() {
                        return Poll::Pending;
                    }
                    ready!(self.poll_control(cx))?;
                }
            }
            if self.rest.is_none()
                && let Some(rest) = self.engine.divide(&mut self.batch)
            {
                self.rest = Some(Box::new(rest));
            }
            self.engine.encode(&mut self.batch);
            // What is encrypted is numbered: nothing that is numbered later may go before it.
            self.mid_batch = self.batch.is_encoded();
        }
        let written = match self.batch.as_piece() {
            // What most batches are; the system has less to do for it.
            Some(only) if !self.mid_batch => Pin::new(&mut self.stream).poll_write(cx, only),
            _ => self.poll_write_pieces(cx),
        };
        if written.is_pending() && self.is_one_of_many && !self.is_blocked {
            pipe.outgoing.stall();
        }
        let written = ready!(self.watch(written))?;
        let messages = self.batch.advance(written);
        self.has_sent = true;
        self.has_sent_lately = true;
        let is_written = self.batch.is_empty();
        self.mid_batch = !is_written && (self.batch.is_encoded() || self.batch.is_cut());
        let taken = if self.first == 0 { messages } else { 0 };
        self.first -= messages - taken;
        if is_written && self.batch.is_encoded() {
            self.engine.reclaim(&mut self.batch);
        }
        if !is_written || self.rest.is_some() {
            pipe.outgoing.written(messages, written, taken, None);
            return Poll::Ready(Ok(Turn::Moved));
        }
        let (done, task) = (&mut self.batch, cx.waker());
        let left = pipe
            .outgoing
            .written_whole(messages, written, taken, done, task);
        self.keeps_buffers = left.keeps_buffers;
        let is_all = left.is_all && !self.engine.control().has_remaining();
        Poll::Ready(Ok(if is_all { Turn::MovedAll } else { Turn::Moved }))
    }

    fn bring(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        self.bring_within(pipe, cx, 0)
    }

    fn hear_by(&mut self, waker: Option<Waker>) -> bool {
        let is_plain = self.stream.is_plain();
        self.arrival = waker.filter(|_| is_plain);
        is_plain
    }

    fn hear(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        // The stream has said so.
        self.has_read_all = false;
        let room = pipe.incoming.credit();
        self.bring_within(pipe, cx, room)?;
        self.stream.push_out(cx).ok()?;
        // What is sent next may go out from here again, as after a run of the task.
        if self.stream.lent().is_some() {
            self.rest_from(pipe)?;
        } else {
            pipe.outgoing.rest_again();
        }
        Some(true)
    }

    fn lent(&mut self) -> Option<Arc<Socket>> {
        self.stream.lent()?.socket()
    }

    fn lend(&mut self) -> Option<Arc<Socket>> {
        self.lend_stream()
    }

    fn read_lent(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        self.read_lent_stream(|session| session.hear(pipe, cx))
    }

    fn want_back(&mut self) -> bool {
        self.want_stream_back()
    }

    fn exchange(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Option<bool> {
        let mut moved = false;
        if self.is_inherited() {
            return Some(moved);
        }
        while let Poll::Ready(turn) = self.poll_send(pipe, cx) {
            match turn {
                Ok(Turn::Moved) => moved = true,
                Ok(Turn::MovedAll) => {
                    moved = true;
                    break;
                }
                Ok(Turn::Finished) | Err(_) => return None,
            }
        }
        if self.needs_task() {
            return None;
        }
        let room = pipe.incoming.room();
        if room == 0 {
            return Some(moved);
        }
        if !self.engine.input_pending() {
            match self.read_now() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(moved),
                Err(_) => return None,
            }
        }
        let result = self.engine.handle_input(NOW, room);
        pipe.incoming.push(self.engine.take_messages());
        let is_quiet = self.mid_batch || matches!(self.poll_control(cx), Poll::Ready(Ok(())));
        // The peer answers: what is sent next may go out from here again.
        self.rest_from(pipe);
        self.hear_drain(pipe);
        (result.is_ok() && is_quiet && !self.needs_task()).then_some(true)
    }

    /// Returns whether the stream has begun to take nothing, as only the task can see to the time, or the peer was seen
    /// to be gone, or to drain, or buffers are kept and nobody looks when to let go of them.
    fn needs_task(&self) -> bool {
        self.draining.needs_task()
            || self.mute.is_some()
            || (self.keeps_buffers && self.idle_check.is_none())
            || self.stall.as_ref().is_some_and(|stall| !stall.is_timed)
    }
}

impl Session {
    /// Takes what has come, as there is room for it: for so many messages of the first read, if that is known.
    fn bring_within(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
        mut room: usize,
    ) -> Option<bool> {
        if self.is_inherited() || self.mute.is_some() {
            return None;
        }
        self.read = 0;
        while self.read < READ_BUDGET {
            match self.poll_receive_within(pipe, cx, std::mem::take(&mut room)) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(reason)) => {
                    self.mute = Some(Box::new(reason));
                    return None;
                }
                Poll::Pending => {
                    // An error of the stream is the task's: it comes to the same.
                    let has_failed =
                        !self.mid_batch && matches!(self.poll_control(cx), Poll::Ready(Err(_)));
                    self.hear_drain(pipe);
                    let is_done = !has_failed && !self.needs_task() && self.is_timed();
                    return is_done.then_some(true);
                }
            }
        }
        // The rest is the task's.
        self.hear_drain(pipe);
        None
    }

    /// Moves messages in both directions until nothing moves, or others have a turn.
    fn poll_both(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        for _ in 0..TURNS {
            let sent = match self.poll_send(pipe, cx) {
                Poll::Ready(Ok(Turn::Finished)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return self.poll_left(error.into(), pipe, cx),
                sent => sent,
            };
            if let Some(reason) = self.mute.take() {
                return self.poll_left(*reason, pipe, cx);
            }
            if sent.is_ready() {
                // The reader does not wait while more is written, too.
                pipe.incoming.tell();
            }
            let received = self.poll_receive(pipe, cx)?;
            let is_all_sent = matches!(sent, Poll::Pending | Poll::Ready(Ok(Turn::MovedAll)));
            if is_all_sent && received.is_pending() {
                if let Err(error) = self.stream.push_out(cx) {
                    return self.poll_left(error.into(), pipe, cx);
                }
                return self.poll_timer(pipe, cx);
            }
            if self.read >= READ_BUDGET {
                break;
            }
        }
        // A busy connection has deadlines, too.
        if let Poll::Ready(ended) = self.poll_timer(pipe, cx) {
            return Poll::Ready(ended);
        }
        yield_to_others(cx);
        Poll::Pending
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.stream.is_tcp()
    }

    /// Goes to rest, as far as the socket's messages go. On one core with its peer, a head that goes first costs a fifth of a
    /// round trip of 64 KiB; on two, it saves that. Where there are I/O threads, there are cores.
    pub(super) fn rest_from(&mut self, pipe: &mut SessionPipe) -> Option<Rest> {
        let rest = pipe.outgoing.rest();
        self.next_is_lone = (is_io_thread() || self.stream.lent().is_some())
            && rest.as_ref().is_some_and(|rest| rest.next_is_lone);
        rest
    }

    /// Returns whether what is to be written is a message that takes so long to be copied that its head goes before it.
    fn is_large(&self) -> bool {
        let is_one = !self.mid_batch && self.batch.len() == 1;
        is_one && self.batch.byte_len() / HEADS >= self.stream.head()
    }

    /// Returns whether the timer knows when the engine wants to be asked.
    fn is_timed(&self) -> bool {
        let Some(due) = self.engine.next_timeout() else {
            return true;
        };
        let timer = self.timer.as_deref();
        timer.is_some_and(|timer| !timer.is_elapsed() && timer.deadline().into_std() <= due)
    }

    /// Writes what is left of the batch, or of the message at its front.
    #[inline(never)]
    fn poll_write_pieces(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let is_head = self.next_is_lone && self.is_large();
        let (pieces, bytes) = if is_head {
            self.batch.io_slices_up_to(self.stream.head(), &mut slices)
        } else if self.mid_batch
            && !self.batch.is_encoded()
            && self.engine.control().has_remaining()
        {
            // A PING waits for the end of this message, not for that of the queue.
            self.batch.io_slices_of_cut(&mut slices)
        } else {
            self.batch
                .io_slices_within(self.stream.segment(), &mut slices)
        };
        self.next_is_lone &= !is_head;
        if let [only] = &slices[..pieces] {
            return Pin::new(&mut self.stream).poll_write(cx, only);
        }
        if !self.expects_large && bytes > LARGE {
            self.expects_large = true;
            self.stream.expect_large();
        }
        self.stream.poll_write_pieces(cx, &slices[..pieces], bytes)
    }

    /// Writes the protocol's own bytes.
    pub(super) fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.engine.control().has_remaining() {
            let control = self.engine.control();
            let written = Pin::new(&mut self.stream).poll_write(cx, control);
            let written = ready!(self.watch(written))?;
            self.engine.control().advance(written);
            if !self.engine.control().has_remaining() {
                self.engine.control_written(Instant::now().into_std());
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Notes whether the stream has taken anything, and since when it has not. Having written nothing is an error.
    /// That it takes bytes again is a sign of the peer's life: it has made room for them.
    fn watch(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(_) if self.is_blocked => {
                self.is_blocked = false;
                self.stall = None;
                if let Poll::Ready(Ok(_)) = written {
                    self.engine.excuse(Instant::now().into_std());
                }
            }
            Poll::Ready(_) => {}
            Poll::Pending if !self.is_blocked => {
                self.is_blocked = true;
                self.stall = self.write_timeout.map(|limit| Stall {
                    ends: Instant::now() + limit,
                    is_timed: false,
                });
            }
            Poll::Pending => {}
        }
        written
    }

    /// Hands over what has been read, and reads only when there is room for it.
    fn poll_receive(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Turn, DisconnectReason>> {
        self.poll_receive_within(pipe, cx, 0)
    }

    /// Does so. The room is asked for, unless there is some that is known of.
    fn poll_receive_within(
        &mut self,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
        known: usize,
    ) -> Poll<Result<Turn, DisconnectReason>> {
        if self.has_read_all && !self.engine.input_pending() {
            // All that a read costs is spared, but not that who waits is told.
            let waker = self.arrival.as_ref().unwrap_or(cx.waker());
            ready!(self.stream.poll_readable(&mut Context::from_waker(waker)));
            self.has_read_all = false;
        }
        let room = match known {
            0 => ready!(pipe.incoming.poll_room(cx)),
            room => room,
        };
        let result = if self.engine.input_pending() {
            self.engine.handle_input(NOW, room).map_err(Into::into)
        } else {
            ready!(self.poll_read(cx, room))
        };
        // Messages before an error were whole and stay so.
        let messages = self.engine.take_messages();
        if self.lone.note_messages(messages.len()) {
            self.tell_of_lone(pipe);
        }
        pipe.incoming.push(messages);
        Poll::Ready(result.map(|()| Turn::Moved))
    }

    /// Reads once, and takes up to `room` messages from what has come.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Result<(), DisconnectReason>> {
        let mut buffer = self.engine.read_buffer();
        let stream = Pin::new(&mut self.stream);
        let waker = self.arrival.as_ref().unwrap_or(cx.waker());
        let read = poll_read_buf(stream, &mut Context::from_waker(waker), &mut buffer);
        let read = ready!(read)?;
        self.has_read_all = buffer.has_remaining_mut();
        if read == 0 {
            return Poll::Ready(Err(DisconnectReason::Peer));
        }
        Poll::Ready(self.take_in(read, room))
    }

    /// Has the engine take up to `room` messages from what has been read into its buffer.
    pub(super) fn take_in(&mut self, read: usize, room: usize) -> Result<(), DisconnectReason> {
        self.read += read;
        if is_io_thread() || self.stream.lent().is_some() {
            let before = std::mem::replace(&mut self.heard, Instant::now());
            self.lone.note_pause(self.heard - before);
        }
        self.engine.handle_input(NOW, room).map_err(Into::into)
    }
}
