//! How fast messages are sent: `--interval` and `--rate`.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets messages go one by one, by a clock that does not wait for those that were late.
pub(crate) struct Pace {
    interval: Option<Duration>,
    next: Option<Instant>,
}

impl Pace {
    /// Makes a pace of at most one message an interval; `None`: as fast as it goes.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Pace {
            interval,
            next: None,
        }
    }

    /// Returns whether every message may go at once.
    pub(crate) fn is_free(&self) -> bool {
        self.interval.is_none()
    }

    /// Waits until the next message may go. The first may at once. Cancel safe.
    pub(crate) async fn wait(&mut self) {
        let Some(interval) = self.interval else {
            return;
        };
        let due = *self.next.get_or_insert_with(Instant::now);
        if due > Instant::now() {
            sleep_until(due).await;
        }
        self.next = due.checked_add(interval);
    }
}
