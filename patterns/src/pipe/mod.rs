//! The pipe: two bounded one-way message queues between one socket and one peer.
//!
//! ```text
//!   socket handle                                session (or the socket at the other end of an inproc pipe)
//!   PipeWriter ── push ──► [ lane: batch, HWM ] ── take ──► OutgoingEnd  ──► stream
//!   PipeReader ◄── pop ─── [ lane: batch, HWM ] ◄─ push ─── IncomingEnd  ◄── stream
//! ```
//!
//! A lane carries [`Batch`](zmtp::Batch)es: whole messages in wire form. `push` encodes a message straight into the
//! lane's open batch; whoever reads takes the batch out whole, so the lock is taken once per message by
//! the one who has single messages and once per batch by the other. All concurrency between a socket and
//! its sessions is in this folder, in `lane.rs` and `inbox.rs`.
//!
//! **High-water mark.** A lane counts the messages in its queue and those that its reader has taken but
//! not yet done with (written to the stream, or handed to the application). Their sum never exceeds the
//! HWM: the batch in a session's hands counts. A writer that finds the lane full is *parked* and told when
//! no more than HWM - (HWM + 1) / 2 messages are left, as libzmq's low-water rule has it ([R-HWM-7]).
//!
//! **Ends.** Each end is told when the other one goes. What a socket has queued outlives its
//! `PipeWriter`: the session goes on sending until the lane is empty or the linger time is over. What a
//! session has delivered outlives its `IncomingEnd`: the socket reads it to the end.
//!
//! **Marks.** A lane says between which messages another peer has taken the place of the one before; and, for a socket
//! that names its peers, when one came and left (`peers.rs`).
//!
//! **Bytes.** Beside the HWM, a lane has a limit of bytes, unless the HWM is none: see `byte_budget.rs`.
//!
//! **Policy.** A lane may have a time to live for its messages, or hold only the newest message, of all or of each topic:
//! see `policy/`.
//!
//! ```text
//! lane.rs                             one direction: a queue under a lock
//! queue.rs                            batches, and the credit that the HWM leaves
//! limits.rs byte_budget.rs            what it may hold; the bytes
//! policy/, expire conflate evict resize   what a queue does beside counting
//! taking.rs written.rs                batches that change hands, and their buffers; what is written of them
//! stalled.rs                          what waits for a subscriber that takes nothing
//! left.rs                             what is left when the writer has gone, or thrown away where nobody reads
//! peers.rs                            marks: who sends what
//! ends.rs inbox.rs                    who is told what
//! drain.rs                            a reader that takes no more
//! ender.rs                            ending a connection from outside
//! outstanding.rs                      what such a connection leaves
//! writer.rs reader.rs session_end.rs  the ends, as their holders have them
//! caller.rs                           the call that waits at one of them
//! lent.rs                             a stream in the hands of a thread that waits
//! build.rs                            making pipes
//! counters.rs view.rs                 what the statistics see
//! ```
//!
//! [R-HWM-7]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-hwm-7

mod build;
mod byte_budget;
mod caller;
mod conflate;
mod counters;
mod drain;
mod ender;
mod ends;
mod evict;
mod expire;
mod inbox;
mod lane;
mod left;
mod lent;
mod limits;
mod outstanding;
mod peers;
mod policy;
mod queue;
mod queued;
mod reader;
mod resize;
mod session_end;
mod spares;
mod stalled;
mod taking;
mod view;
mod writer;
mod written;

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(crate) use build::{Party, Unbound, to_name, to_session};
pub(crate) use caller::Caller;
pub(crate) use drain::Coming;
pub(crate) use ender::{Ender, Ending};
pub(crate) use ends::Drive;
pub(crate) use evict::EvictReason;
pub(crate) use inbox::{Inbox, PipeEnd, PipeEvent};
pub(crate) use left::Left;
pub use lent::LentStream;
pub(crate) use limits::Limits;
pub(crate) use outstanding::Outstanding;
pub(crate) use peers::{PeerMark, PeerName};
pub(crate) use policy::look_every;
pub(crate) use queued::BY_REFERENCE;
pub(crate) use reader::{PipeReader, Popped};
pub(crate) use session_end::{IncomingEnd, OutgoingEnd, Rest, SessionPipe, Taken};
pub(crate) use view::{LaneCounts, LaneView, PipeRegistry};
pub(crate) use writer::{PipeWriter, Refused};

