//! What wakes the task of a session that shares its thread with the application.
//!
//! When a peer answers, its session's task could read that, and wake the socket's call that waits for it. But where that call
//! is the one in `block_on`, the runtime asks the system once more before it polls that, in every round trip. So the stream
//! wakes both, the call first, and whoever comes first takes what has come ([`Drive::hear`]). The task stays the one who does
//! so when nobody polls the call: it is woken as ever, and its [`Alarm`] says whether there is anything left to be seen to.
//! When there never is, a clock wakes it for what calls are woken for, and not the stream (`watch.rs`).
//!
//! [`Drive::hear`]: crate::pipe::Drive::hear

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use crate::coop::here;
use crate::pipe::Caller;
use crate::sync::AtomicWaker;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Something has come at the stream, which nobody has taken since.
const ARRIVED: usize = 1;
/// Anything else.
const OTHER: usize = 2;
/// What a call is woken for, the task need not be: it looks when the watch ends.
const WATCHED: usize = 4;

/// Wakes a session's task, and knows what for. As a waker, it is for all but what comes at the stream.
pub(super) struct Alarm {
    due: AtomicUsize,
    /// The task that has polled first, which is asked for with each message.
    task: OnceLock<Waker>,
    /// Another one, if one has polled since.
    other_task: OnceLock<Box<AtomicWaker>>,
    /// The thread that has sent the last message by itself, and may wait for an answer; 0: none has, since the task was last
    /// needed.
    talker: AtomicUsize,
}

impl Alarm {
    /// Makes the alarm of a task that is to begin.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Alarm {
            due: AtomicUsize::new(OTHER),
            task: OnceLock::new(),
            other_task: OnceLock::new(),
            talker: AtomicUsize::new(0),
        })
    }

    /// Has it wake a task from here on. Returns whether that has something to see to: of what comes later, it is woken.
    pub(super) fn begin_poll(&self, task: &Waker) -> bool {
        if !self.task.get_or_init(|| task.clone()).will_wake(task) {
            self.other_task.get_or_init(Box::default).register(task);
        } else if self.due.load(Ordering::Acquire) & !WATCHED == 0 {
            // Whoever changes that from here on wakes the task, unless it is watched.
            return false;
        }
        let is_due = self.due.fetch_and(WATCHED, Ordering::AcqRel) & !WATCHED != 0;
        if is_due {
            self.talker.store(0, Ordering::Relaxed);
        }
        is_due
    }

    /// Has calls alone woken for what comes, until the watch ends.
    pub(super) fn begin_watch(&self) {
        self.due.fetch_or(WATCHED, Ordering::AcqRel);
    }

    /// Has the task woken for what comes from here on, whoever else is. It looks by itself what has come before.
    pub(super) fn end_watch(&self) {
        self.due.fetch_and(!WATCHED, Ordering::AcqRel);
    }

    fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
        if let Some(task) = self.other_task.get() {
            task.wake();
        }
    }

    /// Notes that what has come at the stream is looked at. Returns whether anything has that was not.
    pub(super) fn look(&self) -> bool {
        self.due.fetch_and(!ARRIVED, Ordering::AcqRel) & ARRIVED != 0
    }

    /// Notes that this thread has sent a message by itself.
    pub(super) fn note_talk(&self) {
        self.talker.store(here(), Ordering::Relaxed);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.fetch_or(OTHER, Ordering::AcqRel);
        self.wake_task();
    }
}

/// Is woken by the stream when something comes.
pub(super) struct Arrival {
    pub(super) alarm: Arc<Alarm>,
    pub(super) caller: Caller,
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let due = self.alarm.due.fetch_or(ARRIVED, Ordering::AcqRel);
        // A call on another thread would only meet the task.
        let is_talker = self.alarm.talker.load(Ordering::Relaxed) == here();
        let is_called = is_talker && self.caller.call();
        if !is_called || due & WATCHED == 0 {
            self.alarm.wake_task();
        }
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;

    /// Counts how often it wakes.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_polls_the_task_is_woken_and_looks_once() {
        let alarm = Alarm::new();
        let polls = [Arc::<Wakes>::default(), Arc::<Wakes>::default()];
        for poll in &polls {
            let waker = Waker::from(poll.clone());
            alarm.wake_by_ref();
            assert!(alarm.begin_poll(&waker), "something is due");
            assert!(!alarm.begin_poll(&waker));
            alarm.wake_by_ref();
            assert_eq!(poll.0.load(Ordering::Relaxed), 1);
        }
    }
}
