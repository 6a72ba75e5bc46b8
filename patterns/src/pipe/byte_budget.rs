//! What a lane checks beside the number of its messages: their bytes, and their age. Off by default; a lane without
//! it has no [`Bounds`], and pays nothing for it.
//!
//! **Bytes.** A lane takes messages while it holds less than its limit, so one message may reach beyond. Then it
//! withholds the room that the HWM leaves, and gives it back when no more than half of the limit is left.
//!
//! **Age.** Messages that wait longer than the time to live are dropped by whoever looks next: the reader before it
//! takes a batch, the writer that finds the lane full. Time is kept for batches: one spans at most a sixteenth of the
//! time to live, and expires as a whole, so a message lives up to that much longer. What the reader has taken does
//! not expire.

use std::time::Duration;

use tokio::time::Instant;
use zmtp::Batch;

/// The limits of one lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Messages; 0 is no limit.
    pub(crate) hwm: usize,
    /// Bytes in wire form.
    pub(crate) bytes: Option<usize>,
    /// The time to live.
    pub(crate) ttl: Option<Duration>,
    /// Only the newest message counts.
    pub(crate) conflate: bool,
    /// Only the newest message of each topic counts.
    pub(crate) by_topic: bool,
}

impl Limits {
    /// The limits of an inproc pipe's lane: what each side allows is added up (R-HWM-4); how long messages live is
    /// the sender's to say.
    pub(super) fn joined(sender: Self, receiver: Self) -> Self {
        let (hwm, bytes) = (sender.hwm, sender.bytes);
        Limits {
            hwm: if hwm == 0 || receiver.hwm == 0 {
                0
            } else {
                hwm.saturating_add(receiver.hwm)
            },
            bytes: bytes
                .zip(receiver.bytes)
                .map(|(one, other)| one.saturating_add(other)),
            ttl: sender.ttl,
            conflate: sender.conflate || receiver.conflate,
            by_topic: sender.by_topic || receiver.by_topic,
        }
    }

    pub(super) fn hwm(&self) -> usize {
        match (self.conflate, self.hwm) {
            (true, _) => 1,
            (false, 0) => usize::MAX,
            (false, hwm) => hwm,
        }
    }
}

/// The parts of a time to live that it is kept by.
const PARTS: u32 = 16;

/// How often somebody who waits for messages to expire looks.
pub(crate) fn look_every(ttl: Duration) -> Duration {
    ttl / PARTS
}

/// A batch in a lane's queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) batch: Batch,
    /// From when on nobody wants it.
    pub(super) expires: Option<Instant>,
}

impl From<Batch> for Queued {
    fn from(batch: Batch) -> Self {
        Queued {
            batch,
            expires: None,
        }
    }
}

/// What a lane with a limit of bytes or a time to live keeps.
#[derive(Debug)]
pub(super) struct Bounds {
    limit: usize,
    pub(super) ttl: Option<Duration>,
    /// When the first message of the open batch came.
    opened: Option<Instant>,
    /// When what the reader has taken would have expired: it may come back.
    pub(super) taken_expires: Option<Instant>,
    /// Bytes of all closed batches, those in the reader's hands included.
    held: usize,
    /// Bytes that the reader has taken.
    in_hands: usize,
    /// The room for messages that there will be once there is room for bytes.
    pub(super) withheld: Option<usize>,
}

impl Bounds {
    pub(super) fn new(limits: Limits) -> Option<Box<Self>> {
        if limits.conflate && limits.ttl.is_none() {
            return None; // One message has no limit of bytes.
        }
        if limits.bytes.is_none() && limits.ttl.is_none() {
            return None;
        }
        Some(Box::new(Bounds {
            limit: limits
                .bytes
                .filter(|_| !limits.conflate)
                .unwrap_or(usize::MAX),
            ttl: limits.ttl,
            opened: None,
            taken_expires: None,
            held: 0,
            in_hands: 0,
            withheld: None,
        }))
    }

    /// Bytes of an open batch that close it, so that limits are checked in steps.
    pub(super) fn batch_bytes(&self) -> usize {
        self.limit / 8
    }

    /// A message was added to the open batch. If it is too young for the others, they are a batch of their own.
    pub(super) fn stamp(&mut self, open: &mut Batch) -> Option<Queued> {
        let ttl = self.ttl?;
        let now = Instant::now();
        let Some(opened) = self.opened.filter(|_| open.len() > 1) else {
            self.opened = Some(now);
            return None;
        };
        if opened + look_every(ttl) >= now {
            return None;
        }
        let older = open.split_front(open.len() - 1);
        let queued = self.closed(older);
        self.opened = Some(now);
        Some(queued)
    }

    /// The open batch counts as begun now.
    pub(super) fn open_now(&mut self) {
        self.opened = Some(Instant::now());
    }

    /// The open batch is closed.
    pub(super) fn closed(&mut self, batch: Batch) -> Queued {
        self.held = self.held.saturating_add(batch.byte_len());
        let expires = self.open_expires();
        self.opened = None;
        Queued { batch, expires }
    }

    /// When a message expires that comes now.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.ttl.map(|ttl| Instant::now() + ttl)
    }

    /// When the open batch expires.
    pub(super) fn open_expires(&self) -> Option<Instant> {
        let ttl = self.ttl?;
        Some(self.opened? + look_every(ttl) + ttl)
    }

    /// A batch came from elsewhere than the open one.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Closed batches, or a part of them, are gone without having been taken.
    pub(super) fn let_go(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// The reader takes a closed batch.
    pub(super) fn take(&mut self, queued: &Queued) {
        self.in_hands += queued.batch.byte_len();
        self.taken_expires = queued.expires;
    }

    /// The reader is done with what it took.
    pub(super) fn settle(&mut self) {
        let done = std::mem::take(&mut self.in_hands);
        self.let_go(done);
    }

    /// Whether the limit of bytes is reached.
    pub(super) fn is_full(&self, open: &Batch) -> bool {
        self.held.saturating_add(open.byte_len()) >= self.limit
    }

    /// Whether the lane may take messages again.
    pub(super) fn is_low(&self, open: &Batch) -> bool {
        self.held.saturating_add(open.byte_len()) <= self.limit / 2
    }
}
