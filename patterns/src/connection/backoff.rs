//! How long a connecting session waits before it tries again.
//!
//! The session's dialler asks for [`next_delay`](Backoff::next_delay) after each failure and tells
//! [`lasted`](Backoff::lasted) after a success: only a connection that has lasted makes delays start over, so that two
//! peers that are in each other's way do not come back for ever as fast as they can. Half of every delay is random: when a server
//! restarts, its clients must not come back in step.
//!
//! ```text
//! reconnect_interval 100 ms, reconnect_interval_max 2 s:
//!   100..200  200..400  400..800  800..1600  1000..2000  1000..2000 ...
//! reconnect_interval 100 ms, no maximum (libzmq's default behaviour):
//!   100..200  100..200 ...
//! ```

use std::time::Duration;

use fastrand::Rng;

/// A connection that stood for longer than this has lasted, however long delays are.
const LONG: Duration = Duration::from_secs(10);

/// The delays of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    interval: Duration,
    max: Option<Duration>,
    /// The longest that the next delay can be.
    ceiling: Duration,
}

impl Backoff {
    /// Delays that start at `interval` to twice that, and double up to `max`, if there is one.
    pub(crate) fn new(interval: Duration, max: Option<Duration>) -> Self {
        let mut backoff = Backoff {
            interval,
            max,
            ceiling: Duration::ZERO,
        };
        backoff.restart();
        backoff
    }

    /// Returns the next delay: at random from the upper half of the present ceiling, which then doubles.
    /// Never zero, unless the interval or the maximum is.
    pub(crate) fn next_delay(&mut self, rng: &mut Rng) -> Duration {
        let ceiling = self.ceiling;
        if let Some(max) = self.max {
            self.ceiling = ceiling.saturating_mul(2).min(max);
        }
        let floor = ceiling / 2;
        if floor.is_zero() {
            return ceiling;
        }
        let above = (ceiling - floor).mul_f64(rng.f64());
        floor.saturating_add(above).min(ceiling)
    }

    /// A connection stood for this long. Starts over if that is longer than the next delay can be, or long in any case.
    pub(crate) fn lasted(&mut self, time: Duration) {
        if time > self.ceiling.min(LONG) {
            self.restart();
        }
    }

    /// Starts over: the next failure is the first again.
    fn restart(&mut self) {
        let first = self.interval.saturating_mul(2);
        self.ceiling = self.max.map_or(first, |max| first.min(max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn rng() -> Rng {
        Rng::with_seed(7)
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut rng = rng();
        for _ in 0..100 {
            let mut backoff = Backoff::new(100 * MS, Some(2000 * MS));
            for (least, most) in [
                (100, 200),
                (200, 400),
                (400, 800),
                (800, 1600),
                (1000, 2000),
                (1000, 2000),
            ] {
                let delay = backoff.next_delay(&mut rng);
                assert!((least * MS..=most * MS).contains(&delay), "{delay:?}");
            }
        }
    }

    #[test]
    fn without_a_maximum_delays_stay_at_one_to_two_intervals() {
        let mut rng = rng();
        let mut backoff = Backoff::new(50 * MS, None);
        for _ in 0..1000 {
            let delay = backoff.next_delay(&mut rng);
            assert!((50 * MS..=100 * MS).contains(&delay), "{delay:?}");
        }
    }

    #[test]
    fn two_sessions_do_not_keep_step() {
        let mut rng = rng();
        let mut delays = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut backoff = Backoff::new(100 * MS, Some(2000 * MS));
            delays.insert(backoff.next_delay(&mut rng).as_millis());
        }
        assert!(delays.len() > 50, "{}", delays.len());
    }

    #[test]
    fn a_connection_that_lasted_restarts_it() {
        let mut rng = rng();
        let mut backoff = Backoff::new(100 * MS, Some(60_000 * MS));
        for _ in 0..20 {
            backoff.next_delay(&mut rng);
        }
        assert!(backoff.next_delay(&mut rng) >= 30_000 * MS);
        backoff.lasted(10_000 * MS);
        assert!(backoff.next_delay(&mut rng) >= 30_000 * MS, "not for long");
        backoff.lasted(10_001 * MS);
        assert!(backoff.next_delay(&mut rng) <= 200 * MS);
        backoff.lasted(300 * MS);
        assert!(backoff.next_delay(&mut rng) >= 200 * MS, "not for long");
    }

    #[test]
    fn a_maximum_below_the_interval_caps_the_first_delay_too() {
        let mut rng = rng();
        let mut backoff = Backoff::new(1000 * MS, Some(100 * MS));
        let delay = backoff.next_delay(&mut rng);
        assert!((50 * MS..=100 * MS).contains(&delay), "{delay:?}");
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut rng = rng();
        for (interval, max) in [
            (Duration::MAX, None),
            (Duration::MAX, Some(Duration::MAX)),
            (Duration::from_nanos(1), Some(Duration::from_nanos(1))),
            (Duration::ZERO, None),
        ] {
            let mut backoff = Backoff::new(interval, max);
            for _ in 0..200 {
                let delay = backoff.next_delay(&mut rng);
                assert!(delay <= max.unwrap_or(interval.saturating_mul(2)));
            }
        }
    }
}
