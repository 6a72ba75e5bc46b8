//! Giving a message to all who are to have it.

use zmtp::Message;

use super::{FanOut, Subscriber};
use crate::options::{Options, SlowSubscriber};
use crate::pipe::{EvictReason, PipeEnd, PipeId, Refused};
use crate::routing::SendStrategy;
use crate::routing::encode_once::EncodeOnce;

/// How many copies the pipes were given since the task yielded last: it need not until one of them has many. Messages that
/// are for few of many would otherwise go out one by one.
///
/// What goes to all costs nothing here: copies are counted for pipes only of messages that do not. They are counted from
/// `yields << 32` on, so that to count anew is nothing that is done for each pipe.
#[derive(Default)]
pub(super) struct Share {
    /// Messages since the task yielded last that did not go to all.
    for_some: u64,
    /// What nothing is counted as.
    none: u64,
    /// What is counted of the pipe that was given most.
    most: u64,
    /// The last message before the task yielded.
    since: u64,
    /// The message before which there is nothing to be asked.
    due: u64,
    /// So many copies are much for one pipe.
    much: u64,
}

/// One yield.
const YIELD: u64 = 1 << 32;

/// The fewest calls that are worth being asked again.
const FEW: u64 = 16;

impl Share {
    /// Counts a copy for a pipe that was given so many.
    #[inline(always)]
    fn count(&mut self, given: &mut u64) {
        *given = (*given).max(self.none) + 1;
        self.most = self.most.max(*given);
    }

    /// Takes on the options: half of what a pipe may hold is much, as a budget is of the default. Where bytes count, nothing
    /// is known of them here.
    pub(super) fn set_options(&mut self, options: &Options) {
        let budget = FanOut::BUDGET as u64;
        self.much = match (options.send_hwm_bytes, options.send_hwm) {
            (Some(1..), _) => 0,
            (_, 0) => budget,
            (_, hwm) => budget.min(hwm as u64 / 2),
        };
    }

    /// Says how many calls are served before the task yields, though its budget is used up. With none, it begins anew.
    pub(super) fn calls_more(&mut self, turn: u64, has_batch: bool) -> usize {
        let budget = FanOut::BUDGET as u64;
        let sent = turn - self.since;
        let for_all = sent.saturating_sub(self.for_some);
        let given = self.most - self.none + for_all;
        let most = (budget * MOST_SHARES).saturating_sub(sent);
        let calls = self.much.saturating_sub(given).min(most);
        // Only messages count here. A budget that went for something else is not to be had twice.
        if turn < self.due || calls < FEW || has_batch {
            self.none += YIELD;
            self.most = self.none;
            self.for_some = 0;
            self.since = turn;
            self.due = turn + budget;
            return 0;
        }
        self.due = turn + calls;
        calls as usize // It is at most the budget.
    }
}

/// As many budgets may be used up before the task yields in any case.
const MOST_SHARES: u64 = 8;

impl Subscriber {
    /// There is no room for the message in hand. `true`: the subscriber has to go.
    #[cold]
    fn is_full(&mut self, slow: SlowSubscriber, copies: &mut EncodeOnce<'_>) -> bool {
        match slow {
            SlowSubscriber::DropNewest => {
                self.mute = true;
                self.writer.count_dropped();
                false
            }
            SlowSubscriber::DropOldest => {
                self.writer.drop_oldest();
                copies.push(&mut self.writer) == Err(Refused::Gone)
            }
            SlowSubscriber::Disconnect => {
                self.mute = true;
                self.writer.count_dropped();
                !self.writer.evict(EvictReason::Slow)
            }
        }
    }
}

