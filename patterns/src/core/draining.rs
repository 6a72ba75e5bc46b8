//! Draining a socket: no new work is taken, what is in is received and answered, and then nothing more comes.
//!
//! It begins for the whole socket (`state/draining.rs`), whichever handle begins it. It is over for whoever receives when
//! no connection has anything more to bring, or at the limit:
//!
//! ```text
//! peers that understand   have said that no more comes (DRAINED), or have gone
//! those that do not       have been quiet for a while, or have gone; those that send answers have gone
//! handshakes              are through, or have failed
//! ```

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::calls::{Attempt, Spin};
use super::{Core, Pattern, Refusal};
use crate::coop::yield_to_others;
use crate::pipe::Coming;

/// How long nothing comes of a peer that cannot be told before it is taken to have nothing more.
const QUIET: Duration = Duration::from_millis(100);

/// A handle's wait for the end.
pub(super) struct Wait {
    until: Option<Instant>,
    /// Nothing, if there is no limit.
    limit: Option<Pin<Box<Sleep>>>,
    /// How much had come when the time began, and when that is over.
    quiet: Option<(u64, Pin<Box<Sleep>>)>,
    is_over: bool,
}

impl<P: Pattern> Core<P> {
    /// Takes no new work from now on.
    pub(crate) fn drain(&mut self, limit: Duration) {
        self.read_events();
        self.turn.ask_always();
        let state = self.shared.state.clone();
        // Whoever comes after this sees it, and the others are asked.
        state.draining.begin(limit);
        self.table.stop_accepting();
        match &state.subscriptions {
            Some(set) => set.clear(|changes| state.stats.drain(changes)),
            None => state.stats.drain(&[]),
        }
        state.drain_changed();
    }

    /// Returns how much of the limit is left, if the socket drains.
    pub(super) fn drain_left(&self) -> Option<Duration> {
        let draining = &self.shared.state.draining;
        let until = draining.has_begun().then(|| draining.until())??;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Receives while the socket drains.
    #[cold]
    pub(super) fn poll_recv_draining<T>(
        &mut self,
        cx: &mut Context<'_>,
        spin: Option<Spin>,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Attempt<T> {
        // Peers that never stop do not go beyond the limit, nor does what of theirs is at hand: no call is served without
        // asking here.
        self.turn.ask_always();
        if self.is_beyond_drain() || self.poll_drain_limit(cx).is_ready() {
            return Poll::Ready(Err(Refusal::Drained));
        }
        let received = self.poll(cx, false, |core| &core.readers, spin, &mut attempt);
        if received.is_ready() {
            return received;
        }
        while self.poll_drained(cx).is_ready() {
            // What came before the last word of those who bring nothing more is here by now.
            let received = self.try_once(&mut attempt);
            if received.is_ready() {
                return received;
            }
            if self.is_cut_short() {
                yield_to_others(cx);
                return Poll::Pending;
            }
            if !self.has_read_events() {
                return Poll::Ready(Err(Refusal::Drained));
            }
        }
        Poll::Pending
    }

    /// Returns whether the limit is over, for a call that does not wait.
    #[inline]
    pub(super) fn is_beyond_drain(&self) -> bool {
        let draining = &self.shared.state.draining;
        draining.has_begun() && draining.until().is_some_and(|end| end <= Instant::now())
    }

    /// Becomes ready at the limit.
    pub(crate) fn poll_drain_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.drain_wait().limit {
            Some(limit) => limit.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Becomes ready when nothing more comes, and stays so.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.drain_wait().is_over {
            return Poll::Ready(());
        }
        let state = self.shared.state.clone();
        // In this order: a handshake is over when its connection is there to be asked.
        let is_greeting = state.draining.is_greeting();
        let is_over = match state.stats.coming() {
            _ if is_greeting => false,
            (Coming::Nothing, _) => true,
            (Coming::Perhaps, came) => self.poll_quiet(cx, came).is_ready(),
            (Coming::More, _) => false,
        };
        if !is_over && self.poll_drain_limit(cx).is_pending() {
            return Poll::Pending;
        }
        self.drain_wait().is_over = true;
        Poll::Ready(())
    }

    /// Becomes ready when nothing has come for a while.
    fn poll_quiet(&mut self, cx: &mut Context<'_>, came: u64) -> Poll<()> {
        let timer = match self.drain_wait().quiet.take() {
            Some((before, timer)) if before == came => timer,
            _ => Box::pin(self.timer(QUIET)),
        };
        let (_, timer) = self.drain_wait().quiet.insert((came, timer));
        timer.as_mut().poll(cx)
    }

    /// Returns whether nothing more comes, for a call that does not wait.
    pub(crate) fn is_drained(&self) -> bool {
        let draining = &self.shared.state.draining;
        if !draining.has_begun() {
            return false;
        }
        let is_late = self.is_beyond_drain();
        let is_known = self.draining.as_ref().is_some_and(|wait| wait.is_over);
        let is_over =
            || !draining.is_greeting() && self.shared.state.stats.coming().0 == Coming::Nothing;
        is_late || is_known || (is_over() && !self.has_read_events())
    }

    /// Counts what the peers that are there were given beyond what has come from them.
    pub(crate) fn owed(&self) -> u64 {
        self.shared.state.stats.owed()
    }

    fn drain_wait(&mut self) -> &mut Wait {
        let until = self.shared.state.draining.until();
        let is_old = |wait: &Wait| wait.until != until;
        if self.draining.as_deref().is_none_or(is_old) {
            let left = until.map(|end| end.saturating_duration_since(Instant::now()));
            let wait = Wait {
                until,
                limit: left.map(|left| Box::pin(self.timer(left))),
                quiet: None,
                is_over: false,
            };
            self.draining = Some(Box::new(wait));
        }
        self.draining.as_mut().expect("it is there now")
    }
}
