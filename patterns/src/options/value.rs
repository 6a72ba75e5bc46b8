//! [`Value`]: an option's value whose kind is known at run time only.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// The value of an option that is read or set by its name or number. Everything that the builder's methods take
/// converts into one.
///
/// ```
/// use purezmq::options::Value;
/// use std::time::Duration;
///
/// assert_eq!(Value::from(1000), Value::Integer(1000));
/// assert_eq!(Value::from(None::<Duration>), Value::None);
/// assert_eq!(Value::from(Duration::from_millis(1500)).to_string(), "1500 ms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// There is none: no limit, for ever, never, the system's choice, as the option has it.
    None,
    /// On or off.
    Bool(bool),
    /// A number: wide enough for all that options may have, and for those that are out of their range.
    Integer(i128),
    /// A span of time.
    Duration(Duration),
    /// Bytes of any kind.
    Bytes(Bytes),
    /// Text.
    Text(String),
}

/// What kind of value an option has. Where an option may be absent, [`Value::None`] is allowed as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Integer`].
    Integer,
    /// [`Value::Duration`].
    Duration,
    /// [`Value::Bytes`], for which [`Value::Text`] stands as well.
    Bytes,
    /// [`Value::Text`].
    Text,
    /// [`Value::Text`], which is not given back: reading it gives a text that says that there is a secret. Error messages do
    /// not show it.
    Secret,
    /// No plain value: only the builder's method can set it. Reading it gives a [`Value::Text`] that says what it is,
    /// and no secrets.
    Opaque,
}

impl Value {
    /// Reads a value of a kind as a user writes it on a command line or in a file: `true`, `1000`, `100 ms`, any text;
    /// `none` where there may be none. Numbers may begin with `0o` or `0x`; times have one of the units
    /// `ns`, `us`, `ms`, `s` and `min`, with or without a space before it. Says nothing about the option's range.
    #[must_use]
    pub fn parse(kind: ValueKind, text: &str) -> Option<Value> {
        match kind {
            ValueKind::Bytes => return Some(Bytes::copy_from_slice(text.as_bytes()).into()),
            ValueKind::Text | ValueKind::Secret => return Some(text.into()),
            ValueKind::Opaque => return None,
            _ if text == "none" => return Some(Value::None),
            _ => {}
        }
        match kind {
            ValueKind::Bool => text.parse().ok().map(Value::Bool),
            ValueKind::Integer => integer(text).map(Value::Integer),
            _ => duration(text).map(Value::Duration),
        }
    }

    /// Returns the value as error messages print one that does not fit an option of this kind.
    pub(super) fn described(&self, expected: ValueKind) -> String {
        match self {
            Value::Text(text) if expected == ValueKind::Secret => {
                format!("a text of {} bytes", text.len())
            }
            Value::None => "None".to_owned(),
            Value::Bool(on) => on.to_string(),
            Value::Integer(number) if expected == ValueKind::Integer => number.to_string(),
            Value::Integer(number) => format!("the number {number}"),
            Value::Duration(_) => format!("the time {self}"),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::Text(text) => {
                format!("the text {:?}", text.chars().take(64).collect::<String>())
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(on) => on.fmt(f),
            Value::Integer(number) => number.fmt(f),
            Value::Duration(time) => f.write_str(&time_in_words(*time)),
            Value::Bytes(bytes) => bytes.escape_ascii().fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

/// Writes a time as a whole number of the largest unit that it has.
pub(super) fn time_in_words(time: Duration) -> String {
    let nanoseconds = time.as_nanos();
    if nanoseconds == 0 {
        return "0 ms".to_owned();
    }
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)];
    let unit = units
        .iter()
        .find(|(_, size)| nanoseconds.is_multiple_of(*size));
    let (name, size) = unit.unwrap_or(&("ns", 1));
    format!("{} {name}", nanoseconds / size)
}

fn integer(text: &str) -> Option<i128> {
    if let Some(octal) = text.strip_prefix("0o") {
        return i128::from_str_radix(octal, 8).ok();
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return i128::from_str_radix(hexadecimal, 16).ok();
    }
    text.parse().ok()
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u64>().ok()?;
    match unit.trim_start() {
        "ns" => Some(Duration::from_nanos(number)),
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "min" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

macro_rules! from_integer {
    ($($type:ty),+) => {$(
        impl From<$type> for Value {
            fn from(number: $type) -> Self {
                Value::Integer(i128::from(number))
            }
        }
    )+};
}
from_integer!(u8, i32, u32, i64, u64);

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Value::Integer(number as i128)
    }
}

macro_rules! from_other {
    ($($type:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant(value.into())
            }
        }
    )+};
}
from_other! {
    bool => Bool, Duration => Duration, Bytes => Bytes, Vec<u8> => Bytes, &'static [u8] => Bytes,
    String => Text, &str => Text,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::None, Into::into)
    }
}
