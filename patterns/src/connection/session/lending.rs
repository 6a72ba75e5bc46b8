//! Lending: a thread that waits for each message reads the stream itself, while they come one by one.
//!
//! On its way through an I/O thread, a lone message costs a wake-up and a switch of threads. So the stream is taken out of
//! that thread's runtime, and who waits asks the system for it ([`Drive::lend`](crate::pipe::Drive::lend)). What comes is
//! taken by the same code as ever, on the thread that waits. The session's task looks from time to time; it takes the stream
//! back when nobody has read it since, when messages come closer, and when something has to wait for the system.

use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use tokio::time::Instant;

use super::Session;
use crate::monitor::DisconnectReason;
use crate::pipe::SessionPipe;
use crate::transport::ByteStream;

/// So many lone messages one after the other have the stream lent.
const LONE: u8 = 16;

/// How soon after the one before a message comes that another one may soon follow.
const SOON: Duration = Duration::from_millis(1);

/// How often the task looks whether the stream is still read.
const LOOK: Duration = Duration::from_millis(5);

/// The lone messages that have come one after the other.
#[derive(Debug, Default)]
pub(super) struct Lone {
    count: u8,
    /// They are many, and the socket knows.
    is_told: bool,
}

impl Lone {
    /// Notes how long after the read before it one has found something.
    pub(super) fn note_pause(&mut self, pause: Duration) {
        if pause > SOON {
            self.count = 0;
        }
    }

    /// Notes what a read has brought: it may be a part of one. Returns whether that makes a difference to the socket.
    pub(super) fn note_messages(&mut self, messages: usize) -> bool {
        match messages {
            0 => {}
            1 => self.count = self.count.saturating_add(1),
            _ => self.count = 0,
        }
        self.are_many() != self.is_told
    }

    fn are_many(&self) -> bool {
        self.count >= LONE
    }

    /// Returns whether the last ones have come together.
    fn is_over(&self) -> bool {
        self.count == 0
    }
}

impl Session {
    /// Tells the socket that the stream may be lent, or that it is not any more.
    #[cold]
    pub(super) fn tell_of_lone(&mut self, pipe: &SessionPipe) {
        if self.stream.lent().is_none() {
            self.lone.is_told = self.lone.are_many();
            pipe.incoming
                .set_lends(self.lone.is_told && self.stream.may_be_lent());
        }
    }

    /// Lends the stream, if that is worth it.
    pub(super) fn lend_stream(&mut self) -> Option<Arc<Socket>> {
        if !self.lone.are_many() || !self.is_at_rest() || self.stream.lent().is_some() {
            return None;
        }
        if let Err(error) = self.stream.lend(Instant::now() + LOOK) {
            self.mute = Some(Box::new(error.into()));
        }
        self.stream.lent()?.socket()
    }

    /// Returns whether nothing is under way in either direction.
    fn is_at_rest(&self) -> bool {
        self.batch.is_empty()
            && self.rest.is_none()
            && !self.mid_batch
            && !self.is_blocked
            && self.mute.is_none()
            && !self.engine.input_pending()
            && !self.is_inherited()
    }

    /// Takes, by `take`, what the system says that there is. `None`: the task has to see to something.
    pub(super) fn read_lent_stream(
        &mut self,
        take: impl FnOnce(&mut Self) -> Option<bool>,
    ) -> Option<bool> {
        let lent = self.stream.lent()?;
        lent.note_readable();
        lent.is_read = true;
        let taken = take(self);
        let is_over = self.lone.is_over() || self.mute.is_some();
        let lent = self.stream.lent()?;
        if is_over {
            lent.want_back();
        }
        taken.filter(|_| !lent.is_wanted_back())
    }

    /// Has the task take the stream back, if it is lent: then `true`.
    pub(super) fn want_stream_back(&mut self) -> bool {
        self.stream.lent().is_some_and(|lent| {
            lent.want_back();
            true
        })
    }

    /// Looks, for the task, at a stream that is lent: what there is may be read now, and what nobody reads is taken back.
    pub(super) fn look_at_lent(&mut self, pipe: &SessionPipe) -> Result<(), DisconnectReason> {
        let Some(lent) = self.stream.lent() else {
            return Ok(());
        };
        lent.note_readable();
        let now = Instant::now();
        let mut stays = !lent.is_wanted_back();
        if stays && lent.look_at <= now {
            lent.look_at = now + LOOK;
            stays = std::mem::take(&mut lent.is_read);
        }
        if stays {
            return Ok(());
        }
        self.lone = Lone::default();
        pipe.incoming.set_lends(false);
        self.has_read_all = false;
        self.stream.move_here()?;
        // Who waits for it asks no more.
        pipe.incoming.stir();
        Ok(())
    }

    /// Returns when the task looks at a stream that is lent.
    pub(super) fn look_at(&mut self) -> Option<Instant> {
        Some(self.stream.lent()?.look_at)
    }

    /// Takes the stream back for the end of the connection.
    pub(super) fn end_lending(&mut self) {
        if self.stream.lent().is_some() {
            // What fails is seen by what follows.
            let _ = self.stream.move_here();
        }
    }
}
