//! The policy of a queue that does more than count its messages. Most have none, and pay nothing for it but one branch a
//! batch; a queue with one sends each message here after it was queued, at the place where a batch is closed.
//!
//! ```text
//! byte_budget.rs  a limit of bytes
//! ttl.rs          a time to live
//! last_value.rs   only the newest message of each topic counts
//! ```
//!
//! What a queue does by its policy is beside `queue.rs`: `expire.rs`, `conflate.rs`, `evict.rs`, `resize.rs`.

mod byte_budget;
mod last_value;
mod ttl;

use std::collections::VecDeque;

use zmtp::Batch;

use self::byte_budget::ByteBudget;
use self::last_value::LastValues;
pub(super) use self::ttl::Ttl;
use super::limits::Limits;
use super::queued::Queued;

pub(crate) use self::ttl::look_every;

/// What a queue does beside counting.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) budget: Option<ByteBudget>,
    pub(super) ttl: Option<Ttl>,
    pub(super) keep: Keep,
}

/// Which messages count.
#[derive(Debug)]
pub(super) enum Keep {
    All,
    Newest,
    /// They wait here: the open batch is empty, and closed ones have what is not to be conflated.
    NewestOfTopic(LastValues),
}

impl Policy {
    /// Returns the policy that these limits ask for, if they do.
    pub(super) fn new(limits: &Limits) -> Option<Box<Self>> {
        // One message has no limit of bytes.
        let bytes = limits.bytes.filter(|_| !limits.conflate);
        let keep = match limits {
            Limits { conflate: true, .. } => Keep::Newest,
            Limits { by_topic: true, .. } => Keep::NewestOfTopic(LastValues::default()),
            _ => Keep::All,
        };
        if bytes.is_none() && limits.ttl.is_none() && matches!(keep, Keep::All) {
            return None;
        }
        Some(Box::new(Policy {
            budget: bytes.map(ByteBudget::new),
            ttl: limits.ttl.map(Ttl::new),
            keep,
        }))
    }

    /// Returns whether each message has to be looked at.
    pub(super) fn looks_at_messages(&self) -> bool {
        self.looks_at_batches() || matches!(self.keep, Keep::NewestOfTopic(_))
    }

    /// Returns whether it matters when the reader is done with a batch.
    pub(super) fn looks_at_batches(&self) -> bool {
        self.budget.is_some() || self.ttl.is_some()
    }

    /// Returns what waits, if only the newest message of each topic counts.
    pub(super) fn last_values(&mut self) -> Option<&mut LastValues> {
        match &mut self.keep {
            Keep::NewestOfTopic(values) => Some(values),
            Keep::All | Keep::Newest => None,
        }
    }

    /// Returns whether nothing waits here.
    pub(super) fn is_empty(&self) -> bool {
        match &self.keep {
            Keep::NewestOfTopic(values) => values.is_empty(),
            Keep::All | Keep::Newest => true,
        }
    }

    /// Returns the room for messages that is kept back because there are too many bytes.
    pub(super) fn withheld(&self) -> usize {
        let budget = self.budget.as_ref();
        budget
            .and_then(|budget| budget.withheld)
            .unwrap_or_default()
    }

    /// Looks at the message that was added to the open batch. Returns the others, if they are too old for it.
    pub(super) fn stamp(&mut self, open: &mut Batch) -> Option<Queued> {
        let older = self.ttl.as_mut()?.stamp(open)?;
        self.hold(older.batch.byte_len());
        Some(older)
    }

    /// Returns the bytes of an open batch that close it.
    pub(super) fn batch_bytes(&self) -> usize {
        self.budget
            .as_ref()
            .map_or(usize::MAX, ByteBudget::batch_bytes)
    }

    /// Closes the open batch.
    pub(super) fn closed(&mut self, batch: Batch) -> Queued {
        self.hold(batch.byte_len());
        let mut expires = None;
        if let Some(ttl) = &mut self.ttl {
            expires = ttl.open_expires();
            ttl.opened = None;
        }
        Queued { batch, expires }
    }

    /// Adds the bytes of what came from elsewhere than the open batch.
    pub(super) fn hold(&mut self, bytes: usize) {
        if let Some(budget) = &mut self.budget {
            budget.hold(bytes);
        }
    }

    /// Takes off the bytes of what is gone without having been taken.
    pub(super) fn let_go(&mut self, bytes: usize) {
        if let Some(budget) = &mut self.budget {
            budget.let_go(bytes);
        }
    }

    /// Notes that the reader takes a batch.
    pub(super) fn take(&mut self, queued: &Queued) {
        if let Some(budget) = &mut self.budget {
            budget.take(queued.batch.byte_len());
        }
        if let Some(ttl) = &mut self.ttl {
            ttl.taken_expires = queued.expires;
        }
    }

    /// Notes that the reader is done with the batch that it took.
    pub(super) fn settle(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.settle();
        }
    }

    /// Begins with what is queued already.
    pub(super) fn begin_with(&mut self, full: &VecDeque<Queued>, open: &Batch) {
        for queued in full {
            self.hold(queued.batch.byte_len());
        }
        if let Some(ttl) = &mut self.ttl
            && !open.is_empty()
        {
            ttl.open_now();
        }
    }

    /// Goes on with what waits in another policy.
    pub(super) fn go_on_from(&mut self, old: &mut Policy) {
        if let (Some(values), Some(old)) = (self.last_values(), old.last_values()) {
            *values = std::mem::take(old);
            let bytes = values.bytes();
            self.hold(bytes);
        }
    }
}
