//! What a run has measured, as it is shown, saved and compared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What a saved run calls itself.
pub(super) const FORMAT: &str = "pzmq bench";
/// The version that is written, and the last one that is understood.
pub(super) const VERSION: u32 = 1;

/// Rows of a histogram, without the one for what took longer than almost all.
const BINS: usize = 16;
/// Readings that are saved at most.
const READINGS: usize = 200;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) kind: String,
    pub(super) peer: String,
    pub(super) message_bytes: usize,
    /// Messages that were measured; of a fan-out, for each subscriber.
    pub(super) count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subscribers: Option<usize>,
    /// Requests a second that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) made_by: String,
    /// When it ended, in seconds since 1970.
    pub(super) ended: u64,
    #[serde(flatten)]
    pub(super) run: Run,
    pub(super) seconds: f64,
    pub(super) messages_per_second: f64,
    /// Of payload, in millions of bytes.
    pub(super) megabytes_per_second: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_us: Option<Latency>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) histogram: Vec<Bin>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) percentiles: Vec<Percentile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) over_time: Vec<Reading>,
}

/// In microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) p9999: f64,
    pub(super) max: f64,
}

/// How many took from so many microseconds to fewer than so many. The last one has those that took longer than 999 of 1,000.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bin {
    pub(super) from_us: f64,
    pub(super) to_us: f64,
    pub(super) count: u64,
}

/// So many percent took so many microseconds or fewer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Percentile {
    pub(super) percent: f64,
    pub(super) us: f64,
}

/// So many messages were there after so long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) seconds: f64,
    pub(super) messages: u64,
}

impl Run {
    pub(super) fn new(kind: &str, message_bytes: usize, count: u64) -> Self {
        Run {
            kind: kind.to_owned(),
            peer: String::new(),
            message_bytes,
            count,
            subscribers: None,
            rate: None,
        }
    }

    /// Makes the result of who has counted messages.
    pub(super) fn counted(self, readings: Vec<Vec<(u64, Instant)>>) -> Measured {
        let first = readings.iter().filter_map(|readings| readings.first());
        let start = first.map(|(_, at)| *at).min();
        // Each reading as what it adds, in the order of time.
        let mut added: Vec<(Instant, u64)> = vec![];
        for readings in &readings {
            let pairs = readings.iter().zip(readings.iter().skip(1));
            added.extend(pairs.map(|((before, _), (messages, at))| (*at, messages - before)));
        }
        added.sort_unstable();
        let start = start.unwrap_or_else(Instant::now);
        let mut messages = 0;
        let mut over_time = vec![];
        for (at, more) in added {
            messages += more;
            over_time.push(Reading {
                seconds: (at - start).as_secs_f64(),
                messages,
            });
        }
        let seconds = over_time.last().map_or(0.0, |last| last.seconds);
        let step = over_time.len().div_ceil(READINGS).max(1);
        let last = over_time.len().saturating_sub(1);
        let mut at = 0..;
        over_time.retain(|_| at.next().is_some_and(|at| (last - at) % step == 0));
        Measured {
            over_time,
            ..self.measured(messages, seconds)
        }
    }

    /// Makes the result of who has timed round trips.
    pub(super) fn timed(self, time: Duration, times: &Histogram<u64>) -> Measured {
        let us = |nanos: u64| nanos as f64 / 1e3;
        let at = |quantile| us(times.value_at_quantile(quantile));
        let latency = Latency {
            min: us(times.min()),
            mean: times.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: us(times.max()),
        };
        let percentiles = times.iter_quantiles(2).map(|step| Percentile {
            percent: step.quantile_iterated_to() * 100.0,
            us: us(step.value_iterated_to()),
        });
        Measured {
            latency_us: Some(latency),
            histogram: bins(times),
            percentiles: percentiles.collect(),
            ..self.measured(times.len(), time.as_secs_f64())
        }
    }

    fn measured(self, messages: u64, seconds: f64) -> Measured {
        let per_second = if seconds > 0.0 {
            messages as f64 / seconds
        } else {
            0.0
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Measured {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: concat!("pzmq ", env!("CARGO_PKG_VERSION")).to_owned(),
            ended: now.unwrap_or_default().as_secs(),
            messages_per_second: per_second,
            megabytes_per_second: per_second * self.message_bytes as f64 / 1e6,
            seconds,
            run: self,
            latency_us: None,
            histogram: vec![],
            percentiles: vec![],
            over_time: vec![],
        }
    }
}

/// Sorts times into rows, each as much wider than the one before, up to what 999 of 1,000 took; and one for the others.
fn bins(times: &Histogram<u64>) -> Vec<Bin> {
    if times.is_empty() {
        return vec![];
    }
    let (low, high) = (times.min() as f64, times.value_at_quantile(0.999) as f64);
    let growth = (high / low).max(1.0).powf(1.0 / BINS as f64);
    let edge = |bin: usize| low * growth.powi(bin as i32);
    let mut counts = [0; BINS + 1];
    for step in times.iter_recorded() {
        let value = step.value_iterated_to() as f64;
        let bin = if value > high {
            BINS
        } else if growth > 1.0 {
            ((value / low).ln() / growth.ln()).clamp(0.0, (BINS - 1) as f64) as usize
        } else {
            0
        };
        counts[bin] += step.count_at_value();
    }
    let bins = counts.iter().enumerate().map(|(bin, count)| Bin {
        from_us: edge(bin) / 1e3,
        to_us: if bin < BINS {
            edge(bin + 1)
        } else {
            times.max() as f64
        } / 1e3,
        count: *count,
    });
    bins.collect()
}