impl FanOut {
    /// Sends the message to all whose subscriptions match, or to `only` one of them. `false`: one of them has no
    /// room, and `no_drop` is set; the message is untouched and has gone to nobody.
    pub(crate) fn send(&mut self, message: &mut Message, only: Option<PipeId>) -> bool {
        let pass_over = !self.no_drop && !self.expiring && !self.invert && only.is_none();
        self.find_matching(message.first().unwrap_or_default(), pass_over);
        if let Some(only) = only {
            let only = self.slots.get(&only);
            self.matching.retain(|slot| Some(slot) == only);
        }
        self.send_to_matching(message)
    }

    /// Sends the message to those who were found to get it.
    #[inline(always)]
    pub(super) fn send_to_matching(&mut self, message: &mut Message) -> bool {
        if self.no_drop && !self.have_room() {
            return false;
        }
        let is_for_some = self.matching.len() < self.slots.len();
        self.share.for_some += u64::from(is_for_some);
        match self.matching[..] {
            [] => return true,
            // Moving the buffer out and back costs as much as the message.
            [only] => {
                self.offer(only, &mut EncodeOnce::Single(message), is_for_some);
                return true;
            }
            _ => {}
        }
        let mut encoded = std::mem::take(&mut self.encoded);
        let mut copies = EncodeOnce::new(message, self.matching.len(), &mut encoded);
        for number in 0..self.matching.len() {
            self.offer(self.matching[number], &mut copies, is_for_some);
        }
        encoded.clear();
        self.encoded = encoded;
        true
    }

    /// Sends the message to one peer, whatever it has subscribed to. `false`: it has no room, and `no_drop` is set; the
    /// message is untouched. `None`: there is no such peer.
    pub(crate) fn send_to(&mut self, to: PipeId, message: &mut Message) -> Option<bool> {
        let slot = *self.slots.get(&to)?;
        let subscriber = self.subscribers[slot as usize].as_mut()?;
        if subscriber.writer.is_spent() {
            self.remove(slot);
            return None;
        }
        self.matching.clear();
        self.matching.push(slot);
        if self.no_drop && !self.have_room() {
            return Some(false);
        }
        self.offer(slot, &mut EncodeOnce::Single(message), true);
        Some(true)
    }

    /// How many were offered the last message.
    pub(crate) fn copies(&self) -> usize {
        self.matching.len()
    }

    /// Collects the slots of those who are to be offered a message. `pass_over`: who is mute is not, and it is
    /// counted right here, since looking at each of them twice is most of what those cost who never read.
    #[inline]
    fn find_matching(&mut self, text: &[u8], pass_over: bool) {
        self.turn += 1;
        self.matching.clear();
        let (turn, subscribers) = (self.turn, &mut self.subscribers);
        let matching = &mut self.matching;
        self.topics.for_each_prefix(text, |slots| {
            for &slot in slots {
                if let Some(subscriber) = &mut subscribers[slot as usize]
                    && subscriber.turn != turn
                {
                    subscriber.turn = turn;
                    if pass_over && subscriber.mute {
                        subscriber.writer.count_dropped();
                    } else {
                        matching.push(slot);
                    }
                }
            }
        });
        if self.invert {
            let others = self.slots.values().filter(|&&slot| {
                let subscriber = self.subscribers[slot as usize].as_ref();
                subscriber.is_some_and(|subscriber| subscriber.turn != turn)
            });
            self.matching.clear();
            self.matching.extend(others);
        }
    }

    /// Whether all who get the message in hand can take it now.
    fn have_room(&mut self) -> bool {
        self.matching.iter().all(|&slot| {
            let Some(subscriber) = &mut self.subscribers[slot as usize] else {
                return true;
            };
            if !subscriber.mute || self.expiring {
                subscriber.mute = subscriber.writer.check_room() == Err(Refused::Full);
            }
            !subscriber.mute
        })
    }

