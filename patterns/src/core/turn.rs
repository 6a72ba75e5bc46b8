//! A task's turn: how many calls it makes, and for how long, before it lets others run. Asked by `calls.rs`.
//!
//! Calls that follow each other closely are counted. A program that does something between them may hold its thread for long
//! with a few, while what it has sent waits in its pipes for a session of the same thread: so a call that sends reads the
//! clock now and then, and more often if calls are far apart. It has the only connection send what is queued, before it is
//! time to yield.

use std::time::Duration;

use tokio::time::Instant;

/// Calls before the clock is read first, and from there to the second time.
const LOOK: usize = 32;

/// Calls from then on, as long as they are close: as many as there were before, up to this.
const LATER: usize = 128;

/// Copies of a message that are as much work as another call.
const COPIES_A_CALL: usize = 256;

/// Calls that are this far apart follow each other closely, and so do copies.
const CLOSE: Duration = Duration::from_nanos(250);

/// How long a task holds its thread whose calls are farther apart.
const LONG: Duration = Duration::from_micros(100);

/// How long what it has sent waits before it has that sent, where all goes by one pipe.
const SOON: Duration = Duration::from_micros(25);

/// How much longer for each pipe that has got something: its session's turn, and the system call for what it has then, take
/// about as long as this.
const OF_EACH_PIPE: Duration = Duration::from_micros(4);

/// How long a task has held its thread, as far as it matters for what it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nobody has waited for long.
    Short,
    /// What it has sent is to be on its way now.
    Soon,
    /// It is others' turn.
    Long,
}

/// What a task has done since it last waited or yielded.
#[derive(Debug)]
pub(super) struct Turn {
    /// Calls served.
    served: usize,
    /// Beyond so many, it is asked whether the turn is over.
    look_at: usize,
    /// Beyond so many, it is, however long they took.
    budget: usize,
    /// Copies made.
    copies: usize,
    /// When the clock was read first.
    began: Option<Look>,
    /// When it was read last.
    looked: Option<Look>,
    /// How many calls fit in a turn, if they are not close.
    fit: Option<usize>,
}

/// The clock, and what had been done by then.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    served: usize,
    copies: usize,
}

impl Look {
    /// Returns the time since another one, the calls, and the messages that these have put into pipes.
    fn since(&self, other: Look) -> (Duration, usize, usize) {
        let calls = self.served.saturating_sub(other.served).max(1);
        let copies = self.copies.saturating_sub(other.copies);
        (
            self.at.saturating_duration_since(other.at),
            calls,
            calls + copies,
        )
    }
}

