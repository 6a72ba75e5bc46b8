//! PING, PONG and the silence between them (RFC 37, "Connection Heartbeating").
//!
//! Two clocks run independently: ours, which waits for anything at all after our PING, and the
//! peer's, which its PING starts with the time to live. Any bytes from the peer stop both, as in
//! libzmq; so a peer that streams one huge frame is alive although no frame of it is complete.
//!
//! A PING may wait behind a message that is being written. Our clock measures what it is meant to only once the PING
//! is written; until then it measures how long the system takes nothing at all, which is what a peer that is gone
//! comes to. Both clocks start anew when the session says that they would measure something else
//! ([`Timers::excuse`]).

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::Heartbeat;
use crate::error::Silence;
use crate::wire::command::Command;

/// Bounds the time to live we announce, in tenths of a second. libzmq computes it in 16 bits
/// and milliseconds, so that more than this wraps to almost nothing there.
const MAX_TTL: u128 = 655;

/// Bounds what may wait to be sent, in bytes: beyond that, PINGs are neither sent nor answered. A peer that floods
/// us with PINGs and does not read gets no memory for it.
const MAX_WAITING: usize = 1024;

/// Answers a PING.
pub(super) fn answer(context: &[u8], out: &mut BytesMut) {
    if out.len() < MAX_WAITING {
        Command::Pong(context).put(out);
    }
}

/// The clocks of a connection that sends PINGs, or got one.
#[derive(Debug, Default)]
pub(super) struct Timers {
    config: Option<Heartbeat>,
    next_ping: Option<Instant>,
    /// What we wait for.
    asked: Asked,
    /// How long the peer's last PING lets us wait.
    ttl: Duration,
    /// When the silence after the peer's PING becomes too long.
    ttl_ends: Option<Instant>,
}

/// Says how far our question is.
#[derive(Clone, Copy, Debug, Default)]
enum Asked {
    /// Nothing was asked that is not answered.
    #[default]
    No,
    /// A PING waits to be written, and too long from then on.
    Waits(Option<Instant>),
    /// A PING is written, and its answer is due then.
    Written(Option<Instant>),
}

impl Timers {
    /// Returns the clocks that start when the handshake is done.
    pub(super) fn start(config: Heartbeat, now: Instant) -> Self {
        Timers {
            config: Some(config),
            next_ping: now.checked_add(config.interval),
            ..Timers::default()
        }
    }

    /// Stops the clocks of silence, since something came. A PING that is not written yet is still to be answered.
    #[inline]
    pub(super) fn alive(&mut self, now: Instant) {
        self.ttl_ends = None;
        self.asked = match self.asked {
            Asked::Waits(_) => Asked::Waits(self.limit(now)),
            Asked::No | Asked::Written(_) => Asked::No,
        };
    }

    /// Starts the clocks that run anew.
    pub(super) fn excuse(&mut self, now: Instant) {
        if self.ttl_ends.is_some() {
            self.ttl_ends = now.checked_add(self.ttl);
        }
        self.asked = match self.asked {
            Asked::No => Asked::No,
            Asked::Waits(_) => Asked::Waits(self.limit(now)),
            Asked::Written(_) => Asked::Written(self.limit(now)),
        };
    }

    /// Starts the clock of a PING that was written just now.
    pub(super) fn on_written(&mut self, now: Instant) {
        if let Asked::Waits(_) = self.asked {
            self.asked = Asked::Written(self.limit(now));
        }
    }

