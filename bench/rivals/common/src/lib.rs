//! What every rival's peer binary shares: the command line, the control
//! channel on standard input, the throughput meter, the latency recorder and
//! the one JSON line each peer prints at its end.
//!
//! Control channel (only with `--hold`): the driver writes `GO\n` when all
//! subscribers are seen, and closes standard input when the other side has
//! finished, so that no sender exits before its data was delivered, whatever
//! the linger rules of its library are.

mod args;
mod conn;
mod control;
mod meter;
mod process;
mod report;
mod source;
mod stamp;
mod version;

pub use args::{die, Args, PROBE};
pub use conn::Conn;
pub use control::{ready, Ctl};
pub use meter::{Lat, Meter, SubMeter};
pub use process::{attaching, monotonic_ns, rss_kb, threads, Usage};
pub use report::{sender_report, Report};
pub use source::Source;
pub use stamp::{Stamps, STAMP};
pub use version::emit_locked_version;
