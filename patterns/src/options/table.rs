//! The options as data: for `docs/options.md`, and for whoever looks them up by name or number.

use std::fmt;

use super::capability::Capability;
use super::value::{Value, ValueKind};
use super::zmq::Form;
use super::{Options, TABLE};
use crate::error::OptionError;

/// What is known about one option.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OptionRow {
    /// Its name: the method of [`Builder`](crate::socket::Builder).
    pub name: &'static str,
    /// The libzmq option that it stands for, if there is one: name and number.
    pub zmq: Option<(&'static str, i32)>,
    /// What kind of value it has.
    pub kind: ValueKind,
    /// Its type, or the unit it is counted in.
    pub unit: &'static str,
    /// The values that are allowed, in words.
    pub allowed: &'static str,
    /// What a socket type must be able to do to have it.
    pub capability: Capability,
    /// When a change by a socket's `set_options` takes effect.
    pub effect: Effect,
    /// What it does.
    pub meaning: &'static str,
    /// How libzmq writes its values, if it has it.
    pub(super) form: Option<Form>,
    pub(super) show: fn(&Options) -> String,
    pub(super) get: fn(&Options) -> Value,
    pub(super) set: fn(&mut Options, Value) -> Result<(), OptionError>,
}

impl OptionRow {
    /// Returns the value that a socket has unless it is told otherwise, in words.
    pub fn default(&self) -> String {
        (self.show)(&Options::default())
    }

    /// Returns the socket types that have it, in words.
    pub fn sockets(&self) -> String {
        self.capability.sockets()
    }
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

/// Names one option. Found by the name of the builder's method, or by libzmq's name or number; in a constant, a name
/// that is none does not compile.
///
/// ```
/// use purezmq::options::OptionId;
///
/// const SEND_HWM: OptionId = OptionId::by_name("send_hwm").unwrap();
/// assert_eq!(OptionId::by_zmq_name("ZMQ_SNDHWM"), Some(SEND_HWM));
/// assert_eq!(OptionId::by_number(23), Some(SEND_HWM));
/// assert_eq!(SEND_HWM.row().unit, "messages");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionId(u8);

/// The second names that libzmq has for some options.
const ALIASES: &[(&str, i32)] = &[
    ("ZMQ_IDENTITY", 5),
    ("ZMQ_DELAY_ATTACH_ON_CONNECT", 39),
    ("ZMQ_ROUTER_BEHAVIOR", 33),
    ("ZMQ_FAIL_UNROUTABLE", 33),
];

impl OptionId {
    /// Returns every option of this build.
    pub fn all() -> impl ExactSizeIterator<Item = OptionId> {
        (0..TABLE.len() as u8).map(OptionId)
    }

    /// Finds an option by the name of the builder's method.
    #[must_use]
    pub const fn by_name(name: &str) -> Option<OptionId> {
        let mut at = 0;
        while at < TABLE.len() {
            if same(TABLE[at].name, name) {
                return Some(OptionId(at as u8));
            }
            at += 1;
        }
        None
    }

    /// Finds an option by libzmq's name for it.
    #[must_use]
    pub const fn by_zmq_name(name: &str) -> Option<OptionId> {
        let mut at = 0;
        while at < TABLE.len() {
            if let Some((zmq, _)) = TABLE[at].zmq
                && same(zmq, name)
            {
                return Some(OptionId(at as u8));
            }
            at += 1;
        }
        let mut at = 0;
        while at < ALIASES.len() {
            if same(ALIASES[at].0, name) {
                return OptionId::by_number(ALIASES[at].1);
            }
            at += 1;
        }
        None
    }

    /// Finds an option by libzmq's number for it.
    #[must_use]
    pub const fn by_number(number: i32) -> Option<OptionId> {
        let mut at = 0;
        while at < TABLE.len() {
            if let Some((_, zmq)) = TABLE[at].zmq
                && zmq == number
            {
                return Some(OptionId(at as u8));
            }
            at += 1;
        }
        None
    }

    /// Returns all that is known about the option.
    #[must_use]
    pub const fn row(self) -> &'static OptionRow {
        &TABLE[self.0 as usize]
    }

    /// Returns the option's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Reads a value as a user writes it; [`Value::parse`] says how.
    ///
    /// # Errors
    ///
    /// The text is no value of the option's kind. Whether it is in range, [`Options::set`] says.
    pub fn parse(self, text: &str) -> Result<Value, OptionError> {
        let row = self.row();
        match Value::parse(row.kind, text) {
            Some(value) => Ok(value),
            None if row.kind == ValueKind::Opaque => {
                Err(OptionError::NoPlainValue { option: row.name })
            }
            None => Err(OptionError::Value {
                option: row.name,
                value: Value::from(text).described(row.kind),
                allowed: row.allowed,
            }),
        }
    }
}

impl fmt::Debug for OptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for OptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Compares texts, in constants as well.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
