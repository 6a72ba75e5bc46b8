//! What a run leaves: a hash of all that happened, its history if somebody wants to read it, and what went wrong.

use std::hash::Hasher;

use parking_lot::Mutex;
use rustc_hash::FxHasher;
use tokio::time::Instant;

/// The record of one run.
pub(crate) struct World {
    began: Instant,
    record: Mutex<Record>,
}

struct Record {
    hash: FxHasher,
    events: u64,
    history: Option<Vec<String>>,
    failures: Vec<String>,
}

impl World {
    /// Begins now. With `history`, what happens is kept in words, too.
    pub(crate) fn new(history: bool) -> Self {
        World {
            began: Instant::now(),
            record: Mutex::new(Record {
                hash: FxHasher::default(),
                events: 0,
                history: history.then(Vec::new),
                failures: Vec::new(),
            }),
        }
    }

    /// Something has happened: all of it is in `what` and `numbers`; `words` are for readers.
    pub(crate) fn note(
        &self,
        what: &'static str,
        numbers: [u64; 3],
        words: impl FnOnce() -> String,
    ) {
        let elapsed = self.began.elapsed();
        let mut record = self.record.lock();
        record.events += 1;
        record.hash.write(what.as_bytes());
        record.hash.write_u64(elapsed.as_micros() as u64);
        for number in numbers {
            record.hash.write_u64(number);
        }
        if let Some(history) = &mut record.history {
            let at = elapsed.as_secs_f64();
            history.push(format!("{at:9.3}  {what:<12} {}", words()));
        }
    }

    /// An oracle says no.
    pub(crate) fn fail(&self, why: String) {
        self.note("FAILED", [0; 3], || why.clone());
        let mut record = self.record.lock();
        // The first ones tell; the others follow from them.
        if record.failures.len() < 10 {
            let at = self.began.elapsed().as_secs_f64();
            record.failures.push(format!("after {at:.3} s: {why}"));
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.record.lock().failures.is_empty()
    }

    /// The hash, the number of events, the failures and the history.
    pub(crate) fn finish(&self) -> (u64, u64, Vec<String>, Vec<String>) {
        let mut record = self.record.lock();
        let history = record.history.take().unwrap_or_default();
        let failures = std::mem::take(&mut record.failures);
        (record.hash.finish(), record.events, failures, history)
    }
}
