//! Judges a run by its samples: is memory flat once the process is warm?

use std::time::Duration;

/// What of the run is warm-up, at least and at most: pools, stacks and the allocator find their size.
const WARM_UP_SHARE: f64 = 0.25;
const LONGEST_WARM_UP: Duration = Duration::from_secs(600);
/// By how much memory may differ between the warm beginning and the end, as the slope says: noise of the allocator.
const ALLOWED_KIB: f64 = 2048.0;
/// The same for a run that is too short for the whole warm-up: what is resident is still finding its size then.
const ALLOWED_EARLY_KIB: f64 = 4.0 * ALLOWED_KIB;

/// Memory over time after the warm-up.
#[derive(Debug)]
pub(crate) struct Trend {
    /// When the warm-up was over, in seconds.
    pub(crate) since: f64,
    /// Growth in KiB a minute.
    pub(crate) slope: f64,
    /// Growth over the whole time after the warm-up, in KiB, as the slope says.
    pub(crate) growth: f64,
}

impl Trend {
    /// From samples of seconds and KiB. `None`: fewer than two are left after the warm-up.
    pub(crate) fn of(samples: &[(f64, f64)]) -> Option<Trend> {
        let (last, _) = *samples.last()?;
        let since = (last * WARM_UP_SHARE).min(LONGEST_WARM_UP.as_secs_f64());
        let warm: Vec<_> = samples
            .iter()
            .copied()
            .filter(|sample| sample.0 >= since)
            .collect();
        let slope = slope(&warm)?;
        Some(Trend {
            since,
            slope: slope * 60.0,
            growth: slope * (last - since),
        })
    }

    /// `exact`: what is measured has no warm-up of its own, as resident memory has.
    pub(crate) fn is_flat(&self, exact: bool) -> bool {
        let warm = exact || self.since >= LONGEST_WARM_UP.as_secs_f64();
        self.growth < if warm { ALLOWED_KIB } else { ALLOWED_EARLY_KIB }
    }
}

/// The median of the slopes between all pairs of points (Theil and Sen): a single burst does not bend it.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(at, a)| {
            points[at + 1..]
                .iter()
                .map(move |b| (b.1 - a.1) / (b.0 - a.0))
        })
        .collect();
    let middle = slopes.len() / 2;
    (!slopes.is_empty()).then(|| *slopes.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(memory: impl Fn(f64) -> f64) -> Trend {
        let samples: Vec<_> = (0..=600)
            .map(|second| (f64::from(second), memory(f64::from(second))))
            .collect();
        Trend::of(&samples).expect("there are samples")
    }

    #[test]
    fn growth_at_the_beginning_is_warm_up() {
        let trend = run(|second| 10_000.0 + 50.0 * second.min(140.0));
        assert!(trend.is_flat(false), "{trend:?}");
    }

    #[test]
    fn a_steady_leak_is_not_flat() {
        let trend = run(|second| 10_000.0 + 20.0 * second);
        assert!(!trend.is_flat(false), "{trend:?}");
        assert!((trend.slope - 1200.0).abs() < 1e-6);
    }

    #[test]
    fn a_long_run_is_judged_more_strictly() {
        let hour: Vec<_> = (0..=360)
            .map(|sample| (f64::from(sample) * 10.0, f64::from(sample) * 10.0))
            .collect();
        let trend = Trend::of(&hour).expect("there are samples");
        assert!(!trend.is_flat(false), "{trend:?}");
    }

    #[test]
    fn bursts_do_not_count() {
        let trend = run(|second| {
            if second as u32 % 50 < 9 {
                90_000.0
            } else {
                10_000.0
            }
        });
        assert!(trend.is_flat(false), "{trend:?}");
    }

    #[test]
    fn nothing_is_said_about_nothing() {
        assert!(Trend::of(&[]).is_none());
        assert!(Trend::of(&[(1.0, 1.0)]).is_none());
    }
}