    /// Offers the message to one subscriber. What does not fit is dropped for this one alone. `counts`: it does not go to
    /// all.
    #[inline]
    fn offer(&mut self, slot: u32, copies: &mut EncodeOnce<'_>, counts: bool) {
        let Some(subscriber) = &mut self.subscribers[slot as usize] else {
            return;
        };
        if subscriber.mute && !(self.expiring && subscriber.writer.check_room().is_ok()) {
            subscriber.writer.count_dropped();
            return;
        }
        match copies.push(&mut subscriber.writer) {
            Ok(()) if counts => self.share.count(&mut subscriber.given),
            Ok(()) => {}
            Err(Refused::Full) => {
                let gone = subscriber.is_full(self.slow, copies);
                if gone {
                    self.remove(slot);
                }
            }
            Err(Refused::Gone) => self.remove(slot),
            // It was for somebody who is there no more.
            Err(Refused::Strange) => {}
        }
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;

    fn share_of(send_hwm: usize) -> Share {
        let mut share = Share::default();
        share.set_options(&Options {
            send_hwm,
            ..Options::default()
        });
        share
    }

    /// Gives messages to pipes until the task yields, and returns how many each was given. `to`: the pipes of a message.
    fn until_it_yields(
        share: &mut Share,
        pipes: &mut [u64],
        turn: &mut u64,
        to: impl Fn(u64) -> Vec<usize>,
    ) -> Vec<u64> {
        let mut given = vec![0; pipes.len()];
        let mut calls = FanOut::BUDGET;
        loop {
            for _ in 0..calls {
                *turn += 1;
                let to = to(*turn);
                let is_for_some = to.len() < pipes.len();
                share.for_some += u64::from(is_for_some);
                for pipe in to {
                    if is_for_some {
                        share.count(&mut pipes[pipe]);
                    }
                    given[pipe] += 1;
                }
            }
            calls = share.calls_more(*turn, false);
            if calls == 0 {
                return given;
            }
        }
    }

    #[test]
    fn a_publisher_yields_when_one_pipe_has_its_share_and_not_before() {
        let share = FanOut::BUDGET as u64;
        let most = share * MOST_SHARES;
        for (count, to_all) in [
            (1, true),
            (1, false),
            (2, false),
            (10, true),
            (10, false),
            (1000, false),
        ] {
            let (mut counts, mut turn) = (vec![0; count], 0);
            let mut one = share_of(1000);
            for _ in 0..3 {
                let before = turn;
                let given =
                    until_it_yields(&mut one, &mut counts, &mut turn, |turn| match to_all {
                        true => (0..count).collect(),
                        false => vec![turn as usize % count],
                    });
                let most_given = given.into_iter().max().unwrap();
                assert!(most_given <= share, "{most_given} of {count}");
                let calls = match to_all {
                    true => share,
                    false => most.min(share * count as u64),
                };
                let served = turn - before;
                let nearly = calls - 2 * FEW * count.min(10) as u64;
                assert!((nearly..=calls).contains(&served), "{served} with {count}");
            }
        }
    }

    #[test]
    fn no_pipe_is_filled_before_the_task_yields_whatever_its_mark() {
        let (mut counts, mut turn) = (vec![0; 20], 0);
        let mut share = share_of(100);
        for _ in 0..3 {
            let to = |turn| vec![turn as usize % 20];
            let given = until_it_yields(&mut share, &mut counts, &mut turn, to);
            assert!(given.iter().all(|given| *given <= 50), "{given:?}");
        }
    }

    #[test]
    fn what_is_enough_for_a_write_goes_before_more_comes() {
        let mut share = share_of(1000);
        assert_eq!(share.calls_more(500, true), 0);
        share.for_some += 500;
        assert_ne!(share.calls_more(1000, false), 0);
    }

    #[test]
    fn a_budget_that_went_for_something_else_is_not_to_be_had_twice() {
        let mut share = share_of(1000);
        let mut pipe = 0;
        share.calls_more(0, false);
        for turn in 1..=10 {
            share.for_some += 1;
            share.count(&mut pipe);
            assert_eq!(share.calls_more(turn, false), 0);
        }
    }
}
