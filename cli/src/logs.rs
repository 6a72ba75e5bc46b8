//! The library's log on standard error: what `--verbose` shows.

use tracing_subscriber::filter::LevelFilter;

/// Begins to show the log: warnings and what comes and goes, with 2 each connection's life, with 3 all there is.
pub(crate) fn begin(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}
