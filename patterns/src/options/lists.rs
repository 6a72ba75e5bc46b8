//! Options whose value is a list: networks, ids, conditions, properties. By name they are text, one entry after the other.

use std::fmt;

use ipnet::IpNet;

use super::typed::Typed;
use super::value::{Value, ValueKind};
use crate::peer_address::Place;

/// When a connecting endpoint is not dialled again, though `reconnect_interval` would have it so (option
/// `reconnect_stop`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReconnectStop {
    /// The peer's machine has answered that nobody listens there.
    Refused,
    /// A connection has ended before its handshake was through, whatever the reason.
    HandshakeFailed,
    /// A connection has ended after its handshake.
    Disconnected,
}

impl ReconnectStop {
    /// All of them, each with its bit in libzmq's option.
    pub(super) const BITS: [(ReconnectStop, i32); 3] = [
        (ReconnectStop::Refused, 1),
        (ReconnectStop::HandshakeFailed, 2),
        (ReconnectStop::Disconnected, 4),
    ];
}

impl fmt::Display for ReconnectStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a socket says of itself to its peers (option `properties`): `X-Name:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Bytes that all properties of a socket may have on the wire: what is kept of a peer's.
const MOST_PROPERTY_BYTES: usize = 4096;

impl Property {
    pub(crate) fn new((name, value): (impl Into<String>, impl Into<String>)) -> Self {
        Property {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Returns whether peers can be told it, and it is not what the library says itself.
    fn is_legal(&self) -> bool {
        let is_name = |c: u8| c.is_ascii_alphanumeric() || b"-_.+".contains(&c);
        (3..=255).contains(&self.name.len())
            && self.name.starts_with("X-")
            && self.name.bytes().all(is_name)
            && !self.name.eq_ignore_ascii_case(zmtp::wire::metadata::DRAIN)
            && !self.value.is_empty()
            && !self.value.contains(['\n', '\0'])
    }
}

/// Returns whether a socket can say all of this of itself.
pub(super) fn can_be_told(properties: &[Property]) -> bool {
    let size = |one: &Property| 5 + one.name.len() + one.value.len();
    properties.iter().all(Property::is_legal)
        && properties.iter().map(size).sum::<usize>() <= MOST_PROPERTY_BYTES
}

/// Drops those whose name another one has had before.
pub(super) fn first_of_each_name(mut properties: Vec<Property>) -> Vec<Property> {
    let mut names = Vec::new();
    properties.retain(|one| {
        let name = one.name.to_ascii_lowercase();
        let is_new = !names.contains(&name);
        names.push(name);
        is_new
    });
    properties
}

/// What an option may have a list of.
pub(super) trait Entry: Sized + PartialEq + fmt::Display {
    /// What stands between two of them.
    const SEPARATOR: char = ',';

    /// Reads one.
    fn read(text: &str) -> Option<Self>;
}

/// An address is the network that it alone is in.
impl Entry for IpNet {
    fn read(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(Place::Net(net)) => Some(net),
            _ => None,
        }
    }
}

impl Entry for u32 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Entry for i32 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Entry for ReconnectStop {
    fn read(text: &str) -> Option<Self> {
        let mut all = ReconnectStop::BITS.iter().map(|(condition, _)| *condition);
        all.find(|condition| condition.to_string() == text)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.value)
    }
}

impl Entry for Property {
    const SEPARATOR: char = '\n';

    fn read(text: &str) -> Option<Self> {
        text.split_once(':').map(Property::new)
    }
}

impl<T: Entry> Typed for Vec<T> {
    const KIND: ValueKind = ValueKind::Text;

    fn show(&self, none: &str) -> String {
        match self.as_slice() {
            [] => none.to_owned(),
            entries => joined(entries),
        }
    }

    fn to_value(&self) -> Value {
        match self.as_slice() {
            [] => Value::None,
            entries => Value::Text(joined(entries)),
        }
    }

    /// An empty text is an empty list.
    fn from_value(value: Value) -> Result<Self, Value> {
        let text = match value {
            Value::None => return Ok(Vec::new()),
            Value::Text(text) => text,
            other => return Err(other),
        };
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let entries = text.split(T::SEPARATOR).map(|entry| T::read(entry.trim()));
        let entries: Option<Vec<_>> = entries.collect();
        entries.ok_or(Value::Text(text))
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

fn joined<T: Entry>(entries: &[T]) -> String {
    let mut text = String::new();
    for entry in entries {
        if !text.is_empty() {
            text.push(T::SEPARATOR);
        }
        text.push_str(&entry.to_string());
    }
    text
}
