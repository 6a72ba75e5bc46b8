//! A result for a terminal: a few lines, and a histogram of the latencies.

use std::fmt::Write;

use super::result::{Bin, Measured};

/// Characters of the longest bar.
const WIDTH: f64 = 40.0;
/// A bar's last character, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Returns the lines, the last of which ends, too.
pub(super) fn text(measured: &Measured) -> String {
    let run = &measured.run;
    let mut text = format!(
        "{}, {} bytes, {} messages",
        run.kind,
        grouped(run.message_bytes as f64),
        grouped(run.count as f64)
    );
    if let Some(subscribers) = run.subscribers {
        let _ = write!(text, " for each of {subscribers} subscribers");
    }
    let _ = writeln!(text, ", {}", run.peer);
    let _ = write!(
        text,
        "  {} messages/s, {:.1} MB/s, {:.3} s",
        grouped(measured.messages_per_second),
        measured.megabytes_per_second,
        measured.seconds
    );
    if let Some(rate) = run.rate {
        let _ = write!(text, "; {} messages/s were asked for", grouped(rate));
    }
    text.push('\n');
    let Some(latency) = &measured.latency_us else {
        return text;
    };
    let _ = writeln!(
        text,
        "  in us: min {:.1}, mean {:.1}, max {:.1}",
        latency.min, latency.mean, latency.max
    );
    let _ = writeln!(
        text,
        "  50 % {:.1}, 90 % {:.1}, 99 % {:.1}, 99.9 % {:.1}, 99.99 % {:.1}",
        latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999
    );
    histogram(&mut text, &measured.histogram);
    text
}

/// Draws a row for each bin that is not empty at the end.
fn histogram(text: &mut String, bins: &[Bin]) {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or_default();
    let all: u64 = bins.iter().map(|bin| bin.count).sum();
    let Some(last) = bins.iter().rposition(|bin| bin.count > 0) else {
        return;
    };
    text.push('\n');
    for (number, bin) in bins[..=last].iter().enumerate() {
        let eighths = (bin.count as f64 / most as f64 * WIDTH * 8.0).ceil() as usize;
        let bar = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
        let percent = bin.count as f64 / all as f64 * 100.0;
        let from = if number + 1 == bins.len() {
            "above"
        } else {
            "from"
        };
        let _ = writeln!(
            text,
            "  {from:>5} {:>10.1} us {percent:6.2} % {bar}",
            bin.from_us
        );
    }
}

/// Writes a number without fraction, its digits in groups of three; a small one with one.
pub(super) fn grouped(number: f64) -> String {
    if number < 100.0 && number.fract() != 0.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        let written: Vec<_> = [0.0, 12.34, 999.0, 1000.0, 1234567.8].map(grouped).into();
        assert_eq!(written, ["0", "12.3", "999", "1,000", "1,234,568"]);
    }

    #[test]
    fn the_longest_bar_is_as_wide_as_any_and_a_small_one_is_seen() {
        let bin = |count| Bin {
            from_us: 1.0,
            to_us: 2.0,
            count,
        };
        let mut text = String::new();
        histogram(&mut text, &[bin(1), bin(0), bin(4000), bin(2000), bin(0)]);
        let bars: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| {
                let (_, bar) = line.split_once(" % ").expect("a bar");
                bar.to_owned()
            })
            .collect();
        assert_eq!(
            bars,
            [
                "▏".to_owned(),
                String::new(),
                "█".repeat(40),
                "█".repeat(20)
            ]
        );
    }
}
