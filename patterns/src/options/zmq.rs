//! Values in libzmq's own form: 32-bit integers in which -1 or 0 may stand for "none", milliseconds, bytes.
//!
//! A C library with libzmq's functions reads and sets options here; so does whoever moves code over from libzmq. What
//! libzmq refuses is refused; what it takes is taken as far as it can be had here, and goes through the same check as
//! every other value.

use std::time::Duration;

use bytes::Bytes;
use zmtp::SocketType;

use super::capability::Capability;
use super::lists::ReconnectStop;
use super::ranges::MAX;
use super::typed::Typed;
use super::{OptionId, Options, Value, ValueKind};
use crate::error::OptionError;

/// A value as `zmq_setsockopt` takes it and `zmq_getsockopt` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ZmqValue {
    /// A C `int`.
    Int(i32),
    /// An `int64_t`.
    Int64(i64),
    /// A `uint64_t`.
    UInt64(u64),
    /// Bytes of any kind.
    Bytes(Bytes),
    /// A C string, here without its final zero.
    Text(String),
}

/// How libzmq writes the values of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Zero is off, every other number on, negative ones an error.
    Flag,
    /// Zero or one.
    StrictFlag,
    /// Zero is off, every other number on.
    LaxFlag,
    /// Zero is off, three is on. One and two ask for half of it, which is not to be had here.
    NotifyBits,
    /// Zero or one; -1 is none.
    Tristate,
    /// A number, not negative.
    Count,
    /// A number, not negative; -1 is none.
    CountOrMinus,
    /// A number of which the system takes what it can: all that are too small or too large are taken as well.
    Backlog,
    /// A number of bytes; -1 is none. Zero means as little as the system has, as one does.
    Buffer,
    /// A number of 64 bits; negative ones are none.
    Size,
    /// 64 bits.
    Bitmap,
    /// Milliseconds.
    Millis(Absent),
    /// Seconds; -1 is none.
    SecondsOrMinus,
    /// Milliseconds. Zero is never to give up, which is the longest time here; -1 is read where there is none.
    HeartbeatTimeout,
    /// Milliseconds, of which tenths of a second count; zero of them is none.
    HeartbeatTtl,
    /// Microseconds; zero is none.
    BusyPoll,
    /// Bytes; none are read where there is no value.
    Bytes,
    /// Bytes; none of them is none.
    BytesOrEmpty,
    /// Text; an empty one is read where there is none.
    Text,
    /// Text; an empty one is none.
    TextOrEmpty,
    /// Text that is not read back; an empty one is none.
    #[cfg_attr(not(feature = "socks"), allow(dead_code, reason = "of proxies"))]
    Secret,
    /// Text, one entry to add to a list; an empty one ends the list.
    Network,
    /// Text, one entry to add to a list.
    Property,
    /// A number without a sign, to add to a list; no value ends the list.
    Id,
    /// A number, to add to a list; no value ends the list.
    ProcessId,
    /// A bit for each [`ReconnectStop`]; others mean nothing.
    StopBits,
    /// The number of a security mechanism. Never set.
    Mechanism,
}

/// Which number of milliseconds stands for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Minus,
    Zero,
    /// -1 is read, and zero can be set as well.
    MinusOrZero,
}

impl ZmqValue {
    /// Reads the memory that `zmq_setsockopt` is given: numbers in the machine's own byte order, text without a zero.
    /// `None`: its length is not that of the option's type, or it is no UTF-8.
    #[must_use]
    pub fn from_bytes(id: OptionId, bytes: &[u8]) -> Option<ZmqValue> {
        Some(match id.row().form? {
            Form::Size => ZmqValue::Int64(i64::from_ne_bytes(bytes.try_into().ok()?)),
            Form::Bitmap => ZmqValue::UInt64(u64::from_ne_bytes(bytes.try_into().ok()?)),
            Form::Bytes | Form::BytesOrEmpty => ZmqValue::Bytes(Bytes::copy_from_slice(bytes)),
            Form::Id | Form::ProcessId if bytes.is_empty() => ZmqValue::Bytes(Bytes::new()),
            Form::Text | Form::TextOrEmpty | Form::Secret | Form::Network | Form::Property => {
                ZmqValue::Text(String::from_utf8(bytes.to_vec()).ok()?)
            }
            _ => ZmqValue::Int(i32::from_ne_bytes(bytes.try_into().ok()?)),
        })
    }

    /// Returns the memory that `zmq_getsockopt` gives: numbers in the machine's own byte order, text with a final zero.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            ZmqValue::Int(number) => number.to_ne_bytes().into(),
            ZmqValue::Int64(number) => number.to_ne_bytes().into(),
            ZmqValue::UInt64(number) => number.to_ne_bytes().into(),
            ZmqValue::Bytes(bytes) => bytes.to_vec(),
            ZmqValue::Text(text) => [text.as_bytes(), &[0]].concat(),
        }
    }

    fn described(&self) -> String {
        match self {
            ZmqValue::Int(number) => number.to_string(),
            ZmqValue::Int64(number) => number.to_string(),
            ZmqValue::UInt64(number) => number.to_string(),
            ZmqValue::Bytes(bytes) => Value::from(bytes.clone()).described(ValueKind::Bytes),
            ZmqValue::Text(text) => Value::from(text.as_str()).described(ValueKind::Text),
        }
    }
}

