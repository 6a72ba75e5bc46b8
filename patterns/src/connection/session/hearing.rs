//! What a peer has left when nothing more can be sent to it, and whether one that was quiet is still there.
//!
//! The runtime tells of what comes when the thread has time for that. Here the system itself is asked.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use tokio::time::{Instant, sleep};
use zmtp::Event;

use super::Session;
use super::traffic::NOW;
use crate::connection::driver::TURNS;
use crate::coop::yield_to_others;
use crate::monitor::DisconnectReason;
use crate::pipe::SessionPipe;
use crate::transport::ByteStream;

/// How long after the last look for a peer's end, or, on an I/O thread, its last word, it is taken to be there. What is sent to
/// a peer that ended within that time is in flight: it would be lost if it had been sent a moment before, too.
const QUIET: Duration = Duration::from_millis(1);

/// How long what a peer has left waits while the application takes nothing, and waits itself to send more to the next
/// connection, which comes only afterwards. Whoever only sends would wait for ever.
const PATIENCE: Duration = Duration::from_secs(1);

impl Session {
    /// Reads what is there into the engine's buffer, without asking the runtime.
    pub(super) fn read_now(&mut self) -> io::Result<usize> {
        let mut buffer = self.engine.read_buffer();
        let limit = buffer.remaining_mut();
        let read = self.stream.read_now(&mut self.scratch, limit)?;
        buffer.put_slice(read);
        Ok(read.len())
    }

    /// Reads a byte, if there is one: mostly there is none, and no buffer is made for that.
    fn probe(&mut self) -> io::Result<usize> {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte)?;
        if read > 0 {
            self.engine.read_buffer().put_slice(&byte);
        }
        Ok(read)
    }

    /// Returns whether the peer has not been looked for, nor heard, for a while, so that it may have ended unseen: if the thread was
    /// busy, the runtime has not told.
    pub(super) fn is_quiet(&self) -> bool {
        Instant::now() >= self.heard + QUIET
    }

    /// Looks for the end of a peer that was quiet, behind what it has sent. A peer that has ended is not written to.
    #[cold]
    pub(super) fn listen(&mut self, pipe: &mut SessionPipe) {
        self.heard = Instant::now();
        self.take_unheard(pipe);
        // Of many connections that are quiet, none keeps memory for that.
        self.scratch = Vec::new();
    }

    fn take_unheard(&mut self, pipe: &mut SessionPipe) {
        for turn in 0..TURNS {
            // Where there is no room, the end is not to be seen.
            let room = pipe.incoming.room();
            if room == 0 {
                return;
            }
            if !self.engine.input_pending() {
                let read = match turn {
                    0 => self.probe(),
                    _ => self.read_now(),
                };
                match read {
                    Ok(0) => {
                        self.mute = Some(Box::new(DisconnectReason::Peer));
                        return;
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Err(error) => {
                        self.mute = Some(Box::new(error.into()));
                        return;
                    }
                }
            }
            let result = self.engine.handle_input(NOW, room);
            pipe.incoming.push(self.engine.take_messages());
            self.hear_drain(pipe);
            if let Err(error) = result {
                self.mute = Some(Box::new(error.into()));
                return;
            }
        }
    }

    /// Takes what the peer has sent, as there is room for it, to the end: nothing can be sent to it any more. Ready when
    /// nothing is left; the reason is the input's, if that has ended, too.
    #[cold]
    pub(super) fn poll_left(
        &mut self,
        reason: DisconnectReason,
        pipe: &mut SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        if let DisconnectReason::Protocol(_) = reason {
            return Poll::Ready(Err(reason));
        }
        if let Some(until) = self.hears_until
            && self.poll_until(until, cx).is_ready()
        {
            return Poll::Ready(Err(reason));
        }
        for _ in 0..TURNS {
            if pipe.outgoing.evicted().is_some() || pipe.outgoing.is_ending() {
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(room) = pipe.incoming.poll_room(cx) else {
                if self.poll_patience(pipe, cx).is_ready() {
                    return Poll::Ready(Err(reason));
                }
                self.mute = Some(Box::new(reason));
                return Poll::Pending;
            };
            self.patience = None;
            let read = self.read_left(cx, room);
            pipe.incoming.push(self.engine.take_messages());
            match read {
                Some(Ok(())) => {}
                Some(Err(end)) => return Poll::Ready(Err(end)),
                None => return Poll::Ready(Err(reason)),
            }
        }
        self.mute = Some(Box::new(reason));
        yield_to_others(cx);
        Poll::Pending
    }

    /// Sees to it, while there is no room for what the peer has left, that nobody waits in vain to send something: a pipe that
    /// has no other connection ends in that direction. Where the next peer comes only when this one has been heard out, that
    /// does not take long if somebody waits to send: then this is ready.
    fn poll_patience(&mut self, pipe: &mut SessionPipe, cx: &mut Context<'_>) -> Poll<()> {
        self.give_back(pipe, false);
        if !self.is_alone && pipe.end_outgoing() {
            return Poll::Pending;
        }
        loop {
            let patience = self
                .patience
                .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
            ready!(patience.as_mut().poll(cx));
            if pipe.outgoing.is_awaited() {
                return Poll::Ready(());
            }
            self.patience = None;
        }
    }

    /// Looks for the end of a peer for whose messages there is no room, nor will be while it waits for its name: its end
    /// lies behind what is not read, and without this it would be kept for as long as another one has the name.
    pub(super) fn poll_unseen_end(
        &mut self,
        pipe: &SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<DisconnectReason> {
        loop {
            if pipe.incoming.room() > 0 {
                return Poll::Pending;
            }
            if let Some(reason) = self.mute.take() {
                return Poll::Ready(*reason);
            }
            if self.stream.has_ended() {
                return Poll::Ready(DisconnectReason::Peer);
            }
            let patience = self
                .patience
                .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
            ready!(patience.as_mut().poll(cx));
            self.patience = None;
        }
    }

    /// Takes what is there. `None`: nothing is.
    fn read_left(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Option<Result<(), DisconnectReason>> {
        if !self.engine.input_pending() {
            match self.read_now() {
                Ok(0) => return Some(Err(DisconnectReason::Peer)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Some streams only the runtime can ask.
                    return match self.poll_read(cx, room) {
                        Poll::Ready(read) => Some(read),
                        Poll::Pending => None,
                    };
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
        let taken = self.engine.handle_input(NOW, room);
        Some(taken.map_err(DisconnectReason::from))
    }

    /// Returns what the peer said during the handshake before it left, if it was more than that.
    #[cold]
    pub(super) fn last_said(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<Result<Event, DisconnectReason>> {
        for _ in 0..TURNS {
            if let Some(event) = self.engine.poll_event() {
                return Some(Ok(event));
            }
            match self.read_left(cx, 0)? {
                Ok(()) => {}
                Err(reason @ DisconnectReason::Protocol(_)) => return Some(Err(reason)),
                Err(_) => return None,
            }
        }
        None
    }
}
