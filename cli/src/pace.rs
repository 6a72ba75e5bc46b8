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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_goes_an_interval_after_the_one_before() {
        let interval = Duration::from_millis(10);
        let mut pace = Pace::new(Some(interval));
        pace.wait().await;
        let second = pace.next.unwrap();
        for number in 1..4 {
            pace.wait().await;
            assert!(Instant::now() >= second + interval * (number - 1));
            assert_eq!(pace.next, Some(second + interval * number));
        }
    }

    /// Otherwise a rate would not be reached that has had one pause.
    #[tokio::test]
    async fn what_was_late_does_not_delay_what_follows() {
        let interval = Duration::from_secs(3600);
        let late = Instant::now();
        let mut pace = Pace::new(Some(interval));
        pace.next = Some(late);
        pace.wait().await;
        assert_eq!(pace.next, Some(late + interval));
    }

    #[tokio::test]
    async fn without_an_interval_nothing_waits() {
        let mut pace = Pace::new(None);
        assert!(pace.is_free());
        pace.wait().await;
        assert_eq!(pace.next, None);
    }
}
