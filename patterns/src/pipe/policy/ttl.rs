//! The time to live of messages. Those that wait for longer are dropped by whoever looks next: the reader before it takes
//! a batch, the writer that finds the lane full.
//!
//! Time is kept for batches: one spans at most a sixteenth of the time to live, and expires as a whole, so a message lives
//! up to that much longer. What the reader has taken does not expire.

use std::time::Duration;

use tokio::time::Instant;
use zmtp::Batch;

use crate::pipe::queued::Queued;

/// The parts of a time to live that it is kept by.
const PARTS: u32 = 16;

/// Returns how often somebody who waits for messages to expire looks.
pub(crate) fn look_every(ttl: Duration) -> Duration {
    ttl / PARTS
}

/// The clock of a lane whose messages have a time to live.
#[derive(Debug)]
pub(in crate::pipe) struct Ttl {
    pub(in crate::pipe) time: Duration,
    /// When the first message of the open batch came.
    pub(super) opened: Option<Instant>,
    /// When what the reader has taken would have expired: it may come back.
    pub(in crate::pipe) taken_expires: Option<Instant>,
}

impl Ttl {
    pub(super) fn new(time: Duration) -> Self {
        Ttl {
            time,
            opened: None,
            taken_expires: None,
        }
    }

    /// Notes that a message was added to the open batch. If it is too young for the others, they are given back, to be a
    /// batch of their own.
    pub(super) fn stamp(&mut self, open: &mut Batch) -> Option<Queued> {
        let now = Instant::now();
        let Some(opened) = self.opened.filter(|_| open.len() > 1) else {
            self.opened = Some(now);
            return None;
        };
        if opened + look_every(self.time) >= now {
            return None;
        }
        let older = Queued {
            batch: open.split_front(open.len() - 1),
            expires: self.open_expires(),
        };
        self.opened = Some(now);
        Some(older)
    }

    /// Notes that the open batch begins now.
    pub(super) fn open_now(&mut self) {
        self.opened = Some(Instant::now());
    }

    /// Returns when a message expires that comes now.
    pub(super) fn expires(&self) -> Instant {
        Instant::now() + self.time
    }

    /// Returns when the open batch expires.
    pub(in crate::pipe) fn open_expires(&self) -> Option<Instant> {
        Some(self.opened? + look_every(self.time) + self.time)
    }
}
