//! Fuzz targets: functions of bytes that must never panic, hang or hold much memory, and in which further promises
//! are asserted. [`TARGETS`] lists them, [`run`] runs one.
//!
//! The same functions run under libFuzzer (`src/bin/fuzz.rs`) and, with seeds and mutations that repeat, in CI
//! (`src/bin/smoke.rs`); `scripts/fuzz` starts both. README.md tells what each target asserts, and how long it ran.

mod curve;
mod datagram;
mod handshake;
mod input;
mod observe;
mod peers;
pub mod seeds;
mod text;
mod websocket;
mod wire;

/// A target: its name, what it runs, and how many cases the smoke has, which took 30 seconds on one core of the machine
/// on which they were counted.
pub type Target = (&'static str, fn(&[u8]), u64);

/// All targets.
pub const TARGETS: &[Target] = &[
    ("greeting", wire::greeting, 24_000_000),
    ("frames", wire::frames, 10_800_000),
    ("ready", wire::ready, 16_800_000),
    ("error", wire::error, 1_200_000),
    ("subscribe", wire::subscribe, 6_720_000),
    ("heartbeat", wire::heartbeat, 19_200_000),
    ("null", handshake::null, 18_000_000),
    ("plain-client", handshake::plain_client, 20_400_000),
    ("plain-server", handshake::plain_server, 24_000_000),
    ("curve-client", curve::client, 360_000),
    ("curve-server", curve::server, 1_920_000),
    ("sealed", curve::sealed, 84_000),
    ("peers", peers::peers, 432_000),
    ("websocket", websocket::websocket, 40_000_000),
    ("datagram", datagram::datagram, 20_000_000),
    ("zap", text::zap, 108_000_000),
    ("endpoint", text::endpoint, 144_000_000),
    ("certificate", text::certificate, 19_200_000),
];

/// What a target may hold at a time, whatever it is given: buffers that are always there, the bodies' own records.
const BASE: u64 = 2 << 20;

/// What it may hold for each byte that it is given. A target keeps its input several times over, and the smallest
/// thing to be kept, an empty frame or property, takes two to six bytes on the wire and up to a hundred in memory.
const PER_BYTE: u64 = 256;

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|(known, ..)| *known == name)
}

/// Runs a target, and sees to its memory.
///
/// # Panics
/// When something is wrong with what is under test.
pub fn run((name, body, _): &Target, data: &[u8]) {
    let used = allocation_counter::measure(|| body(data));
    let bound = BASE + PER_BYTE * data.len() as u64;
    assert!(
        used.bytes_max <= bound,
        "{name} held {} bytes for an input of {}",
        used.bytes_max,
        data.len()
    );
}
