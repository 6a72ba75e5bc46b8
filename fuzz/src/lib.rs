//! Fuzz targets: functions of bytes that must never panic, hang or hold much memory, and in which further promises
//! are asserted. [`TARGETS`] lists them, [`run`] runs one.
//!
//! The same functions run under libFuzzer (`src/bin/fuzz.rs`) and, with seeds and mutations that repeat, in CI
//! (`src/bin/smoke.rs`); `scripts/fuzz` starts both. README.md tells what each target asserts, and how long it ran.

mod curve;
mod handshake;
mod input;
mod observe;
mod peers;
pub mod seeds;
mod text;
mod wire;

/// A target: its name, what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("greeting", wire::greeting),
    ("frames", wire::frames),
    ("ready", wire::ready),
    ("error", wire::error),
    ("subscribe", wire::subscribe),
    ("heartbeat", wire::heartbeat),
    ("null", handshake::null),
    ("plain-client", handshake::plain_client),
    ("plain-server", handshake::plain_server),
    ("curve-client", curve::client),
    ("curve-server", curve::server),
    ("sealed", curve::sealed),
    ("peers", peers::peers),
    ("zap", text::zap),
    ("endpoint", text::endpoint),
    ("certificate", text::certificate),
];

/// What a target may hold at a time, whatever it is given: buffers that are always there, the bodies' own records.
const BASE: u64 = 2 << 20;

/// What it may hold for each byte that it is given. A target keeps its input several times over, and the smallest
/// thing to be kept, an empty frame or property, takes two to six bytes on the wire and up to a hundred in memory.
const PER_BYTE: u64 = 256;

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|(known, _)| *known == name)
}

/// Runs a target, and sees to its memory.
///
/// # Panics
/// When something is wrong with what is under test.
pub fn run((name, body): &Target, data: &[u8]) {
    let used = allocation_counter::measure(|| body(data));
    let bound = BASE + PER_BYTE * data.len() as u64;
    assert!(
        used.bytes_max <= bound,
        "{name} held {} bytes for an input of {}",
        used.bytes_max,
        data.len()
    );
}
