//! A result beside one that was saved before.

use std::fmt::Write;

use super::result::Measured;
use super::show::grouped;
use crate::failure::Failure;

/// Returns a line for each figure that both have: before, now, and now divided by before.
pub(super) fn text(before: &Measured, now: &Measured) -> Result<String, Failure> {
    for (what, is_same) in [
        ("kind of run", before.run.kind == now.run.kind),
        ("size", before.run.message_bytes == now.run.message_bytes),
        (
            "number of subscribers",
            before.run.subscribers == now.run.subscribers,
        ),
        ("rate", before.run.rate == now.run.rate),
    ] {
        if !is_same {
            return Err(Failure::Failed(format!(
                "the runs cannot be compared: the saved one is of another {what}"
            )));
        }
    }
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
    Ok(text)
}