    /// Returns when the silence that begins now is too long.
    fn limit(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.config?.timeout)
    }

    /// Starts the peer's clock, unless it runs: its PING says how long we may hear nothing.
    pub(super) fn note_ttl(&mut self, ttl: u16, now: Instant) {
        if self.ttl_ends.is_none() {
            self.ttl = Duration::from_millis(u64::from(ttl) * 100);
            self.ttl_ends = now.checked_add(self.ttl);
        }
    }

    /// Returns when the silence after our PING becomes too long.
    fn answer_due(&self) -> Option<Instant> {
        match self.asked {
            Asked::No => None,
            Asked::Waits(end) | Asked::Written(end) => end,
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        [self.next_ping, self.answer_due(), self.ttl_ends]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut BytesMut) -> Result<(), Silence> {
        let is_over = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if is_over(self.answer_due()) {
            return Err(Silence::Heartbeat);
        }
        if is_over(self.ttl_ends) {
            return Err(Silence::TimeToLive);
        }
        if let Some(config) = self.config
            && is_over(self.next_ping)
        {
            self.next_ping = now.checked_add(config.interval);
            if let Asked::Waits(_) = self.asked {
                return Ok(());
            }
            if out.len() < MAX_WAITING {
                let ttl = (config.ttl.as_millis() / 100).min(MAX_TTL) as u16;
                Command::Ping { ttl, context: &[] }.put(out);
            }
            if let Asked::No = self.asked {
                self.asked = Asked::Waits(self.limit(now));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pings_by_the_interval_and_ends_when_nothing_comes() {
        let start = Instant::now();
        let config = Heartbeat {
            interval: SECOND,
            timeout: 3 * SECOND,
            ttl: 2 * SECOND,
        };
        let mut timers = Timers::start(config, start);
        let mut out = BytesMut::new();
        assert_eq!(timers.next(), Some(start + SECOND));
        timers.on_timeout(start + SECOND, &mut out).unwrap();
        assert_eq!(&out[..], b"\x04\x07\x04PING\x00\x14");
        timers.on_written(start + SECOND);
        timers.alive(start + SECOND);
        timers.on_timeout(start + 2 * SECOND, &mut out).unwrap();
        timers.on_written(start + 2 * SECOND);
        timers.on_timeout(start + 4 * SECOND, &mut out).unwrap();
        assert_eq!(
            timers.on_timeout(start + 5 * SECOND, &mut out),
            Err(Silence::Heartbeat)
        );
    }

    #[test]
    fn time_to_live_is_not_computed_in_sixteen_bits_and_never_sent_too_long() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut out = BytesMut::new();
        timers.note_ttl(656, start);
        assert_eq!(timers.next(), Some(start + Duration::from_millis(65_600)));
        let config = Heartbeat {
            interval: SECOND,
            timeout: SECOND,
            ttl: Duration::MAX,
        };
        let mut timers = Timers::start(config, start);
        timers.on_timeout(start + SECOND, &mut out).unwrap();
        assert_eq!(&out[..], b"\x04\x07\x04PING\x02\x8f");
    }

    /// Timers that have asked after a second, with three seconds to answer, and what they ask with.
    fn asked(start: Instant) -> (Timers, BytesMut) {
        let config = Heartbeat {
            interval: SECOND,
            timeout: 3 * SECOND,
            ttl: Duration::ZERO,
        };
        let mut timers = Timers::start(config, start);
        let mut out = BytesMut::new();
        timers.on_timeout(start + SECOND, &mut out).unwrap();
        (timers, out)
    }

    #[test]
    fn the_clock_starts_when_the_ping_is_written() {
        let start = Instant::now();
        let (mut timers, mut out) = asked(start);
        let one = out.len();
        for second in 2..60 {
            // It waits behind a message of which the system takes a piece now and then.
            timers.excuse(start + second * SECOND);
            timers
                .on_timeout(start + second * SECOND, &mut out)
                .unwrap();
        }
        assert_eq!(out.len(), one, "one that waits is enough");
        out.clear();
        timers.on_written(start + 60 * SECOND);
        timers.on_timeout(start + 62 * SECOND, &mut out).unwrap();
        assert_eq!(out.len(), one, "a written one is followed by others");
        timers.on_written(start + 62 * SECOND);
        let end = timers.on_timeout(start + 63 * SECOND, &mut out);
        assert_eq!(end, Err(Silence::Heartbeat), "by the first one's clock");
    }

    #[test]
    fn a_ping_that_cannot_be_written_ends_the_connection_when_nothing_moves() {
        let start = Instant::now();
        let (mut timers, mut out) = asked(start);
        // What comes is a sign of life, and the question stands.
        timers.alive(start + 3 * SECOND);
        timers.on_timeout(start + 5 * SECOND, &mut out).unwrap();
        let end = timers.on_timeout(start + 6 * SECOND, &mut out);
        assert_eq!(end, Err(Silence::Heartbeat));
    }

    #[test]
    fn an_excuse_starts_running_clocks_anew_and_no_other() {
        let start = Instant::now();
        let mut timers = Timers::default();
        timers.excuse(start);
        assert_eq!(timers.next(), None);
        timers.note_ttl(20, start);
        timers.excuse(start + SECOND);
        assert_eq!(timers.next(), Some(start + 3 * SECOND));
        let mut out = BytesMut::new();
        let end = timers.on_timeout(start + 3 * SECOND, &mut out);
        assert_eq!(end, Err(Silence::TimeToLive));
        let (mut timers, mut out) = asked(start);
        timers.on_written(start + SECOND);
        timers.excuse(start + 3 * SECOND);
        timers.on_timeout(start + 5 * SECOND, &mut out).unwrap();
        let end = timers.on_timeout(start + 6 * SECOND, &mut out);
        assert_eq!(end, Err(Silence::Heartbeat));
    }

    #[test]
    fn a_flood_of_pings_fills_no_buffer() {
        let mut out = BytesMut::new();
        for _ in 0..100_000 {
            answer(b"0123456789abcdef", &mut out);
        }
        assert!(out.len() < MAX_WAITING + 64);
    }
}
