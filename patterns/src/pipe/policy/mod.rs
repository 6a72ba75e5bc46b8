//! The policy of a queue that does more than count its messages. Most have none, and pay nothing for it but one branch a
//! batch; a queue with one sends each message here after it was queued, at the place where a batch is closed.
//!
//! ```text
//! ttl.rs          a time to live
//! last_value.rs   only the newest message of each topic counts
//! ```
//!
//! What a queue does by its policy is beside `queue.rs`: `expire.rs`, `conflate.rs`, `evict.rs`, `resize.rs`.

mod last_value;
mod ttl;

use zmtp::Batch;

use self::last_value::LastValues;
pub(super) use self::ttl::Ttl;
use super::limits::Limits;
use super::queued::Queued;

pub(crate) use self::ttl::look_every;

/// What a queue does beside counting.
#[derive(Debug)]
pub(super) struct Policy {
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
        let keep = match limits {
            Limits { conflate: true, .. } => Keep::Newest,
            Limits { by_topic: true, .. } => Keep::NewestOfTopic(LastValues::default()),
            _ => Keep::All,
        };
        if limits.ttl.is_none() && matches!(keep, Keep::All) {
            return None;
        }
        Some(Box::new(Policy {
            ttl: limits.ttl.map(Ttl::new),
            keep,
        }))
    }

    /// Returns whether each message has to be looked at.
    pub(super) fn looks_at_messages(&self) -> bool {
        self.ttl.is_some() || matches!(self.keep, Keep::NewestOfTopic(_))
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

    /// Counts what waits here.
    pub(super) fn len(&self) -> usize {
        match &self.keep {
            Keep::NewestOfTopic(values) => values.len(),
            Keep::All | Keep::Newest => 0,
        }
    }

    /// Looks at the message that was added to the open batch. Returns the others, if they are too old for it.
    pub(super) fn stamp(&mut self, open: &mut Batch) -> Option<Queued> {
        self.ttl.as_mut()?.stamp(open)
    }

    /// Closes the open batch.
    pub(super) fn closed(&mut self, batch: Batch) -> Queued {
        let mut expires = None;
        if let Some(ttl) = &mut self.ttl {
            expires = ttl.open_expires();
            ttl.opened = None;
        }
        Queued { batch, expires }
    }

    /// Notes that the reader takes a batch.
    pub(super) fn take(&mut self, queued: &Queued) {
        if let Some(ttl) = &mut self.ttl {
            ttl.taken_expires = queued.expires;
        }
    }

    /// Begins with what is queued already.
    pub(super) fn begin_with(&mut self, open: &Batch) {
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
        }
    }
}
