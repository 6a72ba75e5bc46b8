//! A task's turn: how many calls it makes, and for how long, before it lets others run. Asked by `calls.rs`.
//!
//! Calls that follow each other closely are counted. A program that does something between them may hold its thread for long
//! with a few, while what it has sent waits in its pipes for a session of the same thread: so the clock is read twice in each
//! turn, and more often only if the calls are that far apart.

use std::time::Duration;

use tokio::time::Instant;

/// Calls before the clock is read first, and from there to the second time.
const LOOK: usize = 32;

/// Copies of a message that are as much work as another call.
const COPIES_A_CALL: usize = 256;

/// Calls that are this far apart follow each other closely, and so do copies.
const CLOSE: Duration = Duration::from_nanos(250);

/// How long a task holds its thread whose calls are farther apart.
const LONG: Duration = Duration::from_micros(100);

/// What a task has done since it last waited or yielded.
#[derive(Debug)]
pub(super) struct Turn {
    /// Calls served.
    served: usize,
    /// Beyond so many, it is asked whether the turn is over.
    look_at: usize,
    /// Beyond so many, it is, however long they took.
    budget: usize,
    /// When the clock was read first, and how many calls had been served by then.
    began: Option<(Instant, usize)>,
    /// Copies made since then.
    copies: usize,
    /// How many calls fit in a turn, if they are not close.
    fit: Option<usize>,
}

impl Turn {
    pub(super) fn new(budget: usize) -> Self {
        Turn {
            served: 0,
            look_at: LOOK.min(budget),
            budget,
            began: None,
            copies: 0,
            fit: None,
        }
    }

    /// Counts a call, and returns whether it may be served without asking more.
    #[inline(always)]
    pub(super) fn count(&mut self) -> bool {
        self.served += 1;
        self.served <= self.look_at
    }

    /// Counts what is as much work as so many calls.
    #[inline(always)]
    pub(super) fn add(&mut self, calls: usize) {
        self.served += calls;
    }

    /// Counts the copies of a message that a call has made.
    #[inline(always)]
    pub(super) fn add_copies(&mut self, copies: usize) {
        self.served += copies / COPIES_A_CALL;
        self.copies += copies;
    }

    pub(super) fn served(&self) -> usize {
        self.served
    }

    /// Returns whether nothing is to be asked yet.
    pub(super) fn is_short(&self) -> bool {
        self.served <= self.look_at
    }

    /// Returns whether the budget is used up.
    pub(super) fn is_spent(&self) -> bool {
        self.served > self.budget
    }

    /// Returns whether the task has held its thread for long, and says when to ask again if it has not.
    pub(super) fn is_long(&mut self, now: Instant) -> bool {
        let Some((began, at)) = self.began else {
            self.began = Some((now, self.served));
            self.copies = 0;
            self.look(self.served + self.fit.unwrap_or(LOOK) - 1);
            return false;
        };
        let calls = self.served.saturating_sub(at).max(1);
        let time = now.saturating_duration_since(began);
        let work = calls + self.copies;
        if time < CLOSE.saturating_mul(u32::try_from(work).unwrap_or(u32::MAX)) {
            self.fit = None;
            self.look_at = self.budget;
            return false;
        }
        let fit = LONG.as_nanos() * calls as u128 / time.as_nanos();
        let fit = usize::try_from(fit).unwrap_or(1).max(1);
        self.fit = Some(fit);
        self.look((at + fit - 1).max(self.served));
        time >= LONG
    }

    fn look(&mut self, at: usize) {
        self.look_at = at.min(self.budget);
    }

    /// Begins another turn, behind others. Calls that were far apart are expected to be so again.
    pub(super) fn begin(&mut self) {
        self.served = 0;
        self.began = None;
        self.look(if self.fit.is_some() { 0 } else { LOOK });
    }

    /// Begins one with another budget.
    pub(super) fn begin_with(&mut self, budget: usize) {
        self.budget = budget;
        self.begin();
    }

    /// Begins one behind a wait: nothing is known of its calls.
    pub(super) fn waits(&mut self) {
        self.fit = None;
        self.begin();
    }

    /// Goes on for so many calls, though the budget was used up.
    pub(super) fn go_on(&mut self, calls: usize) {
        self.served = self.budget.saturating_sub(calls);
        self.began = None;
        self.look(self.served + LOOK);
    }

    /// Has each call ask from here on.
    pub(super) fn ask_always(&mut self) {
        (self.look_at, self.budget) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes calls that are so far apart, until the turn is over. Returns how many, and how often the clock was read.
    fn calls(turn: &mut Turn, apart: Duration) -> (usize, usize) {
        let mut now = Instant::now();
        let (mut calls, mut looks) = (0, 0);
        loop {
            now += apart;
            calls += 1;
            if turn.count() {
                continue;
            }
            if turn.is_spent() {
                turn.begin();
                return (calls, looks);
            }
            looks += 1;
            if turn.is_long(now) {
                turn.begin();
                return (calls, looks);
            }
        }
    }

    #[test]
    fn close_calls_are_counted_and_the_clock_is_read_twice() {
        let mut turn = Turn::new(1000);
        for _ in 0..3 {
            assert_eq!(calls(&mut turn, Duration::from_nanos(30)), (1001, 2));
        }
        // A clock that stands still, as a simulated one may.
        assert_eq!(calls(&mut turn, Duration::ZERO), (1001, 2));
    }

    #[test]
    fn a_task_whose_calls_are_far_apart_holds_its_thread_for_a_tenth_of_a_millisecond() {
        let mut turn = Turn::new(8000);
        let apart = Duration::from_micros(10);
        // Two looks until it is known.
        assert_eq!(calls(&mut turn, apart), (2 * LOOK + 1, 2));
        for _ in 0..3 {
            assert_eq!(calls(&mut turn, apart), (10 + 1, 2));
        }
        assert_eq!(calls(&mut turn, Duration::from_millis(1)).0, 11);
        // Each call is a turn of its own: the second one is made behind others.
        assert_eq!(calls(&mut turn, Duration::from_millis(1)), (2, 2));
    }

    #[test]
    fn copies_are_work_too() {
        let mut turn = Turn::new(500);
        let mut now = Instant::now();
        let mut calls = 0;
        while turn.count() || !turn.is_spent() {
            calls += 1;
            now += Duration::from_micros(10);
            assert!(turn.is_short() || !turn.is_long(now), "{calls}");
            turn.add_copies(100);
        }
        assert_eq!(calls, 500);
    }

    #[test]
    fn what_is_known_of_calls_is_forgotten_when_they_become_close_or_the_task_waits() {
        let far = Duration::from_micros(10);
        let close = Duration::from_nanos(30);
        let mut turn = Turn::new(1000);
        calls(&mut turn, far);
        assert_eq!(calls(&mut turn, close), (1001, 2));
        assert_eq!(calls(&mut turn, close), (1001, 2));
        calls(&mut turn, far);
        turn.waits();
        assert_eq!(calls(&mut turn, far).0, 2 * LOOK + 1);
    }

    #[test]
    fn a_turn_that_goes_on_does_so_for_as_many_calls() {
        let mut turn = Turn::new(500);
        turn.add(501);
        assert!(turn.is_spent());
        turn.go_on(100);
        assert_eq!(calls(&mut turn, Duration::ZERO).0, 101);
    }

    #[test]
    fn a_turn_that_is_asked_always_is_never_short() {
        let mut turn = Turn::new(500);
        turn.ask_always();
        assert!(!turn.count());
        turn.begin();
        assert!(!turn.count());
    }
}
