//! The options as data: for `docs/options.md`, and for whoever looks them up by name or number.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;

/// What is known about one option.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OptionRow {
    /// Its name: the method of [`Builder`](super::Builder).
    pub name: &'static str,
    /// The libzmq option that it stands for, if there is one: name and number.
    pub zmq: Option<(&'static str, i32)>,
    /// Its type, or the unit it is counted in.
    pub unit: &'static str,
    /// The value that a socket has unless it is told otherwise.
    pub default: String,
    /// The values that are allowed, in words.
    pub allowed: &'static str,
    /// The socket types that have it, in words.
    pub sockets: &'static str,
    /// When a change by a socket's `set_options` takes effect.
    pub effect: Effect,
    /// What it does.
    pub meaning: &'static str,
}

/// When an option that is changed after its socket was made takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// At once, for all connections.
    AtOnce,
    /// For connections that begin later.
    NewPeers,
    /// For endpoints that are bound or connected later, and their connections.
    NewEndpoints,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::AtOnce => effect!(AtOnce),
            Effect::NewPeers => effect!(NewPeers),
            Effect::NewEndpoints => effect!(NewEndpoints),
        })
    }
}

/// Every option, in the order of the documentation.
///
/// ```
/// let row = purezmq::options::TABLE.iter().find(|row| row.zmq == Some(("ZMQ_SNDHWM", 23))).unwrap();
/// assert_eq!((row.name, row.default.as_str()), ("send_hwm", "1000"));
/// ```
pub static TABLE: LazyLock<Vec<OptionRow>> = LazyLock::new(super::rows);

/// A value as the table and error messages print it; `none` stands for an absent one.
pub(super) trait Show {
    fn show(&self, none: &str) -> String;
}

impl<T: Show> Show for Option<T> {
    fn show(&self, none: &str) -> String {
        self.as_ref()
            .map_or_else(|| none.to_owned(), |value| value.show(none))
    }
}

impl Show for Duration {
    fn show(&self, _: &str) -> String {
        if self.subsec_nanos() == 0 && !self.is_zero() {
            format!("{} s", self.as_secs())
        } else if self.subsec_nanos().is_multiple_of(1_000_000) {
            format!("{} ms", self.as_millis())
        } else {
            format!("{self:?}")
        }
    }
}

impl Show for Bytes {
    fn show(&self, _: &str) -> String {
        match self.len() {
            0..=16 => format!("b\"{}\"", self.escape_ascii()),
            length => format!("b\"{}\"... of {length} bytes", self[..16].escape_ascii()),
        }
    }
}

macro_rules! show_as_displayed {
    ($($type:ty),+) => {$(
        impl Show for $type {
            fn show(&self, _: &str) -> String {
                self.to_string()
            }
        }
    )+};
}
show_as_displayed!(bool, u8, u32, u64, usize, String);
