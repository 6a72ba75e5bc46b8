//! What is kept of an endpoint's failures: for statistics, and to say how loud each is logged. One for each endpoint; its
//! connections share it ([`Subject`](super::Subject)).

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::{DisconnectReason, MonitorEventKind as Kind};
use crate::error::ConnectFailure;
use crate::stats::EndpointStats;
use crate::sync::Mutex;

/// How long failures at a bound endpoint are one series: there, nothing tells its end.
const SERIES: Duration = Duration::from_secs(60);

/// How much is kept of an error's text, in characters.
const MOST_KEPT: usize = 256;

/// How loud an event is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Somebody has to look.
    Failure,
    /// A peer is away.
    Away,
    /// A series of failures has ended.
    Back,
    Plain,
}

/// Who began the endpoint's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Bound,
    Connecting,
}

#[derive(Debug, Default)]
pub(crate) struct EndpointRecord(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    handshakes: u64,
    failed_attempts: u64,
    handshake_failures: u64,
    last_error: Option<LastError>,
    /// When the series began that failures are part of.
    series: Option<Instant>,
}

/// What went wrong last.
#[derive(Debug)]
enum LastError {
    Text(Box<str>),
    /// Its text is made for whoever asks. Attempts to connect fail often, and few ask: the text would cost as much as a third
    /// of what the system does for an attempt.
    Unreached(ConnectFailure),
}

impl LastError {
    fn text(&self) -> String {
        match self {
            LastError::Text(text) => text.to_string(),
            LastError::Unreached(failure) => kept(failure).into(),
        }
    }
}

impl EndpointRecord {
    /// Notes an event, and says how loud it is, and how many failures there have been. `greeted`: the connection's handshake
    /// is through.
    pub(super) fn note(&self, kind: &Kind, side: Side, greeted: bool) -> (Loudness, u64) {
        let mut record = self.0.lock();
        let loudness = match kind {
            Kind::HandshakeSucceeded => record.succeeded(side),
            Kind::ConnectFailed(failure) => {
                record.failed_attempts += 1;
                let last = LastError::Unreached(failure.clone());
                record.failed(last, side, Loudness::Away)
            }
            Kind::AcceptFailed(error) => {
                record.failed_attempts += 1;
                record.failed(told(error), side, Loudness::Failure)
            }
            Kind::HandshakeFailed(reason) if !reason.is_of_this_side() => {
                record.handshake_failures += 1;
                record.failed(told(reason), side, Loudness::Failure)
            }
            Kind::Disconnected(reason) if greeted && reason.is_refusal() => {
                record.failed(told(reason), side, Loudness::Failure)
            }
            Kind::Gone(gone) => {
                record.last_error = Some(told(&gone.reason));
                Loudness::Plain
            }
            _ => Loudness::Plain,
        };
        (loudness, record.failed_attempts + record.handshake_failures)
    }

    /// Puts what is known into an endpoint's statistics.
    pub(crate) fn put(&self, stats: &mut EndpointStats) {
        let record = self.0.lock();
        stats.handshakes = record.handshakes;
        stats.failed_attempts = record.failed_attempts;
        stats.handshake_failures = record.handshake_failures;
        stats.last_error = record.last_error.as_ref().map(LastError::text);
    }
}

impl Record {
    fn succeeded(&mut self, side: Side) -> Loudness {
        self.handshakes += 1;
        match side {
            Side::Connecting if self.series.take().is_some() => Loudness::Back,
            Side::Connecting | Side::Bound => Loudness::Plain,
        }
    }

    fn failed(&mut self, why: LastError, side: Side, loudness: Loudness) -> Loudness {
        self.last_error = Some(why);
        let is_over = |since: Instant| side == Side::Bound && since.elapsed() >= SERIES;
        if self.series.is_some_and(|since| !is_over(since)) {
            return Loudness::Plain;
        }
        self.series = Some(Instant::now());
        loudness
    }
}

impl DisconnectReason {
    /// Returns whether this side has ended the connection, for a reason of its own.
    pub(crate) fn is_of_this_side(&self) -> bool {
        matches!(
            self,
            DisconnectReason::Local | DisconnectReason::ByRequest | DisconnectReason::TaskEnded(_)
        )
    }
}

/// Says what went wrong.
fn told(why: &dyn Display) -> LastError {
    LastError::Text(kept(why))
}

/// Returns a text on one line, and no longer than what is kept.
fn kept(text: &dyn Display) -> Box<str> {
    let mut kept = String::new();
    for (at, c) in text.to_string().chars().enumerate() {
        if at == MOST_KEPT - 3 {
            kept.push_str("...");
            break;
        }
        match c.is_control() {
            true => kept.push(' '),
            false => kept.push(c),
        }
    }
    kept.into()
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;

    fn failure(record: &EndpointRecord, side: Side) -> (Loudness, u64) {
        let failed = Kind::HandshakeFailed(DisconnectReason::Peer);
        record.note(&failed, side, false)
    }

    #[test]
    fn the_first_failure_of_a_series_is_loud_and_so_is_its_end() {
        let record = EndpointRecord::default();
        let side = Side::Connecting;
        assert_eq!(failure(&record, side), (Loudness::Failure, 1));
        assert_eq!(failure(&record, side), (Loudness::Plain, 2));
        let success = |record: &EndpointRecord| record.note(&Kind::HandshakeSucceeded, side, true);
        assert_eq!(success(&record), (Loudness::Back, 2));
        assert_eq!(success(&record), (Loudness::Plain, 2));
        assert_eq!(failure(&record, side), (Loudness::Failure, 3));
    }

    #[test]
    fn at_a_bound_endpoint_a_success_ends_no_series() {
        let record = EndpointRecord::default();
        assert_eq!(failure(&record, Side::Bound), (Loudness::Failure, 1));
        record.note(&Kind::HandshakeSucceeded, Side::Bound, true);
        assert_eq!(failure(&record, Side::Bound), (Loudness::Plain, 2));
    }

    #[test]
    fn what_went_wrong_last_is_told_to_whoever_asks() {
        let record = EndpointRecord::default();
        let last = || {
            let mut stats = EndpointStats::default();
            record.put(&mut stats);
            stats.last_error
        };
        assert_eq!(last(), None);
        let failed = Kind::ConnectFailed(ConnectFailure::Resolve {
            host: "host".to_owned(),
            reason: "a\nb".to_owned(),
        });
        record.note(&failed, Side::Connecting, false);
        assert_eq!(last().as_deref(), Some("cannot resolve host: a b"));
        failure(&record, Side::Connecting);
        assert_eq!(last(), Some(DisconnectReason::Peer.to_string()));
    }

    #[test]
    fn what_is_kept_is_one_line_and_short() {
        assert_eq!(&*kept(&"a\nb"), "a b");
        let long = kept(&"x".repeat(1000));
        assert_eq!(long.len(), MOST_KEPT);
        assert!(long.ends_with("x..."));
        assert_eq!(kept(&"x".repeat(253)).len(), 253);
    }
}
