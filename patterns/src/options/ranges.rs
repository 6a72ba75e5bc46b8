//! The bounds of several options, and checks against them.

use std::time::Duration;

#[cfg(feature = "socks")]
use crate::endpoint::TcpEndpoint;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The longest duration of most options: the range of libzmq's 32-bit milliseconds, in seconds.
/// It keeps sums with the clock far from overflow.
pub(super) const MAX: Duration = Duration::from_secs(2_147_483);

/// Linux's limit for the idle time and the interval of keep-alive probes.
pub(super) const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// The wire carries the heartbeat's TTL as 16 bits of tenths of a second.
pub(super) const MAX_TTL: Duration = Duration::from_millis(6_553_500);

/// libzmq multiplies a received TTL in 16 bits: 65.6 s would become 64 ms there.
pub(super) const MAX_SENT_TTL: Duration = Duration::from_millis(65_500);

pub(super) fn up_to(value: &Option<Duration>, least: Duration, most: Duration) -> bool {
    value.is_none_or(|value| (least..=most).contains(&value))
}

pub(super) fn buffer_size(bytes: Option<usize>) -> bool {
    bytes.is_none_or(|bytes| (1..=i32::MAX as usize).contains(&bytes))
}

/// Returns whether a text is `*`, or an origin: a scheme, a host and, if it has one, a port.
#[cfg(feature = "ws")]
pub(crate) fn is_origin(text: &str) -> bool {
    let is_authority = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/')
    };
    match text.trim().split_once("://") {
        Some((scheme, its)) => !scheme.is_empty() && is_authority(its),
        None => text.trim() == "*",
    }
}

/// Returns what a proxy's address means.
#[cfg(feature = "socks")]
pub(crate) fn proxy(address: &str) -> Option<TcpEndpoint> {
    let tcp = TcpEndpoint::parse(address).ok()?;
    tcp.check_connect(TcpEndpoint::SCHEME).ok()?;
    tcp.check_source(tcp.host()).ok()?;
    Some(tcp)
}
