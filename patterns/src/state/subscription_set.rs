//! What a subscribing socket is interested in: shared with its sessions, because each new connection begins
//! with the whole set ([R-CONN-21]), however long ago its parts were subscribed.
//!
//! [R-CONN-21]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-21

use std::collections::BTreeMap;

use zmtp::{Batch, Frame, Message};

use crate::rules::Rules;
use crate::sync::{Mutex, MutexGuard};

/// The topics of a subscribing socket.
///
/// A change of the set and its way to the live connections are one step under the set's lock, and so are
/// the beginning of a connection and its copy of the set. Hence no connection misses a change or gets one
/// twice.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionSet {
    topics: Mutex<Topics>,
}

/// Each topic with the number of times that it was subscribed.
type Topics = BTreeMap<Box<[u8]>, usize>;

/// Returns the message that subscribes to a topic, or cancels it.
pub(crate) fn subscription_message(subscribe: bool, topic: &[u8]) -> Message {
    let mut text = Vec::with_capacity(1 + topic.len());
    text.push(u8::from(subscribe));
    text.extend_from_slice(topic);
    Message::from(Frame::from(text))
}

/// Returns what a message says about subscriptions: `Some((true, topic))` subscribes, `Some((false, topic))`
/// unsubscribes.
pub(crate) fn parse_subscription(frame: &[u8]) -> Option<(bool, &[u8])> {
    match frame {
        [1, topic @ ..] => Some((true, topic)),
        [0, topic @ ..] => Some((false, topic)),
        _ => None,
    }
}

/// Returns whether a message on its way to a publisher is about a subscription.
pub(crate) fn is_subscription(message: &Message) -> bool {
    message
        .first()
        .is_some_and(|frame| parse_subscription(frame).is_some())
}

/// Takes the frames at a message's front that are notices off, with `only_first` at most one, and gives each to `each`.
/// From the first other one on it is the user's, whole, whatever its frames begin with ([R-XPUB-8], [R-XSUB-4]).
///
/// [R-XPUB-8]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-xpub-8
/// [R-XSUB-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-xsub-4
pub(crate) fn take_subscriptions(
    mut message: Message,
    only_first: bool,
    mut each: impl FnMut(bool, &[u8]),
) -> Message {
    while let Some((subscribe, topic)) = message.first().and_then(parse_subscription) {
        each(subscribe, topic);
        message.pop_front();
        if only_first {
            break;
        }
    }
    message
}

impl SubscriptionSet {
    /// Returns the set of a socket whose type subscribes.
    pub(crate) fn new(rules: &Rules) -> Option<Self> {
        rules.subscribes.then(SubscriptionSet::default)
    }

    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock()
    }

    /// Adds a topic and `tell`s the peers. Every subscription is told, also a repeated one ([R-SUB-3]).
    ///
    /// [R-SUB-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-sub-3
    pub(crate) fn subscribe(&self, topic: &[u8], tell: impl FnOnce(&Message)) {
        let mut topics = self.lock();
        *topics.entry(topic.into()).or_default() += 1;
        tell(&subscription_message(true, topic));
    }

    /// Takes one subscription back and `tell`s the peers if it was the last one of this topic ([R-SUB-3]).
    /// `false`: there was none ([R-SUB-2]). If it `tells_all`, the peers hear in any case.
    ///
    /// [R-SUB-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-sub-3
    /// [R-SUB-2]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-sub-2
    pub(crate) fn unsubscribe(
        &self,
        topic: &[u8],
        tells_all: bool,
        tell: impl FnOnce(&Message),
    ) -> bool {
        let mut topics = self.lock();
        let (was_there, is_last) = match topics.get_mut(topic) {
            None => (false, false),
            Some(count) => {
                *count -= 1;
                (true, *count == 0)
            }
        };
        if is_last {
            topics.remove(topic);
        }
        if is_last || tells_all {
            tell(&subscription_message(false, topic));
        }
        was_there
    }

    /// Takes all subscriptions back, and `tell`s the peers.
    pub(crate) fn clear(&self, tell: impl FnOnce(&[Message])) {
        let mut topics = self.lock();
        let cancelled = topics
            .keys()
            .map(|topic| subscription_message(false, topic));
        let cancelled: Vec<_> = cancelled.collect();
        topics.clear();
        tell(&cancelled);
    }

    /// Returns the number of distinct topics.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Begins a connection, which gets every topic once.
    pub(crate) fn begin(&self, start: impl FnOnce(Batch)) {
        let topics = self.lock();
        let mut first = Batch::new();
        for topic in topics.keys() {
            first.push_owned(subscription_message(true, topic), usize::MAX);
        }
        start(first);
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;

    #[test]
    fn frames_at_the_front_are_subscriptions_or_only_the_first() {
        let taken = |frames: [&'static str; 4], only_first| {
            let mut notices = Vec::new();
            let rest = take_subscriptions(Message::from(frames), only_first, |is_new, topic| {
                notices.push((is_new, topic.to_vec()));
            });
            (notices, rest)
        };
        let (a, b) = ((true, b"a".to_vec()), (false, b"b".to_vec()));
        let message = ["\x01a", "\0b", "user", "\x01c"];
        let (notices, rest) = taken(message, false);
        assert_eq!(
            (notices, rest),
            (vec![a.clone(), b], Message::from(["user", "\x01c"]))
        );
        let (notices, rest) = taken(message, true);
        assert_eq!(
            (notices, rest),
            (vec![a], Message::from(["\0b", "user", "\x01c"]))
        );
        let message = ["user", "\x01a", "\0b", ""];
        assert_eq!(taken(message, false), (vec![], Message::from(message)));
    }
}
