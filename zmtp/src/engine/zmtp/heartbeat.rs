//! PING, PONG and the silence between them (RFC 37, "Connection Heartbeating").
//!
//! Two clocks run independently: ours, which waits for anything at all after our PING, and the
//! peer's, which its PING starts with the time to live. Any bytes from the peer stop both, as in
//! libzmq; so a peer that streams one huge frame is alive although no frame of it is complete.

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

#[derive(Debug, Default)]
pub(super) struct Timers {
    config: Option<Heartbeat>,
    next_ping: Option<Instant>,
    /// When the silence after our PING becomes too long.
    answer_due: Option<Instant>,
    /// When the silence after the peer's PING becomes too long.
    ttl_ends: Option<Instant>,
}

impl Timers {
    /// Starts the clocks when the handshake is done.
    pub(super) fn start(&mut self, config: Option<Heartbeat>, now: Instant) {
        self.config = config;
        self.next_ping = config.and_then(|config| now.checked_add(config.interval));
    }

    /// Stops the clocks of silence, since something came.
    #[inline]
    pub(super) fn alive(&mut self) {
        self.answer_due = None;
        self.ttl_ends = None;
    }

    pub(super) fn on_ping(&mut self, ttl: u16, context: &[u8], now: Instant, out: &mut BytesMut) {
        if ttl > 0 && self.ttl_ends.is_none() {
            self.ttl_ends = now.checked_add(Duration::from_millis(u64::from(ttl) * 100));
        }
        if out.len() < MAX_WAITING {
            Command::Pong(context).put(out);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        [self.next_ping, self.answer_due, self.ttl_ends]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut BytesMut) -> Result<(), Silence> {
        let is_over = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if is_over(self.answer_due) {
            return Err(Silence::Heartbeat);
        }
        if is_over(self.ttl_ends) {
            return Err(Silence::TimeToLive);
        }
        if let Some(config) = self.config
            && is_over(self.next_ping)
        {
            if out.len() < MAX_WAITING {
                let ttl = (config.ttl.as_millis() / 100).min(MAX_TTL) as u16;
                Command::Ping { ttl, context: &[] }.put(out);
            }
            if self.answer_due.is_none() {
                self.answer_due = now.checked_add(config.timeout);
            }
            self.next_ping = now.checked_add(config.interval);
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
        let mut timers = Timers::default();
        let config = Heartbeat {
            interval: SECOND,
            timeout: 3 * SECOND,
            ttl: 2 * SECOND,
        };
        timers.start(Some(config), start);
        let mut out = BytesMut::new();
        assert_eq!(timers.next(), Some(start + SECOND));
        timers.on_timeout(start + SECOND, &mut out).unwrap();
        assert_eq!(&out[..], b"\x04\x07\x04PING\x00\x14");
        timers.alive();
        timers.on_timeout(start + 2 * SECOND, &mut out).unwrap();
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
        timers.on_ping(656, b"", start, &mut out);
        assert_eq!(timers.next(), Some(start + Duration::from_millis(65_600)));
        out.clear();
        let config = Heartbeat {
            interval: SECOND,
            timeout: SECOND,
            ttl: Duration::MAX,
        };
        timers.start(Some(config), start);
        timers.on_timeout(start + SECOND, &mut out).unwrap();
        assert_eq!(&out[..], b"\x04\x07\x04PING\x02\x8f");
    }

    #[test]
    fn a_flood_of_pings_fills_no_buffer() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut out = BytesMut::new();
        for _ in 0..100_000 {
            timers.on_ping(0, b"0123456789abcdef", start, &mut out);
        }
        assert!(out.len() < MAX_WAITING + 64);
    }
}