/// Returns whether libzmq takes a text for one entry of a list.
fn is_one_entry(text: &str) -> bool {
    text.len() <= 255 && !text.contains([',', '\n'])
}

impl Form {
    /// Returns what stands between the entries of a list that a value is added to.
    fn adds(self) -> Option<char> {
        match self {
            Form::Network | Form::Id | Form::ProcessId => Some(','),
            Form::Property => Some('\n'),
            _ => None,
        }
    }

    /// Returns what a value of libzmq's means; `None` if nothing.
    fn read(self, value: ZmqValue) -> Option<Value> {
        let number = match (self, value) {
            (Form::Size, ZmqValue::Int64(size)) => return Some(u64::try_from(size).ok().into()),
            (Form::Bitmap, ZmqValue::UInt64(bits)) => return Some(bits.into()),
            (Form::BytesOrEmpty, ZmqValue::Bytes(bytes)) if bytes.is_empty() => {
                return Some(Value::None);
            }
            (Form::Bytes | Form::BytesOrEmpty, ZmqValue::Bytes(bytes)) => {
                return Some(bytes.into());
            }
            (Form::Text, ZmqValue::Text(text)) if text.is_empty() => return None,
            (Form::TextOrEmpty, ZmqValue::Text(text)) if text.is_empty() => {
                return Some(Value::None);
            }
            (Form::Property, ZmqValue::Text(text)) if text.is_empty() => return None,
            (Form::Secret | Form::Network, ZmqValue::Text(text)) if text.is_empty() => {
                return Some(Value::None);
            }
            (Form::Network | Form::Property, ZmqValue::Text(text)) if !is_one_entry(&text) => {
                return None;
            }
            (
                Form::Text | Form::TextOrEmpty | Form::Secret | Form::Network | Form::Property,
                ZmqValue::Text(text),
            ) => return Some(text.into()),
            (Form::Id | Form::ProcessId, ZmqValue::Bytes(none)) if none.is_empty() => {
                return Some(Value::None);
            }
            (Form::Id, ZmqValue::Int(id)) => return Some(id.cast_unsigned().to_string().into()),
            (Form::ProcessId, ZmqValue::Int(id)) => return Some(id.to_string().into()),
            (Form::StopBits, ZmqValue::Int(bits)) => {
                let chosen = ReconnectStop::BITS
                    .iter()
                    .filter(|(_, bit)| bits & bit != 0);
                let chosen: Vec<_> = chosen.map(|(condition, _)| *condition).collect();
                return Some(chosen.to_value());
            }
            (_, ZmqValue::Int(number)) => number,
            _ => return None,
        };
        let count = u64::try_from(number);
        // The last milliseconds of the range of 32 bits are beyond the longest time.
        let millis = count.map(|millis| Duration::from_millis(millis).min(MAX));
        Some(match (self, number) {
            (Form::Flag, 0..) | (Form::StrictFlag, 0 | 1) | (Form::LaxFlag, _) => {
                (number != 0).into()
            }
            (Form::NotifyBits, 0 | 3) => (number == 3).into(),
            (Form::Tristate, 0 | 1) => (number == 1).into(),
            (Form::Tristate | Form::CountOrMinus | Form::Buffer | Form::SecondsOrMinus, -1) => {
                Value::None
            }
            (Form::Count | Form::CountOrMinus, _) => count.ok()?.into(),
            (Form::Backlog, _) => count.ok()?.clamp(1, 65_535).into(),
            (Form::Buffer, _) => count.ok()?.max(1).into(),
            (Form::Millis(Absent::Zero | Absent::MinusOrZero), 0)
            | (Form::Millis(Absent::Minus | Absent::MinusOrZero), -1) => Value::None,
            (Form::Millis(_), _) => millis.ok()?.into(),
            (Form::SecondsOrMinus, _) => Duration::from_secs(count.ok()?).into(),
            (Form::HeartbeatTimeout, 0) => MAX.into(),
            (Form::HeartbeatTimeout, _) => millis.ok()?.into(),
            (Form::HeartbeatTtl, -99..=99) | (Form::BusyPoll, ..=0) => Value::None,
            (Form::HeartbeatTtl, _) => Duration::from_millis(count.ok()? / 100 * 100).into(),
            (Form::BusyPoll, _) => Duration::from_micros(count.ok()?).into(),
            _ => return None,
        })
    }

