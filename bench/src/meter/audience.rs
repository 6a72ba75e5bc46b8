//! Many subscribers' common rate.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use purezmq::Message;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::order::Ordered;
use super::{Order, PROBE, check};
use crate::Failure;
use crate::args::Args;
use crate::process::{Usage, monotonic_ns};
use crate::report::{self, Rate, Report};

/// When nothing has come for so long, the rest is lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// All subscribers of a process.
pub(crate) struct Audience {
    size: usize,
    warmup: u64,
    total: u64,
    /// Messages that each has seen.
    seen: Vec<AtomicU64>,
    /// Subscribers that have seen no probe.
    unreached: AtomicUsize,
    /// Subscribers that have not seen everything.
    unserved: AtomicUsize,
    /// The first subscriber has warmed up.
    start: OnceLock<(u64, Usage)>,
    /// About when the last message came.
    last: AtomicU64,
    all_served: Notify,
    /// What the subscribers that are done have seen of numbered messages.
    order: Option<Mutex<Order>>,
}

/// One subscriber's place among them.
pub(crate) struct Seat {
    audience: Arc<Audience>,
    number: usize,
    reached: bool,
    seen: u64,
    order: Option<Box<Order>>,
}

#[derive(Serialize)]
struct Deliveries {
    #[serde(flatten)]
    rate: Rate,
    subs: usize,
    drops: u64,
    #[serde(flatten)]
    ordered: Option<Ordered>,
}

impl Audience {
    pub(crate) fn new(args: &Args) -> Arc<Self> {
        Arc::new(Audience {
            size: args.size,
            warmup: args.warmup,
            total: args.total(),
            seen: (0..args.peers).map(|_| AtomicU64::new(0)).collect(),
            unreached: AtomicUsize::new(args.peers),
            unserved: AtomicUsize::new(args.peers),
            start: OnceLock::new(),
            last: AtomicU64::new(0),
            all_served: Notify::new(),
            order: Order::new(args).map(|order| Mutex::new(*order)),
        })
    }

    pub(crate) fn seat(self: &Arc<Self>, number: usize, args: &Args) -> Seat {
        Seat {
            audience: self.clone(),
            number,
            reached: false,
            seen: 0,
            order: Order::new(args),
        }
    }

    /// Waits until everyone has everything, or nothing more comes.
    pub(crate) async fn served(&self) {
        let mut before = 0;
        while timeout(PATIENCE, self.all_served.notified()).await.is_err() {
            let now = self.deliveries();
            if now > 0 && now == before {
                return;
            }
            before = now;
        }
    }

    fn add(&self, seen: &Order) {
        if let Some(order) = &self.order {
            let mut order = order.lock().unwrap_or_else(PoisonError::into_inner);
            order.add(seen);
        }
    }

    fn deliveries(&self) -> u64 {
        self.seen
            .iter()
            .map(|seen| seen.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn report(&self, args: &Args) {
        let after = Usage::now();
        let last = self.last.load(Ordering::Relaxed);
        // Nobody has warmed up: almost everything is lost, and there is no rate.
        let (start, before) = self.start.get().copied().unwrap_or((last, after));
        let time = last.saturating_sub(start);
        let subs = self.seen.len() as u64;
        let drops = subs * self.total - self.deliveries();
        let deliveries = Deliveries {
            rate: Rate::new(
                args,
                (subs * args.count).saturating_sub(drops),
                Duration::from_nanos(time),
            ),
            subs: self.seen.len(),
            drops,
            ordered: self.order.as_ref().map(|order| {
                let order = order.lock().unwrap_or_else(PoisonError::into_inner);
                order.ordered()
            }),
        };
        Report::new(args, deliveries, before, after).print();
    }
}

impl Seat {
    /// Counts a message. `true`: it was this subscriber's last one.
    #[inline]
    pub(crate) fn count(&mut self, message: &Message) -> Result<bool, Failure> {
        let audience = &*self.audience;
        if message.byte_len() == PROBE {
            if !std::mem::replace(&mut self.reached, true)
                && audience.unreached.fetch_sub(1, Ordering::AcqRel) == 1
            {
                report::ready();
            }
            return Ok(false);
        }
        check(message, audience.size)?;
        if let Some(order) = &mut self.order {
            order.check(message, audience.start.get().is_some())?;
        }
        self.seen += 1;
        audience.seen[self.number].store(self.seen, Ordering::Relaxed);
        if self.seen == audience.warmup {
            audience.start.get_or_init(|| {
                let usage = Usage::now();
                (monotonic_ns(), usage)
            });
        }
        // The clock is read now and then only, for runs that lose messages: their last one is unknown.
        if self.seen.is_multiple_of(128) {
            audience.last.store(monotonic_ns(), Ordering::Relaxed);
        }
        if self.seen < audience.total {
            return Ok(false);
        }
        if let Some(order) = self.order.take() {
            audience.add(&order);
        }
        if audience.unserved.fetch_sub(1, Ordering::AcqRel) == 1 {
            audience.last.store(monotonic_ns(), Ordering::Relaxed);
            audience.all_served.notify_one();
        }
        Ok(true)
    }
}

impl Drop for Seat {
    /// A subscriber that has lost some is never done.
    fn drop(&mut self) {
        if let Some(order) = &self.order {
            self.audience.add(order);
        }
    }
}