impl Turn {
    pub(super) fn new(budget: usize) -> Self {
        Turn {
            served: 0,
            look_at: LOOK.min(budget),
            budget,
            copies: 0,
            began: None,
            looked: None,
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

    /// Returns for how long the task, which sends through so many pipes, has held its thread, and says when to ask again if it
    /// goes on.
    pub(super) fn held(&mut self, now: Instant, pipes: usize) -> Held {
        let look = Look {
            at: now,
            served: self.served,
            copies: self.copies,
        };
        let (Some(began), Some(before)) = (self.began, self.looked.replace(look)) else {
            self.began = Some(look);
            self.look_after(self.fit.unwrap_or(LOOK));
            return Held::Short;
        };
        let (time, calls, work) = look.since(before);
        if time < times(CLOSE, work) {
            self.fit = None;
            self.look_after(self.served.clamp(LOOK, LATER));
            return Held::Short;
        }
        let (held, _, work) = look.since(began);
        let long = LONG + times(OF_EACH_PIPE, pipes.min(work));
        let fit = |within: Duration| {
            let fit = (within.as_nanos() * calls as u128).div_ceil(time.as_nanos());
            usize::try_from(fit).unwrap_or(1).max(1)
        };
        let soon = if pipes == 1 { SOON } else { long };
        self.fit = Some(fit(soon));
        self.look_after(fit(long.saturating_sub(held).min(soon)));
        if held >= long {
            Held::Long
        } else if pipes == 1 {
            Held::Soon
        } else {
            Held::Short
        }
    }

    /// Leaves it to a later call, since this one receives. Not to one of those by turns only, in a program that answers.
    pub(super) fn postpone(&mut self) {
        self.look_after(LOOK + 1);
    }

    /// Says that what the time went for is not the program's work: there was no room, or nothing.
    pub(super) fn look_later(&mut self) {
        (self.began, self.looked) = (None, None);
        self.look_after(LOOK);
    }

    /// Asks again at the call that comes after so many less one.
    fn look_after(&mut self, calls: usize) {
        self.look(self.served + calls - 1);
    }

    fn look(&mut self, at: usize) {
        self.look_at = at.min(self.budget);
    }

    /// Begins another turn, behind others. Calls that were far apart are expected to be so again.
    pub(super) fn begin(&mut self) {
        (self.served, self.copies) = (0, 0);
        (self.began, self.looked) = (None, None);
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
        self.look_later();
    }

    /// Has each call ask from here on.
    pub(super) fn ask_always(&mut self) {
        (self.look_at, self.budget) = (0, 0);
    }
}

fn times(one: Duration, many: usize) -> Duration {
    one.saturating_mul(u32::try_from(many).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes calls that are so far apart, until the turn is over. Returns how many, and how often the clock was read.
    fn calls(turn: &mut Turn, apart: Duration) -> (usize, usize) {
        calls_to(turn, apart, 2)
    }

    /// Does so with so many pipes.
    fn calls_to(turn: &mut Turn, apart: Duration, pipes: usize) -> (usize, usize) {
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
            if turn.held(now, pipes) == Held::Long {
                turn.begin();
                return (calls, looks);
            }
        }
    }

    #[test]
    fn close_calls_are_counted_and_the_clock_is_seldom_read() {
        // At 33, 65, 130, and 257, and then each 128.
        const LOOKS: usize = 9;
        let mut turn = Turn::new(1000);
        for _ in 0..3 {
            assert_eq!(calls(&mut turn, Duration::from_nanos(30)), (1001, LOOKS));
        }
        // A clock that stands still, as a simulated one may.
        assert_eq!(calls(&mut turn, Duration::ZERO), (1001, LOOKS));
    }

    #[test]
    fn calls_that_are_far_apart_behind_close_ones_are_noticed() {
        let mut turn = Turn::new(8000);
        let mut now = Instant::now();
        for call in 0.. {
            let is_close = call < 300;
            now += Duration::from_nanos(if is_close { 30 } else { 10_000 });
            if !turn.count() && turn.held(now, 2) == Held::Long {
                assert!((300..=300 + 2 * LATER).contains(&call), "{call}");
                return;
            }
        }
    }

    #[test]
    fn a_task_whose_calls_are_far_apart_holds_its_thread_for_a_tenth_of_a_millisecond() {
        let mut turn = Turn::new(8000);
        let apart = Duration::from_micros(10);
        // Two looks until it is known.
        assert_eq!(calls(&mut turn, apart), (2 * LOOK + 1, 2));
        for _ in 0..3 {
            // 100 us, and 4 for each of two pipes.
            assert_eq!(calls(&mut turn, apart), (11 + 1, 2));
        }
        assert_eq!(calls(&mut turn, Duration::from_millis(1)).0, 12);
        // Each call is a turn of its own: the second one is made behind others.
        assert_eq!(calls(&mut turn, Duration::from_millis(1)), (2, 2));
    }

    /// What goes by one pipe alone is sent four times in that time.
    #[test]
    fn a_task_with_one_pipe_has_it_sent_now_and_then() {
        let mut turn = Turn::new(8000);
        let apart = Duration::from_micros(1);
        calls_to(&mut turn, apart, 1);
        let mut now = Instant::now();
        let mut held = Vec::new();
        for call in 0..=104 {
            now += apart;
            if !turn.count() {
                held.push((call, turn.held(now, 1)));
            }
        }
        let expected = [
            (0, Held::Short),
            (25, Held::Soon),
            (50, Held::Soon),
            (75, Held::Soon),
            (100, Held::Soon),
            (104, Held::Long),
        ];
        assert_eq!(held, expected);
    }

    /// Whoever sends to each of many in turn yields when that is worth their turns, and not for each message.
    #[test]
    fn a_task_with_many_pipes_holds_its_thread_for_longer() {
        let turns = |apart: Duration, pipes: usize| {
            let mut turn = Turn::new(8000);
            let mut now = Instant::now();
            let calls = (1..).find(|_| {
                now += apart;
                !turn.count() && (turn.is_spent() || turn.held(now, pipes) == Held::Long)
            });
            calls.unwrap()
        };
        assert_eq!(turns(Duration::from_micros(2), 5000), 8001);
        // 8 of them, and what two looks took.
        let few = turns(Duration::from_micros(10), 8);
        assert!((LOOK..2 * LOOK + 2).contains(&few), "{few}");
        let many = turns(Duration::from_micros(10), 100);
        // (100 + 4 * 100) / 10, and as many as came before the first look.
        assert!((50..=50 + LOOK + 1).contains(&many), "{many}");
    }

    #[test]
    fn copies_are_work_too() {
        let mut turn = Turn::new(500);
        let mut now = Instant::now();
        let mut calls = 0;
        while turn.count() || !turn.is_spent() {
            calls += 1;
            now += Duration::from_micros(10);
            assert!(
                turn.is_short() || turn.held(now, 1) == Held::Short,
                "{calls}"
            );
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
        assert_eq!(calls(&mut turn, close).0, 1001);
        assert_eq!(calls(&mut turn, close).0, 1001);
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
