//! Trying, waiting for the next event, and now and then letting others have their turn.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use zmtp::Message;

use super::turn::Held;
use super::{Core, Pattern, Refusal};
use crate::coop::yield_to_others;
use crate::error::EndpointGone;
use crate::pipe::{Inbox, PipeEnd};
use crate::pipe::{PipeId, PipeReader, look_every};
use crate::routing::{Broadcast, FanOut, RecvStrategy, SendStrategy};

/// Messages thrown away and notices read, or as much work, before an attempt is cut short: what the connections have to
/// tell is read then, and it counts as so many calls.
const SHARE: usize = 1000;

/// Shares of a call that cannot yield.
const SHARES_AT_ONCE: usize = 8;

/// Shares of one that counts subscriptions, which is to be right for as many as one peer may have.
const SHARES_OF_COUNTING: usize = 50;

/// How long a call with `busy_poll` asks the connections before its task yields. Only then do timers fire, the
/// application's own `timeout` round the call among them. Letting the runtime look at the system once takes about a
/// microsecond, so a round trip that is spun for becomes longer by about a fiftieth of that.
const SLICE: Duration = Duration::from_micros(50);

/// How a poll asks the connections themselves.
#[derive(Clone, Copy)]
pub(crate) struct Spin {
    /// How long all polls of one call do so.
    total: Duration,
    /// How long this one does.
    slice: Duration,
    /// It is the first of its call.
    begins: bool,
}

impl Spin {
    /// `most`: what the call's own time-out leaves.
    pub(super) fn new(total: Duration, most: Option<Duration>, begins: bool) -> Self {
        Spin {
            total,
            slice: most.map_or(SLICE, |most| most.min(SLICE)),
            begins,
        }
    }
}

/// What an attempt comes to. Pending: nothing to be done now.
pub(super) type Attempt<T> = Poll<Result<T, Refusal>>;

