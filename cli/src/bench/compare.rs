//! A result beside one that was saved before.

use std::fmt::Write;

use super::result::{Measured, Run};
use super::show::grouped;
use crate::failure::Failure;

/// Fails if a run is of another kind than one that was saved.
pub(super) fn check(before: &Run, now: &Run) -> Result<(), Failure> {
    for (what, is_same) in [
        ("kind of run", before.kind == now.kind),
        ("size", before.message_bytes == now.message_bytes),
        (
            "number of subscribers",
            before.subscribers == now.subscribers,
        ),
        ("rate", before.rate == now.rate),
    ] {
        if !is_same {
            return Err(Failure::Failed(format!(
                "the runs cannot be compared: the saved one is of another {what}"
            )));
        }
    }
    Ok(())
}

/// Returns a line for each figure that both have: before, now, and now divided by before.
pub(super) fn text(before: &Measured, now: &Measured) -> String {
    let mut text = format!(
        "\n{:>16} {:>14} {:>14} {:>8}\n",
        "", "before", "now", "ratio"
    );
    let mut line = |name: &str, before: f64, now: f64| {
        let ratio = match before {
            0.0 => "-".to_owned(),
            before => format!("{:.3}", now / before),
        };
        let (before, now) = (grouped(before), grouped(now));
        let _ = writeln!(text, "{name:>16} {before:>14} {now:>14} {ratio:>8}");
    };
    line(
        "messages/s",
        before.messages_per_second,
        now.messages_per_second,
    );
    if let (Some(before), Some(now)) = (&before.latency_us, &now.latency_us) {
        line("mean, us", before.mean, now.mean);
        line("50 %, us", before.p50, now.p50);
        line("99 %, us", before.p99, now.p99);
        line("99.9 %, us", before.p999, now.p999);
        line("max, us", before.max, now.max);
    }
    text
}