/// Names a pipe within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PipeId(u64);

impl PipeId {
    pub(crate) fn next() -> Self {
        #[cfg(purezmq_simulation)]
        if let Some(next) = crate::simulation::next_id() {
            return PipeId(next);
        }
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        PipeId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns it as a number, for statistics.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Names the bind or connect call that a pipe came from, so that unbind and disconnect find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    call: u32,
    is_bound: bool,
    has_datagrams: bool,
}

impl Origin {
    /// Names a bind call.
    pub(crate) const fn bound(call: u32) -> Self {
        Origin {
            call,
            is_bound: true,
            has_datagrams: false,
        }
    }

    /// Names a connect call.
    pub(crate) const fn connected(call: u32) -> Self {
        Origin {
            call,
            is_bound: false,
            has_datagrams: false,
        }
    }

    /// Names one to an endpoint of datagrams.
    pub(crate) const fn of_datagrams(self) -> Self {
        Origin {
            has_datagrams: true,
            ..self
        }
    }

    /// Returns whether peers have come to us.
    pub(crate) const fn is_bound(self) -> bool {
        self.is_bound
    }

    /// Returns whether what goes by it is datagrams: nobody at the other end says what it wants.
    pub(crate) const fn has_datagrams(self) -> bool {
        self.has_datagrams
    }
}

/// A socket's linger time, shared with its pipes: read when a pipe's writer is dropped. And how many of them have gone.
#[derive(Debug)]
pub(crate) struct Linger {
    millis: AtomicU64,
    /// Pipes that the socket has let go of, since it was asked last.
    gone: AtomicUsize,
}

const FOR_EVER: u64 = u64::MAX;

impl Linger {
    pub(crate) fn new(time: Option<Duration>) -> Self {
        let linger = Linger {
            millis: AtomicU64::new(0),
            gone: AtomicUsize::new(0),
        };
        linger.set(time);
        linger
    }

    /// Changes the time. `None`: for ever.
    pub(crate) fn set(&self, time: Option<Duration>) {
        let millis = time.map_or(FOR_EVER, |time| {
            u64::try_from(time.as_millis()).unwrap_or(FOR_EVER)
        });
        self.millis.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Duration> {
        match self.millis.load(Ordering::Relaxed) {
            FOR_EVER => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    /// Notes that the socket has let go of a pipe.
    fn note_gone(&self) {
        self.gone.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many pipes the socket has let go of since this was asked last.
    #[inline]
    pub(crate) fn take_gone(&self) -> usize {
        match self.gone.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.gone.swap(0, Ordering::Relaxed),
        }
    }
}

/// When lingering ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Never,
    At(Instant),
}

impl Deadline {
    fn after(time: Option<Duration>) -> Self {
        // A time beyond what the clock can tell is never reached either.
        match time.map(|time| Instant::now().checked_add(time)) {
            Some(Some(end)) => Deadline::At(end),
            Some(None) | None => Deadline::Never,
        }
    }

    /// Returns whether nothing may be sent any more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Deadline::At(end) if end <= Instant::now())
    }

    fn is_before(self, other: Deadline) -> bool {
        match (self, other) {
            (Deadline::At(this), Deadline::At(other)) => this < other,
            (Deadline::At(_), Deadline::Never) => true,
            (Deadline::Never, _) => false,
        }
    }
}

#[cfg(all(test, purezmq_loom))]
pub(crate) mod loom_tests;
#[cfg(test)]
pub(crate) mod tests;