impl<P: Pattern> Core<P> {
    /// Lets `attempt` send, and again each time a pipe may have become writable.
    pub(crate) fn poll_send<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        let sent = self.poll(cx, true, |core| &core.writers, None, &mut attempt);
        match self.shared.config.options.send_ttl {
            Some(ttl) if sent.is_pending() => self.poll_expiring(cx, ttl, attempt),
            _ => sent,
        }
    }

    /// Lets `attempt` try now and then, because messages that expire make room.
    #[cold]
    fn poll_expiring<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        ttl: Duration,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        loop {
            let mut timer = match self.expiry.take() {
                Some(timer) => timer,
                None => Box::pin(self.timer(look_every(ttl))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                self.expiry = Some(timer);
                return Poll::Pending;
            }
            let done = self.try_once(&mut attempt);
            if done.is_ready() {
                return done;
            }
        }
    }

    /// Reads what the connections have to tell, and lets `attempt` do its share.
    #[inline]
    pub(super) fn try_once<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        self.work = 0;
        if self.read_events() {
            return Poll::Ready(Err(Refusal::ContextClosed));
        }
        let done = attempt(self);
        self.turn.add(self.work);
        done
    }

    /// Counts work of an attempt that gives the application nothing. `false`: it has done its share, and stops.
    #[inline]
    pub(crate) fn goes_on(&mut self, work: usize) -> bool {
        self.work += work;
        self.work < SHARE
    }

    /// Returns whether the attempt has stopped before it had seen all there is.
    #[inline]
    pub(super) fn is_cut_short(&self) -> bool {
        self.work >= SHARE
    }

    /// Lets `attempt` do some shares at once, for a call that does not wait.
    pub(crate) fn try_now<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        for _ in 1..SHARES_AT_ONCE {
            let done = self.try_once(&mut attempt);
            if done.is_ready() || !self.is_cut_short() {
                return done;
            }
        }
        self.try_once(&mut attempt)
    }

    /// Counts the peers with a subscription, and the distinct topics, after hearing what peers say of them; not for ever,
    /// if they never stop.
    pub(crate) fn subscriptions_now(&mut self) -> (usize, usize) {
        for _ in 1..SHARES_OF_COUNTING {
            let counted = self.count_subscriptions();
            if !self.is_cut_short() {
                return counted;
            }
        }
        self.count_subscriptions()
    }

    fn count_subscriptions(&mut self) -> (usize, usize) {
        self.work = 0;
        self.read_events();
        P::subscriptions(self)
    }

    /// Lets `attempt` receive, and again each time a pipe may have become readable.
    pub(crate) fn poll_recv<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        spin: Option<Spin>,
        attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        if self.shared.state.draining.has_begun() {
            return self.poll_recv_draining(cx, spin, attempt);
        }
        self.poll(cx, false, |core| &core.readers, spin, attempt)
    }

    pub(super) fn poll<E: PipeEnd, T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        sends: bool,
        inbox: impl Fn(&Self) -> &Inbox<E>,
        spin: Option<Spin>,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        ready!(self.poll_yield(cx, sends));
        loop {
            let done = self.try_once(&mut attempt);
            if done.is_ready() {
                return done;
            }
            if self.is_cut_short() {
                ready!(self.poll_yield(cx, sends));
                continue;
            }
            if let Some(spin) = spin {
                let done = self.busy_poll(spin, &mut attempt);
                if done.is_ready() {
                    return done;
                }
                if self.spun < spin.total {
                    yield_to_others(cx);
                    return Poll::Pending;
                }
                self.spun = Duration::ZERO;
            }
            // Without a waker, it is a first attempt, and nobody waits.
            if self.is_lent && !cx.waker().will_wake(Waker::noop()) {
                self.wait_elsewhere();
            }
            self.shared.state.tidy();
            if !inbox(self).park(cx.waker()) {
                // It may be the call's own doing. Others have their turn all the same.
                self.turn.add(1);
                self.turn.look_later();
                ready!(self.poll_yield(cx, sends));
            } else {
                self.turn.waits();
                // Asked while it is parked: an endpoint that goes after this wakes the task.
                return match self.all_gone() {
                    Some(last) => Poll::Ready(Err(Refusal::Gone(last))),
                    None => Poll::Pending,
                };
            }
        }
    }

    /// Returns the endpoint that went last, if nothing is left that could ever take or give a message.
    #[inline]
    pub(crate) fn all_gone(&self) -> Option<Arc<EndpointGone>> {
        if self.is_cut_short() {
            return None;
        }
        let liveness = &self.shared.state.liveness;
        if !liveness.is_any_gone() {
            return None;
        }
        self.table.all_gone(liveness)
    }

    /// Drives the connections from here for a while, instead of sleeping until one of them has something. At least
    /// once, and a slice at most.
    #[cold]
    fn busy_poll<T>(
        &mut self,
        spin: Spin,
        attempt: &mut impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        if spin.begins {
            self.spun = Duration::ZERO;
        }
        let start = Instant::now();
        let slice = spin.slice.min(spin.total - self.spun.min(spin.total));
        loop {
            let mut moved = false;
            for connection in self.receiver.readers().filter_map(PipeReader::connection) {
                moved |= connection.exchange();
            }
            if moved || self.has_read_events() {
                let done = self.try_once(attempt);
                if done.is_ready() {
                    return done;
                }
            }
            let spun = start.elapsed();
            if spun >= slice {
                self.spun += spun;
                return Poll::Pending;
            }
            std::hint::spin_loop();
        }
    }

    /// Becomes ready when a message can be sent without waiting, to a socket whose peers hold it back.
    pub(crate) fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Attempt<()> {
        let room = |core: &mut Self| match core.sender.has_room() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        };
        self.poll_send(cx, room)
    }

    /// Becomes ready when `recv` would not wait, or, with `send`, `send` would not. What would fail at once is ready, too.
    #[cfg(not(purezmq_loom))]
    pub(crate) fn poll_ready(&mut self, cx: &mut TaskContext<'_>, send: bool) -> Poll<()> {
        let ready = |is_ready| match is_ready {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        };
        let polled = match send {
            true => self.poll_send(cx, |core| ready(P::is_writable(core))),
            false => self.poll_recv(cx, None, |core| ready(P::is_readable(core))),
        };
        polled.map(drop)
    }

    /// Counts what a call has served beyond the first message.
    pub(crate) fn count_served(&mut self, messages: usize) {
        self.turn.add(messages.saturating_sub(1));
    }

    /// Makes a timer for a call. It belongs to the socket's runtime, whatever executor polls it.
    pub(crate) fn timer(&self, time: Duration) -> Sleep {
        self.table.context.timer(self.options().affinity, time)
    }

    /// Counts a call, and returns whether it may be served without yielding first.
    #[inline]
    pub(crate) fn is_within_budget(&mut self) -> bool {
        self.turn.count()
    }

    /// Counts the pipes among which its calls, or their messages, are shared out.
    fn pipes(&self) -> usize {
        self.sender.pipes().max(self.receiver.pipes())
    }

    /// Yields once, before anything is done, when the application has been busy for long.
    fn poll_yield(&mut self, cx: &mut TaskContext<'_>, sends: bool) -> Poll<()> {
        if self.turn.is_short() {
            return Poll::Ready(());
        }
        if self.shared.state.draining.has_begun() {
            // Each call comes by then, and yields no more often for that.
            if self.turn.served() <= P::Send::BUDGET {
                return Poll::Ready(());
            }
            self.turn.begin();
        } else if self.turn.is_spent() {
            let more = self.sender.calls_more();
            if more > 0 {
                self.turn.go_on(more);
                return Poll::Ready(());
            }
            let budget = P::Send::BUDGET * self.pipes().clamp(1, P::Send::SHARES);
            self.turn.begin_with(budget);
        } else if !sends {
            self.turn.postpone();
            return Poll::Ready(());
        } else {
            let pipes = self.pipes();
            let held = self.turn.held(tokio::time::Instant::now(), pipes);
            // Who has nothing left for others to send may take all the time.
            match self.sender.unread() {
                Some(_) if held == Held::Long => self.turn.begin(),
                Some(pipe) if held == Held::Soon => {
                    pipe.send_on();
                    return Poll::Ready(());
                }
                _ => return Poll::Ready(()),
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }
}

impl<P: Pattern<Send = FanOut>> Core<P> {
    /// Gives a message to all who want it, or to `only` one of them, and counts what that was. Pending: not now.
    pub(crate) fn publish(&mut self, message: &mut Message, only: Option<PipeId>) -> Attempt<()> {
        let sent = self.sender.send(message, only);
        self.count_copies(sent)
    }

    /// Gives a message to all who have subscribed to its whole first frame, and counts what that was. Pending: not now.
    pub(crate) fn publish_whole(&mut self, message: &mut Message) -> Attempt<()> {
        let sent = self.sender.send_whole(message);
        self.count_copies(sent)
    }

    #[inline(always)]
    fn count_copies(&mut self, sent: bool) -> Attempt<()> {
        self.turn.add_copies(self.sender.copies());
        match sent {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

impl<P: Pattern<Send = Broadcast>> Core<P> {
    /// Subscribes at all publishers, those to come included, or takes that back. `false`: there was nothing to take
    /// back.
    pub(crate) fn change_subscription(&mut self, subscribe: bool, topic: &[u8]) -> bool {
        self.read_events();
        let set = self.shared.state.subscriptions.as_ref();
        let set = set.expect("made for every socket that subscribes");
        let peers = &mut self.sender;
        let tells_all = self.shared.config.options.verbose_unsubscribe;
        if subscribe {
            set.subscribe(topic, |change| peers.tell(change));
            return true;
        }
        set.unsubscribe(topic, tells_all, |change| peers.tell(change))
    }
}