    /// Returns a value as libzmq has it. What is too large for its type is the largest of it; what is shorter than its
    /// unit of time is one unit.
    fn write(self, value: &Value) -> ZmqValue {
        let int = |number: i128| ZmqValue::Int(i32::try_from(number).unwrap_or(i32::MAX));
        match (self, value) {
            (Form::Size, Value::Integer(bytes)) => {
                ZmqValue::Int64(i64::try_from(*bytes).unwrap_or(i64::MAX))
            }
            (Form::Size, _) => ZmqValue::Int64(-1),
            (Form::Bitmap, Value::Integer(bits)) => {
                ZmqValue::UInt64(u64::try_from(*bits).unwrap_or_default())
            }
            (Form::Mechanism, Value::Text(name)) => ZmqValue::Int(match name.as_str() {
                "PLAIN" => 1,
                "CURVE" => 2,
                _ => 0,
            }),
            (Form::StopBits, chosen) => {
                let chosen = Vec::<ReconnectStop>::from_value(chosen.clone()).unwrap_or_default();
                let bits = ReconnectStop::BITS
                    .iter()
                    .filter(|(one, _)| chosen.contains(one));
                ZmqValue::Int(bits.map(|(_, bit)| bit).sum())
            }
            (Form::Secret, _) => ZmqValue::Text(String::new()),
            (Form::NotifyBits, Value::Bool(on)) => ZmqValue::Int(i32::from(*on) * 3),
            (Form::HeartbeatTimeout, Value::Duration(MAX)) => ZmqValue::Int(0),
            (Form::SecondsOrMinus, Value::Duration(time)) => {
                int(time.as_millis().div_ceil(1000) as i128)
            }
            (Form::BusyPoll, Value::Duration(time)) => int(time.as_nanos().div_ceil(1000) as i128),
            (_, Value::Duration(time)) => int(time.as_micros().div_ceil(1000) as i128),
            (_, Value::Bool(on)) => ZmqValue::Int(i32::from(*on)),
            (_, Value::Integer(number)) => int(*number),
            (_, Value::Bytes(bytes)) => ZmqValue::Bytes(bytes.clone()),
            (_, Value::Text(text)) => ZmqValue::Text(text.clone()),
            (Form::Bytes | Form::BytesOrEmpty, Value::None) => ZmqValue::Bytes(Bytes::new()),
            (
                Form::Text
                | Form::TextOrEmpty
                | Form::Network
                | Form::Property
                | Form::Id
                | Form::ProcessId,
                Value::None,
            ) => ZmqValue::Text(String::new()),
            (Form::Millis(Absent::Zero) | Form::HeartbeatTtl | Form::BusyPoll, Value::None) => {
                ZmqValue::Int(0)
            }
            (_, Value::None) => ZmqValue::Int(-1),
        }
    }
}

/// Says whether libzmq lets sockets of a type set an option that does nothing for them.
fn takes_in_vain(socket_type: SocketType, capability: Capability) -> bool {
    match capability {
        Capability::Sends
        | Capability::Receives
        | Capability::Identifies
        | Capability::Greets
        | Capability::NotesDepartures
        | Capability::NotesHiccups
        | Capability::Conflates => true,
        // libzmq's PUB is built on its XPUB, and takes what that takes.
        Capability::HearsSubscriptions | Capability::PassesSubscriptions => {
            socket_type == SocketType::Pub
        }
        _ => false,
    }
}

impl Options {
    /// Reads an option in libzmq's form, as `zmq_getsockopt` does.
    ///
    /// # Errors
    ///
    /// libzmq has no such option, or sockets of this type do not have it.
    pub fn get_zmq(&self, id: OptionId) -> Result<ZmqValue, OptionError> {
        let row = id.row();
        let form = row
            .form
            .ok_or(OptionError::NotInLibzmq { option: row.name })?;
        if !self.is_taken_in_vain(id) {
            self.must_have(id)?;
        }
        Ok(form.write(&(row.get)(self)))
    }

    /// Sets an option in libzmq's form, as `zmq_setsockopt` does. As there, some options can be set on sockets for
    /// which they do nothing.
    ///
    /// # Errors
    ///
    /// The same as those of [`set`](Options::set), and libzmq may have no such option. Nothing is changed then.
    pub fn set_zmq(&mut self, id: OptionId, value: ZmqValue) -> Result<(), OptionError> {
        let row = id.row();
        let form = row
            .form
            .ok_or(OptionError::NotInLibzmq { option: row.name })?;
        if form == Form::Mechanism {
            return self.set(id, Value::None);
        }
        let described = match row.kind {
            ValueKind::Secret => "a secret".to_owned(),
            _ => value.described(),
        };
        let mut value = form.read(value).ok_or(OptionError::Value {
            option: row.name,
            value: described,
            allowed: row.allowed,
        })?;
        if let (Some(separator), Value::Text(added), Value::Text(list)) =
            (form.adds(), &value, (row.get)(self))
        {
            value = format!("{list}{separator}{added}").into();
        }
        if self.is_taken_in_vain(id) {
            // Checked, and forgotten: what does nothing must not begin to do something.
            return (row.set)(&mut self.clone(), value);
        }
        self.set(id, value)
    }

    fn is_taken_in_vain(&self, id: OptionId) -> bool {
        let capability = id.row().capability;
        self.socket_type.is_some_and(|socket_type| {
            !capability.is_of(socket_type) && takes_in_vain(socket_type, capability)
        })
    }
}
